"""fpmctl's verbs that ask managers: reload, reexec, drain, opcache reset, and what status and list say."""

import contextlib
import json
import re
import threading

from background import Background
from suite import GuestCase, main, wait_until


class Commands(GuestCase):
    nginx = False

    def fpmctl(self, *words, **options):
        return self.guest.run("fpmctl", *words, check=False, **options)

    def active(self, unit):
        return self.guest.properties(unit, "ActiveState")["ActiveState"]

    def served(self, *names, **settings):
        """Pools that serve, with all their workers."""
        for name in names:
            self.pool(name, **settings)
            self.serving(name)
            self.full(name, settings.get("children", 2))

    def spoil(self, name):
        self.guest.write(f"/etc/fpmd/conf.d/{name}.conf", f"[{name}]\nuser = site\npm = sometimes\n"
                         "pm.max_children = 2\n")

    @contextlib.contextmanager
    def slow(self, name, ms=None):
        """While a script runs, for so long or until the end of the block; its answer has to be complete."""
        script, options = "/wait.php", {"query": f"ms={ms}"}
        if ms is None:
            script, options = "/gate.php", self.close_gate(name)
        client = Background(self.ask, name, script, timeout=60, **options)
        try:
            wait_until(lambda: self.runs(name, script), 10, "the script runs")
            yield
        finally:
            self.open_gate(name)
        self.assertEqual(client.result().status, 200)

    def runs(self, name, script):
        """Not the end of a request before it."""
        return any(w["state"] == "running" and script in str(w) for w in self.status(name)["workers"])

    # ---- reload ----

    def test_reload_tells_what_was_done(self):
        self.served("told")
        before = self.status("told")["generation"]
        done = self.fpmctl("reload", "told")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^told: reloaded, generation \d+")
        self.assertEqual(self.status("told")["generation"], before + 1)
        status = self.status("told")
        self.assertEqual((status["reloads"], status["reloads_refused"]), (1, 0))

    def test_reload_all_sums_up(self):
        self.served("one", "two", "three")
        self.pool("stopped")  # nobody has come
        self.spoil("two")
        before = {name: self.status(name)["generation"] for name in ("one", "two", "three")}
        done = self.fpmctl("reload", "--all")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr,
                         r"(?m)^fpmctl: two: refused: /etc/fpmd/conf\.d/two\.conf:3: pm: 'sometimes'")
        self.assertRegex(done.stdout, r"(?m)^one: reloaded")
        self.assertRegex(done.stdout, r"(?m)^three: reloaded")
        self.assertTrue(done.stdout.endswith("3 pools: 2 reloaded, 1 not: two\n"), done.stdout)
        self.assertNotIn("stopped", done.stdout)
        self.assertEqual({name: self.status(name)["generation"] for name in before},
                         {"one": before["one"] + 1, "two": before["two"], "three": before["three"] + 1})
        self.assertEqual(self.status("two")["reloads_refused"], 1)
        self.assertIn("Reload refused", self.status("two")["status_text"])
        self.assertEqual(self.ask("two", "/hello.php").status, 200)

    def test_reload_of_what_does_not_run(self):
        self.pool("asleep")
        done = self.fpmctl("reload", "asleep", "nowhere")
        self.assertEqual(done.returncode, 1)
        self.assertIn("asleep: not running", done.stderr)
        self.assertIn("nowhere: there is no such pool", done.stderr)
        self.assertEqual(self.active("fpmd@asleep.service"), "inactive")

    def test_an_old_generation_is_shown_until_its_requests_end(self):
        self.served("old", children=3)
        before = self.status("old")["generation"]
        with self.slow("old"):
            worker = next(w for w in self.status("old")["workers"] if w["state"] == "running")
            self.fpmctl("reload", "old")
            self.assertEqual(self.status("old")["generation"], before + 1)
            left = [{"generation": before, "state": "leaving", "pids": [worker["pid"]]}]
            wait_until(lambda: self.status("old")["other_generations"] == left, 10,
                       "only the busy one is left")
            self.assertEqual(self.status("old")["draining"], 1)
            text = self.fpmctl("status", "old").stdout
            self.assertRegex(text, rf"generation: {before} \(leaving\): pid {worker['pid']}\n")
        wait_until(lambda: self.status("old")["other_generations"] == [], 10, "the old one has left")

    # ---- opcache reset ----

    def test_opcache_reset(self):
        self.served("cache", children=1)
        self.guest.write("/srv/www/cached.php",
                         "<?php echo opcache_get_status(false)['opcache_statistics']['misses'];")
        for _ in range(3):
            self.ask("cache", "/cached.php")
        before = self.status("cache")["generation"]
        done = self.fpmctl("opcache", "reset", "cache")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("cache: reloaded", done.stdout)
        self.assertEqual(self.status("cache")["generation"], before + 1)
        self.settled("cache")
        self.assertEqual(self.ask("cache", "/cached.php").text, "1")

    # ---- reexec ----

    def test_reexec_keeps_process_and_requests(self):
        self.served("same", children=2)
        before = self.status("same")
        with self.slow("same"):
            done = self.fpmctl("reexec", "same")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, r"^same: ")
        after = self.status("same")
        self.assertEqual([after[key] for key in ("manager_pid", "generation")],
                         [before[key] for key in ("manager_pid", "generation")])
        self.assertEqual(sorted(w["pid"] for w in after["workers"]),
                         sorted(w["pid"] for w in before["workers"]))
        self.assertEqual(self.fpmctl("reexec", "--all").returncode, 0)

    # ---- drain ----

    def test_drain_stops_the_pool_for_good(self):
        self.served("away")
        done = self.fpmctl("drain", "--quiet=500ms", "away")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("pings are answered 503", done.stdout)
        self.assertIn("away: drained and stopped; it comes back with: systemctl start "
                      "fpmd@away.socket\n", done.stdout)
        self.assertEqual([self.active(f"fpmd@away.{kind}") for kind in ("socket", "service")],
                         ["inactive", "inactive"])
        self.guest.systemctl("start", "fpmd@away.socket")
        self.assertEqual(self.ask("away", "/hello.php").status, 200)

    def test_drain_answers_pings_503_and_waits_for_quiet(self):
        self.guest.write("/etc/fpmd/conf.d/busy.conf",
                         "[busy]\nuser = site\npm = static\npm.max_children = 2\nping.path = /ping\n")
        self.addCleanup(self._remove_pool, "busy")
        self.guest.systemctl("start", "fpmd@busy.socket")
        self.assertEqual(self.ask("busy", "/ping").status, 200)
        result = []
        thread = threading.Thread(target=lambda: result.append(
            self.fpmctl("drain", "--quiet=3s", "--keep-socket", "busy")))
        thread.start()
        wait_until(lambda: self.status("busy")["state"] == "draining", 10, "it drains")
        self.assertRegex(self.fpmctl("status", "busy").stdout, r"state: draining\n")
        for _ in range(14):  # longer than --quiet
            self.assertEqual(self.ask("busy", "/hello.php").status, 200)
            self.assertEqual(self.ask("busy", "/ping").status, 503)
            self.assertEqual(result, [])
            thread.join(0.3)
        thread.join(30)
        self.assertEqual(result[0].returncode, 0, result[0].stderr)
        self.assertIn("busy: drained; the next connection starts it again", result[0].stdout)
        wait_until(lambda: self.active("fpmd@busy.service") == "inactive", 5, "it has ended")
        self.assertEqual(self.ask("busy", "/ping").status, 200)

    def test_drain_finishes_requests(self):
        self.served("polite")
        with self.slow("polite", 2000):
            done = self.fpmctl("drain", "--quiet=0", "polite")
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.active("fpmd@polite.service"), "inactive")

    # ---- waiting ----

    def test_a_pool_that_waits(self):
        self.pool("waits")
        self.spoil("waits")
        self.guest.systemctl("start", "--no-block", "fpmd@waits.service")
        row = wait_until(lambda: self.row("waits", "next try"), 10, "it says why it waits")
        self.assertRegex(row["status"], r"Cannot start: .*pm: 'sometimes'.*next try in \d+ s")
        # While it tries it says something else.
        wait_until(lambda: re.search(r"(?m)^waits .* activating .*Cannot start: ",
                                     self.fpmctl("list").stdout), 10, "a row of the list")
        wait_until(lambda: (s := self.status("waits"))["state"] == "waiting"
                   and "next try in" in s["status_text"], 10, "a status")
        done = self.fpmctl("reload", "waits")
        self.assertEqual(done.returncode, 1)
        self.assertIn("waits: refused: ", done.stderr)
        self.guest.write("/etc/fpmd/conf.d/waits.conf",
                         "[waits]\nuser = site\npm = static\npm.max_children = 2\n")
        self.assertEqual(self.ask("waits", "/hello.php").status, 200)

    def row(self, name, text):
        rows = json.loads(self.fpmctl("list", "-o", "json").stdout)
        return next((r for r in rows if r["pool"] == name and text in r["status"]), None)

    # ---- who may, and what is wrong ----

    def test_who_may(self):
        self.served("mine")
        for words in (("reload", "mine"), ("reexec", "mine"), ("drain", "mine"),
                      ("opcache", "reset", "mine"), ("reload", "--all")):
            done = self.guest.run("setpriv", "--reuid=site", "--regid=site", "--init-groups",
                                  "fpmctl", *words, check=False)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn("mine: not permitted", done.stderr, words)
        done = self.guest.run("setpriv", "--reuid=site", "--regid=site", "--groups=fpmd",
                              "fpmctl", "drain", "--keep-socket", "mine", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("mine: not permitted", done.stderr)
        self.assertEqual(self.status("mine")["state"], "ready")

    def test_status_of_no_such_pool(self):
        self.assertEqual(self.fpmctl("status", "nowhere").returncode, 4)
        self.pool("there")
        self.assertEqual(self.fpmctl("status", "there").returncode, 3)


if __name__ == "__main__":
    main()
