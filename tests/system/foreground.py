"""fpmd --foreground: for containers and development, without a systemd above it."""

import contextlib
import json
import os
import signal
import subprocess

import fastcgi
from background import Background
from suite import GuestCase, alive, executable, main, proc, proc_status, wait_until


def descendants(pid):
    """A process and all below it."""
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children") as children:
            todo += [int(p) for p in children.read().split()]
    return found


class Foreground(GuestCase):
    nginx = False

    def start(self, name, *prefix, user="site", listen=None, environment=(), **settings):
        """Starts fpmd --foreground in the guest through prefix; returns (Popen, address)."""
        folder = f"/srv/site/{name}"
        self.guest.run("install", "-d", "-m", "777", folder)
        address = listen or f"{folder}/fpm.sock"
        lines = [f"[{name}]", f"listen = {address}", "listen.mode = 0666", "pm = static",
                 "pm.max_children = 2"]
        lines += [f"user = {user}"] if user else []
        lines += [f"{k} = {v}" for k, v in settings.items()]
        self.guest.write(f"{folder}/{name}.conf", "\n".join(lines) + "\n")
        self.log = self.guest.path(f"{folder}/log")
        process = self.guest.popen(
            *prefix, "sh", "-c",
            f"exec {' '.join(environment)} /usr/sbin/fpmd --foreground --pool {name} "
            f"--config-dir {folder} --control-dir {folder}/control 2>{folder}/log >&2")
        self.addCleanup(self._end, process)
        return process, address

    @staticmethod
    def _end(process):
        for pid in descendants(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def listens(self, address):
        """Whether somebody listens at a path of the guest, without becoming its client: between bind(2)
        and listen(2) the file is there and nobody is."""
        rows = [line.split() for line in proc(self.guest.pid, "net/unix").splitlines()]
        return any(row[3] == "00010000" and row[-1] == address for row in rows)

    def connect(self, process, address):
        def ready():
            if process.poll() is not None:
                raise AssertionError(f"ended with {process.returncode}: {self.log.read_text()}")
            return self.listens(address)

        wait_until(ready, 10, "the socket")
        return self.guest.path(address)

    def manager(self, process):
        """The pid of the fpmd below a started command."""
        return wait_until(lambda: next((p for p in descendants(process.pid)
                                        if executable(p) == "fpmd"), None), 5, "the manager")

    AS_SITE = ("setpriv", "--reuid=site", "--regid=site", "--init-groups")

    def test_as_root(self):
        process, address = self.start("asroot")
        path = self.connect(process, address)
        seen = json.loads(fastcgi.request(path, "/process.php").text)
        self.assertEqual(seen["uid"], int(self.guest.run("id", "-u", "site").stdout))
        for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1",
                     "Seccomp:\t2"):
            self.assertIn(line, seen["status"])
        status = proc_status(self.manager(process))
        # SETUID, SETGID, KILL, and SYS_CHROOT for a file that a reload may bring
        self.assertEqual(status["CapEff"], "00000000000400e0")

    def test_as_an_ordinary_user(self):
        process, address = self.start("asuser", *self.AS_SITE, user=None)
        path = self.connect(process, address)
        seen = json.loads(fastcgi.request(path, "/process.php").text)
        self.assertEqual(seen["uid"], int(self.guest.run("id", "-u", "site").stdout))
        for line in ("CapPrm:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
            self.assertIn(line, seen["status"])
        out = self.guest.run("fpmctl", "--control-dir=/srv/site/asuser/control", "status", "asuser",
                             "-o", "json").stdout
        self.assertIn("bounding-set", json.loads(out)["sandbox_moot"])

    def test_an_ordinary_user_does_not_get_another(self):
        """As with php-fpm the pool runs as who started it, and is told so."""
        process, address = self.start("asother", *self.AS_SITE, user="www-data")
        path = self.connect(process, address)
        seen = json.loads(fastcgi.request(path, "/process.php").text)
        self.assertEqual(seen["uid"], int(self.guest.run("id", "-u", "site").stdout))
        said = [line for line in self.log.read_text().splitlines() if "asother.conf:6: user" in line]
        self.assertEqual(len(said), 1, said)

    def test_it_logs_to_stderr(self):
        process, address = self.start("logs", **{"php_admin_flag[log_errors]": "on"})
        fastcgi.request(self.connect(process, address), "/errors.php")
        wait_until(lambda: "by error_log" in self.log.read_text(), 5, "the message")
        # Workers serve as soon as they are registered, so the manager may say this last.
        wait_until(lambda: "Ready to handle" in self.log.read_text(), 5, "the manager's message")

    def test_tcp(self):
        process, _ = self.start("tcp", listen="127.0.0.1:9100")

        def ask():
            try:
                with self.guest.network():
                    connection = fastcgi.Connection(("127.0.0.1", 9100))
            except ConnectionRefusedError:
                return None
            with connection:
                return connection.request("/hello.php").text

        self.assertEqual(wait_until(ask, 10, "an answer"), "Hello World\n")

    def graceful(self, name, number, *prefix):
        process, address = self.start(name, *prefix)
        path = self.connect(process, address)
        manager = self.manager(process)
        fastcgi.request(path, "/hello.php")
        mark = f"/srv/site/{name}/begun"
        self.guest.write("/srv/www/marked.php", "<?php touch($_GET['mark']); usleep(1200000); echo 'end';")
        call = Background(fastcgi.request, path, "/marked.php", query=f"mark={mark}")
        wait_until(self.guest.path(mark).exists, 10, "the request runs")
        os.kill(manager, number)
        self.assertEqual((call.result().status, call.result().text), (200, "end"))
        self.assertEqual(process.wait(15), 0)
        self.assertFalse(alive(manager))

    def test_sigterm_lets_requests_finish(self):
        self.graceful("term", signal.SIGTERM)

    def test_sigquit_lets_requests_finish(self):
        self.graceful("quit", signal.SIGQUIT)

    def test_sigterm_of_an_ordinary_user(self):
        process, address = self.start("userterm", *self.AS_SITE, user=None)
        self.connect(process, address)
        os.kill(self.manager(process), signal.SIGTERM)
        self.assertEqual(process.wait(15), 0)

    PID_1 = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")

    def test_as_pid_1(self):
        process, address = self.start("first", *self.PID_1)
        path = self.connect(process, address)
        seen = json.loads(fastcgi.request(path, "/process.php").text)
        self.assertIn("CapEff:\t0000000000000000", seen["status"])
        self.assertEqual(proc_status(self.manager(process))["NSpid"].split()[-1], "1")

    def test_pid_1_reaps_orphans(self):
        self.guest.write("/srv/www/orphan.php",
                         "<?php shell_exec('(sleep 0.2; sleep 0.3) >/dev/null 2>&1 &'); echo 'ok';")
        process, address = self.start("reaps", *self.PID_1)
        path = self.connect(process, address)
        for _ in range(5):
            self.assertEqual(fastcgi.request(path, "/orphan.php").text, "ok")
        manager = self.manager(process)

        def children():
            with open(f"/proc/{manager}/task/{manager}/children") as lines:
                pids = lines.read().split()
            found = []
            for pid in pids:
                with contextlib.suppress(OSError):  # it has been reaped meanwhile
                    status = proc_status(pid)
                    found.append(status["State"][0] + " " + status["Name"])
            return found

        # By their names: while a worker is being forked, an orphan would make up the number. A porter
        # comes when a client was slow.
        def names():
            found = [("zombie " if c[0] == "Z" else "") + c[2:] for c in children()]
            return sorted(name for name in found if name != "fpmd-porter")

        wait_until(lambda: names() == ["fpmd-template", "fpmd-worker", "fpmd-worker"], 10,
                   "only template and workers are left")

    def test_pid_1_stops_gracefully(self):
        self.graceful("firstterm", signal.SIGTERM, *self.PID_1)

    def test_a_socket_file_that_nobody_uses_is_replaced(self):
        process, address = self.start("stale")
        path = self.connect(process, address)
        self._end(process)
        self.assertTrue(path.exists())
        wait_until(lambda: not self._listens(path), 5, "nobody listens")
        process, _ = self.start("stale")

        def ask():
            try:
                return fastcgi.request(path, "/hello.php").text
            except OSError:
                return None

        self.assertEqual(wait_until(ask, 10, "an answer"), "Hello World\n")

    @staticmethod
    def _listens(path):
        try:
            fastcgi.Connection(path).close()
            return True
        except OSError:
            return False

    def test_a_socket_in_use_is_not_taken_away(self):
        process, address = self.start("inuse")
        path = self.connect(process, address)
        second = self.guest.run("/usr/sbin/fpmd", "--foreground", "--pool", "inuse", "--config-dir",
                                "/srv/site/inuse", "--control-dir", "/srv/site/inuse/control2",
                                check=False, timeout=20)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn("fpm.sock", second.stderr)
        self.assertEqual(fastcgi.request(path, "/hello.php").text, "Hello World\n")

    def test_without_listen_it_says_so(self):
        self.guest.write("/srv/site/nolisten/nolisten.conf",
                         "[nolisten]\nuser = site\npm = static\npm.max_children = 1\n")
        done = self.guest.run("/usr/sbin/fpmd", "--foreground", "--pool", "nolisten", "--config-dir",
                              "/srv/site/nolisten", check=False, timeout=20)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("listen", done.stderr)

    def test_listening_sockets_of_a_parent_are_taken(self):
        """systemd-socket-activate passes real ones."""
        folder = "/srv/site/passed"
        self.guest.write(f"{folder}/passed.conf",
                         "[passed]\nuser = site\npm = static\npm.max_children = 1\n")
        process = self.guest.popen("systemd-socket-activate", "-l", f"{folder}/a.sock",
                                   "--fdname=fastcgi", "/usr/sbin/fpmd", "--foreground", "--pool",
                                   "passed", "--config-dir", folder, "--control-dir",
                                   f"{folder}/control", stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(self._end, process)
        path = self.guest.path(f"{folder}/a.sock")
        wait_until(lambda: self.listens(f"{folder}/a.sock"), 5, "the socket")
        self.assertEqual(fastcgi.request(path, "/hello.php").text, "Hello World\n")


if __name__ == "__main__":
    main()
