"""The filter of system calls: what it refuses, what it ends workers for, and what it tells of both."""

import json
import threading
import time
from urllib.parse import quote

from suite import GuestCase, main, message_id, proc_status, wait_until

EPERM, ENOSYS = 1, 38

# Makes the calls of ?calls= (names, or name:argument:argument…) one after the other.
CALLS = """<?php
$c = FFI::cdef("long syscall(long, ...); int *__errno_location(void);", "libc.so.6");
$numbers = ["bpf" => 321, "clone3" => 435, "clock_settime" => 227, "getppid" => 110, "keyctl" => 250,
            "kill" => 62, "mount" => 165, "pidfd_getfd" => 438, "process_vm_readv" => 310,
            "ptrace" => 101, "quotactl" => 179, "socket" => 41, "splice" => 275, "tee" => 276,
            "unshare" => 272, "userfaultfd" => 323, "nothing" => 1000, "io_uring_setup" => 425,
            "open_by_handle_at" => 304, "execve" => 59, "fork" => 57, "clone" => 56];
$said = [];
foreach (explode(",", $_GET["calls"]) as $call) {
    $words = explode(":", $call);
    $a = array_map("intval", array_slice($words, 1)) + array_fill(0, 6, -1);
    $r = $c->syscall($numbers[$words[0]], $a[0], $a[1], $a[2], $a[3], $a[4], $a[5]);
    $said[] = $r < 0 ? $c->__errno_location()[0] : 0;
}
echo json_encode($said);
"""

# Whether ?commands= (JSON) work, and what they say when they do not.
COMMANDS = """<?php
chdir($_GET["in"]);
$failed = [];
foreach (json_decode($_GET["commands"]) as $command) {
    $out = [];
    exec("( $command ) 2>&1", $out, $status);
    if ($status !== 0)
        $failed[$command] = "$status: " . implode("; ", $out);
}
echo json_encode((object)$failed);
"""

# What scripts start, and what that starts. A program that is not installed is left out.
PROGRAMS = [
    ("true", "true"), ("ls", "ls -la /srv/www /etc"), ("cp", "cp -a /srv/www/hello.php copy"),
    ("mv", "mv copy moved"), ("ln", "ln -s moved link"), ("mkfifo", "mkfifo -m 600 pipe"),
    ("tar", "tar czf a.tar.gz moved && tar xzf a.tar.gz"), ("gzip", "echo x | gzip | gunzip"),
    ("sort", "seq 20000 | sort -R | sort -n | tail -1"), ("find", "find /etc -maxdepth 1 | wc -l"),
    ("xargs", "seq 8 | xargs -P 4 -n 1 echo"), ("timeout", "timeout 5 true"),
    ("setsid", "setsid -w true"), ("nohup", "nohup true"), ("flock", "flock lock true"),
    ("sync", "sync moved"), ("dd", "dd if=/dev/zero of=z count=8"),
    ("touch", "touch -d yesterday moved"), ("chmod", "chmod 640 moved"), ("df", "df ."),
    ("date", "date"), ("id", "id"), ("ps", "ps -e"), ("free", "free"), ("uptime", "uptime"),
    ("openssl", "openssl rand -hex 8 && echo x | openssl dgst -sha256"),
    ("gpg", "gpg --homedir . --list-keys"), ("curl", "curl -s http://127.0.0.1/hello.php"),
    ("perl", "perl -e 'system(q(true)) == 0 or die'"),
    ("python3", "python3"
     " -c 'import threading as t; x = t.Thread(target=print); x.start(); x.join()'"),
    ("git", "git init -q g && cd g && git -c user.name=n -c user.email=e@e commit -qm m --allow-empty"
     " && git gc -q"),
    ("php8.2", "php8.2 -r 'echo PHP_VERSION;'"), ("file", "file moved"), ("rsync", "rsync -a g/ h"),
    ("node", "node -e 'fetch'"), ("sqlite3", "sqlite3 db 'create table t (x)'"), ("ssh", "ssh -V"),
    ("ssh-keygen", "ssh-keygen -q -N '' -f key"), ("getent", "getent hosts localhost"),
    ("unzip", "unzip -v"), ("sendmail", "command -v sendmail"), ("gs", "gs -q -dNODISPLAY -c quit"),
    ("ffmpeg", "ffmpeg -version"), ("bash", "bash -c 'x=$(id)'"),
    ("mysqldump", "mysqldump --version"), ("pg_dump", "pg_dump --version"),
    ("make", "make --version"),
]


class Seccomp(GuestCase):
    def setUp(self):
        super().setUp()
        self.guest.write("/srv/www/calls.php", CALLS)
        self.guest.write("/srv/www/commands.php", COMMANDS)
        self.guest.run("install", "-d", "-o", "site", "-m", "777", "/srv/www/written")
        self.guest.run("sh", "-c", "rm -rf /srv/www/written/*")

    def start(self, children=1, **settings):
        """The pool "box"; sandbox_report= is sandbox.report, and so on."""
        settings = {key.replace("sandbox_", "sandbox."): value for key, value in settings.items()}
        settings.setdefault("php_admin_value[ffi.enable]", "1")
        self.pool("box", children=children, start=False, **settings)
        if "sandbox.report" in settings or "sandbox.syscalls" in settings:
            # The filter of the unit stands around that of the pool.
            self.guest.run("fpmctl", "apply", "box")
            self.addCleanup(self.forget)
        self.guest.systemctl("start", "fpmd@box.socket")

    def forget(self):
        self.guest.systemctl("stop", "fpmd@box.socket", "fpmd@box.service", check=False)
        self.guest.run("sh", "-c", "rm -rf /etc/systemd/system/fpmd@box.service.d")
        self.guest.systemctl("daemon-reload")

    def calls(self, *calls, name="box"):
        return json.loads(self.ask(name, "/calls.php", query="calls=" + ",".join(calls)).text)

    def commands(self, commands, name="box"):
        query = "in=/srv/www/written&commands=" + quote(json.dumps(commands))
        return json.loads(self.ask(name, "/commands.php", query=query, timeout=120).text)

    def denied(self, name="box"):
        return self.records(pool=name, MESSAGE_ID=message_id("CALL_DENIED"))

    # ---- what is refused ----

    def test_what_is_not_allowed_fails(self):
        self.start()
        self.assertEqual(
            self.calls("keyctl", "unshare", "clock_settime", "process_vm_readv", "clone3", "nothing",
                       "io_uring_setup", "socket:40:1:0", "socket:2:1:262", "socket:2:5:0", "kill:0:0",
                       "clone:268435473:0:0:0:0", "getppid"),
            [EPERM, EPERM, EPERM, EPERM, ENOSYS, ENOSYS, ENOSYS, EPERM, EPERM, EPERM, EPERM, EPERM, 0])
        self.assertEqual(self.denied(), [], "not asked for")

    def test_a_call_of_attackers_ends_the_worker_and_the_obituary_names_it(self):
        self.start()
        for call in ("ptrace", "bpf", "mount", "userfaultfd", "open_by_handle_at", "pidfd_getfd"):
            pid = self.status("box")["workers"][0]["pid"] if call != "ptrace" else None
            answer = self.ask("box", "/calls.php", query=f"calls={call}", method="GET")
            self.assertEqual(answer.status, 500, call)
            record = self.wait_record(POOL="box", MESSAGE_ID=message_id("WORKER_FILTERED"),
                                      SYSCALL_NAME=call)
            self.assertIn(f"was ended for the forbidden system call {call} after", record["MESSAGE"])
            self.assertEqual(record["SIGNAL_NAME"], "SIGSYS")
            self.assertEqual(record["SCRIPT"], "/srv/www/calls.php")
            self.assertIn("/srv/www/calls.php:12", record["PHP_BACKTRACE"])
            if pid:
                self.assertEqual(int(record["WORKER_PID"]), pid)
            self.assertEqual(self.ask("box", "/hello.php").status, 200)

    def test_sigsys_of_another_is_no_filter(self):
        self.start()
        self.guest.write("/srv/www/sys.php", "<?php posix_kill(getmypid(), 31);")
        self.ask("box", "/sys.php")
        record = self.wait_record(POOL="box", MESSAGE_ID=message_id("WORKER_EXITED"), SIGNAL="31")
        self.assertIn("was killed by signal 31 (SIGSYS)", record["MESSAGE"])

    def test_a_preload_script_that_makes_one_is_named(self):
        self.guest.write("/srv/www/written/preload.php", """<?php
            FFI::cdef("long syscall(long, ...);", "libc.so.6")->syscall(321, -1, -1, -1);""")
        self.pool("early", children=1, **{
            "php_admin_value[ffi.enable]": "1",
            "php_admin_value[opcache.preload]": "/srv/www/written/preload.php"})
        self.guest.systemctl("start", "fpmd@early.service", "--no-block", check=False)
        record = self.wait_record(POOL="early", timeout=15,
                                  where=lambda r: "forbidden system call" in r["MESSAGE"])
        self.assertIn("PHP was ended while it started, for a forbidden system call: bpf",
                      record["MESSAGE"])

    # ---- what the pool file changes ----

    def test_additions_and_removals(self):
        self.start(sandbox_syscalls="+@keyring +ptrace -@splice +tee -socket")
        seen = self.calls("keyctl", "ptrace", "splice", "tee", "socket:1:1:0", "quotactl")
        self.assertNotIn(seen[0], (EPERM, ENOSYS))
        self.assertNotEqual(seen[1], ENOSYS)
        self.assertEqual((seen[2], seen[4], seen[5]), (ENOSYS, EPERM, EPERM))
        self.assertNotEqual(seen[3], ENOSYS)

    def test_strict_has_less(self):
        self.start(sandbox_seccomp="strict")
        self.assertEqual(self.calls("splice", "getppid"), [ENOSYS, 0])
        self.assertEqual(self.commands(["true", "ls /", "echo x | gzip | gunzip"]), {})

    def test_off_is_no_filter(self):
        self.start(sandbox_seccomp="off")
        # What refuses now is the unit.
        self.assertEqual(self.calls("keyctl", "process_vm_readv:0:0:0:0:0:0"), [EPERM, 0])
        _, templates, workers = self.pids("box")
        for pid in templates + workers:
            self.assertEqual(proc_status(pid)["Seccomp_filters"],
                             proc_status(self.pids("box")[0])["Seccomp_filters"])

    def test_misspelt_names_are_told(self):
        self.pool("wrong", start=False, **{
            "sandbox.syscalls": "+keyctrl -@raw_io -read +clone3 +@nothere"})
        done = self.guest.run("fpmctl", "check", "wrong", check=False)
        self.assertNotEqual(done.returncode, 0)
        said = done.stdout + done.stderr
        for text in ("there is no such system call, did you mean '+keyctl'?",
                     "there is no such group of system calls, did you mean '-@raw-io'?",
                     "'-read': workers cannot serve without it", "'+clone3': a filter cannot look at",
                     "'+@nothere': there is no such group of system calls, expected one of"):
            self.assertIn(text, said)
        self.assertRegex(said, r"wrong\.conf:\d+: ")

    # ---- programs ----

    def test_ordinary_programs_run_and_nothing_is_denied(self):
        self.start(sandbox_report="yes")
        there = [command for name, command in PROGRAMS
                 if self.guest.run("sh", "-c", f"command -v {name}", check=False).returncode == 0]
        self.assertGreater(len(there), 30)
        self.assertEqual(self.commands(there), {})
        self.assertEqual([r["MESSAGE"] for r in self.denied()], [])

    def test_connections_are_shut_in_both_directions(self):
        """Of what that means the filter leaves the half which the peer notices."""
        self.guest.write("/srv/www/shut.php", """<?php
            [$a, $b] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
            stream_set_timeout($b, 1);
            echo json_encode([stream_socket_shutdown($a, STREAM_SHUT_RDWR), fread($b, 1), feof($b),
                              stream_socket_shutdown($a, STREAM_SHUT_RD),
                              @fwrite($a, "x") === false]);""")
        self.start()
        self.assertEqual(json.loads(self.ask("box", "/shut.php").text), [True, "", True, True, True])

    def test_programs_can_be_forbidden(self):
        self.guest.write("/srv/www/start.php", """<?php
            ini_set("display_errors", "1");
            header("Content-Type: text/plain");
            $pipes = [];
            var_dump(exec("true", $out, $status), $status);
            var_dump(shell_exec("echo shell"));
            var_dump(proc_open(["true"], [], $pipes));
            var_dump(popen("true", "r") === false);
            var_dump(mail("a@b", "s", "t"));
            if (function_exists("pcntl_fork")) var_dump(pcntl_fork());
            echo "end";""")
        self.start(sandbox_exec="no", **{"php_admin_value[sendmail_path]": "/bin/true"})
        answer = self.ask("box", "/start.php")
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.text.endswith("end"), answer.text)
        for text in ("exec(): Unable to fork [true]", "shell_exec(): Unable to execute",
                     "proc_open(): Fork failed: Operation not permitted"):
            self.assertIn(text, answer.text)
        self.assertNotIn("bool(true)", answer.text.replace("bool(true)", "", 1))
        self.assertEqual(self.calls("execve", "fork", "clone:17:0:0:0:0"), [EPERM, EPERM, EPERM])

    # ---- reports ----

    def test_programs_that_are_forbidden_are_recorded(self):
        self.guest.write("/srv/www/run.php", "<?php @exec('true'); echo 'end';")
        self.start(sandbox_report="yes", sandbox_exec="no")
        self.assertEqual(self.ask("box", "/run.php").text, "end")
        record = self.wait_record(POOL="box", MESSAGE_ID=message_id("CALL_DENIED"))
        self.assertIn(record["SYSCALL_NAME"], ("clone", "vfork"))
        self.assertEqual(record["SCRIPT"], "/srv/www/run.php")

    def test_denied_calls_are_recorded_once(self):
        self.start(sandbox_report="yes")
        self.assertEqual(self.calls("keyctl", "keyctl", "socket:2:1:262", "clone3"),
                         [EPERM, EPERM, EPERM, ENOSYS])
        self.assertEqual(self.calls("keyctl"), [EPERM])
        wait_until(lambda: len(self.denied()) >= 2, what="two records")
        time.sleep(0.2)
        first, second = self.denied()
        worker = self.status("box")["workers"][0]["pid"]
        self.assertEqual(first["SYSCALL_NAME"], "keyctl")
        self.assertEqual(first["SYSCALL_GROUP"], "@keyring")
        self.assertEqual(int(first["WORKER_PID"]), worker)
        self.assertEqual(first["SCRIPT"], "/srv/www/calls.php")
        self.assertRegex(first["MESSAGE"], r"^System call keyctl \(@keyring: .*\) was denied to worker "
                                           rf"{worker}, script /srv/www/calls.php$")
        self.assertIn("MPTCP", second["MESSAGE"])

    def test_those_of_programs_too(self):
        self.start(sandbox_report="yes")
        self.assertNotEqual(self.commands(["unshare --user true"]), {})
        record = self.wait_record(POOL="box", MESSAGE_ID=message_id("CALL_DENIED"))
        self.assertEqual(record["SYSCALL_NAME"], "unshare")
        self.assertRegex(record["MESSAGE"], "was denied to process [0-9]+, which a worker has started$")

    def test_a_new_generation_records_again(self):
        self.start(sandbox_report="yes")
        self.calls("keyctl")
        self.guest.run("fpmctl", "reload", "box")
        self.assertEqual(self.calls("keyctl"), [EPERM])
        wait_until(lambda: len(self.denied()) == 2, what="two records")
        self.assertEqual([r["GENERATION"] for r in self.denied()], ["1", "2"])

    def test_reports_go_on_after_a_reexec(self):
        self.start(sandbox_report="yes")
        self.assertEqual(self.calls("keyctl"), [EPERM])
        self.guest.run("fpmctl", "reexec", "box")
        self.assertEqual(self.calls("keyctl", "quotactl"), [EPERM, EPERM])
        wait_until(lambda: len(self.denied()) == 2, what="two records")
        self.assertEqual([r["SYSCALL_NAME"] for r in self.denied()], ["keyctl", "quotactl"])
        self.assertEqual({r["GENERATION"] for r in self.denied()}, {"1"})

    def test_without_a_manager_they_fail(self):
        """Of those whose manager has crashed; the worker finishes its request."""
        self.guest.write("/srv/www/later.php", CALLS.replace("$said = [];", """$said = [];
            file_put_contents("/srv/www/written/pid", posix_getppid());
            while (!file_exists("/srv/www/written/go")) usleep(10000);"""))
        self.start(sandbox_report="yes")
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            self.ask("box", "/later.php", query="calls=keyctl,unshare", timeout=30).text))
        thread.start()
        wait_until(lambda: self.guest.path("/srv/www/written/pid").exists(), what="the request")
        self.guest.systemctl("kill", "--kill-whom=main", "-s", "KILL", "fpmd@box.service")
        time.sleep(0.3)
        self.guest.write("/srv/www/written/go", "")
        thread.join()
        self.assertEqual(json.loads(answers[0]), [ENOSYS, ENOSYS])

    def test_a_flood_does_not_hold_up_the_manager(self):
        self.guest.write("/srv/www/flood.php", """<?php set_time_limit(20);
            $c = FFI::cdef("long syscall(long, ...);", "libc.so.6");
            for ($t = microtime(true) + 2.5; microtime(true) < $t; $n++) $c->syscall(250, -1);
            echo $n;""")
        self.start(sandbox_report="yes", children=3)
        self.ask("box", "/hello.php")
        counts = []
        floods = [threading.Thread(target=lambda: counts.append(
            int(self.ask("box", "/flood.php", timeout=30).text.split()[-1]))) for _ in range(2)]
        for thread in floods:
            thread.start()
        for _ in range(5):
            began = time.monotonic()
            self.status("box")
            self.assertLess(time.monotonic() - began, 15)
        for thread in floods:
            thread.join()
        self.assertLess(sum(counts), 5000, "answers are bounded")
        self.assertEqual(len(self.denied()), 1)


if __name__ == "__main__":
    main()
