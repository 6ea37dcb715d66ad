"""fpmctl for people and for health checks: list, log, metrics, opcache, php, ping, reopen, trace; who
may, what it says when it cannot, colours and the completion of bash."""

import contextlib
import json
import re
import subprocess

import guest as guest_module
from background import Background
from suite import GuestCase, main, message_id, wait_until

# Sends a record of its own to the journal, as a script that was broken into could.
FORGE = """<?php
$s = socket_create(AF_UNIX, SOCK_DGRAM, 0);
$text = "MESSAGE=forged\\nPRIORITY=3\\nSYSLOG_IDENTIFIER=fpmd\\nPOOL=forger\\nMESSAGE_ID=%s\\n"
      . "_EXE=/usr/sbin/fpmd\\n_UID=0\\nREQUEST_ID=forged\\n";
var_dump(socket_sendto($s, $text, strlen($text), 0, "/run/systemd/journal/socket"));
// Whose unit it is, journald can only tell while the program lives.
shell_exec("systemd-cat -t fpmd sh -c 'echo by-a-program; until [ -e /srv/site/recorded ]; do sleep 0.05; done'");
error_log("said by PHP");
"""


class Fpmctl(GuestCase):
    nginx = False

    def fpmctl(self, *words, **options):
        return self.guest.run("fpmctl", *words, check=False, **options)

    def told(self, *words, **options):
        done = self.fpmctl(*words, **options)
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout

    def as_user(self, user, *words):
        return self.guest.run("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
                              "fpmctl", *words, check=False)

    def served(self, name, **settings):
        self.pool(name, **settings)
        self.assertEqual(self.ask(name, "/hello.php").status, 200)
        self.wait_ready(name)

    def wait_ready(self, name):
        """The first answer may come before the other workers are there, and before systemd knows that the
        pool has started."""
        wait_until(lambda: self.status(name)["state"] == "ready" and self.guest.properties(
            f"fpmd@{name}.service", "ActiveState")["ActiveState"] == "active", 10, f"{name} is ready")

    @contextlib.contextmanager
    def busy(self, name, n):
        """While n scripts run, until the block is left."""
        self.guest.write("/srv/www/hold.php", "<?php while (!file_exists('/srv/www/released')) usleep(10000);")
        released = self.guest.path("/srv/www/released")
        released.unlink(missing_ok=True)
        calls = [Background(self.ask, name, "/hold.php", timeout=60) for _ in range(n)]
        try:
            wait_until(lambda: self.status(name)["active"] == n, 10, "the scripts run")
            yield
        finally:
            released.touch()
            for call in calls:
                call.result()

    # ---- list ----

    def states(self):
        return {row["pool"]: row for row in json.loads(self.told("list", "-o", "json"))}

    def test_list_has_every_pool_of_the_machine(self):
        self.served("here")
        self.pool("asleep")
        self.pool("off", start=False)
        self.pool("bare")
        self.ask("bare", "/hello.php")
        self.wait_ready("bare")
        self.guest.path("/etc/fpmd/conf.d/bare.conf").unlink()
        self.pool("bad")
        self.guest.write("/etc/fpmd/conf.d/bad.conf", "[bad]\nuser = site\npm = sometimes\n")
        rows = self.states()
        self.assertEqual({name: (rows[name]["state"], rows[name]["config"])
                          for name in ("here", "asleep", "off", "bare", "bad")},
                         {"here": ("running", "ok"), "asleep": ("listening", "ok"),
                          "off": ("stopped", "ok"), "bare": ("running", "none"),
                          "bad": ("listening", "errors")})
        self.assertEqual(rows["here"]["listen"], "/run/fpmd/here.sock")
        text = self.told("list")
        self.assertEqual([line.split()[0] for line in text.splitlines()[1:]], sorted(rows))
        self.assertRegex(text, r"(?m)^bare +running +none ")
        for name in ("here", "asleep"):
            self.assertEqual(self.states()[name]["state"], rows[name]["state"], "by being listed")

    def test_colours_are_for_terminals(self):
        self.served("coloured")
        self.assertNotIn("\033", self.told("list"))
        for words, colours in ((("TERM=xterm",), True), (("TERM=xterm", "NO_COLOR=1"), False),
                               (("TERM=dumb",), False)):
            out = self.guest.run("env", "-u", "NO_COLOR", *words, "script", "-qec", "fpmctl list",
                                 "/dev/null").stdout
            self.assertIn("coloured", out)
            self.assertEqual("\033[32mrunning\033[0m" in out, colours, words)
            self.assertEqual("\033" in out, colours, words)

    # ---- log ----

    def forge(self, name):
        self.guest.write("/srv/www/forge.php", FORGE % message_id("SLOW_REQUEST"))
        self.served(name)
        self.guest.run("install", "-d", "-o", "site", "/srv/site")
        recorded = self.guest.path("/srv/site/recorded")
        recorded.unlink(missing_ok=True)
        call = Background(self.ask, name, "/forge.php", timeout=60)
        try:
            self.wait_record(MESSAGE="by-a-program")
        finally:
            recorded.touch()
        self.assertRegex(call.result().text, r"^int\(\d+\)")
        self.guest.run("journalctl", "--sync")

    def test_log_shows_a_pool_by_what_the_journal_knows_itself(self):
        self.forge("forger")
        self.served("other")
        out = self.told("log", "forger")
        self.assertIn("said by PHP", out)
        self.assertIn("Ready to handle", out)  # of the manager
        self.assertIn("Started fpmd@forger.service", out)  # of systemd
        self.assertNotIn("fpmd@other", out)
        # What a program says that a script has started is shown on request alone.
        self.assertNotIn("by-a-program", out)
        self.assertIn("by-a-program", self.told("log", "forger", "--all"))
        self.assertNotIn("forged", self.told("log", "other", "--all"))
        # A worker can send what it likes, but not as the manager, and under no other name.
        self.assertNotIn("forged", out)
        records = [json.loads(line)
                   for line in self.told("log", "forger", "--all", "-o", "json").splitlines()]
        forged = next(r for r in records if r["MESSAGE"] == "forged")
        self.assertRegex(forged["_EXE"], "php8.2$")
        self.assertEqual(forged["_UID"], self.guest.run("id", "-u", "site").stdout.strip())
        slow = self.fpmctl("log", "forger", "--slow").stdout
        self.assertNotIn("forged", slow)

    def test_options_of_log(self):
        self.served("opt")
        self.guest.write("/srv/www/say.php", "<?php error_log($_GET['what']);")
        for word in ("first", "second", "third"):
            self.ask("opt", "/say.php", query=f"what={word}")
        self.guest.run("journalctl", "--sync")
        last = self.told("log", "opt", "-n", "1")
        self.assertIn("third", last)
        self.assertNotIn("second", last)
        self.assertIn("first", self.told("log", "opt", "--since=-1h"))
        self.assertNotIn("first", self.fpmctl("log", "opt", "--since=+1h").stdout)
        out = self.told("log", "opt", "--", "--output=cat", "--grep=^.*second")
        self.assertEqual([line for line in out.splitlines() if "second" not in line], [])
        self.assertIn("second", out)
        follow = self.guest.popen("timeout", "10", "fpmctl", "log", "opt", "-f", "-n", "1",
                                  stdout=subprocess.PIPE, text=True)
        try:
            self.assertIn("third", follow.stdout.readline())
            self.ask("opt", "/say.php", query="what=fourth")
            self.assertIn("fourth", follow.stdout.readline())
        finally:
            follow.stdout.close()
            follow.kill()
            follow.wait()

    def test_log_of_one_request(self):
        self.guest.write("/srv/www/say.php", "<?php error_log($_GET['what']);")
        self.served("joined")
        for word in ("one", "two"):
            self.ask("joined", "/say.php", query=f"what={word}", REQUEST_ID=f"id-{word}")
        self.guest.run("journalctl", "--sync")
        out = self.told("log", "joined", "--request", "id-one")
        self.assertIn("one", out)
        self.assertNotIn("two", out)

    def test_log_of_a_pool_that_never_was(self):
        done = self.fpmctl("log", "never")
        self.assertIn("never: there is no such pool: no never.conf in ", done.stderr)

    # ---- metrics, opcache ----

    def test_metrics(self):
        self.served("metric")
        for _ in range(4):
            self.ask("metric", "/hello.php")
        out = wait_until(lambda: (t := self.told("metrics", "metric")) and
                         re.search(r"(?m)^phpfpm_accepted_connections\S* 5$", t) and t, 10,
                         "five connections")
        self.assertIn("# TYPE phpfpm_", out)
        self.assertTrue(len(self.told("metrics", "metric", "--full")) >= len(out))

    def test_opcache(self):
        self.served("cache", children=1)
        status = wait_until(lambda: (s := json.loads(self.told("opcache", "cache", "status", "-o",
                                                               "json")))["known"] and s, 10,
                            "a look at the cache")
        self.assertGreater(status["used_bytes"], 1 << 20)
        self.assertGreaterEqual(status["scripts"], 1)
        self.assertRegex(self.told("opcache", "status", "cache"), r"memory used: \d+\.\d MB\n")
        before = self.status("cache")["generation"]
        self.assertIn("cache: reloaded", self.told("opcache", "cache", "reset"))
        self.assertEqual(self.status("cache")["generation"], before + 1)

    # ---- php ----

    def test_php_is_that_of_the_pool(self):
        self.pool("mine", php_admin_value__memory_limit="77M", env__COLOUR="blue",
                  php_value__precision="9")
        info = self.told("php", "mine", "-i")
        for line in ("memory_limit => 77M => 77M", "precision => 9 => 9", "COLOUR => blue",
                     "USER => site", "Server API => FPM/FastCGI",
                     "Loaded Configuration File => /etc/php/8.2/fpm/php.ini"):
            self.assertIn(line + "\n", info)
        self.assertNotIn("NOTIFY_SOCKET", info)
        self.assertEqual(self.told("php", "mine", "-m"), self.guest.run("php-fpm8.2", "-m").stdout)
        ours, theirs = self.told("php", "mine", "-v"), self.guest.run("php-fpm8.2", "-v").stdout
        self.assertEqual(re.sub(r"\(fpmd [^)]*\)", "", ours),
                         re.sub(r"\(built: [^)]*\)", "", theirs))

    def test_php_runs_as_the_user_of_the_pool(self):
        """A preload script runs in it, and so would an extension."""
        self.guest.write("/srv/www/preload.php",
                         "<?php file_put_contents('/srv/site/seen', posix_geteuid() . ' ' . "
                         "preg_replace('/.*CapEff:\\s+(\\w+).*/s', '$1', "
                         "file_get_contents('/proc/self/status')));")
        self.guest.run("install", "-d", "-o", "site", "/srv/site")
        self.pool("user", php_admin_value__opcache__preload="/srv/www/preload.php")
        self.told("php", "user", "-v")
        self.assertEqual(self.guest.read("/srv/site/seen"),
                         self.guest.run("id", "-u", "site").stdout.strip() + " 0000000000000000")

    def test_php_that_cannot_start(self):
        self.pool("broken", php_admin_value__opcache__preload="/nowhere.php")
        done = self.fpmctl("php", "broken", "-i")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("/nowhere.php", done.stderr)
        self.pool("wrong", rlimit_files="lots", start=False)
        done = self.fpmctl("php", "wrong", "-v")
        self.assertEqual((done.returncode, done.stdout), (78, ""))
        self.assertIn("wrong.conf:5: error: rlimit_files", done.stderr)

    # ---- ping ----

    def test_ping(self):
        self.pool("pinged", **{"ping.path": "/ping", "ping.response": "still here"})
        self.assertRegex(self.told("ping", "pinged"), r"^pinged: still here \(\d+\.\d ms\)\n$")
        # the question has started it, and is answered before all its workers are there
        wait_until(lambda: self.status("pinged")["state"] == "ready", 10, "it is ready")
        answer = json.loads(self.told("ping", "pinged", "-o", "json"))
        self.assertEqual((answer["ok"], answer["status"], answer["text"], answer["address"]),
                         (True, 200, "still here", "/run/fpmd/pinged.sock"))
        with self.busy("pinged", n=2):
            done = self.fpmctl("ping", "pinged", "--timeout=300ms")
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("no answer in 0.3 s", done.stderr)
        self.guest.systemctl("stop", "fpmd@pinged.socket", "fpmd@pinged.service")
        done = self.fpmctl("ping", "pinged")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nobody listens there", done.stderr)

    def test_ping_of_a_pool_that_drains(self):
        self.pool("leaver", **{"ping.path": "/ping"})
        self.told("ping", "leaver")
        self.wait_ready("leaver")
        drain = self.guest.popen("fpmctl", "drain", "--quiet=8s", "leaver",
                                 stdout=subprocess.DEVNULL)
        done = wait_until(lambda: (d := self.fpmctl("ping", "leaver")).returncode != 0 and d, 7,
                          "a ping that fails")
        self.assertIn("answered 503: it is being drained", done.stderr)
        self.assertEqual(drain.wait(30), 0)

    def test_ping_without_a_ping_path(self):
        self.served("plain", children=1)
        requests = self.status("plain")["requests"]
        self.assertRegex(self.told("ping", "plain"), r"^plain: answers \(")
        self.assertEqual(self.status("plain")["requests"], requests)
        done = self.fpmctl("ping", "plain", "--status")
        self.assertEqual(done.returncode, 78)
        self.assertIn("neither ping.path nor pm.status_path", done.stderr)

    def test_ping_in_a_container(self):
        """Without systemd and over TCP, as HEALTHCHECK would run it, by whoever runs there."""
        folder = "/srv/site/boxed"
        self.guest.run("install", "-d", "-m", "777", folder)
        self.guest.write(f"{folder}/boxed.conf", "[boxed]\nlisten = 9123\nping.path = /ping\n"
                         "pm = static\npm.max_children = 1\nuser = site\n")
        own = self.guest.popen(
            "fpmd", "--foreground", "--pool", "boxed", "--config-dir", folder, "--control-dir",
            f"{folder}/control", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            words = (f"--config-dir={folder}", f"--control-dir={folder}/control")
            wait_until(lambda: self.fpmctl(*words, "ping", "boxed").returncode == 0, 10, "a ping")
            done = self.as_user("www-data", *words, "ping", "boxed")
            self.assertEqual(done.returncode, 0, done.stderr)
            rows = json.loads(self.told(*words, "list", "-o", "json"))
            self.assertEqual([(r["pool"], r["state"]) for r in rows], [("boxed", "running")])
        finally:
            pid = json.loads(self.told(*words, "status", "boxed", "-o", "json"))["manager_pid"]
            self.guest.run("kill", str(pid))
            own.wait(20)

    def test_ping_of_the_status_socket(self):
        self.pool("second", start=False, **{"ping.path": "/ping"})
        self.guest.systemctl("start", "fpmd-status@second.socket", "fpmd@second.socket")
        self.addCleanup(self.guest.systemctl, "stop", "fpmd-status@second.socket", check=False)
        self.assertEqual(self.ask("second", "/hello.php").status, 200)
        with self.busy("second", n=2):
            self.assertIn("second: pong", self.told("ping", "second", "--status"))

    # ---- reopen, trace ----

    def test_reopen(self):
        self.pool("logged", **{"access.log": "/var/log/fpmd/logged.log"})
        self.ask("logged", "/hello.php")
        log = self.guest.path("/var/log/fpmd/logged.log")
        wait_until(lambda: log.exists() and "hello.php" in log.read_text(), 10, "a line")
        self.assertEqual(self.guest.run("stat", "-c", "%U:%G %a", "/var/log/fpmd/logged.log").stdout,
                         "fpmd:adm 640\n")
        self.guest.run("mv", "/var/log/fpmd/logged.log", "/var/log/fpmd/logged.1")
        self.assertRegex(self.told("reopen", "logged"), r"^logged: ")
        self.ask("logged", "/hello.php")
        wait_until(lambda: log.exists() and "hello.php" in log.read_text(), 10, "a line again")
        self.guest.run("logrotate", "-f", "/etc/logrotate.d/fpmd")
        self.assertIn("hello.php", self.guest.read("/var/log/fpmd/logged.log.1"))
        self.ask("logged", "/echo.php")
        wait_until(lambda: "echo.php" in log.read_text(), 10, "a line in the file after that")

    def test_files_of_logs_need_a_place(self):
        """PHP-FPM opens them as root; the manager is not, and sees what its unit shows it."""
        self.addCleanup(self.guest.run, "rm", "-rf", "/opt/logs")
        self.pool("placed", start=False, request_slowlog_timeout="1s",
                  **{"access.log": "/opt/logs/$pool.log", "slowlog": "/var/log/placed.slow"})
        done = self.fpmctl("check", "placed")
        self.assertEqual(done.returncode, 78)
        self.assertIn("placed.conf:6: error: access.log: the manager's user fpmd cannot write "
                      "/opt/logs/placed.log (/opt/logs does not exist)", done.stdout)
        self.assertIn("or: install -d -m 2750 -o fpmd /opt/logs\n", done.stdout)
        self.assertIn("error: slowlog: the manager's user fpmd cannot write /var/log/placed.slow "
                      "(/var/log does not let it)", done.stdout)
        self.guest.run("install", "-d", "-m", "2750", "-o", "fpmd", "/opt/logs")
        self.guest.run("touch", "/var/log/placed.slow")
        done = self.fpmctl("check", "placed")
        self.assertIn("(/var/log/placed.slow does not let it)", done.stdout)
        self.assertIn("or: chown fpmd /var/log/placed.slow\n", done.stdout)
        self.guest.run("chown", "fpmd", "/var/log/placed.slow")
        done = self.fpmctl("check", "placed")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("fpmctl apply placed", done.stdout)
        self.addCleanup(self.guest.run, "rm", "-rf",
                        "/etc/systemd/system/fpmd@placed.service.d")
        self.assertIn("ReadWritePaths", self.told("apply", "placed"))
        self.guest.systemctl("start", "fpmd@placed.socket")
        self.assertEqual(self.ask("placed", "/hello.php").status, 200)
        wait_until(lambda: "hello.php" in self.guest.read("/opt/logs/placed.log"), 10, "a line")

    def test_trace(self):
        self.guest.write("/srv/www/deep.php", "<?php\nfunction inner() {\n"
                         "    while (!file_exists('/srv/www/gates/deep')) usleep(10000);\n}\n"
                         "class Shop { function total() { inner(); } }\n(new Shop)->total();\n")
        self.served("traced")
        self.close_gate("deep")
        asked = Background(self.ask, "traced", "/deep.php")
        try:
            worker = self.wait_running("traced", "/deep.php")[0]
            out = self.told("trace", "traced", worker["pid"])
            frames = json.loads(self.told("trace", "traced", worker["pid"], "-o", "json"))["frames"]
        finally:
            self.open_gate("deep")
            asked.result()
        self.assertIn("inner()  /srv/www/deep.php:5\n", out)
        places = [(f["function"], f["line"]) for f in frames]
        self.assertIn(("inner()", 5), places)
        self.assertIn(("Shop->total()", 6), places)
        done = self.fpmctl("trace", "traced", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("1 is no worker of this pool; it has ", done.stderr)

    # ---- who may, and what is said ----

    def test_errors_are_clear(self):
        self.pool("resting")
        for verb, more, resting in (("metrics", (), 3), ("status", (), 3), ("trace", ("1",), 3),
                                    ("reopen", (), 1), ("reload", (), 1)):
            done = self.fpmctl(verb, "resting", *more)
            self.assertEqual(done.returncode, resting, verb)
            self.assertRegex(done.stderr, "^fpmctl: resting: not running", verb)
            done = self.fpmctl(verb, "nowhere", *more)
            self.assertEqual(done.returncode, 4 if resting == 3 else 1, verb)
            self.assertRegex(done.stderr, "^fpmctl: nowhere: there is no such pool: no nowhere.conf",
                             verb)
        for words in (("ping", "nowhere"), ("php", "nowhere", "-v")):
            self.assertIn("nowhere: there is no such pool", self.fpmctl(*words).stderr)

    def test_who_may(self):
        self.served("guarded")
        worker = str(self.status("guarded")["workers"][0]["pid"])
        changes = (("reload", "guarded"), ("reopen", "guarded"), ("trace", "guarded", worker))
        for words in (("status", "guarded"), ("metrics", "guarded"), ("opcache", "guarded", "status"),
                      *changes):
            done = self.as_user("site", *words)
            self.assertNotEqual(done.returncode, 0, words)
            self.assertIn("guarded: not permitted to use /run/fpmd-control/guarded/control",
                          done.stderr)
        self.guest.run("usermod", "-a", "-G", "fpmd", "www-data")
        self.addCleanup(self.guest.run, "gpasswd", "-d", "www-data", "fpmd")
        for words in (("status", "guarded"), ("metrics", "guarded"), ("opcache", "guarded", "status")):
            self.assertEqual(self.as_user("www-data", *words).returncode, 0, words)
        for words in changes:
            done = self.as_user("www-data", *words)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn("guarded: not permitted: ", done.stderr)

    def test_the_manual_has_every_member_of_a_status(self):
        """And no other."""
        self.served("manual")
        status = self.status("manual")
        members = {*status, *status["workers"][0], *status["latency"][0], "pids", "socket"}
        text = (guest_module.REPOSITORY / "docs/fpmctl.1").read_text()
        section = text.split(".Sh STATUS\n")[1].split(".Sh ")[0]
        told = set()
        for line in re.findall(r"(?m)^\.(?:It )?Va (.*)", section):
            told |= set(re.findall(r"(?<![.\w])([a-z]+(?:_[a-z]+)*)(?![.\w])", line))
        told -= {"request_terminate_timeout", "request_slowlog_timeout", "request_read_timeout",
                 "queue_timeout", "emergency_restart_threshold"}
        self.assertEqual(told, members)

    # ---- the shell ----

    def complete(self, *words):
        line = "COMP_WORDS=(fpmctl " + " ".join(f"'{w}'" for w in words) + \
            f"); COMP_CWORD={len(words)}; _fpmctl 2>/dev/null; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        return self.guest.run("bash", "-c", "source /usr/share/bash-completion/completions/fpmctl; "
                              + line).stdout.split()

    def test_completion_of_bash(self):
        self.served("words")
        text = self.told("--help")
        verbs = re.findall(r"(?m)^  ([a-z]+) ", text)
        self.assertEqual(sorted(self.complete("")), sorted(verbs))
        options = set(re.findall(r"(?m)^  (?:-\w,|   ) (--[a-z-]+)", text))
        known = set()
        for verb in verbs:
            for option in self.complete(verb, "--"):
                name = option.rstrip("=")
                known.add(name)
                if name in ("--help", "--version"):
                    continue
                done = self.fpmctl(option + "json" if name == "--output" else
                                   option + "1" if option.endswith("=") else option, verb, "a/b", "a/b",
                                   "a/b")
                self.assertNotIn("has no option", done.stderr)
                self.assertNotIn("unrecognized", done.stderr)
        self.assertEqual(known, options)
        self.assertEqual(self.complete("status", "wor"), ["words"])
        self.assertEqual(self.complete("reload", "wor"), ["words"])
        self.assertEqual(self.complete("list", "-o", ""), ["text", "json"])
        self.assertEqual(self.complete("list", "--output", "=", "j"), ["json"])
        pids = sorted(str(w["pid"]) for w in self.status("words")["workers"])
        self.assertEqual(sorted(self.complete("trace", "words", "")), pids)


if __name__ == "__main__":
    main()
