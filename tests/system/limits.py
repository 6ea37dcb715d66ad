"""Limits of time: of requests, of workers, of waiting; who is ended, who is not, and what clients see."""

import contextlib
import resource
import select
import socket
import subprocess
import threading
import time

import fastcgi
from suite import (GuestCase, alive, executable, in_parallel, inner_pid, load, main, message_id, proc,
                   proc_status, sent_at, wait_until)

# What scripts do when their time is over. Each says "begin" only in its buffer, unless it is "sent".
SCRIPTS = {
    "loop": "<?php for (;;) { }",
    "sleep": "<?php echo 'begin'; sleep(60); echo 'end';",
    "usleep": "<?php echo 'begin'; while (1) usleep(100000);",
    "exec": "<?php echo 'begin'; exec('sleep 321'); echo 'end';",
    "catch": "<?php while (1) { try { while (1) usleep(1000); } catch (Throwable $t) { } }",
    "socket": "<?php $s = stream_socket_server('tcp://127.0.0.1:0'); @stream_socket_accept($s, 60); "
              "echo 'end';",
    "sent": "<?php header('X-Sent: 1'); echo str_repeat('x', 100000); flush(); sleep(60); echo 'end';",
    "shutdown": "<?php register_shutdown_function(function () { "
                "file_put_contents('/srv/site/shutdown', json_encode(error_get_last())); }); "
                "while (1) usleep(1000);",
    "finish": "<?php echo 'answered'; fastcgi_finish_request(); sleep(4); "
              "file_put_contents('/srv/site/finish', 'done');",
}


def raise_nofile():
    """For the clients of many connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))


class Call(threading.Thread):
    """A request in the background: what came and how long it took."""

    def __init__(self, function):
        super().__init__(daemon=True)
        self._function = function
        self.response = self.error = None
        self.start()

    def run(self):
        begin = time.monotonic()
        try:
            self.response = self._function()
        except Exception as error:  # looked at by the test
            self.error = error
        self.seconds = time.monotonic() - begin

    def result(self, timeout=30):
        self.join(timeout)
        if self.is_alive():
            raise AssertionError("still waiting")
        return self


class Limits(GuestCase):
    """Of requests."""

    @classmethod
    def prepare(cls, guest):
        for name, text in SCRIPTS.items():
            guest.write(f"/srv/www/limit-{name}.php", text)
        guest.write("/etc/nginx/tests.d/limits.conf", """
server {
    listen 127.0.0.1:8080;
    root /srv/www;
    location / {
        fastcgi_pass unix:/run/fpmd/queue.sock;
        fastcgi_next_upstream off;
    }
}
""")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest.run("install", "-d", "-o", "site", "/srv/site")

    def limited(self, name, **settings):
        settings = {"children": 2, "request_terminate_timeout": "2s",
                    "request_terminate_grace": "1s"} | settings
        self.pool(name, **settings)
        self.assertEqual(self.ask(name, "/hello.php").status, 200)
        self.wait_full(name, settings["children"])

    def wait_full(self, name, children):
        """The first answer may come while other workers are being forked, and a worker counts a request
        after its answer."""
        wait_until(lambda: self.status(name)["idle"] == children, 15, f"{children} idle workers")

    def run_script(self, name, script, **options):
        return Call(lambda: self.ask(name, f"/limit-{script}.php", **options)).result()

    def worker_pids(self, name):
        return {w["pid"] for w in self.status(name)["workers"]}

    def sleepers(self, name):
        return [p for p in self.guest.processes(f"fpmd@{name}.service")
                if executable(p) in ("sleep", "dash", "sh", "bash")]

    # ---- request_terminate_timeout ----

    def test_scripts_that_can_be_stopped_get_504(self):
        """PHP stops them: the worker lives on, and nothing counts as killed."""
        self.limited("soft", children=4, request_terminate_grace="6s")
        before = self.worker_pids("soft")
        calls = {s: Call(lambda s=s: self.ask("soft", f"/limit-{s}.php"))
                 for s in ("loop", "sleep", "usleep", "catch")}
        for script, call in calls.items():
            call.result()
            self.assertIsNone(call.error, script)
            self.assertEqual(call.response.status, 504, script)
            self.assertNotIn("begin", call.response.text, script)
            self.assertGreater(call.seconds, 1.95, script)
            self.assertLess(call.seconds, 7.5, script)  # the end of the grace period
        wait_until(lambda: self.status("soft")["scripts_stopped"] >= 4, 5, "all are counted")
        status = self.status("soft")
        self.assertEqual(status["workers_ended"], 0, status)
        self.assertEqual(status["scripts_stopped"], 4, status)
        self.assertEqual(self.worker_pids("soft"), before)
        stopped = self.records(POOL="soft", MESSAGE_ID=message_id("WORKER_STOPPED"))
        self.assertEqual(sorted(r["SCRIPT"] for r in stopped),
                         [f"/srv/www/limit-{s}.php" for s in ("catch", "loop", "sleep", "usleep")])
        self.assertEqual({r["STEP"] for r in stopped}, {"stop"})

    def test_each_of_many_requests_has_its_own_limit(self):
        """One worker, one slow script after the other; the grace period is longer than the limit."""
        self.limited("series", children=1, request_terminate_timeout="1s",
                     request_terminate_grace="8s")
        for _ in range(4):
            call = self.run_script("series", "sleep")
            self.assertEqual(call.response.status, 504)
            self.assertLess(call.seconds, 6)
        wait_until(lambda: self.status("series")["scripts_stopped"] >= 4, 5, "all are counted")
        self.assertEqual(self.status("series")["scripts_stopped"], 4)

    def test_shutdown_functions_run(self):
        self.limited("shutdown")
        call = self.run_script("shutdown", "shutdown")
        self.assertEqual(call.response.status, 504)
        self.assertIn("Maximum request time", self.guest.read("/srv/site/shutdown"))
        self.assertEqual(self.status("shutdown")["workers_ended"], 0)

    def test_what_blocks_is_ended_with_its_children(self):
        """A program that the script waits for: after the grace period the worker ends, and it too."""
        self.limited("blocks")
        before = self.worker_pids("blocks")
        call = Call(lambda: self.ask("blocks", "/limit-exec.php"))
        wait_until(lambda: len(self.sleepers("blocks")) >= 1, 10, "the program runs")
        call.result()
        self.assertIsNone(call.error)
        self.assertEqual(call.response.status, 504)
        self.assertNotIn("begin", call.response.text)
        self.assertGreater(call.seconds, 2.9)
        self.assertLess(call.seconds, 15)  # the program would take minutes
        wait_until(lambda: not self.sleepers("blocks"), 5, "its programs have ended")
        wait_until(lambda: (s := self.status("blocks"))["idle"] == 2 and s["workers_ended"] >= 1, 5,
                   "another worker")
        status = self.status("blocks")
        self.assertEqual(status["workers_ended"], 1, status)
        self.assertEqual(status["workers_crashed"], 0, status)
        self.assertEqual(len(self.worker_pids("blocks") & before), 1)
        steps = [r["STEP"] for r in self.records(POOL="blocks",
                                                 MESSAGE_ID=message_id("WORKER_STOPPED"))]
        self.assertEqual(steps, ["stop", "end"])
        self.assertEqual(self.ask("blocks", "/hello.php").status, 200)

    def test_other_background_processes_are_left_alone(self):
        """What a script of before left running on purpose is no child of the ended request."""
        self.limited("others")
        left = int(self.ask("others", "/background.php").text)
        call = self.run_script("others", "exec")
        self.assertEqual(call.response.status, 504)

        def running():
            return [inner_pid(p) for p in self.guest.processes("fpmd@others.service")
                    if executable(p) == "sleep"]

        wait_until(lambda: running() == [left], 5, "the program of the ended request has gone, no other")
        time.sleep(0.5)
        self.assertEqual(running(), [left])

    def test_what_was_sent_is_not_followed_by_an_answer(self):
        """Bytes of another answer would become a part of the page."""
        self.limited("sent")
        call = self.run_script("sent", "sent")
        if call.response:
            self.assertEqual(call.response.status, 200)
            self.assertNotIn("504", call.response.text)
            self.assertNotIn("end", call.response.text)
        else:
            self.assertIsInstance(call.error, ConnectionError)
        self.assertLess(call.seconds, 15)  # the script would take a minute
        self.assertEqual(self.ask("sent", "/hello.php").status, 200)

    def test_finished_requests(self):
        """After fastcgi_finish_request() the limit counts with track_finished only."""
        note = self.guest.path("/srv/site/finish")
        for track, done in (("no", True), ("yes", False)):
            note.unlink(missing_ok=True)
            name = f"finish{track}"
            self.limited(name, request_terminate_timeout_track_finished=track)
            self.assertEqual(self.ask(name, "/limit-finish.php").text, "answered")
            wait_until(lambda n=name: self.status(n)["active"] == 0, 15, "it runs no longer")
            self.assertEqual(note.exists(), done, track)
            records = self.records(POOL=name, MESSAGE_ID=message_id("WORKER_STOPPED"))
            self.assertEqual(len(records), 0 if done else 1, track)

    def test_connections_at_rest_are_never_touched(self):
        """PHP-FPM ends the worker of an idle kept connection, and its connection."""
        self.limited("rest", request_terminate_timeout="1s")
        connections = [fastcgi.Connection(self.socket("rest")) for _ in range(6)]
        for connection in connections:
            self.assertEqual(connection.request("/hello.php", keep=True).status, 200)
        before = self.worker_pids("rest")
        time.sleep(3.5)
        for connection in connections:
            self.assertEqual(connection.request("/hello.php", keep=True).status, 200)
            connection.close()
        self.assertEqual(self.worker_pids("rest"), before)
        self.assertEqual(self.records(POOL="rest", MESSAGE_ID=message_id("WORKER_STOPPED")), [])

    def test_leaving_generations_have_their_own_limit(self):
        self.limited("old", request_terminate_timeout="3s")
        call = Call(lambda: self.ask("old", "/limit-sleep.php"))
        wait_until(lambda: self.status("old")["active"] == 1, 5, "the script runs")
        path = "/etc/fpmd/conf.d/old.conf"
        self.guest.write(path, self.guest.read(path).replace("timeout = 3s", "timeout = 30s"))
        self.guest.systemctl("reload", "fpmd@old")
        call.result()
        self.assertEqual(call.response.status, 504)
        self.assertLess(call.seconds, 15)  # that of the new generation would be 30 s
        wait_until(lambda: len(self.pids("old")[1]) == 1, 5, "the old template has gone")

    def test_a_stopping_pool_still_has_limits(self):
        self.limited("stopping", request_terminate_timeout="3s")
        call = Call(lambda: self.ask("stopping", "/limit-loop.php"))
        wait_until(lambda: self.status("stopping")["active"] == 1, 5, "the script runs")
        begin = time.monotonic()
        self.guest.systemctl("stop", "fpmd@stopping.service")
        self.assertLess(time.monotonic() - begin, 20)  # the unit would give it 90 s
        self.assertEqual(call.result().response.status, 504)

    def test_a_pool_without_limits_is_not_looked_at(self):
        self.pool("nolimit", children=1)
        call = Call(lambda: self.ask("nolimit", "/wait.php", query="ms=4000"))
        self.assertEqual(call.result().response.status, 200)
        self.assertEqual(self.records(POOL="nolimit", MESSAGE_ID=message_id("WORKER_STOPPED")), [])

    def test_many_at_once(self):
        """Each of 16 requests gets its own 504, those beside them their own answer."""
        self.limited("crowd", children=32, request_terminate_timeout="3s", request_terminate_grace="6s")
        results = in_parallel(32, lambda i: Call(
            lambda: self.ask("crowd", "/limit-usleep.php" if i % 2 else "/wait.php",
                             query="ms=1000")).result())
        self.assertEqual([r.response.status for r in results], [200, 504] * 16)
        wait_until(lambda: self.status("crowd")["scripts_stopped"] >= 16, 5, "all are counted")
        status = self.status("crowd")
        self.assertEqual((status["scripts_stopped"], status["workers_ended"]), (16, 0))

    def test_what_php_fpm_does_with_the_same_scripts(self):
        """It ends the worker: no answer at all, no shutdown function, and an idle kept connection too.

        A program that the script waits for lives on, with the connection in its hands.
        """
        self.guest.path("/srv/site/shutdown").unlink(missing_ok=True)
        self.guest.write("/srv/site/fpm.conf", "\n".join(
            ["[global]", "error_log = /srv/site/fpm.log", "[www]", "user = site",
             "listen = /srv/site/fpm.sock", "pm = static", "pm.max_children = 8",
             "request_terminate_timeout = 2s"]) + "\n")
        php_fpm = self.guest.popen("php-fpm8.2", "-F", "-y", "/srv/site/fpm.conf",
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(php_fpm.wait)
        self.addCleanup(php_fpm.terminate)
        address = self.guest.path("/srv/site/fpm.sock")
        # Between bind(2) and listen(2) its file is there and nobody listens.
        wait_until(lambda: any(row[3] == "00010000" and row[-1] == "/srv/site/fpm.sock" for row in
                               map(str.split, proc(self.guest.pid, "net/unix").splitlines())), 10, "php-fpm")
        kept = fastcgi.Connection(address)
        self.assertEqual(kept.request("/hello.php", keep=True).status, 200)
        calls = {s: Call(lambda s=s: fastcgi.request(address, f"/limit-{s}.php", timeout=6))
                 for s in ("loop", "sleep", "exec", "shutdown")}
        for script, call in calls.items():
            expected = TimeoutError if script == "exec" else ConnectionError
            self.assertIsInstance(call.result().error, expected, script)
        self.assertFalse(self.guest.path("/srv/site/shutdown").exists())
        with self.assertRaises(ConnectionError):
            kept.request("/hello.php", keep=True)
        kept.close()

    # ---- pm.max_lifetime ----

    def test_old_workers_are_replaced_without_a_failure(self):
        self.pool("old-age", children=4, pm_max_lifetime="3s")
        self.ask("old-age", "/hello.php")
        self.wait_full("old-age", 4)
        before = self.worker_pids("old-age")
        for keep in (False, True):
            with load(self.socket("old-age"), "/srv/www/hello.php", clients=8, seconds=8,
                      keep=keep) as running:
                seen = []
                while running.running():
                    seen.append(self.status("old-age"))
                    time.sleep(0.2)
                result = running.result()
            self.assertEqual(result["failed"], 0, result)
            self.assertGreater(result["ok"], 1000, result)
            for status in seen:
                able = status["active"] + status["idle"]
                # An old one serves until its successor does, and no second one is on its way out.
                self.assertGreaterEqual(able, 3, status)
                self.assertGreaterEqual(able + status["draining"], 4, "capacity never drops")
                self.assertLessEqual(able + status["starting"], 4, "one after the other")
        wait_until(lambda: not self.worker_pids("old-age") & before, 10, "all are others")
        self.assertEqual(self.status("old-age")["workers_crashed"], 0)
        self.assertEqual(self.status("old-age")["generation"], 1)

    def test_a_busy_old_worker_finishes(self):
        self.pool("busy-age", children=1, pm_max_lifetime="2s")
        self.ask("busy-age", "/hello.php")
        gate = self.close_gate("busy-age")
        slow = Call(lambda: self.ask("busy-age", "/gate.php", **gate))
        wait_until(lambda: any(gate["query"] in w["uri"] for w in self.status("busy-age")["workers"]), 5,
                   "the old worker is busy")
        self.assertEqual(self.ask("busy-age", "/hello.php").status, 200)
        self.assertTrue(slow.is_alive(), "its successor serves meanwhile")
        self.open_gate("busy-age")
        self.assertEqual(slow.result().response.status, 200)

    def test_an_idle_old_worker_of_an_ondemand_pool_has_no_successor(self):
        self.pool("demand-age", pm="ondemand", children=4, pm_max_lifetime="2s",
                  pm_process_idle_timeout="30s")
        self.ask("demand-age", "/hello.php")
        wait_until(lambda: not self.worker_pids("demand-age"), 10, "no worker")
        time.sleep(1)
        self.assertEqual(self.worker_pids("demand-age"), set())
        self.assertEqual(self.ask("demand-age", "/hello.php").status, 200)

    # ---- queue_timeout ----

    def occupy(self, name, n, ms):
        calls = [Call(lambda: self.ask(name, "/wait.php", query=f"ms={ms}")) for _ in range(n)]
        wait_until(lambda: self.status(name)["active"] == n, 5, "all workers are busy")
        return calls

    def test_who_waits_too_long_gets_503(self):
        self.pool("queue", children=2, queue_timeout="1s")
        self.ask("queue", "/hello.php")
        busy = self.occupy("queue", 2, 7000)
        waiting = []
        for _ in range(4):
            waiting.append(Call(lambda: self.ask("queue", "/hello.php")))
        time.sleep(0.7)
        late = Call(lambda: self.ask("queue", "/hello.php"))
        for call in waiting:
            call.result()
            self.assertIsNone(call.error)
            self.assertEqual(call.response.status, 503)
            self.assertGreater(int(call.response.headers["retry-after"]), 0)
            self.assertGreater(call.seconds, 0.99, "nobody is turned away early")
            self.assertLess(call.seconds, 6)  # before any worker is free
        late.result()
        self.assertEqual(late.response.status, 503)
        self.assertGreater(late.seconds, 0.99)
        for call in busy:
            self.assertEqual(call.result().response.status, 200)
        self.assertEqual(self.ask("queue", "/hello.php").status, 200)
        wait_until(lambda: self.status("queue")["connections_shed"] >= 5, 5, "all are counted")
        self.assertEqual(self.status("queue")["connections_shed"], 5)

        def told():  # those that come together in one record, the rest when a second has passed
            return self.records(POOL="queue", MESSAGE_ID=message_id("QUEUE_TIMEOUT"))
        wait_until(lambda: sum(int(r["CONNECTIONS"]) for r in told()) >= 5, 5, "all are told of", step=0.1)
        records = told()
        self.assertEqual(sum(int(r["CONNECTIONS"]) for r in records), 5)
        # Where the late one was later than that, its second is another.
        span = sent_at(records[-1]) - sent_at(records[0])
        self.assertLessEqual(len(records), max(2, 1 + int(span + 0.5)), records)

    def test_who_waits_less_is_served(self):
        self.pool("patient", children=2, queue_timeout="6s")
        self.ask("patient", "/hello.php")
        for _ in range(3):
            busy = self.occupy("patient", 2, 1500)
            waiting = [Call(lambda: self.ask("patient", "/hello.php")) for _ in range(4)]
            for call in busy + waiting:
                self.assertEqual(call.result().response.status, 200)
        self.assertEqual(self.status("patient")["connections_shed"], 0)

    def test_a_queue_that_moves_is_served(self):
        """All busy for long, and nobody waits longer than a part of the limit."""
        self.pool("moving", children=2, queue_timeout="1s")
        self.ask("moving", "/hello.php")
        with load(self.socket("moving"), "/srv/www/wait.php", clients=12, seconds=5) as running:
            result = running.result()
        self.assertEqual(result["failed"], 0, result)
        self.assertEqual(self.status("moving")["connections_shed"], 0)

    def test_through_nginx(self):
        self.pool("queue", children=2, queue_timeout="1s")
        self.ask("queue", "/hello.php")
        busy = self.occupy("queue", 2, 7000)
        body = b"x" * 3000000
        waiting = [Call(lambda: self.http("/hello.php", port=8080)),
                   Call(lambda: self.http("/echo.php", "POST", body, port=8080))]
        for call in waiting:
            call.result()
            self.assertIsNone(call.error)
            self.assertEqual(call.response.status, 503)
            self.assertIn("Retry-After", dict(call.response.getheaders()))
        for call in busy:
            self.assertEqual(call.result().response.status, 200)

    def test_a_client_that_is_gone_is_passed_over(self):
        self.pool("gone", children=1, queue_timeout="1s")
        self.ask("gone", "/hello.php")
        busy = self.occupy("gone", 1, 6000)
        for _ in range(3):
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
                client.connect(str(self.socket("gone")))
        call = Call(lambda: self.ask("gone", "/hello.php")).result()
        self.assertEqual(call.response.status, 503)
        self.assertEqual(busy[0].result().response.status, 200)
        self.assertEqual(self.ask("gone", "/hello.php").status, 200)

    def test_a_pool_at_rest_is_not_sampled(self):
        """No timer runs for queue_timeout while a worker is idle."""
        self.pool("quiet", children=2, queue_timeout="1s")
        self.ask("quiet", "/hello.php")
        time.sleep(1)
        manager = self.pids("quiet")[0]

        def switches():
            return int(proc_status(manager)["voluntary_ctxt_switches"])

        before = switches()
        time.sleep(5)
        self.assertLess(switches() - before, 15)
        self.assertTrue(alive(manager))


class Input(GuestCase):
    """Of what clients send, and do not send."""

    nginx = False

    def open_silent(self, name, n):
        """n connections that say nothing."""
        clients = []
        self.addCleanup(lambda: [c.close() for c in clients])
        for _ in range(n):
            client = socket.socket(socket.AF_UNIX)
            clients.append(client)
            # Blocking: where the queue is full, it waits instead of EAGAIN.
            client.connect(str(self.socket(name)))
            client.settimeout(30)
        return clients

    def held(self, name):
        return self.status(name)["connections_parked"]

    def porters(self, name):
        return [p for p in self.guest.processes(f"fpmd@{name}.service")
                if executable(p) == "fpmd-porter"]

    def test_a_head_that_is_too_large_is_answered_431(self):
        self.pool("heads", security_max_params_size="8K", security_max_params=64)
        self.assertEqual(self.ask("heads", "/hello.php").status, 200)
        for params in ({"HTTP_X": "x" * 9000}, {f"HTTP_X{i}": "1" for i in range(70)}):
            answer = self.ask("heads", "/hello.php", **params)
            self.assertEqual(answer.status, 431)
            self.assertIn("Request Header Fields Too Large", answer.text)
        record = self.wait_record(POOL="heads", MESSAGE_ID=message_id("PROTOCOL_ERROR"))
        self.assertIn("security.max_params_size", record["MESSAGE"])
        wait_until(lambda: self.status("heads")["protocol_errors"] >= 2, 5, "both are counted")
        self.assertEqual(self.status("heads")["protocol_errors"], 2)
        self.assertEqual(self.ask("heads", "/hello.php", HTTP_X="x" * 5000).status, 200)

    def test_who_stays_silent_is_closed(self):
        """In the porter; who has carried a request may stay."""
        self.pool("silent", request_first_byte_timeout="2s")
        with fastcgi.Connection(self.socket("silent")) as kept:
            self.assertEqual(kept.request("/hello.php", keep=True).status, 200)
            begin = time.monotonic()
            client = self.open_silent("silent", 1)[0]
            self.assertEqual(client.recv(1), b"")
            self.assertGreater(time.monotonic() - begin, 1.9)
            self.assertLess(time.monotonic() - begin, 15)
            self.assertEqual(kept.request("/hello.php", keep=True).status, 200)

    def many(self, name, clients):
        """The next requests are answered, none after those that are silent, and what holds the rest is small."""
        porter = wait_until(lambda: self.porters(name), 10, "a porter")[0]
        for _ in range(20):
            begin = time.monotonic()
            self.assertEqual(self.ask(name, "/hello.php").status, 200)
            self.assertLess(time.monotonic() - begin, 5)
        self.assertLess(int(proc_status(porter)["VmRSS"].split()[0]), 6 * 1024)
        self.assertTrue(alive(porter))
        clients[-1].sendall(b"\1")  # still there, and taken up by a worker

    def test_10000_silent_connections_on_four_workers(self):
        raise_nofile()
        self.pool("crowd", children=4)
        self.ask("crowd", "/hello.php")
        begin = time.monotonic()
        clients = self.open_silent("crowd", 10000)
        self.assertLess(time.monotonic() - begin, 60)
        # Some are in the workers.
        wait_until(lambda: self.held("crowd") > 9400, 30, "they are held")
        ended = select.poll()
        for client in clients:
            ended.register(client, select.POLLIN)
        self.assertEqual(ended.poll(0), [], "none was closed")
        self.many("crowd", clients)

    def test_10000_kept_connections_on_four_workers(self):
        raise_nofile()
        self.pool("keep", children=4)
        kept = []
        self.addCleanup(lambda: [c.close() for c in kept])
        for _ in range(10000):
            kept.append(fastcgi.Connection(self.socket("keep")))
            self.assertEqual(kept[-1].request("/hello.php", keep=True).status, 200)
        self.many("keep", self.open_silent("keep", 1))
        for connection in kept[:20] + kept[-20:]:
            self.assertEqual(connection.request("/hello.php", keep=True).status, 200)

    def test_at_the_limit_the_silent_ones_go_first(self):
        raise_nofile()
        self.pool("full", children=2)
        self.guest.write("/run/systemd/system/fpmd@full.service.d/files.conf",
                         "[Service]\nLimitNOFILE=1024:1024\n")
        self.guest.systemctl("daemon-reload")
        with fastcgi.Connection(self.socket("full")) as kept:
            self.assertEqual(kept.request("/hello.php", keep=True).status, 200)
            clients = self.open_silent("full", 1500)
            self.assertEqual(clients[0].recv(1), b"")
            clients[-1].settimeout(0.2)
            with self.assertRaises(TimeoutError):
                clients[-1].recv(1)
            self.assertEqual(self.ask("full", "/hello.php").status, 200)
            self.assertEqual(kept.request("/hello.php", keep=True).status, 200)
        self.wait_record(POOL="full", where=lambda r: "as many as the porter can" in r["MESSAGE"])
        records = [r for r in self.records(POOL="full") if "as many as the porter can" in r["MESSAGE"]]
        self.assertLess(len(records), 10)


if __name__ == "__main__":
    main()
