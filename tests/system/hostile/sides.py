"""The two pool managers that the attempts are made in, and what must hold after each."""

import contextlib
import json
import os
import subprocess
import threading
import time

import fastcgi
from guest import PATIENCE
from suite import executable, inner_pid, message_id, proc, proc_status, wait_until

SANE = 1 << 64  # figures are 64-bit numbers without sign


class Outcome:
    """What came of one attempt on one side."""

    def __init__(self, steps, answered, damage):
        self.steps, self.answered, self.damage = steps, answered, damage

    @property
    def errors(self):
        return sorted({word for _, word in self.steps if word != "ok"})

    @property
    def went_through(self):
        return [what for what, word in self.steps if word == "ok"]

    def as_dict(self):
        return {"steps": self.steps, "answered": self.answered, "damage": self.damage}


class Side:
    """A pool manager with the pools of the test."""

    def __init__(self, case):
        self.case, self.guest = case, case.guest
        self.managers = {}

    def ask(self, pool, script, timeout=3, **options):
        return fastcgi.request(self.guest.path(f"{self.folder}/{pool}.sock"), script, timeout=timeout,
                               root=self.root(pool), **options)

    @staticmethod
    def root(pool):
        return "/www" if pool == "jailed" else "/srv/www"

    def bystander(self):
        """A process of a service that has nothing to do with pools, but their user."""
        def alive(pid):
            with contextlib.suppress(OSError):
                return executable(pid) == "sleep" and proc_status(pid)["State"][0] != "Z"
            return False

        if not self.case.bystander or not alive(self.case.bystander):
            self.case.bystander = wait_until(
                lambda: [p for p in self.guest.processes("bystander.service") if alive(p)], 3, "the bystander")[0]
        return inner_pid(self.case.bystander)

    def look_further(self, row, pool):
        check = getattr(self, "after_" + row.name.replace("-", "_"), None)
        return check(pool) if check else []

    def serves_original(self, pool):
        texts = {self.ask(pool, "/original.php").text for _ in range(6)}
        return [] if texts == {"ORIGINAL-ANSWER"} else [f"{pool} serves {texts}"]

    def after_opcache_poison(self, pool):
        return self.serves_original("other")

    def after_strict_opcache_poison(self, pool):
        return self.serves_original(pool)

    def alive(self, pool, seconds=4):
        """Whether the pool serves."""
        end = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(OSError, TimeoutError):
                if self.ask(pool, "/alive.php", timeout=1).text == "alive":
                    return True
            time.sleep(0.02)
        return False

    def serves_late(self, pool, seconds=4):
        """Whether the pool serves who says nothing at first, which is the porter's part."""
        end = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(OSError, TimeoutError), \
                    fastcgi.Connection(self.guest.path(f"{self.folder}/{pool}.sock"), 1) as connection:
                time.sleep(0.01)
                if connection.request("/alive.php", root=self.root(pool)).text == "alive":
                    return True
        return False

    @staticmethod
    def birth(pid):
        with contextlib.suppress(OSError):
            return proc(pid, "stat").rpartition(")")[2].split()[19]
        return None

    def children(self, pid):
        with contextlib.suppress(OSError):
            return [int(p) for p in proc(pid, f"task/{pid}/children").split()]
        return []

    def run(self, row):
        pool = row.pool
        if row.name.startswith("bystander-"):  # one that was killed on the other side may not have ended yet
            self.guest.systemctl("restart", "bystander")
        targets = self.targets(pool)
        steps_path = self.guest.path("/srv/hostile/steps")
        steps_path.unlink(missing_ok=True)
        if pool == "locked":  # an attempt may have destroyed it
            self.guest.write("/srv/forbidden/secret", "secret\n")
            os.chown(self.guest.path("/srv/forbidden/secret"), *self.case.ids)
        got = []
        body = json.dumps({"name": row.name, "targets": targets}).encode()

        def ask():
            with contextlib.suppress(OSError, ValueError, IndexError):
                reply = self.ask(pool, "/hostile/run.php", method="POST", timeout=6, body=body)
                got.append(json.loads(reply.text.splitlines()[-1])["steps"])

        damage = []
        asking = threading.Thread(target=ask)
        asking.start()
        if row.meanwhile:
            time.sleep(0.1)
            damage += self.look(pool, row.meanwhile == "reload", whole=True)
        asking.join()
        answered, steps = bool(got), got[0] if got else []
        if not answered:
            with contextlib.suppress(OSError, ValueError):
                steps = json.loads(steps_path.read_text())
        damage += self.look(pool)
        damage += self.look_further(row, pool)
        if damage:
            self.heal(pool)
        return Outcome(steps, answered, damage)


class Fpmd(Side):
    folder = "/run/fpmd"

    def start(self):
        for pool in self.case.pools:
            assert self.alive(pool, 10), pool
            unit = f"fpmd@{pool}.service"
            main_pid = int(self.guest.properties(unit, "MainPID")["MainPID"])
            manager = next(p for p in self.guest.processes(unit) if inner_pid(p) == main_pid)
            self.managers[pool] = (manager, self.birth(manager))

    def status(self, pool, whole):
        """What the manager says of the pool: by a worker, or all of it by fpmctl."""
        if whole:
            done = self.guest.run("fpmctl", "status", pool, "--full", "-o", "json", timeout=5)
            return json.loads(done.stdout)
        for _ in range(20):  # a worker that was told to leave may still take a connection
            with contextlib.suppress(OSError, ValueError):
                return json.loads(self.ask(pool, "/status", query="json&full", timeout=1).text)
        raise AssertionError("the status page does not answer")

    def processes(self, pool, name):
        """Pids, as the guest numbers them, of a kind of process of a pool."""
        pids = []
        for pid in self.children(self.managers[pool][0]):
            with contextlib.suppress(OSError):
                if proc(pid, "comm").strip() == f"fpmd-{name}" and proc_status(pid)["State"][0] != "Z":
                    pids.append(inner_pid(pid))
        return pids

    def targets(self, pool):
        return {
            "pool": pool, "other": "other", "unit": f"fpmd@{pool}.service", "sockets": self.folder,
            "manager": inner_pid(self.managers[pool][0]), "rival": "/run/php/other.sock",
            "template": next(iter(self.processes(pool, "template")), None),
            "porter": next(iter(self.processes(pool, "porter")), None),
            "workers": self.processes(pool, "worker"), "neighbours": self.processes("other", "worker"),
            "message": message_id("POOL_READY"), "bystander": self.bystander(),
        }

    def after_opcache_poison(self, pool):
        """The next generation has a cache of its own."""
        self.guest.run("fpmctl", "reload", pool)
        return self.serves_original("other") + self.serves_original(pool)

    def after_notify(self, pool):
        unit = self.guest.properties(f"fpmd@{pool}.service", "MainPID", "ActiveState", "StatusText",
                                     "NFileDescriptorStore")
        wanted = {"MainPID": str(inner_pid(self.managers[pool][0])), "ActiveState": "active",
                  "NFileDescriptorStore": "0"}
        return [f"systemd: {unit}"] if "hacked" in unit.pop("StatusText", "") or unit != wanted else []

    def after_journal_forge(self, pool):
        """The forged records are a worker's for who looks at what the kernel says."""
        records = self.guest.journal("MESSAGE=forged by a worker")
        wrong = [r for r in records if int(r["_UID"]) != self.case.ids[0] or r.get("_EXE") == "/usr/sbin/fpmd"]
        lines = [line for line in self.guest.run("fpmctl", "log", pool).stdout.splitlines() if "forged by" in line]
        wrong += [line for line in lines if "fpmd[" in line]
        return [f"journal: {wrong[0]}"] if wrong or not records else []

    def heal(self, pool):
        """Only root can, by another socket."""
        self.guest.run("systemctl", "kill", "--signal=KILL", f"fpmd@{pool}.service", check=False)
        self.guest.run("systemctl", "stop", f"fpmd@{pool}.service", f"fpmd@{pool}.socket", check=False)
        self.guest.run("systemctl", "start", f"fpmd@{pool}.socket")
        self.start()

    def look(self, pool, reload=False, whole=False):
        damage = []
        if reload and self.guest.run("fpmctl", "reload", pool, timeout=10, check=False).returncode:
            damage.append("no reload")
        for name in dict.fromkeys([pool, "other"]):
            if not self.alive(name, 2):
                damage.append(f"{name} does not serve")
            elif not self.serves_late(name):
                damage.append(f"{name} does not serve who says nothing at first")
            manager, birth = self.managers[name]
            if self.birth(manager) != birth:
                damage.append(f"the manager of {name} is another one")
        try:
            damage += self.absurdities(self.status(pool, whole))
        except (AssertionError, ValueError, subprocess.TimeoutExpired) as error:
            damage.append(f"no status: {error}")
        return damage

    @staticmethod
    def absurdities(status):
        wrong = []

        def walk(value, path):
            if isinstance(value, dict):
                for key, item in value.items():
                    walk(item, f"{path}.{key}")
            elif isinstance(value, list):
                for item in value:
                    walk(item, f"{path}[]")
            elif isinstance(value, (int, float)) and not (-2 <= value < SANE):
                wrong.append(f"{path} is {value}")
            elif isinstance(value, str) and any(ord(c) < 32 and c != "\n" for c in value):
                wrong.append(f"{path} has control characters")

        walk(status, "status")
        return wrong


class PhpFpm(Side):
    folder = "/run/php"

    def start(self):
        self.master = self.find_master()
        for pool in self.case.pools:
            if pool != "own":
                assert self.alive(pool, 10), pool

    def find_master(self):
        main_pid = int(self.guest.properties("php8.2-fpm.service", "MainPID")["MainPID"])
        pid = next(p for p in self.guest.processes("php8.2-fpm.service") if inner_pid(p) == main_pid)
        return pid, self.birth(pid)

    def workers(self, pool):
        pids = []
        for pid in self.children(self.master[0]):
            with contextlib.suppress(OSError):
                if f"pool {pool}" in proc(pid, "cmdline"):
                    pids.append(inner_pid(pid))
        return pids

    def targets(self, pool):
        master = inner_pid(self.master[0])
        return {
            "pool": pool, "other": "other", "unit": "php8.2-fpm.service", "sockets": self.folder,
            "manager": master, "template": master, "workers": self.workers(pool), "porter": master,
            "neighbours": self.workers("other"), "rival": "/run/fpmd/other.sock",
            "message": message_id("POOL_READY"), "bystander": self.bystander(),
        }

    def run(self, row):
        return super().run(row) if row.beside else None

    def look(self, pool, reload=False, whole=False):
        damage = []
        for name in dict.fromkeys([pool, "other"]):
            if not self.alive(name, 1):
                damage.append(f"{name} does not serve")
        if self.birth(self.master[0]) != self.master[1]:
            damage.append("the master is another one")
        return damage

    def heal(self, pool):
        # Not by its own ways: a master whose scoreboard is garbage does not end.
        self.guest.run("systemctl", "kill", "--signal=KILL", "php8.2-fpm.service", check=False)
        self.guest.run("systemctl", "restart", "php8.2-fpm.service")
        self.start()
