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
from background import Background
from suite import (GuestCase, alive, executable, inner_pid, load, main, message_id, wait_until,
                   write_pool)


class Lifecycle(GuestCase):
    nginx = False

    def gated(self, name, gate):
        """A request, under way, that takes until open_gate()."""
        call = Background(self.ask, name, "/gate.php", timeout=120, **self.close_gate(gate))
        self.wait_running(name, "/gate.php")
        return call

    def stopping(self, name):
        """A stop that has begun, and waits for requests."""
        call = Background(self.guest.systemctl, "stop", f"fpmd@{name}.service")
        wait_until(lambda: self.guest.properties(f"fpmd@{name}", "ActiveState")["ActiveState"] == "deactivating",
                   10, f"{name} stops")
        return call

    def has_answered(self, name, count, before=None):
        """Waits until a manager that is not the one with this pid knows of so many requests."""
        def look():
            pid = self.main_pid(name)
            with contextlib.suppress(AssertionError):  # it does not answer yet
                return pid not in (0, before) and self.status(name)["requests"] >= count and pid
            return None
        return wait_until(look, 60, f"{count} requests of {name}")

    def main_pid(self, name):
        return int(self.guest.properties(f"fpmd@{name}", "MainPID")["MainPID"])

    def socket_state(self, name):
        return self.guest.properties(f"fpmd@{name}.socket", "ActiveState")["ActiveState"]

    # ---- restart and stop ----

    def test_five_restarts_under_load_lose_no_request(self):
        self.pool("busy", children=8)
        self.ask("busy", "/hello.php")
        with load(self.socket("busy"), "/srv/www/wait.php", clients=16, seconds=300) as running:
            for _ in range(5):
                self.has_answered("busy", 100)
                self.guest.systemctl("restart", "fpmd@busy")
            self.has_answered("busy", 100)
            result = running.stop()
        self.assertEqual(result["failed"], 0, result)
        self.assertGreater(result["ok"], 500, result)

    def test_a_stop_lets_requests_finish(self):
        self.pool("stopping", children=2)
        self.ask("stopping", "/hello.php")
        slow = self.gated("stopping", "stopping")
        stop = self.stopping("stopping")
        self.assertTrue(slow.is_alive())
        start = time.monotonic()
        self.open_gate("stopping")
        stop.result()
        self.assertEqual(slow.result().status, 200)
        self.assertEqual(slow.result().text, "through")
        self.assertLess(time.monotonic() - start, 20)  # the unit would give it 90 s
        self.assertEqual(self.guest.properties("fpmd@stopping", "Result")["Result"], "success")

    def test_connections_made_during_a_stop_wait_for_the_next_start(self):
        self.pool("queue", children=1)
        self.ask("queue", "/hello.php")
        slow = self.gated("queue", "queue")
        stop = self.stopping("queue")
        waiting = [Background(self.ask, "queue", "/hello.php") for _ in range(4)]
        wait_until(lambda: self.guest.run("ss", "-xlH", "src", "/run/fpmd/queue.sock").stdout.split()[2] == "4",
                   10, "four connections wait")
        self.open_gate("queue")
        stop.result()
        self.assertEqual(slow.result().status, 200)
        for call in waiting:
            self.assertEqual(call.result().text, "Hello World\n")

    def test_a_process_left_behind_by_a_script_is_swept_at_stop(self):
        self.pool("left", children=1)
        self.ask("left", "/background.php")

        def sleepers():
            return [p for p in self.guest.processes("fpmd@left.service") if executable(p) == "sleep"]

        # The script has answered when the process was forked, which may not have executed it yet.
        wait_until(lambda: len(sleepers()) == 1, 5, "the process that is left behind")
        pids = self.guest.processes("fpmd@left.service")
        start = time.monotonic()
        self.guest.systemctl("stop", "fpmd@left.service")
        self.assertLess(time.monotonic() - start, 20)
        # An orphan that was killed is there until PID 1 has waited for it.
        wait_until(lambda: [p for p in pids if alive(p)] == [], 5, "nobody is left")
        self.assertEqual(self.guest.properties("fpmd@left", "Result")["Result"], "success")

    def test_the_drain_limit_ends_a_script_without_end(self):
        self.guest.write("/srv/www/forever.php", "<?php set_time_limit(0); for (;;) { }")
        self.pool("forever", children=1, process_control_timeout="1s")
        self.ask("forever", "/hello.php")
        call = Background(self.ask, "forever", "/forever.php")
        self.wait_running("forever", "/forever.php")
        start = time.monotonic()
        self.guest.systemctl("stop", "fpmd@forever.service")
        self.assertLess(time.monotonic() - start, 20)
        self.assertEqual(call.result().status, 503)
        self.wait_record(POOL="forever", MESSAGE_ID=message_id("DRAIN_LIMIT"))

    # ---- crashes ----

    def test_a_killed_worker_has_an_obituary_and_a_successor(self):
        self.pool("crash", children=4)
        self.ask("crash", "/hello.php")
        gate = self.close_gate("crash")
        calls = [Background(self.ask, "crash", "/gate.php", timeout=120, **gate) for _ in range(4)]
        self.wait_running("crash", "/gate.php", 4)
        _, _, workers = self.full("crash", 4)
        victim, number = workers[0], inner_pid(workers[0])
        self.guest.run("kill", "-KILL", number)

        def replaced():
            status = self.status("crash")
            return not alive(victim) and (status["active"], status["idle"]) == (3, 1)

        wait_until(replaced, 10, "a new worker while the requests of the others still run")
        self.assertEqual(self.ask("crash", "/hello.php").text, "Hello World\n")
        self.open_gate("crash")
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
        self.assertIn("/srv/www/gate.php", json.dumps(record))
        self.assertEqual(record["GENERATION"], "1")
        self.assertEqual(record["PRIORITY"], "4")

    def test_a_worker_that_dies_by_itself_is_replaced(self):
        self.pool("segv", children=1)
        for signal, name in ((11, "SEGV"), (6, "ABRT")):
            self.assertEqual(self.ask("segv", "/crash.php", query=f"signal={signal}").status, 500)
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
        slow = self.gated("orphans", "orphans")
        self.guest.run("kill", "-KILL", self.main_pid("orphans"))
        self.assertEqual(self.ask("orphans", "/hello.php").text, "Hello World\n")
        self.wait_record(10, POOL="orphans", MESSAGE_ID=message_id("ORPHANS_FOUND"))
        # Of that one, if the other worker of before had the first.
        self.assertEqual(self.ask("orphans", "/hello.php").text, "Hello World\n")
        self.assertTrue(slow.is_alive(), "the next manager does not wait for the orphan's request")
        self.open_gate("orphans")
        self.assertEqual(slow.result().status, 200)
        self.guest.systemctl("stop", "fpmd@orphans.service")
        self.assertEqual(self.guest.processes("fpmd@orphans.service"), [])

    def test_managers_killed_under_load_lose_no_request(self):
        self.pool("killed", children=8)
        self.ask("killed", "/hello.php")
        pid = None
        with load(self.socket("killed"), "/srv/www/wait.php", clients=16, seconds=300) as running:
            for _ in range(3):
                pid = self.has_answered("killed", 50, before=pid)
                self.guest.run("kill", "-KILL", pid)
            self.has_answered("killed", 50, before=pid)
            result = running.stop()
        self.assertEqual(result["failed"], 0, result)

    def test_a_killed_template_is_replaced(self):
        self.pool("template", children=2)
        self.ask("template", "/hello.php")
        _, templates, workers = self.full("template")
        self.guest.run("kill", "-KILL", inner_pid(templates[0]))
        self.assertEqual(self.ask("template", "/hello.php").text, "Hello World\n")
        self.wait_record(POOL="template", MESSAGE_ID=message_id("TEMPLATE_EXITED"))
        wait_until(lambda: self.status("template")["generation"] == 2, 10, "a second generation")
        for number in [inner_pid(p) for p in workers]:
            if number:
                self.guest.run("kill", "-KILL", number, check=False)
        wait_until(lambda: self.status("template")["idle"] == 2, 10, "two idle workers")
        self.assertEqual(self.ask("template", "/hello.php").text, "Hello World\n")

    def test_a_killed_template_is_replaced_though_the_file_is_bad(self):
        """What runs is known to be good; the file counts at the next reload."""
        self.pool("running", pm="ondemand", children=4)
        self.ask("running", "/hello.php")
        good = self.guest.read("/etc/fpmd/conf.d/running.conf")
        self.guest.write("/etc/fpmd/conf.d/running.conf", good + "nonsense = 1\n")
        _, templates, _ = self.full("running", 1)
        self.guest.run("kill", "-KILL", inner_pid(templates[0]))
        wait_until(lambda: self.status("running")["generation"] == 2, 10, "a second generation")
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
        wait_until(lambda: self.status("early")["idle"] == 64, 30, "all workers")

    # ---- a start that fails ----

    def test_a_bad_pool_file_keeps_the_socket_and_the_waiting_client(self):
        self.pool("mended", start=False)
        good = self.guest.read("/etc/fpmd/conf.d/mended.conf")
        self.guest.write("/etc/fpmd/conf.d/mended.conf", good + "pm.max_childen = 3\n")
        self.guest.systemctl("start", "fpmd@mended.socket")
        client = Background(self.ask, "mended", "/hello.php", timeout=120)
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
        self.assertLess(time.monotonic() - start, 20)  # the unit would give it 90 s

    # ---- reload ----

    def round_of(self, name):
        return json.loads(self.ask(name, "/environment.php").text)["getenv"]["ROUND"]

    def test_a_reload_takes_new_settings_and_loses_nothing(self):
        self.pool("reload", children=4, env__ROUND="1")
        self.serving("reload")
        with load(self.socket("reload"), "/srv/www/wait.php", clients=8,
                  seconds=6) as running:
            for number in range(2, 5):
                write_pool(self.guest, "reload", children=4, env__ROUND=str(number))
                self.guest.systemctl("reload", "fpmd@reload")
                self.assertEqual(self.status("reload")["generation"], number)
                # An old worker that had been woken for a connection may still take this one.
                wait_until(lambda n=number: self.round_of("reload") == str(n), 5, "new settings")
            result = running.result()
        self.assertEqual(result["failed"], 0, result)
        self.assertEqual(self.status("reload")["generation"], 4)
        self.wait_record(POOL="reload", MESSAGE_ID=message_id("POOL_RELOADED"))

    def test_the_signals_of_old_scripts(self):
        """USR2 reloads as under PHP-FPM; USR1, with which logs are rotated, does no harm."""
        self.pool("signals", children=1)
        self.serving("signals")
        manager, templates, before = self.full("signals", 1)
        os.kill(manager, signal.SIGUSR1)
        self.assertTrue(self.ask("signals", "/hello.php").text)
        self.assertEqual(self.pids("signals"), (manager, templates, before))
        os.kill(manager, signal.SIGUSR2)
        wait_until(lambda: self.pids("signals")[2] not in ([], before), 5, "new workers")
        self.assertEqual(self.pids("signals")[0], manager)

    def test_a_reload_lets_old_requests_finish(self):
        self.pool("old", children=2)
        self.serving("old")
        slow = self.gated("old", "old")
        self.guest.systemctl("reload", "fpmd@old")
        self.assertTrue(slow.is_alive())
        self.assertEqual(self.ask("old", "/hello.php").text, "Hello World\n")
        self.open_gate("old")
        self.assertEqual(slow.result().status, 200)
        wait_until(lambda: len(self.pids("old")[1]) == 1, 5, "the old template has gone")

    def test_a_fresh_connection_survives_a_reload(self):
        """One that a worker has accepted and that is still silent is no kept connection between requests."""
        self.pool("fresh", children=2)
        self.serving("fresh")
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
        self.serving("answers")
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
        self.serving("crashes")
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
        self.serving("refused")
        before = self.full("refused")
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
        self.serving("nophp")
        write_pool(self.guest, "nophp", children=1, php_ini="/srv/site/absent.ini")
        self.assertNotEqual(self.guest.systemctl("reload", "fpmd@nophp", check=False).returncode, 0)
        self.assertEqual(self.ask("nophp", "/hello.php").text, "Hello World\n")

    def test_the_target_reloads_all_pools(self):
        for name in ("first", "second"):
            self.pool(name, children=1)
            self.serving(name)
        self.guest.systemctl("start", "fpmd.target")
        self.guest.systemctl("reload", "fpmd.target")
        wait_until(lambda: [self.status(n)["generation"] for n in ("first", "second")] == [2, 2], 10,
                   "both pools have a second generation")

    # ---- reloads that overlap, and long requests ----

    def reload(self, name):
        return self.guest.systemctl("reload", f"fpmd@{name}", check=False).returncode

    def test_good_and_bad_reloads_under_load(self):
        """Ten in turn: the exit status is right each time, and no request is lost."""
        self.pool("turns", children=4)
        self.serving("turns")
        good = self.guest.read("/etc/fpmd/conf.d/turns.conf")
        with load(self.socket("turns"), "/srv/www/wait.php", clients=8, seconds=10) as running:
            for number in range(10):
                text = good + ("" if number % 2 else "nonsense = 1\n")
                self.guest.write("/etc/fpmd/conf.d/turns.conf", text)
                self.assertEqual(self.reload("turns"), 0 if number % 2 else 1)
                self.assertEqual(self.guest.properties("fpmd@turns", "ActiveState")["ActiveState"],
                                 "active")
            result = running.result()
        self.assertEqual(result["failed"], 0, result)
        status = self.status("turns")
        self.assertEqual((status["generation"], status["reloads"], status["reloads_refused"]),
                         (6, 5, 5))
        wait_until(lambda: "active" in self.guest.properties("fpmd@turns", "StatusText")["StatusText"],
                   5, "systemd has read the status")

    def test_a_refused_reload_is_in_the_status_until_the_next(self):
        self.pool("said", children=1)
        self.serving("said")
        good = self.guest.read("/etc/fpmd/conf.d/said.conf")
        self.guest.write("/etc/fpmd/conf.d/said.conf", good + "nonsense = 1\n")
        self.assertEqual(self.reload("said"), 1)

        def text():  # which systemd may read after the verdict has come
            return self.guest.properties("fpmd@said", "StatusText")["StatusText"]

        wait_until(lambda: "Reload refused" in text(), 5, "the status says so")
        self.assertIn("nonsense", text())
        self.guest.write("/etc/fpmd/conf.d/said.conf", good)
        self.assertEqual(self.reload("said"), 0)
        wait_until(lambda: "refused" not in text(), 5, "the status says so no more")

    def test_reloads_at_once_are_merged_and_all_answered(self):
        self.pool("merged", children=2)
        self.serving("merged")
        # The first one takes so long that the others come meanwhile.
        self.guest.write("/srv/www/preload-slowly.php", "<?php usleep(2500000);")
        write_pool(self.guest, "merged", children=2,
                   **{"php_admin_value[opcache.preload]": "/srv/www/preload-slowly.php"})
        asked = [Background(self.guest.run, "fpmctl", "reload", "merged", check=False)
                 for _ in range(8)]
        self.assertEqual([call.result().returncode for call in asked], [0] * 8)
        self.assertLess(self.status("merged")["generation"], 9)
        self.assertGreater(self.status("merged")["generation"], 1)

    def test_a_slow_script_survives_three_reloads(self):
        self.pool("slow", children=2)
        self.serving("slow")
        slow = self.gated("slow", "slow")
        for number in range(2, 5):
            self.assertEqual(self.reload("slow"), 0)
            self.assertEqual(self.status("slow")["generation"], number)
            self.assertEqual(self.ask("slow", "/hello.php").status, 200)
        wait_until(lambda: "1 of an earlier generation finishes" in
                   self.guest.properties("fpmd@slow", "StatusText")["StatusText"], 10,
                   "the status names the earlier generation")
        self.assertTrue(slow.is_alive())
        self.open_gate("slow")
        self.assertEqual(slow.result().status, 200)
        wait_until(lambda: len(self.pids("slow")[1]) == 1, 5, "the old templates have gone")

    def test_capacity_does_not_drop_at_a_reload(self):
        self.pool("capacity", children=6)
        self.serving("capacity")
        self.full("capacity", 6)
        stop, least = threading.Event(), []

        def watch():
            while not stop.is_set():
                status = self.status("capacity")
                least.append(status["active"] + status["idle"])

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            wait_until(lambda: least, 10, "a first look")
            for _ in range(5):
                self.assertEqual(self.reload("capacity"), 0)
        finally:
            stop.set()
            watcher.join()
        self.assertGreaterEqual(min(least), 6)

    def test_the_time_that_a_start_may_take(self):
        """A template that hangs at a reload is given up after pm.start_timeout."""
        self.pool("hang", children=1)
        self.serving("hang")
        self.guest.write("/srv/www/hang.php", "<?php sleep(30);")
        write_pool(self.guest, "hang", children=1, pm_start_timeout="2s",
                   **{"php_admin_value[opcache.preload]": "/srv/www/hang.php"})
        start = time.monotonic()
        self.assertEqual(self.reload("hang"), 1)
        self.assertGreater(time.monotonic() - start, 1.9)
        self.assertLess(time.monotonic() - start, 20)  # the script takes 30 s
        self.assertEqual(self.ask("hang", "/hello.php").text, "Hello World\n")
        record = self.wait_record(POOL="hang", MESSAGE_ID=message_id("RELOAD_REFUSED"))
        self.assertIn("pm.start_timeout", record["MESSAGE"])


if __name__ == "__main__":
    main()
