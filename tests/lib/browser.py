"""Headless Chromium, driven through chromedriver's HTTP interface (W3C WebDriver), in a guest's network."""

import base64
import contextlib
import http.client
import json
import shutil
import signal
import subprocess
import tempfile
import time


class BrowserError(Exception):
    pass


class Browser:
    """with Browser(guest) as browser: … the browser sees the network of the guest (None: ours)."""

    PORT = 9515

    def __init__(self, guest=None, port=PORT):
        self._guest, self._port = guest, port
        self._driver = self._session = self._folder = None

    def __enter__(self):
        self._folder = tempfile.mkdtemp(prefix="fpmd-browser.")
        enter = ["nsenter", f"--net=/proc/{self._guest.pid}/ns/net", "--"] if self._guest else []
        self._driver = subprocess.Popen([*enter, "chromedriver", f"--port={self._port}"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            self._wait_for_driver()
            options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu",
                                "--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en",
                                "--no-proxy-server", "--disable-background-networking",
                                f"--user-data-dir={self._folder}", "--window-size=1360,900"]}
            answer = self._call("POST", "", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL"}}}}, timeout=60)
            self._session = answer["sessionId"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._session:
            with contextlib.suppress(Exception):
                self._call("DELETE", "")
        self._driver.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._driver.wait(10)
        if self._driver.poll() is None:
            self._driver.kill()
            self._driver.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._session = None

    def _wait_for_driver(self):
        end = time.monotonic() + 20
        while True:
            try:
                return self._request("GET", "/status", None, 5)
            except OSError:
                if time.monotonic() > end or self._driver.poll() is not None:
                    raise
                time.sleep(0.05)

    def _request(self, method, path, body, timeout):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
        with self._guest.network() if self._guest else contextlib.nullcontext():
            connection.connect()
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and value.get("error"):
            raise BrowserError(f"{value['error']}: {value.get('message', '')}")
        return value

    def _call(self, method, path, body=None, timeout=30):
        session = f"/session/{self._session}" if self._session else "/session"
        return self._request(method, session + path, body, timeout)

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """The value of a function body in the page."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def protocol(self, command, **parameters):
        """A command of the DevTools protocol."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def console(self):
        """Messages of the console since the last call: errors of scripts, violations of policies."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def resize(self, width, height, mobile=False):
        self.protocol("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=2 if mobile else 1, mobile=mobile)

    def scheme(self, name):
        """"light" or "dark"."""
        self.protocol("Emulation.setEmulatedMedia",
                      features=[{"name": "prefers-color-scheme", "value": name}])

    def scripts(self, enabled):
        self.protocol("Emulation.setScriptExecutionDisabled", value=not enabled)

    def screenshot(self, path, most=4000, fit=False):
        """A picture of the page, below the window too; fit: no larger than its first element."""
        size = self.protocol("Page.getLayoutMetrics")["cssContentSize"]
        if fit:
            size = self.run("const r = document.body.firstElementChild.getBoundingClientRect(); "
                            "return {width: r.right + r.left, height: r.bottom + r.top}")
        data = self.protocol("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                             clip={"x": 0, "y": 0, "width": size["width"],
                                   "height": min(size["height"], most), "scale": 1})["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
