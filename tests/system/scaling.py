"""How many workers a pool has: static, dynamic, ondemand, and their replacement by number of requests."""

import contextlib
import json
import time

from background import Background
from suite import GuestCase, in_parallel, inner_pid, load, main, message_id, wait_until


class Scaling(GuestCase):
    nginx = False

    def counts(self, name):
        status = self.status(name)
        return status["active"], status["idle"]

    def total(self, name):
        return len(self.status(name)["workers"])

    def waits(self, name, count, ms):
        """count requests at once; their answers as dicts."""
        return in_parallel(count, lambda i: json.loads(
            self.ask(name, "/wait.php", query=f"ms={ms}").text))

    @contextlib.contextmanager
    def held(self, name, count, workers):
        """count requests at once that run until the block is left, which begins when so many workers have
        one each."""
        gate = self.close_gate(name)
        requests = Background(in_parallel, count, lambda i: self.ask(name, "/gate.php", **gate).text)
        try:
            yield self.wait_running(name, "/gate.php", workers)
        finally:
            self.open_gate(name)
        self.assertEqual(requests.result(60), ["through"] * count)

    # ---- static ----

    def test_static_runs_all_workers_from_the_start(self):
        self.pool("static", children=5)
        self.ask("static", "/hello.php")
        wait_until(lambda: self.counts("static") == (0, 5), 10, "five idle workers")

    def test_static_serves_as_many_at_once_as_it_has_workers(self):
        self.pool("equal", children=5)
        self.ask("equal", "/hello.php")
        wait_until(lambda: self.counts("equal") == (0, 5), 10, "five idle workers")
        with self.held("equal", 5, 5) as workers:
            self.assertEqual(len({w["pid"] for w in workers}), 5)

    def test_requests_beyond_the_limit_wait_and_are_served(self):
        self.pool("queue", children=2)
        self.ask("queue", "/hello.php")
        wait_until(lambda: self.counts("queue") == (0, 2), 10, "two idle workers")
        answers = self.waits("queue", 6, 200)
        self.assertEqual(len({a["pid"] for a in answers}), 2)

    # ---- dynamic ----

    def dynamic(self, name, **more):
        settings = dict(pm_start_servers=2, pm_min_spare_servers=2, pm_max_spare_servers=3)
        settings.update(more)
        self.pool(name, pm="dynamic", children=8, **settings)
        self.guest.systemctl("start", f"fpmd@{name}.service")

    def test_dynamic_starts_with_start_servers(self):
        self.dynamic("dynamic")
        wait_until(lambda: self.counts("dynamic") == (0, 2), 10, "two idle workers")
        time.sleep(0.5)
        self.assertEqual(self.total("dynamic"), 2)
        self.assertEqual(self.ask("dynamic", "/hello.php").text, "Hello World\n")

    def test_dynamic_keeps_spares_while_busy(self):
        """Two at least: where an idle worker did not take its connection at once, one more was started
        for that."""
        self.dynamic("spares")
        with self.held("spares", 3, 3):
            busy, spare = wait_until(lambda: (c := self.counts("spares"))[1] >= 2 and c, 10, "two spare")
            self.assertEqual(busy, 3)
            self.assertLessEqual(busy + spare, 8)

    def test_dynamic_grows_to_its_limit_and_shrinks_again(self):
        self.dynamic("grows")
        with self.held("grows", 12, 8):
            self.assertEqual(self.total("grows"), 8)
        wait_until(lambda: self.total("grows") <= 3, 30, "at most three spares", step=0.2)
        time.sleep(1)
        self.assertGreaterEqual(self.total("grows"), 2)
        self.assertEqual(self.ask("grows", "/hello.php").text, "Hello World\n")

    # ---- ondemand ----

    def idle_ondemand(self, name, children=16, timeout="1s"):
        self.pool(name, pm="ondemand", children=children, pm_process_idle_timeout=timeout)
        self.ask(name, "/hello.php")
        wait_until(lambda: self.total(name) == 0, 10, "no worker", step=0.1)

    def test_ondemand_has_no_worker_when_idle(self):
        self.idle_ondemand("idle")
        self.assertEqual(self.ask("idle", "/hello.php").text, "Hello World\n")

    def test_sixteen_requests_at_once_all_run_within_100_ms(self):
        """The best of ten at most, since the clients of the test share two cores with the pool."""
        self.idle_ondemand("burst")
        spans = []
        for _ in range(10):
            start = time.time()
            answers = self.waits("burst", 16, 2000)
            self.assertEqual(len({a["pid"] for a in answers}), 16)
            spans.append(max(a["begin"] for a in answers) - start)
            if spans[-1] <= 0.1:
                return
            wait_until(lambda: self.total("burst") == 0, 10, "no worker", step=0.1)
        self.fail(f"the last of 16 requests began after {spans} s")

    def test_an_idle_worker_that_hangs_does_not_keep_others_waiting(self):
        self.pool("hangs", pm="ondemand", children=16, pm_process_idle_timeout="60s")
        self.ask("hangs", "/hello.php")
        _, _, workers = self.pids("hangs")
        self.guest.run("kill", "-STOP", inner_pid(workers[0]))
        try:
            start = time.monotonic()
            self.assertEqual(self.ask("hangs", "/hello.php").text, "Hello World\n")
            self.assertLess(time.monotonic() - start, 15)
        finally:
            self.guest.run("kill", "-CONT", inner_pid(workers[0]), check=False)

    def test_ondemand_keeps_to_its_limit(self):
        self.idle_ondemand("few", children=3)
        answers = self.waits("few", 9, 200)
        self.assertEqual(len({a["pid"] for a in answers}), 3)

    def test_workers_in_use_are_not_ended(self):
        self.idle_ondemand("used", timeout="3s")
        last = self.waits("used", 1, 1)[0]["pid"]
        served = []
        for _ in range(12):
            time.sleep(0.4)
            self.assertIn(last, [w["pid"] for w in self.status("used")["workers"]])
            last = self.waits("used", 1, 1)[0]["pid"]
            served.append(last)
        # One that the machine holds up has another one beside it for a while.
        self.assertGreater(max(served.count(pid) for pid in served), 2)

    # ---- limits ----

    def test_reaching_the_limit_is_recorded_once(self):
        self.pool("limit", pm="ondemand", children=2)
        self.waits("limit", 8, 300)
        self.wait_record(POOL="limit", MESSAGE_ID=message_id("CHILDREN_LIMIT"))
        self.assertEqual(len(self.records("limit", MESSAGE_ID=message_id("CHILDREN_LIMIT"))), 1)
        self.assertEqual(self.status("limit")["limit_reached"], 1)

    def test_max_requests_replaces_workers(self):
        self.pool("recycled", children=1, pm_max_requests=5)
        pids = [self.waits("recycled", 1, 0)[0]["pid"] for _ in range(20)]
        runs = [pids.count(p) for p in dict.fromkeys(pids)]
        self.assertEqual(runs, [5, 5, 5, 5])

    def test_max_requests_loses_nothing_under_load(self):
        self.pool("mill", children=4, pm_max_requests=10)
        self.ask("mill", "/hello.php")
        with load(self.socket("mill"), "/srv/www/hello.php", clients=8, seconds=4,
                  expect="Hello World\n") as running:
            result = running.result()
        self.assertEqual(result["failed"], 0, result)
        self.assertGreater(result["ok"], 200, result)
        self.assertGreater(self.status("mill")["workers_started"], 15)
        self.assertEqual(self.status("mill")["workers_crashed"], 0)

    def test_a_successor_serves_while_the_last_request_runs(self):
        """A worker says that it takes its last request, and another is ordered at once."""
        self.pool("successor", children=1, pm_max_requests=2)
        self.ask("successor", "/hello.php")
        with self.held("successor", 1, 1):
            wait_until(lambda: self.status("successor")["draining"] == 1, 10, "it leaves")
            self.assertEqual(self.ask("successor", "/hello.php").status, 200)
        self.assertEqual(self.status("successor")["absurd_messages"], 0)

    def test_hot_workers_stay_hot(self):
        """The earliest registered idle worker is woken first: one client is served by one of eight."""
        self.pool("hot", children=8)
        self.ask("hot", "/hello.php")
        wait_until(lambda: self.counts("hot") == (0, 8), 10, "eight idle workers")
        pids = [self.waits("hot", 1, 0)[0]["pid"] for _ in range(40)]
        self.assertGreater(max(pids.count(p) for p in set(pids)), 30)


if __name__ == "__main__":
    main()
