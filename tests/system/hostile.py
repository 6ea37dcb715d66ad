"""A worker that is wholly taken over: attempts from native code inside of it, and what comes of each.

tests/system/hostile/table.py says beforehand of every attempt whether it fails, and with which errors, or
is contained in the generation. After each the pool serves its next request, a pool of the same user too,
the manager is the same process, and its status makes sense. The same attempts are made in php-fpm.

FPMD_HOSTILE_RESULTS=FILE writes what came of each step there, as JSON.
"""

import json
import os
import platform
import re
import shutil
import socket
import sys
import unittest
from errno import errorcode

from hostile import document
from hostile.sides import Fpmd, PhpFpm
from hostile.table import ATTEMPTS
from suite import ABI_WITH_PORTS, GuestCase, guest_module, landlock_abi, main

PAGE = guest_module.REPOSITORY / "docs/hostile-worker.md"
HERE = guest_module.REPOSITORY / "tests/system/hostile"
USER = "www-data"  # who may connect to every pool's socket, and is the web server as well
FFI = "php_admin_value[ffi.enable] = 1\n"
COMMON = f"user = {USER}\npm = static\npm.max_children = 3\npm.status_path = /status\n{FFI}"
POOLS = {
    "victim": COMMON + "pm.status_listen = {folder}/victim.status.sock\n",
    "other": COMMON + "pm.status_listen = {folder}/other.status.sock\n",
    "own": COMMON,
    "locked": COMMON,
    "jailed": COMMON + "chroot = /srv/jail\n",
    "heard": COMMON,
    "strict": COMMON,
}
ONLY_FPMD = {
    "locked": "sandbox.read = /srv/www /srv/writable\nsandbox.write = /srv/writable\n"
              "sandbox.exec_paths = none\nsandbox.tcp_connect = none\n"
              # Of the lists an older kernel may lack the last one: see SINCE of the table.
              + ("sandbox.landlock = if-available\n" if landlock_abi() < ABI_WITH_PORTS else ""),
    "strict": "sandbox.seccomp = strict\nsandbox.exec = no\nsandbox.opcache = private\n",
}


def system_calls():
    """Numbers of x86_64 by the kernel's header."""
    for name in ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"):
        if os.path.exists(name):
            with open(name) as header:
                return {k: int(v) for k, v in re.findall(r"#define __NR_(\w+)\s+(\d+)", header.read())}
    raise AssertionError("no asm/unistd_64.h: install linux-libc-dev")


def php_array(items):
    return "[" + ", ".join(f"{k!r} => {v!r}" for k, v in items.items()) + "]"


@unittest.skipUnless(platform.machine() == "x86_64", "the attempts are x86_64 code")
class Hostile(GuestCase):
    nginx = False
    pools = POOLS
    bystander = 0

    @classmethod
    def prepare(cls, guest):
        guest.path("/etc/systemd/system/php8.2-fpm.service").unlink()
        shutil.rmtree(guest.path("/etc/php/8.2/fpm/pool.d"))
        for name, text in POOLS.items():
            for path, folder, more in ((f"/etc/php/8.2/fpm/pool.d/{name}.conf", "/run/php", ""),
                                       (f"/etc/fpmd/conf.d/{name}.conf", "/run/fpmd", ONLY_FPMD.get(name, ""))):
                guest.write(path, f"[{name}]\nlisten = {folder}/{name}.sock\nlisten.group = {USER}\n"
                                  f"listen.mode = 0660\n{text.format(folder=folder)}{more}")
        guest.write("/etc/systemd/system/fpmd@own.service.d/user.conf", f"[Service]\nUser={USER}\n")
        for root in ("/srv/www", "/srv/jail/www"):
            shutil.copytree(HERE, guest.path(f"{root}/hostile"),
                            ignore=shutil.ignore_patterns("*.py", "__pycache__"))
            guest.write(f"{root}/hostile/numbers.php",
                        f"<?php\nconst SYSTEM_CALLS = {php_array(system_calls())};\n"
                        f"const ERRORS = {php_array(errorcode)};\n")
            guest.write(f"{root}/original.php", "<?php echo 'ORIGINAL-ANSWER';\n")
            guest.write(f"{root}/alive.php", "<?php echo 'alive';\n")
            for path in guest.path(root).rglob("*.php"):
                os.utime(path, (1500000000, 1500000000))  # OPcache takes no files of the last seconds
        guest.write("/etc/systemd/system/bystander.service",
                    "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/usr/bin/sleep infinity\n"
                    f"User={USER}\nRestart=always\nRestartSec=0\n")
        guest.write("/srv/forbidden/secret", "secret\n")
        guest.write("/var/lib/hostile/secret", "secret\n")
        guest.write("/home/alice/notes", "notes\n")
        guest.write("/srv/www/program", "#!/bin/sh\n", 0o755)
        guest.write("/srv/www/script.sh", "#!/bin/sh\n", 0o755)
        guest.write("/var/lib/php/sessions/sess_ofanotheruser", "x", 0o600)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        guest, run = cls.guest, cls.guest.run
        cls.addClassCleanup(cls.write_results)
        run("install", "-d", "-o", USER, "/srv/hostile", "/srv/writable", "/srv/jail/tmp", "/srv/programs")
        run("chown", "-R", f"{USER}:{USER}", "/srv/forbidden", "/var/lib/hostile")
        run("chown", "site", "/var/lib/php/sessions/sess_ofanotheruser")
        run("install", "-m", "4755", "/usr/bin/id", "/srv/programs/whoami-root")
        run("install", "-m", "2755", "-g", "shadow", "/usr/bin/id", "/srv/programs/whoami-group")
        run("install", "-m", "755", "/bin/true", "/srv/writable/program")
        run("sh", "-c", "echo x >/tmp/of-others; echo x >/var/tmp/of-others; ipcmk -M 64 -Q -S 1 -p 0600")
        cls.ids = [int(run("id", word, USER).stdout) for word in ("-u", "-g")]
        cls.listen()
        run("systemctl", "daemon-reload")
        run("fpmctl", "apply", "victim", "jailed")
        run("systemctl", "start", "bystander", "php8.2-fpm.service", "fpmd-status@victim.socket",
            "fpmd-status@other.socket", *(f"fpmd@{name}.socket" for name in POOLS))
        cls.results, cls.sides = {}, {"fpmd": Fpmd(cls), "php-fpm": PhpFpm(cls)}
        for side in cls.sides.values():
            side.start()

    @classmethod
    def listen(cls):
        """Sockets of root in the network of the guest."""
        with cls.guest.network():
            stream = socket.socket(socket.AF_UNIX)
            datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            stream.bind("\0hostile-abstract")
            stream.listen(8)
            datagram.bind("\0hostile-datagram")
            for port in (80, 81, 82):
                tcp = socket.create_server(("127.0.0.1", port))
                cls.addClassCleanup(tcp.close)
        cls.addClassCleanup(stream.close)
        cls.addClassCleanup(datagram.close)

    @classmethod
    def write_results(cls):
        path = os.environ.get("FPMD_HOSTILE_RESULTS")
        if path:
            with open(path, "w") as out:
                json.dump(cls.results, out, indent=1)

    def test_000_the_table_has_every_attempt(self):
        reply = self.sides["fpmd"].ask("victim", "/hostile/run.php", method="POST",
                                       body=json.dumps({"name": "list"}).encode())
        self.assertEqual(sorted(json.loads(reply.text)["steps"]), sorted(row.name for row in ATTEMPTS))

    def test_999_what_stays_ends_with_the_pool(self):
        """A child and a daemon of two forks that a worker has left behind are ended by a stop."""
        self.assertEqual(self.guest.properties("fpmd@victim.service", "NRestarts")["NRestarts"], "0")
        self.guest.systemctl("stop", "fpmd@victim.socket", "fpmd@victim.service", "fpmd-status@victim.socket")
        self.assertEqual(self.guest.processes("fpmd@victim.service"), [])
        left = self.guest.run("pgrep", "-a", "-f", "pool victim", check=False).stdout
        self.assertNotIn("fpmd", left)

    def attempt(self, row):
        seen = {name: side.run(row) for name, side in self.sides.items()}
        self.results[row.name] = {name: outcome.as_dict() for name, outcome in seen.items() if outcome}
        wrong = []
        for name, outcome in seen.items():
            wrong += [f"{name}: {line}" for line in row.judge(name, outcome)]
        if wrong:
            self.fail("\n".join(wrong + [json.dumps(self.results[row.name])]))


class Page(unittest.TestCase):
    def test_the_page_is_made_of_the_table(self):
        self.assertEqual(PAGE.read_text(), document.page(), "tests/system/hostile.py --write makes it")


def add_cases():
    for number, row in enumerate(ATTEMPTS, 1):
        def case(self, row=row):
            self.attempt(row)
        case.__doc__ = row.what
        setattr(Hostile, f"test_{number:03}_{row.name.replace('-', '_')}", case)


add_cases()

if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(document.page())
    else:
        main()
