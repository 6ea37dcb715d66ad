"""The frame of the system tests: each file has classes of cases that share one booted guest.

    class Activation(GuestCase):
        def test_the_first_request_starts_the_pool(self): …

    if __name__ == "__main__":
        main()

A failed case prints its reason and the end of the guest's journal. The last line of a file's output
is "N passed, N failed, N skipped".
"""

import contextlib
import ctypes
import fnmatch
import functools
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unittest

import fastcgi
import guest as guest_module
from guest import Guest, GuestError, isolate, wait_until  # noqa: F401  (for the test files)

# Patterns of cases ("topic.case name") that may be skipped where CI=true, and why.
CI_MAY_SKIP = [
    "cgroups.*",  # cgroups of version 2 without pids and memory, which those of version 1 have there
] if os.environ.get("FPMD_TEST_IN_VM") != "1" else []  # of the machine of tests/ondemand/vm.py all is known

# Patterns of cases that say nothing in a guest with sanitizers, and why.
NOT_SANITIZED = {
    "confinement.the_exposure_score_*": "the unit grants ptrace",
    "identity.the_exposure_score_*": "the unit grants ptrace",
    "activation.the_manager_is_small_*": "sanitizers are large",
    "porter.it_is_small": "sanitizers are large",
    "porter.the_porter_can_do_nothing_else": "the porter has the descriptor for reports",
}


class GuestCase(unittest.TestCase):
    """Cases that share a guest. Set nginx or prepare in the class to change how it is made."""

    nginx = True
    guest = None
    maxDiff = None

    @classmethod
    def prepare(cls, guest):
        """Changes files of the guest before it boots."""

    @classmethod
    def setUpClass(cls):
        cls.guest = Guest(nginx=cls.nginx, prepare=cls.prepare)
        cls.guest.__enter__()

    @classmethod
    def tearDownClass(cls):
        if cls.guest:
            cls.guest.__exit__(None, None, None)

    def setUp(self):
        self.since = time.time()
        self.addCleanup(self._look_for_sanitizer_reports)  # after the other cleanups

    def _look_for_sanitizer_reports(self):
        report = self.guest.take_sanitizer_reports() if self.guest else ""
        if report:
            self.fail(f"a sanitizer has reported:\n{report}")

    # ---- pools ----

    def pool(self, name, user="site", listen=None, pm="static", children=2, section=None, start=True,
             **settings):
        """Writes a pool file, starts the pool's socket and removes both after the case.

        A setting key__a__b=value means key[a.b] = value.
        """
        write_pool(self.guest, name, user=user, pm=pm, children=children, listen=listen,
                   section=section, **settings)
        self.addCleanup(self._remove_pool, name)
        if start:
            self.guest.systemctl("start", f"fpmd@{name}.socket")

    def _remove_pool(self, name):
        self.guest.systemctl("stop", f"fpmd@{name}.socket", f"fpmd@{name}.service", check=False)
        self.guest.path(f"/etc/fpmd/conf.d/{name}.conf").unlink(missing_ok=True)

    def socket(self, name):
        """The path, as the test sees it, of a pool's socket."""
        return self.guest.path(f"/run/fpmd/{name}.sock")

    def ask(self, name, script, **options):
        """One FastCGI request to a pool, without a web server."""
        return fastcgi.request(self.socket(name), script, **options)

    def status(self, name):
        """What `fpmctl status NAME --full -o json` says."""
        return json.loads(self.guest.run("fpmctl", "status", name, "--full", "-o", "json").stdout)

    def runtime(self):
        """The program that templates and workers are, as the guest names it."""
        link, program = "/usr/libexec/fpmd/fpmd-php8.2.program", "/usr/libexec/fpmd/php8.2"
        return os.readlink(self.guest.path(link)) if self.guest.path(link).is_symlink() else program

    def pids(self, name):
        """Processes of a pool as (manager, templates, workers), as the machine numbers them. A worker that
        its manager does not know yet, though it may serve, is younger than its template, and waited for."""
        end = time.monotonic() + 2 * guest_module.PATIENCE
        while True:
            found, strangers = self._look_for_pids(name)
            if not strangers or time.monotonic() > end:
                return found
            time.sleep(0.05)

    def _look_for_pids(self, name):
        unit = f"fpmd@{name}.service"
        everything = self.guest.processes(unit)
        main = int(self.guest.properties(unit, "MainPID")["MainPID"])
        manager = [p for p in everything if inner_pid(p) == main]
        status = self.status(name) if manager else {"workers": []}
        workers = {int(w["pid"]) for w in status["workers"]}
        runtime = [p for p in everything if p not in manager and executable(p).startswith("php")]
        others = {p: inner_pid(p) for p in runtime if inner_pid(p) not in workers}
        template = [p for p, inner in others.items() if inner == status.get("template_pid")]
        strangers = [p for p in others if template and started(p) > started(template[0])]
        return (manager[0] if manager else None, list(others),
                [p for p in runtime if inner_pid(p) in workers]), strangers

    def full(self, name, workers=2):
        """pids() as soon as a pool has one template and so many workers that serve: the first one answers
        while others are being forked, and before the manager may have heard of it."""
        def look():
            status, found = self.status(name), self.pids(name)
            return (status["idle"] + status["active"] == len(status["workers"]) == workers
                    and (len(found[1]), len(found[2])) == (1, workers) and found)
        return wait_until(look, 10, f"{workers} workers of {name} and their template")

    def start_porter(self, name):
        """The manager starts it when a connection is first parked, which any client can cause that says
        nothing for two milliseconds: before a manager is stopped, or the pool's processes are counted."""
        with fastcgi.Connection(self.socket(name)):
            wait_until(lambda: self.status(name)["connections_parked"] >= 1, 10, "the porter holds it")
        wait_until(lambda: self.status(name)["connections_parked"] == 0, 10, "the porter is at rest")

    def serving(self, name):
        """Starts a pool by a request and waits until systemd knows: a unit whose first answer is there may
        still be activating, and then nothing of it is reloaded, restarted or compared."""
        self.assertEqual(self.ask(name, "/hello.php").text, "Hello World\n")
        wait_until(lambda: self.guest.properties(f"fpmd@{name}.service", "ActiveState")["ActiveState"]
                   == "active", 10, f"{name} has started")

    def settled(self, name):
        """Waits until only workers of the newest generation are left: after a reload one of before may
        still take a request."""
        def look():
            status = self.status(name)
            return not status["other_generations"] and status["draining"] == 0 and \
                {w["generation"] for w in status["workers"]} == {status["generation"]}
        wait_until(look, 10, f"only the newest generation of {name}")

    def wait_running(self, name, script, workers=1):
        """Waits until so many workers run a script, and returns them as the status has them. A worker is
        active for a moment after its answer, too, and has no script yet when a request begins."""
        def look():
            found = [w for w in self.status(name)["workers"]
                     if w["state"] == "running" and w["script"] == f"/srv/www{script}"]
            return found if len(found) == workers else None
        return wait_until(look, 10, f"{workers} workers of {name} that run {script}")

    # ---- scripts that run until they are told ----

    def close_gate(self, gate):
        """/gate.php?gate=… runs from now on until open_gate()."""
        self.addCleanup(self.open_gate, gate)  # before the pool is removed, which waits for it
        self.guest.path("/srv/www/gates").mkdir(exist_ok=True)
        self.guest.path(f"/srv/www/gates/{gate}").unlink(missing_ok=True)
        return {"query": f"gate={gate}"}

    def open_gate(self, gate):
        self.guest.write(f"/srv/www/gates/{gate}", "")

    # ---- http ----

    def http(self, path, method="GET", body=None, headers=None, port=80, timeout=30):
        """One request through nginx in the guest: an http.client response with .data."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout * guest_module.PATIENCE)
        with self.guest.network():
            connection.connect()
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            response.data = response.read()
            return response
        finally:
            connection.close()

    def curl(self, *arguments, **options):
        return self.guest.run("curl", "-sS", "--max-time", "30", *arguments, **options).stdout

    # ---- journal ----

    def records(self, pool=None, **fields):
        """Records of this case."""
        if pool:
            fields["POOL"] = pool
        return self.guest.journal(since=self.since, **fields)

    def wait_record(self, timeout=5, where=None, **fields):
        """Waits for a record with these fields (and where(record) true) and returns it."""
        def look():
            found = [r for r in self.records(**fields) if where is None or where(r)]
            return found[0] if found else None
        return wait_until(look, timeout, f"a record with {fields}", step=0.1)


def write_pool(guest, name, user="site", pm="static", children=2, listen=None, section=None,
               **settings):
    """Writes the pool file of a pool into a guest."""
    lines = [f"[{section or name}]"]
    if user:
        lines.append(f"user = {user}")
    if listen:
        lines.append(f"listen = {listen}")
    lines += [f"pm = {pm}", f"pm.max_children = {children}"]
    for key, value in settings.items():
        if "__" in key:
            key, _, item = key.partition("__")
            lines.append(f"{key}[{item.replace('__', '.')}] = {value}")
        else:
            lines.append(f"{key.replace('pm_', 'pm.').replace('security_', 'security.')} = {value}")
    guest.write(f"/etc/fpmd/conf.d/{name}.conf", "\n".join(lines) + "\n")


MESSAGES = {}


def message_id(name):
    """The MESSAGE_ID of a kind of record, from the table that the programs are built with."""
    if not MESSAGES:
        import re
        text = (guest_module.REPOSITORY / "src/log/messages.h").read_text()
        MESSAGES.update(re.findall(r'X\((\w+),\s*"([0-9a-f]{32})"', text))
    return MESSAGES[name]


class Load:
    """Clients of a pool in the background; result() waits for their end."""

    def __init__(self, process, seconds):
        self._process = process
        self._seconds = seconds
        self._samples = tempfile.NamedTemporaryFile(mode="r", prefix="fpmd-load.")
        self._result = None

    @property
    def samples_path(self):
        return self._samples.name

    def running(self):
        return self._process.poll() is None

    def result(self):
        """The counts of fpmd-load, "ok" and "failed" among them."""
        if self._result is None:
            out, errors = self._process.communicate(timeout=self._seconds + 120)
            if not out:
                raise AssertionError(f"fpmd-load: exit {self._process.returncode}: {errors}")
            self._result = json.loads(out)
        return self._result

    def stop(self):
        """Ends it before its time: no new requests; those under way are waited for."""
        if self.running():
            self._process.send_signal(signal.SIGTERM)
        return self.result()

    def samples(self):
        """(end, latency) in seconds of each request that succeeded; end as time.monotonic()."""
        self.result()
        self._samples.seek(0)
        return [(int(end) / 1e6, int(latency) / 1e6)
                for end, latency in (line.split() for line in self._samples)]

    def _end(self):
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            pipe.close()
        self._samples.close()


@contextlib.contextmanager
def load(addresses, script, clients=8, seconds=5, keep=False, expect=None, strict=False, ids=False,
         query="", body=0, answer=0, pause=None, abort=0, seed=1, window=None, timeout=30,
         network=None):
    """fpmd-load against an address or several: paths or "host:port" in the network of a guest.

    A connection per request unless keep; see `fpmd-load -h` for the rest. pause is (least, most) in
    seconds, abort the part of requests that clients give up, in thousandths.
    """
    addresses = addresses if isinstance(addresses, (list, tuple)) else [addresses]
    running = Load(None, seconds)
    words = ["-c", clients, "-d", f"{round(seconds * 1000)}ms", "-s", script,
             "-u", "/" + os.path.basename(script), "-t", f"{round(timeout * 1000)}ms", "-r", seed,
             "-o", running.samples_path]
    words += ["-k"] if keep else []
    words += ["-S"] if strict else []
    words += ["-i"] if ids else []
    words += ["-e", expect] if expect else []
    words += ["-q", query] if query else []
    words += ["-b", body] if body else []
    words += ["-a", answer] if answer else []
    words += ["-x", abort] if abort else []
    words += ["-w", f"{round(window * 1000)}ms"] if window else []
    if pause:
        words += ["-p", "-".join(f"{round(seconds * 1000)}ms" for seconds in pause)]
    command = [guest_module.INSTALLED_BUILD / "tests/bench/fpmd-load", *words, *addresses]
    if network:
        command = ["nsenter", f"--net=/proc/{network.pid}/ns/net", "--", *command]
    running._process = subprocess.Popen([str(word) for word in command], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield running
    finally:
        running._end()


def percentile(values, percent):
    """As fpmd-load counts; 0 without values."""
    values = sorted(values)
    return values[(len(values) - 1) * percent // 100] if values else 0


def sent_at(record):
    """When a record was sent, as time.time(): the journal may have read it later."""
    return int(record.get("_SOURCE_REALTIME_TIMESTAMP") or record["__REALTIME_TIMESTAMP"]) / 1e6


# ---- processes, as the machine numbers them ----

def proc(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}").read_text()


def proc_status(pid):
    """/proc/PID/status as a dict."""
    return {k: v.strip() for k, _, v in
            (line.partition(":") for line in proc(pid, "status").splitlines())}


def inner_pid(pid):
    """The number of a process inside the guest."""
    with contextlib.suppress(OSError):
        return int(proc_status(pid)["NSpid"].split()[-1])
    return None


def started(pid):
    """When a process was made, in clock ticks since the boot; 0: it has gone."""
    with contextlib.suppress(OSError):
        return int(proc(pid, "stat").rpartition(")")[2].split()[19])
    return 0


def executable(pid):
    with contextlib.suppress(OSError):
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    return ""


def alive(pid):
    return os.path.exists(f"/proc/{pid}")


# Versions of Landlock: ports with Linux 6.7; signals and abstract sockets with 6.12.
ABI_WITH_PORTS, ABI_WITH_SCOPES = 4, 6


def kernel_version():
    """As (6, 12)."""
    return tuple(int(number) for number in os.uname().release.split(".")[:2])


def landlock_abi():
    """The version of the kernel's Landlock, which is not the same everywhere; 0: it has none."""
    create_ruleset, want_version = 444, 1
    return max(ctypes.CDLL(None).syscall(create_ruleset, None, 0, want_version), 0)


def in_parallel(count, function):
    """Calls function(i) in count threads at once; returns the results in order, raises the first error."""
    results, errors = [None] * count, []

    def call(i):
        try:
            results[i] = function(i)
        except BaseException as error:  # handed to the caller
            errors.append(error)

    threads = [threading.Thread(target=call, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


# ---- running ----

def _leave_out(tests, topic):
    """Makes cases skip that say nothing in a guest with sanitizers."""
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            _leave_out(test, topic)
            continue
        name = f"{topic}.{test._testMethodName.replace('test_', '', 1)}"
        for pattern, reason in NOT_SANITIZED.items():
            if fnmatch.fnmatch(name, pattern):
                setattr(test, test._testMethodName, functools.partial(test.skipTest, reason))


class _Result(unittest.TestResult):
    def __init__(self, topic):
        super().__init__()
        self.topic, self.passed, self.failed, self.skips = topic, 0, 0, 0
        self._start = 0

    def startTest(self, test):
        super().startTest(test)
        self._start = time.monotonic()

    def _line(self, word, test, note=""):
        name = test.id().split(".", 1)[-1] if "." in test.id() else test.id()
        name = name.replace("test_", "").replace("_", " ")
        print(f"{word:5} {self.topic}: {name} ({time.monotonic() - self._start:.1f} s){note}",
              flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self._line("ok", test)

    def addFailure(self, test, error):
        self.failed += 1
        self._line("FAIL", test)
        text = "".join(traceback.format_exception(*error))
        if len(text) > 6000:
            text = text[:3000] + "\n[…]\n" + text[-3000:]
        print(text, flush=True)
        booted = getattr(test, "guest", None)
        if booted and booted.pid:
            print("---- the guest's journal since the case began\n"
                  + booted.log_tail(since=getattr(test, "since", None)) + "----", flush=True)

    def addSubTest(self, test, subtest, error):
        """unittest calls addSuccess() only for a test without a failing part."""
        if error:
            self.addFailure(test, error)

    def addError(self, test, error):
        if not self._start:
            self._start = time.monotonic()
        self.addFailure(test, error)

    def addSkip(self, test, reason):
        name = f"{self.topic}.{test.id().rsplit('.', 1)[-1].replace('test_', '')}"
        if os.environ.get("CI") == "true" and not guest_module.SANITIZED and \
                not any(fnmatch.fnmatch(name, pattern) for pattern in CI_MAY_SKIP):
            self.failed += 1
            self._line("FAIL", test, f": skipped where it must not be: {reason}")
            return
        self.skips += 1
        self._line("skip", test, f": {reason}")


def main():
    """Runs the cases of the calling file; the words on the command line select cases by name."""
    isolate([sys.executable] + sys.argv)
    module = sys.modules["__main__"]
    topic = pathlib.Path(module.__file__).stem
    loader = unittest.TestLoader()
    loader.sortTestMethodsUsing = None
    if sys.argv[1:]:
        loader.testNamePatterns = [f"*{word}*" for word in sys.argv[1:]]
    tests = loader.loadTestsFromModule(module)
    if guest_module.SANITIZED:
        _leave_out(tests, topic)
    result = _Result(topic)
    tests.run(result)
    print(f"{result.passed} passed, {result.failed} failed, {result.skips} skipped")
    sys.exit(1 if result.failed else 0)
