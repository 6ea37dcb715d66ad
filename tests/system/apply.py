"""fpmctl apply, check and show: what pool files ask of the units of pools."""

import json
import os
import re
import resource
import stat
import time

import fastcgi
from suite import GuestCase, main, wait_until, write_pool

DROPIN = "50-pool-file.conf"


class Apply(GuestCase):
    nginx = False

    def fpmctl(self, *words, **options):
        return self.guest.run("fpmctl", *words, **options)

    def new_pool(self, name, **settings):
        """A pool whose units are started by the test, after apply."""
        self.pool(name, start=False, **settings)
        self.addCleanup(self._forget, name)

    def _forget(self, name):
        self.guest.systemctl("stop", f"fpmd@{name}.socket", f"fpmd@{name}.service",
                             f"fpmd-status@{name}.socket", check=False)
        for unit in (f"fpmd@{name}.socket", f"fpmd@{name}.service", f"fpmd-status@{name}.socket"):
            self.guest.run("rm", "-rf", f"/etc/systemd/system/{unit}.d")
        self.guest.systemctl("daemon-reload")

    def dropin(self, unit):
        path = self.guest.path(f"/etc/systemd/system/{unit}.d/{DROPIN}")
        return path.read_text() if path.exists() else None

    def apply_and_start(self, name, **settings):
        self.new_pool(name, **settings)
        out = self.fpmctl("apply", name).stdout
        self.guest.systemctl("start", f"fpmd@{name}.socket")
        return out

    def warnings(self, name, status=0):
        done = self.fpmctl("check", name, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return [line for line in done.stdout.splitlines() if ": warning: " in line]

    def tcp(self, host, port):
        with self.guest.network():
            connection = fastcgi.Connection((host, port))
        with connection:
            return connection.request("/hello.php").text

    def unix(self, path):
        return fastcgi.request(self.guest.path(path), "/hello.php").text

    # ---- addresses ----

    def test_every_form_of_listen_is_applied_and_served(self):
        for i, (listen, ask) in enumerate([
                ("/run/php/forms.sock", lambda: self.unix("/run/php/forms.sock")),
                ("9100", lambda: self.tcp("127.0.0.1", 9100) and self.tcp("::1", 9100)),
                ("127.0.0.1:9101", lambda: self.tcp("127.0.0.1", 9101)),
                ("localhost:9102", lambda: self.tcp("127.0.0.1", 9102)),
                ("[::1]:9103", lambda: self.tcp("::1", 9103)),
                ("[::]:9104", lambda: self.tcp("127.0.0.1", 9104) and self.tcp("::1", 9104)),
                ("0.0.0.0:9105", lambda: self.tcp("127.0.0.1", 9105)),
                ("/run/fpmd/two.sock, 127.0.0.1:9106",
                 lambda: self.unix("/run/fpmd/two.sock") and self.tcp("127.0.0.1", 9106))]):
            with self.subTest(listen=listen):
                name = f"form-{i}.x"
                self.apply_and_start(name, listen=listen)
                self.assertEqual(ask(), "Hello World\n")
                self.assertFalse(self.socket(name).exists())
                self.assertEqual(self.warnings(name), [])

    def test_a_host_name_is_an_error(self):
        self.new_pool("host", listen="php.example:9000")
        done = self.fpmctl("apply", "host", check=False)
        self.assertEqual(done.returncode, 78)
        self.assertIn("host.conf:3: error: listen: 'php.example:9000'", done.stderr)
        self.assertIsNone(self.dropin("fpmd@host.socket"))

    def test_owner_group_mode_and_backlog_of_the_socket(self):
        self.apply_and_start("owned", listen="/run/owned.sock", **{
            "listen.owner": "site", "listen.group": "audio", "listen.mode": "0620",
            "listen.backlog": "7"})
        st = self.guest.path("/run/owned.sock").stat()
        names = self.guest.run("stat", "-c", "%U %G %a", "/run/owned.sock").stdout.split()
        self.assertEqual(names, ["site", "audio", "620"])
        self.assertTrue(stat.S_ISSOCK(st.st_mode))
        out = self.guest.run("ss", "-xlnH", "src", "/run/owned.sock").stdout.split()
        self.assertEqual(out[3], "7")

    def test_the_group_of_an_owner_is_his_own(self):
        self.apply_and_start("owner", listen="/run/owner.sock", **{"listen.owner": "site"})
        names = self.guest.run("stat", "-c", "%U %G", "/run/owner.sock").stdout.split()
        self.assertEqual(names, ["site", "site"])

    def test_an_acl_on_the_socket(self):
        self.apply_and_start("acl", listen="/run/acl$%.sock",
                             **{"listen.acl_users": "site,nobody", "listen.acl_groups": "audio"})
        out = self.guest.run("getfacl", "-p", "-c", "/run/acl$%.sock").stdout.split()
        for entry in ("user:site:rw-", "user:nobody:rw-", "group:audio:rw-", "mask::rw-",
                      "other::---"):
            self.assertIn(entry, out)
        group = self.guest.run("stat", "-c", "%U %G", "/run/acl$%.sock").stdout.split()
        self.assertEqual(group, ["root", "root"])
        self.assertEqual(self.warnings("acl"), [])
        self.assertEqual(self.unix("/run/acl$%.sock"), "Hello World\n")

    def test_the_status_socket_comes_and_goes_with_the_pool(self):
        self.apply_and_start("st", **{"pm.status_listen": "/run/st.status", "pm.status_path": "/s"})
        wait_until(lambda: self.guest.systemctl("is-active", "fpmd-status@st.socket", check=False)
                   .stdout.strip() == "active", 10, "the status socket")  # a job of its own
        self.assertTrue(self.guest.path("/run/st.status").exists())
        self.ask("st", "/hello.php")
        main_pid = self.guest.properties("fpmd@st.service", "MainPID")["MainPID"]
        fds = self.guest.run("sh", "-c", f"tr '\\0' '\\n' < /proc/{main_pid}/environ").stdout
        self.assertIn("status", fds)
        self.assertEqual(self.warnings("st"), [])
        page = fastcgi.request(self.guest.path("/run/st.status"), "/s", SCRIPT_NAME="/s")
        self.assertIn("pool:", page.text)
        self.guest.systemctl("stop", "fpmd@st.socket")
        wait_until(lambda: not self.guest.path("/run/st.status").exists(), 5, "no status socket")

    # ---- apply ----

    def test_namespaces_are_compared(self):
        self.new_pool("spaces", **{"sandbox.syscalls": "+@namespaces"})
        self.assertIn("does not have RestrictNamespaces=no", "\n".join(self.warnings("spaces")))
        self.fpmctl("apply", "spaces")
        self.assertEqual(self.warnings("spaces"), [])
        # What the file no longer asks for is of no directive.
        self.new_pool("spaces")
        self.assertRegex("\n".join(self.warnings("spaces")),
                         r"spaces.conf: warning: /etc/systemd/system/fpmd@spaces.service.d/\S+ has more")

    def test_applying_again_changes_nothing(self):
        first = self.apply_and_start("again", listen="127.0.0.1:9110")
        self.assertIn("1 unit changed", first)
        path = self.guest.path(f"/etc/systemd/system/fpmd@again.socket.d/{DROPIN}")
        before = path.stat()
        self.assertIn("0 units changed", self.fpmctl("apply", "again").stdout)
        self.assertEqual(path.stat().st_ino, before.st_ino)
        self.assertEqual(stat.S_IMODE(before.st_mode), 0o644)
        self.assertEqual(os.listdir(path.parent), [DROPIN])

    def test_a_directive_that_goes_takes_the_drop_in_along(self):
        self.apply_and_start("gone", listen="127.0.0.1:9111")
        self.guest.write("/etc/systemd/system/fpmd@gone.socket.d/mine.conf", "[Socket]\n")
        self.guest.systemctl("daemon-reload")
        write_pool(self.guest, "gone")
        self.assertRegex(self.warnings("gone")[0], r"50-pool-file.conf has more .*fpmctl apply gone")
        out = self.fpmctl("apply", "gone").stdout
        self.assertRegex(out, r"gone +socket +ListenStream +127.0.0.1:9111 -> \(of the unit\)")
        self.assertIsNone(self.dropin("fpmd@gone.socket"))
        self.assertTrue(self.guest.path("/etc/systemd/system/fpmd@gone.socket.d/mine.conf").exists())
        self.guest.run("rm", "/etc/systemd/system/fpmd@gone.socket.d/mine.conf")
        self.guest.systemctl("daemon-reload")
        self.guest.systemctl("restart", "fpmd@gone.socket")
        self.assertEqual(self.ask("gone", "/hello.php").text, "Hello World\n")

    def test_a_dry_run_changes_nothing(self):
        self.new_pool("dry", listen="127.0.0.1:9112")
        out = self.fpmctl("apply", "--dry-run", "dry").stdout
        self.assertIn("ListenStream", out)
        self.assertIn("1 unit would be changed", out)
        self.assertIsNone(self.dropin("fpmd@dry.socket"))

    def test_a_running_pool_is_told_of_or_restarted(self):
        self.pool("run")
        self.addCleanup(self._forget, "run")
        self.serving("run")
        write_pool(self.guest, "run", listen="/run/run-b.sock")
        self.assertRegex(self.warnings("run")[0], r"listen: fpmd@run.socket listens at .*apply run")
        out = self.fpmctl("apply", "run").stdout
        self.assertIn("systemctl restart fpmd@run.socket", out)
        self.assertFalse(self.guest.path("/run/run-b.sock").exists())
        self.assertRegex(self.warnings("run")[0], r"former settings: systemctl restart")
        self.guest.systemctl("restart", "fpmd@run.socket")
        self.assertEqual(self.unix("/run/run-b.sock"), "Hello World\n")
        self.assertEqual(self.warnings("run"), [])
        write_pool(self.guest, "run", listen="/run/run-c.sock")
        self.fpmctl("apply", "--restart", "run")
        self.assertEqual(self.unix("/run/run-c.sock"), "Hello World\n")

    def test_a_running_service_is_restarted_alone(self):
        self.pool("serv")
        self.addCleanup(self._forget, "serv")
        self.serving("serv")
        write_pool(self.guest, "serv", **{"process.priority": "-3"})
        self.assertIn("systemctl restart fpmd@serv.service", self.fpmctl("apply", "serv").stdout)
        self.fpmctl("apply", "serv")
        self.guest.systemctl("restart", "fpmd@serv.service")
        self.assertEqual(self.guest.properties("fpmd@serv.service", "Nice")["Nice"], "-3")
        self.assertEqual(self.warnings("serv"), [])

    def test_what_an_earlier_apply_changed_is_restarted_too(self):
        for name, directive, value, unit in (
                ("late-a", "listen.mode", "0600", "fpmd@late-a.socket"),
                ("late-b", "process.priority", "7", "fpmd@late-b.service")):
            with self.subTest(directive=directive):
                self.pool(name)
                self.addCleanup(self._forget, name)
                self.serving(name)
                write_pool(self.guest, name, **{directive: value})
                self.fpmctl("apply", name)
                self.assertRegex(self.warnings(name)[0], "runs with former settings")
                out = self.fpmctl("apply", name).stdout
                self.assertIn("0 units changed", out)
                self.assertIn(f"  systemctl restart {unit}\n", out)
                self.assertIn("have been restarted", self.fpmctl("apply", "--restart", name).stdout)
                self.assertEqual(self.warnings(name), [])
                self.serving(name)
                pid = self.guest.properties(f"fpmd@{name}.service", "MainPID")
                self.assertEqual(self.fpmctl("apply", "--restart", name).stdout,
                                 "1 pool: 0 units changed\n")
                self.assertEqual(self.guest.properties(f"fpmd@{name}.service", "MainPID"), pid)
        self.assertEqual(stat.S_IMODE(self.socket("late-a").stat().st_mode), 0o600)

    def test_another_pools_apply_restarts_only_that(self):
        """A unit of before is restarted along with what changes now, others are left alone."""
        for name in ("mix-a", "mix-b"):
            self.pool(name)
            self.addCleanup(self._forget, name)
            self.serving(name)
        write_pool(self.guest, "mix-a", **{"process.priority": "7"})
        self.fpmctl("apply", "mix-a")
        write_pool(self.guest, "mix-b", **{"process.priority": "7"})
        out = self.fpmctl("apply", "mix-b").stdout
        self.assertNotIn("mix-a", out)
        out = self.fpmctl("apply", "mix-a", "mix-b").stdout
        self.assertIn("  systemctl restart fpmd@mix-a.service fpmd@mix-b.service\n", out)

    def test_more_files_than_systemd_has(self):
        hard = int(self.guest.run("sh", "-c", "awk '/^Max open files/ {print $5}' /proc/1/limits")
                   .stdout)
        wanted = 2147483647
        self.assertLess(hard, wanted)
        self.new_pool("files", rlimit_files=wanted)
        says = f"rlimit_files: {wanted} is above the hard limit of systemd itself, {hard}"
        self.assertIn(says, self.fpmctl("apply", "files").stderr)
        self.assertTrue(any(says in line for line in self.warnings("files")))
        write_pool(self.guest, "files", rlimit_files=hard)
        self.assertNotIn("hard limit", self.fpmctl("apply", "files").stderr)

    def processor_time(self, *words):
        """What fpmctl prints, and the seconds of a processor that it takes, whoever else wants one. Of the
        clock's no more than what tells waiting for each pool."""
        def used():
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)
            return usage.ru_utime + usage.ru_stime
        before, begin = used(), time.monotonic()
        out = self.fpmctl(*words).stdout
        self.assertLess(time.monotonic() - begin, 40)
        return out, used() - before

    def test_three_hundred_pools_in_one_command(self):
        for i in range(300):
            write_pool(self.guest, f"many-{i}", listen=f"/run/many/{i}.sock")
        try:
            out, took = self.processor_time("apply", "--all")
            self.assertRegex(out, r"30\d pools: 300 units changed")
            self.assertLess(took, 1)
            out, again = self.processor_time("apply", "--all")
            self.assertIn("0 units changed", out)
            self.assertLess(again, 1)
            # However many units change, systemd reads them anew once.
            self.assertEqual(len([r for r in self.records(_PID="1")
                                  if re.match(r"Reloading( finished|\.\.\.|\.$)", r["MESSAGE"])]), 1)
            looked = self.processor_time("check")[1] + self.processor_time("list")[1]
            self.assertLess(looked, 5)
        finally:
            self.guest.run("sh", "-c", "rm -rf /etc/fpmd/conf.d/many-* "
                                       "/etc/systemd/system/fpmd@many-*")
            self.guest.systemctl("daemon-reload")
        print(f"      apply: 300 pools in {took:.2f} s of a processor; check and list: {looked:.2f} s", flush=True)

    # ---- the service ----

    def test_a_document_root_in_a_home_is_served_after_apply_and_not_before(self):
        self.guest.run("mkdir", "-p", "/home/site/web")
        self.addCleanup(self.guest.run, "rm", "-rf", "/home/site")
        self.guest.write("/home/site/web/in.php", "<?php file_put_contents(__DIR__ . '/w', 'x');"
                                                  "echo file_get_contents(__DIR__ . '/w');")
        self.guest.run("chown", "-R", "site:site", "/home/site")
        self.pool("home", **{"unit.read_write_paths": "/home/site/web"})
        self.addCleanup(self._forget, "home")
        script = "/home/site/web/in.php"

        def ask():
            return self.ask("home", "/in.php", SCRIPT_FILENAME=script)

        self.serving("home")
        self.assertIn("404", str(ask().status))
        self.assertTrue(any("fpmctl apply home" in line for line in self.warnings("home")))
        self.fpmctl("apply", "--restart", "home")
        self.assertEqual(ask().text, "x")
        self.assertEqual(self.warnings("home"), [])

    def test_a_link_to_a_release_is_warned_of(self):
        for release in ("1", "2"):
            self.guest.write(f"/home/site/r/{release}/in.php", f"<?php echo 'release {release}';")
        self.addCleanup(self.guest.run, "rm", "-rf", "/home/site")
        self.guest.run("ln", "-s", "r/1", "/home/site/current")
        self.new_pool("link", chdir="/home/site/current")
        done = self.fpmctl("apply", "link")
        self.assertIn("link.conf:5: warning: chdir: /home/site/current is or goes through",
                      done.stderr)
        write_pool(self.guest, "link", chdir="/home/site/current",
                   **{"unit.read_write_paths": "/home/site"})
        self.fpmctl("apply", "link")
        self.assertEqual(self.warnings("link"), [])
        self.guest.systemctl("start", "fpmd@link.socket")
        for release in ("1", "2"):
            self.guest.run("ln", "-sfn", f"r/{release}", "/home/site/current")
            self.guest.systemctl("reload-or-restart", "fpmd@link.service")  # PHP remembers paths
            self.settled("link")
            self.assertEqual(self.ask("link", "/in.php",
                                      SCRIPT_FILENAME="/home/site/current/in.php").text,
                             f"release {release}")

    def test_a_folder_outside_of_var_is_written_to_after_apply(self):
        self.guest.run("install", "-d", "-o", "site", "/opt/s p%ace")
        self.addCleanup(self.guest.run, "rm", "-rf", "/opt/s p%ace")
        self.pool("opt", php_admin_value__upload_tmp_dir='"/opt/s p%ace"')
        self.addCleanup(self._forget, "opt")
        self.guest.write("/srv/www/opt.php",
                         "<?php var_dump(@file_put_contents('/opt/s p%ace/f', 'x'));")
        self.serving("opt")
        self.assertIn("bool(false)", self.ask("opt", "/opt.php").text)
        self.fpmctl("apply", "--restart", "opt")
        self.assertIn("int(1)", self.ask("opt", "/opt.php").text)
        self.assertEqual(self.warnings("opt"), [])

    def test_a_chroot_gets_what_it_takes(self):
        self.guest.run("mkdir", "-p", "/srv/jail/www")
        self.guest.write("/srv/jail/www/in.php", "<?php echo 'in ', getcwd();")
        self.new_pool("jail", chroot="/srv/jail", chdir="/www")
        self.assertTrue(any("CAP_SYS_CHROOT" in line for line in self.warnings("jail")))
        self.fpmctl("apply", "jail")
        self.assertEqual(self.warnings("jail"), [])
        values = self.guest.properties("fpmd@jail.service", "AmbientCapabilities",
                                       "CapabilityBoundingSet")
        for text in values.values():
            self.assertIn("cap_sys_chroot", text)
            self.assertIn("cap_setuid", text)
        self.guest.systemctl("start", "fpmd@jail.socket")
        answer = self.ask("jail", "/in.php", SCRIPT_FILENAME="/www/in.php")
        self.assertTrue(answer.text.startswith("in /"), answer.text)

    # ---- check and show ----

    def test_check_says_what_systemd_does(self):
        self.guest.write("/etc/fpmd/conf.d/sysd.conf",
                         "syslog.ident = other\nsystemd_interval = 5s\n[sysd]\nuser = site\n"
                         "pm = static\npm.max_children = 1\n")
        self.addCleanup(self._remove_pool, "sysd")
        self.guest.systemctl("start", "fpmd@sysd.service")
        out = self.fpmctl("check", "sysd").stdout
        self.assertRegex(out, r"sysd.conf:1: warning: syslog.ident: .*SyslogIdentifier=.*not what")
        self.assertRegex(out, r"sysd.conf:2: note: systemd_interval: .*WatchdogSec=")
        out = self.fpmctl("check", "-v", "sysd").stdout
        self.assertIn("sysd.conf:4: note: user: honoured", out)
        self.assertEqual(out.count(": note: systemd_interval: "), 1, out)

    def test_check_names_the_setting_that_the_unit_has(self):
        self.apply_and_start("noted", **{"listen.mode": "0666", "listen.backlog": "9"})
        out = self.fpmctl("check", "-v", "noted").stdout
        self.assertIn("note: listen.mode: done by systemd: SocketMode=0666 of fpmd@noted.socket, "
                      "as the unit has it\n", out)
        write_pool(self.guest, "noted", **{"listen.mode": "0660", "listen.backlog": "9"})
        out = self.fpmctl("check", "-v", "noted").stdout
        self.assertNotIn("listen.mode: done by systemd: SocketMode=0660 of fpmd@noted.socket, as", out)

    def test_a_reload_warns_of_what_it_cannot_change(self):
        self.pool("rel")
        self.addCleanup(self._forget, "rel")
        self.serving("rel")
        write_pool(self.guest, "rel", listen="127.0.0.1:9140")
        done = self.fpmctl("reload", "rel")
        self.assertRegex(done.stderr, r"rel.conf:3: warning: listen: .*fpmctl apply rel")

    def test_drop_ins_of_a_pool_without_a_file_go_with_all(self):
        self.apply_and_start("orphan", listen="127.0.0.1:9141")
        self.guest.path("/etc/fpmd/conf.d/orphan.conf").unlink()
        out = self.fpmctl("apply", "--all").stdout
        self.assertIn("systemctl stop fpmd@orphan.socket", out)
        self.assertIsNone(self.dropin("fpmd@orphan.socket"))

    def test_check_knows_user_of_the_unit(self):
        self.new_pool("own", user=None)
        self.assertIn("user: is missing", self.fpmctl("check", "own", check=False).stdout)
        self.guest.write("/etc/systemd/system/fpmd@own.service.d/u.conf", "[Service]\nUser=site\n")
        self.guest.systemctl("daemon-reload")
        self.assertEqual(self.warnings("own"), [])

    def test_check_warns_of_a_set_gid_sendmail(self):
        self.new_pool("mail")
        self.guest.write("/usr/local/sbin/setgid-mail", "#!/bin/sh\n", 0o755)
        self.guest.run("chmod", "2755", "/usr/local/sbin/setgid-mail")
        write_pool(self.guest, "mail",
                   php_admin_value__sendmail_path='"/usr/local/sbin/setgid-mail -t"')
        self.assertRegex(self.warnings("mail")[0],
                         r"mail.conf:5: warning: sendmail_path: mail\(\) of this pool will fail")

    def test_check_tells_another_drop_in(self):
        self.apply_and_start("other", **{"listen.mode": "0666"})
        self.guest.write("/etc/systemd/system/fpmd@other.socket.d/90.conf",
                         "[Socket]\nSocketMode=0600\n")
        self.assertIn("daemon-reload", self.warnings("other")[0])
        self.guest.systemctl("daemon-reload")
        self.assertIn("systemctl cat fpmd@other.socket", self.warnings("other")[0])

    def test_show_is_a_pool_file(self):
        self.new_pool("shown", listen="/run/shown.sock", pm_max_requests=7, env__A='"x;y"',
                      php_value__error_reporting="E_ALL & ~E_NOTICE", php_admin_flag__log_errors="on")
        out = self.fpmctl("show", "shown").stdout
        self.assertRegex(out, r"(?m)^pm.max_requests = 7 +; /etc/fpmd/conf.d/shown.conf:6$")
        self.assertRegex(out, r"(?m)^pm.max_spawn_rate = 32 +; default$")
        self.assertIn("/etc/php/8.2/fpm/php.ini", out)
        self.guest.write("/srv/site/shown.conf", out)
        done = self.fpmctl("check", "/srv/site/shown.conf", check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        again = self.fpmctl("show", "/srv/site/shown.conf").stdout

        def values(text):
            return [line.split(" ; ")[0].rstrip() for line in text.splitlines()
                    if not line.startswith(";")]

        self.assertEqual(values(out), values(again))

    def test_show_as_json(self):
        self.new_pool("js", listen="9120", php_admin_value__memory_limit="64M")
        shown = json.loads(self.fpmctl("show", "js", "-o", "json").stdout)
        entries = {(d["directive"], d.get("key")): d for d in shown["directives"]}
        self.assertEqual(entries["listen", None]["value"], "9120")
        self.assertEqual(entries["listen", None]["line"], 3)
        self.assertEqual(entries["php_admin_value", "memory_limit"]["value"], "64M")
        self.assertIsNone(entries["pm.max_requests", None]["file"])
        self.assertIn({"unit": "fpmd@js.socket", "section": "Socket", "setting": "ListenStream",
                       "value": "[::]:9120", "directive": "listen"}, shown["units"])

    # ---- what is wrong ----

    def test_wrong_words_and_files(self):
        self.assertEqual(self.fpmctl("apply", check=False).returncode, 64)
        self.assertEqual(self.fpmctl("apply", "--all", "www", check=False).returncode, 64)
        done = self.fpmctl("apply", "nothere", check=False)
        self.assertEqual(done.returncode, 78)
        self.assertIn("nothere.conf: error:", done.stderr)
        self.guest.run("ln", "-s", "/dev/null", "/etc/fpmd/conf.d/masked.conf")
        self.addCleanup(self.guest.run, "rm", "/etc/fpmd/conf.d/masked.conf")
        self.assertIn("masked", self.fpmctl("apply", "masked", check=False).stderr)
        self.assertNotIn("masked", self.fpmctl("list").stdout)

    def test_names_that_nobody_has_are_refused(self):
        self.new_pool("fine", listen="127.0.0.1:9150")
        for setting in ("listen.owner", "listen.group", "listen.acl_users", "listen.acl_groups"):
            with self.subTest(setting=setting):
                self.apply_and_start("names", listen="/run/names.sock")
                write_pool(self.guest, "names", **{"listen": "/run/names.sock",
                                                   setting: "no_such_name"})
                done = self.fpmctl("apply", "--restart", "names", "fine", check=False)
                self.assertEqual(done.returncode, 78)
                self.assertRegex(done.stderr, rf"names.conf:\d+: error: {setting}: there is no "
                                              r"(user|group) 'no_such_name'")
                self.assertIn("9150", self.dropin("fpmd@fine.socket"))
                self.assertNotIn("no_such_name", self.dropin("fpmd@names.socket"))
                self.assertIn("Hello", self.unix("/run/names.sock"))
                checked = self.fpmctl("check", "names", check=False)
                self.assertEqual(checked.returncode, 78)
                self.assertIn(f"error: {setting}: there is no", checked.stdout)
                self._forget("names")

    def test_check_warns_of_what_the_manager_cannot_read(self):
        self.new_pool("shut")
        path = "/etc/fpmd/conf.d/shut.conf"
        self.assertEqual(self.warnings("shut"), [])
        self.guest.run("chmod", "0600", path)
        self.assertIn(f"expected chgrp fpmd {path} and chmod g+r {path}", self.warnings("shut")[0])
        self.guest.run("chgrp", "fpmd", path)
        self.assertIn(f"expected chmod g+r {path}", self.warnings("shut")[0])
        self.guest.run("chmod", "0640", path)
        self.assertEqual(self.warnings("shut"), [])
        self.guest.write(f"{path}.d/a.conf", "pm.max_requests = 9\n")
        self.addCleanup(self.guest.run, "rm", "-r", f"{path}.d")
        self.assertEqual(self.warnings("shut"), [])
        self.guest.run("chmod", "0600", f"{path}.d/a.conf")
        self.assertIn(f"chmod g+r {path}.d/a.conf", self.warnings("shut")[0])
        self.guest.run("chmod", "0644", f"{path}.d/a.conf")
        self.guest.run("chmod", "0711", f"{path}.d")
        self.assertIn(f"chmod g+rx {path}.d", self.warnings("shut")[0])

    def test_nobody_but_root_applies(self):
        done = self.guest.run("setpriv", "--reuid=site", "--regid=site", "--init-groups",
                              "fpmctl", "apply", "www", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("for root", done.stderr)

    def test_a_folder_that_cannot_be_written_to(self):
        self.new_pool("ro", listen="9130")
        self.guest.run("mount", "--bind", "-o", "ro", "/etc/systemd/system", "/etc/systemd/system")
        self.addCleanup(self.guest.run, "umount", "/etc/systemd/system")
        done = self.fpmctl("apply", "ro", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Read-only", done.stderr)


class ApplyForUser(GuestCase):
    """systemctl --user."""

    nginx = False

    def fpmctl(self, *words, **options):
        return self.as_user("fpmctl", "--user", *words, **options)

    def as_user(self, *words, **options):
        uid = self.guest.run("id", "-u", "site").stdout.strip()
        return self.guest.run("setpriv", "--reuid=site", "--regid=site", "--init-groups", "env",
                              "HOME=/srv/site", f"XDG_RUNTIME_DIR=/run/user/{uid}", *words,
                              **options)

    def test_a_pool_of_ones_own(self):
        uid = self.guest.run("id", "-u", "site").stdout.strip()
        self.guest.run("install", "-d", "-o", "site", "-g", "site", "/srv/site")
        self.guest.systemctl("start", f"user@{uid}.service")
        conf = "/srv/site/.config/fpmd/conf.d/mine.conf"
        self.guest.write(conf, "[mine]\nlisten = 127.0.0.1:9200\npm = static\n"
                               "pm.max_children = 1\n")
        self.guest.run("chown", "-R", "site:site", "/srv/site")
        out = self.fpmctl("check", "mine").stdout
        self.assertRegex(out, r"warning: listen: .*fpmctl --user apply mine")
        out = self.fpmctl("apply", "mine").stdout
        self.assertIn("systemctl --user start fpmd@mine.socket", out)
        self.assertTrue(self.guest.path("/srv/site/.config/systemd/user/fpmd@mine.socket.d/"
                                        + DROPIN).exists())
        self.as_user("systemctl", "--user", "start", "fpmd@mine.socket")
        with self.guest.network():
            connection = fastcgi.Connection(("127.0.0.1", 9200))
        with connection:
            self.assertEqual(connection.request("/hello.php").text, "Hello World\n")
        wait_until(lambda: re.search(r"(?m)^mine +running +ok +active", self.fpmctl("list").stdout), 10,
                   "its unit is active")
        self.assertIn("mine", self.fpmctl("status", "mine").stdout)
        self.fpmctl("reload", "mine")
        self.assertIn("127.0.0.1:9200", self.fpmctl("show", "mine").stdout)
        self.assertNotIn(": warning: ", self.fpmctl("check", "mine").stdout)


if __name__ == "__main__":
    main()
