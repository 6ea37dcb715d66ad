"""Another program file takes over in the running manager: fpmctl reexec, and a reload after an upgrade."""

import contextlib
import json
import os
import signal
import time

import fastcgi
from lifecycle import Background
from loss.footprint import footprint, grown, memory_kb
from suite import (GuestCase, alive, executable, in_parallel, inner_pid, load, main, message_id, proc,
                   proc_status, wait_until)

PROGRAM = "/usr/sbin/fpmd"

WAITS_FOR_A_CHILD = """<?php
$begin = hrtime(true);
$child = proc_open(["sh", "-c", "sleep " . (int)$_GET["seconds"] . "; echo out; exit 7"],
                   [1 => ["pipe", "w"]], $pipes);
$out = stream_get_contents($pipes[1]);
echo trim($out), " ", proc_close($child), " ", intdiv(hrtime(true) - $begin, 1000000000);
"""


class Reexec(GuestCase):
    nginx = False

    @classmethod
    def prepare(cls, guest):
        guest.write("/srv/www/proc-open.php", WAITS_FOR_A_CHILD)

    def setUp(self):
        super().setUp()
        self.names = []

    def tearDown(self):
        """Whatever a case did, no program file may end for what it has handed over."""
        for name in self.names:
            self.assertEqual(self.guest.properties(f"fpmd@{name}", "NRestarts")["NRestarts"], "0")

    def start_pool(self, name, **options):
        self.pool(name, **options)
        self.names.append(name)
        self.assertEqual(self.ask(name, "/hello.php").status, 200)
        self.wait_ready(name)

    def wait_ready(self, name):
        """Its first worker may serve before the manager has heard of it, and what starts takes no other
        program."""
        wait_until(lambda: self.status(name)["state"] == "ready", 5, "a ready manager")

    def reexec(self, name, check=True):
        return self.guest.run("fpmctl", "reexec", name, check=check)

    def manager(self, name):
        return self.pids(name)[0]

    def replaced(self, name):
        return self.records(pool=name, MESSAGE_ID=message_id("MANAGER_REPLACED"))

    def replace_program(self, text=None, mode=0o755):
        """Another file stands where the program was, as a package manager does it; the former one
        comes back after the case."""
        path = self.guest.path(PROGRAM)
        kept = path.read_bytes()

        def put(content, mode):
            new = self.guest.path(PROGRAM + ".new")
            new.write_bytes(content)
            new.chmod(mode)
            new.rename(path)
        # What stands behind the end of an ELF file is nobody's.
        put(kept + b"another build" if text is None else text, mode)
        self.addCleanup(put, kept, 0o755)

    def runs_what_is_there(self, name):
        runs, there = os.stat(f"/proc/{self.manager(name)}/exe"), self.guest.path(PROGRAM).stat()
        return (runs.st_ino, runs.st_size) == (there.st_ino, there.st_size)

    def slow(self, name, ms):
        call = Background(self.ask, name, "/wait.php", query=f"ms={ms}", timeout=60)
        wait_until(lambda: self.status(name)["active"] >= 1, 5, "the request runs")
        return call

    # ---- under load ----

    def reexec_under_load(self, name, keep):
        self.start_pool(name, children=8)
        pid = self.manager(name)
        privileges = {k: v for k, v in proc_status(pid).items()
                      if k.startswith("Cap") or k in ("NoNewPrivs", "Uid", "Gid", "Groups")}
        with load(self.socket(name), "/srv/www/wait.php", query="ms=10", clients=16, seconds=30,
                  keep=keep) as running:
            time.sleep(0.5)
            self.assertIn("runs fpmd", self.reexec(name).stdout)
            for _ in range(19):
                time.sleep(0.1)
                self.reexec(name)
            result = running.stop()
        self.assertEqual(result["failed"], 0, result)
        self.assertGreater(result["ok"], 300, result)
        self.assertEqual(self.manager(name), pid)
        self.assertEqual(len(self.replaced(name)), 20)
        self.assertEqual(privileges, {k: v for k, v in proc_status(pid).items()
                                      if k in privileges})
        self.assertEqual(int(privileges["CapBnd"], 16), 0)
        self.assertGreaterEqual(self.status(name)["requests"], result["ok"])
        self.assertEqual(self.status(name)["workers_crashed"], 0)

    def test_a_wrapper_stands_at_the_name_of_the_program(self):
        """Distributions do that; each reload finds another file there and takes it once."""
        self.guest.write("/usr/local/sbin/wrapped", '#!/bin/bash\nexec -a "$0" /usr/sbin/fpmd "$@"\n')
        self.guest.path("/usr/local/sbin/wrapped").chmod(0o755)
        self.guest.write("/etc/systemd/system/fpmd@wrapped.service.d/wrapper.conf",
                         "[Service]\nExecStart=\nExecStart=/usr/local/sbin/wrapped --pool %i\n")
        self.guest.systemctl("daemon-reload")
        self.start_pool("wrapped")
        manager = self.manager("wrapped")
        for generation in (2, 3):
            self.assertIn("reloaded", self.guest.run("timeout", "10", "fpmctl", "reload", "wrapped").stdout)
            self.assertEqual(self.status("wrapped")["generation"], generation)
        self.assertEqual(self.manager("wrapped"), manager)
        self.assertLessEqual(len(self.replaced("wrapped")), 2)

    def test_twenty_under_load_lose_no_request(self):
        self.reexec_under_load("busy", keep=False)

    def test_twenty_under_kept_alive_load_lose_no_request(self):
        self.reexec_under_load("keeping", keep=True)

    def test_nothing_is_left_behind(self):
        self.start_pool("clean", children=4)
        self.reexec("clean")
        self.start_porter("clean")
        before, memory = footprint(self.guest, "fpmd@clean"), memory_kb(self.guest, "fpmd@clean")
        counted = self.status("clean")
        for _ in range(20):
            self.reexec("clean")
        # The connection of the last fpmctl may be there for a moment.
        wait_until(lambda: not grown(before, footprint(self.guest, "fpmd@clean")), 5,
                   "nothing more than before")
        self.assertLess(memory_kb(self.guest, "fpmd@clean"), memory + 256)
        now = self.status("clean")
        for key in ("requests", "workers_started", "started", "generation"):
            self.assertEqual(now.get(key), counted.get(key), key)
        self.assertEqual([w["pid"] for w in now["workers"]],
                         [w["pid"] for w in counted["workers"]])
        # One argument is what was added.
        words = proc(self.manager("clean"), "cmdline").split("\0")
        self.assertEqual(sum(word.startswith("--state") for word in words), 1, words)

    # ---- what runs goes on ----

    def test_a_script_that_waits_for_its_child_goes_on(self):
        self.start_pool("children", children=2)
        call = Background(self.ask, "children", "/proc-open.php", query="seconds=5", timeout=30)
        wait_until(lambda: self.status("children")["active"] >= 1, 5, "the request runs")
        for _ in range(3):
            self.reexec("children")
        self.assertEqual(call.result().text, "out 7 5")

    def test_a_generation_that_leaves_is_handed_over(self):
        self.start_pool("leaving", children=2)
        call = Background(self.ask, "leaving", "/gate.php", timeout=60, **self.close_gate("leaving"))
        wait_until(lambda: self.status("leaving")["active"] >= 1, 5, "the request runs")
        self.guest.systemctl("reload", "fpmd@leaving")
        self.reexec("leaving")
        self.assertEqual({w["generation"] for w in self.status("leaving")["workers"]}, {1, 2})
        self.reexec("leaving")
        self.open_gate("leaving")
        self.assertEqual(call.result().text, "through")
        wait_until(lambda: {w["generation"] for w in self.status("leaving")["workers"]} == {2}, 5,
                   "the old generation has gone")
        wait_until(lambda: len(self.pids("leaving")[1]) == 1, 7, "its template has gone")

    def test_workers_that_end_later_have_their_obituaries(self):
        self.start_pool("dying", children=2)
        self.reexec("dying")
        victim = self.pids("dying")[2][0]
        number = inner_pid(victim)
        os.kill(victim, signal.SIGKILL)
        record = self.wait_record(pool="dying", MESSAGE_ID=message_id("WORKER_EXITED"),
                                  where=lambda r: r.get("WORKER_PID") == str(number))
        self.assertEqual(record["SIGNAL"], "9")
        wait_until(lambda: not alive(victim), 5, "it is reaped")
        wait_until(lambda: self.status("dying")["idle"] == 2, 5, "another has come")

    def test_workers_that_end_meanwhile_are_reaped(self):
        self.start_pool("meanwhile", children=4)
        for _ in range(10):
            victim = self.pids("meanwhile")[2][0]
            os.kill(victim, signal.SIGKILL)
            self.reexec("meanwhile")
            wait_until(lambda: not alive(victim), 5, "it is reaped")
            wait_until(lambda: self.status("meanwhile")["idle"] == 4, 10, "another has come")
        self.assertEqual(self.status("meanwhile")["workers_crashed"], 10)

    def test_a_template_that_dies_later_is_replaced_from_the_running_setup(self):
        self.start_pool("orphaned", children=2, php_admin_value__memory_limit="77M")
        before = json.loads(self.ask("orphaned", "/process.php").text)
        self.guest.write("/etc/fpmd/conf.d/orphaned.conf", "[orphaned]\nnonsense = 1\n")
        self.reexec("orphaned")
        os.kill(self.pids("orphaned")[1][0], signal.SIGKILL)
        wait_until(lambda: self.status("orphaned")["generation"] == 2, 10, "another template")
        answer = self.ask("orphaned", "/ini.php", query="name=memory_limit")
        self.assertEqual(json.loads(answer.text)["values"], {"memory_limit": "77M"})
        now = json.loads(self.ask("orphaned", "/process.php").text)
        for key in ("uid", "gid", "groups", "limits"):
            self.assertEqual(now[key], before[key])
        self.assertNotIn("NOTIFY_SOCKET", self.ask("orphaned", "/environment.php").text)

    def test_output_goes_on_as_lines(self):
        self.start_pool("talking", children=1, catch_workers_output="yes")
        self.reexec("talking")
        self.assertEqual(self.ask("talking", "/output.php", query="word=x").status, 200)
        self.wait_record(pool="talking", MESSAGE_ID=message_id("WORKER_OUTPUT"))

    def test_what_a_crashed_manager_left_is_handed_over(self):
        self.start_pool("crashed", children=2)
        self.names.remove("crashed")
        call = Background(self.ask, "crashed", "/gate.php", timeout=60, **self.close_gate("crashed"))
        wait_until(lambda: self.status("crashed")["active"] >= 1, 5, "the request runs")
        os.kill(self.manager("crashed"), signal.SIGKILL)
        wait_until(lambda: self.guest.properties("fpmd@crashed", "NRestarts", "ActiveState") ==
                   {"NRestarts": "1", "ActiveState": "active"}, 10, "another manager")
        self.assertEqual(self.ask("crashed", "/hello.php").status, 200)
        self.reexec("crashed")
        # It waits for them.
        stop = Background(self.guest.systemctl, "stop", "fpmd@crashed.service")
        wait_until(lambda: self.guest.properties("fpmd@crashed", "ActiveState")["ActiveState"]
                   == "deactivating", 10, "the pool stops")
        time.sleep(1)
        self.assertTrue(stop.is_alive())
        self.open_gate("crashed")
        self.assertEqual(call.result().text, "through")
        stop.result()

    def test_reloads_at_the_same_time_are_done_as_well(self):
        self.start_pool("both", children=4)
        with load(self.socket("both"), "/srv/www/wait.php", query="ms=10", clients=16,
                  seconds=60) as running:
            in_parallel(8, lambda i: self.reexec("both") if i % 2 else
                        self.guest.run("fpmctl", "reload", "both"))
            result = running.stop()
        self.assertEqual(result["failed"], 0, result)
        self.assertGreater(self.status("both")["generation"], 1)

    def test_a_stop_does_not_wait_for_a_program_that_hangs(self):
        self.start_pool("stopped")
        self.names.remove("stopped")
        # ExecStopPost= runs it too.
        self.replace_program(text=b"#!/bin/sh\n[ $1 = --check-state ] && sleep 1000\n")
        call = Background(self.reexec, "stopped", check=False)
        wait_until(lambda: any("sleep" in proc(p, "comm")
                               for p in self.guest.processes("fpmd@stopped")), 5, "it is asked")
        begin = time.monotonic()
        self.guest.systemctl("stop", "fpmd@stopped.service")
        self.assertLess(time.monotonic() - begin, 30)  # of 90 that a stop has
        self.assertEqual(call.result().returncode, 1)
        self.assertEqual(self.guest.properties("fpmd@stopped", "Result")["Result"], "success")

    def test_a_stop_that_comes_with_the_answer_is_not_lost(self):
        """The manager sees the end of the check and the signal at the same time."""
        # No other manager follows, which would be the program that stands there now.
        self.guest.write("/etc/systemd/system/fpmd@crossed.service.d/test.conf", "[Service]\nRestart=no\n")
        self.guest.systemctl("daemon-reload")
        self.start_pool("crossed")
        self.names.remove("crossed")
        self.close_gate("crossed")
        self.replace_program(text=b"#!/bin/sh\n[ $1 = --check-state ] || exit 0\necho fpmd-state=1 test\n"
                                  b"while [ ! -e /srv/www/gates/crossed ]; do sleep 0.1; done\n")
        manager = self.manager("crossed")
        kept = os.stat(f"/proc/{manager}/exe").st_ino
        call = Background(self.reexec, "crossed", check=False)

        wait_until(lambda: any("sleep" in proc(p, "comm")
                               for p in self.guest.processes("fpmd@crossed")), 5, "it is asked")
        os.kill(manager, signal.SIGSTOP)
        check = next(int(p) for p in proc(manager, f"task/{manager}/children").split()
                     if proc(p, "cmdline").startswith("/bin/sh\0"))
        self.open_gate("crossed")
        wait_until(lambda: proc_status(check)["State"].startswith("Z"), 5, "the check has ended")
        os.kill(manager, signal.SIGTERM)
        self.assertEqual(os.stat(f"/proc/{manager}/exe").st_ino, kept)
        os.kill(manager, signal.SIGCONT)
        wait_until(lambda: not alive(manager), 5, "it ends")
        self.assertEqual(call.result().returncode, 1)
        self.assertEqual(self.guest.properties("fpmd@crossed", "Result")["Result"], "success")

    # ---- everything works afterwards ----

    def test_scaling_reload_status_and_stop_work_afterwards(self):
        self.start_pool("after", pm="ondemand", children=6, pm_process_idle_timeout="1s",
                        pm_status_path="/fpm-status")
        self.reexec("after")
        pid = self.manager("after")
        with load(self.socket("after"), "/srv/www/wait.php", query="ms=50", clients=8,
                  seconds=60) as running:
            wait_until(lambda: self.status("after")["active"] >= 5, 15, "it grows")
            self.assertEqual(running.stop()["failed"], 0)
        wait_until(lambda: not self.status("after")["workers"], 8, "it shrinks")
        page = fastcgi.request(self.socket("after"), "/fpm-status", query="json")
        self.assertEqual(json.loads(page.body)["pool"], "after")
        self.guest.systemctl("reload", "fpmd@after")
        self.assertEqual(self.status("after")["generation"], 2)
        self.assertEqual(self.manager("after"), pid)
        self.guest.systemctl("stop", "fpmd@after.service")
        self.assertEqual(self.guest.properties("fpmd@after", "Result")["Result"], "success")
        self.assertFalse(alive(pid))
        self.assertEqual(self.ask("after", "/hello.php").status, 200)

    def test_the_watchdog_is_fed(self):
        self.guest.write("/etc/systemd/system/fpmd@watched.service.d/test.conf",
                         "[Service]\nWatchdogSec=3\n")
        self.guest.systemctl("daemon-reload")
        self.start_pool("watched")
        pid = self.manager("watched")
        for _ in range(6):
            self.reexec("watched")
            time.sleep(1)
        self.assertEqual(self.manager("watched"), pid)
        self.assertIn("idle", self.guest.properties("fpmd@watched", "StatusText")["StatusText"])

    def test_a_connection_that_is_parked_is_served(self):
        self.start_pool("parking", children=2)
        with fastcgi.Connection(self.socket("parking")) as kept:
            self.assertEqual(kept.request("/hello.php", keep=True).status, 200)
            self.guest.systemctl("reload", "fpmd@parking")
            wait_until(lambda: self.status("parking").get("connections_parked") == 1, 5, "parked")
            self.reexec("parking")
            self.reexec("parking")
            self.assertEqual(self.status("parking").get("connections_parked"), 1)
            self.assertEqual(kept.request("/hello.php", keep=True).status, 200)

    # ---- another file ----

    def test_a_reload_runs_the_program_that_has_been_installed(self):
        self.start_pool("upgraded", children=2)
        pid = self.manager("upgraded")
        call = self.slow("upgraded", 2500)
        self.replace_program()
        self.assertFalse(self.runs_what_is_there("upgraded"))
        self.guest.systemctl("reload", "fpmd@upgraded")
        self.assertTrue(self.runs_what_is_there("upgraded"))
        self.assertEqual(self.manager("upgraded"), pid)
        self.assertEqual(self.status("upgraded")["generation"], 2)
        self.assertEqual(len(self.replaced("upgraded")), 1)
        self.assertIn("end", call.result().text)
        self.guest.systemctl("reload", "fpmd@upgraded")
        self.assertEqual(len(self.replaced("upgraded")), 1)

    def test_a_file_that_is_broken_does_not_keep_the_program_from_taking_over(self):
        self.start_pool("broken", children=2)
        self.guest.write("/etc/fpmd/conf.d/broken.conf", "[broken]\nnonsense = 1\n")
        self.reexec("broken")
        self.assertEqual(self.ask("broken", "/hello.php").status, 200)
        self.assertEqual(self.status("broken")["generation"], 1)
        self.replace_program()
        done = self.guest.systemctl("reload", "fpmd@broken", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(self.runs_what_is_there("broken"))
        self.assertEqual(self.ask("broken", "/hello.php").status, 200)

    def refused(self, name, reason, seconds=30, **program):
        self.start_pool(name, children=2)
        pid = self.manager(name)
        self.replace_program(**program)
        begin = time.monotonic()
        done = self.reexec(name, check=False)
        self.assertLess(time.monotonic() - begin, seconds)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(reason, done.stderr)
        self.wait_record(pool=name, MESSAGE_ID=message_id("REEXEC_REFUSED"))
        self.guest.systemctl("reload", f"fpmd@{name}")
        self.assertEqual(self.status(name)["generation"], 2)
        self.assertEqual(self.manager(name), pid)
        self.assertFalse(self.runs_what_is_there(name))
        self.assertEqual(self.ask(name, "/hello.php").status, 200)
        self.assertEqual(len(self.records(pool=name, MESSAGE_ID=message_id("REEXEC_REFUSED"))), 2)

    def test_a_file_that_cannot_be_executed_is_refused(self):
        self.refused("plain", "cannot be executed", mode=0o644)

    def test_a_program_that_fails_is_refused(self):
        self.refused("failing", "exit status 1", text=b"#!/bin/false\n")

    def test_another_program_is_refused(self):
        self.refused("other", "no fpmd", text=b"#!/bin/true\n")

    def test_a_program_that_crashes_is_refused(self):
        self.refused("crashing", "SIGSEGV", text=b"#!/bin/sh\nkill -SEGV $$\n")

    def test_a_program_that_hangs_is_refused(self):
        self.refused("hanging", "did not answer", text=b"#!/bin/sh\nsleep 1000\n")
        wait_until(lambda: "sleep" not in [executable(p) for p in self.guest.processes("fpmd@hanging")], 5,
                   "what it has started has ended")

    def test_a_program_that_is_gone_is_refused(self):
        self.start_pool("gone")
        path = self.guest.path(PROGRAM)
        kept = path.rename(path.with_name("fpmd.kept"))
        try:
            done = self.reexec("gone", check=False)
            self.guest.systemctl("reload", "fpmd@gone")
        finally:
            kept.rename(path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No such file", done.stderr)
        self.assertEqual(self.status("gone")["generation"], 2)

    # ---- other ways to run ----

    def test_a_pool_with_a_root_of_its_own(self):
        self.guest.write("/srv/jail/hello.php", "<?php echo 'in jail ', getmypid();")
        self.pool("jail", start=False, chroot="/srv/jail")
        self.guest.run("fpmctl", "apply", "jail")
        self.guest.systemctl("start", "fpmd@jail.socket")
        self.names.append("jail")
        self.assertIn("in jail", self.ask("jail", "/hello.php", root="").text)
        self.wait_ready("jail")
        self.reexec("jail")
        self.assertIn("in jail", self.ask("jail", "/hello.php", root="").text)
        os.kill(self.full("jail")[1][0], signal.SIGKILL)
        wait_until(lambda: self.status("jail")["generation"] == 2, 10, "another template")
        self.assertIn("in jail", self.ask("jail", "/hello.php", root="").text)
        self.guest.systemctl("reload", "fpmd@jail")
        self.assertIn("in jail", self.ask("jail", "/hello.php", root="").text)

    def test_a_manager_of_the_pools_own_user(self):
        self.guest.write("/etc/systemd/system/fpmd@own.service.d/test.conf",
                         "[Service]\nUser=site\nAmbientCapabilities=\nCapabilityBoundingSet=\n"
                         "RemoveIPC=no\n")
        self.guest.systemctl("daemon-reload")
        self.start_pool("own", user=None)
        pid = self.manager("own")
        self.reexec("own")
        self.reexec("own")
        self.assertEqual(self.manager("own"), pid)
        self.assertEqual(int(proc_status(pid)["CapEff"], 16), 0)
        self.guest.systemctl("reload", "fpmd@own")
        self.assertEqual(self.ask("own", "/hello.php").status, 200)

    def test_in_the_foreground(self):
        self.pool("front", listen="/run/front.sock", start=False)
        process = self.guest.popen("fpmd", "--foreground", "--pool", "front",
                                   stdout=-3, stderr=-3)
        socket = self.guest.path("/run/front.sock")
        try:
            def answers():
                with contextlib.suppress(OSError):
                    return fastcgi.request(socket, "/hello.php").status == 200
            wait_until(answers, 15, "it serves")
            self.wait_ready("front")
            self.assertIn("runs fpmd", self.reexec("front").stdout)
            self.assertIn("runs fpmd", self.reexec("front").stdout)
            self.assertTrue(answers())
            self.guest.run("fpmctl", "reload", "front")
            self.assertEqual(self.status("front")["generation"], 2)
            self.guest.run("kill", self.status("front")["manager_pid"])
            self.assertEqual(process.wait(15), 0)
            self.assertFalse(socket.exists())
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
