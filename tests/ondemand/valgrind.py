"""Manager, template and workers under valgrind's memcheck: a pool serves, is reloaded and stopped.

Run by `tests/run valgrind`, which is not part of `tests/run` alone: it needs the package valgrind and
minutes. Valgrind knows neither seccomp(2) nor Landlock, so the pool goes without; the porter, which
does not, runs by itself. Leaks are looked for by the build with sanitizers (tests/run sanguest).
"""

import re
import shutil
import time

from suite import GuestCase, main, wait_until

LOGS = "/var/log/valgrind"
# Of the language and the libraries below it, which are not ours: what they do within themselves.
SUPPRESSIONS = "".join(
    f"{{\n   {kind}_{number}\n   Memcheck:{kind}\n   {rest}\n}}\n"
    for kind in ("Cond", "Value8", "Value4", "Addr8", "Addr4", "Addr1", "Addr32", "Addr16", "Jump")
    for number, rest in enumerate(("obj:*/libphp*.so*", "fun:*\n   obj:*/libphp*.so*", "obj:*/libpcre2*.so*",
                                   "obj:???\n   ...\n   obj:*/libphp*.so*", "obj:*/opcache.so")))
UNIT = f"""[Service]
ExecStart=
ExecStart=/usr/bin/valgrind --quiet --vgdb=no --trace-children=yes --trace-children-skip=*/fpmd-porter \
--leak-check=no --suppressions={LOGS}/suppressions /usr/sbin/fpmd --pool %i
ExecStopPost=
SystemCallFilter=
LimitNOFILE=4096
WatchdogSec=0
TimeoutStartSec=300
"""


class Valgrind(GuestCase):
    @classmethod
    def prepare(cls, guest):
        guest.write("/etc/systemd/system/fpmd@.service.d/valgrind.conf", UNIT)
        guest.write(f"{LOGS}/suppressions", SUPPRESSIONS)
        guest.path(LOGS).chmod(0o1777)

    def test_a_pool_serves_is_reloaded_and_stopped(self):
        if not shutil.which("valgrind"):
            self.skipTest("valgrind is not installed")
        self.pool("www", pm="dynamic", children=4, pm_start_servers=2, pm_min_spare_servers=1,
                  pm_max_spare_servers=3, request_slowlog_timeout="2s", slowlog=f"{LOGS}/slow.txt",
                  **{"pm.status_path": "/status", "access.log": f"{LOGS}/access.txt",
                     "pm.start_timeout": "200s", "sandbox.seccomp": "off"})
        self.assertEqual(self.ask("www", "/hello.php", timeout=60).text, "Hello World\n")
        self.requests()
        done = self.guest.run("fpmctl", "reload", "www", timeout=200)
        self.assertIn("reloaded, generation 2", done.stdout)
        self.requests()
        self.assertEqual(self.status("www")["generation"], 2)
        self.guest.run("fpmctl", "reload", "www", timeout=200)
        self.assertEqual(self.http("/hello.php").data, b"Hello World\n")
        self.guest.systemctl("stop", "fpmd@www.socket", "fpmd@www.service", timeout=200)
        # Each writes to its stderr, which is the journal or a pipe to the manager.
        said = [r["MESSAGE"] for r in self.records() if re.match(r"==\d+== ", r["MESSAGE"])]
        errors = [line for line in said
                  if re.search(r"== (Invalid|Conditional|Use of|Syscall param|Process terminating|\S.* lost)", line)]
        self.assertEqual(errors, [], "\n".join(said)[:20000])

    def requests(self):
        for path in ("/hello.php", "/phpinfo.php", "/variables.php?a=b", "/status.php", "/errors.php"):
            self.http(path)
        self.http("/upload.php", method="POST", body=b"x" * 100000)
        self.ask("www", "/wait.php", query="ms=2500", timeout=60)  # a slow one: its stack is read
        self.http("/hello.php")
        wait_until(lambda: self.status("www")["idle"] >= 1, 20, "an idle worker")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
