"""Random events upon pools under clients of every kind, and what must hold whatever happens.

The seed says everything: the kinds of pools, the rounds, the events, which process they hit, the clients. It
is printed at the start and with a failure. FPMD_CHAOS_SEED=N repeats that sequence of events,
FPMD_CHAOS_SECONDS=N goes on for about so long.

A gentle round has only what must never close a kept connection; in a rough one their clients count as a web
server does. A killed worker may take its own request with it, and nothing else.
"""

import collections
import contextlib
import os
import random
import signal
import threading
import time

from loss.crowd import Events, crowd, problems, summary, total
from loss.footprint import footprint
from suite import GuestCase, alive, executable, main, message_id, proc, proc_status, wait_until, write_pool

# CI repeats one sequence; whoever runs it by hand looks for others.
SEED = int(os.environ.get("FPMD_CHAOS_SEED") or
           (1 if os.environ.get("CI") else random.SystemRandom().randrange(1, 1000000)))
SECONDS = float(os.environ.get("FPMD_CHAOS_SECONDS") or 32)
ROUND_SECONDS = 6
NAMES = ["chaos0", "chaos1"]
CHILDREN = 6
MODES = [
    {"pm": "static"},
    {"pm": "dynamic", "pm.start_servers": 2, "pm.min_spare_servers": 1, "pm.max_spare_servers": 3},
    {"pm": "ondemand", "pm.process_idle_timeout": "1s"},
]
# name: (weight, only in rough rounds)
EVENTS = {
    "reload": (4, False),
    "broken reload": (3, False),
    "re-exec": (3, False),
    "kill template": (2, False),
    "freeze manager": (1, False),
    "freeze template": (1, False),
    "freeze worker": (2, False),
    "freeze porter": (1, False),
    "script too long": (1, False),
    "script aborts": (2, True),
    "script faults": (1, True),
    "terminate worker": (2, True),
    "kill worker": (4, True),
    "kill all workers": (1, True),
    "kill manager": (2, True),
    "kill porter": (2, True),
    "restart": (2, True),
}
FREEZE_SECONDS = 0.3


def make_plan(seed, seconds):
    """Everything that will be done: {"pools": settings by name, "rounds": a list of
    (rough, events, seconds of quiet after it, whether a pool is drained then)}.

    An event is (seconds since the round began, name of the pool, event, a number in [0, 1)).
    """
    draw = random.Random(seed)
    pools = {}
    for name in NAMES:
        pools[name] = dict(draw.choice(MODES))
        if draw.random() < 0.5:
            pools[name]["pm.max_requests"] = draw.choice([7, 50])
        if draw.random() < 0.4:
            pools[name]["idle_exit"] = "2s"
    rounds = []
    for _ in range(max(2, round(seconds / (ROUND_SECONDS + 2)))):
        rough = draw.random() < 0.6
        names = [name for name in EVENTS if rough or not EVENTS[name][1]]
        weights = [EVENTS[name][0] for name in names]
        events, at = [], 0.3
        while at < ROUND_SECONDS:
            events.append((at, draw.choice(NAMES), draw.choices(names, weights)[0], draw.random()))
            at += draw.uniform(0.05, 0.6)
        quiet = draw.choice([draw.uniform(0, 0.5), draw.uniform(1.9, 2.6)])
        rounds.append((rough, events, quiet, draw.random() < 0.3))
    return {"pools": pools, "rounds": rounds}


class Budget:
    """What a round's events may have cost the clients of one pool."""

    def __init__(self):
        self.closed = 0  # requests of killed workers
        self.short = 0   # sleeps of workers that got SIGTERM
        self.starts = 0  # managers that died

    def judge(self, results):
        """Failures that no event explains, as lines."""
        found = [f for result in results.values() for f in result["failures"]]
        closed = [f for f in found if f["kind"] in ("closed", "cut")]
        short = [f for f in found if f["kind"] == "wrong" and "cut short" in f["got"]]
        lines = []
        if len(closed) > self.closed:
            lines.append(f"{len(closed)} requests lost, at most {self.closed} may have been")
        if len(short) > self.short:
            lines.append(f"{len(short)} sleeps cut short, at most {self.short} may have been")
        if len(closed) + len(short) != total(results, "failed"):
            lines.append(f"{total(results, 'failed') - len(closed) - len(short)} other failures")
        return lines


class Watch(threading.Thread):
    """Looks at a pool while things happen; what it sees that must not be is in .wrong."""

    def __init__(self, case, name):
        super().__init__()
        self.case, self.name = case, name
        self.wrong, self.zombies, self.over = [], {}, threading.Event()

    def run(self):
        while not self.over.wait(0.25):
            with contextlib.suppress(Exception):  # no manager answers just now
                self.look(self.case.status(self.name))
            with contextlib.suppress(Exception):
                self.look_for_zombies()

    def look(self, status):
        # Of each generation; successors come beside those that run their last request, and one of
        # those may have been stopped in it.
        room = 3 if "pm.max_requests" in self.case.settings[self.name] else 1
        for number, workers in collections.Counter(w["generation"] for w in status["workers"]).items():
            if workers > room * status["max_children"]:
                self.wrong.append(f"{workers} workers of generation {number}, at most "
                                  f"{status['max_children']}: {status}")
        # One that starts is listed as soon as its pid is known.
        counted = sum(status[key] for key in ("active", "idle", "starting", "draining"))
        if not counted - status["starting"] <= len(status["workers"]) <= counted:
            self.wrong.append(f"{counted} workers counted, {len(status['workers'])} listed: {status}")
        if status["absurd_messages"] or status["records_dropped"]:
            self.wrong.append(f"{status['absurd_messages']} absurd messages, "
                              f"{status['records_dropped']} records dropped")

    def look_for_zombies(self):
        now, seen = time.monotonic(), {}
        for pid in self.case.guest.processes(f"fpmd@{self.name}.service"):
            with contextlib.suppress(OSError):
                if proc_status(pid)["State"].startswith("Z"):
                    seen[pid] = self.zombies.get(pid, now)
                    if now - seen[pid] > 3:
                        self.wrong.append(f"{pid} has been a zombie for {now - seen[pid]:.1f} s")
        self.zombies = seen

    def stop(self):
        self.over.set()
        self.join()
        return sorted(set(self.wrong))


class Chaos(GuestCase):
    nginx = False

    # ---- events ----

    def processes(self, name, kind):
        """Sorted pids, as the machine numbers them."""
        with contextlib.suppress(Exception):
            manager, templates, workers = self.pids(name)
            if kind == "manager":
                return [manager] if manager else []
            if kind == "porter":
                return [p for p in self.guest.processes(f"fpmd@{name}.service")
                        if executable(p) == "fpmd-porter"]
            if kind == "template":  # workers that a killed manager has left are in no status
                return sorted(p for p in templates if proc(p, "comm") == "fpmd-template\n")
            return sorted(workers)
        return []

    def send(self, name, kind, number, which):
        """A signal to one process of a kind; how many got it."""
        pids = self.processes(name, kind)
        if not pids:
            return 0
        with contextlib.suppress(ProcessLookupError):
            os.kill(pids[int(which * len(pids))], number)
            return 1
        return 0

    def wait_ready(self, name):
        """A manager that starts would take a broken file for its own."""
        def is_ready():
            with contextlib.suppress(Exception):
                return self.status(name)["state"] == "ready"
        wait_until(is_ready, 10, f"{self.note}: a ready manager")

    def reload(self, name, which, broken=False):
        self.wait_ready(name)
        text = {"env[ROUND]": f"{which:.3f}"} | ({"nonsense": 1} if broken else {})
        self.write(name, text)
        done = self.guest.systemctl("reload", f"fpmd@{name}", check=False)
        self.assertEqual(done.returncode != 0, broken, f"{self.note}: {done.stderr}")
        if broken:
            self.write(name, {})

    def freeze(self, name, kind, which):
        pids = self.processes(name, kind)
        if not pids:
            return
        pid = pids[int(which * len(pids))]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            try:
                time.sleep(FREEZE_SECONDS)
            finally:
                os.kill(pid, signal.SIGCONT)

    def script(self, name, query, expected):
        """A request of our own, whose status has to be one of these; 0 is a closed connection."""
        def ask():
            try:
                status = self.ask(name, "/load.php", query=f"id=ffffffffffffffff&{query}", timeout=40).status
            except ConnectionError:
                status = 0
            if status not in expected:
                self.wrong.append(f"{name}: {query} was answered {status}, not {expected}")
        thread = threading.Thread(target=ask)
        thread.start()
        self.scripts.append(thread)

    def fire(self, name, event, which, rough):
        """Does one thing to one pool."""
        budget = self.budgets[name]
        if event in ("reload", "broken reload"):
            self.reload(name, which, event == "broken reload")
        elif event == "re-exec":
            self.wait_ready(name)
            done = self.guest.run("fpmctl", "reexec", name, check=False)
            self.assertEqual(done.returncode, 0, f"{self.note}: {done.stderr}")
        elif event.startswith("freeze "):
            self.freeze(name, event.split()[1], which)
        elif event == "script too long":  # where the manager died meanwhile, nobody ends it
            self.script(name, "ms=4000", (504, 200, 0) if rough else (504,))
        elif event == "script aborts":
            self.script(name, "die=6", (500, 0))
        elif event == "script faults":
            self.script(name, "die=11", (500, 0))
        elif event == "terminate worker":
            budget.short += self.send(name, "worker", signal.SIGTERM, which)
        elif event == "kill worker":
            budget.closed += self.send(name, "worker", signal.SIGKILL, which)
        elif event == "kill all workers":
            for pid in self.processes(name, "worker"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    budget.closed += 1
        elif event == "kill template":
            self.send(name, "template", signal.SIGKILL, which)
        elif event == "kill porter":
            # It may hold fresh connections whose requests are on their way.
            budget.closed += 2 * self.send(name, "porter", signal.SIGKILL, which)
        elif event == "kill manager":
            pid = (self.processes(name, "manager") or [None])[0]
            killed = self.send(name, "manager", signal.SIGKILL, which)
            budget.starts += killed
            if killed:  # a later event that hit the same dead one would be counted, and start nothing
                wait_until(lambda: not alive(pid), 10, f"{self.note}: the end of the manager")
        elif event == "restart":
            self.guest.systemctl("restart", f"fpmd@{name}")
            budget.starts, self.restarted[name] = 0, True

    # ---- a round ----

    def write(self, name, more):
        write_pool(self.guest, name, children=CHILDREN, **{**self.settings[name], **more})

    def crowds(self, stack, rough, number):
        """Clients of both pools: strict ones in a gentle round, those that give up, slow ones."""
        crowds = {}
        for i, name in enumerate(NAMES):
            options = {"seconds": 4 * ROUND_SECONDS, "events": self.events, "seed": 64 * number + 8 * i}
            address = (self.guest, f"/run/fpmd/{name}.sock", 9500 + i)
            crowds[name] = [
                stack.enter_context(crowd(*address, clients=2, strict=not rough, **options)),
                stack.enter_context(crowd(*address, kinds=["unix", "tcp, kept"], clients=1, abort=300,
                                          **{**options, "seed": options["seed"] + 1})),
                stack.enter_context(crowd(*address, kinds=["unix", "tcp"], clients=1, ms=700,
                                          **{**options, "seed": options["seed"] + 2})),
            ]
        return crowds

    def one_round(self, number, rough, events):
        self.budgets = {name: Budget() for name in NAMES}
        self.restarted = {name: False for name in NAMES}
        self.scripts = []
        watches = [Watch(self, name) for name in NAMES]
        before = {name: self.start(name) for name in NAMES}
        self.events.add(f"the begin of round {number}")
        with contextlib.ExitStack() as stack:
            crowds = self.crowds(stack, rough, number)
            begin = time.monotonic()
            for watch in watches:
                watch.start()
                stack.callback(watch.over.set)
            for at, name, event, which in events:
                time.sleep(max(0, begin + at - time.monotonic()))
                self.note = f"round {number}, {at:.2f} s: {event} of {name}"
                self.events.add(f"{event} of {name}")
                self.fire(name, event, which, rough)
            self.events.add("the last event")
            self.quiet_since = time.time()
            for thread in self.scripts:
                thread.join()
            results = {name: [c.results() for c in crowds[name]] for name in NAMES}
        for name, watch in zip(NAMES, watches):
            self.wrong += [f"{name}: {text}" for text in watch.stop()]
            self.judge(name, results[name], not rough)
            self.rest(name, *before[name], sum(total(r, "ok") for r in results[name]))
        done = sum(total(r, "begun") for rs in results.values() for r in rs)
        print(f"      round {number}, {'rough' if rough else 'gentle'}: {len(events)} events, {done} "
              f"requests, {sum(total(r, 'failed') for rs in results.values() for r in rs)} lost with "
              f"their workers", flush=True)

    def judge(self, name, crowds, strict):
        """Counts the losses of a pool's clients against what its events explain."""
        together = {f"{i} {kind}": r for i, results in enumerate(crowds) for kind, r in results.items()}
        lines = self.budgets[name].judge(together)
        for result in together.values():
            if result["begun"] != result["ok"] + result["failed"] + result["aborted"] or result["stray"]:
                lines.append(f"unaccounted for: {result}")
        closed = sum(r["closed_idle"] for r in crowds[0].values())
        if strict and closed:
            lines.append(f"{closed} kept connections were closed")
        if lines:
            self.wrong += [f"{name}: {line}" for line in lines] + problems(together, self.events)

    # ---- at rest ----

    def keep(self, name):
        """While it is looked at, nobody else asks, and a pool may leave because it is idle."""
        if "idle_exit" in self.settings[name] and time.monotonic() - self.kept.get(name, 0) > 0.5:
            self.ask(name, "/hello.php")
            self.kept[name] = time.monotonic()

    def is_calm(self, name):
        with contextlib.suppress(Exception):
            self.keep(name)
            status = self.status(name)
            enough = status["idle"] == CHILDREN if self.settings[name]["pm"] == "static" else True
            _, templates, workers = self.pids(name)
            return (status["state"] == "ready" and status["active"] == 0 and status["starting"] == 0
                    and status["draining"] == 0 and enough and len(templates) == 1
                    and len(workers) == status["idle"] and status)
        return None

    def start(self, name):
        """Starts a pool if it has left; (how often systemd had to start it again, its status)."""
        self.assertEqual(self.ask(name, "/hello.php").text, "Hello World\n")
        number = self.guest.properties(f"fpmd@{name}.service", "NRestarts")["NRestarts"]
        return int(number), self.status(name)

    def rest(self, name, started, before, answered):
        """Waits until a pool is at rest, and looks whether it is as it should be then."""
        unit = f"fpmd@{name}.service"
        self.assertEqual(self.ask(name, "/hello.php").text, "Hello World\n")
        try:
            status = wait_until(lambda: self.is_calm(name), 15, "rest", step=0.1)
        except AssertionError:
            self.fail(f"{self.note}: {name} does not come to rest: {self.status(name)}\n"
                      f"{self.pids(name)} {self.guest.processes(unit)}")
        def state():  # systemd may not have read yet what the manager has told it
            self.keep(name)
            found = self.guest.properties(unit, "NRestarts", "StatusText", "ActiveState")
            return found["ActiveState"] not in ("activating", "reloading") and found
        state = wait_until(state, 10, f"{self.note}: systemd knows that {name} is ready")
        # systemd counts anew when somebody restarts, and when it left while the clients of the other ended.
        started = self.budgets[name].starts + (0 if self.restarted[name] else started)
        if "idle_exit" in self.settings[name] and self.guest.journal(
                since=self.quiet_since, POOL=name, MESSAGE_ID=message_id("POOL_IDLE")):
            started = 0
        if state["ActiveState"] != "active" or int(state["NRestarts"]) != started:
            self.wrong.append(f"{name}: {started} restarts expected: {state}")
        if status["manager_pid"] == before["manager_pid"] and \
                status["requests"] - before["requests"] < answered:
            self.wrong.append(f"{name}: {status['requests'] - before['requests']} requests counted, "
                              f"{answered} answered")
        self.compare(name, unit, status["manager_pid"])

    def compare(self, name, unit, manager):
        """The same processes under the same manager hold as many descriptors as ever."""
        def look():
            self.keep(name)
            figures = footprint(self.guest, unit)
            key = (name, manager) + tuple((k, v) for k, v in figures.items() if k.startswith("processes"))
            first = self.figures.setdefault(key, figures)
            more = [figure for figure in ("manager, fds", "manager, memfds", "manager, mapped")
                    if figures[figure] > first[figure]]
            return figures, first, more
        # The connection of who has just asked for the status is closed a little later, and zombies reaped.
        with contextlib.suppress(AssertionError):
            wait_until(lambda: (found := look()) and not found[2] and not found[0]["zombies"], 5, step=0.2)
        figures, first, more = look()
        for figure in more:
            if figures[figure] > first[figure]:
                self.wrong.append(f"{name}: {figure}: {first[figure]} at first, now {figures[figure]}: "
                                  f"{figures['manager, kinds'] - first['manager, kinds']}")
        if figures["zombies"]:
            self.wrong.append(f"{name}: {figures['zombies']} zombies at rest")

    # ---- all of it ----

    def test_random_events(self):
        self.plan = make_plan(SEED, SECONDS)
        self.events, self.wrong, self.figures = Events(), [], {}
        self.settings, self.kept = {}, {}
        print(f"      FPMD_CHAOS_SEED={SEED} FPMD_CHAOS_SECONDS={SECONDS:g}: {self.plan['pools']}",
              flush=True)
        for i, name in enumerate(NAMES):
            self.guest.write(f"/run/systemd/system/fpmd@{name}.socket.d/chaos.conf",
                             f"[Socket]\nListenStream=127.0.0.1:{9500 + i}\n")
            self.settings[name] = {"listen": f"/run/fpmd/{name}.sock 127.0.0.1:{9500 + i}",
                                   "request_terminate_timeout": "2s", **self.plan["pools"][name]}
        self.guest.systemctl("daemon-reload")
        for name in NAMES:
            self.pool(name, children=CHILDREN, **self.settings[name])
            self.ask(name, "/hello.php")
        for self.number, (rough, events, quiet, drained) in enumerate(self.plan["rounds"]):
            self.one_round(self.number, rough, events)
            if self.wrong:
                break
            if drained:
                self.drain(NAMES[self.number % 2])
            time.sleep(quiet)
        if self.wrong:
            self.fail("\n".join([f"FPMD_CHAOS_SEED={SEED} FPMD_CHAOS_SECONDS={SECONDS:g}: round "
                                 f"{self.number}: {self.plan['rounds'][self.number]}"] + self.wrong))
        self.end()

    def drain(self, name):
        self.note = f"drain of {name} after round {self.number}"
        self.start(name)  # it may have left while the other one was looked at
        self.wait_ready(name)
        done = self.guest.run("fpmctl", "drain", "--quiet=200ms", "--keep-socket", name, check=False)
        self.assertEqual(done.returncode, 0, f"{self.note}: {done.stderr}")

    def end(self):
        """A stop leaves nothing but the socket."""
        for name in NAMES:
            self.guest.systemctl("stop", f"fpmd@{name}.service")
            self.assertEqual(self.guest.processes(f"fpmd@{name}.service"), [])
            state = self.guest.properties(f"fpmd@{name}.socket", "ActiveState")["ActiveState"]
            self.assertEqual(state, "active")


if __name__ == "__main__":
    main()
