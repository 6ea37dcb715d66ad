"""What the journal says about a pool: PHP's messages, output of workers, and who said it."""

import os

from suite import GuestCase, inner_pid, main, message_id, wait_until


class Records(GuestCase):
    nginx = False

    def php_messages(self, pool, script, query=""):
        self.ask(pool, script, query=query)
        wait_until(lambda: self.records(pool, MESSAGE_ID=message_id("PHP_MESSAGE")), 5,
                   "messages of PHP", step=0.1)
        return self.records(pool, MESSAGE_ID=message_id("PHP_MESSAGE"))

    def php_pool(self, name, **settings):
        self.pool(name, php_admin_value__error_reporting="E_ALL", php_admin_flag__log_errors="on",
                  **settings)

    def test_messages_of_php_have_priority_file_and_line(self):
        self.php_pool("levels")
        found = {r["MESSAGE"]: r for r in self.php_messages("levels", "/errors.php", "warn=1")}
        lines = self.guest.read("/srv/www/errors.php").splitlines()
        for text, priority in (("Undefined variable $undefined", "4"), ("a notice", "5"),
                               ("a deprecation", "6"), ("of two\nlines", "4")):
            record = next((r for m, r in found.items() if text in m), None)
            self.assertIsNotNone(record, f"{text} in {list(found)}")
            line = next(i for i, l in enumerate(lines, 1)
                        if text.split("\n")[0].split("$")[-1] in l)
            self.assertEqual(record["CODE_FILE"], "/srv/www/errors.php", text)
            self.assertEqual(record["CODE_LINE"], str(line), text)
            self.assertEqual(record["PRIORITY"], priority, text)

    def test_errors_are_errors(self):
        self.php_pool("fatal")
        for end, text in (("fatal", "an error"), ("exception", "not caught"),
                          ("memory", "Allowed memory size")):
            found = [r for r in self.php_messages("fatal", "/errors.php", f"end={end}")
                     if text in r["MESSAGE"]]
            self.assertEqual(len(found), 1, end)
            self.assertEqual(found[0]["PRIORITY"], "3", end)
            self.assertEqual(found[0]["CODE_FILE"], "/srv/www/errors.php")

    def test_a_syntax_error_is_recorded(self):
        self.php_pool("syntax")
        found = self.php_messages("syntax", "/broken.php")
        self.assertIn("syntax error", found[0]["MESSAGE"])
        self.assertEqual(found[0]["CODE_FILE"], "/srv/www/broken.php")
        self.assertEqual(found[0]["CODE_LINE"], "1")

    def test_error_log_of_a_script_is_recorded(self):
        self.php_pool("called")
        found = self.php_messages("called", "/errors.php")
        self.assertEqual([r["MESSAGE"] for r in found if "by error_log" in r["MESSAGE"]],
                         ["by error_log"])

    def test_messages_name_their_worker_and_its_user(self):
        self.php_pool("named", children=1)
        self.ask("named", "/hello.php")
        _, _, workers = self.full("named", 1)
        record = self.php_messages("named", "/errors.php")[0]
        self.assertEqual(record["_PID"], str(inner_pid(workers[0])))
        self.assertEqual(record["_UID"], self.guest.run("id", "-u", "site").stdout.strip())
        self.assertEqual(record["_SYSTEMD_UNIT"], "fpmd@named.service")
        self.assertEqual(record["_EXE"], self.runtime())
        self.assertEqual(record["WORKER_PID"], str(inner_pid(workers[0])))
        self.assertEqual(record["GENERATION"], "1")

    def test_messages_are_found_by_the_unit(self):
        self.php_pool("unit")
        self.php_messages("unit", "/errors.php")
        out = self.guest.run("journalctl", "--no-pager", "-u", "fpmd@unit", "POOL=unit").stdout
        self.assertIn("by error_log", out)

    def test_an_error_log_of_the_pool_file_takes_the_messages(self):
        self.guest.run("install", "-d", "-o", "site", "/var/log/site")
        self.php_pool("tofile", php_admin_value__error_log="/var/log/site/php.log")
        self.ask("tofile", "/errors.php")
        self.assertIn("by error_log", self.guest.read("/var/log/site/php.log"))

    def test_output_past_php_is_recorded_with_its_stream(self):
        self.pool("output", children=1, catch_workers_output="yes")
        self.ask("output", "/output.php", query="word=apple")
        _, _, workers = self.full("output", 1)
        for stream in ("stdout", "stderr"):
            record = self.wait_record(POOL="output", MESSAGE_ID=message_id("WORKER_OUTPUT"),
                                      where=lambda r, s=stream: r["MESSAGE"] == f"to {s} apple")
            self.assertEqual(record["WORKER_PID"], str(inner_pid(workers[0])))
            self.assertEqual(record["STREAM"], stream)

    def test_a_flood_of_output_does_not_hold_up_requests(self):
        self.guest.write("/srv/www/flood.php", """<?php
            $out = fopen("php://stderr", "w");
            for ($i = 0; $i < 3000; $i++) {
                fwrite($out, str_repeat("x", 200) . "\\n");
            }
            echo "done";""")
        self.pool("flood", children=2, catch_workers_output="yes")
        self.assertEqual(self.ask("flood", "/flood.php").text, "done")
        self.assertEqual(self.ask("flood", "/hello.php").text, "Hello World\n")

    def test_a_stalled_journal_does_not_hold_up_requests(self):
        self.php_pool("stalled", children=2)
        self.ask("stalled", "/hello.php")
        journald = self.guest.properties("systemd-journald", "MainPID")["MainPID"]
        self.guest.run("kill", "-STOP", journald)
        try:
            for _ in range(300):
                self.assertEqual(self.ask("stalled", "/errors.php", query="warn=1", timeout=5).status,
                                 200)
        finally:
            self.guest.run("kill", "-CONT", journald)
        self.ask("stalled", "/errors.php")
        wait_until(lambda: [r for r in self.records("stalled") if "by error_log" in r["MESSAGE"]], 10,
                   "records after the stall", step=0.2)

    def test_control_bytes_and_long_texts_arrive_whole(self):
        self.guest.write("/srv/www/odd.php", "<?php error_log(\"a\\x01b\\nc=\\xff\" . "
                                             "str_repeat('y', 3000) . 'END');")
        self.php_pool("odd")
        record = self.php_messages("odd", "/odd.php")[0]
        text = record["MESSAGE"]
        if isinstance(text, list):  # journalctl gives what is no UTF-8 as numbers
            text = bytes(text).decode("latin-1")
        self.assertEqual((text[:6], text[-4:]), ("a\x01b\nc=", "yEND"))

    def test_a_record_has_a_text_of_the_catalogue(self):
        self.pool("explained", children=1)
        with self.assertRaises(OSError):
            self.ask("explained", "/crash.php", query="signal=9")
        self.wait_record(POOL="explained", MESSAGE_ID=message_id("WORKER_EXITED"))
        out = self.guest.run("journalctl", "--no-pager", "-x", "POOL=explained",
                             f"MESSAGE_ID={message_id('WORKER_EXITED')}").stdout
        self.assertIn("-- Subject: Worker has exited", out.replace("░░ ", "-- "))

    def test_a_quiet_pool_writes_little(self):
        """Start and stop are a handful of records, a request none."""
        self.pool("quiet", children=2)
        self.serving("quiet")  # systemd has said so by then
        self.full("quiet")
        self.wait_record(POOL="quiet", MESSAGE_ID=message_id("POOL_READY"))
        before = len(self.records("quiet"))
        for _ in range(20):
            self.ask("quiet", "/hello.php")
        self.assertEqual(len(self.records("quiet")), before)
        self.assertLessEqual(before, 4, [r["MESSAGE"] for r in self.records("quiet")])


if __name__ == "__main__":
    main()
