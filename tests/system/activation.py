"""A pool is started by its first connection, and the shipped pool serves nginx as it comes."""

import re
import time

from suite import (GuestCase, alive, executable, in_parallel, main, message_id, proc, proc_status,
                   wait_until)


class Activation(GuestCase):
    def setUp(self):
        super().setUp()
        self.guest.systemctl("stop", "fpmd@www.socket", "fpmd@www.service")
        self.guest.systemctl("start", "fpmd@www.socket")

    def fpmd_processes(self):
        return [line for line in self.guest.run("ps", "-eo", "args").stdout.splitlines()
                if re.search(r"(/usr/sbin/fpmd|libexec/fpmd/)", line)]

    def test_nothing_runs_before_the_first_request(self):
        self.assertEqual(self.fpmd_processes(), [])
        self.assertEqual(self.guest.properties("fpmd@www", "ActiveState")["ActiveState"], "inactive")

    def test_a_socket_of_a_pool_without_a_file_does_not_start(self):
        done = self.guest.systemctl("start", "fpmd@nosuch.socket", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Assertion failed", done.stderr)
        self.guest.write("/usr/lib/fpmd/conf.d/vendor.conf", "[vendor]\n")
        self.guest.systemctl("start", "fpmd@vendor.socket")
        self.guest.systemctl("stop", "fpmd@vendor.socket")

    def test_curl_through_nginx_starts_the_pool(self):
        self.assertEqual(self.curl("http://127.0.0.1/hello.php"), "Hello World\n")
        self.assertTrue(self.fpmd_processes())
        # The first answer may come before systemd has read that the pool is ready.
        wait_until(lambda: self.guest.properties("fpmd@www", "ActiveState")["ActiveState"] == "active",
                   10, "the pool has started")

    def test_systemctl_status_shows_the_status_line(self):
        self.curl("http://127.0.0.1/hello.php")

        def status():
            # Not 0 while it is activating.
            out = self.guest.systemctl("status", "--no-pager", "fpmd@www", check=False).stdout
            found = re.search(r'Status: "(.*)"', out)
            return found and "active (running)" in out and \
                re.search(r"\d+ active, \d+ idle, .*\d.* req/s", found.group(1))

        wait_until(status, 10, "active (running), and a STATUS line with active, idle and the rate")

    def test_many_first_requests_at_once_are_all_served(self):
        bodies = in_parallel(16, lambda i: self.http("/hello.php").data)
        self.assertEqual(bodies, [b"Hello World\n"] * 16)

    def test_the_socket_belongs_to_the_web_server(self):
        out = self.guest.run("stat", "-c", "%U:%G %a %F", "/run/fpmd/www.sock").stdout.strip()
        self.assertEqual(out, "root:www-data 660 socket")

    def test_the_socket_is_named_fastcgi_and_removed_on_stop(self):
        names = self.guest.properties("fpmd@www.socket", "FileDescriptorName", "RemoveOnStop")
        self.assertEqual(names, {"FileDescriptorName": "fastcgi", "RemoveOnStop": "yes"})
        self.guest.systemctl("stop", "fpmd@www.socket")
        self.assertFalse(self.guest.path("/run/fpmd/www.sock").exists())

    def test_ready_is_recorded_with_its_fields(self):
        self.curl("http://127.0.0.1/hello.php")
        record = self.wait_record(MESSAGE_ID=message_id("POOL_READY"), POOL="www")
        self.assertEqual(record["_SYSTEMD_UNIT"], "fpmd@www.service")
        self.assertEqual(record["GENERATION"], "1")

    def test_the_manager_is_small_and_knows_no_php(self):
        for _ in range(20):
            self.http("/hello.php")
        pid, _, _ = self.pids("www")
        self.assertEqual(executable(pid), "fpmd")
        self.assertNotIn("libphp", proc(pid, "maps"))
        self.assertLessEqual(int(proc_status(pid)["VmRSS"].split()[0]), 4096, "kB of VmRSS")

    def test_stopping_leaves_no_process_and_the_socket_listening(self):
        self.curl("http://127.0.0.1/hello.php")
        pids = self.guest.processes("fpmd@www.service")
        self.assertGreaterEqual(len(pids), 3)
        self.guest.systemctl("stop", "fpmd@www.service")
        self.assertEqual([p for p in pids if alive(p)], [])
        self.assertEqual(self.guest.properties("fpmd@www.socket", "ActiveState")["ActiveState"],
                         "active")
        self.assertEqual(self.guest.properties("fpmd@www", "Result")["Result"], "success")
        self.assertEqual(self.curl("http://127.0.0.1/hello.php"), "Hello World\n")

    def test_the_watchdog_is_fed(self):
        """A manager that is stopped is replaced; one that runs is left alone longer than its limit."""
        self.guest.write("/run/systemd/system/fpmd@www.service.d/watchdog.conf",
                         "[Service]\nWatchdogSec=3s\n")
        self.addCleanup(self._no_drop_in)
        self.guest.systemctl("daemon-reload")
        self.serving("www")
        first = self.guest.properties("fpmd@www", "MainPID")["MainPID"]
        time.sleep(4)
        self.assertEqual(self.guest.properties("fpmd@www", "MainPID")["MainPID"], first)
        self.guest.run("kill", "-STOP", first)

        def replaced():
            seen = self.guest.properties("fpmd@www", "MainPID", "SubState")
            return seen["MainPID"] not in ("0", first) and seen["SubState"] == "running"

        wait_until(replaced, 30, "a new manager")
        self.assertEqual(self.curl("http://127.0.0.1/hello.php"), "Hello World\n")

    def _no_drop_in(self):
        self.guest.run("rm", "-rf", "/run/systemd/system/fpmd@www.service.d")
        self.guest.systemctl("daemon-reload")

    def test_a_pool_starts_at_boot_when_its_service_is_enabled(self):
        self.guest.systemctl("enable", "fpmd@www.socket", "fpmd@www.service")
        self.addCleanup(self.guest.systemctl, "disable", "fpmd@www.socket", "fpmd@www.service")
        wanted = self.guest.systemctl("list-dependencies", "--plain", "multi-user.target").stdout
        self.assertIn("fpmd@www.service", wanted)
        wanted = self.guest.systemctl("list-dependencies", "--plain", "sockets.target").stdout
        self.assertIn("fpmd@www.socket", wanted)

    def test_the_target_starts_and_stops_enabled_pools(self):
        self.guest.systemctl("enable", "fpmd@www.socket")
        self.addCleanup(self.guest.systemctl, "disable", "fpmd@www.socket")
        self.curl("http://127.0.0.1/hello.php")
        self.guest.systemctl("start", "fpmd.target")
        self.guest.systemctl("stop", "fpmd.target")

        def states():
            return [self.guest.properties(f"fpmd@www.{kind}", "ActiveState")["ActiveState"]
                    for kind in ("socket", "service")]

        wait_until(lambda: states() == ["inactive", "inactive"], 10, "all pools stopped")
        self.guest.systemctl("start", "fpmd.target")
        self.assertEqual(states()[0], "active")
        self.assertEqual(self.curl("http://127.0.0.1/hello.php"), "Hello World\n")


if __name__ == "__main__":
    main()
