"""The porter: connections that nobody serves outlive generations and workers; too long a queue gets 503."""

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import threading
import time

import fastcgi
from suite import (GuestCase, alive, executable, in_parallel, load, main, message_id, proc,
                   proc_status, wait_until, write_pool)

PORT = 9600
ZERO = "0000000000000000"

# Of nginx, with connections that it keeps and no second try: what a connection loses is seen.
KEEPING_NGINX = """
upstream kept { server unix:/run/fpmd/kept.sock; keepalive 64; }
server {
    listen 127.0.0.1:83;
    root /srv/www;
    location ~ \\.php$ {
        fastcgi_pass kept;
        fastcgi_keep_conn on;
        fastcgi_next_upstream off;
    }
}
server {
    listen 127.0.0.1:84;
    root /srv/www;
    location ~ \\.php$ {
        fastcgi_pass unix:/run/fpmd/shed.sock;
        fastcgi_next_upstream off;
    }
}
server {
    listen 127.0.0.1:85;
    root /srv/www;
    location ~ \\.php$ {
        fastcgi_pass unix:/run/fpmd/shed.sock;
        fastcgi_next_upstream off;
        fastcgi_request_buffering off;
    }
}
"""


class PorterCase(GuestCase):
    nginx = False

    def pool_of_two(self, name, **settings):
        """A pool at its path and at a port."""
        self.guest.write(f"/run/systemd/system/fpmd@{name}.socket.d/port.conf",
                         f"[Socket]\nListenStream=127.0.0.1:{PORT}\n")
        self.addCleanup(self.guest.run, "rm", "-rf", f"/run/systemd/system/fpmd@{name}.socket.d")
        self.guest.systemctl("daemon-reload")
        settings["listen"] = f"/run/fpmd/{name}.sock 127.0.0.1:{PORT}"
        self.pool(name, **settings)
        return settings

    def connect(self, name, tcp=False):
        if not tcp:
            return fastcgi.Connection(self.socket(name))
        with self.guest.network():
            return fastcgi.Connection(("127.0.0.1", PORT))

    def connections(self, name, n, used=True):
        """n connections, unix and TCP by turns, each of which has carried a request."""
        made = [self.connect(name, tcp=i % 2) for i in range(n)]
        self.addCleanup(lambda: [c.close() for c in made])
        if used:
            for connection in made:
                self.use(connection)
        return made

    def use(self, connection, body=b""):
        """One request on it; the pid of the worker."""
        if body:
            answer = connection.request("/sink.php", method="POST", body=body, keep=True)
            self.assertEqual(json.loads(answer.text)["length"], len(body))
        else:
            answer = connection.request("/wait.php", query="ms=0", keep=True)
        return json.loads(answer.text)["pid"]

    def porters(self, name):
        """The porters of a pool, as the machine numbers them."""
        return [pid for pid in self.guest.processes(f"fpmd@{name}.service")
                if executable(pid) == "fpmd-porter"]

    def porter(self, name):
        return wait_until(lambda: (self.porters(name) or [None])[0], 5, "a porter")

    def held(self, name):
        return self.status(name)["connections_parked"]

    def reload(self, name):
        self.guest.systemctl("reload", f"fpmd@{name}.service")

    def is_open(self, connection):
        return not select.select([connection.socket], [], [], 0)[0]


class Parking(PorterCase):
    def test_kept_connections_outlive_three_reloads(self):
        self.pool_of_two("kept", children=3)
        kept = self.connections("kept", 12)
        pids = {self.use(c) for c in kept}
        for _ in range(3):
            self.reload("kept")
            for connection in kept:
                self.assertTrue(self.is_open(connection))
            after = {self.use(c, b"x" * 300000 if i % 3 else b"") for i, c in enumerate(kept)}
            self.assertFalse(pids & after, "served by the workers of before")
            pids = after

    def test_three_reloads_in_a_row_close_nothing(self):
        self.pool_of_two("kept", children=3)
        kept = self.connections("kept", 40)
        for _ in range(3):
            self.reload("kept")
        wait_until(lambda: self.held("kept") == 40, 5, "all are parked")
        in_parallel(40, lambda i: self.use(kept[i], b"body" * (i % 2)))
        self.assertEqual(len(self.porters("kept")), 1)

    def test_a_silent_connection_outlives_a_reload(self):
        """It may begin its request at that very moment."""
        self.pool_of_two("kept")
        self.ask("kept", "/hello.php")
        fresh = self.connections("kept", 8, used=False)
        time.sleep(0.2)
        self.reload("kept")
        for connection in fresh:
            self.use(connection)

    def test_no_porter_without_need(self):
        """A client that is silent for two milliseconds after its connect() needs one, which a busy
        machine makes of any: once of five times is enough."""
        def look(name):
            self.pool(name)
            for _ in range(3):
                self.ask(name, "/hello.php")
            former = set(self.pids(name)[2])
            self.reload(name)
            # So does one that a worker accepts that has to leave before the first byte.
            wait_until(lambda: not former & set(self.guest.processes(f"fpmd@{name}.service")), 5,
                       "the former workers have left")
            self.ask(name, "/hello.php")
            return self.porters(name)
        found = []
        for i in range(5):
            found.append(look(f"plain{i}"))
            if not found[-1]:
                return
        self.fail(f"porters of five pools: {found}")

    def test_reloads_under_kept_alive_load_close_no_connection(self):
        self.pool("kept", children=4)
        self.ask("kept", "/hello.php")
        for body in (0, 20000):
            with load(self.socket("kept"), "/srv/www/load.php", clients=16, seconds=3, keep=True,
                      strict=True, ids=True, body=body) as running:
                for _ in range(4):
                    time.sleep(0.4)
                    self.reload("kept")
                result = running.result()
            self.assertEqual(result["failed"], 0, result)
            self.assertGreater(result["ok"], 500)

    def test_recycled_workers_close_no_connection(self):
        for limit in (1, 2, 3):
            self.pool(f"max{limit}", children=4, pm_max_requests=limit)
            with load(self.socket(f"max{limit}"), "/srv/www/load.php", clients=8, seconds=30,
                      keep=True, strict=True, ids=True, body=1000 * limit) as running:
                time.sleep(2)
                wait_until(lambda n=limit: self.status(f"max{n}")["requests"] > 20, 25, "20 requests")
                result = running.stop()
            self.assertEqual(result["failed"], 0, f"pm.max_requests = {limit}: {result}")
            self.assertGreater(result["ok"], 20)

    def test_more_connections_than_workers_can_hold(self):
        resource.setrlimit(resource.RLIMIT_NOFILE,
                           (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        self.pool("crowd", children=2)
        self.ask("crowd", "/hello.php")
        crowd = []
        for _ in range(1500):
            crowd.append(self.connect("crowd"))
            self.use(crowd[-1])
        self.addCleanup(lambda: [c.close() for c in crowd])
        self.assertGreater(self.held("crowd"), 1000)
        self.assertEqual(self.ask("crowd", "/hello.php").text, "Hello World\n")
        for connection in crowd:
            self.use(connection)

    def test_a_porter_that_is_killed_costs_only_what_it_held(self):
        self.pool("kept")
        kept = [self.connect("kept") for _ in range(5)]
        self.addCleanup(lambda: [c.close() for c in kept])
        for connection in kept:
            self.use(connection)
        self.reload("kept")
        wait_until(lambda: self.held("kept") == 5, 5, "they are parked")
        first = self.porter("kept")
        os.kill(first, signal.SIGKILL)
        record = self.wait_record(MESSAGE_ID=message_id("PORTER_EXITED"))
        self.assertEqual((record["CONNECTIONS"], record["SIGNAL"]), ("5", "9"))
        self.assertIn("the 5 idle connections that it held are closed", record["MESSAGE"])
        for connection in kept:
            self.assertFalse(self.is_open(connection))
        self.assertEqual(self.ask("kept", "/hello.php").text, "Hello World\n")
        self.assertNotIn(first, self.porters("kept"))  # a slow client of a busy machine needs another
        # The next one comes when it is needed.
        with self.connect("kept") as again:
            self.use(again)
            self.reload("kept")
            self.assertNotEqual(self.porter("kept"), first)
            self.use(again)

    def test_another_porter_takes_over_when_the_user_changes(self):
        self.pool("moves")
        kept = [self.connect("moves") for _ in range(20)]
        self.addCleanup(lambda: [c.close() for c in kept])
        for connection in kept:
            self.use(connection)
        self.reload("moves")
        first = self.porter("moves")
        uid = proc_status(first)["Uid"]
        write_pool(self.guest, "moves", user="www-data")
        self.reload("moves")
        wait_until(lambda: not alive(first), 5, "the first porter has gone")
        self.assertNotEqual(proc_status(self.porter("moves"))["Uid"], uid)
        for connection in kept:
            self.use(connection)
        self.assertEqual(self.records(MESSAGE_ID=message_id("PORTER_EXITED"), PRIORITY="4"), [])

    def test_another_porter_takes_over_after_an_upgrade(self):
        self.pool("moves")
        with self.connect("moves") as kept:
            self.use(kept)
            self.reload("moves")
            first = self.porter("moves")
            path = self.guest.path("/usr/libexec/fpmd/fpmd-porter")
            shutil.copy(path, f"{path}.new")
            os.rename(f"{path}.new", path)
            self.reload("moves")
            wait_until(lambda: not alive(first), 5, "the first porter has gone")
            self.use(kept)

    def test_it_outlives_the_program_of_the_manager(self):
        self.pool("moves")
        with self.connect("moves") as kept:
            self.use(kept)
            self.reload("moves")
            first = self.porter("moves")
            wait_until(lambda: self.held("moves") == 1, 5, "it is parked")
            for _ in range(2):
                self.guest.run("fpmctl", "reexec", "moves")
                self.assertEqual(self.porters("moves"), [first])
                self.assertEqual(self.held("moves"), 1)
            self.use(kept)
            # It is still the manager's: one that is killed is noticed, and another starts.
            self.reload("moves")
            wait_until(lambda: self.held("moves") == 1, 5, "it is parked again")
            os.kill(first, signal.SIGKILL)
            self.wait_record(MESSAGE_ID=message_id("PORTER_EXITED"), PRIORITY="4")
        with self.connect("moves") as kept:
            self.use(kept)
            self.reload("moves")
            self.use(kept)
            self.assertNotEqual(self.porter("moves"), first)

    def test_it_leaves_with_the_pool(self):
        self.pool("kept")
        with self.connect("kept") as kept:
            self.use(kept)
            self.reload("kept")
            first = self.porter("kept")
            self.guest.systemctl("stop", "fpmd@kept.service")
            self.assertFalse(alive(first))
            self.assertFalse(self.is_open(kept))
        self.assertEqual(self.records(MESSAGE_ID=message_id("PORTER_EXITED"), PRIORITY="4"), [])


class Stopped(PorterCase):
    def test_a_porter_that_was_stopped_goes_on(self):
        self.pool("halt", children=1)
        kept = self.connect("halt")
        self.addCleanup(kept.close)
        self.use(kept)
        self.reload("halt")
        wait_until(lambda: self.held("halt") == 1, 5, "it is parked")
        pid = self.porter("halt")
        for _ in range(2):
            os.kill(pid, signal.SIGSTOP)
            begin = time.monotonic()
            self.use(kept)
            self.assertLess(time.monotonic() - begin, 15)
            self.reload("halt")
            wait_until(lambda: self.held("halt") == 1, 5, "it is parked again")
        self.assertEqual(self.porter("halt"), pid)
        texts = [r["MESSAGE"] for r in self.records("halt")]
        self.assertEqual(sum("was stopped by a signal" in t for t in texts), 2, texts)


class End(PorterCase):
    """A request whose first byte has been delivered is answered, also by a pool that is at its end."""

    def half_way(self, name):
        """A parked connection whose request has come, and the porter has not noticed; that porter."""
        self.pool(name, children=2)
        kept = self.connect(name)
        self.addCleanup(kept.close)
        self.use(kept)
        self.reload(name)
        wait_until(lambda: self.held(name) == 1, 5, "it is parked")
        pid = self.porter(name)
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(lambda: alive(pid) and os.kill(pid, signal.SIGCONT))
        kept.send(fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, fastcgi.pairs(
            fastcgi.script_params("/hello.php"))) + fastcgi.stream(fastcgi.STDIN, b""))
        return kept, pid

    def test_a_request_that_came_before_a_stop_is_answered(self):
        kept, pid = self.half_way("end")
        self.guest.systemctl("stop", "--no-block", "fpmd@end.service")
        time.sleep(0.3)
        os.kill(pid, signal.SIGCONT)
        self.assertEqual(kept.read_response().text, "Hello World\n")
        wait_until(lambda: not alive(pid), 5, "the porter has gone")

    def test_a_request_that_came_before_a_crash_of_the_manager_is_answered(self):
        kept, pid = self.half_way("end")
        manager = self.pids("end")[0]
        os.kill(manager, signal.SIGKILL)
        time.sleep(0.3)
        os.kill(pid, signal.SIGCONT)
        self.assertEqual(kept.read_response().text, "Hello World\n")
        wait_until(lambda: not alive(pid), 5, "the porter has gone")
        self.assertEqual(self.ask("end", "/hello.php").text, "Hello World\n")


class Confinement(PorterCase):
    def test_the_porter_can_do_nothing_else(self):
        self.pool("box", env__SECRET="hidden")
        with self.connect("box") as kept:
            self.use(kept)
            self.reload("box")
            pid = self.porter("box")
            wait_until(lambda: self.held("box") == 1, 5, "it holds the connection")
            status = proc_status(pid)
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                self.assertEqual(status[name], ZERO, name)
            self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
            uid = self.guest.run("id", "-u", "site").stdout.strip()
            gid = self.guest.run("id", "-g", "site").stdout.strip()
            self.assertEqual(status["Uid"].split(), [uid] * 4)
            self.assertEqual(status["Gid"].split(), [gid] * 4)
            self.assertEqual(proc(pid, "environ"), "")
            self.assertEqual(proc(pid, "cmdline").split("\0")[0], "fpmd: porter of pool box")
            self.assertEqual(status["Name"], "fpmd-porter")
            # Root's: it is not dumpable.
            self.assertEqual(os.stat(f"/proc/{pid}/mem").st_uid, 0)
            kinds = [os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0]
                     for fd in os.listdir(f"/proc/{pid}/fd")]
            self.assertEqual(set(kinds), {"/dev/null", "pipe", "socket", "anon_inode"})
            # stdout and stderr; link, hand-over, park twice, journal, listener, the connection.
            self.assertEqual((kinds.count("pipe"), kinds.count("socket")), (2, 7))
            self.assertEqual(kinds.count("anon_inode"), 1)

    def test_it_is_small(self):
        self.pool("box")
        with self.connect("box") as kept:
            self.use(kept)
            self.reload("box")
            pid = self.porter("box")
            sizes = dict(line.split(":") for line in proc(pid, "smaps_rollup").splitlines()[1:])
            self.assertLess(int(sizes["Pss"].split()[0]), 2000, "kB")


class Nginx(PorterCase):
    nginx = True

    @classmethod
    def prepare(cls, guest):
        guest.write("/etc/nginx/tests.d/keeping.conf", KEEPING_NGINX)

    def test_posts_over_kept_connections_survive_reloads(self):
        self.pool("kept", children=4)
        self.ask("kept", "/hello.php")
        stop = threading.Event()
        answers = []

        def client(i):
            n = 0
            while not stop.is_set():
                body = os.urandom(1000 + 10000 * (i % 3))
                response = self.http("/sink.php", method="POST", body=body, port=83,
                                     headers={"Content-Type": "application/octet-stream"})
                ok = response.status == 200 and json.loads(response.data)["length"] == len(body)
                answers.append(response.status if not ok else 0)
                n += 1
            return n

        def reloads():
            try:
                for _ in range(6):
                    time.sleep(0.4)
                    self.reload("kept")
            finally:
                stop.set()

        in_parallel(21, lambda i: reloads() if i == 20 else client(i))
        self.assertGreater(len(answers), 100)
        self.assertEqual([a for a in answers if a], [])

    # ---- 503 ----

    @contextlib.contextmanager
    def busy(self, **settings):
        """The pool shed, whose only worker is busy for six seconds."""
        self.pool("shed", children=1, queue_timeout="500ms", **settings)
        self.ask("shed", "/hello.php")
        slow = threading.Thread(target=self.ask, args=("shed", "/wait.php"),
                                kwargs={"query": "ms=6000"})
        slow.start()
        try:
            wait_until(lambda: "/wait.php" in json.dumps(self.status("shed")["workers"]), 5,
                       "the worker is busy")
            yield
        finally:
            slow.join()

    def test_who_waits_too_long_gets_503(self):
        with self.busy():
            def client(i):
                begin = time.monotonic()
                answer = self.ask("shed", "/hello.php", request_id=i + 1)
                return answer, time.monotonic() - begin

            for answer, seconds in in_parallel(10, client):
                self.assertEqual(answer.status, 503)
                self.assertEqual(answer.headers["retry-after"], "1")
                self.assertEqual(answer.headers["content-type"], "text/plain")
                self.assertGreater(seconds, 0.45)
        for _ in range(5):
            self.assertEqual(self.ask("shed", "/hello.php").text, "Hello World\n")
        self.wait_record(POOL="shed", MESSAGE_ID=message_id("QUEUE_TIMEOUT"))
        self.assertEqual(self.status("shed")["connections_shed"], 10)

    def test_a_large_post_gets_503_through_nginx(self):
        body = os.urandom(1 << 20)
        with self.busy():
            for port in (84, 85):
                for response in in_parallel(3, lambda _: self.http("/sink.php", "POST", body,
                                                                    port=port)):
                    self.assertEqual(response.status, 503, port)
                    self.assertEqual(response.getheader("Retry-After"), "1")
                    self.assertIn(b"busy", response.data)
        response = self.http("/sink.php", "POST", body, port=84)
        self.assertEqual(json.loads(response.data)["length"], len(body))

    def test_who_waits_no_longer_than_allowed_is_served(self):
        self.pool("shed", children=1, queue_timeout="6s")
        self.ask("shed", "/hello.php")
        answers = in_parallel(6, lambda _: self.ask("shed", "/wait.php", query="ms=200"))
        self.assertEqual([a.status for a in answers], [200] * 6)
        self.assertEqual(self.status("shed")["connections_shed"], 0)


if __name__ == "__main__":
    main()
