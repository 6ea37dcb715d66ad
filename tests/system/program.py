"""Which PHP runs: the command-line program with fpmd's module in it, and whose php.ini it reads."""

import json
import os
import re
import struct

from suite import GuestCase, main, message_id

MODULE = "/usr/libexec/fpmd/fpmd-php8.2.so"
LINK = "/usr/libexec/fpmd/fpmd-php8.2.program"
SETTINGS = "/etc/php/8.2"
SAY = """<?php echo json_encode(['ini' => php_ini_loaded_file(), 'path' => PHP_CONFIG_FILE_PATH,
    'sapi' => PHP_SAPI, 'preload' => getenv('LD_PRELOAD'), 'child' => shell_exec('env'),
    'opcache' => extension_loaded('Zend OPcache'), 'memory' => ini_get('memory_limit'),
    'scanned' => php_ini_scanned_files(),
    'environment' => file_get_contents('/proc/self/environ')]);"""


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

    def put_away(self, path):
        """Until the end of the case."""
        if self.guest.path(path).exists():
            self.guest.run("mv", path, path + ".gone")
            self.addCleanup(self.guest.run, "mv", path + ".gone", path)

    def refused(self, name):
        """Why a pool does not start: the words of its obituary."""
        self.pool(name, start=False)
        self.guest.systemctl("start", f"fpmd@{name}.service", check=False, timeout=30)
        return self.wait_record(_SYSTEMD_UNIT=f"fpmd@{name}.service",
                                where=lambda r: "fpmd-php8.2" in r["MESSAGE"])["MESSAGE"]

    def test_workers_are_phps_program_with_our_module(self):
        self.pool("own", children=1)
        said = self.say("own")
        _, templates, workers = self.full("own", 1)
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
        self.assertNotIn("LD_PRELOAD", said["child"] + said["environment"])

    def test_without_the_module(self):
        """The linker would go on without it, and PHP would be a command line."""
        self.addCleanup(self.guest.run, "mv", "/tmp/module.so", MODULE)
        self.guest.run("mv", MODULE, "/tmp/module.so")
        self.assertIn(f"cannot load {MODULE}: No such file or directory", self.refused("module"))

    def test_a_module_that_is_none(self):
        """The linker only says so, and no answer of PHP's command line passes for one of the pool."""
        self.pool("none", start=False)
        self.addCleanup(self.guest.run, "mv", "-f", "/tmp/module.so", MODULE)
        self.guest.run("mv", MODULE, "/tmp/module.so")
        self.guest.write(MODULE, "no library")
        for option in ("-v", "-m", "-i"):
            done = self.guest.run("fpmctl", "php", "none", option, check=False)
            self.assertNotEqual(done.returncode, 0, done.stdout)
            self.assertIn(MODULE, done.stderr)
            self.assertNotIn("PHP Version", done.stdout)

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

    def test_a_folder_without_php_ini_or_conf_d(self):
        """Nothing of the command line's comes in its place."""
        for name in ("apache2", "cgi", "embed"):
            self.put_away(f"{SETTINGS}/{name}")
        self.put_away(f"{SETTINGS}/fpm/php.ini")
        self.pool("noini", children=1)
        said = self.say("noini")
        self.assertEqual((said["ini"], said["path"], said["memory"], said["opcache"]),
                         (False, f"{SETTINGS}/fpm", "128M", True))
        self.put_away(f"{SETTINGS}/fpm/conf.d")
        self.pool("noscan", children=1)
        self.assertIs(self.say("noscan")["scanned"], False)

    def test_a_php_ini_of_the_sapi(self):
        """PHP takes it instead of php.ini."""
        own = self.guest.path(f"{SETTINGS}/fpm/php-fpm-fcgi.ini")
        own.write_text("memory_limit = 77M\n")
        self.addCleanup(own.unlink)
        for name in ("beside", "alone"):
            self.pool(name, children=1)
            said = self.say(name)
            self.assertEqual((said["ini"], said["memory"]),
                             (f"{SETTINGS}/fpm/php-fpm-fcgi.ini", "77M"))
            self.put_away(f"{SETTINGS}/fpm/php.ini")

    def test_settings_that_may_not_be_read(self):
        for number, folder in enumerate((f"{SETTINGS}/fpm", f"{SETTINGS}/fpm/conf.d")):
            self.addCleanup(self.guest.run, "chmod", "755", folder)
            self.guest.run("chmod", "700", folder)
            name = f"closed{number}"
            self.pool(name, start=False)
            self.guest.systemctl("start", f"fpmd@{name}.service", check=False, timeout=30)
            self.wait_record(_SYSTEMD_UNIT=f"fpmd@{name}.service", where=lambda r: re.search(
                f"Pool cannot be started: {folder}.*: Permission denied", r["MESSAGE"]))
            self.guest.run("chmod", "755", folder)

    def patched(self, before, after):
        """PHP's program is one with other bytes in it, until the end of the case."""
        target, other = self.runtime(), "/usr/bin/php-of-the-tests"
        data = self.guest.path(target).read_bytes()
        self.assertIn(before, data)
        self.guest.path(other).unlink(missing_ok=True)
        self.guest.path(other).write_bytes(data.replace(before, after))
        self.guest.path(other).chmod(0o755)
        self.addCleanup(self.guest.run, "ln", "-sfn", target, LINK)
        self.guest.run("ln", "-sfn", other, LINK)

    def test_a_program_with_capabilities(self):
        """The linker preloads nothing into it, but where the file system gives no privileges."""
        program = self.runtime()
        self.pool("capable", children=1)
        self.addCleanup(self.guest.run, "setcap", "-r", program)
        self.guest.run("setcap", "cap_net_bind_service+ep", program)
        done = self.guest.run("fpmctl", "php", "capable", "-v", check=False)
        self.assertEqual((done.returncode, done.stdout), (108, ""))
        self.assertIn("has capabilities", done.stderr)
        self.assertEqual(self.say("capable")["sapi"], "fpm-fcgi")

    def test_a_newer_php_of_the_branch(self):
        """The version is that of the PHP that runs, not of its headers."""
        version = self.guest.run("php8.2", "-n", "-r", "echo PHP_VERSION;").stdout
        newer = version[:-1] + ("8" if version.endswith("9") else "9")
        self.patched(version.encode(), newer.encode())
        self.pool("newer", children=1)
        self.guest.write("/srv/www/version.php", "<?php echo PHP_VERSION, phpversion('cgi-fcgi');")
        self.assertEqual(self.ask("newer", "/version.php").text, newer + newer)
        self.assertEqual(self.status("newer")["runtime_version"], f"PHP {newer}")
        self.assertIn(f"PHP {newer} (fpm-fcgi)",
                      self.guest.run("fpmctl", "php", "newer", "-v").stdout)

    def test_a_php_of_another_branch(self):
        self.pool("branch", children=1)
        self.say("branch")
        size_of_entry, own, other = 168, 20220829, 20230831  # of PHP 8.2 and 8.3
        self.patched(struct.pack("<HxxI", size_of_entry, own),
                     struct.pack("<HxxI", size_of_entry, other))
        done = self.guest.run("fpmctl", "reload", "branch", check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stderr, f"API {own}.* cannot be part of PHP .*API {other}")
        self.assertEqual(self.ask("branch", "/hello.php").text, "Hello World\n")

    def test_phpinfo_of_preloaded_scripts(self):
        """The compiler of OPcache takes functions of PHP as it finds them."""
        self.guest.write("/srv/www/preloaded.php", "<?php function info() { phpinfo(INFO_GENERAL); }")
        self.guest.write("/srv/www/info.php", "<?php info(); var_dump(function_exists('chroot'));")
        self.pool("compiled", children=1, php_admin_value__opcache__jit="1205",
                  php_admin_value__opcache__jit_buffer_size="16M",
                  php_admin_value__opcache__preload="/srv/www/preloaded.php")
        said = self.ask("compiled", "/info.php").text
        self.assertIn(f"{SETTINGS}/fpm", said)
        self.assertNotIn(f"{SETTINGS}/cli", said)
        self.assertIn("bool(false)", said)

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
        self.assertEqual(self.ask("none", "/burn.php", query="cpu=1.6", timeout=120).text, "burnt")
        for _ in range(2):
            self.assertIn("Maximum execution time of 1 second exceeded",
                          self.ask("one", "/burn.php", query="cpu=6", timeout=120).stderr.decode())
            self.assertEqual(self.ask("one", "/burn.php", query="cpu=1.6&limit=0", timeout=120).text, "burnt")
            self.assertEqual(self.ask("one", "/burn.php", query="cpu=1.6&limit=20", timeout=120).text, "burnt")
        # With a lifted limit as with none, in the first request of a worker as in later ones.
        self.pool("minus", children=1, php_value__max_input_time="1",
                  php_value__max_execution_time="-1")
        for _ in range(2):
            self.assertEqual(self.ask("minus", "/burn.php", query="cpu=1.6", timeout=120).text, "burnt")
        # The only limit of a request, the first one of its worker.
        self.pool("only", children=1, php_value__max_input_time="-1",
                  php_value__max_execution_time="2")
        for _ in range(2):
            self.assertIn("Maximum execution time of 2 seconds exceeded",
                          self.ask("only", "/burn.php", query="cpu=6", timeout=120).stderr.decode())
        # They were ends of scripts, not of workers.
        self.assertEqual(self.records(POOL="one", MESSAGE_ID=message_id("WORKER_EXITED")), [])


if __name__ == "__main__":
    main()
