"""What a pool file sets for scripts, and what is said when it is wrong or PHP cannot start."""

import json

from suite import GuestCase, inner_pid, main, message_id, proc, wait_until


class Settings(GuestCase):
    nginx = False

    def environment(self, name):
        return json.loads(self.ask(name, "/environment.php").text)

    def ini(self, name, names, change=None):
        query = f"name={names}" + (f"&set={change}" if change is not None else "")
        return json.loads(self.ask(name, "/ini.php", query=query).text)

    # ---- environment ----

    def test_env_reaches_scripts(self):
        self.pool("env", env__GREETING='"hello there"', env__PATH="/usr/bin:/bin")
        seen = self.environment("env")
        self.assertEqual(seen["getenv"]["GREETING"], "hello there")
        self.assertEqual(seen["getenv"]["PATH"], "/usr/bin:/bin")
        self.assertEqual(seen["server"], "hello there")

    def test_the_environment_is_clear(self):
        self.pool("clear", env__GREETING="x")
        seen = self.environment("clear")["getenv"]
        for name in ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "JOURNAL_STREAM", "INVOCATION_ID",
                     "RUNTIME_DIRECTORY", "WATCHDOG_USEC"):
            self.assertNotIn(name, seen)

    def test_clear_env_no_keeps_the_units_environment(self):
        self.guest.write("/run/systemd/system/fpmd@kept.service.d/env.conf",
                         "[Service]\nEnvironment=FROM_UNIT=yes\n")
        self.guest.systemctl("daemon-reload")
        self.pool("kept", clear_env="no")
        seen = self.environment("kept")["getenv"]
        self.assertEqual(seen["FROM_UNIT"], "yes")
        for name in ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"):
            self.assertNotIn(name, seen)

    def test_env_of_a_pool_is_not_in_the_process_table_of_others(self):
        self.pool("secret", env__PASSWORD="geheim")
        self.ask("secret", "/hello.php")
        manager, _, _ = self.pids("secret")
        self.assertNotIn("geheim", proc(manager, "cmdline"))

    def test_chdir(self):
        self.guest.run("install", "-d", "-o", "site", "/srv/site/work")
        self.pool("chdir", chdir="/srv/site/work", children=1)
        for _ in range(2):
            self.assertEqual(self.ask("chdir", "/folder.php").text,
                             "in the script /srv/www, in its shutdown function /srv/site/work\n")
        _, _, workers = self.full("chdir", 1)
        cwd = self.guest.run("readlink", f"/proc/{inner_pid(workers[0])}/cwd").stdout.strip()
        self.assertEqual(cwd, "/srv/site/work")

    # ---- php.ini ----

    def test_the_default_is_the_php_ini_of_php_fpm(self):
        self.pool("default")
        seen = self.ini("default", "memory_limit")
        self.assertEqual(seen["file"], "/etc/php/8.2/fpm/php.ini")
        self.assertIn("/etc/php/8.2/fpm/conf.d/", seen["scanned"])
        self.assertIn("Zend OPcache", seen["extensions"])

    def test_php_ini_of_the_pool(self):
        self.guest.write("/srv/site/one.ini", "memory_limit = 77M\n")
        self.guest.write("/srv/site/conf.d/a.ini", "precision = 7\n")
        self.pool("own", php_ini="/srv/site/one.ini", php_ini_scan_dir="/srv/site/conf.d")
        seen = self.ini("own", "memory_limit,precision")
        self.assertEqual(seen["file"], "/srv/site/one.ini")
        self.assertEqual(seen["values"], {"memory_limit": "77M", "precision": "7"})
        self.assertNotIn("Zend OPcache", seen["extensions"])

    def test_values_and_flags(self):
        self.pool("values", php_value__memory_limit="99M", php_flag__display_errors="on",
                  php_value__error_reporting="E_ALL & ~E_NOTICE",
                  php_value__date__timezone="Europe/Berlin")
        seen = self.ini("values", "memory_limit,display_errors,error_reporting,date.timezone")
        self.assertEqual(seen["values"], {"memory_limit": "99M", "display_errors": "1",
                                          "error_reporting": str(32767 & ~8),
                                          "date.timezone": "Europe/Berlin"})

    def test_a_script_may_change_a_value_and_not_an_admin_value(self):
        self.pool("locked", php_value__memory_limit="99M", php_admin_value__precision="5",
                  php_admin_flag__log_errors="on")
        self.assertEqual(self.ini("locked", "memory_limit", "50M")["values"]["memory_limit"], "50M")
        self.assertEqual(self.ini("locked", "memory_limit")["values"]["memory_limit"], "99M")
        self.assertEqual(self.ini("locked", "precision", "9")["values"]["precision"], "5")
        self.assertEqual(self.ini("locked", "log_errors", "0")["values"]["log_errors"], "1")

    def test_settings_of_the_request_cannot_change_admin_values(self):
        """PHP_VALUE and PHP_ADMIN_VALUE of the web server, as php-fpm takes them."""
        self.pool("server", php_admin_value__precision="5")
        reply = self.ask("server", "/ini.php", query="name=precision,memory_limit",
                         PHP_VALUE="precision=9\nmemory_limit=55M")
        self.assertEqual(json.loads(reply.text)["values"], {"precision": "5", "memory_limit": "55M"})
        after = self.ini("server", "memory_limit")["values"]["memory_limit"]
        self.assertNotEqual(after, "55M")

    def test_sizes_of_the_opcode_cache_are_the_pools(self):
        for name, size in (("small", 16), ("large", 200)):
            self.pool(name, php_admin_value__opcache__memory_consumption=str(size))
        for name, size in (("small", 16), ("large", 200)):
            seen = json.loads(self.ask(name, "/opcache.php").text)
            self.assertEqual(seen["memory"], size << 20)
            self.assertTrue(seen["enabled"])

    def test_pools_do_not_share_the_opcode_cache(self):
        for name in ("here", "there"):
            self.pool(name)
        self.ask("here", "/hello.php")
        seen = json.loads(self.ask("there", "/opcache.php").text)
        self.assertNotIn("/srv/www/hello.php", seen["scripts"])

    def test_preload(self):
        self.guest.write("/srv/site/preload.php", "<?php function preloaded() { return 'yes'; }")
        self.guest.write("/srv/www/preloaded.php", "<?php echo preloaded();")
        self.pool("preload", php_admin_value__opcache__preload="/srv/site/preload.php")
        self.assertEqual(self.ask("preload", "/preloaded.php").text, "yes")

    def test_an_extension_of_the_pool(self):
        self.guest.write("/srv/site/ext.d/ctype.ini", "extension=ctype.so\n")
        self.pool("ext", php_ini_scan_dir="/srv/site/ext.d")
        seen = self.ini("ext", "precision")
        self.assertIn("ctype", seen["extensions"])
        self.assertNotIn("tokenizer", seen["extensions"])

    def test_limit_extensions(self):
        self.guest.write("/srv/www/page.html", "<?php echo 'ran';")
        self.pool("any", security_limit_extensions=".html")
        self.assertEqual(self.ask("any", "/page.html").text, "ran")
        self.assertEqual(self.ask("any", "/hello.php").status, 403)

    # ---- wrong pool files ----

    def fails(self, name, kind, *words, **settings):
        """The pool does not start; one record says all the words; the socket unit stays."""
        self.pool(name, **settings)
        done = self.guest.systemctl("start", f"fpmd@{name}.service", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.wait_record(POOL=name, MESSAGE_ID=message_id(kind),
                         where=lambda r: all(w in r["MESSAGE"] for w in words))
        self.assertEqual(self.guest.properties(f"fpmd@{name}.socket", "ActiveState"),
                         {"ActiveState": "active"})

    def test_an_unknown_directive(self):
        self.fails("unknown", "CONFIG_ERROR", "unknown.conf:5", "no_such_thing", no_such_thing="1")

    def test_a_value_out_of_range(self):
        self.fails("range", "CONFIG_ERROR", "range.conf:4", "pm.max_children", children=0)

    def test_a_word_instead_of_a_number(self):
        self.fails("word", "CONFIG_ERROR", "word.conf:4", "pm.max_children", "many", children="many")

    def test_a_user_that_does_not_exist(self):
        self.fails("nouser", "CONFIG_ERROR", "nouser.conf", "nobody-of-that-name",
                   user="nobody-of-that-name")

    def test_no_user_at_all(self):
        self.fails("absent", "CONFIG_ERROR", "absent.conf", "user", user=None)

    def test_root_as_user(self):
        self.fails("root", "CONFIG_ERROR", "root.conf", "root", user="root")

    def test_a_group_that_does_not_exist(self):
        self.fails("nogroup", "CONFIG_ERROR", "nogroup.conf", "no-such-group", group="no-such-group")

    def test_a_missing_php_ini(self):
        self.fails("noini", "CONFIG_ERROR", "noini.conf", "/srv/site/absent.ini",
                   php_ini="/srv/site/absent.ini")

    def test_a_section_of_another_name(self):
        self.fails("section", "CONFIG_ERROR", "section.conf", "[section]", section="other")

    def test_a_pool_file_that_is_gone(self):
        file = self.guest.path("/etc/fpmd/conf.d/nothing.conf")
        file.touch()
        self.guest.systemctl("start", "fpmd@nothing.socket")
        file.unlink()
        self.addCleanup(self.guest.systemctl, "stop", "fpmd@nothing.socket", "fpmd@nothing.service",
                        check=False)
        done = self.guest.systemctl("start", "fpmd@nothing.service", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.wait_record(POOL="nothing", MESSAGE_ID=message_id("CONFIG_ERROR"),
                         where=lambda r: "/etc/fpmd/conf.d/nothing.conf" in r["MESSAGE"])
        self.assertEqual(self.guest.properties("fpmd@nothing.socket", "ActiveState"),
                         {"ActiveState": "active"})

    def test_all_errors_of_a_file_are_said(self):
        self.pool("many", children=0, no_such_thing="1", pm="sometimes")
        self.guest.systemctl("start", "fpmd@many.service", check=False)
        for word in ("pm.max_children", "no_such_thing", "sometimes"):
            self.wait_record(POOL="many", MESSAGE_ID=message_id("CONFIG_ERROR"),
                             where=lambda r, word=word: word in r["MESSAGE"])

    # ---- PHP that cannot start ----

    def test_a_broken_extension_does_not_stop_the_pool_and_is_said(self):
        """PHP itself goes on without an extension that it cannot load, with a warning."""
        self.guest.write("/srv/site/broken.ini", "extension=no_such_extension\n")
        self.pool("warned", php_ini="/srv/site/broken.ini")
        self.assertEqual(self.ask("warned", "/hello.php").text, "Hello World\n")
        self.wait_record(POOL="warned", where=lambda r: "no_such_extension" in r["MESSAGE"])

    def test_a_preload_script_that_fails_says_why(self):
        self.guest.write("/srv/site/bad-preload.php", "<?php throw new Exception('not today');")
        self.fails("badpreload", "START_FAILED", "PHP",
                   php_admin_value__opcache__preload="/srv/site/bad-preload.php")
        self.wait_record(POOL="badpreload", where=lambda r: "not today" in r["MESSAGE"])

    def test_a_missing_preload_script_says_why(self):
        self.fails("nopreload", "START_FAILED", "PHP",
                   php_admin_value__opcache__preload="/srv/site/absent.php")
        self.wait_record(POOL="nopreload", where=lambda r: "absent.php" in r["MESSAGE"])

    def test_a_runtime_that_does_not_exist(self):
        self.fails("noruntime", "CONFIG_ERROR", "noruntime.conf", "php9.9", runtime="php9.9")


if __name__ == "__main__":
    main()
