"""Which PHP runs: the command-line program with fpmd's module in it, and whose php.ini it reads."""

import json
import os

from suite import GuestCase, main, message_id

MODULE = "/usr/libexec/fpmd/fpmd-php8.2.so"
LINK = "/usr/libexec/fpmd/fpmd-php8.2.program"
SETTINGS = "/etc/php/8.2"
SAY = """<?php echo json_encode(['ini' => php_ini_loaded_file(), 'path' => PHP_CONFIG_FILE_PATH,
    'sapi' => PHP_SAPI, 'preload' => getenv('LD_PRELOAD'), 'child' => shell_exec('env'),
    'opcache' => extension_loaded('Zend OPcache')]);"""


class Program(GuestCase):
    nginx = False

    @classmethod
    def prepare(cls, guest):
        guest.write("/srv/www/say.php", SAY)

    def setUp(self):
        super().setUp()
        if self.runtime() == "/usr/libexec/fpmd/php8.2":
            self.skipTest("the runtime is linked with the embed library")

    def say(self, name):
        return json.loads(self.ask(name, "/say.php").text)

    def refused(self, name):
        """Why a pool does not start: the words of its obituary."""
        self.pool(name, start=False)
        self.guest.systemctl("start", f"fpmd@{name}.service", check=False, timeout=30)
        return self.wait_record(_SYSTEMD_UNIT=f"fpmd@{name}.service",
                                where=lambda r: "fpmd-php8.2" in r["MESSAGE"])["MESSAGE"]

    def test_workers_are_phps_program_with_our_module(self):
        self.pool("own", children=1)
        said = self.say("own")
        _, templates, workers = self.pids("own")
        for pid in templates + workers:
            self.assertEqual(os.readlink(f"/proc/{pid}/exe"), self.runtime())
            with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
                text = maps.read()
            self.assertIn(MODULE, text)
            self.assertNotIn("libphp", text)
        self.assertEqual((len(templates), len(workers)), (1, 1))
        self.assertEqual((said["sapi"], said["opcache"]), ("fpm-fcgi", True))

    def test_nothing_else_is_started_with_the_module(self):
        self.pool("alone", children=1)
        said = self.say("alone")
        self.assertIs(said["preload"], False)
        self.assertIn("PWD=", said["child"])
        self.assertNotIn("LD_PRELOAD", said["child"])

    def test_without_the_module(self):
        """The linker would go on without it, and PHP would be a command line."""
        self.addCleanup(self.guest.run, "mv", "/tmp/module.so", MODULE)
        self.guest.run("mv", MODULE, "/tmp/module.so")
        self.assertIn(f"cannot load {MODULE}: No such file or directory", self.refused("module"))

    def test_without_phps_program(self):
        target = self.runtime()
        self.addCleanup(self.guest.run, "ln", "-sfn", target, LINK)
        self.guest.run("ln", "-sfn", "/usr/bin/php-is-not-here", LINK)
        self.assertIn(f"cannot execute {LINK}: No such file or directory", self.refused("program"))

    def test_a_reload_without_phps_program_is_refused(self):
        self.pool("kept", children=1)
        self.say("kept")
        target = self.runtime()
        self.addCleanup(self.guest.run, "ln", "-sfn", target, LINK)
        self.guest.run("ln", "-sfn", "/usr/bin/php-is-not-here", LINK)
        done = self.guest.run("fpmctl", "reload", "kept", check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.ask("kept", "/hello.php").text, "Hello World\n")

    def test_whose_php_ini_is_read(self):
        """PHP-FPM's, else that of another PHP that serves, else that of the command line."""
        folders = [f"{SETTINGS}/{name}" for name in ("fpm", "apache2", "cgi", "embed", "cli")]
        for folder in folders[1:4]:
            self.guest.run("mkdir", "-p", folder)
            self.guest.run("cp", "-a", "-T", f"{SETTINGS}/fpm", folder)
        gone = []
        for number, folder in enumerate(folders):
            self.pool(f"ini{number}", children=1)
            said = self.say(f"ini{number}")
            self.assertEqual((said["ini"], said["path"], said["opcache"]),
                             (f"{folder}/php.ini", folder, True))
            if folder != folders[-1]:
                gone.append(folder)
                self.guest.run("mv", folder, folder + ".gone")
                self.addCleanup(self.guest.run, "mv", folder + ".gone", folder)

    def test_limits_of_time(self):
        """PHP asks the C library for timer and handler, which is us; a limit that is taken back by
        a later one of 0 is none."""
        self.guest.write("/srv/www/burn.php", """<?php
            if (isset($_GET['limit'])) set_time_limit((int)$_GET['limit']);
            $end = $_GET['cpu'] * 1e6; $used = function () { $u = getrusage();
                return ($u['ru_utime.tv_sec'] + $u['ru_stime.tv_sec']) * 1e6
                    + $u['ru_utime.tv_usec'] + $u['ru_stime.tv_usec']; };
            for ($begin = $used(); $used() - $begin < $end;);
            echo 'burnt';""")
        self.pool("none", children=1, php_value__max_input_time="1",
                  php_value__max_execution_time="0")
        self.pool("one", children=1, php_value__max_execution_time="1")
        self.assertEqual(self.ask("none", "/burn.php", query="cpu=3").text, "burnt")
        for _ in range(2):
            self.assertIn("Maximum execution time of 1 second exceeded",
                          self.ask("one", "/burn.php", query="cpu=6").stderr.decode())
            self.assertEqual(self.ask("one", "/burn.php", query="cpu=3&limit=0").text, "burnt")
            self.assertEqual(self.ask("one", "/burn.php", query="cpu=3&limit=20").text, "burnt")
        # They were ends of scripts, not of workers.
        self.assertEqual(self.records(POOL="one", MESSAGE_ID=message_id("WORKER_EXITED")), [])


if __name__ == "__main__":
    main()
