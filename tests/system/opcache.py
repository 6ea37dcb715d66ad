"""sandbox.opcache = private: what hostile code in one worker writes is seen by no other; and OPcache
goes on working: preloaded scripts, the JIT compiler, restarts, figures."""

import json
import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import fastcgi
from background import Background
from suite import GuestCase, alive, in_parallel, inner_pid, load, main, message_id, wait_until

# Finds a text in the memory where OPcache keeps scripts, by the mapping, and writes another.
POISON = r"""<?php
$c = FFI::cdef('
    void *memmem(const void *hay, size_t n, const void *needle, size_t k);
    void *memcpy(void *to, const void *from, size_t n);
    int mprotect(void *at, size_t n, int protection);');
$found = 0;
$needle = strrev('ehcac eht fo olleH');
foreach (file('/proc/self/maps') as $line) {
    if (!preg_match('/^(\w+)-(\w+) (r...)/', $line, $m) || strpos($line, '[') || strpos($line, '.so'))
        continue;
    [$at, $end] = [hexdec($m[1]), hexdec($m[2])];
    if ($end - $at < (64 << 20))
        continue;
    $n = 16 << 20;
    $c->mprotect(FFI::cast('void *', $at), $end - $at, 3);
    for ($hit = $at; $hit = $c->memmem(FFI::cast('void *', $hit), $at + $n - $hit, $needle, 18); ) {
        $c->memcpy($hit, 'HACKS', 5);
        $hit = FFI::cast('uintptr_t', $hit)->cdata;
        $found++;
    }
}
echo "$found ", getmypid();
"""

# Requests that come at once reach different workers only while each takes its time.
PAUSE = "usleep(60000);"

VICTIM = "<?php function greet() { return 'Hello of the cache'; } echo greet(), ' ', getmypid(); " + PAUSE

# Holds OPcache's locks for writing, and says so before it goes on holding them, until it is told.
LOCK = r"""<?php
$c = FFI::cdef('
    struct flock { short type; short whence; long start; long length; int pid; };
    int fcntl(int fd, int command, struct flock *lock);');
$lock = $c->new('struct flock');
$lock->type = 1;
$lock->length = 4096;
$n = 0;
foreach (scandir('/proc/self/fd') as $fd)
    if (preg_match('~/\.ZendSem\.|opcache_lock~', @readlink("/proc/self/fd/$fd") ?: ''))
        $n += $c->fcntl((int)$fd, 6, FFI::addr($lock)) === 0;
echo $n, ' ', getmypid();
fastcgi_finish_request();
for ($i = 0; $i < 6000 && !file_exists('/srv/www/released'); $i++)
    usleep(10000);
"""

COUNT = r"""<?php
function work($n) { $s = 0; for ($i = 0; $i < $n; $i++) $s = ($s * 31 + $i) % 65521; return $s; }
$before = opcache_get_status(false)['jit']['buffer_free'] ?? 0;
$result = work(200000);
$s = opcache_get_status(false);
echo json_encode(['result' => $result, 'jit' => $s['jit']['on'] ?? false,
                  'code' => $s['jit']['buffer_size'] - $s['jit']['buffer_free'],
                  'preloaded' => function_exists('preloaded') ? preloaded() : null,
                  'scripts' => $s['opcache_statistics']['num_cached_scripts']]), ' ', getmypid();
""" + PAUSE


class Lock(GuestCase):
    """Of the memory that the workers of a generation share."""
    nginx = False

    @classmethod
    def prepare(cls, guest):
        guest.write("/srv/www/reset.php", "<?php echo json_encode(opcache_reset());")
        guest.write("/srv/www/restarts.php", "<?php $s = opcache_get_status(false);"
                    "echo json_encode([$s['opcache_enabled'], $s['restart_pending'],"
                    " $s['opcache_statistics']['manual_restarts']]);")

    def locks(self, pids):
        """What the kernel knows of POSIX locks of processes: (kind, first byte) of each."""
        found = []
        for line in open("/proc/locks"):
            words = line.split()
            if words[1] == "POSIX" and int(words[4]) in pids:
                found.append((words[3], int(words[6])))
        return found

    def test_use_is_no_lock_of_the_kernel(self):
        self.pool("free", children=2)
        in_parallel(2, lambda i: self.ask("free", "/wait.php", query="ms=100"))
        wait_until(lambda: self.status("free")["idle"] == 2, 5, "both workers are there, and idle")
        with ThreadPoolExecutor(1) as executor:
            running = executor.submit(self.ask, "free", "/gate.php", **self.close_gate("free"))
            wait_until(lambda: self.status("free")["active"] == 1, 5, "the script runs")
            time.sleep(0.2)
            locks = self.locks(set(self.pids("free")[2]))
            self.assertEqual(self.status("free")["active"], 1)
            self.open_gate("free")
            running.result()
        # A byte for the life of each worker, none for the request.
        self.assertEqual(sorted(locks), [("WRITE", 4096), ("WRITE", 4097)])

    def test_a_restart_in_place_waits_for_all_users(self):
        """Where no new generation can come. Workers die with and without a mark meanwhile."""
        ini = self.guest.path("/etc/place.ini")
        shutil.copy(self.guest.path("/etc/php/8.2/fpm/php.ini"), ini)
        self.pool("place", children=8, php_ini="/etc/place.ini")
        for _ in range(8):
            in_parallel(8, lambda i: self.ask("place", "/wait.php", query="ms=20"))
        ini.unlink()
        restarts = 0
        with load(self.socket("place"), "/srv/www/load.php", clients=6, seconds=60, ids=True,
                  query="ms=2", pause=(0.01, 0.08)) as running:
            for round in range(3):
                time.sleep(1)
                killed = self.pids("place")[2][:2]
                for worker in killed:
                    os.kill(worker, 9)
                wait_until(lambda pids=killed: not any(map(alive, pids)), 10, "they have ended")
                self.assertEqual(self.ask("place", "/reset.php").text, "true")
                restarts = wait_until(lambda n=round: (told := json.loads(self.ask(
                    "place", "/restarts.php").text)) and told[0] and told[2] > n and told[2], 40,
                    "the cache began anew in its place")
            result = running.stop()
        self.assertGreaterEqual(restarts, 3)
        # Those that ran in the workers that were killed, and no other.
        self.assertLessEqual(result["failed"], 6, result)
        self.assertEqual(result.get("wrong", 0), 0, result)
        self.assertGreater(result["ok"], 100)
        self.assertEqual({w["generation"] for w in self.status("place")["workers"]}, {1})


class Private(GuestCase):
    nginx = False

    @classmethod
    def prepare(cls, guest):
        guest.enable_extensions("apcu")
        for name, text in {"poison": POISON, "victim": VICTIM, "lock": LOCK, "count": COUNT,
                           "user": "<?php apcu_add('n', 0); apcu_inc('n'); echo apcu_fetch('n'), ' ',"
                                   " getmypid(); " + PAUSE,
                           "locked": "<?php echo opcache_is_script_cached(__FILE__) ? 'with ' : "
                                     "'without ', getmypid();",
                           "reset": "<?php var_dump(opcache_reset());",
                           "preload": "<?php function preloaded() { return 'preloaded'; }"}.items():
            guest.write(f"/srv/www/{name}.php", text)
            os.utime(guest.path(f"/srv/www/{name}.php"), (1e9, 1e9))

    def cache(self, name, opcache="private", children=3, **settings):
        self.pool(name, children=children, php_admin_value__ffi__enable="1",
                  **{"sandbox.opcache": opcache},
                  **{f"php_admin_value__opcache.{key}": value for key, value in settings.items()})

    def visit(self, name, script, n):
        """Answers by worker, until n workers have answered."""
        answers = {}

        def look():
            for answer in in_parallel(n, lambda i: self.ask(name, script).text):
                text, pid = answer.rsplit(" ", 1)
                answers[pid] = text
            return len(answers) >= n
        wait_until(look, 10, f"{n} workers answer")
        return answers

    def generation(self, name):
        return max(int(w["generation"]) for w in self.status(name)["workers"])

    def test_shared_memory_reaches_the_sibling(self):
        """What private is there against; else the next case proves nothing."""
        self.cache("shared", opcache="shared", children=1)
        self.assertIn("Hello", self.ask("shared", "/victim.php").text)
        found, pid = self.ask("shared", "/poison.php").text.split()
        self.assertGreater(int(found), 0)
        os.kill(self.outer("shared", pid), 9)
        text, other = wait_until(lambda: self.answer("shared"), 10, "another worker").rsplit(" ", 1)
        self.assertNotEqual(other, pid)
        self.assertEqual(text, "HACKS of the cache")

    def test_private_memory_reaches_nobody(self):
        for name, settings in (("alone", {}), ("protected", {"protect_memory": "1"}),
                               ("jitted", {"jit": "tracing", "jit_buffer_size": "16M"})):
            with self.subTest(name):
                self.cache(name, children=2, **settings)
                greetings = self.visit(name, "/victim.php", 2)
                self.assertEqual(set(greetings.values()), {"Hello of the cache"})
                found, pid = self.ask(name, "/poison.php").text.split()
                self.assertGreater(int(found), 0)
                wait_until(lambda: self.visit(name, "/victim.php", 2)[pid] == "HACKS of the cache", 5,
                           "the worker itself sees it")
                for _ in range(5):
                    greetings = self.visit(name, "/victim.php", 2)
                    self.assertEqual({p: t for p, t in greetings.items() if t.startswith("HACKS")},
                                     {pid: "HACKS of the cache"})
                os.kill(self.outer(name, pid), 9)
                wait_until(lambda: self.answer(name), 10, "the pool serves")
                fresh = wait_until(lambda: (v := self.visit(name, "/victim.php", 2))
                                   and pid not in v and v, 10, "another worker")
                self.assertEqual(set(fresh.values()), {"Hello of the cache"})

    def outer(self, name, pid):
        # Who has answered may have been faster than the manager in reading its name.
        return wait_until(lambda: [p for p in self.pids(name)[2] if inner_pid(p) == int(pid)], 5,
                          f"worker {pid}")[0]

    def answer(self, name):
        try:
            text = self.ask(name, "/victim.php").text
        except OSError:
            return None
        return text if " of the cache" in text else None

    def test_nobody_can_hold_the_lock_of_another(self):
        """OPcache waits for its lock before it puts a script into its memory."""
        for opcache, waits in (("shared", True), ("private", False)):
            with self.subTest(opcache):
                name = f"locks-{opcache}"
                released = self.guest.path("/srv/www/released")
                released.unlink(missing_ok=True)
                self.cache(name, opcache=opcache, children=2)
                self.visit(name, "/victim.php", 2)
                n, pid = self.ask(name, "/lock.php").text.split()
                self.assertEqual(int(n), 1)
                call = Background(self.ask, name, "/locked.php")
                try:
                    if waits:
                        wait_until(lambda n=name: self.status(n)["active"] == 2, 5, "both scripts run")
                        time.sleep(0.5)
                        self.assertTrue(call.is_alive(), "it waits for the lock")
                    else:
                        call.result()
                        wait_until(lambda n=name: self.status(n)["active"] == 1, 5,
                                   "the lock is held still, and the other script is over")
                finally:
                    released.touch()
                text, other = call.result().text.split()
                self.assertNotEqual(other, pid)
                self.assertEqual(text, "with")

    def test_the_jit_compiler_and_preloaded_scripts(self):
        for name, settings in (("tracing", {"jit": "tracing", "jit_buffer_size": "16M"}),
                               ("function", {"jit": "function", "jit_buffer_size": "16M"}),
                               ("none", {"jit_buffer_size": "0"})):
            with self.subTest(name):
                self.cache(name, children=2, preload="/srv/www/preload.php", **settings)
                for text in self.visit(name, "/count.php", 2).values():
                    a = json.loads(text)
                    self.assertEqual((a["result"], a["preloaded"]), (47406, "preloaded"))
                    self.assertEqual(a["jit"], name != "none")
                    self.assertEqual(a["code"] > 1000, name != "none", a)
                    self.assertLessEqual(a["scripts"], 3)

    def test_figures_are_those_of_all_workers(self):
        self.cache("figures", children=2)
        self.visit("figures", "/victim.php", 2)
        time.sleep(1.1)
        self.visit("figures", "/victim.php", 2)

        def look():
            return json.loads(self.guest.run("fpmctl", "opcache", "figures", "status", "-o",
                                             "json").stdout)
        # Of both: one worker has less than 200 MB.
        status = wait_until(lambda: (s := look()).get("misses", 0) >= 2 and s["scripts"] >= 2
                            and s["free_bytes"] + s["used_bytes"] > 200 << 20 and s, 10, "the figures")
        before = status["hits"] + status["misses"]
        pid = next(iter(self.visit("figures", "/victim.php", 2)))
        os.kill(self.outer("figures", pid), 9)
        wait_until(lambda: self.answer("figures"), 10, "the pool serves")
        wait_until(lambda: (s := look()).get("hits", 0) + s.get("misses", 0) >= before, 5,
                   "what the dead one had counted is among them")

    def test_a_full_cache_begins_anew_in_its_worker(self):
        self.cache("full", children=1, memory_consumption="8", interned_strings_buffer="1",
                   max_wasted_percentage="1", revalidate_freq="0", file_update_protection="0",
                   jit_buffer_size="0")
        path = self.guest.path("/srv/www/large.php")
        for i in range(60):
            self.guest.write("/srv/www/large.php", "<?php\n" + "".join(
                f"function f{k}() {{ return [{k}, {i}, 'text of {k}']; }}\n"
                for k in range(1500)) + "echo f7()[1];")
            os.utime(path, (1e9 + i, 1e9 + i))
            self.assertEqual(self.ask("full", "/large.php").text, str(i))
        self.guest.write("/srv/www/restarts.php", "<?php $s = opcache_get_status(false);"
                         "echo array_sum(array_intersect_key($s['opcache_statistics'], "
                         "['oom_restarts' => 1, 'hash_restarts' => 1]));")
        self.assertGreater(int(self.ask("full", "/restarts.php").text), 0)
        time.sleep(1.1)
        self.ask("full", "/hello.php")
        self.assertEqual(self.generation("full"), 1)

    def test_a_reset_is_one_of_all_workers(self):
        self.cache("reset", children=2, validate_timestamps="0", file_update_protection="0")
        self.guest.write("/srv/www/version.php", "<?php echo 'old ', getmypid(); " + PAUSE)
        self.visit("reset", "/version.php", 2)
        self.guest.write("/srv/www/version.php", "<?php echo 'new ', getmypid(); " + PAUSE)
        self.assertEqual(set(self.visit("reset", "/version.php", 2).values()), {"old"})
        self.assertIn("true", self.ask("reset", "/reset.php").text)
        wait_until(lambda: {w["generation"] for w in self.status("reset")["workers"]} == {2}, 10,
                   "a new generation")
        self.assertEqual(set(self.visit("reset", "/version.php", 2).values()), {"new"})
        self.wait_record(POOL="reset", MESSAGE_ID=message_id("CACHE_RENEWED"))

    def test_what_does_not_go_with_it_is_refused(self):
        for name, setting, value in (("files", "file_cache", "/tmp"),
                                     ("model", "preferred_memory_model", "posix")):
            with self.subTest(name):
                self.cache(name, **{setting: value})
                done = self.guest.systemctl("start", f"fpmd@{name}.service", check=False)
                self.assertNotEqual(done.returncode, 0)
                self.wait_record(POOL=name, where=lambda r: "sandbox.opcache = private does not go "
                                 f"with opcache.{setting}" in r["MESSAGE"])

    def test_call_stacks_are_those_of_the_worker(self):
        """The template reads them at addresses where its own memory has something else."""
        self.guest.write("/srv/www/doze.php", "<?php function doze($n) { usleep($n); } doze(5000000);")
        os.utime(self.guest.path("/srv/www/doze.php"), (1e9, 1e9))
        self.cache("stacks", children=1)
        self.ask("stacks", "/victim.php")
        with fastcgi.Connection(self.socket("stacks")) as slow:
            slow.send(fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, fastcgi.pairs(
                fastcgi.script_params("/doze.php"))) + fastcgi.record(fastcgi.STDIN))
            pid = wait_until(lambda: [w["pid"] for w in self.status("stacks")["workers"]
                                      if w["state"] == "running" and "doze" in w["uri"]], 5,
                             "the script runs")[0]
            # It may be on its way to the sleep.
            wait_until(lambda: re.search(r"usleep\(.*\n.*doze\(\).*/srv/www/doze\.php:1",
                                         self.guest.run("fpmctl", "trace", "stacks", pid).stdout), 4,
                       "its stack")

    def test_memory_of_other_extensions_stays_shared(self):
        self.cache("others", children=2)
        self.visit("others", "/user.php", 2)
        counts = {int(text) for text in self.visit("others", "/user.php", 2).values()}
        self.assertGreaterEqual(min(counts), 2)
        self.assertGreaterEqual(max(counts), 4)

    def test_in_a_narrow_profile(self):
        self.pool("narrow", children=2, **{
            "sandbox.opcache": "private", "sandbox.seccomp": "strict", "sandbox.exec": "no",
            "sandbox.syscalls": "-@memfd", "sandbox.read": "/srv/www", "sandbox.write": "/srv/www",
            "sandbox.exec_paths": '"none"', "sandbox.tcp_connect": '"none"'})
        self.assertEqual(len(self.visit("narrow", "/victim.php", 2)), 2)

    def test_without_opcache(self):
        self.cache("without", enable="0")
        self.assertEqual(self.ask("without", "/hello.php").text, "Hello World\n")


if __name__ == "__main__":
    main()
