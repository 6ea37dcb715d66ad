"""fpmctl: check, list, status; and who may ask."""

import json
import re

from background import Background
from suite import GuestCase, main, wait_until, write_pool


class Tools(GuestCase):
    nginx = False

    def fpmctl(self, *words, **options):
        return self.guest.run("fpmctl", *words, **options)

    def test_check_accepts_the_shipped_pool(self):
        self.assertEqual(self.fpmctl("check", "www").returncode, 0)
        self.assertEqual(self.fpmctl("check", "/etc/fpmd/conf.d/www.conf").returncode, 0)

    def test_check_prints_every_error_with_its_place(self):
        self.pool("wrong", start=False, children=0, no_such_thing="1", rlimit_files="lots")
        done = self.fpmctl("check", "wrong", check=False)
        self.assertNotEqual(done.returncode, 0)
        out = done.stdout + done.stderr
        for line, word in ((4, "pm.max_children"), (5, "no_such_thing"), (6, "rlimit_files")):
            self.assertRegex(out, rf"wrong\.conf:{line}:.*{re.escape(word)}")

    def test_check_takes_a_folder_of_ones_own(self):
        self.guest.write("/srv/site/own/mine.conf",
                         "[mine]\nuser = site\npm = static\npm.max_children = 1\n")
        self.fpmctl("--config-dir=/srv/site/own", "check", "mine")

    def test_check_takes_a_pool_file_of_php_fpm(self):
        out = self.fpmctl("check", "/etc/php/8.2/fpm/pool.d/www.conf", check=False)
        self.assertEqual(out.returncode, 0, out.stdout + out.stderr)

    def test_check_takes_what_php_fpm_reads(self):
        for path in ("/etc/php/8.2/fpm/php-fpm.conf", "/etc/php/8.2/fpm/pool.d"):
            out = self.fpmctl("check", path, check=False)
            self.assertEqual(out.returncode, 0, out.stdout + out.stderr)
            self.assertRegex(out.stdout, r"\d+ files? with \d+ pools? checked: 0 errors")

    def test_check_of_an_absent_file(self):
        done = self.fpmctl("check", "absent", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("absent.conf", done.stdout + done.stderr)

    def test_list(self):
        self.pool("listed")
        write_pool(self.guest, "unlisted")
        self.addCleanup(self.guest.path("/etc/fpmd/conf.d/unlisted.conf").unlink)
        self.serving("listed")
        out = self.fpmctl("list").stdout
        self.assertRegex(out, r"(?m)^listed\b.*active")
        self.assertRegex(out, r"(?m)^unlisted\b")
        self.assertRegex(out, r"(?m)^www\b")

    def test_status_as_text(self):
        self.pool("shown", children=3)
        self.ask("shown", "/hello.php")
        self.full("shown", 3)
        out = self.fpmctl("status", "--full", "shown").stdout
        for word in ("shown", "PHP 8.2", "static", "/srv/www/hello.php"):
            self.assertIn(word, out)

    def test_status_as_json(self):
        self.pool("json", children=3)
        for _ in range(7):
            self.ask("json", "/hello.php")

        def at_rest():
            status = self.status("json")
            return (status["requests"], status["active"], status["idle"]) == (7, 0, 3) and status
        status = wait_until(at_rest, 10, "seven requests")
        self.assertEqual(status["pool"], "json")
        self.assertEqual(status["max_children"], 3)
        self.assertEqual((status["active"], status["idle"]), (0, 3))
        self.assertEqual(len(status["workers"]), 3)
        self.assertEqual(sum(w["requests"] for w in status["workers"]), 7)
        last = max(status["workers"], key=lambda w: w["requests"])
        self.assertEqual(last["script"], "/srv/www/hello.php")
        self.assertEqual(last["method"], "GET")

    def test_status_of_a_running_request(self):
        self.pool("running")
        self.ask("running", "/hello.php")
        call = Background(self.ask, "running", "/gate.php", **self.close_gate("shown"))
        worker, = self.wait_running("running", "/gate.php")
        self.open_gate("shown")
        self.assertEqual(call.result().status, 200)
        self.assertIn("gate=shown", worker["uri"])

    def test_status_of_a_pool_that_does_not_run(self):
        self.pool("off")
        done = self.fpmctl("status", "off", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("off", done.stderr)

    def test_status_of_hostile_texts(self):
        self.pool("hostile", children=1)
        uri = "/hello.php?\x01\x1b[31m\"\\\n\xff"
        self.ask("hostile", "/hello.php", REQUEST_URI=uri.encode("latin-1"))
        self.full("hostile", 1)
        out = self.fpmctl("status", "--full", "hostile").stdout
        self.assertNotIn("\x1b", out)

    def test_who_may_ask(self):
        self.pool("asked")
        self.ask("asked", "/hello.php")
        for user, allowed in (("root", True), ("fpmd", True), ("site", False), ("www-data", False)):
            done = self.guest.run("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
                                  "fpmctl", "status", "asked", check=False)
            self.assertEqual(done.returncode == 0, allowed, user)
            done = self.guest.run("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
                                  "fpmctl", "reload", "asked", check=False)
            self.assertEqual(done.returncode == 0, allowed, user)

    def test_a_script_cannot_reach_the_control_socket(self):
        self.guest.write("/srv/www/control.php",
                         "<?php $s = socket_create(AF_UNIX, SOCK_SEQPACKET, 0);"
                         "var_dump(@socket_connect($s, '/run/fpmd-control/script/control'));")
        self.pool("script")
        self.assertNotIn("bool(true)", self.ask("script", "/control.php").text)
        out = json.loads(self.ask("script", "/write.php", query="paths=/run/fpmd-control/script").text)
        self.assertEqual(list(out.values()), [False])

    def test_wrong_words_are_told(self):
        for words in ((), ("frobnicate",), ("status",), ("status", "a", "b"), ("--no-such-option",),
                      ("status", "../www")):
            done = self.fpmctl(*words, check=False)
            self.assertNotEqual(done.returncode, 0, words)
            self.assertTrue(done.stderr.strip(), words)

    def test_help_and_version(self):
        for program in ("fpmctl", "/usr/sbin/fpmd"):
            self.assertIn("sage", self.guest.run(program, "--help").stdout)
            self.assertRegex(self.guest.run(program, "--version").stdout, r"fpm\w+ \d")


if __name__ == "__main__":
    main()
