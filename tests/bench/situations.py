"""Cases that ask what happens: in a burst, beside idle connections, at a reload, at the first request;
how much memory a pool has, and how costs grow."""

import contextlib
import os
import random
import signal
import subprocess
import tempfile
import time

import coldstart
import fastcgi
import servers
from case import HELLO, STATIC, WORKERS, Case, script
from guest import wait_until
from measure import LOAD, main_process, memory_kb, run_load, under_load
from servers import Fpmd
from suite import load, percentile, proc_status


class Burst(Case):
    """All at once on a pool that has just started with its least number of workers."""
    name, title = "burst", "burst of 64 requests of 50 ms, dynamic pool at its minimum"
    lines = ("pm = dynamic\npm.max_children = 64\npm.start_servers = 1\npm.min_spare_servers = 1\n"
             "pm.max_spare_servers = 3\n")
    shown = (("done_ms", "until all are done", "ms"), ("p50_ms", "p50", "ms"))

    def prepare(self, guest):
        super().prepare(guest)
        self._words = script(guest, "wait") + ["-c", 64, "-n", 64, "-q", "ms=50", "-e", "waited\n"]

    def measure(self, server):
        server.restart()
        wait_until(server.answers, 20, f"an answer of {server.name}")
        time.sleep(0.3)
        got = run_load(server.path(), self._words)
        if got["ok"] != 64:
            raise SystemExit(f"{server.name}: {got}")
        return {"done_ms": got["max_usec"] / 1000, "p50_ms": got["p50_usec"] / 1000}


class Idle(Case):
    """A new client beside kept-alive connections of which nothing is heard."""
    name, title = "idle", "64 idle kept-alive connections and 1 new client, 4 workers"
    connections, limit = 64, 2.0  # seconds after which the new client is blocked
    shown = (("alone_p99_usec", "p99 without them", "µs"), ("p99_usec", "p99 beside them", "µs"),
             ("p99_ratio", "p99, times that without", ""), ("blocked", "new client blocked", ""))

    @contextlib.contextmanager
    def kept(self, server):
        """Connections that had an answer each, as far as the server gives one."""
        with contextlib.ExitStack() as stack:
            opened = [stack.enter_context(fastcgi.Connection(server.path(), timeout=0.3))
                      for _ in range(self.connections)]
            for connection in opened:
                try:
                    if not connection.request("/hello.php", keep=True).text:
                        raise SystemExit(f"{server.name} answers nothing")
                except TimeoutError:
                    break  # and so it will be with the others
            yield

    def measure(self, server):
        words = ["-c", 1, "-d", f"{round(self.seconds * 700)}ms", *HELLO]
        alone = run_load(server.path(), words)
        with self.kept(server):
            beside = run_load(server.path(), ["-t", f"{round(self.limit * 1000)}ms", *words])
        numbers = {"alone_p99_usec": alone["p99_usec"], "blocked": int(beside["ok"] == 0)}
        if beside["ok"]:
            numbers |= {"p99_usec": beside["p99_usec"],
                        "p99_ratio": beside["p99_usec"] / max(1, alone["p99_usec"])}
        else:
            numbers |= {"p99_usec": None, "p99_ratio": None}
            server.restart()
            wait_until(server.answers, 20, f"an answer of {server.name}")
        return numbers


class Reload(Case):
    """Two reloads under clients that leave the machine time; each answer is checked."""
    name, title = "reload", "reload under load, 16 clients"
    steady, pace, count = 1.0, 0.8, 2  # seconds, seconds, reloads
    shown = (("lost", "requests lost per reload", ""), ("steady_p99_ms", "p99 before", "ms"),
             ("p99_ms", "p99 from the first reload on", "ms"))

    def measure(self, server):
        with load(server.path(), "/srv/www/load.php", clients=16, ids=True, pause=(0.01, 0.03),
                  seconds=60) as clients:
            time.sleep(self.steady)
            begin = time.monotonic()
            for i in range(self.count):
                self.guest.systemctl("reload", server.unit)
                time.sleep(max(0, begin + (i + 1) * self.pace - time.monotonic()))
            counts, samples = clients.stop(), clients.samples()
        ours = [latency for at, latency in samples if at >= begin]
        before = [latency for at, latency in samples if at < begin]
        return {"lost": counts["failed"] / self.count, "steady_p99_ms": percentile(before, 99) * 1000,
                "p99_ms": percentile(ours, 99) * 1000, "requests": counts["begun"]}


class ColdStart(Case):
    """The first request: ours is connected to the socket of a stopped pool, php-fpm is started with
    systemctl before it can be connected to."""
    name, title = "cold", "first request on a stopped pool"
    shown = (("first_ms", "all of it", "ms"), ("systemd_ms", "until our first instruction", "ms"),
             ("manager_ms", "manager, to the template's exec", "ms"),
             ("load_ms", "template, to PHP's start", "ms"), ("php_ms", "PHP's start", "ms"),
             ("answer_ms", "from there to the answer", "ms"),
             ("ours_ms", "beyond systemd and PHP's start", "ms"))

    def start(self, guest):
        super().start(guest)
        self._trace = coldstart.Trace()
        self._trace.__enter__()

    def warm(self, server):
        for _ in range(2):
            self.measure(server)

    def measure(self, server):
        self.guest.systemctl("stop", server.unit)
        time.sleep(0.3)
        self._trace.clear()
        begin = time.monotonic()
        if server.name == "php-fpm":
            self.guest.systemctl("start", server.unit)
        reply = fastcgi.request(server.path(), "/hello.php")
        end = time.monotonic()
        if reply.text != "Hello World\n":
            raise SystemExit(f"{server.name}: the first request was answered {reply.text!r}")
        manager = main_process(self.guest, server.unit)
        return {"first_ms": (end - begin) * 1000, "manager_kb": memory_kb([manager], "Rss"),
                **self._trace.pieces(server.name, set(server.processes()), begin, end)}

    def stop(self):
        self._trace.__exit__(None, None, None)
        super().stop()


class ColdShort(ColdStart):
    name, most_rounds = "cold-short", 5


class Calls(Case):
    """The system calls of the whole service, counted by strace."""
    name, title = "calls", "system calls of a hello-world"
    most_rounds, requests = 1, 400
    shown = (("fresh", "connection per request", ""), ("kept", "kept-alive", ""))

    def warm(self, server):
        run_load(server.path(), ["-c", WORKERS, "-n", 200, *HELLO])

    def measure(self, server):
        fresh, kept = self.count(server, []), self.count(server, ["-k"])
        return {"fresh": sum(fresh.values()), "kept": sum(kept.values()), "fresh_names": fresh,
                "kept_names": kept}

    def count(self, server, keep):
        """Calls per request by name."""
        pids = server.processes()
        with tempfile.NamedTemporaryFile(mode="r") as file:
            words = ["strace", "-f", "-qq", "-c", "-o", file.name]
            for pid in pids:
                words += ["-p", str(pid)]
            strace = subprocess.Popen(words, stderr=subprocess.DEVNULL)
            wait_until(lambda: all(proc_status(pid)["TracerPid"] != "0" for pid in pids), 10, "strace")
            run_load(server.path(), ["-c", 1, "-n", self.requests, *HELLO, *keep])
            strace.send_signal(signal.SIGINT)
            strace.wait()
            rows = [line.split() for line in file.read().splitlines()[2:]]
        counts = {row[-1]: int(row[3]) / self.requests for row in rows
                  if len(row) >= 5 and row[3].isdigit() and row[-1] != "total"}
        return {name: round(count, 2) for name, count in counts.items() if count >= 0.05}


class Memory(Case):
    """Fresh (a request for each worker), and after load on each worker."""
    name, title = "memory", "memory of a pool with 4 idle workers"
    most_rounds, rest = 7, 7  # seconds without requests, in which servers may give memory back
    shown = (("fresh_kb", "PSS, fresh", "kB"), ("used_kb", "PSS after load", "kB"),
             ("fresh_private_kb", "private, fresh", "kB"), ("used_private_kb", "private after load", "kB"))

    @staticmethod
    def sizes(server, when):
        pids = server.processes()
        return {f"{when}_kb": memory_kb(pids),
                f"{when}_private_kb": memory_kb(pids, "Private_Dirty") + memory_kb(pids, "Private_Clean"),
                f"{when}_processes": len(pids)}

    def prepare(self, guest):
        super().prepare(guest)
        self._wait = script(guest, "wait")

    def start(self, guest):
        """One at a time: what both map would count by half."""
        self.guest = guest
        self.servers = [kind(guest, self.name) for kind in self.classes]

    def warm(self, server):
        pass

    def measure(self, server):
        server.start()
        run_load(server.path(), ["-c", WORKERS, "-n", WORKERS, *self._wait, "-q", "ms=100"])
        time.sleep(self.rest)
        numbers = self.sizes(server, "fresh")
        run_load(server.path(), ["-c", WORKERS, "-d", "500ms", *HELLO])
        time.sleep(self.rest)
        numbers |= self.sizes(server, "used")
        server.stop()
        return numbers


@contextlib.contextmanager
def apart(pids):
    """Processes on one processor while the clients are on the others: where the machine puts them makes
    more of a difference to a request than what is compared here."""
    every = os.sched_getaffinity(0)
    servers_on = {max(every)}
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(pid, servers_on)
    os.sched_setaffinity(0, every - servers_on or every)
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)


def mixed(points):
    """In another order each time: what comes first after another server's turn pays for that."""
    return random.sample(points, len(points))


class Workers(Case):
    """What a request costs in pools of different sizes, with one client."""
    name, title = "workers", "cost growth with the number of workers"
    points = (1, 16, 64, 256)
    seconds, times, starts = 0.25, 4, 3
    shown = tuple((f"cpu_usec_{n}", f"server CPU per request, {n} workers", "µs") for n in points)

    def prepare(self, guest):
        for n in self.points:
            servers.write_pools(guest, f"workers{n}", STATIC.format(n))

    def start(self, guest):
        self.guest = guest
        self.servers = []
        self._pools = {}
        for kind in self.classes:
            self._pools[kind.name] = {n: kind(guest, f"workers{n}") for n in self.points}
            for server in self._pools[kind.name].values():
                server.start()
            self.servers.append(self._pools[kind.name][self.points[0]])

    def measure(self, server):
        words = ["-c", 1, "-d", f"{round(self.seconds * 600)}ms", *HELLO]
        numbers = {}
        for n in mixed(self.points):
            pool = self._pools[server.name][n]
            with apart(pool.processes()):
                numbers[f"cpu_usec_{n}"] = under_load(pool, words)["cpu_usec"]
        return numbers

    def stop(self):
        for pools in self._pools.values():
            for server in pools.values():
                server.stop()


class Queue(Case):
    """What a request costs while others wait in the kernel's queue, on one worker. The script takes
    long enough that a client is back in the queue before its turn comes: the worker never rests."""
    name, title = "queue", "cost growth with queued connections, 30 µs script"
    points = (1, 64, 1000, 4000)
    seconds, times, starts = 0.5, 2, 3
    lines = STATIC.format(1)
    shown = tuple((f"cpu_usec_{n}", f"server CPU per request, {n} queued", "µs") for n in points)

    def prepare(self, guest):
        super().prepare(guest)
        self._words = script(guest, "brief")

    def measure(self, server):
        numbers = {}
        for n in mixed(self.points):
            words = ["-c", n + 1, "-d", f"{round(self.seconds * 600)}ms", *self._words]
            with apart(server.processes()):
                numbers[f"cpu_usec_{n}"] = under_load(server, words)["cpu_usec"]
        return numbers


class Connect(Case):
    """What workers that are busy add to socket() and connect() of a client: the 10th percentile, since
    the others are mostly those of clients that were interrupted."""
    name, title = "connect", "what busy workers add to connect()"
    points = (0, 64, 255)
    workers = 256
    lines = STATIC.format(workers)
    shown = tuple((f"connect_usec_{n}", f"socket() and connect(), {n} busy", "µs") for n in points)

    def prepare(self, guest):
        super().prepare(guest)
        self._wait = script(guest, "wait")

    def measure(self, server):
        words = ["-c", 1, "-d", f"{round(self.seconds * 400)}ms", *HELLO]
        numbers = {}
        for n in self.points:
            busy = None
            if n > 0:
                command = [LOAD, "-c", n, "-n", n, *self._wait, "-q", "ms=900", server.path()]
                busy = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)
                time.sleep(0.3)
            got = run_load(server.path(), words)
            if busy and (busy.poll() is not None or busy.wait() != 0):
                raise SystemExit(f"{server.name}: the workers were not busy long enough")
            numbers[f"connect_usec_{n}"] = got["connect_p10_nsec"] / 1000
        return numbers


class Thousand(Case):
    """A thousand enabled pools, some of which are visited and go again."""
    name, title, guest_name = "thousand", "1,000 pools, enabled and idle", "enabled"
    classes = (Fpmd,)
    most_rounds = 1
    count, visited = 1000, 20
    lines = "pm = ondemand\npm.max_children = 4\nidle_exit = 2s\n"
    shown = (("processes", "processes after idle_exit", ""), ("start_s", "start of all sockets", "s"),
             ("systemd_kb_per_pool", "memory of systemd per pool", "kB"))

    def prepare(self, guest):
        self._names = [f"site{i:04}" for i in range(self.count)]
        wants = guest.path("/etc/systemd/system/fpmd.target.wants")
        wants.mkdir(parents=True)
        for name in self._names:
            Fpmd.write(guest, name, self.lines)
            (wants / f"fpmd@{name}.socket").symlink_to("/usr/lib/systemd/system/fpmd@.socket")

    def start(self, guest):
        self.guest = guest
        self.servers = [Fpmd(guest, self._names[0])]

    def warm(self, server):
        pass

    def programs(self):
        """Processes of the guest that are ours or PHP."""
        out = self.guest.run("ps", "-e", "-o", "comm=").stdout.split("\n")
        return sum(name.startswith(("fpmd", "php")) for name in out)

    def at_work(self):
        """Services that run or are being ended: ExecStopPost= is a process too."""
        return self.guest.run("systemctl", "list-units", "--no-legend", "--plain", "--state=activating",
                              "--state=active", "--state=deactivating", "fpmd@*.service").stdout.split()

    def measure(self, server):
        init = [self.guest.pid]
        before = memory_kb(init, "Private_Dirty")
        begin = time.monotonic()
        self.guest.systemctl("start", "fpmd.target", timeout=300)
        seconds = time.monotonic() - begin
        for name in self._names[::self.count // self.visited]:
            reply = fastcgi.request(self.guest.path(f"/run/fpmd/{name}.sock"), "/hello.php", timeout=60)
            if reply.status != 200:
                raise SystemExit(f"{name}: {reply.text}")
        running = self.programs()
        wait_until(lambda: not self.at_work(), 30, "the end of the idle pools", step=0.5)
        return {"processes": self.programs(), "processes_before": running, "start_s": seconds,
                "systemd_kb_per_pool": (memory_kb(init, "Private_Dirty") - before) / self.count}

    def stop(self):
        pass  # the guest ends
