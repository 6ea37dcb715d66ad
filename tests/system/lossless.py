"""No request is lost: reloads, re-execs, restarts, idle exits, crashes of every process, each under clients
of every kind (unix and TCP, a connection per request and kept-alive, GET and POST), every request counted.

Kept-alive connections are never closed at a reload, a re-exec, the end of a template or of a worker whose
turn is over. At a restart and a crash their clients count as a web server does: a connection that is
closed without a byte of an answer is opened again once for that request.

FPMD_LOSSLESS_FULL=1: the whole of it, for hands (1,000 idle exits, a script of 30 s, 60 s of reloads, the
times that a quiet machine keeps), some six minutes.
"""

import contextlib
import json
import os
import re
import signal
import statistics
import threading
import time

from background import Background
from loss.crowd import Events, crowd, losses, problems, summary, total
from loss.footprint import MEMORY_MARGIN_KB, footprint, grown, memory_kb
from suite import (GuestCase, executable, in_parallel, inner_pid, load, main, message_id, percentile,
                   sent_at, wait_until, write_pool)

FULL = os.environ.get("FPMD_LOSSLESS_FULL") == "1"
PHP_FPM = "php8.2-fpm.service"
PHP_FPM_SOCKET, PHP_FPM_PORT = "/run/php/loss.sock", 9399
CHILDREN = 8


class LossCase(GuestCase):
    """Pools that listen at a path and a port, and crowds of their clients."""

    nginx = False
    ports = {}

    def setUp(self):
        super().setUp()
        self.events = Events()

    def pool_of_two(self, name, children=CHILDREN, drop_in="", **settings):
        """A pool at its path and at a port; serves one request."""
        port = self.ports.setdefault(name, 9300 + len(self.ports))
        self.guest.write(f"/run/systemd/system/fpmd@{name}.socket.d/loss.conf",
                         f"[Socket]\nListenStream=127.0.0.1:{port}\n")
        self.addCleanup(self.guest.run, "rm", "-rf", f"/run/systemd/system/fpmd@{name}.socket.d",
                        f"/run/systemd/system/fpmd@{name}.service.d")
        if drop_in:
            self.guest.write(f"/run/systemd/system/fpmd@{name}.service.d/loss.conf",
                             f"[Service]\n{drop_in}\n")
        self.guest.systemctl("daemon-reload")
        self.settings = dict(children=children, listen=f"/run/fpmd/{name}.sock 127.0.0.1:{port}",
                             **settings)
        self.pool(name, **self.settings)
        self.ask(name, "/hello.php")
        # A worker may serve before systemd has read READY=1, and systemd drops a reload of what starts.
        wait_until(lambda: self.guest.properties(f"fpmd@{name}", "ActiveState")["ActiveState"] == "active",
                   10, f"{name} is active")

    def crowd(self, name, **options):
        return crowd(self.guest, f"/run/fpmd/{name}.sock", self.ports[name], events=self.events,
                     **options)

    def show(self, text):
        print(f"      {self.id().rsplit('.', 1)[-1].replace('test_', '').replace('_', ' ')}: {text}",
              flush=True)

    def nothing_is_lost(self, clients, strict=False, least=100):
        """Ends the crowd; returns its results."""
        self.assertTrue(clients.running(), "the clients left before it was over")
        results = clients.results()
        lines = problems(results, self.events, strict)
        if lines:
            self.fail("\n".join([summary(results)] + lines))
        self.assertGreater(total(results, "ok"), least, results)
        return results

    def main_pid(self, name):
        return int(self.guest.properties(f"fpmd@{name}", "MainPID")["MainPID"])

    def kill(self, number, *inner_pids):
        for pid in inner_pids:
            self.guest.run("kill", f"-{number}", pid, check=False)

    def is_serving(self, name, children=CHILDREN):
        """Whether the manager says that all workers are there."""
        with contextlib.suppress(Exception):
            status = self.status(name)
            return status["state"] == "ready" and status["active"] + status["idle"] >= children

    def wait_serving(self, name, children=CHILDREN):
        wait_until(lambda: self.is_serving(name, children), 20, f"{name} serves with all its workers")

    def wait_requests(self, name, more=200):
        """The clients of a crowd take their time to begin."""
        begun = self.status(name)["requests"]
        wait_until(lambda: self.status(name)["requests"] >= begun + more, 30, f"{more} more requests")

    def wait_not_grown(self, name, before):
        """Nothing more of the machine than before; what still ends is waited for."""
        more = ["unknown"]

        def look():
            with contextlib.suppress(OSError):  # a process has gone meanwhile
                more[:] = grown(before, footprint(self.guest, f"fpmd@{name}.service"))
            return more == []
        try:
            wait_until(look, 10)
        except AssertionError:
            raise AssertionError(f"more than before: {more}") from None

    def slow(self, name, query, script="/load.php"):
        """A request in the background; returns a function that waits for its answer."""
        answer = []

        def ask():
            try:
                answer.append(self.ask(name, script, query=query, timeout=90))
            except Exception as error:  # handed over below
                answer.append(error)

        thread = threading.Thread(target=ask)
        thread.start()

        def result():
            thread.join(90)
            if not answer or isinstance(answer[0], Exception):
                self.fail(f"{query}: {answer}")
            return answer[0]

        wait_until(lambda: query in json.dumps(self.status(name)["workers"]), 10, f"{query} runs")
        return result

    def outages(self, clients, kills):
        """How long after each moment a request that came after it was answered, in seconds."""
        times = []
        samples = clients.samples()
        for killed in kills:
            later = [end for end, latency in samples if end - latency > killed + 0.03]
            times.append(min(later, default=float("inf")) - killed)
        return times


# What a file can have wrong, each found at another step of a start.
BROKEN = [{"nonsense": "1"}, {"user": "nobody-of-that-name"}, {"runtime": "php0.0"},
          {"php_admin_value__opcache__preload": "/srv/www/preload-fails.php"}]


class Reload(LossCase):
    @classmethod
    def prepare(cls, guest):
        guest.write("/srv/www/preload-fails.php", "<?php throw new Exception('not today');")
        guest.write("/srv/www/preload-hangs.php", "<?php sleep(100);")

    def reload(self, name, broken=None):
        """One systemctl reload of the good file or a broken one; its exit status is checked."""
        write_pool(self.guest, name, **{**self.settings, **(broken or {})})
        self.events.add("reload of a broken file" if broken else "reload")
        begin = time.monotonic()
        done = self.guest.systemctl("reload", f"fpmd@{name}", check=False)
        self.spans.append((begin, time.monotonic()))
        self.assertEqual(done.returncode, 1 if broken else 0, f"{broken}: {done.stderr}")

    def test_fifty_reloads_half_of_them_refused(self):
        pace = 1.2 if FULL else 0.8
        self.pool_of_two("reload")
        self.spans = []
        with self.crowd("reload", strict=True) as clients:
            for i in range(4):  # what comes once and stays is not a leak
                self.reload("reload", BROKEN[i] if i % 2 else None)
            self.wait_requests("reload")
            self.nothing_is_lost(clients, strict=True)
        self.start_porter("reload")
        self.settle("reload")
        before = footprint(self.guest, "fpmd@reload.service")
        memory = memory_kb(self.guest, "fpmd@reload.service")
        status = self.status("reload")
        self.spans = []
        with self.crowd("reload", seconds=50 * pace + 30, strict=True) as clients:
            time.sleep(4)
            steady = time.monotonic()
            for i in range(50):
                due = time.monotonic() + pace
                self.reload("reload", BROKEN[i // 2 % len(BROKEN)] if i % 2 else None)
                time.sleep(max(0, due - time.monotonic()))
            over = time.monotonic()
            self.events.add("the last reload")
            results = self.nothing_is_lost(clients, strict=True)
            samples = clients.samples("unix", "tcp")
        quiet = percentile([latency for end, latency in samples if end < steady], 99)
        loud = percentile([latency for end, latency in samples if steady <= end <= over], 99)
        self.show(f"{summary(results)}; p99 {quiet * 1000:.1f} ms steady, {loud * 1000:.1f} ms during "
                  f"reloads; a reload took {statistics.median(e - b for b, e in self.spans):.2f} s")
        for counter in ("reloads", "reloads_refused"):
            self.assertEqual(self.status("reload")[counter], status[counter] + 25, counter)
        self.settle("reload")
        self.wait_not_grown("reload", before)
        self.assertLess(memory_kb(self.guest, "fpmd@reload.service") - memory, MEMORY_MARGIN_KB)
        # Elsewhere than on a quiet machine only what waits until something else happens is told apart.
        self.assertLess(loud, 1.5 * quiet if FULL else max(5 * quiet, 2))

    def settle(self, name):
        """Old generations have gone, and so have the connections of the clients."""
        self.wait_serving(name)
        wait_until(lambda: len(self.pids(name)[1]) == 1, 10, "one template")
        wait_until(lambda: sum(int(w.get("connections", 0)) for w in self.status(name)["workers"]) == 0,
                   10, "no connections")

    def test_a_runtime_that_hangs_in_its_start_is_refused(self):
        self.pool_of_two("hang")
        self.spans = []
        # The good file keeps its own limit: a start may take longer on a machine with other work.
        hang = {"php_admin_value__opcache__preload": "/srv/www/preload-hangs.php", "pm_start_timeout": "1s"}
        with self.crowd("hang", strict=True) as clients:
            self.reload("hang", hang)
            begin, end = self.spans[0]
            self.assertLess(end - begin, 20)  # the script would take 100 s
            self.reload("hang")
            self.wait_requests("hang")
            self.nothing_is_lost(clients, strict=True)
        self.wait_record(POOL="hang", MESSAGE_ID=message_id("RELOAD_REFUSED"))
        wait_until(lambda: len(self.pids("hang")[1]) == 1, 10, "the template that hung has gone")

    def test_workers_whose_turn_is_over_lose_nothing(self):
        self.pool_of_two("turns", pm_max_requests=20)
        with self.crowd("turns", strict=True) as clients:
            time.sleep(5)
            results = self.nothing_is_lost(clients, strict=True)
        started = self.status("turns")["workers_started"]
        self.show(f"{summary(results)}; {started} workers")
        self.assertGreater(started, total(results, "ok") / 20 - 2 * CHILDREN)
        self.assertEqual(self.status("turns")["workers_crashed"], 0)

    def test_a_slow_script_survives_reloads_and_a_reexec(self):
        ms, distance = (30000, 4) if FULL else (15000, 1)
        self.pool_of_two("slow")
        self.spans = []
        with self.crowd("slow", strict=True) as clients:
            query = f"id=1111222233334444&ms={ms}&{self.close_gate('slow')['query']}"
            answer = self.slow("slow", query)
            for _ in range(3):
                self.reload("slow")
                time.sleep(distance)
            self.events.add("re-exec")
            self.guest.run("fpmctl", "reexec", "slow")
            self.assertIn(query, json.dumps(self.status("slow")["workers"]))
            self.open_gate("slow")
            self.wait_requests("slow")
            self.nothing_is_lost(clients, strict=True)
        self.assertTrue(answer().text.startswith("1111222233334444 0 "), answer().text)
        wait_until(lambda: len(self.pids("slow")[1]) == 1, 5, "the old template has gone")


class Replace(LossCase):
    """Every process of a pool is replaced or killed."""

    @classmethod
    def prepare(cls, guest):
        guest.write("/srv/www/child.php",
                    "<?php $p = proc_open(['sh', '-c', 'while [ ! -e /srv/www/gates/child ]; do sleep 0.1;"
                    " done; exit 7'], [], $pipes);\n"
                    "echo 'status ', proc_close($p);")

    def test_twenty_restarts(self):
        self.pool_of_two("restart")
        with self.crowd("restart") as clients:
            for _ in range(20):
                self.events.add("restart")
                self.guest.systemctl("restart", "fpmd@restart")
                time.sleep(0.3)
            results = self.nothing_is_lost(clients)
        self.show(summary(results))
        self.assertEqual(self.guest.properties("fpmd@restart.socket", "ActiveState")["ActiveState"],
                         "active")

    def test_twenty_reexecs(self):
        self.pool_of_two("reexec")
        pid, _, workers = self.full("reexec", CHILDREN)
        with self.crowd("reexec", strict=True) as clients:
            for _ in range(3):
                self.guest.run("fpmctl", "reexec", "reexec")
            self.wait_requests("reexec")
            self.nothing_is_lost(clients, strict=True)
        self.start_porter("reexec")
        before = footprint(self.guest, "fpmd@reexec.service")
        memory = memory_kb(self.guest, "fpmd@reexec.service")
        with self.crowd("reexec", strict=True) as clients:
            for _ in range(20):
                self.events.add("re-exec")
                self.guest.run("fpmctl", "reexec", "reexec")
                time.sleep(0.2)
            self.wait_requests("reexec")
            results = self.nothing_is_lost(clients, strict=True)
        self.show(summary(results))
        self.assertEqual(self.pids("reexec")[0], pid)
        self.assertEqual(sorted(self.pids("reexec")[2]), sorted(workers))
        self.wait_not_grown("reexec", before)
        self.assertLess(memory_kb(self.guest, "fpmd@reexec.service") - memory, MEMORY_MARGIN_KB)

    def test_twenty_kills_of_the_template(self):
        """Four in each of five pools, since a pool whose template keeps dying takes its time."""
        names = [f"template{i}" for i in range(5)]
        for name in names:
            self.pool_of_two(name, children=2)
        with contextlib.ExitStack() as stack:
            crowds = [stack.enter_context(self.crowd(name, clients=1, seconds=120, strict=True))
                      for name in names]
            in_parallel(len(names), lambda i: self.kill_templates(names[i]))
            for clients in crowds:
                results = self.nothing_is_lost(clients, strict=True)
                self.show(summary(results))

    def kill_templates(self, name):
        for _ in range(4):
            self.wait_serving(name, 2)
            # Both of one look: who is no worker of the status may be one that is just leaving.
            status = wait_until(lambda: (s := self.status(name))["template_pid"] and s, 20, "a template")
            generation = status["generation"]
            self.events.add(f"kill -9 of the template of {name}")
            self.kill("KILL", status["template_pid"])
            wait_until(lambda g=generation: self.status(name)["generation"] > g, 20,
                       "another generation", step=0.1)

    def test_twenty_kills_of_the_manager(self):
        self.pool_of_two("manager")
        restart = 0.5  # RestartSec=
        kills = []
        with self.crowd("manager", seconds=120) as clients:
            for _ in range(20):
                self.wait_serving("manager")
                pid = self.main_pid("manager")
                kills.append(time.monotonic())
                self.events.add("kill -9 of the manager")
                self.kill("KILL", pid)
                wait_until(lambda p=pid: self.main_pid("manager") not in (0, p), 10, "another manager")
            self.wait_serving("manager")
            time.sleep(0.5)
            results = self.nothing_is_lost(clients)
            times = self.outages(clients, kills)
        self.show(f"{summary(results)}; served again after {statistics.median(times):.2f} s, at most "
                  f"{max(times):.2f} s, RestartSec={restart}")
        self.assertLess(max(times), restart + (0.2 if FULL else 10))
        self.assertEqual(self.guest.properties("fpmd@manager", "NRestarts")["NRestarts"], "20")

    def test_a_stopped_manager_is_ended_by_the_watchdog(self):
        self.pool_of_two("watchdog", drop_in="WatchdogSec=2")
        with self.crowd("watchdog", seconds=60) as clients:
            answer = self.slow("watchdog", "id=aaaabbbbccccdddd&ms=5000")
            pid = self.main_pid("watchdog")
            stopped = time.monotonic()
            self.events.add("SIGSTOP of the manager")
            self.kill("STOP", pid)
            wait_until(lambda: self.main_pid("watchdog") not in (0, pid), 15, "another manager")
            took = time.monotonic() - stopped
            self.wait_serving("watchdog", CHILDREN - 1)
            results = self.nothing_is_lost(clients)
            self.assertTrue(answer().text.startswith("aaaabbbbccccdddd 0 "), answer().text)
        self.show(f"{summary(results)}; another manager after {took:.1f} s")

    def test_a_child_that_a_script_waits_for_survives_a_restart(self):
        self.pool_of_two("child")
        self.close_gate("child")
        answer = self.slow("child", "wait=1", script="/child.php")
        wait_until(lambda: any(executable(p) in ("sh", "dash", "sleep")
                               for p in self.guest.processes("fpmd@child.service")), 10, "the child runs")
        restart = Background(self.guest.systemctl, "restart", "fpmd@child")
        wait_until(lambda: self.guest.properties("fpmd@child", "ActiveState")["ActiveState"]
                   == "deactivating", 10, "the pool stops")
        self.open_gate("child")
        self.assertEqual(answer().text, "status 7")
        restart.result(60)


class Workers(LossCase):
    """Workers that are killed: exactly the requests that they ran are affected."""

    MS = 400  # of a request: a worker can be caught in the middle of it

    def running(self, name):
        """{pid in the guest: (id, seconds since it began)} of the requests that run."""
        found = {}
        for worker in self.status(name)["workers"]:
            ids = re.findall(r"[?&]id=([0-9a-f]{16})", worker["uri"])
            if worker["state"] == "running" and ids:
                found[int(worker["pid"])] = ids[0], worker["request_age_usec"] / 1e6
        return found

    def catch(self, name):
        """Stops a worker in the middle of a request: (pid, the request's id)."""
        def look():
            for pid in self.running(name):
                self.kill("STOP", pid)
                request, age = self.running(name).get(pid, (None, 0))  # it cannot change any more
                if request and age < 0.8 * self.MS / 1000:
                    return pid, request
                self.kill("CONT", pid)
            return None
        return wait_until(look, 10, "a busy worker")

    def kill_caught(self, name, number, count):
        """Kills so many workers in the middle of a request; the ids of those requests."""
        ids = []
        for _ in range(count):
            pid, request = self.catch(name)
            ids.append(request)
            self.events.add(f"kill -{number} of the worker that ran {request}")
            self.kill(number, pid)
            self.kill("CONT", pid)
            time.sleep(0.05)
        return ids

    def failures(self, results, **fields):
        """Sorted ids of the requests that failed so."""
        return sorted(f["id"] for r in results.values() for f in r["failures"]
                      if all(f[key] == value for key, value in fields.items()))

    def test_sixty_busy_workers_are_killed(self):
        """Clients with a connection per request see it; kept-alive ones repeat the request, once."""
        self.pool_of_two("killed")
        with self.crowd("killed", seconds=120, ms=self.MS) as clients:
            ids = self.kill_caught("killed", "KILL", 60)
            self.assertTrue(clients.running())
            results = clients.results()
        self.show(summary(results))
        why = "\n".join(problems(results, self.events))
        lost = self.failures(results, kind="closed")
        self.assertEqual(lost, self.failures(results), why)
        # A kept connection's first request is as good as one on a connection of its own.
        fresh = {i for i in ids if "kept" not in clients.kind_of(i)}
        self.assertEqual(fresh - set(lost), set(), why)
        self.assertEqual(set(lost) - set(ids), set(), why)
        wait_until(lambda: self.status("killed")["workers_crashed"] >= 60, 5, "all are counted")
        self.assertEqual(self.status("killed")["workers_crashed"], 60)

    def test_forty_workers_abort_and_their_clients_get_500(self):
        """Half of them from outside, half by themselves."""
        self.pool_of_two("aborts")
        with self.crowd("aborts", seconds=120, ms=self.MS) as clients:
            ids = self.kill_caught("aborts", "ABRT", 20)
            for _ in range(5):
                answers = in_parallel(4, lambda i: self.ask("aborts", "/load.php",
                                                            query=f"id=000000000000000{i}&die=6"))
                self.assertEqual([answer.status for answer in answers], [500] * 4)
            self.assertTrue(clients.running())
            results = clients.results()
        self.show(summary(results))
        self.assertEqual(self.failures(results), sorted(ids), "\n".join(problems(results, self.events)))
        self.assertEqual(self.failures(results, kind="status", status=500), sorted(ids))
        wait_until(lambda: self.status("aborts")["workers_crashed"] >= 40, 5, "all are counted")
        self.assertEqual(self.status("aborts")["workers_crashed"], 40)

    def test_all_workers_are_killed_at_once(self):
        self.pool_of_two("all")
        kills, limit = [], 0
        with self.crowd("all", seconds=60) as clients:
            for _ in range(5):
                time.sleep(1)
                self.wait_serving("all")
                workers = self.pids("all")[2]
                kills.append(time.monotonic())
                self.events.add("kill -9 of all workers")
                for pid in workers:
                    os.kill(pid, signal.SIGKILL)
                limit += len(workers)
            time.sleep(1)
            self.assertTrue(clients.running())
            results = clients.results()
            times = self.outages(clients, kills)
        self.show(f"{summary(results)}; served again after {statistics.median(times) * 1000:.0f} ms, at "
                  f"most {max(times) * 1000:.0f} ms")
        why = "\n".join(problems(results, self.events))
        self.assertLessEqual(total(results, "failed"), limit, why)
        # Some die in the middle of an answer, and no answer is wrong.
        gone = self.failures(results, kind="closed") + self.failures(results, kind="cut")
        self.assertEqual(len(gone), total(results, "failed"), why)
        self.assertLess(max(times), 0.1 if FULL else 5)


class Idle(LossCase):
    """Pools that leave because nobody comes, and clients that come just then."""

    POOLS = 12
    LEAVES = 1000 if FULL else 100

    def test_pools_that_leave_while_clients_come(self):
        names = [f"idle{i:02}" for i in range(self.POOLS)]
        for i, name in enumerate(names):
            self.guest.write(f"/run/systemd/system/fpmd@{name}.socket.d/loss.conf",
                             f"[Socket]\nListenStream=127.0.0.1:{9400 + i}\n")
            self.pool(name, pm="ondemand", children=2, idle_exit="1s", start=False,
                      listen=f"/run/fpmd/{name}.sock 127.0.0.1:{9400 + i}")
        self.addCleanup(self.guest.run, "sh", "-c", "rm -rf /run/systemd/system/fpmd@idle*")
        self.guest.systemctl("daemon-reload")
        self.guest.systemctl("start", *(f"fpmd@{name}.socket" for name in names))
        paths = [str(self.socket(name)) for name in names]
        ports = [f"127.0.0.1:{9400 + i}" for i in range(self.POOLS)]
        third = self.POOLS // 3
        options = {"ids": True, "pause": (0.8, 1.7), "seconds": 60 + 2 * self.LEAVES}
        script = "/srv/www/load.php"
        with load(paths[:third], script, clients=third, seed=1, **options) as fresh, \
                load(ports[third:2 * third], script, clients=third, seed=2, network=self.guest,
                     **options) as tcp, \
                load(paths[2 * third:], script, clients=third, seed=3, keep=True, **options) as kept:
            wait_until(lambda: self.left() >= self.LEAVES, 20 + self.LEAVES, "enough have left", step=2)
            results = {"unix": fresh.stop(), "tcp": tcp.stop(), "unix, kept": kept.stop()}
        self.show(f"{summary(results)}; {self.left()} times a pool left")
        self.assertEqual(problems(results, self.events), [])
        self.assertEqual(self.guest.systemctl("list-units", "--failed", "--plain", "--no-legend",
                                              "fpmd@*").stdout, "")

    def left(self):
        return len(self.records(MESSAGE_ID=message_id("POOL_IDLE")))


class Boot(LossCase):
    """A pool that cannot start, and clients that wait for it."""

    def test_clients_wait_until_a_broken_php_ini_is_mended(self):
        self.guest.write("/etc/fpmd/boot.ini", "[PHP\nmemory_limit = (((\n")
        self.pool("boot", children=4, php_ini="/etc/fpmd/boot.ini")
        with load(self.socket("boot"), "/srv/www/load.php", clients=16, seconds=60, ids=True) as clients:
            wait_until(lambda: len(self.attempts()) >= 4, 20, "four attempts", step=0.2)
            self.assertTrue(clients.running())
            self.assertEqual(self.guest.properties("fpmd@boot.socket", "ActiveState")["ActiveState"],
                             "active")
            self.guest.write("/etc/fpmd/boot.ini", "memory_limit = 64M\n")
            mended = time.monotonic()
            wait_until(lambda: self.is_serving("boot", 4), 30, "the pool serves")
            took = time.monotonic() - mended
            time.sleep(0.5)
            results = {"unix": clients.stop()}
        self.assertEqual(problems(results, self.events), [])
        attempts = self.attempts()
        gaps = [b - a for a, b in zip(attempts, attempts[1:])]
        self.show(f"{summary(results)}; attempts at distances of "
                  f"{', '.join(f'{gap:.1f}' for gap in gaps)} s, served {took:.1f} s after the mend")
        self.assertGreater(min(gaps), 0.4)
        self.assertGreaterEqual(gaps[-1], gaps[0] - 0.2)

    def attempts(self):
        """When a start failed, in seconds: the first one, and those after which the pool waits."""
        return sorted(sent_at(r) for kind in ("START_FAILED", "POOL_WAITING")
                      for r in self.records(MESSAGE_ID=message_id(kind)))


class PhpFpm(LossCase):
    """What the same does to php-fpm; shown, not judged."""

    @classmethod
    def prepare(cls, guest):
        guest.path("/etc/systemd/system/php8.2-fpm.service").unlink()
        guest.path("/etc/php/8.2/fpm/pool.d/www.conf").unlink()
        # Kept connections take a worker each, so that there must be more of these than clients.
        for name, listen in (("loss", PHP_FPM_SOCKET), ("port", f"127.0.0.1:{PHP_FPM_PORT}")):
            guest.write(f"/etc/php/8.2/fpm/pool.d/{name}.conf", f"[{name}]\nuser = site\n"
                        f"listen = {listen}\npm = static\npm.max_children = {2 * CHILDREN}\n")

    def under(self, what, count, distance, action):
        self.restart()
        with crowd(self.guest, PHP_FPM_SOCKET, PHP_FPM_PORT, seconds=60, events=self.events,
                   timeout=5) as clients:
            time.sleep(0.5)
            for _ in range(count):
                action()
                time.sleep(distance)
            results = clients.results()
        self.show(f"{count} {what}: {losses(results)}")
        self.assertGreater(total(results, "ok"), 0)

    def restart(self):
        self.guest.systemctl("reset-failed", PHP_FPM, check=False)  # of its start limit
        self.guest.systemctl("restart", PHP_FPM)

    def kill_one(self, template):
        pids = self.guest.processes(PHP_FPM)
        main_pid = int(self.guest.properties(PHP_FPM, "MainPID")["MainPID"])
        self.kill("KILL", next(inner_pid(p) for p in pids if (inner_pid(p) == main_pid) == template))

    def test_for_comparison(self):
        self.under("reloads", 5, 0.8, lambda: self.guest.systemctl("reload", PHP_FPM))
        self.under("restarts", 3, 0.8, self.restart)
        self.under("kills of a worker", 10, 0.1, lambda: self.kill_one(False))
        self.under("kills of the master", 1, 1.5, lambda: self.kill_one(True))


if __name__ == "__main__":
    main()
