"""The status page for people, in headless Chromium behind nginx with a Content-Security-Policy of its own.

With FPMD_SCREENSHOTS=FOLDER in the environment it leaves its pictures there; those in docs/ are made so.
"""

import contextlib
import html
import math
import os
import pathlib
import re
import signal
import struct
import time

import fastcgi
from browser import Browser
from suite import GuestCase, inner_pid, load, main, wait_until

# How an administrator would: the policy of the site comes on top of the page's own.
NGINX = """
server {
    listen 127.0.0.1:88;
    add_header Content-Security-Policy "default-src 'self'" always;
    location = /favicon.ico { return 204; }
    fastcgi_param QUERY_STRING $query_string;
    fastcgi_param REQUEST_METHOD $request_method;
    fastcgi_param REQUEST_URI $request_uri;
    fastcgi_param SCRIPT_NAME /status;
    fastcgi_param SCRIPT_FILENAME /status;
    location = /watch/pool { fastcgi_pass unix:/run/fpmd/shown.status.sock; }
    location = /bare { fastcgi_pass unix:/run/fpmd/bare.sock; }
}
"""
WATCH, BARE = "http://127.0.0.1:88/watch/pool?html", "http://127.0.0.1:88/bare?html"

# src/status/history.h
HISTORY_HEAD = struct.Struct("=IIII")
HISTORY_SAMPLE = struct.Struct("=QQQQIIIIIIII")
SAMPLES = 360

# The least contrast of a text with what is behind it (WCAG 2.1, 1.4.3), and the text.
CONTRAST = """
const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return [m[0], m[1], m[2], m[3] ?? 1]; };
const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b; };
const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
  if (c[3] === 1) return c; } return [255, 255, 255, 1]; };
let least = [99, ''];
for (const e of document.querySelectorAll('body *')) {
  const own = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join('');
  if (!own || !e.getClientRects().length) continue;
  const style = getComputedStyle(e), svg = e.namespaceURI.endsWith('svg');
  const pair = [light(parse(svg ? style.fill : style.color)), light(behind(e))].sort((a, b) => b - a);
  const ratio = (pair[0] + .05) / (pair[1] + .05);
  if (ratio < least[0]) least = [ratio, own];
}
return least;
"""


def fake_hour(now):
    """A day's wave with a rush in it, as the porter would have written it."""
    samples = []
    for i in range(SAMPLES):
        rush = 210 <= i < 232
        wave = math.sin(i / 40)
        noise = (i * 7919 % 101) / 100
        requests = int(600 + 250 * wave + 120 * noise + 500 * rush)
        samples.append(HISTORY_SAMPLE.pack(
            int(now) - (SAMPLES - 1 - i) * 10, 10_000_000, requests,
            int(40 * noise) if rush else int(noise > 0.97), 8 if rush else int(4 + 2 * wave + noise),
            0 if rush else 2, int(30 * noise) if rush else 0, 8, int(9000 + 2000 * noise + 30000 * rush),
            int(30000 + 9000 * noise + 200000 * rush), int(80000 + 30000 * noise + 350000 * rush), 0))
    return HISTORY_HEAD.pack(1, SAMPLES, 0, 2) + b"".join(samples)


class Dashboard(GuestCase):
    @classmethod
    def prepare(cls, guest):
        guest.write("/etc/nginx/tests.d/dashboard.conf", NGINX)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = cls.enterClassContext(Browser(cls.guest))
        cls.browser.resize(1360, 900)

    @classmethod
    def tearDownClass(cls):
        cls.doClassCleanups()  # the browser is in the guest's network
        super().tearDownClass()

    def setUp(self):
        super().setUp()
        paths = {"pm.status_path": "/status"}
        self.addCleanup(self.guest.systemctl, "stop", "fpmd-status@shown.socket", check=False)
        self.pool("shown", children=8, pm="dynamic", start=False, pm_start_servers=4,
                  pm_min_spare_servers=2, pm_max_spare_servers=4, request_slowlog_timeout="5s",
                  **paths)
        self.guest.systemctl("start", "fpmd@shown.socket", "fpmd-status@shown.socket")
        self.assertEqual(self.ask("shown", "/hello.php").status, 200)
        wait_until(lambda: (s := self.status("shown"))["state"] == "ready" and s["idle"] >= 4, 10,
                   "the pool has its first workers")

    # ---- tools ----

    def open(self, url=WATCH):
        self.browser.console()
        self.browser.open(url)

    def js(self, expression):
        return self.browser.run(f"return {expression}")

    def wait_js(self, expression, timeout=8):
        return wait_until(lambda: self.js(expression), timeout, expression, step=0.1)

    def refresh(self):
        """What the timer does every few seconds."""
        before = self.js("document.getElementById('data')") and self.js(
            "document.getElementById('when').textContent")
        self.browser.run("document.getElementById('pause').click()")
        self.browser.run("document.getElementById('pause').click()")
        return before

    def tile(self, label):
        return self.js("[...document.querySelectorAll('.tile')].find(t => t.querySelector('h2')"
                       f".textContent === '{label}').querySelector('p').textContent")

    def picture(self, name, **options):
        folder = os.environ.get("FPMD_SCREENSHOTS")
        if folder:
            self.browser.screenshot(pathlib.Path(folder) / f"{name}.png", **options)

    def write_history(self, data):
        """Into the memory that the manager has made for the porter."""
        manager = self.pids("shown")[0]
        for fd in pathlib.Path(f"/proc/{manager}/fd").iterdir():
            if "fpmd-history" in os.readlink(fd):
                with open(fd, "r+b", buffering=0) as file:
                    file.write(data)
                return
        self.fail("the manager has no history")

    @contextlib.contextmanager
    def scripts_running(self, *uris):
        """Workers at work, each with another request."""
        with contextlib.ExitStack() as stack:
            for uri, script in uris:
                connection = stack.enter_context(fastcgi.Connection(self.socket("shown")))
                parameters = {**fastcgi.script_params("/wait.php", query="ms=60000"),
                              "REQUEST_URI": uri, "SCRIPT_NAME": script}
                connection.send(fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, fastcgi.pairs(
                    parameters)) + fastcgi.stream(fastcgi.STDIN, b""))
            wait_until(lambda: self.status("shown")["active"] == len(uris), 5, "all run")
            try:
                yield
            finally:  # nobody waits for their end
                for pid in self.pids("shown")[2]:
                    with contextlib.suppress(ProcessLookupError):  # it has left meanwhile
                        os.kill(pid, signal.SIGKILL)

    def shop(self):
        return self.scripts_running(("/shop/cart?add=4711&quantity=2", "/index.php"),
                                    ("/api/v1/orders?q=%22blue%22&page=2&include=lines", "/index.php"),
                                    ("/report.php?month=11", "/report.php"))

    # ---- cases ----

    def test_the_page(self):
        self.write_history(fake_hour(time.time()))
        with self.shop(), load(self.socket("shown"), "/srv/www/hello.php", clients=1, seconds=2.5,
                               pause=(0.002, 0.02)):
            time.sleep(1.2)  # so that there is a rate
            self.open()
            self.wait_js("document.querySelectorAll('.plot path.line').length >= 9")
            pid = self.js("document.querySelector('#workers td:nth-child(2)').textContent")
            self.assertIn(int(pid), [w["pid"] for w in self.status("shown")["workers"]])
            workers = self.js("document.getElementById('workers').innerText")
            for text in ("/shop/cart?add=4711&quantity=2", "/report.php?month=11", "running"):
                self.assertIn(text, workers)
            self.assertRegex(self.tile("Active workers"), r"^[34] / 8$")
            self.assertEqual(self.js("document.getElementById('past').open"), False)
            for scheme in ("light", "dark"):
                self.browser.scheme(scheme)
                ratio, text = self.browser.run(CONTRAST)
                self.assertGreaterEqual(ratio, 4.5, (scheme, text))
                self.picture(f"dashboard-{scheme}")
            self.browser.scheme("light")
            self.check_charts()
            self.check_phone()
        self.assertEqual(self.browser.console(), [])

    def check_charts(self):
        """Curves inside of their frames, scales with round numbers, an hour of times."""
        for name, top in (("requests", 150), ("workers", 8), ("queue", 30), ("latency", 500)):
            plot = f"document.querySelector('[data-chart={name}] .plot')"
            scale = self.js(f"[...{plot}.querySelectorAll('.y')].map(t => t.textContent)")
            self.assertEqual(scale[0], "0")
            self.assertGreaterEqual(float(scale[-1].split()[0]), top * 0.6, (name, scale))
            self.assertLessEqual(float(scale[-1].split()[0]), top * 2, (name, scale))
            times = self.js(f"[...{plot}.querySelectorAll('.x')].map(t => t.textContent)")
            self.assertTrue(4 <= len(times) <= 12 and all(re.match(r"\d\d:\d\d$", t) for t in times),
                            times)
            line = self.js(f"{plot}.querySelector('path.line:last-of-type').getAttribute('d')")
            points = [tuple(map(float, p.split(","))) for p in re.split("[ML]", line)[1:]]
            self.assertGreater(len(points), SAMPLES - 5)
            width, height = self.js(f"[{plot}.clientWidth, {plot}.clientHeight]")
            self.assertTrue(all(50 <= x <= width and 0 <= y <= height for x, y in points))
        # In one step: the page draws anew when its time has come.
        cursors, legend = self.browser.run("""
            const plot = document.querySelector('[data-chart=requests] .plot'), r = plot.getBoundingClientRect();
            plot.dispatchEvent(new PointerEvent('pointermove', {clientX: r.left + r.width / 2, clientY: r.top}));
            return [document.querySelectorAll('.cursor').length,
                    document.querySelector('[data-chart=latency] .legend').innerText]""")
        self.assertEqual(cursors, 4)
        self.assertRegex(legend, r"\d\d:\d\d:\d\d\s+p50 [\d.]+ ms\s+p95 [\d.]+ ms\s+p99 [\d.]+ ms")
        self.browser.run("document.querySelector('[data-chart=requests] .plot')"
                         ".dispatchEvent(new PointerEvent('pointerleave'))")
        self.assertEqual(self.js("document.querySelectorAll('.cursor').length"), 0)

    def check_phone(self):
        self.browser.resize(390, 844, mobile=True)
        try:
            self.open()
            self.wait_js("document.querySelectorAll('.plot path.line').length >= 9")
            self.assertLessEqual(self.js("document.documentElement.scrollWidth"), 390)
            self.assertEqual(self.js("[...document.querySelectorAll('body *')].filter(e => "
                                     "e.getBoundingClientRect().right > 390.5).length"), 0)
            self.assertGreaterEqual(self.js("document.getElementById('pause').offsetHeight"), 30)
            self.picture("dashboard-phone", most=2200)
        finally:
            self.browser.resize(1360, 900)

    def test_it_refreshes_itself_where_the_reader_is(self):
        self.open(WATCH + "&full")
        self.browser.run("window.mark = 1; scrollTo(0, 400)")
        self.assertEqual(self.js("scrollY"), 400)
        requests = int(self.js("document.querySelector('.tile small').textContent").split()[0])
        for _ in range(20):
            self.ask("shown", "/hello.php")
        self.wait_js("parseInt(document.querySelector('.tile small').textContent) >= "
                     f"{requests + 20}", timeout=20)  # by its own timer
        self.assertEqual(self.js("[window.mark, scrollY]"), [1, 400])
        wait_until(lambda: self.js("document.querySelectorAll('#workers tr').length") ==
                   len(self.status("shown")["workers"]), 20, "a row for each worker", step=0.1)
        self.browser.run("document.getElementById('pause').click()")
        self.wait_js("document.getElementById('when').textContent.includes('Paused')")
        self.assertEqual(self.browser.console(), [])

    def test_the_charts_begin_with_the_page_where_there_is_no_history(self):
        self.pool("bare", **{"pm.status_path": "/status"})
        self.open(BARE)
        self.assertEqual(self.js("document.querySelectorAll('text.empty').length"), 4)
        self.assertFalse(self.js("document.getElementById('past')"))
        for n in range(3):
            time.sleep(0.6)
            self.refresh()
            self.wait_js(f"document.querySelectorAll('path.line').length > {0 if n > 1 else -1}")
        self.assertEqual(self.js("document.querySelectorAll('text.empty').length"), 0)

        # Between two looks that are far apart on a busy machine there would be less than one in a second.
        def rate():
            for _ in range(10):
                self.ask("bare", "/hello.php")
            self.refresh()
            time.sleep(0.3)
            return re.match(r"\s?[1-9]", self.js(
                "document.querySelector('[data-chart=requests] .legend b').innerText"))
        wait_until(rate, 10, "requests in a second")
        self.assertEqual(self.browser.console(), [])

    def test_without_scripts(self):
        self.write_history(fake_hour(time.time()))
        self.browser.scripts(False)
        try:
            self.open()
            text = self.browser.protocol("Runtime.evaluate", expression="document.body.innerText",
                                         returnByValue=True)["result"]["value"]
        finally:
            self.browser.scripts(True)
        for word in ("shown", "ready", "Requests per second", "The last hour in figures", "p95",
                     "pm.max_children", "PHP 8.2"):
            self.assertIn(word, text)
        self.assertGreaterEqual(len(re.findall(r"(?m)^\d\d:\d\d\t", text)), 11)
        self.assertNotIn("Pause", text)

    def test_hostile_texts_are_inert(self):
        evil = ("/\"'><script>window.pwned=1</script><img src=x onerror=window.pwned=1>"
                "</tbody>&lt;\x1b\x01\u202e")
        with self.scripts_running((evil.encode() + b"\xff", b"/<b onclick=alert(1)>.php")):
            self.open(WATCH + "&full")
            for _ in range(2):  # as it came, and as the script has taken it over
                self.assertIn(evil[:evil.index("\x1b")],
                              self.js("document.getElementById('workers').innerText"))
                self.assertEqual(self.js("[window.pwned ?? 0, document.images.length, "
                                         "document.scripts.length, document.querySelectorAll("
                                         "'[onclick], [onerror], [style]').length]"), [0, 0, 1, 0])
                self.browser.run("document.getElementById('workers').replaceChildren()")
                self.refresh()
                self.wait_js("document.querySelectorAll('#workers tr').length > 0")
        self.assertEqual(self.browser.console(), [])

    def test_it_tells_when_it_is_not_fresh(self):
        self.open()
        manager = self.pids("shown")[0]
        os.kill(manager, signal.SIGSTOP)
        try:
            self.refresh()
            self.wait_js("!document.getElementById('stale').hidden")
            self.assertRegex(self.js("document.getElementById('stale').textContent"),
                             r"The manager of the pool does not answer\. .* \d\d:\d\d:\d\d\.")
        finally:
            os.kill(manager, signal.SIGCONT)
        self.refresh()
        self.wait_js("document.getElementById('stale').hidden")
        self.guest.systemctl("stop", "fpmd@shown.socket", "fpmd-status@shown.socket",
                             "fpmd@shown.service")
        self.refresh()
        # A look of its own may have come while the units were being stopped.
        wait_until(lambda: re.search(
            r"Not refreshed since \d\d:\d\d:\d\d: the server says 502\. Trying again\.",
            self.js("document.getElementById('stale').textContent")), 20, "what the server says", step=0.1)
        self.assertFalse(self.js("document.getElementById('stale').hidden"))
        self.assertTrue(self.js("document.querySelectorAll('.tile').length"))

    def test_it_is_small_and_takes_nothing_from_elsewhere(self):
        self.write_history(fake_hour(time.time()))
        with self.shop():
            page = self.http("/watch/pool?html&full", port=88)
        policies = page.headers.get_all("Content-Security-Policy")
        self.assertIn("default-src 'self'", policies)
        self.assertTrue(any("default-src 'none'" in p for p in policies), policies)
        size = len(page.data)
        text = page.data.decode()
        links = [html.unescape(l) for l in re.findall(r'(?:href|src)="([^"]*)"', text)]
        self.assertTrue(links and all(l.startswith("?") for l in links), links)
        for asset, kind in (("style", "text/css"), ("script", "text/javascript")):
            link = next(l for l in links if l.startswith(f"?{asset}="))
            answer = self.http("/watch/pool" + link, port=88)
            self.assertEqual((answer.status, answer.headers["Content-Type"].split(";")[0]),
                             (200, kind))
            self.assertNotRegex(answer.data.decode(), r"https?://(?!www\.w3\.org/2000/svg)|url\(")
            size += len(answer.data)
        self.assertLess(size, 60_000)

    def test_in_a_terminal(self):
        """fpmctl top shows the same."""
        with self.shop(), load(self.socket("shown"), "/srv/www/hello.php", clients=1, seconds=4,
                               pause=(0.002, 0.02)):
            self.guest.run("tmux", "-L", "picture", "-f", "/dev/null", "new-session", "-d", "-x", "150",
                           "-y", "18", "env LC_ALL=C.UTF-8 TERM=xterm-256color fpmctl top")
            self.addCleanup(self.guest.run, "tmux", "-L", "picture", "kill-server", check=False)

            def screen():
                text = self.guest.run("tmux", "-L", "picture", "capture-pane", "-e", "-N", "-p").stdout
                return text if "/report.php?month=11" in text else None

            wait_until(screen, 10, "the screen")
            time.sleep(2.2)  # a rate and a share of the processor need two looks
            text = wait_until(screen, 10, "the screen")
            manager = self.pids("shown")[0]
            self.assertTrue(inner_pid(manager))
            self.open()
            shown = self.js("[...document.querySelectorAll('#workers td:nth-child(2)')]"
                            ".map(e => e.textContent)")
            self.assertGreaterEqual(len(shown), 3)
            for pid in shown[:3]:
                self.assertIn(pid, text)
        self.browser.open("about:blank")
        self.browser.run("document.body.innerHTML = arguments[0]; document.body.style = "
                         "'margin: 16px; background: #11141a; width: max-content'", terminal(text))
        self.picture("top", fit=True)


COLOURS = {30: "#5a6270", 31: "#ff7b80", 32: "#4cc38a", 33: "#e5ad4b", 34: "#6ea8ff", 35: "#c39bff",
           36: "#5ccfe6", 37: "#e7eaf0"}


def terminal(text):
    """What tmux has captured, as HTML."""
    out, style = [], {}
    for part in re.split(r"(\x1b\[[\d;]*m)", text.rstrip("\n")):
        if not part.startswith("\x1b"):
            css = dict(style)
            if css.pop("reverse", None):
                css["background"] = css.get("color", "#e7eaf0")
                css["color"] = "#11141a"
            words = "; ".join(f"{k}: {v}" for k, v in css.items())
            out.append(f'<span style="{words}">{html.escape(part)}</span>')
            continue
        for code in (int(c or 0) for c in part[2:-1].split(";")):
            if code == 0:
                style = {}
            elif code == 1:
                style["font-weight"] = "bold"
            elif code == 2:
                style["opacity"] = ".7"
            elif code == 7:
                style["reverse"] = True
            elif code in COLOURS:
                style["color"] = COLOURS[code]
            elif code == 39:
                style.pop("color", None)
    return ("<pre style=\"margin: 0; color: #e7eaf0; font: 14px/1.35 'DejaVu Sans Mono', monospace\">"
            f"{''.join(out)}</pre>")


if __name__ == "__main__":
    main()
