"""Who the processes of a pool are and what the kernel lets them do."""

import json
import re

from suite import GuestCase, executable, main, proc, proc_status

SETUID, SETGID, KILL = 7, 6, 5
ZERO = "0000000000000000"


# Sends a TCP socket that would linger for an hour to the manager, over the link that has it at its
# other end, and closes its own copy. Says the errno of both steps.
LINGER = """<?php
$c = FFI::cdef("int getsockopt(int, int, int, int *, int *); int socket(int, int, int);
    int setsockopt(int, int, int, const void *, int); int bind(int, const char *, int);
    int listen(int, int); int getsockname(int, char *, int *); int close(int);
    int connect(int, const char *, int); long send(int, const char *, long, int);
    struct iovec { void *base; unsigned long n; };
    struct msghdr { void *name; int name_n; struct iovec *iov; unsigned long iov_n; void *control;
                    unsigned long control_n; int flags; };
    long sendmsg(int, struct msghdr *, int); int *__errno_location(void);", "libc.so.6");
function bytes($c, $text) {
    $buffer = $c->new("char[" . strlen($text) . "]");
    FFI::memcpy($buffer, $text, strlen($text));
    return $buffer;
}
$lines = [];
for ($fd = 3; $fd < 40; $fd++) {
    $type = $c->new("int"); $size = $c->new("int"); $size->cdata = 4;
    if ($c->getsockopt($fd, 1, 3, FFI::addr($type), FFI::addr($size)) == 0 && $type->cdata == 5)
        $lines[] = $fd;
}
$listener = $c->socket(2, 1, 0);
$c->bind($listener, pack("v", 2) . "\\0\\0\\x7f\\0\\0\\1" . str_repeat("\\0", 8), 16);
$c->listen($listener, 5);
$name = $c->new("char[16]"); $size = $c->new("int"); $size->cdata = 16;
$c->getsockname($listener, $name, FFI::addr($size));
$said = [];
foreach ($lines as $line) {
    $s = $c->socket(2, 1, 0);
    $c->connect($s, FFI::string($name, 16), 16);
    while ($c->send($s, str_repeat("x", 65536), 65536, 0x40) > 0);
    $set = $c->setsockopt($s, 1, 13, bytes($c, pack("VV", 1, 3600)), 8);
    $text = bytes($c, pack("VVVV", 1, 6, 0, 0) . str_repeat("\\0", 1024));
    $iov = $c->new("struct iovec"); $iov->base = FFI::cast("void *", FFI::addr($text));
    $iov->n = 1040;
    $control = bytes($c, pack("PVVVV", 20, 1, 1, $s, 0));
    $m = $c->new("struct msghdr"); $m->iov = FFI::addr($iov); $m->iov_n = 1;
    $m->control = FFI::cast("void *", FFI::addr($control)); $m->control_n = 24;
    $sent = $c->sendmsg($line, FFI::addr($m), 0x40);
    $said[] = [$set == 0, $sent >= 0, $sent < 0 ? $c->__errno_location()[0] : 0];
    if ($set == 0 && $sent < 0)
        $c->setsockopt($s, 1, 13, bytes($c, pack("VV", 0, 0)), 8);
    $c->close($s);
}
echo json_encode($said);
"""


class Confinement(GuestCase):
    nginx = False

    def setUp(self):
        super().setUp()
        self.pool("box", children=2)
        self.seen = json.loads(self.ask("box", "/process.php").text)
        self.manager, self.templates, self.workers = self.full("box")

    def of_the_pool(self):
        self.assertEqual(len(self.templates), 1)
        self.assertEqual(len(self.workers), 2)
        return self.templates + self.workers

    def test_template_and_workers_have_no_capability(self):
        for pid in self.of_the_pool():
            status = proc_status(pid)
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                self.assertEqual(status[name], ZERO, f"{name} of {executable(pid)} {pid}")

    def test_template_and_workers_are_filtered_and_gain_no_privileges(self):
        for pid in self.of_the_pool():
            status = proc_status(pid)
            self.assertEqual(status["NoNewPrivs"], "1")
            self.assertEqual(status["Seccomp"], "2")

    def test_template_and_workers_are_the_pools_user_with_all_groups(self):
        def number(*command):
            return {int(n) for n in self.guest.run(*command).stdout.split()}

        uid, gid = number("id", "-u", "site"), number("id", "-g", "site")
        groups = number("id", "-G", "site")
        self.assertGreaterEqual(len(groups), 3)
        for pid in self.of_the_pool():
            status = proc_status(pid)
            self.assertEqual({int(n) for n in status["Uid"].split()}, uid)
            self.assertEqual({int(n) for n in status["Gid"].split()}, gid)
            self.assertEqual({int(n) for n in status["Groups"].split()} | gid, groups)

    def test_the_group_of_the_pool_file_is_taken(self):
        self.pool("grouped", group="site-extra")
        seen = json.loads(self.ask("grouped", "/process.php").text)
        wanted = int(self.guest.run("getent", "group", "site-extra").stdout.split(":")[2])
        self.assertEqual(seen["gid"], wanted)

    def test_the_manager_has_three_capabilities_and_an_empty_bounding_set(self):
        status = proc_status(self.manager)
        three = f"{1 << SETUID | 1 << SETGID | 1 << KILL:016x}"
        self.assertEqual(status["CapEff"], three)
        self.assertEqual(status["CapPrm"], three)
        self.assertEqual(status["CapBnd"], ZERO)
        self.assertNotIn("0", status["Uid"].split())
        wanted = self.guest.run("id", "-u", "fpmd").stdout.strip()
        self.assertEqual(set(status["Uid"].split()), {wanted})
        self.assertEqual(status["NoNewPrivs"], "1")

    def test_workers_are_children_of_the_manager(self):
        for pid in self.of_the_pool():
            self.assertEqual(int(proc_status(pid)["PPid"]), self.manager)

    def test_no_descriptor_of_the_manager_reaches_a_worker(self):
        """A worker holds its own link, the listeners, /dev/null and pipes: no file of the config."""
        for pid in self.workers:
            links = self.guest.run("sh", "-c", f"ls -l /proc/{self.inner(pid)}/fd").stdout
            self.assertNotIn("/etc/fpmd", links)
            self.assertLessEqual(len(links.splitlines()), 24, links)

    @staticmethod
    def inner(pid):
        return proc_status(pid)["NSpid"].split()[-1]

    def test_a_slot_of_the_scoreboard_is_a_memory_of_its_own(self):
        mapped = []
        for pid in self.workers:
            boards = [line for line in proc(pid, "maps").splitlines()
                      if "memfd:" in line and "opcache" not in line.lower()]
            writable = [b for b in boards if " rw-s " in b]
            self.assertEqual(len(writable), 1, "\n".join(boards))
            start, end = (int(n, 16) for n in writable[0].split()[0].split("-"))
            self.assertEqual(end - start, 8192)
            mapped.append(writable[0].split()[4])  # the inode
        self.assertEqual(len(set(mapped)), 2)

    def test_the_filter_denies_what_php_never_needs(self):
        """Tried from a child process of a script, which runs under the same filter."""
        attempts = {
            "unshare": "unshare --user true", "mount": "mount -t tmpfs none /mnt",
            "personality": "setarch -R true", "keyring": "keyctl show",
        }
        self.guest.write("/srv/www/attempt.php",
                         "<?php exec($_GET['c'] . ' 2>&1', $out, $rc); echo $rc;")
        for name, command in attempts.items():
            if self.guest.run("which", command.split()[0], check=False).returncode != 0:
                continue
            self.assertNotEqual(self.ask("box", "/attempt.php", query="c=" + command.replace(
                " ", "%20")).text, "0", name)

    def test_workers_are_closed_to_each_other(self):
        self.guest.write("/srv/www/spy.php", """<?php
            $found = [];
            foreach (["mem", "environ", "maps"] as $name) {
                $data = @file_get_contents("/proc/{$_GET["pid"]}/$name", false, null, 0, 16);
                $found[$name] = $data !== false && $data !== "";
            }
            $found["fd"] = @scandir("/proc/{$_GET["pid"]}/fd") !== false;
            $found["self"] = getmypid() == $_GET["pid"];
            echo json_encode($found);""")
        numbers = [self.inner(p) for p in self.workers + self.templates]
        for number in numbers:
            seen = json.loads(self.ask("box", "/spy.php", query=f"pid={number}").text)
            if seen.pop("self"):
                continue
            self.assertEqual(seen, {"mem": False, "environ": False, "maps": False, "fd": False})

    def test_what_workers_send_does_not_hold_up_the_manager(self):
        self.guest.write("/srv/www/linger.php", LINGER)
        self.pool("lingers", **{"php_admin_value[ffi.enable]": "1"})
        said = json.loads(self.ask("lingers", "/linger.php").text)
        self.assertGreaterEqual(len(said), 1)
        # Linux 6.16 and later refuses the sending, otherwise the filter the lingering. Only the
        # porter takes descriptors: it switches lingering off.
        self.assertLessEqual(sum(lingers and sent for lingers, sent, _ in said), 1, said)
        for lingers, sent, error in said:
            if lingers and not sent:
                self.assertEqual(error, 1, "EPERM")
        done = self.guest.run("timeout", "30", "fpmctl", "reload", "lingers")
        self.assertRegex(done.stdout, r"^lingers: reloaded, generation \d+\n$")
        self.assertEqual(self.status("lingers")["generation"], 2)

    def test_limits_of_the_pool_file_are_set(self):
        self.pool("limited", rlimit_files=512, rlimit_core=0)
        limits = json.loads(self.ask("limited", "/process.php").text)["limits"]
        self.assertEqual((limits["soft openfiles"], limits["hard openfiles"]), (512, 512))
        self.assertEqual((limits["soft core"], limits["hard core"]), (0, 0))

    def test_sites_can_write_where_they_do(self):
        self.guest.run("install", "-d", "-o", "site", "/srv/site", "/var/lib/site", "/var/www/site")
        paths = "/srv/site,/var/lib/site,/var/www/site,/tmp,/var/tmp,/etc,/usr"
        wrote = json.loads(self.ask("box", "/write.php", query=f"paths={paths}").text)
        self.assertEqual(wrote, {"/srv/site": True, "/var/lib/site": True, "/var/www/site": True,
                                 "/tmp": True, "/var/tmp": True, "/etc": False, "/usr": False})

    def test_sessions_are_kept(self):
        reply = self.ask("box", "/session.php")
        cookie = re.search(r"PHPSESSID=\w+", reply.headers["set-cookie"]).group()
        self.assertEqual([reply.text] + [self.ask("box", "/session.php", HTTP_COOKIE=cookie).text
                                         for _ in range(2)], ["1\n", "2\n", "3\n"])


class Units(GuestCase):
    nginx = False

    def test_systemd_analyze_verify_is_clean(self):
        done = self.guest.run("systemd-analyze", "verify", "--man=no", "fpmd@www.socket", "fpmd@www.service",
                              "fpmd.target")
        self.assertEqual(done.stdout + done.stderr, "")

    def test_the_exposure_score_is_at_most_2(self):
        done = self.guest.run("systemd-analyze", "security", "--offline=yes", "--threshold=20",
                              "--no-pager", "fpmd@www.service", check=False)
        score = re.search(r"exposure level for .*: ([\d.]+)", done.stdout)
        self.assertIsNotNone(score, done.stdout + done.stderr)
        self.assertLessEqual(float(score.group(1)), 2.0)
        self.assertEqual(done.returncode, 0)

    def test_the_catalogue_has_a_text_for_every_kind_of_record(self):
        from suite import MESSAGES, message_id
        message_id("POOL_READY")
        out = self.guest.run("journalctl", "--dump-catalog", *MESSAGES.values()).stdout
        for name, number in MESSAGES.items():
            self.assertIn(number, out, name)

    def test_the_files_are_where_they_belong(self):
        for path, mode in {"/usr/sbin/fpmd": "755", "/usr/bin/fpmctl": "755",
                           "/usr/libexec/fpmd/php8.2": "755", "/etc/fpmd/conf.d/www.conf": "644",
                           "/lib/systemd/system/fpmd@.socket": "644",
                           "/lib/systemd/system/fpmd@.service": "644",
                           "/lib/systemd/system/fpmd.target": "644",
                           "/usr/lib/sysusers.d/fpmd.conf": "644",
                           "/usr/lib/tmpfiles.d/fpmd.conf": "644"}.items():
            out = self.guest.run("stat", "-L", "-c", "%a %U", path).stdout.strip()
            self.assertEqual(out, f"{mode} root", path)
        self.guest.run("getent", "passwd", "fpmd")
        self.guest.run("getent", "group", "fpmd")


if __name__ == "__main__":
    main()
