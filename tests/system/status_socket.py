"""The socket of the status (pm.status_listen): answered by the porter, whatever the workers do."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import fastcgi
from suite import (GuestCase, alive, executable, load, main, message_id, percentile, proc,
                   wait_until, write_pool)

PATHS = {"pm.status_path": "/status", "ping.path": "/ping"}

NGINX = """
server {
    listen 127.0.0.1:87;
    location = /metrics {
        fastcgi_pass unix:/run/fpmd/scraped.status.sock;
        fastcgi_param SCRIPT_NAME /status;
        fastcgi_param QUERY_STRING "openmetrics&full";
        fastcgi_param HTTP_ACCEPT $http_accept;
    }
}
"""

PROMETHEUS = """
global:
  scrape_interval: 500ms
  scrape_timeout: 400ms
scrape_configs:
  - job_name: fpmd
    static_configs:
      - targets: ['127.0.0.1:87']
"""


class StatusSocket(GuestCase):
    @classmethod
    def prepare(cls, guest):
        guest.write("/etc/nginx/tests.d/scraped.conf", NGINX)

    def status_pool(self, name, **settings):
        """A pool with such a socket; its path."""
        self.addCleanup(self.guest.systemctl, "stop", f"fpmd-status@{name}.socket", check=False)
        self.pool(name, start=False, **{**PATHS, **settings})
        self.guest.systemctl("start", f"fpmd@{name}.socket", f"fpmd-status@{name}.socket")
        return f"/run/fpmd/{name}.status.sock"

    def connect(self, path):
        return fastcgi.Connection(self.guest.path(path))

    def look(self, path, query="json", uri="/status"):
        """One answer on a connection of its own."""
        with self.connect(path) as connection:
            return connection.request(uri, query=query)

    def porters(self, name):
        return [pid for pid in self.guest.processes(f"fpmd@{name}.service")
                if executable(pid) == "fpmd-porter"]

    def busy(self, name, n, seconds):
        """n requests that run for so long, until the case ends."""
        stack = self.enterContext(contextlib.ExitStack())
        for _ in range(n):
            connection = stack.enter_context(fastcgi.Connection(self.socket(name)))
            connection.send(fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, fastcgi.pairs(
                fastcgi.script_params("/wait.php", query=f"ms={seconds * 1000}"))) +
                fastcgi.stream(fastcgi.STDIN, b""))

    @contextlib.contextmanager
    def watched(self, path):
        """Asks all the time meanwhile: each answer has to be one. The answers."""
        answers, errors, end = [], [], threading.Event()

        def run():
            while not end.is_set():
                try:
                    answers.append(json.loads(self.look(path).text))
                except (OSError, ValueError) as error:
                    errors.append(error)
                time.sleep(0.002)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield answers
        finally:
            end.set()
            thread.join()
        self.assertEqual(errors, [])

    # ---- what it is for ----

    def test_answered_while_all_workers_are_busy(self):
        path = self.status_pool("full", children=3)
        self.busy("full", 3 + 50, 15)
        wait_until(lambda: json.loads(self.look(path).text)["active processes"] == 3, 10, "all are")
        for query in ("", "json", "xml&full", "html", "openmetrics&full"):
            took = []
            for _ in range(11):
                begin = time.monotonic()
                answer = self.look(path, query)
                took.append(time.monotonic() - begin)
                self.assertEqual(answer.status, 200)
            self.assertLess(percentile(took, 50), 0.5, query)  # and not after the requests
        told = json.loads(self.look(path, "json&full").text)
        self.assertEqual((told["active processes"], told["idle processes"], told["listen queue"]),
                         (3, 0, 50))
        self.assertEqual({p["state"] for p in told["processes"]}, {"Running"})
        self.assertEqual(self.look(path, uri="/ping").text, "pong")
        # Who asks is no request of the pool, nor waits in its queue.
        self.assertEqual(self.status("full")["requests"], 3)

    def test_without_any_worker(self):
        path = self.status_pool("none", pm="ondemand")
        answer = self.look(path, "")
        self.assertIn("pool:                 none", answer.text)
        self.assertEqual(answer.headers["content-type"], "text/plain;charset=UTF-8")
        self.assertEqual(answer.headers["expires"], "Thu, 01 Jan 1970 00:00:00 GMT")
        self.assertEqual(len(self.porters("none")), 1)
        self.assertEqual(self.pids("none")[2], [])
        self.assertEqual(self.look(path, uri="/hello.php").status, 404)
        self.assertEqual(self.look(path, uri="/hello.php").text, "File not found.\n")

    def test_head_and_style(self):
        path = self.status_pool("head")
        with self.connect(path) as connection:
            head = connection.request("/status", method="HEAD", query="json", keep=True)
            self.assertEqual((head.status, head.body), (200, b""))
            page = connection.request("/status", query="html", keep=True)
            self.assertIn("default-src 'none'", page.headers["content-security-policy"])
            self.assertIn("text/css", connection.request("/status", query="style", keep=True)
                          .headers["content-type"])

    # ---- Prometheus ----

    def prometheus(self, question):
        """The value of the answer to a question, None: there is none yet."""
        with self.guest.network():
            connection = urllib.request.urlopen(
                "http://127.0.0.1:9095/api/v1/query?" +
                urllib.parse.urlencode({"query": question}), timeout=5)
        with connection:
            result = json.load(connection)["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def start_prometheus(self):
        self.guest.write("/etc/prometheus-test.yml", PROMETHEUS)
        self.guest.run("systemd-run", "--unit=scraper", "--collect", "/usr/bin/prometheus",
                       "--config.file=/etc/prometheus-test.yml", "--storage.tsdb.path=/tmp/scraper",
                       "--web.listen-address=127.0.0.1:9095", "--log.level=warn")
        self.addCleanup(self.guest.systemctl, "stop", "scraper.service", check=False)

        def scrapes():
            with contextlib.suppress(OSError):
                return self.prometheus("up")
            return None
        wait_until(lambda: scrapes() == 1, 20, "the first scrape", step=0.2)

    def test_prometheus_scrapes_it(self):
        self.status_pool("scraped", children=2)
        self.start_prometheus()
        with load(self.socket("scraped"), "/srv/www/wait.php", query="ms=20", clients=6,
                  seconds=30) as running:
            for _ in range(4):
                time.sleep(1.5)
                self.guest.systemctl("reload", "fpmd@scraped.service")
            self.guest.run("fpmctl", "reexec", "scraped")
            time.sleep(1.5)
            result = running.stop()
        self.assertEqual(result["failed"], 0, result)
        time.sleep(1.2)
        self.assertGreaterEqual(self.prometheus("count_over_time(up[9s])"), 12)
        self.assertEqual(self.prometheus("min_over_time(up[9s])"), 1)
        self.assertEqual(self.prometheus("phpfpm_up"), 1)
        self.assertEqual(self.prometheus("phpfpm_accepted_connections"), result["ok"])
        self.assertEqual(self.prometheus("phpfpm_total_processes"), 2)
        # Those of a former generation that finish are processes, too.
        self.assertLessEqual(self.prometheus("max_over_time((phpfpm_active_processes - "
                                             "phpfpm_total_processes)[9s:500ms])"), 0)
        self.assertGreater(self.prometheus("max_over_time(phpfpm_active_processes[9s])"), 0)

    # ---- what changes under it ----

    def test_reload(self):
        path = self.status_pool("again")
        with self.watched(path) as answers:
            for _ in range(3):
                self.guest.systemctl("reload", "fpmd@again.service")
            first = self.porters("again")
            self.guest.run("fpmctl", "reexec", "again")
            self.assertEqual(self.porters("again"), first)
            # An upgrade: another porter.
            program = self.guest.path("/usr/libexec/fpmd/fpmd-porter")
            shutil.copy(program, f"{program}.new")
            os.rename(f"{program}.new", program)
            self.guest.run("fpmctl", "reexec", "again")
            wait_until(lambda: not alive(first[0]), 15, "the first has gone")
            first = self.porters("again")
            # Another user: another one.
            write_pool(self.guest, "again", user="www-data", **PATHS)
            self.guest.systemctl("reload", "fpmd@again.service")
            wait_until(lambda: not alive(first[0]), 15, "the first has gone")
        self.assertGreater(len(answers), 20)
        self.assertEqual({a["pool"] for a in answers}, {"again"})
        write_pool(self.guest, "again", user="www-data", **{"pm.status_path": "/other",
                                                            "ping.path": "/ping",
                                                            "ping.response": "here"})
        self.guest.systemctl("reload", "fpmd@again.service")
        wait_until(lambda: self.look(path, uri="/other").status == 200, 15, "the new path")
        self.assertEqual(self.look(path, uri="/ping").text, "here")
        self.assertEqual(self.look(path).status, 404)
        self.assertEqual(self.records(MESSAGE_ID=message_id("PORTER_EXITED"), PRIORITY="4"), [])

    def test_the_porter_is_killed(self):
        path = self.status_pool("dies")
        self.look(path)
        for _ in range(2):
            first = self.porters("dies")
            os.kill(first[0], signal.SIGKILL)
            wait_until(lambda: not alive(first[0]), 15, "it has gone")
            begin = time.monotonic()
            self.assertEqual(self.look(path).status, 200)
            self.assertLess(time.monotonic() - begin, 15)
            self.assertNotEqual(self.porters("dies"), first)
        self.wait_record(MESSAGE_ID=message_id("PORTER_EXITED"), PRIORITY="4")

    def test_the_manager_is_stopped(self):
        path = self.status_pool("stuck")
        self.look(path)
        manager = self.pids("stuck")[0]
        os.kill(manager, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            answer = self.look(path)
            self.assertLess(time.monotonic() - begin, 15)
            self.assertEqual(json.loads(answer.text)["pool"], "stuck")
            self.assertGreaterEqual(int(answer.headers["x-fpmd-snapshot-age"]), 1)
            # Nobody waits for it a second time: each wait would be a second.
            begin = time.monotonic()
            for _ in range(10):
                self.assertEqual(self.look(path, uri="/ping").text, "pong")
                self.assertIn("x-fpmd-snapshot-age", self.look(path).headers)
            self.assertLess(time.monotonic() - begin, 8)
        finally:
            os.kill(manager, signal.SIGCONT)
        wait_until(lambda: "x-fpmd-snapshot-age" not in self.look(path).headers, 15, "it answers")

    def test_draining(self):
        path = self.status_pool("drained")
        self.assertEqual(self.look(path, uri="/ping").text, "pong")
        self.ask("drained", "/hello.php")
        drain = self.guest.popen("fpmctl", "drain", "--quiet=5s", "drained",
                                 stdout=subprocess.DEVNULL)
        self.addCleanup(drain.wait, 20)
        wait_until(lambda: self.look(path, uri="/ping").text == "draining", 10, "the ping says so")
        self.assertEqual(self.look(path, uri="/ping").status, 503)

    def test_nobody_holds_it_up(self):
        """Silent clients, and such that send no end, as many as there may be and more."""
        path = self.status_pool("slow")
        with contextlib.ExitStack() as stack:
            for i in range(150):
                connection = stack.enter_context(self.connect(path))
                if i % 3 == 0:
                    connection.send(fastcgi.begin() + fastcgi.record(fastcgi.PARAMS, b"\1\1a"))
                if i % 3 == 1:
                    connection.send(b"\1")
            begin = time.monotonic()
            for _ in range(20):
                self.assertEqual(self.look(path).status, 200)
            self.assertLess(time.monotonic() - begin, 20)
            memory = int(next(line for line in proc(self.porters("slow")[0], "status").splitlines()
                              if line.startswith("VmRSS")).split()[1])
        self.assertLess(memory, 16 * 1024)


if __name__ == "__main__":
    main()
