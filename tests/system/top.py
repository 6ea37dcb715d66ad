"""fpmctl top: the live view in a terminal (tmux), and what it prints once."""

import json
import re
import threading

from suite import GuestCase, main, wait_until



class Top(GuestCase):
    nginx = False

    def fpmctl(self, *words, **options):
        return self.guest.run("fpmctl", *words, check=False, **options)

    def served(self, name, **settings):
        self.pool(name, **settings)
        self.assertEqual(self.ask(name, "/hello.php").status, 200)

    def slow(self, name, path="/gate.php", **options):
        """A script that runs until the case ends; its answer comes into the list that is returned."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            self.ask(name, path, **gate, **options)))
        self.addCleanup(thread.join)
        gate = self.close_gate("top")
        thread.start()
        self.wait_running(name, path)
        return answers

    # ---- the terminal ----

    servers = 0

    def start(self, *words, width=120, height=30, environment=(), prefix=()):
        """Runs fpmctl top in a terminal of tmux, which has a server of its own each time."""
        Top.servers += 1
        command = " ".join([*prefix, "env", "LC_ALL=C.UTF-8", *environment, "fpmctl", "top", *words])
        self.tmux("new-session", "-d", "-x", str(width), "-y", str(height),
                  f"{command}; echo ended with $?; sleep 60")
        self.addCleanup(self.tmux, "kill-server", check=False)

    def tmux(self, *words, **options):
        return self.guest.run("tmux", "-L", f"top{Top.servers}", "-f", "/dev/null", *words,
                              **options).stdout

    def screen(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def wait_screen(self, pattern, *options, timeout=15):
        return wait_until(lambda: (s := self.screen(*options)) and re.search(pattern, s) and s,
                          timeout, f"{pattern} on the screen")

    def rows(self, screen):
        """Pids of the workers in the order of their lines."""
        lower = screen.split("PID STATE", 1)[1]
        return [int(line.split()[1]) for line in lower.splitlines()
                if re.match(r"\S+ +\d+ [a-z]+ ", line)]

    # ---- cases ----

    def test_once(self):
        self.served("single", children=2)
        self.slow("single")
        out = self.fpmctl("top", "--once", "single").stdout
        self.assertRegex(out, r"^1 pool, 2 workers, 1 of them active, \S+ requests/s\n")
        self.assertRegex(out, r"(?m)^single +ready +1 +1 +2 ")
        self.assertRegex(out, r"(?m)^single +\d+ running .* GET +/gate.php\?gate=top$")
        pools = json.loads(self.fpmctl("top", "-o", "json", "single").stdout)
        self.assertEqual([(p["pool"], len(p["workers"])) for p in pools], [("single", 2)])
        done = self.fpmctl("top", "nowhere")
        self.assertEqual(done.returncode, 4)
        self.assertIn("nowhere: there is no such pool", done.stderr)
        done = self.fpmctl("top")
        self.assertEqual(done.returncode, 64)
        self.assertIn("this is no terminal", done.stderr)

    def test_live(self):
        self.served("alpha", children=2)
        self.served("beta", children=3)
        self.start()
        screen = self.wait_screen(r"2 pools, 5 workers, 0 of them active")
        self.assertRegex(screen, r"(?m)^alpha +ready +0 +2 +2 ")
        self.assertRegex(screen, r"(?m)^beta +ready +0 +3 +3 ")
        self.assertEqual(len(self.rows(screen)), 5)
        self.slow("beta")
        screen = self.wait_screen(r"(?m)^beta +\d+ running .* /gate.php\?gate=top")
        busy = next(w["pid"] for w in self.status("beta")["workers"] if w["state"] == "running")
        self.assertEqual(self.rows(screen)[0], busy)  # the longest request is on top
        self.keys("i")
        self.assertEqual(self.rows(self.wait_screen("i: show idle")), [busy])
        self.keys("i", "P")
        pids = self.rows(self.wait_screen(r"sort \(pid\).*hide idle"))
        self.assertEqual(pids, sorted(pids))
        self.keys("r")
        self.assertEqual(self.rows(self.wait_screen(r"sort \(pid, reverse\)")), pids[::-1])
        self.guest.systemctl("stop", "fpmd@alpha.socket", "fpmd@alpha.service")
        self.assertNotIn("alpha", self.wait_screen("1 pool, 3 workers"))
        self.keys("h")
        self.wait_screen("this page")
        self.keys("q")
        self.wait_screen("1 pool, 3 workers")
        self.keys("q")
        self.wait_screen("ended with 0")

    def test_it_follows_the_size_of_the_terminal(self):
        self.served("sized", children=12)
        self.start("sized")
        wait_until(lambda: len(self.rows(self.wait_screen("12 workers"))) == 12, 10, "twelve rows")
        for width, height in ((60, 12), (30, 6), (10, 3), (2, 1), (200, 50)):
            self.tmux("resize-window", "-x", str(width), "-y", str(height))
            wait_until(lambda: len(self.screen().splitlines()) <= height, 10, "the new size")
            self.keys("Down")
        wait_until(lambda: len(self.rows(self.wait_screen(r"12 workers(?s:.)*h: help"))) == 12, 10,
                   "twelve rows again")
        self.tmux("resize-window", "-x", "80", "-y", "12")
        self.keys("P", "End")
        last = max(w["pid"] for w in self.status("sized")["workers"])
        self.wait_screen(rf"(?m)^sized +{last} ")
        self.keys("Home")
        first = min(w["pid"] for w in self.status("sized")["workers"])
        self.wait_screen(rf"(?m)^sized +{first} ")

    def test_hostile_texts_are_inert(self):
        self.served("hostile", children=1)
        uri = "/\x1b[2J\x1b]0;PWN\x07\n\xff\u202e" + "x" * 500
        answers = self.slow("hostile", REQUEST_URI=uri.encode())
        self.start("hostile")
        screen = self.wait_screen(r"hostile +\d+ running")
        self.assertRegex(screen, r"/\?\[2J\?\]0;PWN\?\?")
        self.assertNotIn("\u202e", screen)
        title = self.tmux("display-message", "-p", "#{pane_title}")
        self.assertNotIn("PWN", title)
        self.keys("Right", "Right")
        self.wait_screen("xxxxxxxxxx")
        del answers

    def test_colours(self):
        self.served("plain", children=2)
        self.slow("plain")
        for environment, colours in ((("TERM=screen-256color",), True),
                                     (("TERM=screen-256color", "NO_COLOR=1"), False)):
            self.start("plain", environment=environment)
            self.wait_screen(r"plain +\d+ running")
            self.keys("End")  # the row that is chosen is reversed instead
            screen = self.wait_screen(r"\033\[(?:\d+;)*[37]m(?:\033\[[\d;]*m)*plain +\d+ idle", "-e")
            self.assertEqual(bool(re.search(r"\033\[[0-9;]*3[0-7]m", screen)), colours)
            self.tmux("kill-server", check=False)

    def test_a_worker_is_traced(self):
        self.guest.write("/srv/www/asleep.php", "<?php\nfunction inner() {"
                         " while (!file_exists('/srv/www/gates/top')) usleep(10000); }\n"
                         "class Shop { function total() { inner(); } }\n(new Shop)->total();\n")
        self.served("traced")
        self.slow("traced", path="/asleep.php")
        self.start("traced")
        self.wait_screen(r"traced +\d+ running")
        self.keys("Home", "t")
        screen = self.wait_screen("worker \\d+ of pool traced")
        self.assertIn("inner()  /srv/www/asleep.php:3", screen)
        self.assertIn("Shop->total()  /srv/www/asleep.php:4", screen)
        self.keys("q")
        self.wait_screen("1 pool")

    def test_a_worker_is_ended_after_a_question(self):
        self.served("ended", children=2)
        answers = self.slow("ended")
        busy = next(w["pid"] for w in self.status("ended")["workers"] if w["state"] == "running")
        self.start("ended")
        self.wait_screen(r"ended +\d+ running")
        self.keys("Home", "k")
        self.wait_screen(rf"End worker {busy} of pool ended\?")
        self.keys("n")
        self.wait_screen("q: quit")
        self.assertEqual(self.status("ended")["active"], 1)
        self.keys("k")
        self.wait_screen(rf"End worker {busy} of pool ended\?")
        self.keys("y")
        self.assertEqual(wait_until(lambda: answers, 15, "an answer")[0].status, 503)
        wait_until(lambda: len({w["pid"] for w in self.status("ended")["workers"]} - {busy}) == 2, 10,
                   "another worker")

    def test_who_may_only_read(self):
        self.served("read", children=1)
        self.slow("read")
        self.guest.run("usermod", "-a", "-G", "fpmd", "www-data")
        self.addCleanup(self.guest.run, "gpasswd", "-d", "www-data", "fpmd")
        self.start("read", prefix="setpriv --reuid=www-data --regid=www-data --init-groups".split())
        self.wait_screen(r"read +\d+ running")
        self.keys("Home", "k")
        self.wait_screen("End worker")
        self.keys("y")
        self.wait_screen("read: not permitted: ")
        self.assertEqual(self.status("read")["active"], 1)


if __name__ == "__main__":
    main()
