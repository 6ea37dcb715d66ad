"""The status page, the ping and fpm_get_status(): beside those of php-fpm, and what is better here."""

import json
import re
import shutil
import subprocess
import threading
import time
import xml.etree.ElementTree as xml
from html.parser import HTMLParser

import fastcgi
from suite import GuestCase, main, wait_until

# The same pool for both; one worker, so that it is known which one answers.
POOL = """[{name}]
user = site
group = site
listen = {listen}
pm = static
pm.max_children = {children}
pm.status_path = /status
ping.path = /ping
ping.response = "pong, it is"
"""

FORMATS = {"plain": "", "html": "html", "xml": "xml", "json": "json", "openmetrics": "openmetrics"}

# What fpmd shows beyond PHP-FPM follows what PHP-FPM shows, in the pool and in each process. Of each
# layout: what begins with the first one of these, and what it ends before.
OURS = [(r"^state: +(?:starting|waiting|ready|reloading|draining|stopping)\n(?:[^*\n:]+: +.*\n)*", ""),
        (r"^generation: +\d+\n(?:[^*\n:]+: +.*\n)*", ""),
        (r"(?<=</slow-requests>\n)<state>(?s:.)*?</opcache-restarts>\n", ""),
        (r"<generation>(?:(?!<process>).)*</memory>(?=</process>)", ""),
        (r',"state":"[a-z]+","runtime":.*?"opcache restarts":\d+', ""),
        (r',"generation":\d+,"request id":.*?"memory":\d+(?=})', ""),
        (r"^# HELP fpmd_(?s:.)*(?=^# EOF)", "")]

# What differs from one server to the other, or from run to run: in the layouts of the formats.
VARYING = ["pid", "start time", "start since", "request duration", "last request cpu",
           "last request memory"]
# php-fpm knows no queue of unix sockets, and miscounts the active ones now and then.
NOT_KNOWN_TO_PHP_FPM = ["listen queue len", "max active processes"]
METRICS = ["phpfpm_start_since", "phpfpm_listen_queue_length", "phpfpm_max_active_processes"]

# Requests that must be answered alike: name → script and options.
SAME = {
    "head": ("/status", {"method": "HEAD"}),
    "head_json": ("/status", {"method": "HEAD", "query": "json"}),
    "post": ("/status", {"method": "POST", "body": b"full&json", "query": "xml"}),
    "unknown_method": ("/status", {"method": "FROBNICATE"}),
    "two_formats": ("/status", {"query": "openmetrics&json&xml"}),
    "values": ("/status", {"query": "json=0&full="}),
    "unknown_key": ("/status", {"query": "yaml&verbose"}),
    "longer_keys": ("/status", {"query": "jsonp&fuller&xmlns"}),
    "upper_case_key": ("/status", {"query": "JSON"}),
    "path_beside": ("/status/", {}),
    "path_below": ("/status/x", {}),
    "path_longer": ("/status2", {}),
    "path_case": ("/Status", {}),
    "path_info": ("/status", {"path_info": "/x"}),
    "over_a_script": ("/status", {"SCRIPT_FILENAME": "/srv/www/hello.php", "query": "json&full"}),
    "file_of_no_php": ("/status", {"SCRIPT_FILENAME": "/etc/passwd"}),
    "any_file_name": ("/status", {"SCRIPT_FILENAME": "x"}),
    "only_path_translated": ("/status", {"SCRIPT_FILENAME": None, "PATH_TRANSLATED": "/x"}),
    "no_file_name": ("/status", {"SCRIPT_FILENAME": None}),
    "uri_of_the_web_server": ("/hello.php", {"REQUEST_URI": "/status"}),
    "no_method": ("/status", {"SCRIPT_FILENAME": "/srv/www/hello.php", "REQUEST_METHOD": None}),
    "user": ("/status", {"query": "json&full", "HTTP_AUTHORIZATION": "Basic dTxiPiI6eA=="}),
    "ping": ("/ping", {}),
    "ping_head": ("/ping", {"method": "HEAD"}),
    "ping_post": ("/ping", {"method": "POST", "body": b"a=1"}),
    "ping_with_query": ("/ping", {"query": "json&full"}),
}

# Query → what php-fpm shows of it too, in every format; printable.
HOSTILE = ["a=<script>alert('1')</script>", 'a="&amp;&lt;\'', "</td></process>]]>\\\"}]", "a=%00%3C",
           "\u00e9 \u20ac \U0001f600", "<!--", "${x} $(y) `z`", "x" * 300]
# What php-fpm shows raw, or leaves out a text for.
CONTROL = [b"a\nb\r\nc", b"\x01\x1b[31m\x7f", b"\xff\xfe\xc3", b"\xed\xa0\x80\xf5", b"\xc2\x9b1m",
           b"\xe2\x80\xae", b"\xef\xbf\xbf"]

LINES = re.compile(r"^([\w ]+):( *)(.*)$")


class Text(HTMLParser):
    """The texts of a page and the names of its elements."""

    def __init__(self, text):
        super().__init__()
        self.texts, self.names = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def parse_plain(text):
    """The page as a dict, with its processes in "processes"."""
    blocks = text.split("\n************************\n")
    parts = [dict(LINES.fullmatch(line).group(1, 3) for line in block.splitlines())
             for block in blocks]
    return {**parts[0], "processes": parts[1:]}


def parse_xml(text):
    root = xml.fromstring(text)
    page = {e.tag: e.text for e in root if e.tag != "processes"}
    page["processes"] = [{e.tag: e.text for e in process} for process in root.iter("process")]
    return page


def parse_metrics(text):
    """The samples without labels, which are PHP-FPM's."""
    assert text.endswith("\n# EOF\n"), text[-80:]
    return {name: int(value) for name, value in re.findall(r"^(phpfpm_[a-z_]+) (\d+)$", text, re.M)}


def without_ours(body):
    for pattern, rest in OURS:
        body = re.sub(pattern, rest, body, flags=re.M)
    return body


def as_gauges(body):
    """php-fpm's metrics as valid ones: its counters lack the suffix that a counter needs."""
    body = re.sub(r"^(# TYPE \w+) counter$", r"\1 gauge", body, flags=re.M)
    return re.sub(r"^(# TYPE (\w+) \w+\n)(# HELP \2 .*\n)", r"\3\1", body, flags=re.M)


def normalise(body):
    """Replaces what may vary in any of the formats by its name."""
    for name in VARYING + NOT_KNOWN_TO_PHP_FPM:
        tag, value = name.replace(" ", "-"), r"[\w:/+. ]+"
        for pattern in (rf"(^{name}: +){value}$", rf"(<th>{name}</th><td>){value}(?=</td>)",
                        rf"(<{tag}>){value}(?=</{tag}>)", rf'("{name}":)[\d.]+'):
            body = re.sub(pattern, rf"\1({name})", body, flags=re.M)
    for name in METRICS:
        body = re.sub(rf"^({name} )\d+$", rf"\1({name})", body, flags=re.M)
    return body


class Pages(GuestCase):
    nginx = False

    @classmethod
    def prepare(cls, guest):
        guest.path("/etc/systemd/system/php8.2-fpm.service").unlink()
        shutil.rmtree(guest.path("/etc/php/8.2/fpm/pool.d"))
        for name, children in (("one", 1), ("four", 4), ("many", 20)):
            for folder, listen in (("/etc/php/8.2/fpm/pool.d", f"/run/php/{name}.sock"),
                                   ("/etc/fpmd/conf.d", f"/run/fpmd/{name}.sock")):
                guest.write(f"{folder}/{name}.conf",
                            POOL.format(name=name, listen=listen, children=children))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest.systemctl("start", "php8.2-fpm.service", "fpmd@one.socket", "fpmd@four.socket",
                            "fpmd@many.socket")

    def php_fpm(self, name):
        return self.guest.path(f"/run/php/{name}.sock")

    def both(self, name, script, **options):
        """The answers of php-fpm and of fpmd to the same request."""
        return (fastcgi.request(self.php_fpm(name), script, **options),
                self.ask(name, script, **options))

    def fresh(self):
        """Both pools "one" have served nothing."""
        self.guest.systemctl("restart", "php8.2-fpm.service", "fpmd@one.service")

    def page(self, name, query="json&full", script="/status"):
        return json.loads(self.ask(name, script, query=query).text)

    def assert_same(self, theirs, ours):
        self.assertEqual(ours.header_lines, theirs.header_lines)
        self.assertEqual(normalise(without_ours(ours.text)), normalise(theirs.text))
        self.assertEqual(ours.app_status, theirs.app_status)

    # ---- the same as php-fpm ----

    def test_formats(self):
        self.fresh()
        for kind in ("plain", "xml", "json"):
            for full in ("", "&full"):
                theirs, ours = self.both("one", "/status", query=FORMATS[kind] + full)
                self.assert_same(theirs, ours)
                self.assertNotEqual(without_ours(ours.text), ours.text)
                self.assertNotEqual(normalise(ours.text), ours.text)

    def test_metrics(self):
        """What Prometheus asks for has php-fpm's content type; php-fpm sends it to everybody."""
        self.fresh()
        for full in ("", "&full"):
            theirs, ours = self.both("one", "/status", query="openmetrics" + full,
                                     HTTP_ACCEPT="application/openmetrics-text;version=1.0.0")
            self.assertEqual(ours.header_lines, theirs.header_lines)
            self.assertEqual(normalise(without_ours(ours.text)), as_gauges(normalise(theirs.text)))
            self.assertNotEqual(without_ours(ours.text), ours.text)

    def test_the_page_for_people(self):
        """It is another one, with what is on php-fpm's."""
        theirs, ours = self.both("one", "/status", query="html&full")
        self.assertEqual(ours.headers["content-type"], "text/html; charset=utf-8")
        self.assertEqual({k: ours.headers.get(k) for k in ("expires", "cache-control")},
                         {k: theirs.headers.get(k) for k in ("expires", "cache-control")})
        page = " ".join(Text(ours.text).texts)
        for text in ("one", "static", "PHP 8.2", "/status"):
            self.assertIn(text, page)

    def test_what_a_worker_did_last(self):
        self.fresh()
        for script, options in (("/hello.php", {"query": "a=1&b"}),
                                ("/hello.php", {"method": "POST", "body": b"a=12345"}),
                                ("/status-array.php", {"HTTP_AUTHORIZATION": "Basic dTp4"}),
                                ("/missing.php", {"query": "q"}), ("/ping", {})):
            shown = []
            for address in (self.php_fpm("four"), self.socket("four")):
                def look(address=address, script=script):
                    page = json.loads(fastcgi.request(address, "/status", query="json&full").text)
                    return [{k: v for k, v in list(p.items())[:13]
                             if k not in VARYING + ["requests"]}
                            for p in page["processes"] if p["state"] == "Idle"
                            and p["request uri"].startswith(script)]
                shown.append(self.until_last(look, address, script, **options))
            self.assertEqual(len(shown[1]), 1, shown)
            self.assertIn(shown[1][0], shown[0])

    @staticmethod
    def be_last(address, script, **options):
        """One request whose worker is not the one that is asked next: another one was busy, which
        comes earlier, be it the kernel's choice by order or by turns."""
        other = threading.Thread(target=fastcgi.request, args=(address, "/status-array.php"),
                                 kwargs={"query": "sleep=0.3"})
        time.sleep(0.05)  # all are at rest
        other.start()
        time.sleep(0.1)
        fastcgi.request(address, script, **options)
        other.join()
        time.sleep(0.02)

    def until_last(self, look, address, script, **options):
        """What look() sees then. Both go by the clock, which a busy machine does not keep: some times."""
        for _ in range(10):
            self.be_last(address, script, **options)
            if found := look():
                return found
        self.fail(f"{script} is never what a worker did last")

    def test_fpm_get_status(self):
        self.fresh()
        for query in ("", "a=<b>&c=%22"):
            theirs, ours = (json.loads(r.text, object_pairs_hook=list)
                            for r in self.both("one", "/status-array.php", query=query))
            self.assertEqual(self.shape(ours), self.shape(theirs))
            self.assertEqual(self.steady(ours), self.steady(theirs))
        self.assertEqual(dict(ours)["process-manager"], "static")
        self.assertEqual(dict(dict(ours)["procs"][0])["query-string"], query)

    @classmethod
    def shape(cls, value):
        """Keys, their order, and types."""
        if isinstance(value, list):
            return [(item[0], cls.shape(item[1])) if isinstance(item, tuple) else cls.shape(item)
                    for item in value]
        return type(value).__name__

    @classmethod
    def steady(cls, pairs):
        varying = [n.replace(" ", "-") for n in VARYING + NOT_KNOWN_TO_PHP_FPM]
        return [(k, [cls.steady(p) for p in v] if k == "procs" else v) for k, v in pairs
                if k not in varying]

    # ---- hostile texts ----

    def pages_while_running(self, address, queries):
        """Every format's page while requests with these queries run, and the URIs in each."""
        running = [threading.Thread(target=fastcgi.request, args=(address, "/status-array.php"),
                                    kwargs={"QUERY_STRING": query, "HTTP_SLEEP": "5"})
                   for query in queries]
        for thread in running:
            thread.start()

        def look():
            """A request counts as active a moment before its script's name is known."""
            text = fastcgi.request(address, "/status", query="json&full").text
            processes = json.loads(text, strict=False)["processes"]
            return len(processes) == 20 and len(queries) == sum(
                p["state"] == "Running" and p["script"] == "/srv/www/status-array.php" for p in processes)
        wait_until(look, 4, "all run, and the pool has started")
        texts = {f: fastcgi.request(address, "/status", query=q + "&full").body
                 for f, q in FORMATS.items()}
        for thread in running:
            thread.join()
        return texts, self.uris(texts)

    @staticmethod
    def uris(texts):
        """The URIs of the processes that are in all pages."""
        text = {f: t.decode(errors="surrogateescape") for f, t in texts.items()}
        return {"json": [p["request uri"] for p in json.loads(text["json"])["processes"]],
                "xml": [p["request-uri"] for p in parse_xml(texts["xml"])["processes"]]}

    def test_hostile_queries_are_escaped_as_by_php_fpm(self):
        for address in (self.php_fpm("many"), self.socket("many")):
            texts, uris = self.pages_while_running(address, HOSTILE)
            for name in ("/status-array.php?" + query for query in HOSTILE):
                for kind, found in uris.items():
                    self.assertIn(name, found, (address, kind))
                self.assertIn(f"request URI:          {name}\n".encode(), texts["plain"])

    def test_hostile_bytes_break_no_format(self):
        texts, uris = self.pages_while_running(self.socket("many"), CONTROL)
        for text in texts.values():
            self.assertNotRegex(text, rb"[\x00-\x09\x0b-\x1f\x7f]")
            text.decode()
        self.assertEqual(len(parse_plain(texts["plain"].decode())["processes"]), 20)
        parse_metrics(texts["openmetrics"].decode())
        for kind, found in uris.items():
            hidden = [u for u in found if re.fullmatch(r"/status-array\.php\?.*\?.*", u)]
            self.assertEqual(len(hidden), len(CONTROL), (kind, found))

    def test_hostile_names_methods_and_users(self):
        evil = "<b>\"'&\\/"
        evil_user = "Basic PGI+IicmXC86eA=="
        self.guest.write("/srv/www/" + evil.replace("/", "") + ".php", "<?php sleep(5);")
        script = "/" + evil.replace("/", "") + ".php"
        running = threading.Thread(target=self.ask, args=("four", script), kwargs={
            "REQUEST_METHOD": evil, "SCRIPT_NAME": "/" + evil,
            "HTTP_AUTHORIZATION": evil_user})
        running.start()
        # It counts as active, and has a method, a moment before its script's name is known.
        process = wait_until(lambda: next(
            (p for p in self.page("four")["processes"]
             if p["request method"] == evil and p["script"] != "-"), None))
        texts = {f: self.ask("four", "/status", query=q + "&full").text for f, q in FORMATS.items()}
        running.join()
        self.assertEqual(process["request uri"], "/" + evil)
        self.assertEqual(process["user"], evil)
        self.assertEqual(process["script"], "/srv/www" + script)
        self.assertEqual(process["state"], "Running")
        found = next(p for p in parse_xml(texts["xml"])["processes"]
                     if p["request-method"] == evil)
        self.assertEqual((found["user"], found["request-uri"], found["script"]),
                         (evil, "/" + evil, "/srv/www" + script))
        html = Text(texts["html"])
        self.assertEqual(html.names.count("script"), 1)
        self.assertTrue(any(evil in text for text in html.texts))

    def test_xmllint_takes_the_pages(self):
        self.ask("one", "/hello.php", query="<&\x01\"']]>")
        for query in ("xml", "xml&full"):
            text = self.ask("one", "/status", query=query).body
            done = subprocess.run(["xmllint", "--noout", "--nonet", "-"], input=text,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual((done.returncode, done.stdout), (0, b""), text)

    # ---- the figures ----

    def test_counts_are_what_the_clients_did(self):
        self.pool("count", children=3, **{"pm_status_path": "/status", "ping.path": "/ping"})
        for i in range(7):
            self.ask("count", "/hello.php")
            self.assertEqual(self.ask("count", "/ping").text, "pong")
        # A client sees the end a moment before the worker is idle.
        wait_until(lambda: self.status("count")["idle"] == 3, 10, "three idle workers")
        page = self.page("count")
        self.assertEqual(page["accepted conn"], 15)
        self.assertEqual(sum(p["requests"] for p in page["processes"]), 15)
        self.assertEqual((page["active processes"], page["idle processes"],
                          page["total processes"]), (1, 2, 3))
        self.assertEqual([p["state"] for p in page["processes"]].count("Running"), 1)
        metrics = parse_metrics(self.ask("count", "/status", query="openmetrics").text)
        self.assertEqual(metrics["phpfpm_accepted_connections"], 16)
        self.assertEqual(metrics["phpfpm_up"], 1)
        for i in range(12):
            self.assertEqual(self.page("count")["accepted conn"], 17 + i)

    def test_requests_that_run(self):
        self.pool("busy", children=5, pm_status_path="/s")
        running = [threading.Thread(target=self.ask, args=("busy", "/status-array.php"),
                                    kwargs={"query": f"sleep=6&n={i}", "method": "POST",
                                            "body": b"x" * i}) for i in range(1, 4)]
        for thread in running:
            thread.start()

        def look():
            page = self.page("busy", script="/s")
            # The last of a pool that has just started may not have said its pid yet, nor may those that
            # have just begun have a script.
            return page if (page["active processes"], page["idle processes"]) == (4, 1) and all(
                p["script"] != "-" for p in page["processes"] if p["request method"] == "POST") else None
        page = wait_until(look, 5.5, "four that are active, and one that is not")
        self.assertEqual(page["max active processes"], 4)
        busy = {p["request uri"]: p for p in page["processes"] if p["request method"] == "POST"}
        for i in range(1, 4):
            process = busy[f"/status-array.php?sleep=6&n={i}"]
            self.assertEqual(process["content length"], i)
            self.assertEqual(process["state"], "Running")
            self.assertTrue(0 < process["request duration"] < 20_000_000)
            self.assertEqual((process["last request cpu"], process["last request memory"]), (0, 0))
        for thread in running:
            thread.join()
        # A client sees the end a moment before the worker is idle.
        page = wait_until(lambda: (p := self.page("busy", script="/s"))["active processes"] == 1
                          and p, 10, "one that is active")
        self.assertEqual(page["max active processes"], 4)
        # The pages may have been made by one of the three.
        ended = [p for p in page["processes"] if p["request method"] == "POST"]
        self.assertGreaterEqual(len(ended), 2)
        for process in ended:
            self.assertEqual(process["state"], "Idle")
            self.assertTrue(6_000_000 <= process["request duration"] < 20_000_000)
            self.assertGreaterEqual(process["last request memory"], 2 << 20)

    def test_cpu_and_memory_of_the_last_request(self):
        self.pool("cpu", children=2, pm_status_path="/s")
        self.ask("cpu", "/hello.php")
        # By their time of the processor, of which a busy machine gives little in the same time.
        self.guest.write("/srv/www/burn.php", "<?php $x = str_repeat('x', 9 << 20);"
                         "function used() { $r = getrusage();"
                         "return $r['ru_utime.tv_sec'] + $r['ru_stime.tv_sec']"
                         "+ ($r['ru_utime.tv_usec'] + $r['ru_stime.tv_usec']) / 1e6; }"
                         "for ($end = used() + 0.4; used() < $end;);")
        self.guest.write("/srv/www/burn-child.php", "<?php shell_exec("
                         "'sh -c \"ulimit -t 1; while :; do :; done\"');")
        for script, seconds, memory in (("/burn.php", 0.4, 9 << 20), ("/burn-child.php", 1, 2 << 20)):
            process = self.until_last(lambda: next(
                (p for p in self.page("cpu", script="/s")["processes"] if p["request uri"] == script),
                None), self.socket("cpu"), script)
            self.assertLessEqual(process["last request cpu"], 110)
            used = process["last request cpu"] / 100 * process["request duration"] / 1e6
            self.assertTrue(0.8 * seconds <= used <= 1.5 * seconds, process)
            self.assertTrue(memory <= process["last request memory"] < memory + (4 << 20), process)

    def test_a_reload_keeps_the_counts(self):
        self.pool("reload", children=1, pm_status_path="/s")
        for _ in range(3):
            before = self.page("reload", script="/s")
        self.guest.run("fpmctl", "reload", "reload")
        after = self.page("reload", script="/s")
        self.assertEqual(after["accepted conn"], before["accepted conn"] + 1)
        self.assertEqual(after["start time"], before["start time"])
        self.assertNotIn(before["processes"][0]["pid"],
                         [p["pid"] for p in after["processes"] if p["state"] == "Running"])

    def test_local_time(self):
        self.guest.run("ln", "-sf", "/usr/share/zoneinfo/Asia/Kolkata", "/etc/localtime")
        self.addCleanup(self.guest.run, "ln", "-sf", "/usr/share/zoneinfo/UTC", "/etc/localtime")
        self.pool("zone", children=1, pm_status_path="/s")
        text = parse_plain(self.ask("zone", "/s").text)["start time"]
        self.assertRegex(text, r"^\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0530$")
        there = time.mktime(time.strptime(text, "%d/%b/%Y:%H:%M:%S %z"))
        self.assertLess(abs(self.page("zone", script="/s")["start time"]
                            - time.time()), 60, there)

    # ---- configuration ----

    def test_without_the_directives_there_are_no_pages(self):
        self.pool("none")
        for script in ("/status", "/ping", "/"):
            self.assertEqual(self.ask("none", script).status, 404)
        # The first worker answers while the second is being started.
        array = wait_until(lambda: (a := json.loads(self.ask("none", "/status-array.php").text))
                           and len(a["procs"]) == 2 and a, 10, "both workers in the array")
        self.assertEqual(array["pool"], "none")

    def test_keys_are_whole_words(self):
        """php-fpm before 8.4 takes the beginning of a word for it."""
        for query in ("j", "f", "x&f"):
            theirs, ours = self.both("one", "/status", query=query)
            self.assertTrue(ours.text.startswith("pool: "), query)
            self.assertNotIn("\npid:", ours.text)
            self.assertNotEqual(normalise(ours.text), normalise(theirs.text), query)

    # ---- no manager, a slow manager ----

    def test_a_manager_that_does_not_answer(self):
        self.pool("hangs", children=2, pm_status_path="/s", **{"ping.path": "/p"})
        self.ask("hangs", "/p")
        self.start_porter("hangs")
        manager = self.guest.properties("fpmd@hangs.service", "MainPID")["MainPID"]
        self.guest.run("kill", "-STOP", manager)
        try:
            answer = self.ask("hangs", "/s", query="json")
            self.assertEqual(answer.status, 500)
            self.assertEqual(answer.body, b"Internal error. Please review log file for errors.")
            self.assertEqual(answer.headers["content-type"], "text/plain;charset=UTF-8")
            self.assertEqual(answer.headers["expires"], "Thu, 01 Jan 1970 00:00:00 GMT")
            self.assertEqual(self.ask("hangs", "/status-array.php").text, "false")
            self.assertEqual(self.ask("hangs", "/p").text, "pong")
        finally:
            self.guest.run("kill", "-CONT", manager)
        self.wait_record(POOL="hangs", PRIORITY="3",
                         where=lambda r: "status page" in r["MESSAGE"])
        self.assertEqual(self.page("hangs", script="/s")["pool"], "hangs")

    def test_no_manager(self):
        self.pool("orphan", children=1)
        self.ask("orphan", "/hello.php")
        manager = self.guest.properties("fpmd@orphan.service", "MainPID")["MainPID"]
        answers = []
        running = threading.Thread(target=lambda: answers.append(
            self.ask("orphan", "/status-array.php", query="sleep=3")))
        running.start()
        self.wait_running("orphan", "/status-array.php")
        self.guest.run("kill", "-KILL", manager)
        running.join()
        self.assertEqual(answers[0].text, "false")


def same(script, options):
    def test(self):
        self.assert_same(*self.both("one", script, **options))
    return test


for _name, (_script, _options) in SAME.items():
    setattr(Pages, f"test_same_{_name}", same(_script, _options))


class StatusSocket(GuestCase):
    """pm.status_listen: a socket of its own, on which only the pages are answered."""

    nginx = False

    def status_pool(self, name, **settings):
        self.pool(name, start=False, **{"pm.status_listen": f"/run/fpmd/{name}.status.sock",
                                        **settings})
        self.addCleanup(self.guest.systemctl, "stop", f"fpmd-status@{name}.socket", check=False)
        self.guest.systemctl("start", f"fpmd@{name}.socket", f"fpmd-status@{name}.socket")

    def ask_socket(self, name, script, **options):
        return fastcgi.request(self.guest.path(f"/run/fpmd/{name}.status.sock"), script, **options)

    def test_only_the_pages(self):
        self.status_pool("pages", **{"pm_status_path": "/status", "ping.path": "/ping"})
        self.assertEqual(self.ask_socket("pages", "/ping").text, "pong")
        self.assertEqual(json.loads(self.ask_socket("pages", "/status", query="json").text)["pool"],
                         "pages")
        for script in ("/hello.php", "/", "/status-array.php", "/status/"):
            answer = self.ask_socket("pages", script)
            self.assertEqual((answer.status, answer.body), (404, b"File not found.\n"), script)
        self.assertEqual(self.ask("pages", "/hello.php").text, "Hello World\n")
        self.assertEqual(self.ask("pages", "/ping").text, "pong")

    def test_it_answers_while_all_workers_are_busy(self):
        self.status_pool("full", children=2, **{"pm_status_path": "/status"})
        running = [threading.Thread(target=self.ask, args=("full", "/status-array.php"),
                                    kwargs={"query": "sleep=5"}) for _ in range(2)]
        for thread in running:
            thread.start()
        page = wait_until(lambda: (p := json.loads(
            self.ask_socket("full", "/status", query="json&full").text))["active processes"] == 2
            and all(one["script"] != "-" for one in p["processes"]) and p, 4.5, "both are active")
        # Those who answer here are no part of the pool.
        self.assertEqual((page["idle processes"], page["total processes"]), (0, 2))
        self.assertEqual({p["request uri"] for p in page["processes"]},
                         {"/status-array.php?sleep=5"})
        self.assertEqual(page["accepted conn"], 2)
        for thread in running:
            thread.join()

    def test_the_path_is_the_root_when_none_is_given(self):
        self.status_pool("root")
        self.assertIn("pool:                 root\n", self.ask_socket("root", "/").text)
        self.assertEqual(self.ask_socket("root", "/status").status, 404)


if __name__ == "__main__":
    main()
