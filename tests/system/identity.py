"""Who a pool is: its root, its user and groups, its limits; and pools that have no privilege at all."""

import contextlib
import json
import os
import re
import signal
import subprocess

import fastcgi
from suite import (GuestCase, alive, executable, inner_pid, main, message_id, proc, proc_status,
                   wait_until)

SYS_CHROOT = 18
ZERO = "0000000000000000"
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")

# What "fpmctl apply" writes for a pool file with chroot.
MAY_CHROOT = """[Service]
AmbientCapabilities=CAP_SYS_CHROOT
CapabilityBoundingSet=CAP_SYS_CHROOT
SystemCallFilter=chroot
"""

SEE = """<?php
header("Content-Type: application/json");
echo json_encode(["root" => scandir("/"), "cwd" => getcwd(), "file" => __FILE__,
                  "env" => ["USER" => getenv("USER"), "HOME" => getenv("HOME")],
                  "uid" => posix_getuid(), "gid" => posix_getgid(), "groups" => posix_getgroups(),
                  "user_ini" => ini_get("highlight.comment"), "passwd" => file_exists("/etc/passwd"),
                  "extension" => extension_loaded("xmlwriter"),
                  "preloaded" => class_exists("Preloaded", false)]);
"""

# Every way out of the root that a script could try: the system call, and the folders that this
# process has open.
ESCAPE = """<?php
$c = FFI::cdef("int chroot(const char *path); int fchdir(int fd); int chdir(const char *path);
                int access(const char *path, int mode); int mkdir(const char *path, int mode);");
$out = ["chroot" => $c->chroot("/www"), "out" => []];
for ($fd = 0; $fd < 256; $fd++) {
    if ($c->fchdir($fd) != 0)
        continue;
    for ($i = 0; $i < 20; $i++)
        $c->chdir("..");
    if ($c->access("etc/passwd", 0) == 0)
        $out["out"][] = $fd;
}
$c->chdir("/www");
echo json_encode($out);
"""


def nice_of(pid):
    return int(proc(pid, "stat").rpartition(")")[2].split()[16])


class IdentityCase(GuestCase):
    nginx = False

    def dropin(self, unit, text):
        """A drop-in for the length of the case."""
        folder = f"/etc/systemd/system/{unit}.d"
        self.guest.write(f"{folder}/50-pool-file.conf", text)
        self.guest.systemctl("daemon-reload")
        self.addCleanup(self._remove_dropin, folder)

    def _remove_dropin(self, folder):
        self.guest.run("rm", "-r", folder)
        self.guest.systemctl("daemon-reload")

    def uid_of(self, user="site"):
        return int(self.guest.run("id", "-u", user).stdout)

    def assertNoCapability(self, pid, bounding=True):
        status = proc_status(pid)
        for name in SETS if bounding else SETS[:3] + SETS[4:]:
            self.assertEqual(status[name], ZERO, f"{name} of {executable(pid)} {pid}")

    def start_php_fpm(self, name, **environment):
        """php-fpm with the pool file of fpmd and its "listen"; ends with the case."""
        self.guest.write(f"/run/php-fpm-{name}.conf",
                         f"[global]\nerror_log = /run/php-fpm-{name}.log\n"
                         f"include = /etc/fpmd/conf.d/{name}.conf\n")
        words = ["env", *(f"{k}={v}" for k, v in environment.items())]
        process = self.guest.popen(*words, "php-fpm8.2", "-F", "-y", f"/run/php-fpm-{name}.conf",
                                   stderr=subprocess.DEVNULL)

        def end():
            with contextlib.suppress(ProcessLookupError):
                for pid in (int(p) for p in self.guest.run(
                        "pgrep", "-f", f"php-fpm: master process \\(/run/php-fpm-{name}.conf\\)",
                        check=False).stdout.split()):
                    self.guest.run("kill", "-TERM", str(pid))
            process.wait(10)

        self.addCleanup(end)
        wait_until(lambda: self.listens(f"/run/php-fpm-{name}.sock"), 10, "the socket of php-fpm")
        return self.guest.path(f"/run/php-fpm-{name}.sock")

    def listens(self, address):
        """Whether somebody listens at a path of the guest, without becoming its client: between bind(2)
        and listen(2) the file is there and nobody is."""
        rows = [line.split() for line in proc(self.guest.pid, "net/unix").splitlines()]
        return any(row[3] == "00010000" and row[-1] == address for row in rows)


class Chroot(IdentityCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest.run("install", "-d", "-o", "site", "-m", "750", "/srv/jail")
        cls.guest.run("install", "-d", "-o", "site", "/srv/jail/www", "/srv/jail/tmp")
        cls.guest.write("/srv/jail/www/see.php", SEE)
        cls.guest.write("/srv/jail/www/escape.php", ESCAPE)
        cls.guest.write("/srv/jail/www/.user.ini", "highlight.comment = \"#abcdef\"\n")
        cls.guest.write("/srv/preload.php", "<?php class Preloaded {}")
        cls.guest.write("/srv/slow.php", "<?php while (!file_exists('/srv/www/gates/preload')) usleep(5000);")

    def jail(self, name, dropin=MAY_CHROOT, **settings):
        if dropin:
            self.dropin(f"fpmd@{name}.service", dropin)
        settings.setdefault("chroot", "/srv/jail")
        settings.setdefault("chdir", "/www")
        self.pool(name, **settings)

    def see(self, address, script="/see.php"):
        return json.loads(fastcgi.request(address, script, root="/www").text)

    def changers(self, name):
        """Processes of the pool that are the manager's program but not the manager."""
        unit = f"fpmd@{name}.service"
        main_pid = int(self.guest.properties(unit, "MainPID")["MainPID"])
        return [p for p in self.guest.processes(unit)
                if executable(p) == "fpmd" and inner_pid(p) != main_pid]

    def test_scripts_see_what_they_see_under_php_fpm(self):
        self.jail("seen", listen="/run/php-fpm-seen.sock")
        seen = self.see(self.socket("seen"))
        self.assertEqual(seen["root"], [".", "..", "tmp", "www"])
        self.assertEqual(seen["file"], "/www/see.php")
        self.assertEqual(seen["user_ini"], "#abcdef")
        self.assertEqual((seen["passwd"], seen["extension"]), (False, True))
        self.assertEqual(seen["uid"], self.uid_of())
        # php-fpm looks for the groups of the user when it stands in the chroot, which has no database.
        theirs = self.see(self.start_php_fpm("seen"))
        self.assertEqual(set(theirs.pop("groups")), {seen["gid"]})
        groups = {int(n) for n in self.guest.run("id", "-G", "site").stdout.split()}
        self.assertEqual(set(seen.pop("groups")) | {seen["gid"]}, groups)
        self.assertEqual(theirs, seen)

    def test_without_chdir_the_new_root_is_the_folder(self):
        self.jail("rooted", chdir="/")
        self.see(self.socket("rooted"))
        _, templates, _ = self.full("rooted")
        self.assertEqual(os.readlink(f"/proc/{templates[0]}/cwd"), "/srv/jail")

    def test_nobody_but_the_manager_has_a_capability_and_all_others_are_inside(self):
        self.jail("inside")
        self.see(self.socket("inside"))
        manager, templates, workers = self.full("inside")
        wait_until(lambda: self.changers("inside") == [], 5, "the changer has gone")
        self.assertEqual(int(proc_status(manager)["CapEff"], 16), 0xe0 | 1 << SYS_CHROOT)
        self.assertEqual(proc_status(manager)["CapBnd"], ZERO)
        self.assertEqual(os.readlink(f"/proc/{manager}/root"), "/")
        for pid in templates + workers:
            self.assertNoCapability(pid)
            self.assertEqual(os.readlink(f"/proc/{pid}/root"), "/srv/jail")
            for fd in os.listdir(f"/proc/{pid}/fd"):
                path = f"/proc/{pid}/fd/{fd}"
                if os.path.isdir(path):
                    self.assertTrue(os.readlink(path).startswith("/srv/jail"), os.readlink(path))

    def test_attempts_to_get_out_fail(self):
        self.jail("escape", php_admin_value__ffi__enable="true")
        for _ in range(4):
            found = json.loads(self.ask("escape", "/escape.php", root="/www").text)
            self.assertEqual(found, {"chroot": -1, "out": []})

    def test_extensions_settings_and_preload_are_of_the_outside(self):
        self.guest.write("/srv/outside.ini", "highlight.string = outside\nextension = posix\n"
                                             "extension = xmlwriter\nzend_extension = opcache\n")
        self.guest.write("/srv/jail/www/ini.php", "<?php echo ini_get('highlight.string');")
        self.guest.run("install", "-d", "/srv/no-ini")
        self.jail("outside", php_ini="/srv/outside.ini", php_ini_scan_dir="/srv/no-ini",
                  php_admin_value__opcache__preload="/srv/preload.php")
        self.assertEqual(self.ask("outside", "/ini.php", root="/www").text, "outside")
        seen = self.see(self.socket("outside"))
        self.assertEqual((seen["extension"], seen["preloaded"]), (True, True))

    def test_a_reload_makes_a_generation_inside(self):
        self.jail("again")
        self.see(self.socket("again"))
        before = self.full("again")[1]
        self.guest.systemctl("reload", "fpmd@again")
        self.assertEqual(self.see(self.socket("again"))["root"], [".", "..", "tmp", "www"])
        after = self.full("again")[1]  # the old template has gone
        self.assertNotEqual(before, after)
        self.assertEqual(os.readlink(f"/proc/{after[0]}/root"), "/srv/jail")

    def test_a_reload_brings_a_chroot_and_takes_it_away(self):
        self.dropin("fpmd@change.service", MAY_CHROOT)
        self.pool("change")
        self.ask("change", "/hello.php")
        self.pool("change", chroot="/srv/jail", start=False)
        self.guest.systemctl("reload", "fpmd@change")
        self.settled("change")
        self.assertEqual(self.see(self.socket("change"))["file"], "/www/see.php")
        self.pool("change", start=False)
        self.guest.systemctl("reload", "fpmd@change")
        self.settled("change")
        self.assertEqual(self.ask("change", "/hello.php").text, "Hello World\n")

    def refused(self, name):
        """Reloads; the reason for which it was refused. The pool serves as before."""
        done = self.guest.run("fpmctl", "reload", name, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(self.see(self.socket(name))["file"], "/www/see.php")
        wait_until(lambda: self.changers(name) == [], 5, "the changer has gone")
        return done.stderr

    def test_a_root_that_the_user_cannot_enter_is_refused(self):
        self.jail("closed")
        self.see(self.socket("closed"))
        self.guest.run("install", "-d", "-m", "700", "-o", "www-data", "/srv/closed")
        self.pool("closed", chroot="/srv/closed", start=False)
        self.assertIn("closed.conf:5: chroot: the user of the pool cannot make /srv/closed its root: "
                      "Permission denied", self.refused("closed"))
        self.pool("closed", chroot="/srv/jail", chdir="/none", start=False)
        self.assertRegex(self.refused("closed"), r"closed\.conf:6: chdir: .*/none.*/srv/jail.*"
                                                 "No such file or directory")

    def test_without_the_capability_one_error_names_what_grants_it(self):
        self.jail("bare", dropin=None)
        self.guest.systemctl("start", "fpmd@bare.service", check=False)
        record = self.wait_record(POOL="bare", DIRECTIVE="chroot")
        for part in ("bare.conf:5: chroot: ", "CAP_SYS_CHROOT", "'fpmctl apply bare'",
                     "fpmd@bare.service.d/50-pool-file.conf"):
            self.assertIn(part, record["MESSAGE"])

    def test_without_the_system_call_the_error_names_the_setting(self):
        self.jail("filtered", dropin=MAY_CHROOT.replace("SystemCallFilter=chroot\n", ""))
        self.guest.systemctl("start", "fpmd@filtered.service", check=False)
        record = self.wait_record(POOL="filtered",
                                  where=lambda r: "SystemCallFilter=chroot" in r["MESSAGE"])
        self.assertIn("filtered.conf:5: chroot: /srv/jail: Operation not permitted",
                      record["MESSAGE"])

    def test_a_folder_that_something_holds_open_outside_is_refused(self):
        self.guest.write("/srv/leak.php",
                         "<?php FFI::cdef('int open(const char *path, int flags);')->open('/srv', 0);")
        self.jail("leak")
        self.see(self.socket("leak"))
        self.pool("leak", chroot="/srv/jail", php_admin_value__opcache__preload="/srv/leak.php",
                  start=False)
        self.assertIn("chroot", self.refused("leak"))
        self.wait_record(POOL="leak", where=lambda r: "is a folder outside of the root of the pool"
                         in r["MESSAGE"])

    def slow(self, name):
        """A pool that has served and is starting a generation whose preload ends when the gate is opened."""
        self.jail(name)
        self.close_gate("preload")
        self.see(self.socket(name))
        manager, _, _ = self.full(name)
        wait_until(lambda: self.changers(name) == [], 5, "the changer of the first generation has gone")
        self.pool(name, chroot="/srv/jail", php_admin_value__opcache__preload="/srv/slow.php",
                  start=False)
        os.kill(manager, signal.SIGHUP)

        def coming():
            found = []
            for pid in self.guest.processes(f"fpmd@{name}.service"):
                with contextlib.suppress(OSError):  # it has gone meanwhile
                    if "generation 2" in proc(pid, "cmdline"):
                        found.append(pid)
            return found

        template = wait_until(coming, 5, "the template")[0]
        # Not before: the manager's child that looks up users is the same program.
        changer, = wait_until(lambda: len(c := self.changers(name)) == 1 and c, 5, "the changer")
        return manager, changer, template

    def test_the_changer_has_one_capability_and_no_descriptor(self):
        manager, changer, _ = self.slow("helper")
        wait_until(lambda: int(proc_status(changer)["CapEff"], 16) == 1 << SYS_CHROOT, 10, "confined")
        status = proc_status(changer)
        self.assertEqual(int(status["CapPrm"], 16), 1 << SYS_CHROOT)
        self.assertEqual([status[name] for name in ("CapInh", "CapBnd", "CapAmb")], [ZERO] * 3)
        self.assertEqual(set(status["Uid"].split()), {str(self.uid_of())})
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(int(status["PPid"]), manager)
        # stdin, stdout, stderr and the socket to the manager
        self.assertEqual(sorted(os.listdir(f"/proc/{changer}/fd")), ["0", "1", "2", "3"])

    def test_a_changer_ends_with_its_template(self):
        manager, changer, template = self.slow("orphan")
        os.kill(template, signal.SIGKILL)
        wait_until(lambda: not alive(changer), 10, "the changer has gone")
        self.wait_record(POOL="orphan", MESSAGE_ID=message_id("RELOAD_REFUSED"))
        self.assertEqual(self.see(self.socket("orphan"))["file"], "/www/see.php")

        def zombies():
            found = []
            for pid in self.guest.processes("fpmd@orphan.service"):
                with contextlib.suppress(OSError):  # it has been reaped meanwhile
                    if proc_status(pid)["State"].startswith("Z"):
                        found.append(pid)
            return found

        wait_until(lambda: zombies() == [], 5, "nobody is left unreaped")
        self.assertTrue(alive(manager))

    def test_a_killed_manager_leaves_no_changer(self):
        manager, changer, template = self.slow("killed")
        os.kill(manager, signal.SIGKILL)
        wait_until(lambda: not alive(changer), 10, "the changer has gone")
        self.open_gate("preload")
        wait_until(lambda: not alive(template), 10, "the template has gone")

    def test_a_changer_that_dies_fails_its_generation_only(self):
        _, changer, _ = self.slow("murder")
        os.kill(changer, signal.SIGKILL)
        self.open_gate("preload")
        record = self.wait_record(10, POOL="murder", MESSAGE_ID=message_id("RELOAD_REFUSED"))
        self.assertIn("the process that changes the root has died", record["MESSAGE"])
        self.assertEqual(self.see(self.socket("murder"))["file"], "/www/see.php")

    def test_in_the_foreground_as_root(self):
        self.guest.write("/srv/fg/fg.conf", "[fg]\nuser = site\nlisten = /srv/fg/fg.sock\n"
                         "listen.mode = 0666\npm = static\npm.max_children = 1\n"
                         "chroot = /srv/jail\nchdir = /www\n")
        process = self.guest.popen("/usr/sbin/fpmd", "--foreground", "--pool", "fg", "--config-dir",
                                   "/srv/fg", "--control-dir", "/srv/fg/control",
                                   stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: self.listens("/srv/fg/fg.sock"), 10, "the socket")
            seen = self.see(self.guest.path("/srv/fg/fg.sock"))
            self.assertEqual((seen["root"], seen["uid"]),
                             ([".", "..", "tmp", "www"], self.uid_of()))
        finally:
            self.guest.run("pkill", "-TERM", "-xf", "/usr/sbin/fpmd --foreground --pool fg .*",
                           check=False)
            process.wait(10)


class Identity(IdentityCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest.write("/srv/www/see.php", SEE)

    def see(self, name):
        return json.loads(self.ask(name, "/see.php").text)

    def group(self, name):
        return int(self.guest.run("getent", "group", name).stdout.split(":")[2])

    def test_supplementary_groups_come_to_those_of_the_user(self):
        self.pool("extra", supplementary_groups="games, 4711 site-extra")
        own = {int(n) for n in self.guest.run("id", "-G", "site").stdout.split()}
        self.assertEqual(set(self.see("extra")["groups"]), own | {self.group("games"), 4711})
        _, templates, workers = self.full("extra")
        for pid in templates + workers:
            groups = {int(n) for n in proc_status(pid)["Groups"].split()}
            self.assertTrue({self.group("games"), 4711} <= groups, groups)

    def test_a_number_without_an_entry(self):
        self.pool("number", user="54321", group="games", supplementary_groups="audio")
        seen = self.see("number")
        self.assertEqual((seen["uid"], seen["gid"]), (54321, self.group("games")))
        self.assertEqual(set(seen["groups"]), {self.group("games"), self.group("audio")})

    def test_user_and_home_are_as_under_php_fpm(self):
        for i, user in enumerate(("site", str(self.uid_of()), "54321")):
            name = f"env{i}"
            self.pool(name, user=user, group="site", listen=f"/run/php-fpm-{name}.sock",
                      **{"listen.mode": "0666"})
            ours = self.see(name)
            theirs = json.loads(fastcgi.request(self.start_php_fpm(name), "/see.php").text)
            self.assertEqual(ours["env"], theirs["env"], user)
            self.assertEqual((ours["uid"], ours["gid"]), (theirs["uid"], theirs["gid"]), user)
        self.assertEqual(ours["env"], {"USER": False, "HOME": False})

    def test_who_may_use_the_control_socket(self):
        """Others than the manager's user it cannot even see in /proc (ProtectProc= of the unit)."""
        self.pool("peers", supplementary_groups="fpmd")
        self.see("peers")
        member = ("setpriv", "--reuid=www-data", "--regid=www-data", "--groups=fpmd")
        self.guest.run(*member, "fpmctl", "status", "peers")
        self.assertNotEqual(self.guest.run(*member, "fpmctl", "reload", "peers",
                                           check=False).returncode, 0)
        self.guest.run("runuser", "-u", "fpmd", "--", "sh", "-c", "fpmctl reload peers; exit $?")
        self.assertEqual(self.status("peers")["generation"], 2)
        self.guest.write("/srv/www/control.php", CONTROL)
        said = self.ask("peers", "/control.php", query="options=&pool=peers&verb=status").text
        self.assertRegex(said, r"rc=[1-9]")
        self.wait_record(POOL="peers", where=lambda r: "was refused at the control socket"
                         in r["MESSAGE"])

    def core_limits(self, **settings):
        self.dropin("fpmd@core.service", "[Service]\nLimitCORE=1048576:8388608\n")
        self.pool("core", **settings)
        self.see("core")
        _, templates, workers = self.full("core")
        found = set()
        for pid in templates + workers:
            line = re.search(r"Max core file size +(\S+) +(\S+)", proc(pid, "limits"))
            found.add(line.groups())
        return found

    def test_no_core_dumps_unless_dumpable(self):
        self.assertEqual(self.core_limits(rlimit_core="4194304"), {("0", "0")})

    def test_core_dumps_of_a_dumpable_pool(self):
        self.assertEqual(self.core_limits(rlimit_core="4194304", **{"process.dumpable": "yes"}),
                         {("4194304", "4194304")})

    def test_core_dumps_as_the_unit_has_it(self):
        self.assertEqual(self.core_limits(**{"process.dumpable": "yes"}), {("1048576", "8388608")})

    def test_limits_above_those_of_the_unit_are_errors(self):
        self.dropin("fpmd@limits.service", "[Service]\nLimitCORE=0:1024\n")
        self.pool("limits", rlimit_files="600000", rlimit_core="unlimited",
                  **{"process.dumpable": "yes"})
        self.guest.systemctl("start", "fpmd@limits.service", check=False)
        for directive, setting in (("rlimit_files", "LimitNOFILE="), ("rlimit_core", "LimitCORE=")):
            text = self.wait_record(POOL="limits", DIRECTIVE=directive)["MESSAGE"]
            for part in (f"{directive}: ", setting, "'fpmctl apply limits'"):
                self.assertIn(part, text)

    def test_a_limit_that_apply_does_not_raise(self):
        """What the shipped unit asks for: the limit is a drop-in's or that of a container."""
        self.dropin("fpmd@small.service", "[Service]\nLimitNOFILE=16384:20000\n")
        self.pool("small", rlimit_files="30000")
        self.guest.systemctl("start", "fpmd@small.service", check=False)
        text = self.wait_record(POOL="small", DIRECTIVE="rlimit_files")["MESSAGE"]
        for part in ("30000 is above the hard limit of the service, 20000", "LimitNOFILE=",
                     "limit of systemd itself"):
            self.assertIn(part, text)
        self.assertNotIn("fpmctl apply", text)

    def test_the_priority_of_the_unit_is_that_of_the_file(self):
        self.dropin("fpmd@nice.service", "[Service]\nNice=5\n")
        self.pool("nice", **{"process.priority": "5"})
        self.see("nice")
        _, templates, workers = self.full("nice")
        self.assertEqual({nice_of(p) for p in templates + workers}, {5})
        self.assertEqual([r for r in self.records(pool="nice") if "process.priority" in r["MESSAGE"]],
                         [])

    def test_a_priority_that_the_unit_does_not_give_is_one_warning(self):
        """Both ways: the unit's filter denies the system call whatever it asks for."""
        for name, number in (("keen", "-5"), ("lazy", "5")):
            self.pool(name, **{"process.priority": number})
            self.see(name)
            self.full(name)
            self.wait_record(POOL=name, where=lambda r: "process.priority" in r["MESSAGE"])
            said = [r for r in self.records(pool=name) if "process.priority" in r["MESSAGE"]]
            self.assertEqual(len(said), 1)
            self.assertEqual(said[0]["PRIORITY"], "4")
            for part in (f"process.priority = {number}", f"Nice={number}", f"'fpmctl apply {name}'"):
                self.assertIn(part, said[0]["MESSAGE"])

    def test_what_fpmctl_apply_writes_is_enough(self):
        """For what the errors and warnings about the pool file promise of it."""
        self.guest.run("install", "-d", "-o", "site", "/srv/root/www")
        self.guest.write("/srv/root/www/see.php", SEE)
        self.pool("apply", chroot="/srv/root", rlimit_core="4096", start=False,
                  **{"process.priority": "4", "process.dumpable": "yes"})
        self.guest.run("fpmctl", "apply", "apply")
        self.addCleanup(self._remove_dropin, "/etc/systemd/system/fpmd@apply.service.d")
        self.guest.systemctl("start", "fpmd@apply.socket")
        seen = json.loads(self.ask("apply", "/see.php", root="/www").text)
        self.assertEqual(seen["root"], [".", "..", "www"])
        _, templates, workers = self.full("apply")
        self.assertEqual({nice_of(p) for p in templates + workers}, {4})
        self.assertEqual([r["MESSAGE"] for r in self.records(pool="apply")
                          if int(r["PRIORITY"]) < 5], [])

    def test_a_lower_priority_needs_nobody(self):
        self.dropin("fpmd@low.service", "[Service]\nSystemCallFilter=setpriority\n")
        self.pool("low", **{"process.priority": "10"})
        self.see("low")
        manager, templates, workers = self.full("low")
        self.assertEqual({nice_of(p) for p in templates + workers}, {10})
        self.assertEqual(nice_of(manager), 0)

    def test_the_folders_of_pool_files_are_those_of_systemd(self):
        """The administrator's file masks the vendor's, drop-ins of both count."""
        vendor, admin = "/usr/lib/fpmd/conf.d", "/etc/fpmd/conf.d"
        self.guest.write(f"{vendor}/folders.conf", "[folders]\nuser = site\npm = static\n"
                         "pm.max_children = 1\nenv[FROM] = vendor\n")
        self.guest.write(f"{admin}/folders.conf.d/10.conf", "env[ADDED] = admin\n")
        self.addCleanup(self.guest.run, "rm", "-rf", f"{vendor}/folders.conf",
                        f"{admin}/folders.conf", f"{admin}/folders.conf.d")
        self.addCleanup(self.guest.systemctl, "stop", "fpmd@folders.socket", "fpmd@folders.service")
        self.guest.write("/srv/www/from.php", "<?php echo getenv('FROM'), ' ', getenv('ADDED');")
        self.guest.systemctl("start", "fpmd@folders.socket")
        self.assertEqual(self.ask("folders", "/from.php").text, "vendor admin")
        self.guest.write(f"{admin}/folders.conf", "[folders]\nuser = site\npm = static\n"
                         "pm.max_children = 1\nenv[FROM] = admin\n")
        self.guest.systemctl("reload", "fpmd@folders")
        self.settled("folders")
        self.assertEqual(self.ask("folders", "/from.php").text, "admin admin")


OWN_USER = """[Service]
User=site
Group=site
AmbientCapabilities=
CapabilityBoundingSet=
RemoveIPC=no
ProtectKernelTunables=yes
"""

# What a script can do at the control socket: by a program of its own, and by one that it has cut
# loose from itself.
CONTROL = """<?php
$command = "fpmctl {$_GET["options"]} {$_GET["verb"]} {$_GET["pool"]} 2>&1";
if (isset($_GET["loose"]))
    $command = "rm -f /tmp/said; setsid sh -c '(sleep 0.2; $command; echo rc=\\$?) >/tmp/said2; "
             . "mv /tmp/said2 /tmp/said' >/dev/null 2>&1 & "
             . "while [ ! -e /tmp/said ]; do sleep 0.1; done; cat /tmp/said";
else
    $command = "$command; echo rc=\\$?";
echo shell_exec($command);
"""


# Takes the place of a manager: its own socket where that of the manager was, and a kind answer.
PRETEND = """
import os, socket, struct, sys, time
path = sys.argv[1]
os.rename(path, path + ".real")
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(path)
s.listen(5)
open(path + ".heard", "w").close()
while True:
    c, _ = s.accept()
    verb = struct.unpack("II", c.recv(100)[:8].ljust(8, b"\\0"))[1]
    if verb == 2:
        c.send(struct.pack("Ii", 1, 0) + b"reloaded \\x1b]0;PWN\\x07\\nline".ljust(4096, b"\\0"))
    kept = c
"""


class OwnUser(IdentityCase):
    """User= of the service is the user of the pool."""

    def setUp(self):
        super().setUp()
        self.dropin("fpmd@own.service", OWN_USER)
        self.pool("own", user=None)
        self.serving("own")  # to systemd: a reload during its start would be a part of that
        self.seen = json.loads(self.ask("own", "/process.php").text)

    def test_no_process_has_any_capability(self):
        manager, templates, workers = self.full("own")
        for pid in [manager] + templates + workers:
            self.assertNoCapability(pid)
            status = proc_status(pid)
            self.assertEqual(set(status["Uid"].split()), {str(self.uid_of())})
            self.assertEqual(status["NoNewPrivs"], "1")
        groups = {int(n) for n in self.guest.run("id", "-G", "site").stdout.split()}
        self.assertEqual(set(self.seen["groups"]) | {self.seen["gid"]}, groups)

    def test_user_of_the_file_may_say_the_same(self):
        self.pool("own", user="site", start=False)
        self.guest.systemctl("reload", "fpmd@own")
        self.assertEqual([r["MESSAGE"] for r in self.records(pool="own") if int(r["PRIORITY"]) < 5],
                         [])

    def test_reload_and_stop(self):
        self.guest.systemctl("reload", "fpmd@own")
        self.assertEqual(self.status("own")["generation"], 2)
        self.guest.run("runuser", "-u", "site", "--", "fpmctl", "reload", "own")
        self.assertEqual(self.status("own")["generation"], 3)
        out = self.guest.run("stat", "-c", "%U %a", "/run/fpmd-control/own").stdout.strip()
        self.assertEqual(out, "site 750")
        self.guest.systemctl("stop", "fpmd@own.socket")
        wait_until(lambda: self.guest.processes("fpmd@own.service") == [], 5, "all have gone")
        self.assertEqual(self.guest.properties("fpmd@own.service", "Result")["Result"], "success")

    def test_scripts_are_refused_at_the_control_socket(self):
        self.guest.write("/srv/www/control.php", CONTROL)
        for query in ("verb=reload", "verb=status", "verb=reload&loose=1"):
            said = self.ask("own", "/control.php", query=f"options=&pool=own&{query}").text
            self.assertRegex(said, r"rc=[1-9]", query)
            self.assertNotIn("reloaded", said)
        self.assertEqual(self.status("own")["generation"], 1)

    def test_what_a_crashed_manager_left_is_refused(self):
        """Its parent is PID 1, as that of fpmctl of ExecReload=, in the same control group."""
        self.guest.write("/srv/site/left.sh", "cd /srv/site; while [ ! -e go ]; do sleep 0.1; done\n"
                         "for verb in status reload; do fpmctl $verb own; echo rc=$?; done >said 2>&1\n"
                         "mv said done\n")
        self.guest.run("chown", "site:", "/srv/site", "/srv/site/left.sh")
        self.guest.write("/srv/www/left.php", "<?php exec('setsid sh /srv/site/left.sh >/dev/null 2>&1 &');")
        self.addCleanup(self.guest.run, "rm", "-f", "/srv/site/go", "/srv/site/done")
        self.ask("own", "/left.php")
        manager = self.guest.properties("fpmd@own.service", "MainPID")["MainPID"]
        self.guest.run("kill", "-KILL", manager)
        wait_until(lambda: self.guest.properties("fpmd@own.service", "MainPID")["MainPID"] not in (
            "0", manager), 10, "another manager")
        self.assertEqual(self.ask("own", "/hello.php").status, 200)
        self.guest.run("touch", "/srv/site/go")
        wait_until(self.guest.path("/srv/site/done").exists, 20, "it has tried")
        said = self.guest.read("/srv/site/done")
        self.assertEqual(len(re.findall(r"rc=[1-9]", said)), 2, said)
        self.assertNotIn("reloaded", said)
        self.guest.systemctl("reload", "fpmd@own")
        self.assertEqual(self.status("own")["generation"], 2)

    def test_another_cannot_take_the_managers_place(self):
        self.guest.write("/srv/pretend.py", PRETEND)
        path = "/run/fpmd-control/own/control"
        process = self.guest.popen("runuser", "-u", "site", "--", "python3", "/srv/pretend.py", path)

        def end():
            for pid in self.guest.run("pgrep", "-f", "^python3 /srv/pretend.py").stdout.split():
                self.guest.run("kill", pid)
            process.wait(10)

        self.addCleanup(end)
        wait_until(self.guest.path(path + ".heard").exists, 10, "the false socket in place of the real one")
        self.assertTrue(self.guest.path(path + ".real").exists())
        for words in (("fpmctl", "reload", "own"), ("fpmctl", "status", "own"),
                      ("systemctl", "reload", "fpmd@own")):
            done = self.guest.run(*words, check=False, timeout=20)
            self.assertNotEqual(done.returncode, 0, words)
            self.assertNotIn("PWN", done.stdout + done.stderr)
            if words[0] == "fpmctl":
                self.assertIn("pretends", done.stderr)

    def test_the_exposure_score_is_lower_still(self):
        done = self.guest.run("systemd-analyze", "security", "--no-pager", "--offline=yes",
                              "fpmd@own.service", check=False)
        score = re.search(r"exposure level for .*: ([\d.]+)", done.stdout)
        self.assertIsNotNone(score, done.stdout + done.stderr)
        self.assertLessEqual(float(score.group(1)), 1.4)

    def test_chroot_is_possible_with_one_capability(self):
        self.guest.run("install", "-d", "-o", "site", "/srv/jail/www")
        self.guest.write("/srv/jail/www/see.php", SEE)
        self.dropin("fpmd@one.service",
                    OWN_USER + MAY_CHROOT)
        self.pool("one", user=None, chroot="/srv/jail")
        seen = json.loads(self.ask("one", "/see.php", root="/www").text)
        self.assertEqual(seen["root"], [".", "..", "www"])
        manager, templates, workers = self.full("one")
        self.assertEqual(int(proc_status(manager)["CapEff"], 16), 1 << SYS_CHROOT)
        for pid in templates + workers:
            self.assertNoCapability(pid, bounding=False)
            self.assertEqual(os.readlink(f"/proc/{pid}/root"), "/srv/jail")


class UserMode(IdentityCase):
    """Pools of a user, run by systemctl --user."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest.run("install", "-d", "-o", "site", "-g", "site", "/srv/site",
                      "/srv/site/.config/fpmd/conf.d")
        cls.guest.run("chown", "-R", "site:site", "/srv/site")
        cls.uid = int(cls.guest.run("id", "-u", "site").stdout)
        cls.run_dir = f"/run/user/{cls.uid}"
        cls.guest.run("loginctl", "enable-linger", "site")
        wait_until(lambda: cls.guest.path(f"{cls.run_dir}/systemd/private").exists(), 20,
                   "the user's service manager")

    def as_user(self, *command, **options):
        return self.guest.run("runuser", "-u", "site", "--", "env", f"XDG_RUNTIME_DIR={self.run_dir}",
                              "HOME=/srv/site", *command, **options)

    def user_systemctl(self, *words, **options):
        if words[0] == "reload":  # of what still starts it would be a part of the start
            wait_until(lambda: "activating" not in self.user_systemctl(
                "show", "--value", "-p", "ActiveState", words[1]).stdout.split(), 10, "it has started")
        return self.as_user("systemctl", "--user", *words, **options)

    def pool(self, name, **settings):
        lines = [f"[{name}]", "pm = static", "pm.max_children = 2"]
        lines += [f"{k} = {v}" for k, v in settings.items()]
        self.guest.write(f"/srv/site/.config/fpmd/conf.d/{name}.conf", "\n".join(lines) + "\n")
        self.addCleanup(self.user_systemctl, "stop", f"fpmd@{name}.socket", f"fpmd@{name}.service",
                        check=False)
        self.user_systemctl("start", f"fpmd@{name}.socket")

    def ask(self, name, script, **options):
        return fastcgi.request(self.guest.path(f"{self.run_dir}/fpmd/{name}.sock"), script, **options)

    def group_of(self, name):
        out = self.user_systemctl("show", "-p", "ControlGroup", f"fpmd@{name}.service").stdout
        return out.strip().partition("=")[2]

    def processes_of(self, name):
        group = self.group_of(name)
        if not group:
            return []
        path = self.guest.path(f"/sys/fs/cgroup{group}/cgroup.procs")
        with contextlib.suppress(OSError):
            return [int(p) for p in path.read_text().split()]
        return []

    def all_of(self, name):
        """The processes of a pool with all its workers, which its first answer may precede; without the
        porter, which comes when a client was slow."""
        def look():
            status = self.status(name)
            known = status["idle"] + status["active"] == 2
            found = [p for p in self.processes_of(name) if executable(p) != "fpmd-porter"]
            programs = sorted(executable(p) for p in found)
            # Between template and worker there is another process for a moment.
            return found if known and programs == ["fpmd", "php8.2", "php8.2", "php8.2"] else None
        return wait_until(look, 10, "manager, template and two workers")

    def status(self, name):
        return json.loads(self.as_user("fpmctl", f"--control-dir={self.run_dir}/fpmd-control",
                                       "status", name, "-o", "json").stdout)

    def test_the_first_request_starts_the_pool(self):
        self.pool("home")
        seen = json.loads(self.ask("home", "/process.php").text)
        self.assertEqual(seen["uid"], self.uid)
        for pid in self.all_of("home"):
            self.assertNoCapability(pid, bounding=False)
            status = proc_status(pid)
            self.assertEqual(status["NoNewPrivs"], "1")
            self.assertEqual(set(status["Uid"].split()), {str(self.uid)})
        self.assertIn("bounding-set", json.dumps(self.status("home")))

    def test_reload_and_stop(self):
        self.pool("turn")
        self.assertEqual(self.ask("turn", "/hello.php").text, "Hello World\n")
        self.user_systemctl("reload", "fpmd@turn")
        self.assertEqual(self.status("turn")["generation"], 2)
        self.guest.write("/srv/site/.config/fpmd/conf.d/turn.conf", "[turn]\npm = wrong\n")
        self.assertNotEqual(self.user_systemctl("reload", "fpmd@turn", check=False).returncode, 0)
        self.assertEqual(self.ask("turn", "/hello.php").text, "Hello World\n")
        self.user_systemctl("stop", "fpmd@turn.socket")
        wait_until(lambda: self.processes_of("turn") == [], 5, "all have gone")
        state = self.user_systemctl("show", "-p", "Result", "fpmd@turn.service").stdout.strip()
        self.assertEqual(state, "Result=success")

    def test_the_target_has_all_pools(self):
        self.pool("all")
        self.user_systemctl("enable", "fpmd@all.socket")
        self.addCleanup(self.user_systemctl, "disable", "fpmd@all.socket")
        self.user_systemctl("stop", "fpmd@all.socket")
        self.user_systemctl("start", "fpmd.target")
        self.assertEqual(self.ask("all", "/hello.php").text, "Hello World\n")
        self.user_systemctl("stop", "fpmd.target")
        wait_until(lambda: self.processes_of("all") == [], 5, "all have gone")

    def test_a_lower_priority_needs_nobody(self):
        self.pool("low", **{"process.priority": "3"})
        self.ask("low", "/hello.php")
        nice = {executable(p): nice_of(p) for p in self.all_of("low")}
        self.assertEqual(nice, {"fpmd": 0, "php8.2": 3})

    def test_a_killed_manager_is_replaced(self):
        self.pool("phoenix")
        self.ask("phoenix", "/hello.php")
        first = [p for p in self.processes_of("phoenix") if executable(p) == "fpmd"][0]
        os.kill(first, signal.SIGKILL)
        self.assertEqual(self.ask("phoenix", "/hello.php").text, "Hello World\n")
        wait_until(lambda: [p for p in self.processes_of("phoenix")
                            if executable(p) == "fpmd" and p != first], 10, "another manager")

    def test_scripts_are_refused_at_the_control_socket(self):
        self.guest.write("/srv/www/control.php", CONTROL)
        self.pool("guard")
        options = f"--control-dir={self.run_dir}/fpmd-control"
        for query in ("verb=reload", "verb=reload&loose=1"):
            said = self.ask("guard", "/control.php", query=f"options={options}&pool=guard&{query}").text
            self.assertRegex(said, r"rc=[1-9]", query)
        self.assertEqual(self.status("guard")["generation"], 1)

    def test_chroot_is_refused_with_a_reason(self):
        self.pool("jail", chroot="/srv/site")
        self.user_systemctl("start", "fpmd@jail.service", check=False)
        self.wait_record(where=lambda r: "jail.conf:4: chroot: " in r["MESSAGE"], _COMM="fpmd")

    def test_systemd_analyze_verify_is_clean(self):
        done = self.as_user("systemd-analyze", "--user", "verify", "--man=no", "fpmd@www.socket",
                            "fpmd-status@www.socket", "fpmd@www.service", "fpmd.target", check=False)
        self.assertEqual(done.stdout + done.stderr, "")


if __name__ == "__main__":
    main()
