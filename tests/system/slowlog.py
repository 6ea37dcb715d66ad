"""request_slowlog_timeout: the record, PHP-FPM's file, what it costs; and orders about one worker."""

import json
import re
import subprocess
import threading
import time

import fastcgi
from suite import GuestCase, in_parallel, inner_pid, load, main, message_id, wait_until

SCRIPTS = {
    "nested": """class Shop {
    public function total($s) {
        $f = function () use ($s) {
            usleep((int) ($s * 1e6));
        };
        $f();
    }
    public static function run($s) {
        (new self)->total($s);
    }
}
function shop() {
    include '/srv/www/slow-inner.php';
}
shop();
echo 'done';""",
    "inner": "Shop::run($_GET['s']);",
    "loop": """function busy($s) {
    for ($end = microtime(true) + $s; microtime(true) < $end;)
        $x = 1;
}
busy($_GET['s']);
echo 'done';""",
    "burn": """$used = fn() => (fn($r) => $r['ru_utime.tv_sec'] + $r['ru_utime.tv_usec'] / 1e6)(getrusage());
for ($end = $used() + $_GET['s']; $used() < $end;)
    $x = 1;""",
    "deep": """function down($n) {
    if ($n > 0)
        return down($n - 1) + 1;
    usleep((int) ($_GET['s'] * 1e6));
    return 0;
}
echo 'done', down(29);""",
    "finish": "echo 'done'; fastcgi_finish_request(); usleep((int) ($_GET['s'] * 1e6));",
    "crash": "usleep((int) ($_GET['s'] * 1e6)); posix_kill(posix_getpid(), 11);",
}

# fpmd's own words for it, in a process of the guest: as `fpmctl` does, but any verb.
ASK = """
import array, json, socket, struct, sys
pool, verb, argument = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(20)
s.connect(f"/run/fpmd-control/{pool}/control")
s.send(struct.pack("<IIQ", 2, verb, argument))
data, control, _, _ = s.recvmsg(8192, socket.CMSG_SPACE(4))
print(json.dumps({"result": struct.unpack_from("<i", data, 4)[0],
                  "text": data[8:].split(b"\\0")[0].decode(), "fds": len(control)}))
"""
STATUS, TRACE, END, REOPEN = 1, 5, 6, 7
EPERM, ESRCH = -1, -3


class Slow(GuestCase):
    nginx = False

    @classmethod
    def prepare(cls, guest):
        for name, text in SCRIPTS.items():
            guest.write(f"/srv/www/slow-{name}.php", f"<?php\n{text}\n")
        guest.write("/srv/ask.py", ASK)

    def slow_pool(self, name, **settings):
        self.pool(name, **{"children": 2, "request_slowlog_timeout": "300ms"} | settings)
        self.assertEqual(self.ask(name, "/hello.php").status, 200)

    def run_slow(self, name, script="nested", seconds=1.5, **options):
        options.setdefault("query", f"s={seconds}")
        return self.ask(name, f"/slow-{script}.php", **options)

    def found(self, name, n=1, timeout=15):
        """The records of slow requests, once there are n of them."""
        def look():
            records = self.records(name, MESSAGE_ID=message_id("SLOW_REQUEST"))
            return records if len(records) >= n else None
        records = wait_until(look, timeout, f"{n} records of slow requests", step=0.1)
        self.assertEqual(len(records), n, [r["MESSAGE"] for r in records])
        return records

    def figure(self, name, metric, word=""):
        """A number of `fpmctl metrics`, of the sample with a word in its labels."""
        text = self.guest.run("fpmctl", "metrics", name).stdout
        found = [line for line in text.splitlines()
                 if re.match(metric + r"(_total)?[ {]", line) and word in line]
        self.assertEqual(len(found), 1, f"{metric} {word}: {found}")
        return float(found[0].rsplit(" ", 1)[1])

    def in_background(self, name, *args, **options):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.run_slow(name, *args, **options)),
                                  daemon=True)
        thread.start()

        def result():
            thread.join(45)
            self.assertTrue(answers, "no answer")
            return answers[0]
        return result

    # ---- the record ----

    def test_a_slow_request_is_recorded_once(self):
        self.slow_pool("record")
        response = self.run_slow("record", query="s=3&a=b",
                                 REQUEST_ID="the-id-4711")
        self.assertEqual((response.status, response.text), (200, "done"))
        record = self.found("record")[0]
        self.assertEqual(record["PRIORITY"], "4")
        self.assertEqual(record["SCRIPT"], "/srv/www/slow-nested.php")
        self.assertEqual(record["REQUEST_METHOD"], "GET")
        self.assertTrue(record["REQUEST_URI"].startswith("/slow-nested.php"), record)
        self.assertEqual(record["REQUEST_ID"], "the-id-4711")
        self.assertEqual(record["GENERATION"], "1")
        self.assertTrue(300_000 <= int(record["DURATION_USEC"]) < 3_000_000, record["DURATION_USEC"])
        self.assertTrue(record["_EXE"].endswith("/fpmd"), record["_EXE"])
        self.assertEqual(record["TRACE_METHOD"], "read")
        self.assertEqual(int(record["TRACE_COST_USEC"]), 0)
        self.assertEqual(record["PHP_BACKTRACE"].splitlines(), [
            "#0 usleep() /srv/www/slow-nested.php:5",
            "#1 Shop->{closure}() /srv/www/slow-nested.php:7",
            "#2 Shop->total() /srv/www/slow-nested.php:10",
            "#3 Shop::run() /srv/www/slow-inner.php:2",
            "#4 [INCLUDE_OR_EVAL]() /srv/www/slow-nested.php:14",
            "#5 shop() /srv/www/slow-nested.php:16"])
        self.assertRegex(record["MESSAGE"],
                         r"^Worker \d+: /srv/www/slow-nested\.php has run for [012]\.\d{3} s "
                         r"\(request_slowlog_timeout is 0\.300 s\): in usleep\(\) "
                         r"/srv/www/slow-nested\.php:5, called by Shop->{closure}\(\) ")
        status = self.status("record")
        self.assertEqual(self.figure("record", "fpmd_slow_requests"), 1)
        self.assertEqual({w["pid"] for w in status["workers"]} & {int(record["WORKER_PID"])},
                         {int(record["WORKER_PID"])}, "the worker lives on")
        self.run_slow("record")
        self.found("record", 2)
        self.assertEqual(self.figure("record", "fpmd_slow_requests"), 2)

    def test_one_that_computes_tells_where_it_is(self):
        self.slow_pool("loop")
        self.assertEqual(self.run_slow("loop", "loop").text, "done")
        record = self.found("loop")[0]
        lines = record["PHP_BACKTRACE"].splitlines()
        self.assertEqual(record["TRACE_METHOD"], "interrupt")
        self.assertLess(int(record["TRACE_COST_USEC"]), 1000)
        self.assertEqual(lines[-1].split(" ", 1)[1], "busy() /srv/www/slow-loop.php:6")
        self.assertRegex(record["MESSAGE"], r"/srv/www/slow-loop\.php:[34]")

    def test_fast_requests_and_what_follows_an_answer(self):
        self.slow_pool("fast", request_slowlog_timeout="1500ms")
        with load(self.socket("fast"), "/srv/www/hello.php", clients=2, seconds=3) as clients:
            self.assertEqual(self.run_slow("fast", "finish", 2.5).text, "done")
            self.assertEqual(clients.result()["failed"], 0)
        self.assertEqual(self.records("fast", MESSAGE_ID=message_id("SLOW_REQUEST")), [])
        self.assertEqual(self.figure("fast", "fpmd_slow_requests"), 0)

    def test_depth(self):
        self.slow_pool("deep", request_slowlog_trace_depth=5)
        self.run_slow("deep", "deep")
        lines = self.found("deep")[0]["PHP_BACKTRACE"].splitlines()
        self.assertEqual(lines[0], "#0 usleep() /srv/www/slow-deep.php:5")
        self.assertEqual(lines[4], "#4 down() /srv/www/slow-deep.php:4")
        self.assertEqual(lines[5:], ["and 26 more"])

    def test_all_workers_at_once(self):
        """As when a data base hangs: each has its record, and its stack."""
        self.slow_pool("crowd", children=24)
        responses = in_parallel(24, lambda _: self.run_slow("crowd", seconds=4))
        self.assertEqual({r.text for r in responses}, {"done"})
        records = self.found("crowd", 24)
        self.assertEqual(len({r["WORKER_PID"] for r in records}), 24)
        for record in records:
            self.assertIn("#2 Shop->total()", record.get("PHP_BACKTRACE", record["MESSAGE"]))

    def test_a_request_that_dies_of_itself(self):
        self.slow_pool("crash")
        self.assertEqual(self.run_slow("crash", "crash", REQUEST_ID="dead-1").status, 500)
        self.assertIn("#0 usleep()", self.found("crash")[0]["PHP_BACKTRACE"])
        obituary = self.wait_record(POOL="crash", MESSAGE_ID=message_id("WORKER_EXITED"))
        self.assertEqual(obituary["REQUEST_ID"], "dead-1")
        self.assertEqual(self.figure("crash", "fpmd_requests", "crashed"), 1)

    def test_hostile_names(self):
        """They stay in the fields and lines that they belong to."""
        script = "/slow-\n[evil] pid 1\nMESSAGE=forged\x1b[31m\"<b>.php"
        self.guest.path(f"/srv/www{script}").write_text("<?php usleep(1500000); echo 'done';")
        self.guest.run("install", "-d", "-o", "fpmd", "/var/log/fpmd")
        self.slow_pool("hostile", slowlog="/var/log/fpmd/hostile.slow")
        self.assertEqual(self.ask("hostile", script).text, "done")
        record = self.found("hostile")[0]
        self.assertNotIn("\n", record["SCRIPT"])
        self.assertNotIn("\x1b", record["SCRIPT"] + record["MESSAGE"] + record["PHP_BACKTRACE"])
        self.assertNotEqual(record["MESSAGE"], "forged")
        self.assertEqual(len(record["PHP_BACKTRACE"].splitlines()), 1)
        entry = self.guest.read("/var/log/fpmd/hostile.slow")
        self.assertEqual(len(entry.splitlines()), 4, entry)
        self.assertNotIn("\x1b", entry)

    # ---- across changes of the pool ----

    def test_reload_and_reexec(self):
        """A request of the old generation, or of before the other program, is recorded once too."""
        self.slow_pool("change", children=3)
        answers = [self.in_background("change", seconds=7)]
        self.found("change")
        self.guest.run("fpmctl", "reload", "change")
        answers.append(self.in_background("change", seconds=6))
        self.wait_running("change", "/slow-nested.php", 2)
        self.guest.run("fpmctl", "reexec", "change")
        records = self.found("change", 2)
        self.assertEqual([r["GENERATION"] for r in records], ["1", "2"])
        answers.append(self.in_background("change"))
        self.found("change", 3)
        self.assertEqual([a().text for a in answers], ["done"] * 3)
        records = self.found("change", 3)
        for record in records:
            self.assertIn("Shop->total()", record.get("PHP_BACKTRACE", record["MESSAGE"]))
        self.assertEqual(self.figure("change", "fpmd_slow_requests"), 3)

    def test_a_generation_that_leaves(self):
        self.slow_pool("leave")
        answer = self.in_background("leave", seconds=4)
        self.wait_running("leave", "/slow-nested.php")
        self.guest.run("fpmctl", "reload", "leave")
        record = self.found("leave")[0]
        self.assertEqual(record["GENERATION"], "1")
        self.assertIn("Shop->total()", record["PHP_BACKTRACE"])
        self.assertEqual(answer().text, "done")

    def test_a_template_that_does_not_answer(self):
        self.slow_pool("deaf")
        _, templates, workers = self.pids("deaf")
        template = inner_pid(templates[0])
        self.guest.run("kill", "-STOP", template)
        self.addCleanup(self.guest.run, "kill", "-CONT", template, check=False)
        begin = time.monotonic()
        self.assertEqual(self.run_slow("deaf").text, "done")
        self.assertLess(time.monotonic() - begin, 4.5)  # of 5 that the template has
        record = self.found("deaf")[0]
        self.assertIn("the template did not answer in time", record["MESSAGE"])
        self.assertNotIn("PHP_BACKTRACE", record)
        self.guest.run("kill", "-CONT", template)
        self.run_slow("deaf")
        self.assertIn("PHP_BACKTRACE", self.found("deaf", 2)[1])
        self.assertEqual(self.pids("deaf")[1], templates)

    # ---- the file ----

    def start_php_fpm(self, name):
        self.guest.write(f"/srv/{name}.conf", "\n".join([
            "[global]", f"error_log = /srv/{name}.log", "[www]", "user = site",
            f"listen = /srv/{name}.sock", "pm = static", "pm.max_children = 2",
            "request_slowlog_timeout = 1s", f"slowlog = /srv/{name}.slow"]) + "\n")
        process = self.guest.popen("php-fpm8.2", "-F", "-y", f"/srv/{name}.conf",
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def end():
            for pid in self.guest.run("pgrep", "-f", f"master process .*/srv/{name}.conf",
                                      check=False).stdout.split():
                self.guest.run("kill", "-TERM", pid, check=False)
            process.wait(10)

        self.addCleanup(end)
        log = self.guest.path(f"/srv/{name}.log")
        wait_until(lambda: log.exists() and "ready to handle" in log.read_text(), 10, "php-fpm")
        return self.guest.path(f"/srv/{name}.sock")

    def test_the_file_as_php_fpm_writes_it(self):
        """Classes, which PHP-FPM does not show, are the one difference."""
        self.guest.run("install", "-d", "-o", "fpmd", "/var/log/fpmd")
        theirs = self.start_php_fpm("theirs")
        self.slow_pool("ours", request_slowlog_timeout="1s", slowlog="/var/log/fpmd/ours.slow")
        ours = self.socket("ours")
        sockets = [theirs, ours] * 2
        scripts = ["nested", "nested", "deep", "deep"]
        in_parallel(4, lambda i: fastcgi.request(sockets[i], f"/slow-{scripts[i]}.php", query="s=4"))
        entries = [sorted(wait_until(lambda p=path: self._entries(p), 10, path))
                   for path in ("/srv/theirs.slow", "/var/log/fpmd/ours.slow")]
        self.assertEqual(entries[0], [re.sub(r"Shop(->|::)", "", e).replace("pool ours", "pool www")
                                      for e in entries[1]])
        self.assertEqual(self.guest.path("/var/log/fpmd/ours.slow").stat().st_mode & 0o7777, 0o640)
        self.assertEqual(len(self.found("ours", 2)), 2)

    def _entries(self, path):
        """The two entries of a file without what is never the same; None: not yet."""
        file = self.guest.path(path)
        text = file.read_text() if file.exists() else ""
        text = re.sub(r"0x[0-9a-f]{16}", "ADDRESS", text)
        text = re.sub(r"(?m)^\[\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d\]", "[TIME]", text)
        text = re.sub(r"pid \d+", "pid N", text)
        entries = text.split("\n[TIME]")[1:]
        return entries if len(entries) == 2 and all("ADDRESS" in e for e in entries) else None

    def test_the_file_is_opened_anew(self):
        """After logrotate without a word, and by SIGUSR1."""
        self.guest.run("install", "-d", "-o", "fpmd", "/var/log/fpmd")
        path = "/var/log/fpmd/rotated.slow"
        self.slow_pool("rotated", slowlog=path)
        self.run_slow("rotated")
        self.found("rotated")
        self.guest.run("mv", path, path + ".1")
        self.guest.systemctl("kill", "--kill-who=main", "-s", "USR1", "fpmd@rotated.service")
        wait_until(self.guest.path(path).exists, 10, "the new file")
        self.run_slow("rotated")
        self.found("rotated", 2)
        for file in (path, path + ".1"):
            self.assertEqual(self.guest.read(file).count("script_filename = "), 1, file)

    # ---- orders about one worker ----

    def order(self, pool, verb, argument=0, user=None):
        words = ["setpriv", f"--reuid={user}", "--regid=fpmd", "--clear-groups"] if user else []
        return json.loads(self.guest.run(*words, "/usr/bin/python3", "/srv/ask.py", pool, verb,
                                         argument).stdout)

    def test_who_may_order(self):
        """The status is for the group too, what touches workers for root and the manager's user."""
        self.slow_pool("may")
        worker = self.status("may")["workers"][0]["pid"]
        self.assertEqual(self.order("may", STATUS, user="nobody")["result"], 0)
        for verb in (TRACE, END, REOPEN):
            reply = self.order("may", verb, worker, user="nobody")
            self.assertEqual((reply["result"], reply["fds"]), (EPERM, 0), reply)
        for user in (None, "fpmd"):
            self.assertEqual(self.order("may", REOPEN, user=user)["result"], 0)
            self.assertEqual(self.order("may", TRACE, worker, user=user),
                             {"result": ESRCH, "text": "it runs no script any more", "fds": 0})
        for verb in (TRACE, END):
            for pid in (0, 1, 2**31, 2**63, inner_pid(self.pids("may")[1][0])):
                self.assertEqual(self.order("may", verb, pid)["result"], ESRCH, pid)
        self.assertEqual(self.ask("may", "/hello.php").status, 200)

    def test_trace(self):
        self.slow_pool("trace")
        answer = self.in_background("trace", seconds=20)
        worker = self.wait_running("trace", "/slow-nested.php")[0]["pid"]
        replies = in_parallel(8, lambda _: self.order("trace", TRACE, worker))
        self.assertEqual(replies, [{"result": 0, "text": "", "fds": 1}] * 8)
        self.order("trace", END, worker)
        self.assertEqual(answer().status, 503)

    def test_end(self):
        """One that runs answers 503, one that is idle just ends; neither has crashed."""
        self.slow_pool("end")
        answer = self.in_background("end", seconds=40, REQUEST_ID="to-end")
        busy = self.wait_running("end", "/slow-nested.php")[0]["pid"]
        idle = next(w["pid"] for w in self.status("end")["workers"] if w["pid"] != busy)
        before = self.figure("end", "fpmd_requests", "server_error")
        begin = time.monotonic()
        for pid in (busy, idle):
            self.assertEqual(self.order("end", END, pid)["result"], 0)
        self.assertEqual(answer().status, 503)
        self.assertLess(time.monotonic() - begin, 30)
        status = wait_until(
            lambda: (s := self.status("end"))["idle"] == 2 and s, 10, "other workers")
        self.assertFalse({busy, idle} & {w["pid"] for w in status["workers"]})
        self.assertEqual(status["workers_crashed"], 0)
        self.assertEqual(self.figure("end", "fpmd_requests", "server_error"), before + 1)
        record = next(r for r in self.records("end", MESSAGE_ID=message_id("WORKER_ENDED_BY_ORDER"))
                      if r["WORKER_PID"] == str(busy))
        self.assertEqual(record["REQUEST_ID"], "to-end")
        self.assertEqual(record["SCRIPT"], "/srv/www/slow-nested.php")
        self.assertEqual(self.ask("end", "/hello.php").status, 200)

    # ---- figures ----

    def test_cpu_of_workers(self):
        """Also of those that are gone: a sum that never falls."""
        self.slow_pool("cpu", children=1, pm_max_requests=2)
        before = self.figure("cpu", "fpmd_cpu_seconds")
        self.run_slow("cpu", "burn", 0.3)
        wait_until(lambda: self.status("cpu")["requests"] == 2
                   and self.status("cpu")["idle"] == 1, 10, "the next worker")
        grown = self.figure("cpu", "fpmd_cpu_seconds") - before
        self.assertGreater(grown, 0.2)
        self.assertLess(grown, 2)


if __name__ == "__main__":
    main()
