"""Requests that end badly: by a signal, by a limit of time, by a runtime that cannot start."""

import contextlib
import ctypes
import os
import signal
import threading
import time

import fastcgi
from background import Background
from suite import (GuestCase, alive, executable, inner_pid, load, main, message_id, wait_until)

STOP, END = signal.SIGRTMIN, signal.SIGRTMIN + 1  # link/message.h
TIMEOUT, UNAVAILABLE = 504, 503

_libc = ctypes.CDLL(None, use_errno=True)


def send_signal(pid, number, value):
    """sigqueue(3); a process that is gone is no error."""
    _libc.sigqueue(pid, int(number), ctypes.c_void_p(value))


# ---- scripts ----

PRELUDE = """<?php
$c = FFI::cdef("size_t strlen(const char *s); void abort(void); void exit(int status);
                void *memset(void *s, int c, size_t n); int fork(void); int getpid(void);");
function say($what) { file_put_contents("/srv/www/written/said", "$what\\n", FILE_APPEND); }
"""

# Each function stands in a line that the backtrace has to name.
CRASHES = {
    "segv": """
class Shop {
    public function total($c) {
        return $c->strlen(null);
    }
    public static function open($c) {
        return (new Shop)->total($c);
    }
}
Shop::open($c);
""",
    "abort": "$c->abort();",
    "fpe": "posix_kill(getmypid(), 8);",
    "ill": "posix_kill(getmypid(), 4);",
    "bus": "posix_kill(getmypid(), 7);",
    "to_string": """
class Loop { function __toString(): string { return "x" . $this; } }
echo new Loop;
""",
    "nested": """
ini_set("memory_limit", -1);
$o = null;
for ($i = 0; $i < 400000; $i++) { $n = new stdClass; $n->next = $o; $o = $n; }
unset($n, $o);
""",
    "smash": """
for ($i = 0; $i < 1000; $i++) { $keep[] = str_repeat("a", 32); $p = FFI::new("char[32]", false);
    $c->memset(FFI::addr($p), 0x41, 4096); $keep[] = str_repeat("b", 32); }
for ($i = 0; $i < 1000; $i++) { $more[] = str_repeat("c", 32); }
""",
    "buffered": 'header("X-Own: 1"); echo str_repeat("x", 20000); $c->abort();',
    "buffers": 'ob_start(); echo "in a buffer"; ob_start(); echo "in another"; $c->abort();',
    "flushed": 'echo "begin"; ob_end_flush(); flush(); $c->abort();',
    "long": 'echo str_repeat("x", 200000); $c->abort();',
    "finished": 'echo "answer"; fastcgi_finish_request(); $c->abort();',
    "exit": "function leave($c) { $c->exit(3); } leave($c);",
    "killed": "posix_kill(getmypid(), 9);",
    "deep": """
function down($n, $c) { return $n > 0 ? down($n - 1, $c) : $c->abort(); }
down(5000, $c);
""",
    "included": 'file_put_contents("/srv/www/written/inner.php", "<?php\\n\\n\\$c->abort();");'
                'include "/srv/www/written/inner.php";',
    "in_shutdown": 'register_shutdown_function(function () use ($c) { $c->abort(); });',
    "child": """
if ($c->fork() === 0) { $c->strlen(null); }
usleep(300000);
echo "parent";
""",
    "child_aborts": """
if ($c->fork() === 0) { echo "not to be seen"; $c->abort(); }
usleep(300000);
echo "parent";
""",
}

# Scripts that are stopped: name → what they do for ever.
SLOW = {
    "loop": "for (;;) { }",
    "calls": "function f($x) { return $x + 1; } $x = 0; for (;;) { $x = f($x); }",
    "sleep": "sleep(30); echo 'slept';",
    "usleep": "usleep(30000000); echo 'slept';",
    "catch_all": "for (;;) { try { for (;;) { strlen('x'); } } catch (Throwable $e) { } }",
    "handler": "set_error_handler(fn() => true); for (;;) { try { usleep(1000); } "
               "catch (Throwable $e) { } }",
    "generator": "function g() { for (;;) { yield 1; } } foreach (g() as $x) { }",
    "fiber": "$f = new Fiber(function () { for (;;) { Fiber::suspend(); } }); $f->start(); "
             "for (;;) { $f->resume(); }",
    "in_buffers": "ob_start(fn($b) => 'callback:' . $b); echo 'in a buffer'; ob_start(); echo 'more'; "
               "for (;;) { usleep(1000); }",
    "in_callback": "ob_start(function ($b) { for (;;) { usleep(1000); } }); echo 'x'; ob_end_flush();",
    "unsent": "header('X-Own: 1'); header('Content-Length: 5'); http_response_code(201); "
              "echo 'begin'; for (;;) { usleep(1000); }",
    "own_status": "register_shutdown_function(function () { http_response_code(200); "
                  "header('Status: 202 Own'); }); for (;;) { usleep(1000); }",
    "lock": "$a = fopen('/srv/www/written/lock', 'c'); flock($a, LOCK_EX); "
            "$b = fopen('/srv/www/written/lock', 'c'); flock($b, LOCK_EX); echo 'locked'; for (;;) { }",
    "destructor": "class D { function __destruct() { for (;;) { } } } $d = new D; unset($d);",
    "sort": "$a = range(0, 20000); usort($a, function ($x, $y) { usleep(100); return $x <=> $y; });",
}

# What never comes back to PHP.
BLOCKED = {
    "socket": "$p = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);\n"
              "function wait_for($s) {\n    return fread($s, 1);\n}\nwait_for($p[0]);",
    "preg": "ini_set('pcre.jit', '0'); ini_set('pcre.backtrack_limit', PHP_INT_MAX);\n"
            "preg_match('/^(a+)+$/', str_repeat('a', 60) . 'b');",
    "exec": "exec('sleep 1000');",
    "tree": "exec('sh -c \"sleep 1001 & sleep 1002; true\"; true');",
    "ignoring": "exec('trap \"\" TERM INT HUP; sleep 1003; true');",
}


def on_signals(guest):
    write(guest, "fast", "usleep((int)($_GET['ms'] ?? 0) * 1000); echo getmypid();")
    write(guest, "busy", "for ($end = microtime(true) + 0.6; microtime(true) < $end; ) { }"
                         "echo 'in time';")
    for names in (CRASHES, SLOW, BLOCKED):
        for name, code in names.items():
            write(guest, name, code)
    for path in ("/srv/www/written",):
        guest.path(path).mkdir(exist_ok=True)
        guest.path(path).chmod(0o777)


def write(guest, name, code):
    guest.write(f"/srv/www/c/{name}.php", PRELUDE + code + "\n")


def line_of(code, text):
    """The line of a script of ours that has this text."""
    return (PRELUDE + code).split(text)[0].count("\n") + 1


class Crashing(GuestCase):
    @classmethod
    def prepare(cls, guest):
        on_signals(guest)

    def crashing(self, name="crashing", **settings):
        self.pool(name, children=1, php_admin_value__ffi__enable="1", **settings)

    def obituary(self, name, signal_name=None, **fields):
        if signal_name:
            fields["SIGNAL_NAME"] = "SIG" + signal_name
        return self.wait_record(POOL=name, MESSAGE_ID=message_id("WORKER_EXITED"),
                                where=lambda r: r["PRIORITY"] == "4", **fields)

    def frames(self, record):
        return record["PHP_BACKTRACE"].splitlines()

    # ---- what the client gets, and what the manager sees ----

    def test_the_client_gets_500_and_the_manager_the_true_signal(self):
        self.crashing()
        for name, numbers in (("segv", "11"), ("abort", "6"), ("fpe", "8"), ("ill", "4"),
                              ("bus", "7"), ("to_string", "11"), ("nested", "11"),
                              ("smash", "6 7 11"), ("buffered", "6"), ("buffers", "6"),
                              ("deep", "6"), ("in_shutdown", "6")):
            with self.subTest(name):
                self.since = time.time()
                answer = self.ask("crashing", f"/c/{name}.php", query="a=b")
                self.assertEqual((answer.status, answer.app_status), (500, 255), answer.stdout)
                self.assertNotIn("x-own", answer.headers)
                record = self.obituary("crashing")
                self.assertIn(record["SIGNAL"], numbers.split())
                self.assertEqual(record["REQUEST_METHOD"], "GET")
                self.assertEqual(record["REQUEST_URI"], f"/c/{name}.php?a=b")
                self.assertEqual(record["SCRIPT"], f"/srv/www/c/{name}.php")
                self.assertIn(f"/srv/www/c/{name}.php", record["PHP_BACKTRACE"])
                self.assertIn("#0 ", record["MESSAGE"])
                self.assertEqual(self.ask("crashing", "/hello.php").text, "Hello World\n")

    def test_the_backtrace_is_right(self):
        self.crashing()
        code = CRASHES["segv"]
        self.ask("crashing", "/c/segv.php")
        path = "/srv/www/c/segv.php"
        frames = self.frames(self.obituary("crashing", "SEGV"))
        self.assertIn("strlen() [internal]", frames[0])
        self.assertEqual(frames[1:], [
            f"#1 Shop->total() {path}:{line_of(code, 'return $c')}",
            f"#2 Shop::open() {path}:{line_of(code, 'return (new')}",
            f"#3 {{main}} {path}:{line_of(code, 'Shop::open($c);')}"])

    def test_a_deep_backtrace_has_both_ends(self):
        self.crashing()
        self.ask("crashing", "/c/deep.php")
        frames = self.frames(self.obituary("crashing", "ABRT"))
        self.assertIn("abort() [internal]", frames[0])
        self.assertIn(" down() /srv/www/c/deep.php:", frames[1])
        self.assertIn("{main}", frames[-1])
        self.assertTrue(frames[-1].startswith("#5002 "), frames[-1])
        self.assertTrue(any(f.endswith(" more") for f in frames), frames)

    def test_includes_and_destructors_have_their_lines(self):
        self.crashing()
        self.ask("crashing", "/c/included.php")
        frames = self.frames(self.obituary("crashing", "ABRT"))
        self.assertEqual(frames[1], "#1 include /srv/www/written/inner.php:3")
        self.assertIn("{main} /srv/www/c/included.php:", frames[2])

    def test_through_nginx(self):
        self.crashing("www")
        for name in ("segv", "nested", "buffered"):
            answer = self.http(f"/c/{name}.php")
            self.assertEqual(answer.status, 500)
            self.assertEqual(answer.data, b"Internal Server Error\n")
        self.assertEqual(self.http("/hello.php").data, b"Hello World\n")

    def test_nothing_is_added_to_an_answer_that_has_begun(self):
        self.crashing()
        for name, begin in (("flushed", b"begin"), ("long", b"xxx")):
            with fastcgi.Connection(self.socket("crashing")) as c:
                c.send(fastcgi.begin() + fastcgi.stream(
                    fastcgi.PARAMS, fastcgi.pairs(fastcgi.script_params(f"/c/{name}.php")))
                    + fastcgi.record(fastcgi.STDIN))
                out, ended = b"", False
                with contextlib.suppress(OSError):
                    while got := c.read_record():
                        ended |= got[0] == fastcgi.END
                        out += got[2] if got[0] == fastcgi.STDOUT else b""
                self.assertFalse(ended, name)
                self.assertIn(begin, out)
                self.assertNotIn(b"500", out)
                self.assertNotIn(b"Internal", out)

    def test_after_the_end_of_the_answer_nothing_is_said(self):
        self.crashing()
        answer = self.ask("crashing", "/c/finished.php")
        self.assertEqual((answer.status, answer.text), (200, "answer"))
        record = self.obituary("crashing", "ABRT")
        self.assertIn("/srv/www/c/finished.php", record["PHP_BACKTRACE"])

    def test_exit_in_c_is_a_crash_with_its_status(self):
        self.crashing()
        self.assertEqual(self.ask("crashing", "/c/exit.php").status, 500)
        record = self.obituary("crashing", EXIT_STATUS="3")
        self.assertIn("leave() /srv/www/c/exit.php:", record["PHP_BACKTRACE"])

    def test_sigkill_leaves_no_answer_and_no_backtrace(self):
        self.crashing()
        with self.assertRaises(OSError):
            self.ask("crashing", "/c/killed.php")
        record = self.obituary("crashing", "KILL")
        self.assertNotIn("PHP_BACKTRACE", record)
        self.assertEqual(record["SCRIPT"], "/srv/www/c/killed.php")

    def test_a_forked_child_that_crashes_says_nothing(self):
        self.crashing()
        for name in ("child", "child_aborts"):
            answer = self.ask("crashing", f"/c/{name}.php")
            self.assertEqual((answer.status, answer.text), (200, "parent"))
        self.assertEqual([r for r in self.records("crashing")
                          if r.get("MESSAGE_ID") == message_id("WORKER_EXITED")
                          and r["PRIORITY"] == "4"], [])

    def test_an_idle_worker_that_is_killed_has_no_backtrace(self):
        self.crashing()
        pid = int(self.ask("crashing", "/c/fast.php").text)
        wait_until(lambda: self.status("crashing")["idle"] == 1, 5, "it is idle")
        self.guest.run("kill", "-SEGV", pid)
        record = self.obituary("crashing", "SEGV", WORKER_PID=str(pid))
        self.assertNotIn("PHP_BACKTRACE", record)
        self.assertEqual(self.ask("crashing", "/hello.php").text, "Hello World\n")


class Storm(threading.Thread):
    """Sends a signal to all workers of a pool, again and again: those that come too early or too
    late must do nothing."""

    def __init__(self, pids, number, value, pause=0.05):
        super().__init__(daemon=True)
        self.pids, self.number, self.value, self.pause = pids, number, value, pause
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(self.pause):
            for pid in self.pids:
                send_signal(pid, self.number, self.value)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


class Stopping(GuestCase):
    nginx = False

    @classmethod
    def prepare(cls, guest):
        on_signals(guest)

    def setUp(self):
        super().setUp()
        self.guest.write("/srv/www/written/said", "", 0o666)

    def slow(self, name="slow", timeout="1s", children=1, **settings):
        self.pool(name, children=children, request_terminate_timeout=timeout,
                  php_admin_value__display_errors="0", php_admin_value__ffi__enable="1",
                  **settings)
        self.ask(name, "/hello.php")
        self.full(name, children)
        wait_until(lambda: self.status(name)["idle"] == children, 10, "they are idle")
        return self.workers(name)

    def workers(self, name):
        return [p for p in self.guest.processes(f"fpmd@{name}.service")
                if executable(p).startswith("php")
                and inner_pid(p) in {int(w["pid"]) for w in self.status(name)["workers"]}]

    def said(self):
        return self.guest.read("/srv/www/written/said").split()

    def timed(self, name, script, **options):
        """The answer, and how long it took."""
        begin = time.monotonic()
        answer = self.ask(name, script, **options)
        return answer, time.monotonic() - begin

    def assert_same_worker(self, name, pids):
        self.assertEqual([p for p in pids if not alive(p)], [])
        self.assertEqual(self.ask(name, "/hello.php").text, "Hello World\n")

    # ---- stop ----

    def check_all_slow(self, pids):
        for name in SLOW:
            with self.subTest(name):
                answer, took = self.timed("slow", f"/c/{name}.php")
                self.assertEqual((answer.status, answer.text), (504, ""))
                self.assertEqual(answer.app_status, 255)
                self.assertNotIn("x-own", answer.headers)
                self.assertNotIn("content-length", answer.headers)
                self.assertGreaterEqual(took, 0.99)
                self.assertLess(took, 15)  # of half a minute and more
                self.assert_same_worker("slow", pids)

    def test_scripts_are_stopped_when_their_time_is_over(self):
        self.check_all_slow(self.slow())
        record = self.wait_record(POOL="slow", PHP_LEVEL="E_ERROR", SCRIPT="/srv/www/c/loop.php")
        self.assertIn("Maximum request time of 1 second exceeded", record["MESSAGE"])

    def test_without_opcache_and_with_jit(self):
        for name, settings in (
                ("none", {"php_admin_value__opcache.enable": "0"}),
                ("jit", {"php_admin_value__opcache.jit": "tracing",
                         "php_admin_value__opcache.jit_buffer_size": "16M"})):
            self.since = time.time()
            pids = self.slow(name, **settings)
            for script in ("loop", "calls", "catch_all", "generator"):
                with self.subTest(f"{name} {script}"):
                    answer, took = self.timed(name, f"/c/{script}.php")
                    self.assertEqual((answer.status, answer.text), (504, ""))
                    self.assertLess(took, 15)
                    self.assert_same_worker(name, pids)

    def test_shutdown_functions_run_and_see_the_error(self):
        self.slow()
        write(self.guest, "shutdown", """
register_shutdown_function(function () {
    $error = error_get_last();
    say($error["type"] . ":" . str_replace(" ", "_", $error["message"]) . ":" . $error["line"]);
    echo "the page of an error";
    say("connection:" . connection_status());
});
try { for (;;) { } } finally { say("finally"); }
""")
        answer = self.ask("slow", "/c/shutdown.php")
        self.assertEqual((answer.status, answer.text), (504, "the page of an error"))
        line = (self.guest.read("/srv/www/c/shutdown.php").split("try {")[0].count("\n")) + 1
        # As with PHP's own limit, finally does not run.
        self.assertEqual(self.said(), [f"1:Maximum_request_time_of_1_second_exceeded:{line}",
                                       "connection:0"])

    def test_a_shutdown_function_is_not_stopped_again(self):
        pids = self.slow()
        write(self.guest, "shutdown_slow", """
register_shutdown_function(function () {
    for ($end = microtime(true) + 0.6; microtime(true) < $end; ) { }
    say("done");
});
for (;;) { }
""")
        with Storm(pids, STOP, TIMEOUT):
            answer, took = self.timed("slow", "/c/shutdown_slow.php")
        self.assertEqual(answer.status, 504)
        self.assertGreaterEqual(took, 1.6)
        self.assertEqual(self.said(), ["done"])
        self.assertEqual(wait_until(lambda: self.status("slow")["scripts_stopped"], 5, "it is counted"), 1)

    def test_an_answer_that_has_begun_ends_whole(self):
        pids = self.slow()
        write(self.guest, "begun", "echo 'begin'; ob_end_flush(); flush(); ob_start(); echo 'not sent'; for (;;) { }")
        answer = self.ask("slow", "/c/begun.php")
        self.assertEqual((answer.status, answer.text), (200, "begin"))
        self.assertEqual(answer.app_status, 255)
        self.assert_same_worker("slow", pids)

    def test_what_is_in_time_is_not_touched(self):
        pids = self.slow(timeout="5s")
        with Storm(pids, STOP, TIMEOUT):
            for _ in range(4):
                self.assertEqual(self.ask("slow", "/c/fast.php").status, 200)
                self.assertEqual(self.ask("slow", "/c/busy.php").text, "in time")

    def test_idle_workers_and_idle_connections_are_not_touched(self):
        pids = self.slow()
        with fastcgi.Connection(self.socket("slow")) as c:
            for _ in range(3):
                c.send(fastcgi.begin(flags=fastcgi.KEEP_CONN) + fastcgi.stream(
                    fastcgi.PARAMS, fastcgi.pairs(fastcgi.script_params("/hello.php")))
                    + fastcgi.record(fastcgi.STDIN))
                self.assertEqual(c.read_response().text, "Hello World\n")
                with Storm(pids, STOP, TIMEOUT):
                    time.sleep(1.3)
        self.assert_same_worker("slow", pids)

    def test_after_fastcgi_finish_request(self):
        write(self.guest, "background", "echo 'answer'; fastcgi_finish_request(); "
              "for ($end = microtime(true) + 1.8; microtime(true) < $end; ) { } say('done');")
        for name, track, expected in (("untracked", "no", ["done"]), ("tracked", "yes", [])):
            with self.subTest(name):
                self.guest.write("/srv/www/written/said", "", 0o666)
                pids = self.slow(name, request_terminate_timeout_track_finished=track)
                with Storm(pids, STOP, TIMEOUT):
                    self.assertEqual(self.ask(name, "/c/background.php").text, "answer")
                    wait_until(lambda: self.status(name)["idle"] == 1, 5, "it is idle")
                self.assertEqual(self.said(), expected)
                self.assert_same_worker(name, pids)

    # ---- end ----

    def ended(self, name, script, pid, value):
        begin = time.monotonic()
        with Storm([pid], END, value, pause=0.2):
            answer = self.ask(name, script)
        return answer, time.monotonic() - begin

    def ended_in_program(self, name, script, pid, value):
        """ended(), with the first signal when the script waits for a program: this value counts at any time."""
        client = Background(self.ask, name, script)
        wait_until(lambda: self.sleepers(name), 10, "it waits for a program")
        begin = time.monotonic()
        with Storm([pid], END, value, pause=0.2):
            answer = client.result()
        return answer, time.monotonic() - begin

    def obituary(self, name, script):
        return self.wait_record(POOL=name, MESSAGE_ID=message_id("WORKER_EXITED"),
                                EXIT_NAME="ended", SCRIPT=f"/srv/www/c/{script}.php")

    def test_what_blocks_is_ended_with_an_answer(self):
        self.slow(timeout="1s", children=1)
        for name in BLOCKED:
            with self.subTest(name):
                pids = wait_until(lambda: self.workers("slow"), 5, "a worker")
                begin = time.monotonic()
                answer, took = self.ended("slow", f"/c/{name}.php", pids[0], TIMEOUT)
                self.assertEqual((answer.status, answer.app_status), (504, 255))
                self.assertGreaterEqual(took, 0.99)
                wait_until(lambda: not alive(pids[0]), 10, "the worker ends")
                self.assertLess(time.monotonic() - begin, 20)
                record = self.obituary("slow", name)
                self.assertIn("was ended in its request", record["MESSAGE"])
                self.assertIn(f"/srv/www/c/{name}.php", record["PHP_BACKTRACE"])
                wait_until(lambda: not self.sleepers("slow"), 10, "what it waited for ends")
                self.ask("slow", "/hello.php")

    def sleepers(self, name):
        return [p for p in self.guest.processes(f"fpmd@{name}.service")
                if executable(p) in ("sleep", "dash", "sh")]

    def test_the_line_where_it_blocks(self):
        pids = self.slow()
        self.ended("slow", "/c/socket.php", pids[0], TIMEOUT)
        frames = self.obituary("slow", "socket")["PHP_BACKTRACE"].splitlines()
        code = BLOCKED["socket"]
        self.assertEqual(frames, [
            "#0 fread() [internal]",
            f"#1 wait_for() /srv/www/c/socket.php:{line_of(code, 'return fread')}",
            f"#2 {{main}} /srv/www/c/socket.php:{line_of(code, 'wait_for($p[0])')}"])

    def test_at_a_stop_the_answer_is_503_and_comes_at_once(self):
        pids = self.slow(timeout="60s")
        answer, took = self.ended_in_program("slow", "/c/exec.php", pids[0], UNAVAILABLE)
        self.assertEqual(answer.status, 503)
        self.assertLess(took, 15)  # of a minute
        wait_until(lambda: not self.sleepers("slow"), 10, "what it waited for ends")

    def test_an_end_that_comes_too_late_does_nothing(self):
        """It was for a request before; the one that runs has its time."""
        pids = self.slow(timeout="30s")
        for _ in range(3):
            gate = self.close_gate("slow")
            client = Background(self.ask, "slow", "/gate.php", **gate)
            wait_until(lambda: any(w["state"] == "running" and "/gate.php" in str(w)
                                   for w in self.status("slow")["workers"]), 10, "the script runs")
            with Storm([pids[0]], END, TIMEOUT):  # an idle worker would leave
                time.sleep(0.6)
            self.open_gate("slow")
            self.assertEqual(client.result().status, 200)
        self.assert_same_worker("slow", pids)

    def test_after_the_first_byte_nothing_is_added(self):
        pids = self.slow(timeout="60s")
        write(self.guest, "begun_exec", "echo 'begin'; ob_end_flush(); flush(); exec('sleep 1000');")
        with self.assertRaises(OSError):
            self.ended_in_program("slow", "/c/begun_exec.php", pids[0], UNAVAILABLE)
        self.obituary("slow", "begun_exec")

    def test_an_idle_worker_leaves_in_order(self):
        pids = self.slow()
        send_signal(pids[0], END, UNAVAILABLE)
        wait_until(lambda: not alive(pids[0]), 10, "it leaves")
        self.assertEqual(self.ask("slow", "/hello.php").text, "Hello World\n")
        self.assertEqual([r for r in self.records("slow") if r.get("EXIT_NAME") == "ended"], [])

    def test_programs_that_scripts_start_do_not_inherit_handlers(self):
        self.slow()
        write(self.guest, "status", "echo shell_exec('cat /proc/self/status');")
        fields = dict(line.split(":\t", 1) for line in self.ask("slow", "/c/status.php").text
                      .splitlines() if ":\t" in line)
        for field in ("SigCgt", "SigBlk"):
            self.assertEqual(int(fields[field], 16) & (3 << (STOP - 1)), 0, field)
        self.assertEqual(int(fields["SigIgn"], 16) & (3 << (STOP - 1)), 0)


class Starting(GuestCase):
    """Runtimes that cannot start say why."""

    nginx = False

    @classmethod
    def prepare(cls, guest):
        on_signals(guest)

    def reason(self, name):
        """Why the pool could not be started."""
        self.guest.systemctl("start", f"fpmd@{name}.service", check=False, timeout=30)
        return self.wait_record(POOL=name, MESSAGE_ID=message_id("START_FAILED"))["MESSAGE"]

    def refused(self, name):
        """Why the reload of a serving pool was refused; it goes on as it was."""
        done = self.guest.run("fpmctl", "reload", name, check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.ask(name, "/hello.php").text, "Hello World\n")
        return done.stdout + done.stderr

    def test_a_broken_php_ini_names_file_and_line(self):
        self.guest.write("/etc/php-broken.ini", "memory_limit = 100M\nopen_basedir = (\n"
                                                "disable_functions = exec\n")
        self.pool("broken", start=False, php_ini="/etc/php-broken.ini")
        reason = self.reason("broken")
        self.assertIn("syntax error", reason)
        self.assertIn("/etc/php-broken.ini on line", reason)
        # Said once, by the manager.
        self.assertEqual([r["MESSAGE"] for r in self.records(MESSAGE_ID=message_id("PHP_MESSAGE"))
                          if "syntax error" in r["MESSAGE"]], [])

    def test_a_broken_file_of_the_scan_directory(self):
        self.guest.write("/etc/php-scan/20-good.ini", "memory_limit = 64M\n")
        self.guest.write("/etc/php-scan/30-bad.ini", "[PHP\nmemory_limit = 64M\n")
        self.pool("scan", start=False, php_ini_scan_dir="/etc/php-scan")
        self.assertIn("/etc/php-scan/30-bad.ini on line", self.reason("scan"))

    def test_a_reload_with_a_broken_php_ini_is_refused(self):
        self.guest.write("/etc/php-own.ini", "memory_limit = 77M\n")
        self.pool("own", php_ini="/etc/php-own.ini")
        self.ask("own", "/hello.php")
        self.guest.write("/etc/php-own.ini", "memory_limit = 78M\nx = (\n")
        self.assertIn("/etc/php-own.ini on line", self.refused("own"))
        self.guest.write("/etc/php-own.ini", "memory_limit = 78M\n")
        self.guest.run("fpmctl", "reload", "own")

    def test_a_setting_of_the_pool_that_php_cannot_read(self):
        self.pool("value", start=False, php_admin_value__error_log="/x",
                  php_value__memory_limit="${x")
        self.assertIn("memory_limit", self.reason("value"))

    def test_a_php_ini_that_may_not_be_read(self):
        self.guest.write("/etc/php-secret.ini", "memory_limit = 77M\n", 0o600)
        self.pool("secret", start=False, php_ini="/etc/php-secret.ini")
        self.assertIn("Permission denied", self.reason("secret"))

    def test_an_extension_that_is_missing(self):
        self.guest.write("/etc/php-missing.ini", "extension = nowhere_to_be_found\n")
        self.pool("missing", php_ini="/etc/php-missing.ini")
        self.assertEqual(self.ask("missing", "/hello.php").text, "Hello World\n")
        self.wait_record(POOL="missing", PRIORITY="4",
                         where=lambda r: "nowhere_to_be_found" in r["MESSAGE"])
        # What was missing before is no reason to refuse; what was there is.
        self.guest.run("fpmctl", "reload", "missing")
        self.guest.write("/etc/php-missing.ini", "extension = nowhere_to_be_found\n"
                                                 "error_log = /dev/null\nextension = nor_here\n")
        self.assertIn("Unable to load dynamic library", self.refused("missing"))

    def test_a_preload_script_that_fails(self):
        for name, code, words in (("parse", "<?php function (", "Parse error"),
                                  ("throws", "<?php throw new Exception('not today');", "not today"),
                                  ("absent", None, "absent.php")):
            with self.subTest(name):
                self.since = time.time()
                if code:
                    self.guest.write(f"/srv/www/c/{name}.php", code)
                self.pool(name, start=False,
                          **{"php_admin_value__opcache.preload": f"/srv/www/c/{name}.php"})
                self.assertIn(words, self.reason(name))

    def test_the_last_words_of_a_runtime_that_dies(self):
        self.guest.write("/srv/www/c/dying.php", PRELUDE
                         + 'file_put_contents("php://stderr", "a hint\\nthe last hint\\n");'
                           "$c->strlen(null);")
        self.pool("dying", start=False, **{"php_admin_value__opcache.preload": "/srv/www/c/dying.php",
                                           "php_admin_value__ffi.enable": "1"})
        reason = self.reason("dying")
        self.assertIn("SIGSEGV", reason)
        self.assertIn("the last hint", reason)
        self.wait_record(POOL="dying", MESSAGE_ID=message_id("TEMPLATE_OUTPUT"),
                         where=lambda r: r["MESSAGE"] == "a hint")


class Renewing(GuestCase):
    """OPcache that wants to begin anew gets a new generation."""

    nginx = False

    @classmethod
    def prepare(cls, guest):
        on_signals(guest)

    def generation(self, name):
        return max(int(w["generation"]) for w in self.status(name)["workers"])

    def cached(self, name="cached", **settings):
        options = {"php_admin_value__opcache.validate_timestamps": "0",
                   "php_admin_value__opcache.file_update_protection": "0", **settings}
        self.pool(name, children=3, **options)
        self.guest.write("/srv/www/c/version.php", "<?php echo 'old';")
        for _ in range(6):
            self.assertEqual(self.ask(name, "/c/version.php").text, "old")
        self.guest.write("/srv/www/c/version.php", "<?php echo 'new';")
        self.assertEqual(self.ask(name, "/c/version.php").text, "old")

    def test_opcache_reset_brings_new_content_and_loses_nothing(self):
        self.cached()
        self.guest.write("/srv/www/c/reset.php", "<?php var_dump(opcache_reset());")
        with load(self.socket("cached"), "/srv/www/wait.php", clients=4, seconds=6) as running:
            time.sleep(1)
            self.assertIn("true", self.ask("cached", "/c/reset.php").text)
            wait_until(lambda: self.generation("cached") >= 2, 10, "a new generation")
            wait_until(lambda: {w["generation"] for w in self.status("cached")["workers"]} == {2},
                       10, "only the new one")
            for _ in range(10):
                self.assertEqual(self.ask("cached", "/c/version.php").text, "new")
            result = running.result()
        self.assertEqual(result["failed"], 0, result)
        self.assertEqual(self.generation("cached"), 2)
        self.wait_record(POOL="cached", MESSAGE_ID=message_id("CACHE_RENEWED"))

    def test_a_reset_that_is_refused_brings_nothing(self):
        self.cached("guarded", **{"php_admin_value__opcache.restrict_api": "/srv/admin"})
        self.guest.write("/srv/www/c/reset.php", "<?php var_dump(@opcache_reset());")
        self.assertIn("false", self.ask("guarded", "/c/reset.php").text)
        time.sleep(1.5)
        self.assertEqual(self.ask("guarded", "/c/version.php").text, "old")
        self.assertEqual(self.generation("guarded"), 1)

    def test_a_full_cache_is_seen_also_where_scripts_may_not_look(self):
        settings = {"opcache.restrict_api": "/srv/admin", "opcache.memory_consumption": "8",
                    "opcache.interned_strings_buffer": "1", "opcache.max_wasted_percentage": "1",
                    "opcache.revalidate_freq": "0", "opcache.file_update_protection": "0",
                    "opcache.jit_buffer_size": "0", "disable_functions": "opcache_get_status"}
        self.pool("full", children=2,
                  **{f"php_admin_value__{key}": value for key, value in settings.items()})
        self.ask("full", "/hello.php")
        # Alone, OPcache restarts at once, which takes nothing from anybody; while a script runs it
        # cannot, and nothing would be cached until that has ended.
        with fastcgi.Connection(self.socket("full")) as slow:
            slow.send(fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, fastcgi.pairs(
                fastcgi.script_params("/gate.php", **self.close_gate("full")))) +
                fastcgi.record(fastcgi.STDIN))
            wait_until(lambda: any("/gate.php" in str(w) and w["state"] == "running" for w in
                                   self.status("full")["workers"]), 10, "the slow script runs")
            for i in range(60):  # each version makes memory of the one before waste
                self.guest.write("/srv/www/c/large.php", "<?php\n" + "".join(
                    f"function f{k}() {{ return [{k}, {i}, 'text of {k}']; }}\n"
                    for k in range(1500)))
                os.utime(self.guest.path("/srv/www/c/large.php"), (1e9 + i, 1e9 + i))
                self.ask("full", "/c/large.php")
            # A worker looks at the end of a request, once a second.
            wait_until(lambda: self.ask("full", "/hello.php") and self.generation("full") >= 2, 10,
                       "a new generation", step=0.2)
            self.open_gate("full")
            self.assertEqual(slow.read_response().status, 200)


class Draining(GuestCase):
    nginx = False

    def test_the_ping_of_a_draining_pool_says_503(self):
        self.pool("drain", children=2, **{"ping.path": "/ping"})
        self.assertEqual(self.ask("drain", "/ping").status, 200)
        drain = self.guest.popen("fpmctl", "drain", "drain", "--quiet=3s")
        try:
            answer = wait_until(lambda: self.ping_when_draining(), 10, "503")
            self.assertEqual(answer.text, "draining")
            self.assertEqual(self.ask("drain", "/hello.php").text, "Hello World\n")
        finally:
            self.assertEqual(drain.wait(20), 0)

    def ping_when_draining(self):
        answer = self.ask("drain", "/ping")
        return answer if answer.status == 503 else None


if __name__ == "__main__":
    main()
