"""What follows when something has died or cannot start: tries at growing distances, clients that wait, new generations."""

import contextlib
import json
import re
import signal
import threading
import time

from suite import (GuestCase, alive, inner_pid, load, main, message_id, sent_at, wait_until, write_pool)

BROKEN_INI = "/etc/php/8.2/fpm/php.ini"


class Call(threading.Thread):
    """A call in the background."""

    def __init__(self, function):
        super().__init__(daemon=True)
        self._function = function
        self.value = self.error = None
        self.start()

    def run(self):
        try:
            self.value = self._function()
        except Exception as error:  # looked at by the test
            self.error = error

    def result(self, timeout=30):
        self.join(timeout)
        if self.is_alive():
            raise AssertionError("still waiting")
        if self.error:
            raise self.error
        return self.value


class Recovery(GuestCase):
    nginx = False

    def properties(self, name, *names):
        return self.guest.properties(f"fpmd@{name}.service", *names)

    def main_pid(self, name):
        return int(self.properties(name, "MainPID")["MainPID"])

    def status_text(self, name):
        return self.properties(name, "StatusText")["StatusText"]

    def waiting(self, name):
        return self.records(POOL=name, MESSAGE_ID=message_id("POOL_WAITING"))

    def own_records(self, name):
        """What the pool itself said, without systemd's words about its unit."""
        return [r for r in self.records(POOL=name)
                if r.get("_COMM") not in ("systemd", None) and r.get("SYSLOG_IDENTIFIER") != "systemd"]

    def break_pool(self, name, **settings):
        """A pool with a bad pool file, whose socket listens; returns the good text."""
        self.pool(name, start=False, **settings)
        path = f"/etc/fpmd/conf.d/{name}.conf"
        good = self.guest.read(path)
        self.guest.write(path, good + "pm.max_childen = 3\n")
        self.guest.systemctl("start", f"fpmd@{name}.socket")
        return good

    def mend(self, name, good):
        self.guest.write(f"/etc/fpmd/conf.d/{name}.conf", good)

    def assert_spaced(self, records, distances):
        """The records lie about so many seconds apart. A try begins so long after the one before has
        failed, which its record tells a moment later."""
        times = [sent_at(r) for r in records]
        found = [b - a for a, b in zip(times, times[1:])]
        self.assertGreaterEqual(len(found), len(distances), found)
        self.assertGreater(sum(found[:len(distances)]), sum(distances) * 0.9, found)
        for seconds, expected in zip(found, distances):
            self.assertGreater(seconds, expected - 0.5, found)
            self.assertLess(seconds, expected + 3, found)

    def next_try(self, name):
        """When time alone brings it, as time.time()."""
        last = self.waiting(name)[-1]
        return sent_at(last) + int(last["PAUSE_USEC"]) / 1e6

    # ---- a start that fails ----

    def test_the_first_start_fails_at_once_the_others_wait_inside(self):
        good = self.break_pool("first")
        begin = time.monotonic()
        done = self.guest.systemctl("start", "fpmd@first.service", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertLess(time.monotonic() - begin, 20)  # of 90 that a start has
        wait_until(lambda: self.waiting("first"), 5, "a record")
        first = self.main_pid("first")
        wait_until(lambda: len(self.waiting("first")) >= 4, 15, "four tries")
        self.assertEqual(self.main_pid("first"), first, "the same process waits and tries")
        records = self.waiting("first")
        self.assertEqual([int(r["ATTEMPT"]) for r in records[:4]], [2, 3, 4, 5])
        self.assertEqual([int(r["PAUSE_USEC"]) for r in records[:4]],
                         [1000000, 2000000, 4000000, 8000000])
        self.assert_spaced(records, [1, 2, 4])
        for record in records:
            self.assertIn("first.conf:", record["MESSAGE"])
            self.assertIn("pm.max_childen", record["MESSAGE"])
        self.assertEqual(self.properties("first", "ActiveState", "NRestarts"),
                         {"ActiveState": "activating", "NRestarts": "1"})
        # systemd is told after the journal.
        wait_until(lambda: re.search(r"^Cannot start: .*pm.max_childen.*; next try in [1-8] s \(attempt 6\)$",
                                     self.status_text("first")), 5, "the status says so")
        self.mend("first", good)
        wait_until(lambda: self.properties("first", "ActiveState")["ActiveState"] == "active", 5,
                   "the pool runs")

    def test_one_record_for_each_try(self):
        """The first failure tells everything, those that follow tell one thing."""
        good = self.break_pool("terse")
        client = Call(lambda: self.ask("terse", "/hello.php"))
        wait_until(lambda: len(self.waiting("terse")) >= 3, 15, "three tries")
        # Since the second process began there is nothing but these.
        second = self.main_pid("terse")
        said = [r for r in self.own_records("terse") if int(r["_PID"]) == second]
        self.assertEqual([r["MESSAGE_ID"] for r in said],
                         [message_id("POOL_WAITING")] * len(said), [r["MESSAGE"] for r in said])
        self.mend("terse", good)
        self.assertEqual(client.result().text, "Hello World\n")

    def test_a_broken_php_ini_at_boot(self):
        """The socket stays, one record per try, and the clients are served when it is mended: no command."""
        ini = self.guest.read(BROKEN_INI)
        self.addCleanup(self.guest.write, BROKEN_INI, ini)
        self.guest.write(BROKEN_INI, ini + "\n[broken\nzend_extension = \"\n(((\n")
        self.pool("boot", children=2)
        clients = [Call(lambda: self.ask("boot", "/hello.php", timeout=60)) for _ in range(8)]
        wait_until(lambda: len(self.waiting("boot")) >= 4, 20, "four tries")
        self.assertEqual(self.guest.properties("fpmd@boot.socket", "ActiveState")["ActiveState"],
                         "active")
        pid = self.main_pid("boot")
        said = [r for r in self.own_records("boot") if int(r["_PID"]) == pid]
        self.assertEqual([r["MESSAGE_ID"] for r in said],
                         [message_id("POOL_WAITING")] * len(said), [r["MESSAGE"] for r in said])
        records = self.waiting("boot")
        self.assert_spaced(records, [1, 2, 4])
        others = [r["MESSAGE"] for r in self.own_records("boot")
                  if int(r["__REALTIME_TIMESTAMP"]) > int(records[0]["__REALTIME_TIMESTAMP"])
                  and r.get("MESSAGE_ID") != message_id("POOL_WAITING")]
        self.assertEqual(others, [])
        self.assertTrue(all(c.is_alive() for c in clients))
        due = self.next_try("boot")
        self.guest.write(BROKEN_INI, ini)
        self.assertEqual([c.result(20).text for c in clients], ["Hello World\n"] * 8)
        self.assertLess(time.time(), due, "the change ends the wait")

    def test_time_alone_mends_too(self):
        """Something that no file tells: the program is there again."""
        self.pool("time", start=False, runtime="php9.9")
        self.guest.systemctl("start", "fpmd@time.socket")
        client = Call(lambda: self.ask("time", "/hello.php", timeout=60))
        wait_until(lambda: len(self.waiting("time")) >= 1, 10, "a try")
        self.assertIn("php9.9", self.waiting("time")[0]["MESSAGE"])
        programs = "/usr/libexec/fpmd"
        self.guest.run("mkdir", f"{programs}/hidden")
        self.guest.run("cp", f"{programs}/php8.2", f"{programs}/hidden/php9.9")
        self.guest.run("mv", f"{programs}/hidden/php9.9", f"{programs}/php9.9")
        self.addCleanup(self.guest.path(f"{programs}/php9.9").unlink)
        self.addCleanup(self.guest.path(f"{programs}/hidden").rmdir)
        self.assertEqual(client.result(20).text, "Hello World\n")

    def test_a_drop_in_ends_the_wait(self):
        self.pool("dropin", start=False, runtime="php9.8")
        self.guest.systemctl("start", "fpmd@dropin.socket")
        client = Call(lambda: self.ask("dropin", "/hello.php", timeout=60))
        wait_until(lambda: len(self.waiting("dropin")) >= 4, 20, "tries at a distance")
        folder = self.guest.path("/etc/fpmd/conf.d/dropin.conf.d")
        self.addCleanup(self.guest.run, "rm", "-rf", "/etc/fpmd/conf.d/dropin.conf.d")
        due = self.next_try("dropin")
        folder.mkdir()
        self.guest.write("/etc/fpmd/conf.d/dropin.conf.d/10-runtime.conf", "runtime = php8.2\n")
        self.assertEqual(client.result(20).text, "Hello World\n")
        self.assertLess(time.time(), due)

    def test_a_reload_tries_at_once(self):
        good = self.break_pool("hurry")
        self.guest.systemctl("start", "fpmd@hurry.service", check=False)
        wait_until(lambda: len(self.waiting("hurry")) >= 4, 20, "tries at a distance")
        n = len(self.waiting("hurry"))
        done = self.guest.run("fpmctl", "reload", "hurry", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("pm.max_childen", done.stdout + done.stderr)
        # The answer comes before the record.
        wait_until(lambda: len(self.waiting("hurry")) > n, 5, "a try")
        self.assertEqual(len(self.waiting("hurry")), n + 1)
        self.guest.run("kill", "-HUP", self.main_pid("hurry"))
        wait_until(lambda: len(self.waiting("hurry")) == n + 2, 10, "another try")
        status = json.loads(self.guest.run("fpmctl", "status", "hurry", "-o", "json").stdout)
        self.assertEqual(status["state"], "waiting")
        self.mend("hurry", good)
        self.guest.run("fpmctl", "reload", "hurry", check=False)
        wait_until(lambda: self.properties("hurry", "ActiveState")["ActiveState"] == "active", 10,
                   "the pool runs")
        self.assertEqual(self.ask("hurry", "/hello.php").text, "Hello World\n")

    def test_a_restart_by_hand_is_a_first_try(self):
        good = self.break_pool("byhand")
        self.guest.systemctl("start", "fpmd@byhand.service", check=False)
        wait_until(lambda: len(self.waiting("byhand")) >= 1, 10, "it waits")
        before = self.waiting("byhand")[0]["_PID"]
        begin = time.monotonic()
        done = self.guest.systemctl("restart", "fpmd@byhand.service", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertLess(time.monotonic() - begin, 20)
        again = wait_until(lambda: [r for r in self.waiting("byhand") if r["_PID"] != before], 10,
                           "it waits again")
        self.assertEqual(again[0]["ATTEMPT"], "2")
        self.guest.systemctl("stop", "fpmd@byhand.service")
        self.mend("byhand", good)
        self.assertEqual(self.guest.systemctl("start", "fpmd@byhand.service").returncode, 0)
        # What failed before it served is forgotten.
        self.guest.write("/etc/fpmd/conf.d/byhand.conf", good + "nonsense = 1\n")
        self.guest.systemctl("stop", "fpmd@byhand.service")
        self.assertEqual(
            self.guest.systemctl("start", "fpmd@byhand.service", check=False).returncode, 1)

    def test_a_manager_killed_while_it_waits_is_followed_by_one_that_goes_on(self):
        good = self.break_pool("killed")
        client = Call(lambda: self.ask("killed", "/hello.php", timeout=60))
        wait_until(lambda: len(self.waiting("killed")) >= 2, 15, "it waits")
        attempt = int(self.waiting("killed")[-1]["ATTEMPT"])
        self.guest.run("kill", "-KILL", self.main_pid("killed"))
        wait_until(lambda: int(self.waiting("killed")[-1]["ATTEMPT"]) > attempt, 5,
                   "the next manager's try")
        self.mend("killed", good)
        self.assertEqual(client.result(20).text, "Hello World\n")

    def test_a_long_wait_outlasts_the_limit_of_a_start(self):
        """TimeoutStartSec= of the unit is put off as long as the manager waits."""
        self.guest.write("/etc/systemd/system/fpmd@outlast.service.d/tests.conf",
                         "[Service]\nTimeoutStartSec=5\n")
        self.guest.systemctl("daemon-reload")
        good = self.break_pool("outlast")
        client = Call(lambda: self.ask("outlast", "/hello.php", timeout=60))
        wait_until(lambda: self.waiting("outlast"), 10, "it waits")
        pid = self.main_pid("outlast")
        time.sleep(12)
        self.assertEqual(self.main_pid("outlast"), pid)
        self.mend("outlast", good)
        self.assertEqual(client.result(20).text, "Hello World\n")

    # ---- faults ----

    def crash(self, name, number):
        with contextlib.suppress(OSError):
            self.ask(name, "/crash.php", query=f"signal={int(number)}")

    def template(self, name):
        return self.pids(name)[1]

    def test_faults_bring_a_new_generation(self):
        """A fresh template and OPcache; of the other requests none is lost."""
        self.pool("faults", children=6, emergency_restart_threshold=3,
                  emergency_restart_interval="30s")
        self.ask("faults", "/hello.php")
        before = self.template("faults")
        with load(self.socket("faults"), "/srv/www/wait.php", clients=4, seconds=5) as running:
            time.sleep(0.5)
            self.crash("faults", signal.SIGSEGV)
            self.crash("faults", signal.SIGBUS)
            wait_until(lambda: self.status("faults")["workers_crashed"] == 2, 5, "two are counted")
            self.assertEqual(self.status("faults")["generation"], 1)
            self.crash("faults", signal.SIGSEGV)
            wait_until(lambda: self.status("faults")["generation"] == 2, 5, "another generation")
            result = running.result()
        self.assertEqual(result["failed"], 0, result)
        self.assertGreater(result["ok"], 100, result)
        wait_until(lambda: len(self.template("faults")) == 1, 5, "the old template has gone")
        self.assertNotEqual(self.template("faults"), before)
        status = wait_until(lambda: (s := self.status("faults"))["workers_crashed"] >= 3 and s, 5,
                            "all deaths are counted")
        self.assertEqual(status["emergency_restarts"], 1)
        self.assertEqual(status["workers_crashed"], 3)
        record = self.wait_record(POOL="faults", MESSAGE_ID=message_id("EMERGENCY_RESTART"))
        self.assertIn("emergency_restart_threshold", record["MESSAGE"])
        # It counts anew.
        self.crash("faults", signal.SIGSEGV)
        self.crash("faults", signal.SIGSEGV)
        time.sleep(0.5)
        self.assertEqual(self.status("faults")["generation"], 2)

    def test_other_deaths_do_not_count(self):
        self.pool("deaths", children=2, emergency_restart_threshold=2,
                  emergency_restart_interval="30s")
        self.ask("deaths", "/hello.php")
        for _ in range(4):
            self.crash("deaths", signal.SIGKILL)
            self.crash("deaths", signal.SIGABRT)
        self.ask("deaths", "/hello.php")
        self.assertEqual(self.status("deaths")["generation"], 1)

    def test_faults_without_a_limit_bring_none(self):
        self.pool("nolimit", children=2, emergency_restart_threshold=2)
        self.ask("nolimit", "/hello.php")
        for _ in range(4):
            self.crash("nolimit", signal.SIGSEGV)
        self.ask("nolimit", "/hello.php")
        self.assertEqual(self.status("nolimit")["generation"], 1)

    def test_a_worker_that_dies_of_a_signal_takes_its_generation_along(self):
        """sandbox.retire_on_crash: soon, but not again within ten seconds."""
        self.guest.write("/srv/www/retire.php", "<?php posix_kill(getmypid(), 11); sleep(1);")
        self.pool("retire", children=3, emergency_restart_threshold=0,
                  **{"sandbox.retire_on_crash": "yes"})
        self.assertEqual(self.ask("retire", "/hello.php").status, 200)
        before = self.status("retire")["generation"]
        with contextlib.suppress(Exception):
            self.ask("retire", "/retire.php")
        wait_until(lambda: self.status("retire")["generation"] == before + 1, 5, "another one")
        record = self.wait_record(POOL="retire", MESSAGE_ID=message_id("GENERATION_RETIRED"))
        self.assertEqual(record["GENERATION"], str(before))
        with contextlib.suppress(Exception):
            self.ask("retire", "/retire.php")
        self.assertEqual(self.ask("retire", "/hello.php").status, 200)
        time.sleep(1)
        self.assertEqual(self.status("retire")["generation"], before + 1)

    def test_a_death_is_no_reason_unless_asked_for(self):
        self.guest.write("/srv/www/retire.php", "<?php posix_kill(getmypid(), 11); sleep(1);")
        self.pool("stays", children=2)
        before = self.status("stays")["generation"] if self.ask("stays", "/hello.php") else None
        with contextlib.suppress(Exception):
            self.ask("stays", "/retire.php")
        self.assertEqual(self.ask("stays", "/hello.php").status, 200)
        time.sleep(0.5)
        self.assertEqual(self.status("stays")["generation"], before)

    def test_a_storm_of_faults_is_one_emergency(self):
        self.pool("storm", children=8, emergency_restart_threshold=2,
                  emergency_restart_interval="60s")
        self.ask("storm", "/hello.php")
        stop = threading.Event()

        def crash():
            while not stop.is_set():
                self.crash("storm", signal.SIGSEGV)

        threads = [threading.Thread(target=crash) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(3)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(self.ask("storm", "/hello.php").text, "Hello World\n")
        self.assertEqual(self.status("storm")["emergency_restarts"], 1)

    def test_a_reset_of_opcache_is_a_new_generation(self):
        """And one after the other keep a distance, whatever scripts ask for."""
        self.guest.write("/srv/www/reset.php", "<?php var_dump(opcache_reset());")
        self.pool("renew", children=4)
        self.ask("renew", "/hello.php")
        with load(self.socket("renew"), "/srv/www/wait.php", clients=4, seconds=14) as running:
            time.sleep(0.3)
            self.ask("renew", "/reset.php")
            wait_until(lambda: self.status("renew")["generation"] == 2, 5, "another generation")
            begin = time.monotonic()
            while time.monotonic() - begin < 8:
                self.ask("renew", "/reset.php")
                self.assertEqual(self.status("renew")["generation"], 2)
                time.sleep(0.5)
            wait_until(lambda: self.status("renew")["generation"] == 3, 5, "a third generation")
            result = running.result()
        self.assertEqual(result["failed"], 0, result)
        self.assertEqual(len(self.records(POOL="renew", MESSAGE_ID=message_id("CACHE_RENEWED"))), 2)
        self.assertEqual(self.status("renew")["emergency_restarts"], 0)

    # ---- templates and workers ----

    def pause(self, name, number):
        """How long after the death of the template before it a generation served, as the manager tells."""
        died = self.wait_record(POOL=name, MESSAGE_ID=message_id("TEMPLATE_EXITED"), GENERATION=number - 1)
        serves = self.wait_record(POOL=name, MESSAGE_ID=message_id("POOL_RELOADED"), GENERATION=number)
        return sent_at(serves) - sent_at(died)

    def test_a_template_that_is_killed_again_and_again(self):
        """The first is replaced at once, those that follow at growing distances; nobody is lost."""
        self.pool("template", children=2)
        self.ask("template", "/hello.php")
        pauses = []
        with load(self.socket("template"), "/srv/www/hello.php", clients=4, seconds=60) as running:
            # How long a generation takes here without a pause.
            begin = time.monotonic()
            self.guest.run("fpmctl", "reload", "template")
            took = time.monotonic() - begin
            for number in range(3, 6):
                pid = self.full("template")[1][0]
                self.guest.run("kill", "-KILL", inner_pid(pid))
                wait_until(lambda n=number: self.status("template")["generation"] == n, 6,
                           "another generation")
                wait_until(lambda p=pid: not alive(p), 5, "the old one has gone")
                pauses.append(self.pause("template", number))
            result = running.stop()
        self.assertEqual(result["failed"], 0, result)
        self.assertLess(pauses[0], 0.6 + took, pauses)
        self.assertGreater(pauses[1], 0.9, pauses)
        self.assertGreater(pauses[2], 1.9, pauses)

    def test_workers_that_die_before_they_serve_do_not_eat_the_machine(self):
        """Every worker is killed as soon as it is seen: the pauses grow, and the pool recovers."""
        self.pool("unborn", children=4)
        self.ask("unborn", "/hello.php")
        started = self.status("unborn")["workers_started"]
        end = time.monotonic() + 4
        while time.monotonic() < end:
            for worker in self.status("unborn")["workers"]:
                self.assertGreater(worker["pid"], 0)
                self.guest.run("kill", "-KILL", worker["pid"], check=False)
            time.sleep(0.05)
        self.assertLess(self.status("unborn")["workers_started"] - started, 60)
        waiting = self.waiting("unborn")
        self.assertGreaterEqual(len(waiting), 1)
        self.assertEqual(self.ask("unborn", "/hello.php", timeout=30).text, "Hello World\n")
        wait_until(lambda: self.status("unborn")["idle"] == 4, 15, "all workers again")

    def test_killed_workers_that_have_served_are_replaced_at_once(self):
        self.pool("quick", children=8)
        self.ask("quick", "/hello.php")
        with load(self.socket("quick"), "/srv/www/wait.php", clients=16, seconds=120) as running:
            time.sleep(0.5)
            for number in range(1, 21):
                workers = wait_until(lambda: [w for w in self.status("quick")["workers"]
                                              if w["requests"] > 0], 5, "one that has served")
                self.guest.run("kill", "-KILL", workers[0]["pid"], check=False)
                wait_until(lambda n=number: (s := self.status("quick"))["workers_crashed"] == n and
                           s["active"] + s["idle"] == 8, 5, "another one in its place")
            result = running.stop()
        self.assertLessEqual(result["failed"], 20, result)
        self.assertEqual(self.waiting("quick"), [], "no pause")

    # ---- settings in another shape ----

    def test_in_the_foreground_the_first_failure_ends_the_process(self):
        self.pool("front", start=False)
        self.guest.write("/etc/fpmd/conf.d/front.conf", "[front]\nnonsense = 1\n")
        begin = time.monotonic()
        done = self.guest.run("env", "RUNTIME_DIRECTORY=/run", "fpmd", "--pool", "front",
                              "--foreground", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertLess(time.monotonic() - begin, 20)
        self.assertFalse(self.guest.path("/run/failed-starts").exists())

    def test_garbage_in_the_counter_is_no_counter(self):
        good = self.break_pool("garbage")
        self.guest.run("install", "-d", "-o", "fpmd", "/run/fpmd-control/garbage")
        self.guest.write("/run/fpmd-control/garbage/failed-starts", "often\n")
        done = self.guest.systemctl("start", "fpmd@garbage.service", check=False)
        self.assertEqual(done.returncode, 1)
        wait_until(lambda: self.waiting("garbage"), 5, "a record")
        self.assertEqual(self.waiting("garbage")[0]["ATTEMPT"], "2")
        self.mend("garbage", good)
        wait_until(lambda: self.properties("garbage", "ActiveState")["ActiveState"] == "active", 5,
                   "the pool runs")
        self.assertFalse(self.guest.path("/run/fpmd-control/garbage/failed-starts").exists())

    def test_a_refused_reload_never_ends_what_runs(self):
        self.pool("runs", children=1)
        self.ask("runs", "/hello.php")
        pids = self.full("runs", 1)
        for _ in range(5):
            self.guest.write("/etc/fpmd/conf.d/runs.conf", "[runs]\nnonsense = 1\n")
            self.assertEqual(self.guest.systemctl("reload", "fpmd@runs", check=False).returncode, 1)
        write_pool(self.guest, "runs", children=1)
        self.assertEqual(self.pids("runs"), pids)
        self.assertEqual(self.waiting("runs"), [])


if __name__ == "__main__":
    main()
