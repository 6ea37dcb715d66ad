"""Limits of single workers: their cgroups where the controllers exist, and a clear refusal where they do
not. What the kernel then does is seen on machines whose cgroups of version 2 have pids and memory."""

import contextlib
import os
import pathlib
import re
import threading

from guest import PATIENCE
from suite import GuestCase, inner_pid, main, message_id, wait_until

SCRIPTS = {
    "fork": """<?php
        $n = 0;
        $all = [];
        while ($n < 40 && ($p = @proc_open(['sleep', '30'], [], $pipes))) { $all[] = $p; $n++; }
        foreach ($all as $p) { proc_terminate($p, 9); proc_close($p); }
        echo $n;""",
    "fill": "<?php exec('sleep 300 >/dev/null 2>&1 &'); ini_set('memory_limit', -1); $a = [];"
            "for (;;) $a[] = str_repeat('x', 1 << 20);",
    "left": "<?php exec('sleep 300 >/dev/null 2>&1 &'); echo getmypid();",
    "pid": "<?php echo getmypid();",
    "slow": f"<?php usleep({1500000 * PATIENCE:.0f}); echo 'done';",
}


def has_controller(guest, name):
    """Whether units of the guest can be given it."""
    return name in guest.read("/sys/fs/cgroup/cgroup.controllers").split()


class Refused(GuestCase):
    """What a pool hears that cannot have what it asks for."""

    nginx = False

    def refusal(self, name):
        """The record of a start that fails, and what systemctl says."""
        done = self.guest.systemctl("start", f"fpmd@{name}.service", check=False)
        self.assertNotEqual(done.returncode, 0)
        return self.wait_record(POOL=name, MESSAGE_ID=message_id("CONFIG_ERROR"))

    def test_without_the_controller_the_pool_does_not_start(self):
        for directive, key, value, controller in (
                ("pm.worker_memory_max", "pm_worker_memory_max", "64M", "memory"),
                ("pm.worker_tasks_max", "pm_worker_tasks_max", "20", "pids")):
            if has_controller(self.guest, controller):
                continue
            name = f"no-{controller}"
            self.pool(name, start=False, **{key: value})
            self.guest.run("fpmctl", "apply", name, check=False)
            record = self.refusal(name)
            self.assertEqual(record["DIRECTIVE"], directive)
            self.assertEqual(record["CONFIG_FILE"], f"/etc/fpmd/conf.d/{name}.conf")
            self.assertEqual(record["CONFIG_LINE"], "5")
            self.assertIn(f"this machine has no {controller} controller", record["MESSAGE"])
            self.assertIn("unified_cgroup_hierarchy", record["MESSAGE"])

    def test_a_reload_that_asks_for_it_is_refused(self):
        """What serves goes on."""
        self.pool("later")
        self.assertEqual(self.ask("later", "/hello.php").status, 200)
        path = "/etc/fpmd/conf.d/later.conf"
        self.guest.write(path, self.guest.read(path) + "pm.worker_tasks_max = 20\n")
        done = self.guest.run("fpmctl", "reload", "later", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("pm.worker_tasks_max", done.stdout + done.stderr)
        self.assertEqual(self.ask("later", "/hello.php").status, 200)

    def test_not_where_a_worker_has_the_user_of_the_manager(self):
        self.pool("own", start=False, user=None, pm_worker_tasks_max=20)
        self.guest.write("/run/systemd/system/fpmd@own.service.d/user.conf", """[Service]
User=site
AmbientCapabilities=
CapabilityBoundingSet=
""")
        self.guest.systemctl("daemon-reload")
        record = self.refusal("own")
        self.assertIn("the workers have the user of the manager", record["MESSAGE"])
        self.assertEqual(record["CONFIG_LINE"], "4")

    def test_apply_writes_the_delegation(self):
        self.pool("applied", start=False, pm_worker_tasks_max=20, pm_worker_memory_max="64M")
        self.guest.run("fpmctl", "apply", "applied", check=False)
        text = self.guest.read("/etc/systemd/system/fpmd@applied.service.d/50-pool-file.conf")
        self.assertIn("Delegate=memory pids\n", text)
        self.assertIn("ProtectControlGroups=no\n", text)
        checked = self.guest.run("fpmctl", "check", "applied", check=False)
        self.assertNotIn("Delegate", checked.stdout + checked.stderr)
        self.guest.run("rm", "-r", "/etc/systemd/system/fpmd@applied.service.d")
        self.guest.systemctl("daemon-reload")
        checked = self.guest.run("fpmctl", "check", "applied", check=False)
        self.assertIn("Delegate=memory pids", checked.stdout + checked.stderr)


class Divided(GuestCase):
    """A service with Delegate=: its groups hold everything that belongs to the pool."""

    @classmethod
    def prepare(cls, guest):
        for name, text in SCRIPTS.items():
            guest.write(f"/srv/www/cg-{name}.php", text)

    def setUp(self):
        super().setUp()
        if not has_controller(self.guest, "pids"):
            self.skipTest("cgroups of version 2 have no pids controller on this machine")

    def divided(self, name, **settings):
        self.pool(name, start=False, **{"children": 2, "pm_worker_tasks_max": 12} | settings)
        self.guest.run("fpmctl", "apply", name)
        self.guest.systemctl("start", f"fpmd@{name}.socket")
        self.assertEqual(self.ask(name, "/hello.php").status, 200)
        if "pm_max_requests" not in settings:
            self.full(name, settings.get("children", 2))

    def group(self, name):
        """As the guest has it."""
        return "/sys/fs/cgroup" + self.guest.properties(f"fpmd@{name}.service",
                                                        "ControlGroup")["ControlGroup"]

    def folder(self, name):
        return pathlib.Path(self.guest.path(self.group(name)))

    def groups(self, name):
        """name of the group -> pids, as the guest numbers them."""
        found = {}
        top = self.folder(name)
        for folder, _, _ in os.walk(top):
            with contextlib.suppress(OSError), open(f"{folder}/cgroup.procs") as lines:  # or it has gone
                found[os.path.relpath(folder, top)] = [
                    pid for pid in map(inner_pid, map(int, lines.read().split())) if pid is not None]
        return found

    def test_each_worker_is_in_a_group_of_its_own(self):
        self.divided("each")
        groups = self.groups("each")
        self.assertEqual(groups["."], [])
        workers = [w["pid"] for w in self.status("each")["workers"]]
        self.assertEqual(len(workers), 2)
        for pid in workers:
            self.assertEqual(groups[f"worker-{pid}"], [pid])
            limit = self.folder("each") / f"worker-{pid}" / "pids.max"
            self.assertEqual(limit.read_text().strip(), "12")
            # The worker cannot change it, nor leave.
            user = self.guest.run("stat", "-c", "%U", f"/proc/{pid}").stdout.strip()
            for file in (limit, limit.with_name("cgroup.procs")):
                self.assertNotEqual(self.guest.run(
                    "stat", "-c", "%U", f"{self.group('each')}/worker-{pid}/{file.name}"
                ).stdout.strip(), user)
        self.assertGreaterEqual(len(groups["manager"]), 2)

    def test_who_forks_without_end_gets_an_error(self):
        self.divided("bomb")
        answer = self.ask("bomb", "/cg-fork.php")
        self.assertEqual(answer.status, 200)
        self.assertLess(int(answer.text), 12)
        self.assertGreater(int(answer.text), 3)
        self.assertEqual(self.ask("bomb", "/hello.php").status, 200)

    def test_groups_go_with_their_workers(self):
        self.divided("go", pm_max_requests=1, children=1)
        for _ in range(5):
            self.assertEqual(self.ask("go", "/cg-pid.php").status, 200)
        wait_until(lambda: sum(g.startswith("worker-") for g in self.groups("go")) == 1, 5,
                   "one group is left")

    def test_what_a_script_leaves_behind_ends_with_the_pool(self):
        self.divided("left", children=1)
        pid = int(self.ask("left", "/cg-left.php").text)
        self.assertGreater(len(self.groups("left")[f"worker-{pid}"]), 1)
        folder = self.folder("left")
        self.guest.systemctl("stop", "fpmd@left.socket", "fpmd@left.service")
        self.assertFalse(folder.exists())

    def test_reload_and_reexec(self):
        self.divided("again")
        self.guest.systemctl("reload", "fpmd@again.service")
        self.assertEqual(self.ask("again", "/hello.php").status, 200)
        self.settled("again")
        self.full("again")
        self.assertEqual(self.groups("again")["."], [])
        before = {w["pid"] for w in self.status("again")["workers"]}
        self.guest.run("fpmctl", "reexec", "again")
        self.assertEqual(self.ask("again", "/hello.php").status, 200)
        self.assertEqual({w["pid"] for w in self.status("again")["workers"]}, before)
        for pid in before:
            self.guest.run("kill", "-9", str(pid))
        wait_until(lambda: len(self.status("again")["workers"]) == 2 and not before & {
            w["pid"] for w in self.status("again")["workers"]}, 5, "others")
        wait_until(lambda: sorted(g for g in self.groups("again") if g.startswith("worker-")) ==
                   sorted(f"worker-{w['pid']}" for w in self.status("again")["workers"]), 5,
                   "groups of these workers and no others")

    def test_a_manager_that_was_killed_comes_back(self):
        """Its workers are still in groups with controllers when systemd starts the next one."""
        self.divided("killed", children=1)
        unit = "fpmd@killed.service"
        answers = []
        client = threading.Thread(target=lambda: answers.append(self.ask("killed", "/cg-slow.php")))
        client.start()
        wait_until(lambda: self.status("killed")["active"] == 1, 5, "the request runs")
        first = self.guest.properties(unit, "MainPID")["MainPID"]
        self.guest.run("kill", "-9", first)
        wait_until(lambda: self.guest.properties(unit, "MainPID")["MainPID"] not in ("0", first), 5,
                   "another manager")
        self.assertEqual(self.ask("killed", "/hello.php").status, 200)
        self.assertEqual(self.groups("killed")["."], [])
        self.assertEqual(self.guest.properties(unit, "NRestarts")["NRestarts"], "1")
        client.join(10 * PATIENCE)
        self.assertEqual([a.text for a in answers], ["done"])

    def test_only_the_worker_dies_when_its_memory_is_full(self):
        if not has_controller(self.guest, "memory"):
            self.skipTest("cgroups of version 2 have no memory controller on this machine")
        self.divided("full", pm_worker_memory_max="64M")
        before = {w["pid"] for w in self.status("full")["workers"]}
        main_pid = self.guest.properties("fpmd@full.service", "MainPID")
        with self.assertRaises(ConnectionError):  # by the kernel, which lets nobody answer
            self.ask("full", "/cg-fill.php")
        record = self.wait_record(POOL="full", MESSAGE_ID=message_id("WORKER_EXITED"))
        self.assertTrue(re.search(r"its memory was full \(pm.worker_memory_max", record["MESSAGE"]))
        self.assertEqual(record["SCRIPT"], "/srv/www/cg-fill.php")
        dead = int(record["WORKER_PID"])
        self.assertIn(dead, before)
        wait_until(lambda: len(self.status("full")["workers"]) == 2, 5, "another worker")
        self.assertEqual(self.ask("full", "/hello.php").status, 200)
        self.assertEqual(before - {w["pid"] for w in self.status("full")["workers"]}, {dead})
        # What it had started has gone with it, and the service is the same: OOMPolicy=continue.
        wait_until(lambda: f"worker-{dead}" not in self.groups("full"), 5, "its group has gone")
        self.assertNotIn("sleep", self.guest.run("ps", "-e", "-o", "comm").stdout.split())
        self.assertEqual(self.guest.properties("fpmd@full.service", "MainPID"), main_pid)


if __name__ == "__main__":
    main()
