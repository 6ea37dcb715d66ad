"""fpmctl sandbox: what it says of a worker is so; and the scores of the units."""

import json
import re

from suite import ABI_WITH_PORTS, GuestCase, landlock_abi, main, proc_status, wait_until

# Does what the file says about names of calls, and about paths.
TRY = """<?php
$out = [];
foreach (json_decode(file_get_contents('php://input'), true) as $name => [$how, $what])
    $out[$name] = match ($how) {
        'read' => @file_get_contents($what) !== false,
        'write' => @file_put_contents($what . '/by-sandbox-test', 'x') !== false,
        'list' => @scandir($what) !== false,
        'run' => (function () use ($what) { @exec($what, $lines, $rc); return $rc === 0; })(),
        'see' => file_exists($what),
        'connect' => (bool)@stream_socket_client($what, $number, $text, 2),
    };
echo json_encode($out);
"""


class Sandbox(GuestCase):
    nginx = False

    def setUp(self):
        super().setUp()
        self.guest.write("/srv/www/try.php", TRY)

    def told(self, name, *words, user=None):
        who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        done = self.guest.run(*who, "fpmctl", "sandbox", name, *words)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def model(self, name, **options):
        return json.loads(self.told(name, "-o", "json", **options))

    @staticmethod
    def fact(model, topic, name):
        found = [f["text"] for f in model["facts"] if (f["topic"], f["name"]) == (topic, name)]
        return found[0] if found else None

    @staticmethod
    def weak(model):
        return {w["name"] for w in model["weaknesses"]}

    def differences(self, model):
        return {f["name"]: f["text"] for f in model["facts"] if f["topic"] == "differences"}

    def tries(self, name, **what):
        return json.loads(self.ask(name, "/try.php", method="POST",
                                   body=json.dumps(what).encode()).text)

    def drop_in(self, name, text):
        path = f"/etc/systemd/system/fpmd@{name}.service.d/test.conf"
        self.guest.write(path, "[Service]\n" + text)
        self.guest.systemctl("daemon-reload")

        def take_away():
            self.guest.path(path).unlink()
            self.guest.path(path).parent.rmdir()
            self.guest.systemctl("daemon-reload")
        self.addCleanup(take_away)

    def test_a_running_pool(self):
        self.pool("told")
        self.ask("told", "/hello.php")
        _, _, workers = self.full("told")
        wait_until(lambda: self.status("told")["state"] == "ready", 10, "it is ready")
        model = self.model("told")
        status = proc_status(workers[0])
        self.assertEqual((model["pool"], model["user"], model["state"], model["seccomp"]),
                         ("told", "site", "ready", "default"))
        self.assertEqual(self.differences(model), {})
        self.assertIn(f"uid {status['Uid'].split()[0]})", self.fact(model, "identity", "user"))
        self.assertRegex(self.fact(model, "identity", "user"), r"groups site \(\d+\), .*audio")
        self.assertRegex(self.fact(model, "running", "seen in /proc"),
                         r"process \d+ has uid \d+, no capability, no_new_privs, and a filter of system calls")
        self.assertIn("seccomp", self.fact(model, "running", "confinement").split())
        self.assertEqual(self.weak(model) & {"half-confined", "system", "homes", "tmp", "devices",
                                             "processes", "sockets", "root", "no-filter"}, set())
        self.assertGreaterEqual(self.weak(model), {"opcache", "reads", "writes", "programs"})

    def test_the_text_has_every_fact_of_the_model(self):
        self.pool("both")
        self.ask("both", "/hello.php")
        self.full("both")
        text = " ".join(self.told("both").split())
        model = self.model("both")
        for f in model["facts"]:
            if f["topic"] != "running":  # times and pids may differ
                self.assertIn(" ".join(f["text"].split()), text)
        for w in model["weaknesses"]:
            self.assertIn(f"- {w['text']} => {w['cure']}", text)

    def test_what_it_says_of_files_is_so(self):
        self.guest.run("install", "-d", "-o", "site", "/srv/open", "/srv/shut", "/home/site-test")
        self.pool("files", **{"sandbox.read": "/srv/www", "sandbox.write": "/srv/open"})
        seen = self.tries("files", open=["write", "/srv/open"], shut=["write", "/srv/shut"],
                          passwd=["read", "/etc/passwd"], shadow=["read", "/etc/fpmd/conf.d/www.conf"],
                          home=["list", "/home"], tmp=["write", "/tmp"], etc=["write", "/etc"])
        self.assertEqual(seen, {"open": True, "shut": False, "passwd": True, "shadow": False,
                                "home": False, "tmp": True, "etc": False})
        model = self.model("files")
        self.assertIn("only /srv/www,", self.fact(model, "files", "reading"))
        self.assertIn("only /srv/open,", self.fact(model, "files", "writing"))
        self.assertIn("out of reach", self.fact(model, "files", "homes"))
        needs = {n["path"]: n["right"] for n in model["needs"]}
        self.assertEqual((needs["/etc/passwd"], needs["/dev/null"]), ("read", "read and write"))
        self.assertEqual(self.weak(model) & {"reads", "writes"}, set())

    def test_what_it_says_of_programs_is_so(self):
        self.pool("still", **{"sandbox.exec": "no"})
        self.assertEqual(self.tries("still", true=["run", "/bin/true"]), {"true": False})
        self.assertIn("none: exec()", self.fact(self.model("still"), "programs", "programs"))
        calls = {c["group"]: c for c in self.model("still")["calls"]}
        self.assertIn("execve", calls["exec"]["refused"])
        self.pool("busy")
        self.assertEqual(self.tries("busy", true=["run", "/bin/true"]), {"true": True})
        self.assertIn("programs", self.weak(self.model("busy")))

    def test_what_the_unit_refuses_is_marked(self):
        self.pool("marked", **{"sandbox.syscalls": "+@clock +mincore"})
        calls = {c["group"]: c for c in self.model("marked")["calls"]}
        self.assertIn("clock_settime", calls["clock"]["refused_by_unit"])
        self.assertIn("mincore", calls["memory"]["allowed"])
        self.assertEqual(calls["bpf"]["refused"], ["bpf"])
        text = self.told("marked", "--calls")
        self.assertRegex(text, r"@clock: refused by SystemCallFilter= of the unit")
        self.assertRegex(text, r"@bpf: ends the process")

    def test_a_changed_file_differs_until_the_reload(self):
        self.pool("turned")
        self.ask("turned", "/hello.php")
        self.assertEqual(self.differences(self.model("turned")), {})
        path = self.guest.path("/etc/fpmd/conf.d/turned.conf")
        path.write_text(path.read_text() + "sandbox.read = /srv/www\nsandbox.seccomp = off\n")
        seen = self.differences(self.model("turned"))
        self.assertEqual(set(seen), {"age", "paths", "filter"})
        self.assertIn("systemctl reload fpmd@turned.service", seen["age"])
        self.guest.systemctl("reload", "fpmd@turned.service")
        model = self.model("turned")
        self.assertEqual(self.differences(model), {})
        self.assertIn("no-filter", self.weak(model))
        self.assertIn("no filter of system calls", self.fact(model, "running", "moot"))

    def test_a_reexec_is_no_difference(self):
        lists = {"sandbox.read": "/srv/www", "sandbox.tcp_connect": "443"}
        if landlock_abi() < ABI_WITH_PORTS:
            del lists["sandbox.tcp_connect"]
        self.pool("again", **lists)
        self.serving("again")  # one that starts is not replaced
        self.guest.run("fpmctl", "reexec", "again")
        model = self.model("again")
        self.assertEqual(self.differences(model), {})
        self.assertGreaterEqual(set(model["sandbox"].split()),
                                {"paths", "tcp-connect"} if "sandbox.tcp_connect" in lists else {"paths"})

    def test_a_broken_file_is_told_and_the_rest_too(self):
        self.pool("broken")
        self.ask("broken", "/hello.php")
        wait_until(lambda: self.status("broken")["state"] == "ready", 10, "its first workers are there")
        path = self.guest.path("/etc/fpmd/conf.d/broken.conf")
        path.write_text(path.read_text() + "sandbox.reed = /srv/www\n")
        model = self.model("broken")
        self.assertIn("sandbox.reed", self.differences(model)["error in the file"])
        self.assertEqual(model["state"], "ready")

    def test_units_are_read(self):
        self.pool("wide", start=False)
        self.drop_in("wide", "ProtectHome=no\nPrivateTmp=no\nPrivateDevices=no\nProtectProc=default\n"
                     "ProtectSystem=full\nTemporaryFileSystem=\nMemoryMax=300M\nTasksMax=infinity\n"
                     "BindReadOnlyPaths=/srv/www\nIPAddressDeny=10.0.0.0/8\n")
        model = self.model("wide")
        self.assertGreaterEqual(self.weak(model), {"homes", "tmp", "devices", "processes", "system",
                                                   "sockets", "tasks"})
        self.assertEqual(self.weak(model) & {"memory", "connections"}, set())
        self.assertEqual(self.fact(model, "limits", "memory of the pool"), "300 MiB")
        self.assertIn("the unit denies some", self.fact(model, "network", "addresses"))
        self.assertIn("/srv/www", self.fact(model, "files", "shown"))
        self.assertIsNone(self.fact(model, "files", "empty"))

    def test_a_unit_with_a_user_of_its_own(self):
        self.pool("own", user=None, start=False)
        self.drop_in("own", "User=site\nAmbientCapabilities=\nCapabilityBoundingSet=\n")
        model = self.model("own")
        self.assertEqual(model["user"], "site")
        self.assertIn("manager-user", self.weak(model))

    def test_a_stopped_pool_and_without_root(self):
        self.pool("quiet")
        self.assertRegex(self.fact(self.model("quiet"), "running", "state"),
                         "^it does not run; its socket is active, so the next connection starts it$")
        as_nobody = self.model("quiet", user="65534")
        self.assertEqual(self.fact(as_nobody, "files", "homes"),
                         self.fact(self.model("quiet"), "files", "homes"))
        self.ask("quiet", "/hello.php")
        model = self.model("quiet", user="65534")
        self.assertRegex(self.fact(model, "running", "state"), "^not known: .*not permitted")
        self.assertIsNone(model["state"])
        self.assertIn("opcache", self.weak(model))

    def test_neighbours(self):
        self.pool("first")
        self.pool("second", start=False)
        model = self.model("first")
        self.assertIn("neighbours", self.weak(model))
        self.assertRegex(self.fact(model, "processes", "others"), r"those of pools? [^;]*second")
        self.pool("third", user="www-data", start=False)
        self.assertNotRegex(self.fact(self.model("first"), "processes", "others"), "third")

    def test_the_table_of_calls_needs_no_pool(self):
        text = self.guest.run("fpmctl", "sandbox", "--calls").stdout
        self.assertIn("@file-read: in profiles: strict and default; cannot be taken away", text)
        table = json.loads(self.guest.run("fpmctl", "sandbox", "--calls", "-o", "json").stdout)
        names = [call for group in table for call in group["calls"]]
        self.assertEqual(len(names), len(set(names)))
        self.assertGreater(len(names), 370)

    def test_wrong_words(self):
        for words, status, said in ((["absent"], 78, "absent.conf"), ([], 64, "--calls"),
                                    (["a/b"], 64, "cannot be the name"),
                                    (["a", "b"], 64, "sandbox")):
            done = self.guest.run("fpmctl", "sandbox", *words, check=False)
            self.assertEqual(done.returncode, status, words)
            self.assertIn(said, done.stderr)


class Scores(GuestCase):
    nginx = False

    def score(self, unit, most):
        done = self.guest.run("systemd-analyze", "security", "--offline=yes", "--no-pager",
                              f"--threshold={round(most * 10)}", unit, check=False)
        found = re.search(r"exposure level for .*: ([\d.]+)", done.stdout)
        self.assertIsNotNone(found, done.stdout + done.stderr)
        self.assertLessEqual(float(found.group(1)), most, done.stdout)
        self.assertEqual(done.returncode, 0)

    def test_as_shipped(self):
        self.score("fpmd@www.service", 2.0)

    def test_with_a_user(self):
        """The drop-in of docs/hardening.md."""
        text = re.search(r"```ini\n(\[Service\]\nUser=.*?)```",
                         self.guest.read("/usr/share/doc/fpmd/hardening.md"), re.DOTALL).group(1)
        self.assertIn("User=shop", text)
        self.guest.write("/etc/systemd/system/fpmd@scored.service.d/user.conf",
                         text.replace("User=shop", "User=site").replace("Group=shop", "Group=site"))
        self.addCleanup(self.guest.path("/etc/systemd/system/fpmd@scored.service.d/user.conf").unlink)
        self.score("fpmd@scored.service", 1.4)

    def test_that_drop_in_serves(self):
        text = re.search(r"```ini\n(\[Service\]\nUser=.*?)```",
                         self.guest.read("/usr/share/doc/fpmd/hardening.md"), re.DOTALL).group(1)
        self.guest.write("/etc/systemd/system/fpmd@mine.service.d/user.conf",
                         text.replace("User=shop", "User=site").replace("Group=shop", "Group=site"))
        self.guest.systemctl("daemon-reload")
        self.pool("mine", user=None)
        self.assertEqual(self.ask("mine", "/hello.php").text, "Hello World\n")
        manager, templates, _ = self.full("mine")
        for pid in [manager] + templates:
            self.assertEqual({proc_status(pid)[name] for name in ("CapPrm", "CapEff", "CapAmb", "CapInh")},
                             {"0" * 16})


class Documents(GuestCase):
    """docs/hardening.md has a word on every directive of the sandbox and every option of the unit."""
    nginx = False

    def test_nothing_is_missing(self):
        page = self.guest.read("/usr/share/doc/fpmd/hardening.md")
        shown = json.loads(self.guest.run("fpmctl", "show", "www", "-o", "json").stdout)
        for directive in {d["directive"] for d in shown["directives"]}:
            if re.match(r"sandbox\.|pm\.worker_|security\.max_|request_first_byte", directive):
                self.assertIn(f"`{directive}`", page)
        unit = self.guest.read("/usr/lib/systemd/system/fpmd@.service").split("[Service]")[1]
        passed = ("Type", "Exec", "KillMode", "Timeout", "WatchdogSec", "Restart", "SuccessExitStatus",
                  "OOMPolicy", "NonBlocking", "LogExtraFields", "WantedBy")
        for name in set(re.findall(r"^([A-Z]\w+)=", unit, re.MULTILINE)):
            if not name.startswith(passed):
                self.assertIn(f"`{name}=`", page)


if __name__ == "__main__":
    main()
