"""Workers that leave on their own or are asked to, clients that stall or go away: what was sent is
answered, by somebody, and what nobody waits for is not run."""

import json
import select
import signal
import socket
import subprocess
import time

import fastcgi
from fastcgi import (ABORT, KEEP_CONN, PARAMS, STDIN, Connection, begin, pairs, record,
                     script_params, stream)
from suite import GuestCase, load, main, message_id, proc_status, wait_until

HELLO = "Hello World\n"


def head(script, query="", keep=False, body=b"", **params):
    return (begin(flags=KEEP_CONN if keep else 0)
            + stream(PARAMS, pairs(script_params(script, query=query, body=body, **params))))


class RecyclingCase(GuestCase):
    def counter(self, name, key):
        return self.status(name)[key]

    def worker_pids(self, name):
        return sorted(w["pid"] for w in self.status(name)["workers"] if w["pid"] > 0)

    def connect(self, name, timeout=15):
        connection = Connection(self.socket(name), timeout)
        self.addCleanup(connection.close)
        return connection

    def ran(self, name):
        """What ran.php has said, in order."""
        return [r["MESSAGE"].rsplit("ran ", 1)[1].split()[0]
                for r in self.records(pool=name, MESSAGE_ID=message_id("PHP_MESSAGE"))
                if "ran " in r["MESSAGE"]]

    def no_obituary(self, name):
        """Nothing that ended was a crash."""
        self.assertEqual([r["MESSAGE"] for r in self.records(
            pool=name, MESSAGE_ID=message_id("WORKER_EXITED")) if int(r["PRIORITY"]) <= 4], [])


class Leaving(RecyclingCase):
    nginx = False

    def lossless(self, name, clients, begun):
        """Ends the clients, once there were enough requests: every one was answered, and no kept
        connection was closed."""
        wait_until(lambda: self.counter(name, "requests") > begun + 600, 60, "enough requests")
        result = clients.stop()
        self.assertGreater(result["ok"], 500, result)
        self.assertEqual((result["failed"], result["closed_idle"]), (0, 0), result)

    # ---- pm.max_requests ----

    def test_max_requests_under_load(self):
        self.pool("mill", children=4, pm_max_requests=20)
        before = self.ask("mill", "/hello.php").text
        self.assertEqual(before, HELLO)
        for keep in (False, True):
            begun = self.counter("mill", "requests")
            with self.subTest(keep=keep), load(self.socket("mill"), "/srv/www/hello.php", clients=16,
                                               seconds=90, keep=keep, strict=True,
                                               expect=HELLO) as clients:
                time.sleep(4)
                self.lossless("mill", clients, begun)
        self.no_obituary("mill")

    def test_a_kept_connection_outlives_its_workers(self):
        self.pool("turns", children=1, pm_max_requests=3)
        connection = self.connect("turns")
        pids = [json.loads(connection.request("/wait.php", query="ms=1", keep=True).text)["pid"]
                for _ in range(20)]
        self.assertGreaterEqual(len(set(pids)), 6, pids)

    def test_the_successor_is_there_when_the_last_request_ends(self):
        self.pool("heir", children=1, pm_max_requests=2)
        first = json.loads(self.ask("heir", "/wait.php", query="ms=1").text)["pid"]
        gate = self.close_gate("heir")["query"]
        with Connection(self.socket("heir")) as slow:
            slow.send(head("/gate.php", gate) + stream(STDIN, b""))
            runs = wait_until(lambda: [w["pid"] for w in self.status("heir")["workers"]
                                       if w["state"] == "running" and gate in w["uri"]], 10, "it runs")
            answer = json.loads(self.ask("heir", "/wait.php", query="ms=1").text)
            self.open_gate("heir")
            self.assertEqual(slow.read_response().text, "through")
        self.assertEqual(runs, [first])
        self.assertNotEqual(answer["pid"], first)

    # ---- pm.max_memory ----

    def test_max_memory_replaces_the_worker(self):
        self.pool("glutton", children=1, pm_max_memory="120M", php_admin_value__ffi__enable="true")
        connection = self.connect("glutton")

        def eat(mb):
            return int(connection.request("/eat.php", query=f"mb={mb}", keep=True).text)

        first = eat(0)
        self.assertEqual([eat(0) for _ in range(3)], [first] * 3)
        self.assertEqual(eat(200), first)
        second = eat(0)
        self.assertNotEqual(second, first)
        self.assertEqual([eat(0) for _ in range(3)], [second] * 3)
        self.no_obituary("glutton")

    # ---- a worker that is asked by hand ----

    def test_signals_to_workers_under_load(self):
        self.pool("signals", children=4)
        self.ask("signals", "/hello.php")
        for keep in (False, True):
            begun = self.counter("signals", "requests")
            with self.subTest(keep=keep), load(self.socket("signals"), "/srv/www/hello.php",
                                               clients=16, seconds=90, keep=keep, strict=True,
                                               expect=HELLO) as clients:
                for i in range(12):
                    pids = wait_until(lambda: len(p := self.worker_pids("signals")) >= 4 and p, 10,
                                      "four workers")
                    self.guest.run("kill", "-TERM" if i % 2 else "-QUIT", str(pids[i % 4]), check=False)
                    time.sleep(0.25)
                time.sleep(2)
                self.lossless("signals", clients, begun)
        self.no_obituary("signals")

    def test_an_idle_worker_with_many_connections_leaves_at_once(self):
        self.pool("crowded", children=1)
        kept = [self.connect("crowded") for _ in range(100)]
        pids = {json.loads(c.request("/wait.php", query="ms=0", keep=True).text)["pid"] for c in kept}
        self.assertEqual(len(pids), 1)
        began = time.monotonic()
        self.guest.run("kill", "-TERM", str(pids.pop()))
        again = {json.loads(c.request("/wait.php", query="ms=0", keep=True).text)["pid"] for c in kept}
        self.assertEqual(len(again), 1)
        self.assertLess(time.monotonic() - began, 20)


class Stalling(RecyclingCase):
    def setUp(self):
        super().setUp()
        self.pool("www", children=1, user="site", request_read_timeout="2s")
        self.assertEqual(self.ask("www", "/hello.php").text, HELLO)

    def expect_408(self, connection, began, least=1.9, most=6):
        answer = connection.read_response()
        took = time.monotonic() - began
        self.assertEqual(answer.status, 408)
        self.assertEqual(answer.headers["content-type"], "text/plain")
        self.assertEqual(answer.text, "Request Timeout\n")
        self.assertTrue(least <= took <= most, took)
        self.assertIsNone(connection.read_record())

    def test_a_head_that_stalls(self):
        connection = self.connect("www")
        began = time.monotonic()
        connection.send(head("/hello.php")[:60])
        # Others are served meanwhile, by the only worker there is.
        for _ in range(10):
            self.assertEqual(self.ask("www", "/hello.php").text, HELLO)
        self.expect_408(connection, began)
        self.assertEqual(self.counter("www", "read_timeouts"), 1)

    def test_a_body_that_stalls(self):
        for script in ("/server.php", "/sink.php"):  # read before the script, and by the script
            with self.subTest(script=script):
                connection = self.connect("www")
                began = time.monotonic()
                connection.send(head(script, REQUEST_METHOD="POST", CONTENT_LENGTH="1000",
                                     CONTENT_TYPE="application/x-www-form-urlencoded")
                                + record(STDIN, b"a=1&b="))
                self.expect_408(connection, began)
                self.assertEqual(self.ask("www", "/hello.php").text, HELLO)
        self.assertEqual(self.counter("www", "read_timeouts"), 2)
        self.no_obituary("www")

    def test_a_script_does_not_run_without_its_body(self):
        connection = self.connect("www")
        connection.send(head("/ran.php", "id=half", REQUEST_METHOD="POST", CONTENT_LENGTH="1000",
                             CONTENT_TYPE="application/x-www-form-urlencoded")
                        + record(STDIN, b"a=1&b="))
        self.assertEqual(connection.read_response().status, 408)
        self.ask("www", "/ran.php", query="id=whole")
        self.assertEqual(self.ran("www"), ["whole"])

    def test_a_slow_client_is_no_stalled_one(self):
        connection = self.connect("www")
        request = (head("/sink.php", REQUEST_METHOD="POST", CONTENT_LENGTH="4")
                   + b"".join(record(STDIN, bytes([c])) for c in b"body") + record(STDIN, b""))
        step = len(request) // 6 + 1
        for at in range(0, len(request), step):
            connection.send(request[at:at + step])
            time.sleep(0.8)
        self.assertEqual(json.loads(connection.read_response().text)["length"], 4)

    def test_silent_connections_are_no_stalled_ones(self):
        fresh, kept = self.connect("www"), self.connect("www")
        kept.request("/hello.php", keep=True)
        time.sleep(4)
        self.assertEqual(kept.request("/hello.php", keep=True).text, HELLO)
        self.assertEqual(fresh.request("/hello.php").text, HELLO)
        self.assertEqual(self.counter("www", "read_timeouts"), 0)

    def test_through_nginx(self):
        with self.guest.network():
            client = socket.create_connection(("127.0.0.1", 82), 20)
        with client:
            client.sendall(b"POST /sink.php HTTP/1.1\r\nHost: www.example\r\n"
                           b"Content-Length: 100000\r\n\r\n" + b"x" * 20000)
            answer = b""
            while b"Request Timeout\n" not in answer:
                data = client.recv(4096)
                self.assertTrue(data, answer)
                answer += data
            self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer)
        self.assertEqual(self.ask("www", "/hello.php").text, HELLO)


class Abandoned(RecyclingCase):
    nginx = False

    def test_clients_that_have_gone(self):
        self.pool("gone", children=1)
        self.ask("gone", "/hello.php")
        with Connection(self.socket("gone")) as busy:
            busy.send(head("/ran.php", f"id=busy&{self.close_gate('gone')['query']}") + stream(STDIN, b""))
            wait_until(lambda: self.status("gone")["active"] == 1, 5, "the only worker is busy")
            waiting = [self.connect("gone") for _ in range(4)]
            for i, connection in enumerate(waiting):
                connection.send(head("/ran.php", f"id={i}") + stream(STDIN, b""))
            waiting[2].socket.shutdown(socket.SHUT_WR)  # it has said all, and waits
            for i in (0, 1, 3):
                waiting[i].close()
            self.open_gate("gone")
            self.assertEqual(busy.read_response().text, "done busy")
        self.assertEqual(waiting[2].read_response().text, "done 2")
        self.ask("gone", "/ran.php", query="id=last")
        self.assertEqual(self.ran("gone"), ["busy", "2", "last"])
        self.assertEqual(self.counter("gone", "requests_abandoned"), 3)

    def test_requests_that_the_web_server_aborts(self):
        self.pool("aborts", children=1)
        connection = self.connect("aborts")
        connection.send(head("/ran.php", "id=aborted", keep=True) + record(STDIN, b"x")
                        + record(ABORT, b""))
        answer = connection.read_response()
        self.assertEqual((answer.stdout, answer.protocol_status), (b"", fastcgi.REQUEST_COMPLETE))
        self.assertEqual(connection.request("/ran.php", query="id=next", keep=True).text, "done next")
        self.assertEqual(self.ran("aborts"), ["next"])
        self.assertEqual(self.counter("aborts", "requests_abandoned"), 1)

    def test_an_idle_worker_does_not_look(self):
        """Whether the client has gone is no system call of a worker that had nothing to do."""
        self.pool("calls", children=1)
        self.ask("calls", "/hello.php")
        trace = subprocess.Popen(["strace", "-p", str(self.full("calls", 1)[2][0])],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(trace.kill)
        attached = trace.stderr.readline()
        for _ in range(10):
            time.sleep(0.05)
            self.ask("calls", "/hello.php")
        trace.send_signal(signal.SIGINT)
        calls = [line for line in trace.communicate(timeout=10)[1].splitlines() if "(" in line]
        self.assertEqual(sum(c.startswith("accept4(") for c in calls), 10, attached + str(calls))
        # (It may wait a moment for the first bytes of a client, which is POLLIN.)
        self.assertEqual([c for c in calls if c.startswith("poll(") and "POLLIN" not in c], [])


# Blocks that PHP's heap has in its own chunks, of 2 MB each.
TAKE_20_MB = """<?php
$blocks = [];
for ($i = 0; $i < 200; $i++)
    $blocks[] = str_repeat(chr(65 + $i % 26), 100000);
echo getmypid(), " ", md5(implode("", $blocks));"""


class Resting(RecyclingCase):
    nginx = False

    def test_a_worker_at_rest_gives_memory_back(self):
        self.guest.write("/srv/www/take.php", TAKE_20_MB)
        self.pool("rest", children=1)
        self.ask("rest", "/hello.php")
        pid = self.full("rest", 1)[2][0]

        def anonymous_kb():
            return int(proc_status(pid)["RssAnon"].split()[0])

        before = anonymous_kb()
        answers = {self.ask("rest", "/take.php").text for _ in range(5)}
        self.assertEqual(len(answers), 1)
        held = anonymous_kb()
        self.assertGreater(held, before + 15000)
        wait_until(lambda: anonymous_kb() < before + 1000, 10, "free memory is given back")
        for _ in range(3):
            self.assertEqual(self.ask("rest", "/take.php").text, min(answers))
        self.assertGreater(anonymous_kb(), before + 10000)
        self.no_obituary("rest")


class Fairness(RecyclingCase):
    """One worker, and more to do than it can: of four requests in a row three are of new connections,
    and one is of those that are kept."""

    nginx = False
    N_KEPT, N_FRESH = 6, 20

    def send(self, connection, name, keep=False):
        connection.send(head("/ran.php", f"id={name}", keep) + stream(STDIN, b""))

    def fill(self):
        """What has been sent while the worker was busy, by kept connections and by new ones."""
        self.pool("fair", children=1)
        kept = [self.connect("fair") for _ in range(self.N_KEPT)]
        for connection in kept:
            connection.request("/hello.php", keep=True)
        gate = self.connect("fair")
        gate.send(head("/ran.php", "id=gate", REQUEST_METHOD="POST", CONTENT_LENGTH="1"))
        wait_until(lambda: self.status("fair")["active"] == 1, 5, "the worker waits for a body")
        for connection in kept:
            self.send(connection, "kept", keep=True)
        fresh = [self.connect("fair") for _ in range(self.N_FRESH)]
        for i, connection in enumerate(fresh):
            self.send(connection, f"fresh{i}")
        gate.send(stream(STDIN, b"x"))
        self.assertEqual(gate.read_response().text, "done gate")
        return kept, fresh

    def order(self):
        ran = self.ran("fair")
        self.assertEqual(ran[0], "gate")
        return ran[1:]

    def test_no_kept_connection_starves_new_ones(self):
        """Each of them asks again at once, for as long as a new one waits."""
        kept, waiting = self.fill()
        answered = 0
        while waiting:
            for readable in select.select([c.socket for c in kept + waiting], [], [])[0]:
                connection = next(c for c in kept + waiting if c.socket is readable)
                text = connection.read_response().text
                if connection in waiting:
                    self.assertRegex(text, "^done fresh")
                    waiting.remove(connection)
                else:
                    self.assertEqual(text, "done kept")
                    answered += 1
                    self.send(connection, "kept", keep=True)
        self.assertGreaterEqual(answered, self.N_FRESH // 4)
        order = self.order()
        for i in range(self.N_FRESH):
            self.assertLessEqual(order.index(f"fresh{i}"), (i + 1) * 4 // 3, order)

    def test_new_connections_starve_no_kept_one(self):
        kept, fresh = self.fill()
        for connection in kept + fresh:
            self.assertRegex(connection.read_response().text, "^done ")
        self.assertLessEqual(self.order().index("kept"), 3)


class Lost(RecyclingCase):
    """A script that closes what is not its own."""

    nginx = False

    def test_a_worker_without_its_listener_is_replaced(self):
        """The kernel would wake it for connections that it cannot take, in place of others."""
        self.guest.write("/srv/www/lose.php", """<?php
            $c = FFI::cdef('int close(int); int getsockopt(int, int, int, void *, unsigned *);');
            [$listens, $size, $closed] = [FFI::new('int'), FFI::new('unsigned'), 0];
            for ($fd = 3; $fd < 64; $fd++) {
                [$listens->cdata, $size->cdata] = [0, 4];
                $error = $c->getsockopt($fd, 1, 30, FFI::addr($listens), FFI::addr($size));
                if ($error == 0 && $listens->cdata)
                    $closed += $c->close($fd) == 0;
            }
            echo getmypid(), ' ', $closed;
        """)
        self.pool("lost", children=1, php_admin_value__ffi__enable="1")
        kept = self.connect("lost")
        self.assertEqual(kept.request("/hello.php", keep=True).text, HELLO)
        pid, closed = map(int, self.ask("lost", "/lose.php").text.split())
        self.assertEqual(closed, 1)
        for _ in range(20):
            self.assertEqual(self.ask("lost", "/hello.php").text, HELLO)
        wait_until(lambda: pid not in self.worker_pids("lost") and len(self.worker_pids("lost")) == 1, 10,
                   "another one is in its place")
        for _ in range(20):
            self.assertEqual(self.ask("lost", "/hello.php").text, HELLO)
        self.assertEqual(kept.request("/hello.php", keep=True).text, HELLO)
        told = [r["MESSAGE"] for r in self.records(pool="lost") if int(r.get("PRIORITY", 6)) <= 4]
        self.assertEqual(len([m for m in told if "Cannot accept connections any more" in m]), 1, told)
        self.no_obituary("lost")


if __name__ == "__main__":
    main()
