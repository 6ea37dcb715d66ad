"""The files of access.log and slowlog in the hands of logrotate, and of disks and readers that fail."""

import os
import stat
import threading

from suite import GuestCase, main, message_id, wait_until

SLOW = "<?php usleep(1500000); echo 'done';"


class Logfiles(GuestCase):
    nginx = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest.write("/srv/www/slow.php", SLOW)

    def logged(self, name, **settings):
        self.pool(name, **{"children": 2, "request_slowlog_timeout": "100ms",
                           "access.format": "%r%Q%q",
                           "access.log": f"/var/log/fpmd/{name}.access.log",
                           "slowlog": f"/var/log/fpmd/{name}.slow.log"} | settings)

    def text(self, path):
        found = self.guest.path(path)
        return found.read_text() if found.exists() else ""

    def test_logrotate(self):
        """With the file that comes with fpmd, under load: every request is in one of the files."""
        self.logged("rotated")
        access, slow = (f"/var/log/fpmd/rotated.{kind}.log" for kind in ("access", "slow"))
        self.ask("rotated", "/slow.php", query="n=0")
        wait_until(lambda: "slow.php" in self.text(slow), 5, "an entry of the slow log")
        n, over = [1], threading.Event()

        def client():
            while not over.is_set():
                self.ask("rotated", "/hello.php", query=f"n={n[0]}")
                n[0] += 1
        thread = threading.Thread(target=client)
        thread.start()
        try:
            self.guest.run("logrotate", "--force", "/etc/logrotate.d/fpmd")
            wait_until(lambda: "hello.php" in self.text(access), 5, "a line in the new file")
        finally:
            over.set()
            thread.join()
        self.ask("rotated", "/slow.php", query="last")
        wait_until(lambda: "slow.php?last" in self.text(access), 5, "the last line")
        wait_until(lambda: "slow.php" in self.text(slow), 5, "an entry in the new slow log")
        wanted = ["/slow.php?n=0", *(f"/hello.php?n={i}" for i in range(1, n[0])), "/slow.php?last"]

        def found():
            return (self.text(access + ".1") + self.text(access)).splitlines()
        # Of several workers each writes its line after the answer.
        wait_until(lambda: len(found()) >= len(wanted), 5, "all lines")
        self.assertEqual(sorted(found()), sorted(wanted))
        self.assertIn("slow.php", self.text(slow + ".1"))
        for path in (access, slow):
            self.assertEqual(self.guest.run("stat", "-c", "%U", path).stdout.strip(), "fpmd")

    def test_a_link_of_the_site_to_the_log_of_another_pool_is_not_followed(self):
        self.guest.run("install", "-d", "-o", "site", "-g", "fpmd", "-m", "2775", "/srv/logs")
        self.logged("victim")
        self.logged("site-logs", **{"access.log": "/srv/logs/access.log", "slowlog": ""})
        for name in ("victim", "site-logs"):
            self.ask(name, "/hello.php", query="before")
        theirs = "/var/log/fpmd/victim.access.log"
        wait_until(lambda: "before" in self.text(theirs) and "before" in self.text("/srv/logs/access.log"),
                   5, "both logs have a line")
        self.guest.run("sh", "-c", "cd /srv/logs && mv access.log old && ln -s " + theirs + " access.log"
                       " && chown -h site access.log")
        done = self.guest.run("fpmctl", "reopen", "site-logs", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.ask("site-logs", "/hello.php", query="after")
        wait_until(lambda: "after" in self.text("/srv/logs/old"), 5, "the line is in the open file")
        self.assertNotIn("after", self.text(theirs))
        self.wait_record(POOL="site-logs", MESSAGE_ID=message_id("LOG_FILE"),
                         where=lambda r: "cannot be opened anew" in r["MESSAGE"])

    def test_a_full_disk_holds_up_nobody(self):
        self.logged("full", **{"access.log": "/dev/full", "slowlog": "/dev/full"})
        for i in range(3):
            self.assertEqual(self.ask("full", "/slow.php").text, "done")
        record = self.wait_record(POOL="full", MESSAGE_ID=message_id("LOG_FILE"),
                                  where=lambda r: r["MESSAGE"].startswith("slowlog"))
        self.assertIn("slowlog = /dev/full cannot be written: No space left on device",
                      record["MESSAGE"])
        self.assertEqual(record["PATH"], "/dev/full")

        def lost():
            self.ask("full", "/hello.php")  # a worker tells its count with its next request
            return self.status("full")["records_dropped"]
        wait_until(lambda: lost() >= 3, 5, "the count of lost lines")
        self.wait_record(POOL="full", MESSAGE_ID=message_id("LOG_FILE"), timeout=15,
                         where=lambda r: "lines of access.log were dropped" in r["MESSAGE"])
        told = [r["MESSAGE"] for r in self.records("full", MESSAGE_ID=message_id("LOG_FILE"))]
        self.assertEqual(len([m for m in told if m.startswith("slowlog")]), 1, told)
        of_workers = [m for m in told if "lines of access.log were dropped" in m]
        self.assertIn(len(of_workers), (1, 2), told)

    def test_a_pipe_that_nobody_empties_holds_up_nobody(self):
        path = "/var/log/fpmd/pipe"
        self.guest.run("sh", "-c", f"mkfifo {path}; chown fpmd {path}")
        self.addCleanup(self.guest.path(path).unlink)
        self.assertTrue(stat.S_ISFIFO(os.stat(self.guest.path(path)).st_mode))
        reader = os.open(self.guest.path(path), os.O_RDONLY | os.O_NONBLOCK)
        try:
            self.logged("piped", **{"access.log": path})
            query = "q" * 8000
            for _ in range(20):  # more than a pipe holds
                self.assertEqual(self.ask("piped", "/hello.php", query=query, timeout=5).text,
                                 "Hello World\n")
            wait_until(lambda: self.status("piped")["records_dropped"] > 0, 5, "lost lines")
            data = os.read(reader, 1 << 20)
            self.assertEqual({len(line) for line in data.decode().splitlines()},
                             {len("/hello.php?") + 8000})
        finally:
            os.close(reader)


if __name__ == "__main__":
    main()
