"""Call stacks of workers: right, whatever the script does, and not felt by it."""

import json
import re
import subprocess
import threading
import time

from suite import GuestCase, main, wait_until

# Each script prints its own stack, and then stays in the same line: what the trace says has to be the
# same, but for what runs there. %s: what it stays in.
STAY = "debug_print_backtrace(2); %s"
SLEEP = STAY % "sleep(4);"
LOOP = STAY % "$end = microtime(true) + 3; while (microtime(true) < $end) { $i = 1; }"

SCRIPTS = {
    "sleep": SLEEP,
    "loop": LOOP,
    "socket": STAY % "stream_socket_accept(stream_socket_server('tcp://127.0.0.1:0'), 4);",
    "read": "$p = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);\n"
            "stream_set_timeout($p[0], 4);\n"
            f"function query($s) {{ {STAY % 'fgets($s);'} }}\n"
            "query($p[0]);",
    "computing": STAY % "hash_pbkdf2('sha256', 'a', 'b', 3000000);",
    "opening": "$f = '/srv/www/written/trace-' . getmypid(); posix_mkfifo($f, 0600);\n"
               "exec(\"(sleep 4; echo > $f) > /dev/null 2>&1 &\");\n"
               f"function load($f) {{ {STAY % 'include $f;'} unlink($f); }}\nload($f);",
    "exec": STAY % "exec('sleep 4');",
    "class_loop": f"class Shop {{ function total() {{ {LOOP} }}\n"
                  " static function open() { (new Shop)->total(); } }\nShop::open();",
    "class_sleep": f"class Shop {{ function total() {{ {SLEEP} }}\n"
                   " static function open() { (new Shop)->total(); } }\nShop::open();",
    "deep_sleep": f"function down($n) {{ if ($n == 0) {{ {SLEEP} return 0; }}\n"
                  " return down($n - 1) + 1;\n}\ndown(999);",
    "deep_loop": f"function down($n) {{ if ($n == 0) {{ {LOOP} return 0; }}\n"
                 " return down($n - 1) + 1;\n}\ndown(999);",
    "many_functions": "for ($i = 0; $i < 200; $i++) eval(\"function f$i() {\\n return \"\n"
                      " . ($i < 199 ? 'f' . ($i + 1) . '()' : 'stay()') . \"; }\");\n"
                      f"function stay() {{ {SLEEP} }}\nf0();",
    "generator": f"function values() {{ yield 1;\n {SLEEP} yield 2; }}\n"
                 "function all() { yield 0;\n yield from values(); }\n"
                 "function some() { yield from all(); }\n"
                 "foreach (some() as $x) { $y = $x; }",
    "generator_loop": f"function values() {{ yield 1;\n {LOOP} yield 2; }}\n"
                      "function all() { yield 0;\n yield from values(); }\n"
                      "foreach (all() as $x) { $y = $x; }",
    "generator_method": f"function values() {{ {SLEEP} yield 2; }}\n"
                        "function all() { yield from values(); }\n$g = all();\n$g->current();",
    "closure": "class Shop { function total() {\n"
               f"  return (function () {{ {SLEEP} }})(); }}\n"
               f"  static function rate() {{ $f = static function ($x) {{ {SLEEP} }};\n"
               "    array_map($f, [1]); } }\n(new Shop)->total();",
    "static_closure": f"class Shop {{ static function rate() {{ $f = static function ($x) {{ {SLEEP} }};\n"
                      "    array_map($f, [1]); } }\nShop::rate();",
    "callback": f"$a = [2, 1];\nusort($a, function ($x, $y) {{ {SLEEP} return 0; }});",
    "anonymous": f"$o = new class {{ function run() {{ {SLEEP} }} }};\n$o->run();",
    "trait": f"trait Slow {{ function first() {{ {SLEEP} }} }}\n"
             "class Shop { use Slow { first as second; } }\n(new Shop)->second();",
    "magic": f"class Shop {{ function __toString() {{ {SLEEP} return 'x'; }}\n"
             " function __get($n) { return \"$this\"; }\n"
             " function __call($n, $a) { return $this->it; } }\n(new Shop)->thing(1);",
    "destructor": f"class Shop {{ function __destruct() {{ {SLEEP} }} }}\n$s = new Shop;\n$s = null;",
    "exception": f"class Shop {{ function __destruct() {{ {SLEEP} }} }}\n"
                 "function fail() { $s = new Shop;\n throw new Exception('no'); }\n"
                 "try { fail();\n } catch (Exception $e) { }",
    "autoload": f"spl_autoload_register(function ($c) {{ {SLEEP} }});\nclass_exists('Nowhere');",
    "eval": f"function run() {{ eval('{SLEEP}'); }}\nrun();",
    "include": "function run() { include '/srv/www/trace-inner.php'; }\nrun();",
    "fiber": f"$f = new Fiber(function () {{ {SLEEP} }});\n$f->start();",
    "fiber_loop": f"$f = new Fiber(function () {{ {LOOP} }});\n$f->start();",
    "error_handler": f"set_error_handler(function () {{ {SLEEP} }});\necho $nothing;",
    "output_buffer": f"ob_start(function ($t) {{ sleep(4); return $t; }});\necho 'x';\nob_end_flush();",
    "shutdown": f"register_shutdown_function(function () {{ echo \"\\n\"; {SLEEP} }});",
}
INNER = f"<?php\nfunction inner() {{ {SLEEP} }}\ninner();"
INTERRUPTED = {name for name, text in SCRIPTS.items() if LOOP in text}

INNERMOST = {"sleep()", "stream_socket_accept()", "fgets()", "exec()", "hash_pbkdf2()",
             "[RUNNING]()"}  # the last one: in a file that is being opened

CALL = re.compile(r"#\d+ +(?:\[internal function\]|(.*)\((\d+)\)): (.*)\(.*\)$")


def own_stack(text):
    """What debug_print_backtrace() printed, as (function, file, line)."""
    found = [CALL.match(line) for line in text.splitlines() if line.startswith("#")]
    return [("[INCLUDE_OR_EVAL]()" if m[3] in ("include", "eval") else m[3] + "()", m[1],
             int(m[2]) if m[2] else None) for m in found]


def loop_line(name):
    """In the file, whose first line is "<?php"."""
    return 2 + SCRIPTS[name][:SCRIPTS[name].index(LOOP)].count("\n")


def frames(trace):
    return [(f["function"], f["file"], f["line"]) for f in trace["frames"]]


class Asked(threading.Thread):
    """A request in the background."""

    def __init__(self, case, pool, script, **options):
        super().__init__(daemon=True)
        self._ask = lambda: case.ask(pool, script, **options)
        self.response = self.error = None
        self.start()

    def run(self):
        try:
            self.response = self._ask()
        except Exception as error:  # looked at by the test
            self.error = error

    def result(self):
        self.join(30)
        if self.error:
            raise self.error
        return self.response


class Traces(GuestCase):
    nginx = False

    @classmethod
    def prepare(cls, guest):
        for name, text in SCRIPTS.items():
            guest.write(f"/srv/www/trace-{name}.php", f"<?php\n{text}\necho 'done';\n")
        guest.write("/srv/www/trace-inner.php", INNER)
        guest.write("/srv/www/trace-calls.php",
                    "<?php $end = microtime(true) + 5; function f($x) { return $x + 1; }\n"
                    "for ($n = 0; microtime(true) < $end;) { $n = f($n); }\necho 'done';")
        # Overwrites a word of its own frame, which a reader follows, and stays; 3 is the function, 6
        # the frame before.
        guest.write("/srv/www/trace-damaged.php", """<?php
$c = FFI::cdef("extern unsigned long executor_globals[400]; unsigned sleep(unsigned s);");
function ruin($c, $at, $word, $value) {
    $p = FFI::new("unsigned long");
    $p->cdata = $c->executor_globals[$at];
    $frame = FFI::cast("unsigned long *", $p);
    $before = $frame[$word];
    $frame[$word] = $value === "self" ? $p->cdata : (int) $value;
    $c->sleep(6);
    $frame[$word] = $before;
}
ruin($c, (int) $_GET["at"], (int) $_GET["word"], $_GET["value"]);
echo "done";
""")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest.run("install", "-d", "-o", "site", "/srv/www/written")

    def started(self, name, **settings):
        self.pool(name, **settings)
        self.assertEqual(self.ask(name, "/hello.php").status, 200)

    def busy(self, pool):
        """By pid and number of the request."""
        return {(w["pid"], w["requests"]): w for w in self.status(pool)["workers"]
                if w["state"] == "running"}

    def begin(self, pool, script):
        """Starts a request; returns it and the pid of the worker that runs it."""
        before = self.busy(pool)
        asked = Asked(self, pool, script)

        def look():
            return [w["pid"] for key, w in self.busy(pool).items()
                    if key not in before and w["script"] == f"/srv/www{script}"]
        return asked, wait_until(look, 15, f"a worker runs {script}")[0]

    def trace(self, pool, pid, check=True):
        done = self.guest.run("fpmctl", "trace", pool, str(pid), "-o", "json", check=check)
        return json.loads(done.stdout) if check else done

    def compare(self, name, trace, response):
        """Against what the script said of itself."""
        self.assertEqual(response.status, 200, name)
        self.assertTrue(response.text.endswith("done") or name == "shutdown", response.text[-300:])
        expected, got = own_stack(response.text), frames(trace)
        script = f"/srv/www/trace-{name}.php"
        self.assertGreater(len(got), 0, name)
        head = got[0]
        if name in INTERRUPTED:
            self.assertEqual(trace["method"], "interrupt", name)
            self.assertEqual(head, ("[RUNNING]()", script, loop_line(name)), name)
            self.assertLess(trace["cost_usec"], 1000, name)
        else:
            self.assertEqual(trace["method"], "read", name)
            self.assertIn(head[0], INNERMOST, name)
        inner = "/srv/www/trace-inner.php" if name == "include" else script
        self.assertEqual(head[1].split("(")[0], inner, name)
        if name != "output_buffer":
            self.assertEqual(got[1:], expected, name)
        return got

    def check_scripts(self, pool, names):
        """They overlap: most of them wait."""
        seen = []
        for name in names:
            asked, pid = self.begin(pool, f"/trace-{name}.php")
            trace = self.trace(pool, pid)
            if name not in INTERRUPTED and trace["method"] == "interrupt":
                trace = self.trace(pool, pid)  # it was on its way to where it waits
            seen.append((name, trace, asked))
        for name, trace, asked in seen:
            with self.subTest(script=name):
                self.compare(name, trace, asked.result())

    def test_frames_are_right(self):
        self.started("right", children=24)
        self.check_scripts("right", SCRIPTS)
        self.assertEqual(self.status("right")["workers_ended"], 0)

    def test_with_opcode_cache_and_jit(self):
        """Functions are in the shared memory, the code is the machine's own."""
        self.started("cached", children=12, php_admin_value__opcache__enable="1",
                     php_admin_value__opcache__jit_buffer_size="16M",
                     php_admin_value__opcache__jit="tracing")
        names = ["class_loop", "class_sleep", "closure", "generator", "deep_loop", "include"]
        self.check_scripts("cached", names[:3] + names)  # some compiled before, and found

    def test_busy_with_calls(self):
        """It moves all the time: the stack is still exact, and costs next to nothing."""
        self.started("calls", children=1)
        asked, pid = self.begin("calls", "/trace-calls.php")
        costs = []
        for _ in range(10):
            trace = self.trace("calls", pid)
            self.assertEqual(trace["method"], "interrupt")
            self.assertIn(frames(trace)[0][0], ("[RUNNING]()", "microtime()"))
            self.assertLessEqual(len(trace["frames"]), 2)
            costs.append(trace["cost_usec"])
        self.assertEqual(asked.result().text, "done")
        self.assertLess(max(costs), 1000)

    def test_nothing_is_cut_short(self):
        """A script that sleeps, reads and connects, traced all the time: no call of it sees anything."""
        self.guest.write("/srv/www/trace-calm.php", """<?php
$begin = microtime(true);
$left = sleep(1);
$p = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
stream_set_timeout($p[0], 1);
$read = fgets($p[0]);
$meta = stream_get_meta_data($p[0]);
$ok = time_nanosleep(0, 300000000);
exec("sleep 0.3", $out, $status);
printf("%s %s %s %s %s %.1f", json_encode($left), json_encode($read), json_encode($meta["timed_out"]),
       json_encode($ok), $status, microtime(true) - $begin);
""")
        self.started("calm", children=1)
        asked, pid = self.begin("calm", "/trace-calm.php")
        n = 0
        while asked.is_alive():
            n += self.trace("calm", pid, check=False).returncode == 0
        words = asked.result().text.split()
        self.assertEqual(words[:5], ["0", "false", "true", "true", "0"])
        self.assertTrue(2.6 <= float(words[5]) < 12, words)
        self.assertGreater(n, 2)

    def test_idle_gone_and_foreign(self):
        """Only what runs a script is read; nothing else is touched."""
        self.started("idle", children=2)
        idle = wait_until(lambda: self.status("idle")["workers"], 5, "workers")[0]["pid"]
        said = self.trace("idle", idle, check=False)
        self.assertNotEqual(said.returncode, 0)
        self.assertIn("runs no script", said.stderr)
        for pid in (1, 999999):
            self.assertNotEqual(self.trace("idle", pid, check=False).returncode, 0)

    def test_forks_go_on_meanwhile(self):
        """Many blocked workers are traced at once; new workers come all the same."""
        self.started("fork", pm="ondemand", children=24)
        begun = [self.begin("fork", "/trace-sleep.php") for _ in range(4)]
        done = []
        threads = [threading.Thread(target=lambda pid=pid: done.append(self.trace("fork", pid, False)))
                   for _, pid in begun for _ in range(2)]
        start = time.monotonic()
        for t in threads:
            t.start()
        self.assertEqual(self.ask("fork", "/hello.php").status, 200)
        self.assertLess(time.monotonic() - start, 10)
        for t in threads:
            t.join()
        self.assertEqual(len(done), 8)
        for asked, _ in begun:
            self.assertTrue(asked.result().text.endswith("done"))

    def test_damaged_memory(self):
        """What a reader would follow is nonsense: it says so, and the template lives on."""
        self.started("damaged", children=6, php_admin_value__ffi__enable="1")
        manager, templates, _ = self.pids("damaged")
        at = word_of_current_frame()
        cases = [(word, value) for word in (3, 6) for value in
                 ("8", "4096", "-8", str(0x4141414141414140), str(0x7ffffffff000))] + [(6, "self")]
        for i in range(0, len(cases), 6):
            before = {w["pid"] for w in self.status("damaged")["workers"]}
            asked = [Asked(self, "damaged", "/trace-damaged.php",
                           query=f"at={at}&word={word}&value={value}")
                     for word, value in cases[i:i + 6]]
            busy = wait_until(
                lambda n=len(asked): (lambda w: w if len(w) == n and all(
                    one["script"] for one in w.values()) else None)(self.busy("damaged")),
                5.5, "all of them run")
            for worker in busy.values():
                trace = self.trace("damaged", worker["pid"])
                names = [f["function"] for f in trace["frames"]]
                self.assertEqual(names[0], "FFI->sleep()")
                if "self" in worker["uri"]:
                    self.assertEqual(set(names[1:]), {"ruin()"})
                    self.assertGreater(trace["more"] + len(names), 50)
                else:
                    self.assertIn("???()", names, worker["uri"])
            for one in asked:
                self.assertEqual(one.result().text, "done")
            self.assertEqual({w["pid"] for w in self.status("damaged")["workers"]}, before)
        self.assertEqual(self.pids("damaged")[:2], (manager, templates))


def word_of_current_frame():
    """Where in PHP's globals the pointer to the present frame is."""
    includes = subprocess.run(["php-config8.2", "--includes"], check=True, capture_output=True,
                              text=True).stdout.split()
    source = """
#include <php.h>
const unsigned long at = offsetof(zend_executor_globals, current_execute_data) / sizeof(long);
"""
    assembler = subprocess.run(["cc", "-w", *includes, "-S", "-x", "c", "-", "-o", "-"], check=True,
                               input=source, capture_output=True, text=True).stdout
    return int(re.search(r"^at:\s+\.quad\s+(\d+)", assembler, re.MULTILINE)[1])


if __name__ == "__main__":
    main()
