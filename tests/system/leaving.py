"""How a pool leaves: idle exit, drain and stop, and what happens to requests meanwhile."""

import os
import random
import signal
import time

import fastcgi
from background import Background
from suite import GuestCase, main, message_id, wait_until, write_pool

EXIT_IDLE = "77"


class Leaving(GuestCase):
    nginx = False

    def unit(self, name, *properties):
        return self.guest.properties(f"fpmd@{name}.service", *properties)

    def state(self, name):
        return self.unit(name, "ActiveState")["ActiveState"]

    def status_text(self, name):
        return self.unit(name, "StatusText")["StatusText"]

    def drop_in(self, name, text):
        path = f"/run/systemd/system/fpmd@{name}.service.d/test.conf"
        self.guest.write(path, text)
        self.guest.systemctl("daemon-reload")
        self.addCleanup(self.guest.systemctl, "daemon-reload")
        self.addCleanup(self.guest.path(path).unlink)

    def wait_gone(self, name, timeout=15):
        wait_until(lambda: self.state(name) == "inactive", timeout, "the pool has left", step=0.1)

    # ---- idle exit ----

    def test_an_idle_pool_leaves_and_the_next_request_starts_it(self):
        self.pool("idle", idle_exit="1s")
        self.assertEqual(self.ask("idle", "/hello.php").status, 200)
        self.wait_gone("idle")
        found = self.unit("idle", "Result", "ExecMainStatus", "NRestarts")
        self.assertEqual(found, {"Result": "success", "ExecMainStatus": EXIT_IDLE, "NRestarts": "0"})
        self.assertEqual(self.guest.processes("fpmd@idle.service"), [])
        self.wait_record(POOL="idle", MESSAGE_ID=message_id("POOL_IDLE"))
        self.assertEqual(self.guest.properties("fpmd@idle.socket", "ActiveState")["ActiveState"],
                         "active")
        self.assertEqual(self.ask("idle", "/hello.php").status, 200)

    def test_a_request_puts_off_the_idle_exit(self):
        self.pool("busy", idle_exit="4s")
        self.ask("busy", "/hello.php")
        pid = self.unit("busy", "MainPID")["MainPID"]
        for _ in range(5):
            time.sleep(1)
            self.assertEqual(self.ask("busy", "/hello.php").status, 200)
        self.assertEqual(self.ask("busy", "/wait.php", query="ms=5500").status, 200)
        self.assertEqual(self.unit("busy", "MainPID")["MainPID"], pid)
        self.wait_gone("busy")

    def test_twenty_idle_exits_under_random_arrivals_lose_no_request(self):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}", flush=True)
        dice = random.Random(seed)
        self.pool("often", children=2, pm="ondemand", idle_exit="1s")

        def left():
            return len(self.records("often", MESSAGE_ID=message_id("POOL_IDLE")))

        for i in range(100):
            # A machine with other work may leave late, and the request come first.
            if i >= 22 and left() >= 20:
                break
            self.assertEqual(self.ask("often", "/hello.php").text, "Hello World\n", f"seed {seed}")
            # Around the moment at which it leaves.
            time.sleep(1 + dice.uniform(-0.02, 0.15))
            self.assertEqual(self.ask("often", "/hello.php").text, "Hello World\n", f"seed {seed}")
            if i < 22:
                time.sleep(1 + dice.uniform(0.05, 0.2))
            else:
                self.wait_gone("often")
        self.assertGreaterEqual(left(), 20)
        self.assertEqual(self.guest.properties("fpmd@often.socket", "ActiveState")["ActiveState"],
                         "active")

    def test_a_pool_that_is_enabled_leaves_and_comes_back(self):
        self.pool("enabled", idle_exit="1s")
        self.guest.systemctl("enable", "fpmd@enabled.service")
        self.addCleanup(self.guest.systemctl, "disable", "fpmd@enabled.service")
        self.guest.systemctl("start", "fpmd@enabled.service")
        self.wait_gone("enabled")
        self.assertEqual(self.unit("enabled", "ExecMainStatus")["ExecMainStatus"], EXIT_IDLE)
        self.assertEqual(self.ask("enabled", "/hello.php").status, 200)

    def test_the_default_of_idle_exit(self):
        """static and dynamic stay; ondemand leaves, but after minutes only."""
        for pm, more in (("static", {}), ("ondemand", {}),
                         ("dynamic", dict(pm_start_servers=1, pm_min_spare_servers=1,
                                          pm_max_spare_servers=2))):
            self.pool(f"d{pm}", pm=pm, **more)
            self.ask(f"d{pm}", "/hello.php")
        time.sleep(4)
        for pm in ("static", "ondemand", "dynamic"):
            self.assertEqual(self.state(f"d{pm}"), "active")

    def test_a_kept_connection_is_closed_only_without_a_byte(self):
        self.pool("kept", idle_exit="1s")
        with fastcgi.Connection(self.socket("kept")) as connection:
            self.assertEqual(connection.request("/hello.php", keep=True).status, 200)
            self.wait_gone("kept")
        self.assertEqual(self.ask("kept", "/hello.php").status, 200)

    # ---- drain ----

    def ping(self, name):
        return self.ask(name, "/ping")

    def drained_pool(self, name, **settings):
        self.pool(name, **{"ping.path": "/ping"}, **settings)
        self.ask(name, "/hello.php")
        wait_until(lambda: self.status(name)["state"] == "ready", 10, "all its workers are there")

    def test_a_drain_says_503_to_pings_and_serves_the_rest(self):
        self.drained_pool("drain", children=3)
        self.assertEqual(self.ping("drain").status, 200)
        slow = Background(self.ask, "drain", "/wait.php", query="ms=3000")
        wait_until(lambda: self.status("drain")["active"] >= 1, 5, "the request runs")
        drain = Background(self.guest.run, "fpmctl", "drain", "drain", "--quiet=5s",
                           "--keep-socket", check=False)
        wait_until(lambda: self.ping("drain").status == 503, 5, "pings say 503")
        self.wait_record(POOL="drain", MESSAGE_ID=message_id("POOL_DRAINING"))
        wait_until(lambda: "Draining" in self.status_text("drain"), 5, "systemd has read that")
        self.assertEqual(self.status("drain")["state"], "draining")
        end = time.monotonic() + 3
        while time.monotonic() < end:
            self.assertEqual(self.ask("drain", "/hello.php").status, 200)
            time.sleep(0.3)
        self.assertEqual(slow.result().status, 200)
        self.assertTrue(drain.is_alive())
        quiet = time.monotonic()
        while drain.is_alive() and time.monotonic() - quiet < 20:
            time.sleep(0.25)
            if time.monotonic() - quiet < 1.5:
                self.assertEqual(self.ping("drain").status, 503)
        self.assertEqual(drain.result().returncode, 0)
        self.wait_gone("drain")
        self.assertEqual(self.unit("drain", "ExecMainStatus")["ExecMainStatus"], EXIT_IDLE)

    def test_new_workers_and_a_reload_keep_draining(self):
        self.drained_pool("reload", children=2)
        drain = Background(self.guest.run, "fpmctl", "drain", "reload", "--quiet=60s",
                           "--keep-socket", check=False)
        wait_until(lambda: self.ping("reload").status == 503, 5, "pings say 503")
        self.guest.run("fpmctl", "reload", "reload")
        self.assertEqual(self.status("reload")["state"], "draining")
        self.assertEqual(self.status("reload")["generation"], 2)
        self.assertEqual(self.ping("reload").status, 503)
        write_pool(self.guest, "reload", pm="sometimes")
        self.assertEqual(self.guest.run("fpmctl", "reload", "reload", check=False).returncode, 1)
        self.assertEqual(self.status("reload")["state"], "draining")
        self.assertEqual(self.ask("reload", "/hello.php").status, 200)
        # A stop comes first: it is one like any other.
        self.guest.systemctl("stop", "fpmd@reload.service")
        self.assertNotEqual(drain.result().returncode, 0)
        self.assertEqual(self.unit("reload", "ExecMainStatus")["ExecMainStatus"], "0")

    def test_a_pool_that_stops_cannot_be_drained(self):
        self.drained_pool("twice", children=1)
        manager = self.pids("twice")[0]
        slow = Background(self.ask, "twice", "/gate.php", **self.close_gate("twice"))
        wait_until(lambda: self.status("twice")["active"] >= 1, 5, "the request runs")
        os.kill(manager, signal.SIGTERM)
        wait_until(lambda: self.status("twice")["state"] == "stopping", 10, "it stops")
        done = self.guest.run("fpmctl", "drain", "twice", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("stopping", done.stdout + done.stderr)
        self.open_gate("twice")
        self.assertEqual(slow.result().status, 200)

    # ---- stop ----

    def run_on(self, name, ms):
        call = Background(self.ask, name, "/wait.php", query=f"ms={ms}", timeout=60)
        wait_until(lambda: self.status(name)["active"] >= 1, 5, "the request runs")
        return call

    def run_on_until_told(self, name):
        """Until open_gate(name)."""
        call = Background(self.ask, name, "/gate.php", timeout=60, **self.close_gate(name))
        wait_until(lambda: self.status(name)["active"] >= 1, 5, "the request runs")
        return call

    def wait_texts(self, name, count, is_one):
        """Waits until systemd has shown so many different texts of this kind."""
        seen = set()

        def look():
            seen.add(self.status_text(name))
            return len([text for text in seen if is_one(text)]) >= count
        try:
            wait_until(look, 15, "the texts", step=0.2)
        except AssertionError:
            raise AssertionError(f"only these texts: {seen}") from None

    def test_a_stop_counts_down(self):
        self.pool("count", process_control_timeout="20s")
        self.ask("count", "/hello.php")
        slow = self.run_on_until_told("count")
        self.guest.systemctl("stop", "--no-block", "fpmd@count.service")
        self.wait_texts("count", 3, lambda text: text.startswith("Stopping: 1 request finishes, "))
        self.open_gate("count")
        self.assertEqual(slow.result().status, 200)
        self.wait_gone("count")

    def test_a_stop_tells_the_time_that_the_unit_gives(self):
        self.pool("unit")
        self.ask("unit", "/hello.php")
        slow = self.run_on_until_told("unit")
        self.guest.systemctl("stop", "--no-block", "fpmd@unit.service")
        self.wait_texts("unit", 1, lambda text: " s left" in text or " s so far" in text)
        self.open_gate("unit")
        self.assertEqual(slow.result().status, 200)
        self.wait_gone("unit")

    def test_the_files_limit_may_be_longer_than_the_units(self):
        self.pool("longer", process_control_timeout="30s")
        self.drop_in("longer", "[Service]\nTimeoutStopSec=2\n")
        self.ask("longer", "/hello.php")
        slow = self.run_on("longer", 6000)
        self.guest.systemctl("stop", "fpmd@longer.service")
        self.assertEqual(slow.result().status, 200)
        self.assertEqual(self.unit("longer", "Result")["Result"], "success")

    def test_at_the_limit_of_the_file_each_client_gets_its_503(self):
        self.pool("limit", children=3, process_control_timeout="1s")
        self.ask("limit", "/hello.php")
        calls = [self.run_on("limit", 30000) for _ in range(3)]
        wait_until(lambda: self.status("limit")["active"] == 3, 5, "three requests run")
        start = time.monotonic()
        self.guest.systemctl("stop", "fpmd@limit.service")
        self.assertLess(time.monotonic() - start, 20)  # the requests would take 30 s
        self.assertEqual([call.result().status for call in calls], [503, 503, 503])
        self.wait_record(POOL="limit", MESSAGE_ID=message_id("DRAIN_LIMIT"))
        self.assertEqual(self.unit("limit", "Result")["Result"], "success")

    def test_at_the_limit_of_the_unit_the_sweep_says_503(self):
        self.pool("sweep", children=2)
        # Of the stop, and then of the sweep.
        self.drop_in("sweep", "[Service]\nTimeoutStopSec=4\n")
        self.ask("sweep", "/hello.php")
        calls = [self.run_on("sweep", 30000) for _ in range(2)]
        wait_until(lambda: self.status("sweep")["active"] == 2, 5, "two requests run")
        self.guest.systemctl("stop", "fpmd@sweep.service", check=False)
        self.assertEqual([call.result().status for call in calls], [503, 503])
        self.assertEqual(self.guest.processes("fpmd@sweep.service"), [])

    def test_the_time_of_an_earlier_generation(self):
        self.pool("earlier", children=2, process_control_timeout="6s")
        self.ask("earlier", "/hello.php")
        slow = self.run_on("earlier", 30000)
        write_pool(self.guest, "earlier", children=2)
        self.guest.systemctl("reload", "fpmd@earlier")
        wait_until(lambda: "1 of an earlier generation finishes" in self.status_text("earlier"), 5,
                   "the status says so")
        self.assertIn(1, [w["generation"] for w in self.status("earlier")["workers"]])
        self.assertEqual(self.ask("earlier", "/hello.php").status, 200)
        # The limit is that of the setup with which it was started.
        self.assertEqual(slow.result().status, 503)
        record = self.wait_record(POOL="earlier", MESSAGE_ID=message_id("DRAIN_LIMIT"))
        self.assertIn("generation 1", record["MESSAGE"])
        wait_until(lambda: self.status("earlier")["draining"] == 0, 5, "it has gone")
        wait_until(lambda: len(self.pids("earlier")[1]) == 1, 5, "its template has gone")


if __name__ == "__main__":
    main()
