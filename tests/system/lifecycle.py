"""Start, stop, restart, reload and crashes: what happens to requests, and that the socket survives all."""

import contextlib
import json
import os
import re
import signal
import socket
import threading
import time

import fastcgi
from suite import (GuestCase, alive, in_parallel, inner_pid, load, main, message_id, proc_status,
                   wait_until, write_pool)


class Background(threading.Thread):
    """A call in a thread of its own; result() waits for it and returns or raises what it did."""

    def __init__(self, function, *arguments, **options):
        super().__init__()
        self._call = lambda: function(*arguments, **options)
        self._value = self._error = None
        self.start()

    def run(self):
        try:
            self._value = self._call()
        except BaseException as error:  # handed over by result()
            self._error = error

    def result(self, timeout=30):
        self.join(timeout)
        if self.is_alive():
            raise AssertionError("still waiting")
        if self._error:
            raise self._error
        return self._value


class Lifecycle(GuestCase):
    nginx = False

    def waiter(self, name, ms):
        """A request that takes ms milliseconds, under way."""
        call = Background(self.ask, name, "/wait.php", query=f"ms={ms}")
        wait_until(lambda: self.status(name)["active"] >= 1, 5, "the request runs")
        return call

    def main_pid(self, name):
        return int(self.guest.properties(f"fpmd@{name}", "MainPID")["MainPID"])

    def socket_state(self, name):
        return self.guest.properties(f"fpmd@{name}.socket", "ActiveState")["ActiveState"]

    # ---- restart and stop ----

    def test_five_restarts_under_load_lose_no_request(self):
        self.pool("busy", children=8)
        self.ask("busy", "/hello.php")
        with load(self.socket("busy"), "/srv/www/wait.php", clients=16,
                  seconds=12) as running:
            for _ in range(5):
                time.sleep(1)
                self.guest.systemctl("restart", "fpmd@busy")
            result = running.result()
        self.assertEqual(result["failed"], 0, result)
        self.assertGreater(result["ok"], 500, result)

    def test_a_stop_lets_requests_finish(self):
        self.pool("stopping", children=2)
        self.ask("stopping", "/hello.php")
        slow = self.waiter("stopping", 1500)
        start = time.monotonic()
        self.guest.systemctl("stop", "fpmd@stopping.service")
        self.assertEqual(slow.result().status, 200)
        self.assertIn("end", slow.result().text)
        self.assertLess(time.monotonic() - start, 6)
        self.assertEqual(self.guest.properties("fpmd@stopping", "Result")["Result"], "success")

    def test_connections_made_during_a_stop_wait_for_the_next_start(self):
        self.pool("queue", children=1)
        self.ask("queue", "/hello.php")
        slow = self.waiter("queue", 1500)
        stop = Background(self.guest.systemctl, "stop", "fpmd@queue.service")
        time.sleep(0.3)
        waiting = [Background(self.ask, "queue", "/hello.php") for _ in range(4)]
        stop.result()
        self.assertEqual(slow.result().status, 200)
        for call in waiting:
            self.assertEqual(call.result().text, "Hello World\n")

    def test_a_process_left_behind_by_a_script_is_swept_at_stop(self):
        self.pool("left", children=1)
        self.ask("left", "/background.php")
        pids = self.guest.processes("fpmd@left.service")
        sleeper = [p for p in pids if proc_status(p)["Name"] == "sleep"]
        self.assertEqual(len(sleeper), 1)
        start = time.monotonic()
        self.guest.systemctl("stop", "fpmd@left.service")
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual([p for p in pids if alive(p)], [])
        self.assertEqual(self.guest.properties("fpmd@left", "Result")["Result"], "success")

    def test_the_drain_limit_ends_a_script_without_end(self):
        self.guest.write("/srv/www/forever.php", "<?php set_time_limit(0); for (;;) { }")
        self.pool("forever", children=1, process_control_timeout="1s")
        self.ask("forever", "/hello.php")
        call = Background(self.ask, "forever", "/forever.php")
        wait_until(lambda: self.status("forever")["active"] == 1, 5, "the script runs")
        start = time.monotonic()
        self.guest.systemctl("stop", "fpmd@forever.service")
        self.assertLess(time.monotonic() - start, 6)
        with self.assertRaises(OSError):
            call.result()
        self.wait_record(POOL="forever", MESSAGE_ID=message_id("DRAIN_LIMIT"))

    # ---- crashes ----

    def test_a_killed_worker_has_an_obituary_and_a_successor(self):
        self.pool("crash", children=4)
        self.ask("crash", "/hello.php")
        calls = [Background(self.ask, "crash", "/wait.php", query="ms=1500") for _ in range(4)]
        wait_until(lambda: self.status("crash")["active"] == 4, 5, "four requests run")
        _, _, workers = self.pids("crash")
        victim, number = workers[0], inner_pid(workers[0])
        self.guest.run("kill", "-KILL", number)
        killed = time.monotonic()
        wait_until(lambda: not alive(victim) and self.status("crash")["idle"] >= 1, 2,
                   "a new worker")
        self.assertLess(time.monotonic() - killed, 0.5)
        self.assertEqual(self.ask("crash", "/hello.php").text, "Hello World\n")
        outcomes = []
        for call in calls:
            try:
                outcomes.append(call.result().status)
            except OSError:
                outcomes.append("lost")
        self.assertEqual(sorted(map(str, outcomes)), ["200", "200", "200", "lost"])
        record = self.wait_record(POOL="crash", MESSAGE_ID=message_id("WORKER_EXITED"),
                                  WORKER_PID=str(number))
        self.assertIn("KILL", record["MESSAGE"])
        self.assertIn("/srv/www/wait.php", json.dumps(record))
        self.assertEqual(record["GENERATION"], "1")
        self.assertEqual(record["PRIORITY"], "4")

    def test_a_worker_that_dies_by_itself_is_replaced(self):
        self.pool("segv", children=1)
        for signal, name in ((11, "SEGV"), (6, "ABRT")):
            with self.assertRaises(OSError):
                self.ask("segv", "/crash.php", query=f"signal={signal}")
            self.wait_record(POOL="segv", MESSAGE_ID=message_id("WORKER_EXITED"),
                             where=lambda r, name=name: name in r["MESSAGE"])
            self.assertEqual(self.ask("segv", "/hello.php").text, "Hello World\n")

    def test_workers_that_die_one_after_another_do_not_stop_the_pool(self):
        self.pool("often", children=2)
        for _ in range(20):
            with self.assertRaises(OSError):
                self.ask("often", "/crash.php", query="signal=9")
        self.assertEqual(self.ask("often", "/hello.php").text, "Hello World\n")
        self.assertEqual(self.socket_state("often"), "active")

    def test_a_killed_manager_loses_no_request(self):
        self.pool("orphans", children=2)
        self.ask("orphans", "/hello.php")
        slow = self.waiter("orphans", 2500)
        self.guest.run("kill", "-KILL", self.main_pid("orphans"))
        start = time.monotonic()
        self.assertEqual(self.ask("orphans", "/hello.php").text, "Hello World\n")
        self.assertLess(time.monotonic() - start, 2)
        self.assertEqual(slow.result().status, 200)
        self.wait_record(POOL="orphans", MESSAGE_ID=message_id("ORPHANS_FOUND"))
        self.guest.systemctl("stop", "fpmd@orphans.service")
        self.assertEqual(self.guest.processes("fpmd@orphans.service"), [])

    def test_managers_killed_under_load_lose_no_request(self):
        self.pool("killed", children=8)
        self.ask("killed", "/hello.php")
        with load(self.socket("killed"), "/srv/www/wait.php", clients=16,
                  seconds=9) as running:
            for _ in range(3):
                time.sleep(1.5)
                wait_until(lambda: self.main_pid("killed"), 5, "a manager")
                self.guest.run("kill", "-KILL", self.main_pid("killed"))
            result = running.result()
        self.assertEqual(result["failed"], 0, result)

    def test_a_killed_template_is_replaced(self):
        self.pool("template", children=2)
        self.ask("template", "/hello.php")
        _, templates, workers = self.pids("template")
        self.guest.run("kill", "-KILL", inner_pid(templates[0]))
        self.assertEqual(self.ask("template", "/hello.php").text, "Hello World\n")
        self.wait_record(POOL="template", MESSAGE_ID=message_id("TEMPLATE_EXITED"))
        wait_until(lambda: self.status("template")["generation"] == 2, 5, "a second generation")
        for number in [inner_pid(p) for p in workers]:
            if number:
                self.guest.run("kill", "-KILL", number, check=False)
        wait_until(lambda: self.status("template")["idle"] == 2, 5, "two idle workers")
        self.assertEqual(self.ask("template", "/hello.php").text, "Hello World\n")

    def test_a_killed_template_is_replaced_though_the_file_is_bad(self):
        """What runs is known to be good; the file counts at the next reload."""
        self.pool("running", pm="ondemand", children=4)
        self.ask("running", "/hello.php")
        good = self.guest.read("/etc/fpmd/conf.d/running.conf")
        self.guest.write("/etc/fpmd/conf.d/running.conf", good + "nonsense = 1\n")
        _, templates, _ = self.pids("running")
        self.guest.run("kill", "-KILL", inner_pid(templates[0]))
        wait_until(lambda: self.status("running")["generation"] == 2, 5, "a second generation")
        self.assertEqual(self.ask("running", "/hello.php").text, "Hello World\n")

    def test_a_stop_in_the_middle_of_a_start_ends(self):
        self.pool("early", children=64, start=False)
        for delay in (0.03, 0.06, 0.09, 0.12):
            self.guest.systemctl("start", "--no-block", "fpmd@early.service")
            time.sleep(delay)
            start = time.monotonic()
            self.guest.systemctl("stop", "fpmd@early.service")
            self.assertLess(time.monotonic() - start, 10)
        self.guest.systemctl("start", "fpmd@early.service")
        wait_until(lambda: self.status("early")["idle"] == 64, 10, "all workers")

    # ---- a start that fails ----

    def test_a_bad_pool_file_keeps_the_socket_and_the_waiting_client(self):
        self.pool("mended", start=False)
        good = self.guest.read("/etc/fpmd/conf.d/mended.conf")
        self.guest.write("/etc/fpmd/conf.d/mended.conf", good + "pm.max_childen = 3\n")
        self.guest.systemctl("start", "fpmd@mended.socket")
        client = Background(self.ask, "mended", "/hello.php")
        record = self.wait_record(POOL="mended", MESSAGE_ID=message_id("CONFIG_ERROR"))
        line = len(good.splitlines()) + 1
        self.assertIn(f"mended.conf:{line}", record["MESSAGE"])
        self.assertIn("pm.max_childen", record["MESSAGE"])
        for _ in range(30):
            self.assertEqual(self.socket_state("mended"), "active")
            time.sleep(0.1)
        self.assertTrue(client.is_alive())
        self.guest.write("/etc/fpmd/conf.d/mended.conf", good)
        self.assertEqual(client.result(15).text, "Hello World\n")

    def test_a_start_that_fails_says_so_at_once(self):
        self.pool("fails", start=False)
        self.guest.write("/etc/fpmd/conf.d/fails.conf", "[fails]\nnonsense\n")
        self.guest.systemctl("start", "fpmd@fails.socket")
        start = time.monotonic()
        done = self.guest.systemctl("start", "fpmd@fails.service", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertLess(time.monotonic() - start, 3)

    # ---- reload ----

    def test_a_reload_takes_new_settings_and_loses_nothing(self):
        self.pool("reload", children=4, env__ROUND="1")
        self.ask("reload", "/hello.php")
        with load(self.socket("reload"), "/srv/www/wait.php", clients=8,
                  seconds=6) as running:
            for number in range(2, 5):
                write_pool(self.guest, "reload", children=4, env__ROUND=str(number))
                self.guest.systemctl("reload", "fpmd@reload")
                seen = json.loads(self.ask("reload", "/environment.php").text)
                self.assertEqual(seen["getenv"]["ROUND"], str(number))
            result = running.result()
        self.assertEqual(result["failed"], 0, result)
        self.assertEqual(self.status("reload")["generation"], 4)
        self.wait_record(POOL="reload", MESSAGE_ID=message_id("POOL_RELOADED"))

    def test_the_signals_of_old_scripts(self):
        """USR2 reloads as under PHP-FPM; USR1, with which logs are rotated, does no harm."""
        self.pool("signals", children=1)
        self.ask("signals", "/hello.php")
        manager, _, before = self.pids("signals")
        os.kill(manager, signal.SIGUSR1)
        self.assertTrue(self.ask("signals", "/hello.php").text)
        self.assertEqual(self.pids("signals"), (manager, self.pids("signals")[1], before))
        os.kill(manager, signal.SIGUSR2)
        wait_until(lambda: self.pids("signals")[2] not in ([], before), 5, "new workers")
        self.assertEqual(self.pids("signals")[0], manager)

    def test_a_reload_lets_old_requests_finish(self):
        self.pool("old", children=2)
        self.ask("old", "/hello.php")
        slow = self.waiter("old", 2000)
        self.guest.systemctl("reload", "fpmd@old")
        self.assertTrue(slow.is_alive())
        self.assertEqual(self.ask("old", "/hello.php").text, "Hello World\n")
        self.assertEqual(slow.result().status, 200)
        wait_until(lambda: len(self.pids("old")[1]) == 1, 5, "the old template has gone")

    def test_a_fresh_connection_survives_a_reload(self):
        """One that a worker has accepted and that is still silent is no kept connection between requests."""
        self.pool("fresh", children=2)
        self.ask("fresh", "/hello.php")
        clients = []
        for _ in range(10):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(10)
            client.connect(str(self.socket("fresh")))
            clients.append(client)
        time.sleep(0.1)
        self.guest.systemctl("reload", "fpmd@fresh")
        for client in clients:
            client.sendall(fastcgi.begin() + fastcgi.stream(
                fastcgi.PARAMS, fastcgi.pairs(fastcgi.script_params("/hello.php")))
                + fastcgi.stream(fastcgi.STDIN, b""))
        for client in clients:
            answer = b""
            while chunk := client.recv(65536):
                answer += chunk
            client.close()
            self.assertIn(b"Hello World", answer)

    def test_each_reload_gets_its_own_answer(self):
        self.pool("answers", children=2)
        self.ask("answers", "/hello.php")
        good = self.guest.read("/etc/fpmd/conf.d/answers.conf")
        first = Background(self.guest.run, "fpmctl", "reload", "answers", check=False)
        time.sleep(0.02)
        self.guest.write("/etc/fpmd/conf.d/answers.conf", good + "nonsense = 1\n")
        second = self.guest.run("fpmctl", "reload", "answers", check=False)
        self.assertEqual(second.returncode, 1, second.stdout + second.stderr)
        self.assertIn("nonsense", second.stdout + second.stderr)
        first.result()

    def test_a_crash_of_a_request_does_not_refuse_a_reload(self):
        self.pool("crashes", children=16)
        self.ask("crashes", "/hello.php")
        stop = threading.Event()

        def crash():
            while not stop.is_set():
                with contextlib.suppress(Exception):
                    self.ask("crashes", "/crash.php", query="signal=11")

        threads = [threading.Thread(target=crash) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(5):
                self.guest.systemctl("reload", "fpmd@crashes")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(self.ask("crashes", "/hello.php").text, "Hello World\n")

    def test_a_bad_reload_is_refused_and_changes_nothing(self):
        self.pool("refused", children=2, env__ROUND="1")
        self.ask("refused", "/hello.php")
        before = self.pids("refused")
        self.guest.write("/etc/fpmd/conf.d/refused.conf", "[refused]\nuser = site\npm = sometimes\n"
                                                          "pm.max_children = 2\n")
        done = self.guest.systemctl("reload", "fpmd@refused", check=False)
        self.assertNotEqual(done.returncode, 0)
        record = self.wait_record(POOL="refused", MESSAGE_ID=message_id("RELOAD_REFUSED"))
        self.assertIn("refused.conf:3", record["MESSAGE"])
        done = self.guest.run("fpmctl", "reload", "refused", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("refused.conf:3", done.stdout + done.stderr)
        self.assertEqual(self.pids("refused"), before)
        self.assertEqual(json.loads(self.ask("refused", "/environment.php").text)["getenv"]["ROUND"],
                         "1")
        self.assertEqual(self.guest.properties("fpmd@refused", "ActiveState")["ActiveState"], "active")

    def test_a_reload_whose_php_does_not_start_is_refused(self):
        self.guest.write("/srv/site/php.ini", "extension=missing_extension\n")
        self.pool("nophp", children=1)
        self.ask("nophp", "/hello.php")
        write_pool(self.guest, "nophp", children=1, php_ini="/srv/site/absent.ini")
        self.assertNotEqual(self.guest.systemctl("reload", "fpmd@nophp", check=False).returncode, 0)
        self.assertEqual(self.ask("nophp", "/hello.php").text, "Hello World\n")

    def test_the_target_reloads_all_pools(self):
        for name in ("first", "second"):
            self.pool(name, children=1)
            self.ask(name, "/hello.php")
        self.guest.systemctl("start", "fpmd.target")
        self.guest.systemctl("reload", "fpmd.target")
        wait_until(lambda: [self.status(n)["generation"] for n in ("first", "second")] == [2, 2], 10,
                   "both pools have a second generation")


if __name__ == "__main__":
    main()
