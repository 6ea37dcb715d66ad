"""Addresses: every form that PHP-FPM takes, who may connect, sockets for the status, and what is said
when the socket unit and the pool file do not agree."""

import contextlib
import json
import os
import signal
import subprocess

import fastcgi
from injection import Tracing
from suite import GuestCase, inner_pid, main, message_id, proc, wait_until

HELLO = "Hello World\n"


class Addresses(GuestCase):
    nginx = False

    # ---- helpers ----

    def drop_in(self, unit, text):
        """A drop-in for a unit, for the time of the case."""
        path = f"/run/systemd/system/{unit}.d/test.conf"
        self.guest.write(path, text)
        self.addCleanup(self.guest.run, "rm", "-rf", path.rsplit("/", 1)[0])
        self.guest.systemctl("daemon-reload")

    def connect(self, address, source=None):
        """A FastCGI connection to a path inside the guest or to (host, port), from an address."""
        if isinstance(address, str):
            return fastcgi.Connection(self.guest.path(address))
        with self.guest.network():
            return fastcgi.Connection(address, source=source)

    def hello(self, address, source=None):
        """The answer of the pool at an address; None when it closed the connection."""
        try:
            with self.connect(address, source) as connection:
                return connection.request("/hello.php").text
        except (ConnectionError, BrokenPipeError):
            return None

    def foreground(self, name, *lines, user="site"):
        """Starts fpmd --foreground in the guest with these lines; returns the Popen, whose log is
        self.log."""
        folder = f"/srv/site/{name}"
        self.guest.run("install", "-d", "-m", "777", folder)
        self.guest.write(f"{folder}/{name}.conf", "\n".join(
            [f"[{name}]", f"user = {user}", "pm = static", "pm.max_children = 2", *lines]) + "\n")
        self.log = self.guest.path(f"{folder}/log")
        process = self.guest.popen(
            "sh", "-c", f"exec /usr/sbin/fpmd --foreground --pool {name} --config-dir {folder} "
            f"--control-dir {folder}/control 2>{folder}/log >&2")
        self.addCleanup(self._end, process)
        wait_until(lambda: process.poll() is not None or "Ready to handle" in self.read_log(), 15,
                   "the pool")
        return process

    def active(self, name):
        """How many requests run; None when the pool does not yet."""
        done = self.guest.run("fpmctl", "status", name, "-o", "json", check=False)
        return json.loads(done.stdout)["active"] if done.returncode == 0 else None

    def read_log(self):
        return self.log.read_text() if self.log.exists() else ""

    @staticmethod
    def _end(process):
        # nsenter waits for the command, which has this name.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
                for pid in children.read().split():
                    os.kill(int(pid), signal.SIGTERM)
        process.wait(20)

    def send(self, connection, script, **options):
        """A request whose answer is not waited for."""
        connection.send(fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, fastcgi.pairs(
            fastcgi.script_params(script, **options))) + fastcgi.stream(fastcgi.STDIN, b""))

    def state(self, path):
        """Owner, group and mode of a file, as "user:group 660"."""
        return self.guest.run("stat", "-c", "%U:%G %a", path).stdout.strip()

    # ---- forms ----

    # What stands in the unit or the pool file, and where clients find it.
    FORMS = {
        "/run/fpmd/form.sock": ["/run/fpmd/form.sock"],
        "127.0.0.1:9101": [("127.0.0.1", 9101)],
        "[::1]:9102": [("::1", 9102)],
        "9103": [("127.0.0.1", 9103), ("::1", 9103)],
        "[::]:9104": [("127.0.0.1", 9104), ("::1", 9104)],
        "0.0.0.0:9105": [("127.0.0.1", 9105), ("127.0.0.7", 9105)],
    }

    def test_every_form_in_the_socket_unit(self):
        self.drop_in("fpmd@forms.socket",
                     "[Socket]\n" + "".join(f"ListenStream={form}\n" for form in self.FORMS))
        self.pool("forms", listen=" ".join(["/run/fpmd/forms.sock", *self.FORMS]))
        for form, addresses in self.FORMS.items():
            for address in addresses:
                self.assertEqual(self.hello(address), HELLO, f"{form} at {address}")
        self.assertEqual(self.hello("/run/fpmd/forms.sock"), HELLO)
        self.assertIsNone(self.mismatch("forms"))

    def test_every_form_in_the_foreground(self):
        forms = {**self.FORMS, "*:9106": [("127.0.0.1", 9106), ("::1", 9106)],
                 "localhost:9107": [("127.0.0.1", 9107)]}
        forms["/srv/site/fore/form.sock"] = forms.pop("/run/fpmd/form.sock") and \
            ["/srv/site/fore/form.sock"]
        self.foreground("fore", "listen = " + ", ".join(forms), "listen.mode = 0666")
        for form, addresses in forms.items():
            for address in addresses:
                self.assertEqual(self.hello(address), HELLO, f"{form} at {address}")
        self.assertNotIn("socket unit", self.read_log())

    def test_an_address_of_version_4_is_closed_to_version_6(self):
        self.foreground("only4", "listen = 0.0.0.0:9110")
        self.assertEqual(self.hello(("127.0.0.1", 9110)), HELLO)
        with self.assertRaises(OSError):
            self.connect(("::1", 9110))

    def test_an_address_in_use_is_named(self):
        self.foreground("holder", "listen = 127.0.0.1:9111")
        process = self.foreground("second", "listen = 127.0.0.1:9111")
        self.assertNotEqual(process.wait(10), 0)
        self.assertIn("listen: cannot listen on 127.0.0.1:9111: Address already in use",
                      self.read_log())

    # ---- who may open the socket file ----

    def owner_case(self, name, *lines):
        """Owner, group and mode that the socket file gets in a folder that everybody may write to."""
        path = f"/srv/site/{name}/fpm.sock"
        self.foreground(name, f"listen = {path}", *lines)
        return self.state(path)

    def test_owner_by_name_brings_its_primary_group(self):
        self.assertEqual(self.owner_case("own1", "listen.owner = www-data"),
                         "www-data:www-data 660")

    def test_owner_and_group(self):
        self.assertEqual(self.owner_case("own2", "listen.owner = www-data", "listen.group = site",
                                         "listen.mode = 0640"), "www-data:site 640")

    def test_owner_and_group_by_number(self):
        self.assertEqual(self.owner_case("own3", "listen.owner = 1", "listen.group = 2"),
                         "daemon:bin 660")

    def test_owner_by_number_brings_no_group(self):
        self.assertEqual(self.owner_case("own4", "listen.owner = 1"), "daemon:root 660")

    def test_owner_that_there_is_not(self):
        process = self.foreground("own5", "listen = /srv/site/own5/fpm.sock",
                                  "listen.owner = nobody-here")
        self.assertNotEqual(process.wait(10), 0)
        self.assertIn('there is no user "nobody-here"', self.read_log())

    def test_owner_where_only_root_may_write(self):
        """fpmd has no CHOWN: the group gives access then."""
        self.guest.run("install", "-d", "-m", "755", "/run/rootonly")
        self.foreground("own6", "listen = /run/rootonly/fpm.sock", "listen.owner = www-data")
        self.assertEqual(self.state("/run/rootonly/fpm.sock"), "root:www-data 660")
        self.assertTrue(self.may_connect("www-data", "/run/rootonly/fpm.sock"))

    def may_connect(self, user, path):
        """Whether a user of the guest can connect to a path."""
        code = f"import socket; socket.socket(socket.AF_UNIX).connect({path!r})"
        return self.guest.run("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
                              "/usr/bin/python3", "-c", code, check=False).returncode == 0

    def test_access_lists(self):
        path = "/srv/site/acl/fpm.sock"
        self.foreground("acl", f"listen = {path}", "listen.acl_users = www-data, games",
                        "listen.acl_groups = site-extra", "listen.owner = daemon")
        self.assertEqual(self.state(path), "root:root 660")
        for user, may in {"www-data": True, "games": True, "site": True, "daemon": False,
                          "nobody": False}.items():
            if user != "nobody":
                self.assertEqual(self.may_connect(user, path), may, user)
        self.assertIn("ACL set, listen.owner = 'daemon' is ignored", self.read_log())

    # ---- listen.allowed_clients ----

    # The list; from where clients of a dual-stack port connect, and whether they are served.
    CLIENTS = [
        ("127.0.0.1", {"127.0.0.1": True, "127.0.0.5": False, "::1": False}),
        ("127.0.0.5,127.0.0.1", {"127.0.0.1": True, "127.0.0.5": True, "127.0.0.6": False}),
        ("::1", {"127.0.0.1": False, "::1": True}),
        ("127.0.0.5,::1", {"127.0.0.1": False, "127.0.0.5": True, "::1": True}),
    ]
    # What PHP-FPM has not: blanks, prefixes, and a mapped address for a socket of version 4.
    MORE_CLIENTS = [
        ("127.0.0.5, 127.0.0.1", {"127.0.0.1": True, "127.0.0.5": True, "127.0.0.6": False}),
        ("127.0.0.4/31", {"127.0.0.4": True, "127.0.0.5": True, "127.0.0.6": False, "::1": False}),
        ("::ffff:127.0.0.5", {"127.0.0.5": True, "127.0.0.1": False}),
        ("::/127", {"::1": True, "127.0.0.1": False}),
        ("::2", {"::1": False}),
        ("0.0.0.0/0", {"127.0.0.9": True, "::1": False}),
    ]

    def served(self, port, source):
        host = "::1" if ":" in source else "127.0.0.1"
        return self.hello((host, port), source) == HELLO

    def test_allowed_clients_as_php_fpm_has_them(self):
        """The same lists and clients for both."""
        for i, (allowed, clients) in enumerate(self.CLIENTS):
            theirs, ours = 9200 + i, 9220 + i
            self.guest.write(f"/srv/site/clients{i}.conf", "\n".join(
                ["[global]", f"error_log = /srv/site/clients{i}.log", "[www]", "user = site",
                 f"listen = {theirs}", f"listen.allowed_clients = {allowed}", "pm = static",
                 "pm.max_children = 1", "catch_workers_output = yes"]) + "\n")
            php_fpm = self.guest.popen("php-fpm8.2", "-F", "-y", f"/srv/site/clients{i}.conf",
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(self._end, php_fpm)
            log = self.guest.path(f"/srv/site/clients{i}.log")
            wait_until(lambda: log.exists() and "ready to handle" in log.read_text(), 10, "php-fpm")
            self.foreground(f"clients{i}", f"listen = {ours}", f"listen.allowed_clients = {allowed}")
            for source, expected in clients.items():
                text = f"{allowed} and {source}"
                self.assertEqual(self.served(theirs, source), expected, f"php-fpm: {text}")
                self.assertEqual(self.served(ours, source), expected, text)
            for refused in [s for s, ok in clients.items() if not ok][:1]:
                said = f"Connection disallowed: IP address '{refused}' has been dropped."
                wait_until(lambda: said in log.read_text(), 5, "the record of php-fpm")
                wait_until(lambda: said in self.read_log(), 5, "the record")

    def test_allowed_clients_beyond_php_fpm(self):
        for i, (allowed, clients) in enumerate(self.MORE_CLIENTS):
            self.foreground(f"more{i}", f"listen = {9240 + i}", f"listen.allowed_clients = {allowed}")
            for source, expected in clients.items():
                self.assertEqual(self.served(9240 + i, source), expected, f"{allowed} and {source}")

    def test_refused_clients_under_systemd(self):
        self.drop_in("fpmd@refuse.socket", "[Socket]\nListenStream=9250\n")
        self.pool("refuse", **{"listen.allowed_clients": "127.0.0.5"})
        for _ in range(3):
            self.assertFalse(self.served(9250, "127.0.0.1"))
        self.assertTrue(self.served(9250, "127.0.0.5"))
        self.assertEqual(self.ask("refuse", "/hello.php").text, HELLO)
        record = self.wait_record(POOL="refuse", MESSAGE_ID=message_id("CLIENT_REFUSED"))
        self.assertEqual(record["MESSAGE"],
                         "Connection disallowed: IP address '127.0.0.1' has been dropped.")
        self.assertEqual(record["PRIORITY"], "3")
        self.assertEqual(record["CLIENT"], "127.0.0.1")

    # ---- the queue ----

    def test_the_queue_of_two_listeners_is_one(self):
        self.drop_in("fpmd@queue.socket", "[Socket]\nListenStream=127.0.0.1:9260\nBacklog=77\n")
        self.pool("queue", children=1)
        self.ask("queue", "/hello.php")
        gate = self.close_gate("queue")
        with contextlib.ExitStack() as stack:
            for i in range(6):
                address = ("127.0.0.1", 9260) if i % 2 else "/run/fpmd/queue.sock"
                connection = stack.enter_context(self.connect(address))
                self.send(connection, "/gate.php", **gate)
                if i == 0:  # a worker at rest would take connections whose request is not there yet
                    wait_until(lambda: self.gate_runs("queue"), 10, "a request runs")
            wait_until(lambda: self.status("queue")["queued"] == 5, 10, "five are in the queue")
            self.assertEqual(self.status("queue")["active"], 1)
            self.open_gate("queue")

    def gate_runs(self, name):
        """How many requests of /gate.php do; not the end of one before."""
        return sum(w["state"] == "running" and "/gate.php" in str(w) for w in self.status(name)["workers"])

    def test_growth_over_two_listeners(self):
        self.drop_in("fpmd@grows.socket", "[Socket]\nListenStream=127.0.0.1:9261\n")
        self.pool("grows", pm="ondemand", children=6)
        gate = self.close_gate("grows")
        with contextlib.ExitStack() as stack:
            for i in range(6):
                address = ("127.0.0.1", 9261) if i % 2 else "/run/fpmd/grows.sock"
                connection = stack.enter_context(self.connect(address))
                self.send(connection, "/gate.php", **gate)
            wait_until(lambda: self.active("grows") == 6, 10, "six requests run", step=0.1)
            self.open_gate("grows")

    # ---- pm.status_listen ----

    def status_pool(self, name, **settings):
        self.addCleanup(self.guest.systemctl, "stop", f"fpmd-status@{name}.socket", check=False)
        self.pool(name, start=False, **settings)
        return f"/run/fpmd/{name}.status.sock"

    def wait_active(self, unit, state="active"):
        wait_until(lambda: self.is_active(unit) == state, 15, f"{unit} is {state}")

    def is_active(self, unit):
        return self.guest.systemctl("is-active", unit, check=False).stdout.strip()

    def test_the_status_socket_alone_starts_the_pool(self):
        path = self.status_pool("stat1", pm="ondemand", **{"pm.status_path": "/status"})
        self.guest.systemctl("start", "fpmd-status@stat1.socket")
        self.assertEqual(self.state(path), "root:www-data 660")
        self.assertEqual(self.is_active("fpmd@stat1.socket"), "inactive")
        with self.connect(path) as connection:
            connection.request("/status")
        self.assertEqual(self.is_active("fpmd@stat1.socket"), "active")
        # Who asks is answered before the pool serves.
        self.wait_active("fpmd@stat1.service")
        self.assertEqual(self.ask("stat1", "/hello.php").text, HELLO)

    def test_stopping_with_a_status_socket(self):
        path = self.status_pool("stat2")
        self.guest.systemctl("start", "fpmd@stat2.socket", "fpmd-status@stat2.socket")
        with self.connect(path) as connection:
            connection.request("/status")
        # The service alone: either socket starts it again.
        self.guest.systemctl("stop", "fpmd@stat2.service")
        self.assertEqual(self.is_active("fpmd-status@stat2.socket"), "active")
        with self.connect(path) as connection:
            connection.request("/status")
        self.wait_active("fpmd@stat2.service")
        # The pool's socket made anew: all of it is.
        self.guest.systemctl("restart", "fpmd@stat2.socket")
        wait_until(lambda: "No jobs" in self.guest.systemctl("list-jobs").stdout, 15,
                   "what systemd does along with it")  # systemctl waits only for the unit it names
        with self.connect(path) as connection:
            connection.request("/status")
        self.assertEqual(self.ask("stat2", "/hello.php").text, HELLO)
        # The pool's socket stopped: nothing is left that could start it.
        self.guest.systemctl("stop", "fpmd@stat2.socket")
        for unit in ("fpmd@stat2.service", "fpmd@stat2.socket", "fpmd-status@stat2.socket"):
            self.wait_active(unit, "inactive")
        self.assertFalse(self.guest.path(path).exists())

    def test_stopping_the_status_socket_alone(self):
        path = self.status_pool("stat3")
        self.guest.systemctl("start", "fpmd@stat3.socket", "fpmd-status@stat3.socket")
        self.serving("stat3")
        self.guest.systemctl("stop", "fpmd-status@stat3.socket")
        self.assertFalse(self.guest.path(path).exists())
        self.assertEqual(self.is_active("fpmd@stat3.service"), "active")
        self.assertEqual(self.ask("stat3", "/hello.php").text, HELLO)

    def test_a_pool_that_is_full_still_says_its_status(self):
        """What pm.status_listen is for; no worker answers there."""
        path = self.status_pool("stat6", children=1, **{"pm.status_path": "/status"})
        self.guest.systemctl("start", "fpmd@stat6.socket", "fpmd-status@stat6.socket")
        with self.connect("/run/fpmd/stat6.sock") as busy:
            self.send(busy, "/gate.php", **self.close_gate("stat6"))
            wait_until(lambda: self.active("stat6") == 1, 10, "a request runs")
            for _ in range(2):
                with self.connect(path) as connection:
                    connection.request("/status")
            told = self.status("stat6")
            self.assertEqual((told["active"], told["idle"], len(told["workers"]), told["requests"]),
                             (1, 0, 1, 1))
            titles = self.guest.run("pgrep", "-af", "^fpmd: .*stat6").stdout
            self.assertEqual(titles.count("fpmd: pool stat6"), 1)
            self.assertEqual(titles.count("fpmd: porter of pool stat6"), 1)
            self.open_gate("stat6")
            self.assertEqual(busy.read_response().status, 200)

    def test_who_does_not_read_the_status_keeps_it_from_nobody(self):
        path = self.status_pool("stat8", children=40, **{"pm.status_path": "/status"})
        self.guest.systemctl("start", "fpmd@stat8.socket", "fpmd-status@stat8.socket")
        self.ask("stat8", "/hello.php")
        question = (fastcgi.begin(flags=1) + fastcgi.stream(fastcgi.PARAMS, fastcgi.pairs(
            fastcgi.script_params("/status", query="full"))) + fastcgi.stream(fastcgi.STDIN, b""))
        with self.connect(path) as deaf:
            deaf.socket.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                deaf.socket.sendall(question * 800)
            with self.connect(path) as connection:
                connection.socket.settimeout(20)
                self.assertIn("stat8", connection.request("/status").text)
            # And it does not hold up a stop.
            with self.connect(path) as another:
                another.socket.settimeout(0.5)
                with contextlib.suppress(TimeoutError):
                    another.socket.sendall(question * 800)
                self.guest.systemctl("stop", "fpmd@stat8.socket", "fpmd@stat8.service", timeout=30)
        self.assertEqual(self.guest.properties("fpmd@stat8.service", "Result")["Result"], "success")

    def test_status_connections_are_not_in_the_queue(self):
        path = self.status_pool("stat4", children=1)
        self.guest.systemctl("start", "fpmd@stat4.socket", "fpmd-status@stat4.socket")
        with self.connect("/run/fpmd/stat4.sock") as busy, self.connect(path), self.connect(path):
            self.send(busy, "/gate.php", **self.close_gate("stat4"))
            wait_until(lambda: self.active("stat4") == 1, 10, "a request runs")
            self.assertEqual(self.status("stat4")["queued"], 0)
            self.open_gate("stat4")

    def test_only_the_status_and_the_ping_are_answered(self):
        path = self.status_pool("stat5", **{"pm.status_path": "/status", "ping.path": "/ping"})
        self.guest.systemctl("start", "fpmd@stat5.socket", "fpmd-status@stat5.socket")
        with self.connect(path) as connection:
            for _ in range(2):  # a kept connection stays one for the status
                answer = connection.request("/status", keep=True)
                self.assertIn("pool:                 stat5", answer.text)
            self.assertEqual(connection.request("/ping", keep=True).text, "pong")
            self.assertNotIn(HELLO, connection.request("/hello.php", keep=True).text)

    def test_the_status_page_in_the_foreground(self):
        folder = "/srv/site/statfore"
        self.foreground("statfore", f"listen = {folder}/fpm.sock", "pm.status_path = /status",
                        f"pm.status_listen = {folder}/status.sock, 9270")
        for address in (f"{folder}/status.sock", ("127.0.0.1", 9270)):
            with self.connect(address) as connection:
                self.assertIn("statfore", connection.request("/status").text)

    # ---- the unit and the file do not agree ----

    def mismatch(self, name, **where):
        """The record of a mismatch of this case, None: there is none after the pool is ready."""
        self.wait_record(POOL=name, MESSAGE_ID=message_id("POOL_READY"))
        found = self.records(name, MESSAGE_ID=message_id("UNIT_MISMATCH"), **where)
        return found[0] if found else None

    def differs(self, name, directive, value, has, unit="", **more):
        """One directive with a value that the socket unit does not have."""
        if unit:
            self.drop_in(f"fpmd@{name}.socket", f"[Socket]\n{unit}")
        self.pool(name, **{directive: value}, **more)
        self.ask(name, "/hello.php")
        record = self.mismatch(name)
        self.assertIsNotNone(record, directive)
        self.assertEqual(record["DIRECTIVE"], directive)
        self.assertEqual(record["PRIORITY"], "4")
        text = record["MESSAGE"]
        self.assertRegex(text, rf"^/etc/fpmd/conf\.d/{name}\.conf:\d+: {directive}: ")
        for part in (f'"{value}"', has, f"fpmctl apply {name}", f"systemctl restart fpmd@{name}.socket"):
            self.assertIn(part, text)
        self.assertEqual(len(self.records(name, MESSAGE_ID=message_id("UNIT_MISMATCH"))), 1)
        return record

    def test_another_address(self):
        self.differs("mis1", "listen", "/run/php/mis1.sock", "/run/fpmd/mis1.sock")
        wait_until(lambda: "listen of the file is not that of the socket unit" in
                   self.guest.properties("fpmd@mis1.service", "StatusText")["StatusText"], 5, "a note")
        said = self.guest.run("fpmctl", "reload", "mis1").stdout
        self.assertIn("listen of the file is not that of the socket unit", said)
        # Mended in the file: the note goes.
        self.guest.write("/etc/fpmd/conf.d/mis1.conf",
                         self.guest.read("/etc/fpmd/conf.d/mis1.conf").replace("/run/php", "/run/fpmd"))
        self.assertRegex(self.guest.run("fpmctl", "reload", "mis1").stdout,
                         r"^mis1: reloaded, generation \d+\n$")
        wait_until(lambda: "socket unit" not in
                   self.guest.properties("fpmd@mis1.service", "StatusText")["StatusText"], 5, "no note")

    def test_a_socket_that_the_file_does_not_name(self):
        self.differs("mis2", "listen", "/run/fpmd/mis2.sock", "127.0.0.1:9280",
                     unit="ListenStream=127.0.0.1:9280\n")

    def test_a_socket_that_the_unit_does_not_have(self):
        self.differs("mis3", "listen", "/run/fpmd/mis3.sock 9281", "/run/fpmd/mis3.sock")

    def test_another_owner(self):
        self.differs("mis4", "listen.owner", "www-data", "root")

    def test_another_group(self):
        self.differs("mis5", "listen.group", "site", "www-data")

    def test_another_mode(self):
        self.differs("mis6", "listen.mode", "0666", "0660")

    def test_another_backlog(self):
        self.differs("mis7", "listen.backlog", "128", "64", unit="Backlog=64\n")

    def test_no_status_socket(self):
        self.differs("mis8", "pm.status_listen", "/run/fpmd/mis8.status.sock", "no such socket")

    def test_no_access_list(self):
        self.differs("mis9", "listen.acl_users", "games", "access list")

    def test_a_file_that_fits(self):
        self.drop_in("fpmd@fits.socket",
                     "[Socket]\nListenStream=127.0.0.1:9290\nBacklog=128\nSocketUser=www-data\n"
                     "SocketMode=0666\nSymlinks=/run/fits-too.sock\n")
        # The same for both, as with PHP-FPM.
        self.drop_in("fpmd-status@fits.socket",
                     "[Socket]\nSocketUser=www-data\nSocketMode=0666\n")
        self.addCleanup(self.guest.systemctl, "stop", "fpmd-status@fits.socket", check=False)
        self.pool("fits", listen="/run/fits-too.sock 127.0.0.1:9290", start=False,
                  **{"listen.backlog": 128, "listen.owner": "www-data", "listen.group": "www-data",
                     "listen.mode": "0666", "pm.status_listen": "/run/fpmd/fits.status.sock"})
        self.guest.systemctl("start", "fpmd@fits.socket", "fpmd-status@fits.socket")
        self.ask("fits", "/hello.php")
        self.assertIsNone(self.mismatch("fits"))
        self.assertRegex(self.guest.run("fpmctl", "reload", "fits").stdout,
                         r"^fits: reloaded, generation \d+\n$")

    def test_a_file_that_says_nothing_fits(self):
        self.drop_in("fpmd@says.socket", "[Socket]\nListenStream=127.0.0.1:9291\nBacklog=3\n"
                                         "SocketMode=0600\n")
        self.pool("says")
        self.ask("says", "/hello.php")
        self.assertIsNone(self.mismatch("says"))

    # ---- titles ----

    def test_titles(self):
        """What `ps` shows, as administrators know it of PHP-FPM."""
        self.pool("titles")
        self.ask("titles", "/hello.php")
        self.guest.run("fpmctl", "reload", "titles")
        self.settled("titles")
        manager, templates, workers = self.full("titles")
        for pid in workers:
            self.assertEqual(proc(pid, "cmdline").rstrip("\0"), "fpmd: pool titles")
            self.assertEqual(proc(pid, "comm").strip(), "fpmd-worker")
        self.assertEqual(proc(templates[0], "cmdline").rstrip("\0"),
                         "fpmd: template of pool titles (generation 2)")
        self.assertEqual(proc(templates[0], "comm").strip(), "fpmd-template")
        self.assertTrue(proc(manager, "cmdline").startswith("/usr/sbin/fpmd\0--pool\0titles"))
        self.assertEqual(self.guest.run("pgrep", "-cf", "^fpmd: pool titles").stdout.strip(), "2")

    # ---- the price ----

    def test_system_calls_of_a_request(self):
        """The list of allowed clients costs no call more."""
        self.foreground("calls", "listen = 9295", "listen.allowed_clients = 127.0.0.1",
                        "pm.max_children = 1")
        self.hello(("127.0.0.1", 9295))
        worker = int(self.guest.run("pgrep", "-f", "^fpmd: pool calls").stdout)
        pid = next(p for p in map(int, filter(str.isdigit, os.listdir("/proc")))
                   if inner_pid(p) == worker and proc(p, "comm") == "fpmd-worker\n"
                   and os.path.samefile(f"/proc/{p}/ns/pid", f"/proc/{self.guest.pid}/ns/pid"))
        with Tracing(self.guest, pid, ["accept4", "getpeername", "getsockopt"]) as trace:
            for _ in range(20):
                self.assertEqual(self.hello(("127.0.0.1", 9295)), HELLO)
        called = [line.split("(")[0] for line in trace.log.splitlines() if "(" in line]
        self.assertEqual(called, ["accept4"] * 20, trace.log)


if __name__ == "__main__":
    main()
