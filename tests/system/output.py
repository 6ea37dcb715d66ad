"""What scripts write past PHP: whose line it is, how long, how important; and what happens to
records when the journal does not take them, or when a worker invents some."""

import contextlib
import os
import signal
import threading
import time

import fastcgi
from suite import GuestCase, inner_pid, main, message_id, percentile, wait_until

SAY = """<?php
$out = fopen("php://" . ($_GET["to"] ?? "stderr"), "w");
fwrite($out, $_GET["text"] . "\\n");
echo "done";
"""

# By a program that inherits the descriptors.
CHILD = "<?php exec('echo ' . escapeshellarg($_GET['text']) . ' >&2');"

# By a library, which nobody can see coming.
NATIVE = """<?php
$c = FFI::cdef("long write(int fd, const char *text, size_t n);");
$c->write(2, $_GET["text"] . "\\n", strlen($_GET["text"]) + 1);
"""

# Sends records to the journal, as any process can.
FORGE = """<?php
$s = socket_create(AF_UNIX, SOCK_DGRAM, 0);
$record = "MESSAGE=forged by a worker\\nPRIORITY=3\\nSYSLOG_IDENTIFIER=fpmd\\nPOOL=" . $_GET["pool"]
    . "\\nMESSAGE_ID=" . $_GET["id"] . "\\nWORKER_PID=1\\n_EXE=/usr/sbin/fpmd\\n_UID=0\\n";
var_dump(socket_sendto($s, $record, strlen($record), 0, "/run/systemd/journal/socket"));
"""


class OutputCase(GuestCase):
    nginx = False

    @classmethod
    def prepare(cls, guest):
        guest.write("/etc/systemd/journald.conf.d/output.conf",
                    "[Journal]\nRateLimitIntervalSec=0\n")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, text in (("say", SAY), ("child", CHILD), ("native", NATIVE), ("forge", FORGE)):
            cls.guest.write(f"/srv/www/{name}.php", text)

    def lines(self, pool):
        return self.records(pool, MESSAGE_ID=message_id("WORKER_OUTPUT"))

    def line(self, pool, text):
        return self.wait_record(POOL=pool, MESSAGE_ID=message_id("WORKER_OUTPUT"),
                                where=lambda r: r["MESSAGE"] == text)

    @contextlib.contextmanager
    def stopped(self, pid):
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


class Lines(OutputCase):
    def test_lines_name_their_request(self):
        self.pool("named", children=1, php_admin_value__ffi__enable="1")
        for script in ("say", "child", "native"):
            query = f"text={script}&x=1"
            self.ask("named", f"/{script}.php", query=query, REQUEST_ID=f"id-of-{script}")
            record = self.line("named", script)
            self.assertEqual(record["REQUEST_ID"], f"id-of-{script}")
            self.assertEqual(record["REQUEST_URI"], f"/{script}.php?{query}")
            self.assertEqual(record["STREAM"], "stderr")

    def test_an_id_is_made_where_there_is_none(self):
        self.pool("made", children=1)
        self.ask("made", "/say.php", query="text=own")
        self.assertRegex(self.line("made", "own")["REQUEST_ID"], "^[0-9a-f]{32}$")

    def test_lines_keep_their_request_when_the_manager_is_late(self):
        """A worker serves on while nobody reads its pipes: the lines of twenty requests wait."""
        self.pool("late", children=1)
        self.ask("late", "/say.php", query="text=first")
        self.start_porter("late")
        manager, _, _ = self.pids("late")
        with self.stopped(manager):
            for i in range(20):
                script = ("say", "child", "hello")[i % 3]
                self.ask("late", f"/{script}.php", query=f"text=line-{i}&to=std{'oe'[i % 2]}"
                         .replace("stdo", "stdout").replace("stde", "stderr"),
                         REQUEST_ID=f"id-{i}")
        # Two pipes: what came by the other one may be read after the last line.
        wait_until(lambda: len(self.lines("late")) >= 15, 10, "all lines", step=0.2)
        found = {r["MESSAGE"]: r for r in self.lines("late")}
        for i in range(20):
            if i % 3 < 2:
                record = found[f"line-{i}"]
                self.assertEqual(record["REQUEST_ID"], f"id-{i}")
                self.assertIn(f"text=line-{i}", record["REQUEST_URI"])
        self.assertEqual(len(found), 15)

    def test_many_workers_at_once(self):
        self.pool("many", children=4)

        def client(n):
            for i in range(25):
                self.ask("many", "/say.php", query=f"text=t{n}.{i}", REQUEST_ID=f"id{n}.{i}")
        threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        wait_until(lambda: len(self.lines("many")) >= 100, 15, "all lines", step=0.2)
        found = self.lines("many")
        self.assertEqual(len(found), 100)
        for record in found:
            self.assertEqual(record["REQUEST_ID"], "id" + record["MESSAGE"][1:])

    def test_every_way_that_php_has(self):
        self.guest.write("/srv/www/ways.php", """<?php
            $n = 0;
            function next_text() { global $n; return "way-" . ++$n; }
            file_put_contents("php://stderr", next_text() . "\\n");
            file_put_contents("PHP://StdErr", next_text() . "\\n");
            file_put_contents("php://filter/write=string.tolower/resource=php://stdout",
                              strtoupper(next_text()) . "\\n");
            $f = new SplFileObject("php://stderr", "w"); $f->fwrite(next_text() . "\\n");
            error_log(next_text() . "\\n", 3, "php://stderr");
            exec("echo " . next_text() . " >&2");
            shell_exec("echo " . next_text() . " >&2");
            $t = next_text(); `echo $t >&2`;
            system("echo " . next_text() . " >&2");
            passthru("echo " . next_text() . " >&2");
            pclose(popen("echo " . next_text() . " >&2", "w"));
            proc_close(proc_open(["sh", "-c", "echo " . next_text()], [], $pipes));
            call_user_func("exec", "echo " . next_text() . " >&2");
            $e = exec(...); $e("echo " . next_text() . " >&2");
            (new ReflectionFunction("exec"))->invoke("echo " . next_text() . " >&2");
            mail("a@b", "s", next_text());
            stream_wrapper_unregister("php"); stream_wrapper_restore("php");
            file_put_contents("php://stderr", next_text() . "\\n");
            echo $n;""")
        self.guest.write("/usr/local/bin/mailer", "#!/bin/sh\ngrep way- >&2\n", 0o755)
        self.pool("ways", children=1, php_admin_value__sendmail_path="/usr/local/bin/mailer")
        self.ask("ways", "/hello.php")
        self.start_porter("ways")
        manager, _, _ = self.pids("ways")
        with self.stopped(manager):  # so that only marks can tell
            n = int(self.ask("ways", "/ways.php", REQUEST_ID="ways").text)
            self.ask("ways", "/hello.php", REQUEST_ID="other")
            time.sleep(0.2)
        wait_until(lambda: len(self.lines("ways")) >= n, 10, "all lines", step=0.2)
        found = {r["MESSAGE"]: r.get("REQUEST_ID") for r in self.lines("ways")}
        self.assertEqual(found, {f"way-{i}": "ways" for i in range(1, n + 1)})

    def test_functions_that_are_disabled_stay_so(self):
        self.guest.write("/srv/www/disabled.php", "<?php var_dump(function_exists('exec'), "
                                                  "function_exists('system'));")
        self.pool("disabled", php_admin_value__disable_functions="exec")
        self.assertEqual(self.ask("disabled", "/disabled.php").text, "bool(false)\nbool(true)\n")

    def test_levels(self):
        self.pool("levels", children=1)
        for text, message, priority in (("<3>broken", "broken", "3"), ("<0>fire", "fire", "2"),
                                        ("plain", "plain", "5"), ("<9>odd", "<9>odd", "5")):
            self.ask("levels", "/say.php", query="text=" + text)
            self.assertEqual(self.line("levels", message)["PRIORITY"], priority)
        self.ask("levels", "/say.php", query="text=out&to=stdout")
        self.assertEqual(self.line("levels", "out")["PRIORITY"], "6")
        # Below log_level, of its own will.
        self.ask("levels", "/say.php", query="text=<7>detail")
        self.ask("levels", "/say.php", query="text=after")
        self.line("levels", "after")
        self.assertNotIn("detail", [r["MESSAGE"] for r in self.lines("levels")])

    def test_long_lines(self):
        self.guest.write("/srv/www/long.php", """<?php
            file_put_contents("php://stderr", str_repeat("a", 49152) . "\\n"
                . str_repeat("b", 100000) . "\\nend\\n");""")
        self.pool("long", children=1)
        self.ask("long", "/long.php", REQUEST_ID="long")
        self.line("long", "end")
        found = self.lines("long")
        self.assertEqual([(r["MESSAGE"][0], len(r["MESSAGE"])) for r in found[:-1]],
                         [("a", 49152), ("b", 49152), ("b", 49152), ("b", 100000 - 2 * 49152)])
        self.assertEqual({r["REQUEST_ID"] for r in found}, {"long"})

    def test_long_messages_of_php_are_whole(self):
        self.guest.write("/srv/www/long-error.php",
                         "<?php error_log(str_repeat('y', 300000) . 'END');")
        self.pool("longphp", children=1, php_admin_value__log_errors="1")
        self.ask("longphp", "/long-error.php")
        record = self.wait_record(POOL="longphp", MESSAGE_ID=message_id("PHP_MESSAGE"))
        self.assertEqual((len(record["MESSAGE"]), record["MESSAGE"][-4:]), (300003, "yEND"))

    def test_output_can_be_thrown_away(self):
        self.pool("thrown", children=1, catch_workers_output="no")
        self.assertEqual(self.ask("thrown", "/say.php", query="text=nothing").text, "done")
        _, _, workers = self.pids("thrown")
        for fd in (1, 2):
            self.assertEqual(os.readlink(f"/proc/{workers[0]}/fd/{fd}"), "/dev/null")
        self.assertEqual(self.lines("thrown"), [])

    def test_a_reexec_keeps_knowing_the_request(self):
        self.pool("kept", children=1)
        self.ask("kept", "/say.php", query="text=before", REQUEST_ID="one")
        wait_until(lambda: self.status("kept")["state"] == "ready", 5, "its start is over")
        self.guest.run("fpmctl", "reexec", "kept")
        self.ask("kept", "/say.php", query="text=after", REQUEST_ID="two")
        self.assertEqual(self.line("kept", "after")["REQUEST_ID"], "two")
        self.assertEqual({r["MESSAGE"] for r in self.lines("kept")}, {"before", "after"})


class Forgery(OutputCase):
    def test_lines_add_no_fields(self):
        self.guest.write("/srv/www/fields.php", """<?php
            file_put_contents("php://stderr", "line\\rPRIORITY=0\\nMESSAGE_ID=" . str_repeat("0", 32)
                . "\\n_EXE=/usr/sbin/fpmd\\n\\0fpmd:0123456789abcdefforged\\0/forged\\nlast\\n");""")
        self.pool("fields", children=1)
        self.ask("fields", "/fields.php", REQUEST_ID="true")
        self.line("fields", "last")
        found = self.lines("fields")
        self.assertEqual(len(found), 5)
        for record in found:
            self.assertEqual(record["PRIORITY"], "5")
            self.assertEqual(record["REQUEST_ID"], "true")
            self.assertTrue(record["_EXE"].endswith("/fpmd"))

    def test_what_a_worker_cannot_invent(self):
        """It may send records with any field, but not with another program, user or process."""
        self.pool("forger", children=1)
        manager_before = self.records("forger", MESSAGE_ID=message_id("WORKER_EXITED"))
        self.ask("forger", "/forge.php",
                 query=f"pool=forger&id={message_id('WORKER_EXITED')}")
        record = self.wait_record(POOL="forger", where=lambda r: "forged" in r["MESSAGE"])
        _, _, workers = self.pids("forger")
        self.assertEqual(record["MESSAGE_ID"], message_id("WORKER_EXITED"))
        self.assertEqual(record["_PID"], str(inner_pid(workers[0])))
        self.assertEqual(record["_UID"], self.guest.run("id", "-u", "site").stdout.strip())
        self.assertEqual(record["_EXE"], self.runtime())
        # Matched by trusted fields, the manager has said nothing of the kind.
        fpmd = self.guest.run("sh", "-c", "command -v fpmd").stdout.strip()
        self.assertEqual(self.records("forger", _EXE=fpmd,
                                      MESSAGE_ID=message_id("WORKER_EXITED")), manager_before)


class Stall(OutputCase):
    def journald(self):
        return int(self.guest.properties("systemd-journald", "MainPID")["MainPID"])

    @contextlib.contextmanager
    def journal_stopped(self):
        pid = str(self.journald())
        self.guest.run("kill", "-STOP", pid)
        try:
            yield
        finally:
            self.guest.run("kill", "-CONT", pid)

    def test_a_journal_that_does_not_read_holds_nobody_up(self):
        """All that logs at once: PHP's messages, access records, output of scripts."""
        self.guest.write("/srv/www/loud.php", """<?php
            $out = fopen("php://stderr", "w");
            for ($i = 0; $i < 20; $i++) {
                error_log("message $i of " . str_repeat("m", 500));
                fwrite($out, "line $i of " . str_repeat("l", 500) . "\\n");
            }
            echo "done";""")
        self.pool("stalled", children=4, **{"access.log": "journal"},
                  php_admin_value__log_errors="1")
        self.ask("stalled", "/loud.php")
        times, wrong = [], []

        def client():
            for _ in range(40):
                begin = time.monotonic()
                if self.ask("stalled", "/loud.php", timeout=10).text != "done":
                    wrong.append(1)
                times.append(time.monotonic() - begin)
        with self.journal_stopped():
            threads = [threading.Thread(target=client) for _ in range(4)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            # The manager is no less awake.
            begin = time.monotonic()
            status = self.status("stalled")
            self.assertLess(time.monotonic() - begin, 10)
            self.assertEqual(status["requests"], 161)
        self.assertEqual((len(times), wrong), (160, []))
        # Who waits for the journal waits until all are through.
        self.assertLess(percentile(times, 99), 5, "a request waited for the journal")
        # What was lost is counted, and told when the journal takes records again.
        self.ask("stalled", "/loud.php")
        told = self.wait_record(POOL="stalled", MESSAGE_ID=message_id("RECORDS_DROPPED"),
                                timeout=10)
        self.assertRegex(told["MESSAGE"], r"^\d+ records were dropped")
        dropped = wait_until(lambda: self.status("stalled")["records_dropped"], 5, "the count",
                             step=0.2)
        self.assertGreater(dropped, 100)
        sent = 162 * (20 + 20 + 1)

        def all_is_accounted_for():
            arrived = len(self.lines("stalled")) + sum(
                len(self.records("stalled", MESSAGE_ID=message_id(kind)))
                for kind in ("PHP_MESSAGE", "ACCESS"))
            lost = self.status("stalled")["records_dropped"]
            counts.append((arrived, lost))
            return arrived + lost == sent
        counts = []
        try:
            wait_until(all_is_accounted_for, 20, "all records", step=0.2)
        finally:
            print(f"      of {sent} records: arrived, lost: {counts[-1]}")

    def test_a_manager_starts_and_stops_without_a_journal(self):
        with self.journal_stopped():
            self.pool("silent", children=1)
            begin = time.monotonic()
            self.assertEqual(self.ask("silent", "/hello.php").text, "Hello World\n")
            self.guest.systemctl("stop", "fpmd@silent.service")
            self.assertLess(time.monotonic() - begin, 40)  # the unit would give the stop 90 s


if __name__ == "__main__":
    main()
