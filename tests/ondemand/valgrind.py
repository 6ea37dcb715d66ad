"""Manager, template and workers under valgrind's memcheck: a pool serves, is reloaded and stopped.

Run by `tests/run valgrind`, which is not part of `tests/run` alone: it needs the package valgrind. Of
the sandbox it knows neither seccomp(2), which the pool does without, nor Landlock, which is missing as
on an older kernel: no call stacks are read then. The porter, which insists on its filter, runs by
itself. Leaks are looked for by the build with sanitizers (tests/run sanguest).
"""

import re
import shutil

import fastcgi
from suite import GuestCase, executable, main, wait_until

LOGS = "/var/log/valgrind"
# Of the language: its own code compares strings eight bytes at a time, up to seven behind their end,
# which blocks always have, and does not look at those. (It says so to valgrind, built --with-valgrind.)
SUPPRESSIONS = """{
   strings_are_compared_in_words
   Memcheck:Cond
   fun:zend_string_equal_val
}
"""
# A manager that cannot start is not tried again and again. Reports go to stderr, which is the journal
# or a pipe to the manager; nothing else is said but of system calls that valgrind does not know.
UNIT = f"""[Service]
ExecStart=
ExecStart=/usr/bin/valgrind --quiet --vgdb=no --trace-children=yes --trace-children-skip=*/fpmd-porter \
--leak-check=no --num-callers=30 --suppressions={LOGS}/suppressions /usr/sbin/fpmd --pool %i
ExecStopPost=
SystemCallFilter=
LimitNOFILE=4096
Restart=no
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
        # Without the language's own allocator each of its blocks has bounds that memcheck knows.
        self.pool("www", pm="dynamic", children=4, pm_start_servers=2, pm_min_spare_servers=1,
                  pm_max_spare_servers=3, request_slowlog_timeout="2s", slowlog=f"{LOGS}/slow.txt",
                  **{"pm.status_path": "/status", "access.log": f"{LOGS}/access.txt",
                     "pm.start_timeout": "200s", "sandbox.seccomp": "off", "env[USE_ZEND_ALLOC]": "0"})
        self.assertEqual(self.ask("www", "/hello.php", timeout=60).text, "Hello World\n")
        self.requests()
        with fastcgi.Connection(self.socket("www"), 60) as kept:
            self.assertEqual(kept.request("/hello.php", keep=True).text, "Hello World\n")
            # Each reload is a re-exec too: what runs is valgrind, and not what stands at the program's name.
            for generation in (2, 3):
                done = self.guest.run("fpmctl", "reload", "www", timeout=200)
                self.assertIn(f"reloaded, generation {generation}", done.stdout)
                self.requests()
                self.assertEqual(self.status("www")["generation"], generation)
                self.assertEqual(kept.request("/hello.php", keep=True).text, "Hello World\n")
        names = {executable(pid) for pid in self.guest.processes("fpmd@www.service")} - {"fpmd-porter"}
        self.assertTrue(names and all(name.startswith("memcheck-") for name in names), names)
        self.guest.systemctl("stop", "fpmd@www.socket", "fpmd@www.service", timeout=200)
        said = [r["MESSAGE"] for r in self.records() if re.match(r"==\d+== ", str(r.get("MESSAGE")))]
        self.assertEqual(said, [], "\n".join(said)[:20000])

    def requests(self):
        for path in ("/hello.php", "/phpinfo.php", "/variables.php?a=b", "/status.php", "/errors.php"):
            self.http(path)
        self.http("/upload.php", method="POST", body=b"x" * 100000)
        for query in ("", "full", "json&full", "xml&full", "html", "openmetrics"):
            self.assertEqual(self.ask("www", "/status", query=query, timeout=60).status, 200)
        self.ask("www", "/wait.php", query="ms=2500", timeout=60)  # a slow one
        self.http("/hello.php")
        wait_until(lambda: self.status("www")["idle"] >= 1, 20, "an idle worker")


if __name__ == "__main__":
    main()
