"""sandbox.read, write, exec_paths, tcp_connect and abstract_sockets: what scripts reach, by every way."""

import json
import re
import time

from suite import (ABI_WITH_PORTS, ABI_WITH_SCOPES, GuestCase, landlock_abi, main, message_id,
                   wait_until)

# What a script tries; the answer is {name: true, or the end of PHP's warning}.
TRY = """<?php
function attempt(callable $f) {
    error_clear_last();
    $r = @$f();
    $e = error_get_last();
    return $r !== false && $r !== null ? true : preg_replace('/.*: /s', '', $e['message'] ?? 'false');
}
function connect($address) {
    $s = @stream_socket_client($address, $number, $text, 2);
    return $s ? true : $text;
}
$out = [];
foreach (json_decode(file_get_contents('php://input'), true) as [$name, $what, $a, $b])
    $out[$name] = match ($what) {
        'read' => attempt(fn() => file_get_contents($a)),
        'list' => attempt(fn() => scandir($a)),
        'write' => attempt(fn() => file_put_contents($a, 'x')),
        'mkdir' => attempt(fn() => mkdir($a)),
        'unlink' => attempt(fn() => unlink($a)),
        'rename' => attempt(fn() => rename($a, $b)),
        'link' => attempt(fn() => link($a, $b)),
        'symlink' => attempt(fn() => symlink($a, $b)),
        'include' => attempt(fn() => include $a),
        'stat' => attempt(fn() => stat($a)),
        'chdir' => attempt(fn() => chdir($a)),
        'run' => (function () use ($a) { exec($a . ' 2>/dev/null', $lines, $rc); return $rc; })(),
        'start' => (function () use ($a) {
            $p = @proc_open($a, [['file', '/dev/null', 'r']], $pipes);
            return $p ? proc_close($p) : 'not started';
        })(),
        'connect' => connect($a),
    };
echo json_encode($out);
"""

# Libraries and PHP itself at work, on files that are no site's.
ORDINARY = r"""<?php
$name = tempnam(sys_get_temp_dir(), 'x');
$certificates = openssl_get_cert_locations();
echo json_encode([
    'time zone' => (new DateTime('2024-07-01', new DateTimeZone('Asia/Tokyo')))->getOffset() === 32400,
    'gconv' => iconv('ISO-2022-JP', 'UTF-8', hex2bin('1b244224221b2842')) === "\u{3042}",
    'host names' => gethostbyname('guest') === '127.0.0.1',
    'users' => posix_getpwuid(posix_geteuid())['name'] === 'site',
    'services' => getservbyname('https', 'tcp') === 443,
    'random numbers' => strlen(random_bytes(16)) === 16,
    'load' => count(sys_getloadavg()) === 3,
    'certificates' => is_readable($certificates['default_cert_dir'])
        && scandir($certificates['default_cert_dir']) !== false
        && strlen(file_get_contents('/etc/ssl/certs/ca-certificates.crt')) > 1000,
    'types of files' => (new finfo(FILEINFO_MIME_TYPE))->buffer('<?php') === 'text/x-php',
    'temporary files' => file_put_contents($name, 'x') === 1 && unlink($name),
    'stdio' => file_put_contents('php://stderr', "to the journal\n") > 0
        && file_put_contents('/dev/null', 'x') === 1,
    'opcache' => opcache_get_status(false)['opcache_enabled'] === true,
    'extensions' => extension_loaded('openssl') && extension_loaded('FFI'),
    'settings' => php_ini_loaded_file() === '/etc/php/8.2/fpm/php.ini',
    'itself' => file_get_contents('/proc/self/statm') !== '' && getmypid() == readlink('/proc/self'),
    'processors' => file_get_contents('/sys/devices/system/cpu/online') !== '',
]);
"""

DENIED = "Permission denied"
NOT_INCLUDED = "Failed opening '/srv/other/file.php' for inclusion (include_path='.:/usr/share/php')"
NO_LANDLOCK = """[Service]
SystemCallFilter=~landlock_create_ruleset:ENOSYS
"""


class Landlock(GuestCase):
    nginx = False

    @classmethod
    def prepare(cls, guest):
        guest.write("/srv/www/try.php", TRY)
        guest.write("/srv/www/ordinary.php", ORDINARY)
        guest.write("/srv/www/include.php", "<?php return 'included';")
        guest.write("/srv/other/file.php", "<?php return 'other';")

    def setUp(self):
        super().setUp()
        self.guest.run("sh", "-c", """
            rm -rf /srv/site/*
            install -d -o site /srv/site/data /srv/site/data/a /srv/site/data/b /srv/site/code
            install -o site -m 644 /srv/other/file.php /srv/site/data/a/file
            install -o site -m 644 /srv/other/file.php /srv/site/code/file
            install -d -o site /srv/site/data/a/folder /srv/site/data/a/folder2
            ln -sfn /srv/other /srv/site/data/out""")

    def confined(self, name, **lists):
        self.pool(name, **{"sandbox." + key: value for key, value in lists.items()})

    def attempts(self, name, *attempts):
        """attempts: (name, what, argument …); a dict of what came of them."""
        rows = [list(a) + [""] * (4 - len(a)) for a in attempts]
        response = self.ask(name, "/try.php", method="POST", body=json.dumps(rows).encode(),
                            params={"CONTENT_TYPE": "application/json"})
        return json.loads(response.text)

    def check(self, name, rows):
        """rows: (expected, what, argument …)."""
        seen = self.attempts(name, *[(f"row {i}",) + row[1:] for i, row in enumerate(rows)])
        wrong = [f"{' '.join(row[1:])}: {seen[f'row {i}']!r}, expected {row[0]!r}"
                 for i, row in enumerate(rows) if seen[f"row {i}"] != row[0]]
        self.assertEqual(wrong, [])

    # ---- files ----

    def test_lists_hold(self):
        self.confined("lists", read="/srv/www", write="/srv/site/data", exec_paths="/usr/bin/true")
        self.check("lists", [
            (True, "read", "/srv/www/hello.php"),
            (True, "include", "/srv/www/include.php"),
            (True, "list", "/srv/www"),
            (True, "read", "/srv/site/data/a/file"),
            (DENIED, "read", "/srv/other/file.php"),
            (NOT_INCLUDED, "include", "/srv/other/file.php"),
            (DENIED, "read", "/srv/site/data/out/file.php"),
            (DENIED, "read", "/srv/www/../other/file.php"),
            (DENIED, "read", "/proc/self/root/srv/other/file.php"),
            (DENIED, "read", "/etc/fstab"),
            (DENIED, "list", "/etc"),
            (True, "write", "/srv/site/data/new"),
            (True, "mkdir", "/srv/site/data/made"),
            (True, "symlink", "/etc/fstab", "/srv/site/data/link"),
            (DENIED, "read", "/srv/site/data/link"),
            (DENIED, "write", "/srv/site/code/file"),
            (DENIED, "write", "/srv/site/code/new"),
            (DENIED, "unlink", "/srv/site/code/file"),
            (True, "rename", "/srv/site/data/a/folder", "/srv/site/data/b/folder"),
            (True, "rename", "/srv/site/data/a/file", "/srv/site/data/b/file"),
            ("Invalid cross-device link", "link", "/srv/site/code/file", "/srv/site/data/b/linked"),
            (True, "unlink", "/srv/site/data/b/file"),
            (True, "write", "/tmp/scratch"),
            (True, "write", "/var/tmp/scratch"),
            (True, "stat", "/srv/other/file.php"),
            (True, "chdir", "/srv/other"),
        ])

    def test_without_lists_everything_is_as_before(self):
        """Above all renames of folders, which a layer of Landlock denies unless it is told otherwise."""
        self.pool("free")
        self.check("free", [
            (True, "read", "/srv/other/file.php"),
            (True, "write", "/srv/site/code/new"),
            (True, "rename", "/srv/site/data/a/folder", "/srv/site/data/b/folder"),
            (True, "rename", "/srv/site/data/a/file", "/srv/site/code/moved"),
            (True, "link", "/srv/site/code/file", "/srv/site/data/b/linked"),
        ])
        self.assertEqual(self.attempts("free", ("cat", "run", "cat /srv/other/file.php")), {"cat": 0})

    def test_what_php_and_libraries_need_is_there(self):
        everything = {"read": "/srv/www", "write": "none", "exec_paths": "none", "tcp_connect": "none",
                      "landlock": "if-available"}
        for name, lists in (("ordinary", {}), ("spartan", everything)):
            self.confined(name, **lists)
            seen = json.loads(self.ask(name, "/ordinary.php").text)
            self.assertEqual([key for key, value in seen.items() if value is not True], [], name)
        self.wait_record(POOL="spartan", MESSAGE="to the journal")

    def test_programs_are_inside_too(self):
        self.confined("programs", read="/srv/www", write="none", exec_paths="/usr/bin /bin/sh")
        seen = self.attempts("programs",
                             ("inside", "run", "cat /srv/www/hello.php"),
                             ("outside", "run", "cat /srv/other/file.php"),
                             ("makes", "run", "touch /srv/site/data/made"),
                             ("elsewhere", "run", "/usr/sbin/nologin"))
        self.assertEqual(seen, {"inside": 0, "outside": 1, "makes": 1, "elsewhere": 126})

    def test_no_programs_at_all(self):
        self.confined("noexec", exec_paths="none")
        self.assertEqual(self.attempts("noexec", ("sh", "run", "true"),
                                       ("array", "start", ["/usr/bin/true"])),
                         {"sh": -1, "array": 127})

    def test_uploads_and_logs_go_on(self):
        self.guest.run("install", "-d", "-o", "site", "/srv/site/logs")
        self.pool("logs", **{"sandbox.read": "/srv/www", "sandbox.write": "none",
                             "access.log": "/var/log/fpmd/logs.access", "request_slowlog_timeout": "200ms"})
        self.assertEqual(self.ask("logs", "/hello.php").text, "Hello World\n")
        wait_until(lambda: "/hello.php" in self.guest.read("/var/log/fpmd/logs.access"), 5, "the line")
        # The template reads the stack of its worker, though both have layers.
        self.guest.write("/srv/www/slow.php", "<?php function slowly() { usleep(3000000); } slowly();")
        self.ask("logs", "/slow.php")
        record = self.wait_record(POOL="logs", MESSAGE_ID=message_id("SLOW_REQUEST"),
                                  where=lambda r: "/slow.php" in r["MESSAGE"])
        self.assertIn("slowly() /srv/www/slow.php:1", record["MESSAGE"])

    # ---- the start ----

    def refused(self, name):
        """The reason for which the pool does not start."""
        self.guest.systemctl("start", f"fpmd@{name}", check=False)
        record = self.wait_record(POOL=name, MESSAGE_ID=message_id("START_FAILED"))
        return record["MESSAGE"]

    def test_the_template_is_inside(self):
        self.guest.write("/srv/site/preload.php", "<?php function preloaded() { return @file_get_contents("
                         "'/srv/other/file.php') === false ? 'inside' : 'outside'; }"
                         "define('PRELOADED', preloaded());")
        self.guest.write("/srv/www/preloaded.php", "<?php echo preloaded();")
        preload = {"php_admin_value[opcache.preload]": "/srv/site/preload.php"}
        self.pool("preload", **{"sandbox.read": "/srv/www /srv/site/preload.php"}, **preload)
        self.assertEqual(self.ask("preload", "/preloaded.php").text, "inside")
        self.pool("unread", **{"sandbox.read": "/srv/www"}, **preload, start=False)
        self.assertIn("/srv/site/preload.php", self.refused("unread"))

    def test_missing_paths(self):
        self.confined("minus", read="/srv/www -/srv/nothing -/srv/site/data/a/file/below")
        self.assertEqual(self.ask("minus", "/hello.php").text, "Hello World\n")
        self.pool("missing", **{"sandbox.read": "/srv/www /srv/nothing"}, start=False)
        words = "sandbox.read: /srv/nothing: No such file or directory"
        done = self.guest.run("fpmctl", "check", "missing", check=False)
        self.assertEqual(done.returncode, 78)
        self.assertIn(words, done.stdout + done.stderr)
        self.guest.systemctl("start", "fpmd@missing", check=False)
        self.wait_record(POOL="missing", where=lambda r: words in r["MESSAGE"])

    def test_links(self):
        """One of the administrator's is followed, one that a hacked script could have made is not."""
        self.guest.run("sh", "-c", "ln -sfn /srv/other /srv/current; ln -sfn /srv/other /srv/site/mine")
        self.confined("links", read="/srv/www /srv/current")
        self.check("links", [(True, "read", "/srv/other/file.php"),
                             (DENIED, "read", "/srv/site/data/a/file")])
        self.pool("mine", **{"sandbox.read": "/srv/www /srv/site/mine"}, start=False)
        self.guest.run("chown", "-h", "site", "/srv/site/mine")
        reason = self.refused("mine")
        self.assertIn("/etc/fpmd/conf.d/mine.conf:5: sandbox.read: /srv/site/mine: it is a link that the "
                      "user of the pool can change", reason)
        # The exit status of the template has a name of its own.
        self.assertNotIn("unknown", reason)

    def test_a_reload_changes_it_or_leaves_everything(self):
        self.confined("change", read="/srv/www")
        attempt = ("other", "read", "/srv/other/file.php")
        self.assertEqual(self.attempts("change", attempt), {"other": DENIED})
        self.confined("change", read="/srv/www /srv/other")
        self.guest.systemctl("reload", "fpmd@change")
        self.settled("change")
        self.assertEqual(self.attempts("change", attempt), {"other": True})
        self.confined("change", read="/srv/nothing")
        self.assertNotEqual(self.guest.systemctl("reload", "fpmd@change", check=False).returncode, 0)
        self.assertEqual(self.attempts("change", attempt), {"other": True})

    def test_what_is_replaced_counts_again(self):
        """A rule is about a file, not its name: a new generation makes new ones."""
        self.guest.run("sh", "-c", "ln -sfn /srv/www /srv/switched; echo 1 >/srv/listed; "
                                   "echo 1 >/srv/site/data/listed")
        self.confined("again", read="/srv/www /srv/listed /srv/site/data/listed /srv/switched -/srv/later")
        self.guest.write("/srv/www/name.php", "<?php echo gethostbyname('appeared');")
        self.assertEqual(self.ask("again", "/name.php").text, "appeared")
        for command, attempt in (
                ("echo 2 >/srv/new; mv /srv/new /srv/listed", ("x", "read", "/srv/listed")),
                ("ln -sfn /srv/other /srv/switched.new; mv -T /srv/switched.new /srv/switched",
                 ("x", "read", "/srv/switched/file.php")),
                ("mkdir /srv/later; echo x >/srv/later/file", ("x", "read", "/srv/later/file")),
                ("(cat /etc/hosts; echo 127.0.0.7 appeared) >/etc/hosts.new; mv /etc/hosts.new /etc/hosts",
                 None)):
            # The distance between two of them would be ten seconds.
            self.guest.systemctl("restart", "fpmd@again")
            # It has said READY before it begins to watch, and answers after that.
            wait_until(lambda: self.status("again")["state"] == "ready", 5, "it watches the paths")
            self.guest.run("sh", "-c", command)
            wait_until(lambda: self.status("again")["generation"] == 2, 10, command)
            self.settled("again")
            if attempt:
                self.assertEqual(self.attempts("again", attempt), {"x": True}, command)
        self.assertEqual(self.ask("again", "/name.php").text, "127.0.0.7")
        self.assertEqual(self.status("again")["workers_crashed"], 0)
        self.assertIn("(/etc/hosts)", self.wait_record(
            POOL="again", MESSAGE_ID=message_id("PATH_REPLACED"),
            where=lambda r: "hosts" in r["MESSAGE"])["MESSAGE"])
        # Where the user of the pool can replace it, an administrator has to say so.
        self.guest.systemctl("restart", "fpmd@again")
        wait_until(lambda: self.status("again")["state"] == "ready", 5, "it watches the paths")
        self.guest.run("sh", "-c", "echo 2 >/srv/site/new; mv /srv/site/new /srv/site/data/listed")
        time.sleep(0.6)
        self.assertEqual(self.status("again")["generation"], 1)
        self.assertEqual(self.attempts("again", ("x", "read", "/srv/site/data/listed")), {"x": DENIED})
        self.guest.systemctl("reload", "fpmd@again")
        self.settled("again")
        self.assertEqual(self.attempts("again", ("x", "read", "/srv/site/data/listed")), {"x": True})

    def test_a_pool_with_chroot(self):
        self.guest.run("sh", "-c", """
            install -d -o site /srv/jail/www /srv/jail/other /srv/jail/tmp
            cp /srv/www/try.php /srv/www/hello.php /srv/jail/www
            cp /srv/other/file.php /srv/jail/other""")
        self.guest.write("/run/systemd/system/fpmd@jail.service.d/chroot.conf", """[Service]
            AmbientCapabilities=CAP_SYS_CHROOT
            CapabilityBoundingSet=CAP_SYS_CHROOT
            SystemCallFilter=chroot
            """)
        self.guest.systemctl("daemon-reload")
        self.pool("jail", chroot="/srv/jail", **{"sandbox.read": "/www", "sandbox.write": "none"})
        rows = [["inside", "read", "/www/hello.php", ""], ["beside", "read", "/other/file.php", ""],
                ["tmp", "write", "/tmp/scratch", ""], ["write", "write", "/other/new", ""]]
        seen = json.loads(self.ask("jail", "/try.php", root="/www", method="POST",
                                   body=json.dumps(rows).encode()).text)
        self.assertEqual(seen, {"inside": True, "beside": DENIED, "tmp": True, "write": DENIED})

    # ---- connections ----

    def listen(self, script, table, socket):
        """A service with sockets, until the case ends; waits for one that listens, by a regular
        expression for a table of /proc/net."""
        self.guest.run("systemd-run", "--unit=listener", "/usr/bin/python3", "-c", script)
        self.addCleanup(self.guest.systemctl, "stop", "listener", check=False)
        wait_until(lambda: re.search(socket, self.guest.run("cat", table).stdout), 10, "the socket")

    def test_ports(self):
        self.listen("import socket, time\n"
                    "held = [socket.create_server(('127.0.0.1', port)) for port in (9101, 9102)]\n"
                    "time.sleep(600)", "/proc/net/tcp", "0100007F:238E")
        if landlock_abi() < ABI_WITH_PORTS:
            self.without_ports()
            return
        self.confined("ports", tcp_connect="9101, 53")
        self.check("ports", [
            (True, "connect", "tcp://127.0.0.1:9101"),
            (DENIED, "connect", "tcp://127.0.0.1:9102"),
            (DENIED, "connect", "tcp://[::1]:9102"),
            (DENIED, "connect", "tcp://[::ffff:127.0.0.1]:9102"),
        ])
        self.confined("nowhere", tcp_connect="none")
        self.check("nowhere", [(DENIED, "connect", "tcp://127.0.0.1:9101")])
        self.confined("anywhere")
        self.check("anywhere", [(True, "connect", "tcp://127.0.0.1:9102")])

    def without_ports(self):
        """On a kernel that knows no ports but files."""
        self.pool("ports", **{"sandbox.tcp_connect": "9101"}, start=False)
        self.assertIn(f"sandbox.tcp_connect needs version 4 of Landlock and this kernel has {landlock_abi()}; "
                      "expected Linux 6.7 or later, or sandbox.landlock = if-available", self.refused("ports"))
        self.confined("free", landlock="if-available", tcp_connect="none", read="/srv/www")
        self.check("free", [(True, "connect", "tcp://127.0.0.1:9102"),
                            (DENIED, "read", "/srv/other/file.php")])
        self.assertEqual(sorted(self.status("free")["sandbox_moot"]), ["scopes", "tcp-connect"])
        self.wait_record(POOL="free", MESSAGE_ID=message_id("SANDBOX_REDUCED"), PRIORITY="4",
                         where=lambda r: "sandbox.tcp_connect" in r["MESSAGE"])

    def test_abstract_sockets(self):
        self.listen("import socket, time\n"
                    "held = socket.socket(socket.AF_UNIX); held.bind('\\0abstract'); held.listen(9)\n"
                    "time.sleep(600)", "/proc/net/unix", r" 00010000 0001 01 +\d+ @abstract\n")
        kept_in = landlock_abi() >= ABI_WITH_SCOPES
        for value, expected in (("no", "Operation not permitted" if kept_in else True), ("yes", True)):
            self.confined("abstract", abstract_sockets=value)
            self.guest.systemctl("restart", "fpmd@abstract", "fpmd@abstract.socket")
            self.check("abstract", [(expected, "connect", "unix://\0abstract")])

    # ---- a kernel that cannot ----

    def test_without_landlock_in_the_kernel(self):
        for name in ("required", "plain", "optional"):
            self.guest.write(f"/run/systemd/system/fpmd@{name}.service.d/kernel.conf", NO_LANDLOCK)
        self.guest.systemctl("daemon-reload")
        self.pool("required", **{"sandbox.tcp_connect": "none", "sandbox.read": "/srv/www"}, start=False)
        self.assertIn("sandbox.read needs Landlock, which this kernel does not have, or which is "
                      "switched off (lsm= of its command line) or denied to this container; expected "
                      "Linux 5.13 or later, or sandbox.landlock = if-available", self.refused("required"))
        # What nobody asked for by name refuses nothing.
        self.confined("plain")
        self.assertEqual(self.ask("plain", "/hello.php").text, "Hello World\n")
        self.assertEqual(self.status("plain")["sandbox_moot"], ["landlock", "scopes"])
        self.confined("optional", landlock="if-available", read="/srv/www", tcp_connect="none")
        self.check("optional", [(True, "read", "/srv/other/file.php")])
        status = self.status("optional")
        self.assertEqual(sorted(status["sandbox_moot"]), ["landlock", "paths", "scopes", "tcp-connect"])
        self.assertNotIn("landlock", status["sandbox"])
        record = self.wait_record(POOL="optional", MESSAGE_ID=message_id("SANDBOX_REDUCED"),
                                  where=lambda r: "sandbox.read" in r["MESSAGE"])
        self.assertEqual(record["PRIORITY"], "4")
        # What the service may ask counts, not what fpmctl may.
        told = json.loads(self.guest.run("fpmctl", "sandbox", "optional", "-o", "json").stdout)
        self.assertEqual(told["landlock_abi"], 0)
        self.assertIn("passed-over", [w["name"] for w in told["weaknesses"]])

    def test_what_is_in_force_is_told(self):
        abi = landlock_abi()
        self.confined("told", read="/srv/www", **{"tcp_connect": "none"} if abi >= ABI_WITH_PORTS else {})
        self.ask("told", "/hello.php")
        self.assertIn(f"landlock-{abi}", self.status("told")["sandbox"])
        self.assertEqual(self.status("told")["sandbox_moot"], [] if abi >= ABI_WITH_SCOPES else ["scopes"])


if __name__ == "__main__":
    main()
