"""Status of a pool: every format by programs that others have made, numbers that clients have counted,
and texts that mean harm."""

import contextlib
import json
import os
import re
import subprocess
import threading
import time

import fastcgi
from guest import REPOSITORY
from suite import GuestCase, in_parallel, load, main, wait_until

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
FORMATS = ["", "xml", "json", "openmetrics", "openmetrics strict"]
SCHEMA = REPOSITORY / "docs/status.schema.json"

# What a stock exporter of PHP-FPM's figures reads.
OF_PHP_FPM = ["pool", "process manager", "start time", "start since", "accepted conn", "listen queue",
              "max listen queue", "listen queue len", "idle processes", "active processes",
              "total processes", "max active processes", "max children reached", "slow requests"]
METRICS_OF_PHP_FPM = ["up", "start_since", "accepted_connections", "listen_queue", "max_listen_queue",
                      "listen_queue_length", "idle_processes", "active_processes", "total_processes",
                      "max_active_processes", "max_children_reached", "slow_requests"]

EVIL = [b"<script>alert(1)</script>", b"quotes\"'`", b"line\nbreak\r\n", b"\x01\x1b[31m\x7f",
        b"\xff\xfe\xc3(", b"\xed\xa0\x80\xf5", b"\xc2\x9b\xe2\x80\xae\xef\xbf\xbf", b"back\\slash\\",
        b"]]>&amp;&lt;<!--", b"\\n\\\"}{=,", b"# EOF\n# TYPE x counter"]


def check_with(command, data):
    """What a program says of it; "" when it has no complaint."""
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode or done.stdout:
        return f"{command[0]}: exit {done.returncode}: {done.stdout.decode(errors='replace')[:2000]}"
    return ""


def check_schema(text):
    import jsonschema
    schema = json.loads(SCHEMA.read_text())
    try:
        jsonschema.Draft7Validator(schema).validate(json.loads(text))
    except jsonschema.ValidationError as error:
        return f"{error.json_path}: {error.message}"
    return ""


def families(text):
    """OpenMetrics 1.0 by the reader of Prometheus' own client library."""
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    return list(text_string_to_metric_families(text))


def check_strict(text):
    try:
        return "" if families(text) else "no metrics"
    except ValueError as error:
        return f"OpenMetrics: {error}"


def complaints(kind, answer):
    """What the outside parsers of a format have to say of an answer."""
    if answer.status != 200:
        return f"status {answer.status}"
    if kind == "xml":
        return check_with(["xmllint", "--noout", "--nonet", "-"], answer.body)
    if kind == "json":
        return check_with(["jq", "empty"], answer.body) or check_schema(answer.body.decode())
    if kind == "openmetrics":
        return check_with(["promtool", "check", "metrics"], answer.body)
    if kind == "openmetrics strict":
        return check_strict(answer.body.decode())
    return "" if re.fullmatch(r"((\n\*{24}\n|[a-z][\w -]*: +\S?.*\n))+", answer.body.decode()) \
        else "no plain page"


def ask_format(ask, kind, full, **options):
    query = kind.split(" ")[0] + ("&full" if full else "")
    accept = {"HTTP_ACCEPT": OPENMETRICS} if kind.endswith("strict") else {}
    return ask(query=query, **accept, **options)


def samples(text):
    """{name and labels: value} of the metrics."""
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in text.splitlines() if line and not line.startswith("#")}


class Status(GuestCase):
    nginx = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest.write("/srv/www/code.php", "<?php http_response_code((int)$_GET['code']);"
                        "usleep((int)(($_GET['ms'] ?? 0) * 1000)); echo 'x';")

    def status_pool(self, name, **settings):
        self.pool(name, start=False, pm_status_path="/status",
                  **{"pm.status_listen": f"/run/fpmd/{name}.status.sock", **settings})
        self.addCleanup(self.guest.systemctl, "stop", f"fpmd-status@{name}.socket", check=False)
        self.guest.systemctl("start", f"fpmd@{name}.socket", f"fpmd-status@{name}.socket")

    def ask_own(self, name, **options):
        """On the pool's own socket."""
        return self.ask(name, "/status", **options)

    def ask_socket(self, name, **options):
        return fastcgi.request(self.guest.path(f"/run/fpmd/{name}.status.sock"), "/status", **options)

    def json(self, name, full=True):
        return json.loads(self.ask_socket(name, query="json" + ("&full" if full else "")).text)

    def assert_valid(self, answers):
        wrong = [f"{kind} {full}: {said}\n{answer.text[:3000]}" for kind, full, answer in answers
                 if (said := complaints(kind, answer))]
        self.assertEqual(wrong[:2], [])

    def everything(self, name, full=(False, True), ask=None):
        ask = ask or self.ask_socket
        return [(kind, f, ask_format(lambda **o: ask(name, **o), kind, f))
                for kind in FORMATS for f in full]

    # ---- 1: the parsers of others ----

    def assert_sound(self, page, children):
        """What has to be so in each page, whatever goes on."""
        self.assertEqual(page["idle processes"] + page["active processes"], page["total processes"])
        self.assertEqual(len(page["processes"]), page["total processes"])
        # While a reload is under way there are workers of two generations.
        self.assertLessEqual(page["active processes"], page["total processes"])
        self.assertLessEqual(sum(p["generation"] == page["generation"] for p in page["processes"]
                                 if p["state"] != "Ending"), children)
        ended = sum(page[f"requests {word}"] for word in ("ok", "4xx", "5xx", "timed out"))
        self.assertEqual(ended, page["requests answered"])
        durations = list(page["request durations"].values())
        self.assertEqual(durations, sorted(durations))
        self.assertEqual(durations[-1], page["requests answered"])
        self.assertGreaterEqual(page["accepted conn"], page["requests answered"])

    def test_parsers_while_loaded_reloading_and_full(self):
        children = 3
        self.status_pool("busy", children=children)
        self.ask("busy", "/hello.php")
        answers, pages, metrics = [], [], []
        with load(self.socket("busy"), "/srv/www/hello.php", clients=12, seconds=3.5,
                  keep=False) as clients:
            for turn in range(3):
                if turn:
                    self.guest.run("fpmctl", "reload", "busy")
                for kind in FORMATS:
                    answers.append((kind, True, ask_format(
                        lambda **o: self.ask_socket("busy", **o), kind, True)))
                answers += self.everything("busy", full=(turn % 2 == 0,), ask=self.ask_own)
                pages += [json.loads(a.text) for kind, f, a in answers[-10:] if kind == "json" and f]
                metrics += [samples(a.text) for kind, _, a in answers[-10:]
                            if kind == "openmetrics"]
            counted = clients.stop()
        self.assert_valid(answers)
        for page in pages:
            self.assert_sound(page, children)
        # Workers come and go, and a new generation has a new opcode cache.
        for earlier, later in zip(metrics, metrics[1:]):
            back = [k for k, v in later.items() if ("_total{" in k or "_bucket{" in k)
                    and "pid=" not in k and "opcache" not in k and v < earlier.get(k, 0)]
            self.assertEqual(back, [])
        self.assertEqual(counted["failed"], 0)
        # What the clients had, the first one, and the pages that workers gave.
        own = sum(1 for _ in answers) // 2
        wait_until(lambda: self.json("busy")["requests answered"] == counted["ok"] + 1 + own, 10,
                   f"{counted['ok']} + 1 + {own} requests")
        self.assertEqual(self.json("busy")["requests ok"], counted["ok"] + 1 + own)

    def test_fields_that_exporters_read(self):
        self.status_pool("fields")
        self.ask("fields", "/hello.php")
        for ask in (self.ask_own, self.ask_socket):
            page = json.loads(ask("fields", query="json&full").text)
            self.assertEqual(list(page)[:14], OF_PHP_FPM)
            for strict in ("openmetrics", "openmetrics strict"):
                text = ask_format(lambda **o: ask("fields", **o), strict, True).text
                found = samples(text)
                for name in METRICS_OF_PHP_FPM:
                    self.assertIn("phpfpm_" + name, found)
        types = {f.name: f.type for f in families(text)}
        self.assertEqual(types["fpmd_request_duration_seconds"], "histogram")
        self.assertEqual(types["fpmd_requests"], "counter")
        pids = {p["pid"] for p in page["processes"]}
        for name in ("requests_total", "cpu_seconds_total", "resident_bytes", "age_seconds"):
            self.assertEqual({k for k in found if k.startswith(f"fpmd_worker_{name}{{")},
                             {f'fpmd_worker_{name}{{pool="fields",pid="{pid}"}}' for pid in pids})

    def test_a_worker_counts_itself(self):
        """It answers at the time, whatever snapshot it has."""
        self.status_pool("self", children=3)
        state = 'fpmd_workers{pool="self",state="%s"}'
        for query in ("openmetrics", "openmetrics", "openmetrics&full"):
            wait_until(lambda: samples(self.ask_socket("self", query="openmetrics").text)
                       [state % "idle"] == 3, 10, "three idle workers")  # the one before has finished
            found = samples(self.ask_own("self", query=query).text)
            self.assertEqual(found["phpfpm_active_processes"], 1)
            self.assertEqual((found[state % "active"], found[state % "idle"]), (1, 2))
        def look():
            found = samples(self.ask_socket("self", query="openmetrics").text)
            return (found["phpfpm_active_processes"], found[state % "active"]) == (0, 0)
        wait_until(look, 10, "nobody is active")

    def test_content_types(self):
        self.status_pool("types")
        for ask in (self.ask_own, self.ask_socket):
            for kind, expected in (("", "text/plain"), ("xml", "text/xml"),
                                   ("json", "application/json"), ("html", "text/html"),
                                   ("openmetrics", "text/plain; version=0.0.4"),
                                   ("openmetrics strict",
                                    "application/openmetrics-text; version=1.0.0")):
                found = ask_format(lambda **o: ask("types", **o), kind, False).headers
                self.assertTrue(found["content-type"].startswith(expected), (ask, kind, found))

    def test_fpmctl_tells_the_same(self):
        self.status_pool("same")
        for _ in range(3):
            self.ask("same", "/code.php", query="code=404")
        status, page = self.status("same"), self.json("same")
        self.assertEqual(status["requests_client_error"], 3)
        self.assertEqual(page["requests 4xx"], 3)
        self.assertEqual(status["requests_answered"], page["requests answered"])
        self.assertEqual(sum(bucket["requests"] for bucket in status["latency"]), 3)
        self.assertEqual(status["sandbox"], page["sandbox"])
        text = self.guest.run("fpmctl", "metrics", "same").stdout.encode()
        self.assertEqual(check_with(["promtool", "check", "metrics"], text), "")
        self.assertEqual(samples(text.decode())['fpmd_requests_total{pool="same",'
                                                'outcome="client_error"}'], 3)
        self.assertIn("requests per second: ", self.guest.run("fpmctl", "status", "same").stdout)

    # ---- 1: numbers ----

    def test_outcomes_durations_and_bytes(self):
        self.status_pool("count", children=2, request_terminate_timeout=1)
        took = []

        def ask(query, **options):
            begin = time.monotonic()
            self.ask("count", "/code.php", query=query, **options)
            took.append(time.monotonic() - begin)
        for code, times in ((200, 7), (302, 2), (404, 5), (410, 1), (500, 3), (503, 2)):
            for _ in range(times):
                ask(f"code={code}")
        ask("code=200&ms=150")
        for size in (0, 1, 1000, 100_000):
            ask("code=200", method="POST", body=b"x" * size)
        with contextlib.suppress(ConnectionError):
            self.ask("count", "/crash.php", query="signal=9")
        ask("code=200&ms=30000")
        page = wait_until(lambda: (p := self.json("count"))["requests timed out"] and p, 10, "the stop")
        self.assertEqual({k: page[f"requests {k}"] for k in ("ok", "4xx", "5xx", "timed out",
                                                             "crashed")},
                         {"ok": 7 + 2 + 1 + 4, "4xx": 6, "5xx": 5, "timed out": 1, "crashed": 1})
        self.assertEqual(page["accepted conn"], 7 + 2 + 5 + 1 + 3 + 2 + 1 + 4 + 1 + 1)
        self.assertEqual(page["processes crashed"], 1)
        self.assertEqual(page["bytes received"], 101_001)
        durations = page["request durations"]
        self.assertEqual(durations["+Inf"], 26)
        # All but the two that took longer, and what the machine held up: that the clients saw, too.
        for limit, most in ((100_000, 24), (250_000, 25)):
            self.assertLessEqual(durations[str(limit)], most)
            self.assertGreaterEqual(durations[str(limit)], sum(t * 1e6 <= limit for t in took), took)
        self.assertGreater(page["request time"], 1_150_000)
        self.assertLess(page["request time"], sum(took) * 1e6)
        found = samples(self.ask_socket("count", query="openmetrics").text)
        for outcome, n in (("ok", 14), ("client_error", 6), ("server_error", 5), ("timed_out", 1),
                           ("crashed", 1)):
            self.assertEqual(found[f'fpmd_requests_total{{pool="count",outcome="{outcome}"}}'], n)
        name = 'fpmd_request_duration_seconds_{}{{pool="count"'
        self.assertEqual(found[name.format("count") + "}"], 26)
        self.assertEqual(found[name.format("bucket") + ',le="0.1"}'], durations["100000"])
        self.assertEqual(found[name.format("bucket") + ',le="+Inf"}'], 26)
        self.assertAlmostEqual(found[name.format("sum") + "}"], page["request time"] / 1e6, 5)

    def test_bytes_that_were_sent(self):
        self.status_pool("sent", children=1)
        before = self.json("sent")["bytes sent"]
        sent = sum(len(self.ask("sent", "/load.php", query=f"id=x&size={size}").stdout)
                   for size in (10, 1000, 200_000))
        wait_until(lambda: self.json("sent")["bytes sent"] - before == sent, 10, f"{sent} bytes")

    def test_kept_connections_are_no_active_workers(self):
        self.status_pool("kept", children=2)
        with contextlib.ExitStack() as stack:
            kept = [stack.enter_context(fastcgi.Connection(self.socket("kept"))) for _ in range(12)]
            for turn in range(3):
                for connection in kept:
                    self.assertEqual(connection.request("/hello.php", keep=True).status, 200)
            page = wait_until(lambda: (p := self.json("kept"))["active processes"] == 0 and p, 10,
                              "no active worker")
            self.assertEqual(page["accepted conn"], 36)
            self.assertEqual(page["requests answered"], 36)
            self.assertEqual((page["total processes"], page["listen queue"]), (2, 0))
            self.assertLessEqual(page["max active processes"], 2)

            def many(i):
                for _ in range(20):
                    kept[i].request("/hello.php", keep=True)
            asked = threading.Thread(target=in_parallel, args=(12, many))
            asked.start()
            seen = []
            while asked.is_alive():
                seen.append(self.json("kept", full=False))
            asked.join()
            self.assertTrue(all(p["active processes"] <= p["total processes"] == 2 for p in seen))
            wait_until(lambda: self.json("kept")["requests answered"] == 36 + 240, 10, "276 requests")

    def test_cpu_and_memory_of_workers(self):
        self.status_pool("use", children=2)
        before = self.json("use")
        self.ask("use", "/hello.php")
        self.guest.write("/srv/www/burn.php", "<?php function used() { $r = getrusage();"
                         "return $r['ru_utime.tv_sec'] + $r['ru_utime.tv_usec'] / 1e6; }"
                         "for ($end = used() + 0.3; used() < $end;);")
        self.ask("use", "/burn.php")
        page = self.json("use")
        self.assertGreater(page["cpu time"] - before["cpu time"], 40_000)
        busiest = max(page["processes"], key=lambda p: p["cpu time"])
        self.assertEqual(busiest["request uri"], "/burn.php")
        self.assertGreater(busiest["cpu time"], 40_000)
        self.assertTrue(all(1 << 20 < p["memory"] < 1 << 30 for p in page["processes"]
                            if p["requests"]), page)

    def test_opcache(self):
        self.status_pool("cache", children=1)

        def look():
            self.ask("cache", "/hello.php")
            page = self.json("cache")
            return page if page["opcache scripts"] else None
        page = wait_until(look, 10, "figures of the opcode cache", step=0.2)
        self.assertGreater(page["opcache used"], 1 << 20)
        self.assertGreater(page["opcache free"], 1 << 20)
        self.assertGreater(page["opcache keys"], 0)

    def test_limits_and_sandbox(self):
        self.status_pool("limits", **{"pm.max_requests": 500, "request_terminate_timeout": "30s",
                                      "request_slowlog_timeout": "5s", "pm.max_memory": "256M",
                                      "queue_timeout": "9s", "pm.max_lifetime": "1h"})
        page = wait_until(lambda: (p := self.json("limits"))["state"] == "ready" and p, 10, "ready")
        self.assertEqual({k: page[k] for k in ("max children", "max requests", "terminate timeout",
                                               "slowlog timeout", "max memory", "queue timeout",
                                               "max lifetime")},
                         {"max children": 2, "max requests": 500, "terminate timeout": 30_000_000,
                          "slowlog timeout": 5_000_000, "max memory": 256 << 20,
                          "queue timeout": 9_000_000, "max lifetime": 3_600_000_000})
        self.assertEqual((page["generation"], page["user"]), (1, "site"))
        self.assertIn("no-new-privs capabilities", page["sandbox"])
        found = samples(self.ask_socket("limits", query="openmetrics").text)
        self.assertEqual(found['fpmd_limit_seconds{pool="limits",directive="pm.max_lifetime"}'], 3600)
        self.guest.run("fpmctl", "reload", "limits")
        page = self.json("limits")
        self.assertEqual((page["generation"], page["reloads"]), (2, 1))

    # ---- 3: the queue ----

    def test_fifty_waiting_clients_are_fifty(self):
        self.status_pool("queue", children=1)
        with contextlib.ExitStack() as stack:
            gate = self.close_gate("queue")

            def begin():
                c = stack.enter_context(fastcgi.Connection(self.socket("queue")))
                c.send(fastcgi.begin() + fastcgi.stream(
                    fastcgi.PARAMS, fastcgi.pairs(fastcgi.script_params("/gate.php", **gate)))
                    + fastcgi.stream(fastcgi.STDIN, b""))
                return c
            first = begin()
            wait_until(lambda: self.json("queue")["active processes"] == 1, 10, "the first one runs")
            waiting = [begin() for _ in range(50)]
            page = self.json("queue")
            self.assertEqual(page["listen queue"], 50)
            self.assertEqual(page["max listen queue"], 50)
            self.assertEqual((page["active processes"], page["total processes"]), (1, 1))
            self.assertGreaterEqual(page["listen queue len"], 50)
            found = samples(self.ask_socket("queue", query="openmetrics").text)
            self.assertEqual(found["phpfpm_listen_queue"], 50)
            self.assertEqual(found['fpmd_queue_connections{pool="queue"}'], 50)
            self.assertEqual(self.status("queue")["queued"], 50)
            time.sleep(0.4)
            page = self.json("queue")
            self.assertTrue(300_000 < page["queue wait"] < 30_000_000, page["queue wait"])
            self.assert_valid(self.everything("queue"))
            for connection in waiting:
                connection.close()
            self.open_gate("queue")
            self.assertEqual(first.read_response().status, 200)
        wait_until(lambda: self.json("queue")["listen queue"] == 0, 10, "an empty queue")
        page = self.json("queue")
        self.assertEqual(page["max listen queue"], 50)
        self.assertGreaterEqual(page["max queue wait"], 300_000)

    # ---- 5: hostile texts ----

    def test_hostile_texts(self):
        """Script names, queries, methods, users and request ids of any bytes."""
        self.status_pool("evil", children=len(EVIL) + 1)
        folder = os.fsencode(self.guest.path("/srv/www"))
        self.close_gate("evil")
        running = []
        for text in EVIL:
            name = text.replace(b"/", b"_") + b".php"
            with open(os.path.join(folder, name), "wb") as file:
                file.write(b"<?php while (!file_exists('/srv/www/gates/evil')) usleep(10000);")
            running.append(threading.Thread(target=self.ask, args=("evil", "/hello.php"), kwargs={
                "SCRIPT_FILENAME": b"/srv/www/" + name, "SCRIPT_NAME": b"/" + name,
                "REQUEST_URI": b"/" + name + b"?" + text, "QUERY_STRING": text,
                "REQUEST_METHOD": text[:12], "REQUEST_ID": text,
                "HTTP_AUTHORIZATION": "Basic PHNjcmlwdD4iOng="}))
        for thread in running:
            thread.start()
        # A request counts as active a moment before its script's name is known.
        wait_until(lambda: sum(".php?" in p["request uri"] for p in self.json("evil")["processes"])
                   == len(EVIL), 10, "all run")
        answers = self.everything("evil") + self.everything("evil", full=(True,), ask=self.ask_own)
        html = [ask("evil", query="html&full").text for ask in (self.ask_own, self.ask_socket)]
        status = self.guest.run("fpmctl", "status", "evil", "--full").stdout
        page = self.json("evil")
        self.open_gate("evil")
        for thread in running:
            thread.join()
        self.assert_valid(answers)
        for kind, _, answer in answers:
            self.assertNotRegex(answer.body, rb"[\x00-\x08\x0b-\x1f\x7f]", kind)
            self.assertNotIn(b"\n# TYPE x", answer.body)
        uris = {p["request uri"] for p in page["processes"]}
        self.assertEqual(len([u for u in uris if ".php?" in u]), len(EVIL), uris)
        self.assertIn("/<script>alert(1)<_script>.php?<script>alert(1)</script>", uris)
        self.assertIn("/back\\slash\\.php?back\\slash\\", uris)
        self.assertIn('<script>"', {p["user"] for p in page["processes"]})
        strict = next(a for kind, full, a in answers if kind == "openmetrics strict" and full)
        scripts = {s.labels["script"] for f in families(strict.text)
                   if f.name == "fpmd_worker_info" for s in f.samples}
        self.assertIn("/srv/www/quotes\"'`.php", scripts)
        self.assertIn("/srv/www/\\n\\\"}{=,.php", scripts)
        for text in html:
            self.assertEqual(len(re.findall(r"<script", text)), 1)
            self.assertIn("&lt;script&gt;alert(1)", text)
        self.assertNotRegex(status, r"[\x00-\x09\x0b-\x1f\x7f]")


if __name__ == "__main__":
    main()
