"""What follows when the machine has no more of something, or a step of the confinement fails: one clear record, and the
service goes on or refuses; nothing runs half confined.

Calls fail by strace(1), which reports an error in place of the kernel. What has to be right is the same for
all: the pool serves in the end, nothing of the failed try is left, and each process that serves is confined as one
that was started without a fault.
"""

import os
import re
import time

import fastcgi
from injection import Fault, Tracing, confinement, files_at_most
from suite import (GuestCase, alive, executable, inner_pid, main, message_id, wait_until,
                   write_pool)

HELLO = "Hello World\n"
POOL = "faulty"


class FaultCase(GuestCase):
    nginx = False
    passed = False
    running = None  # the settings of the pool that the cases before have left, whole
    whole = None    # how its processes are confined

    def setUp(self):
        super().setUp()
        self.addCleanup(self._leave)

    def _leave(self):
        if not self.passed:
            type(self).running = None

    def start(self, **settings):
        """A pool, perhaps that of the case before."""
        cls, settings = type(self), {"user": "site", **settings}
        self.passed = False
        if cls.running != settings:
            self._remove_pool(POOL)
            write_pool(self.guest, POOL, **settings)
            self.guest.systemctl("start", f"fpmd@{POOL}.socket")
            self.assertEqual(self.ask(POOL, "/hello.php").text, HELLO)
            self.manager, self.templates, self.workers = self.full(POOL)
            cls.whole = confinement(self.templates[0]), confinement(self.workers[0])
            cls.running = settings
        self.look()
        self.generation = self.status(POOL)["generation"]
        self.guest.run("journalctl", "--sync", check=False)  # what was sent before is of the case before
        self.since = time.time()

    def look(self):
        self.manager, self.templates, self.workers = self.pids(POOL)

    def reload(self):
        """(whether it was done, what fpmctl says)."""
        done = self.guest.run("fpmctl", "reload", POOL, check=False)
        return done.returncode == 0, (done.stdout + done.stderr).strip()

    def own_records(self, worst=4):
        """What the pool's processes have said, of this priority or worse; without duplicates."""
        return [r for r in self.records(POOL=POOL)
                if r.get("SYSLOG_IDENTIFIER") != "systemd" and int(r["PRIORITY"]) <= worst]

    def assert_recorded(self, name, text, once=True):
        self.wait_record(POOL=POOL, MESSAGE_ID=message_id(name),
                         where=lambda r: re.search(text, r["MESSAGE"]))
        found = self.matching(name, text)
        if once:
            self.assertEqual(len(found), 1, [r["MESSAGE"] for r in self.own_records()])
        return found[0]

    def matching(self, name, text):
        return [r for r in self.records(POOL=POOL, MESSAGE_ID=message_id(name))
                if re.search(text, r["MESSAGE"])]

    def processes(self):
        return [p for p in self.guest.processes(f"fpmd@{POOL}.service") if alive(p)]

    def assert_whole(self, workers=2):
        """As many processes as there should be, each as confined as those of a pool without faults."""
        def settled():
            status = self.status(POOL)
            self.look()
            runtime = [p for p in self.processes() if executable(p).startswith("php")]
            # Those of the generation before serve until the next one does.
            return ({w["generation"] for w in status["workers"]} <= {status["generation"]}
                    and len(status["workers"]) == workers and status["idle"] == workers
                    and len(self.templates) == 1 and len(runtime) == workers + 1)
        wait_until(settled, 10, "one template and its workers", step=0.05)
        self.assertEqual(confinement(self.templates[0]), self.whole[0])
        for pid in self.workers:
            self.assertEqual(confinement(pid), self.whole[1])
        self.assertEqual(self.ask(POOL, "/hello.php").text, HELLO)
        self.passed = True

    def assert_refused(self, said, text):
        """A reload: what served goes on, and the reason is said on the terminal and in one record."""
        done, words = said
        self.assertFalse(done, words)
        self.assertRegex(words, text)
        self.assert_recorded("RELOAD_REFUSED", text)
        before = self.templates, self.workers
        self.assert_whole()
        self.assertEqual((self.templates, self.workers), before)


def case_name(text):
    return "test_" + re.sub(r"\W+", "_", text)


# ---- between fork and exec, and before the language starts ----

# name: (call, what its line has in strace's log, how it fails, what the reload is refused for).
# "retval=0": the call says that it has done it, and has not.
STEPS = {
    "limit of files": ("prlimit64", "RLIMIT_NOFILE, {", "error=EPERM", r"step rlimits"),
    "limit of core dumps": ("prlimit64", "RLIMIT_CORE, {", "error=EPERM", r"step rlimits"),
    "groups": ("setgroups", "", "error=EPERM", r"step groups"),
    "groups that stay": ("setgroups", "", "retval=0", r"step groups"),
    "group": ("setresgid", "", "error=EPERM", r"step gid"),
    "a group that stays": ("setresgid", "", "retval=0", r"step gid"),
    "user": ("setresuid", "", "error=EAGAIN", r"step uid"),
    "a user that stays": ("setresuid", "", "retval=0", r"step uid"),
    "standard descriptors": ("dup2", "", "error=EMFILE", r"step fds"),
    "closing the rest": ("close_range", "", "error=EPERM", r"step fds"),
    "no program": ("execve", "", "error=ENOENT", r"step exec"),
    "a program that may not run": ("execve", "", "error=EACCES", r"step exec"),
    "a program that is being written": ("execve", "", "error=ETXTBSY", r"step exec"),
    "working directory": ("chdir", "", "error=EACCES", r"step chdir"),
    "the filter of the template": ("seccomp", "SECCOMP_SET_MODE_FILTER, 0", "error=ENOMEM",
                                   r"system call filter"),
}
# Those that a child which looks up users takes as well: tried when a template that has died is
# replaced, which reads no file.
LATER_STEPS = {
    "ambient capabilities": ("prctl", "PR_CAP_AMBIENT_CLEAR_ALL", "error=EPERM", r"step capabilities"),
    "capabilities": ("capset", "", "error=EPERM", r"step capabilities"),
    "capabilities that stay": ("capset", "", "retval=0", r"step capabilities"),
    "capabilities that cannot be read": ("capget", "", "error=EPERM", r"step capabilities"),
    "no new privileges": ("prctl", "PR_SET_NO_NEW_PRIVS", "error=EINVAL", r"step no-new-privs"),
}
PATHS = {"sandbox.read": "/srv/www", "sandbox.write": "/srv/site"}
# Of a pool with paths.
LANDLOCK_STEPS = {
    "a set of rules": ("landlock_create_ruleset", "{handled", "error=EINVAL", r"[Ll]andlock|paths"),
    "a rule": ("landlock_add_rule", "", "error=EINVAL", r"[Ll]andlock|paths"),
    "the layer of the template": ("landlock_restrict_self", "", "error=E2BIG", r"[Ll]andlock|paths"),
}


class Steps(FaultCase):
    """Steps of a template that fail: the new generation is refused, the old one serves."""

    tracing = None
    settings = {}

    def setUp(self):
        super().setUp()
        self.guest.run("install", "-d", "-o", "site", "/srv/site")
        self.start(**self.settings)

    def traced(self, table):
        """What the processes of a reload call, once for all cases."""
        cls = type(self)
        if not cls.tracing:
            calls = sorted({step[0] for step in table.values()} | {"execve"})
            with Tracing(self.guest, self.manager, calls, children=True) as cls.tracing:
                self.assertTrue(self.reload()[0])
            self.assert_whole()
        return cls.tracing

    def fault(self, table, name):
        call, what, error, text = table[name]
        number = self.traced(table).index(call, what, near="execve(")
        self.assertIsNotNone(number, f"no {call} with {what}:\n{self.tracing.log}")
        return Fault(self.guest, self.manager, f"{call}:{error}:when={number}", children=True), text

    def check_reload(self, table, name):
        fault, text = self.fault(table, name)
        with fault:
            said = self.reload()
        self.assertTrue(fault.hits())
        self.assert_refused(said, text)


class Reloads(Steps):
    pass


for step_name in STEPS:
    setattr(Reloads, case_name(step_name),
            lambda self, name=step_name: self.check_reload(STEPS, name))


class Paths(Steps):
    settings = PATHS


for step_name in LANDLOCK_STEPS:
    setattr(Paths, case_name(step_name),
            lambda self, name=step_name: self.check_reload(LANDLOCK_STEPS, name))


class Replacements(Steps):
    def setUp(self):
        type(self).running = None  # the distances between tries grow
        super().setUp()

    def check(self, name):
        fault, text = self.fault(LATER_STEPS, name)
        self.generation = self.status(POOL)["generation"]  # tracing took another one
        with fault:
            self.guest.run("kill", "-KILL", inner_pid(self.templates[0]))
            self.wait_record(POOL=POOL, MESSAGE_ID=message_id("TEMPLATE_EXITED"),
                             where=lambda r: re.search(text, r["MESSAGE"]))
        self.assertTrue(fault.hits())
        # Once for each try: on a busy machine there may have been a second one.
        text = "cannot be replaced, trying again: .*" + text
        wait_until(lambda: len(self.matching("RELOAD_REFUSED", text)) >= len(fault.hits()), 5, "a record")
        self.assertEqual(len(self.matching("RELOAD_REFUSED", text)), len(fault.hits()))
        wait_until(lambda: self.status(POOL)["generation"] > self.generation, 10, "another template")
        self.assert_whole()


for step_name in LATER_STEPS:
    setattr(Replacements, case_name(step_name), lambda self, name=step_name: self.check(name))


# ---- workers ----

# name: (call, how, the name of the exit status).
WORKER_STEPS = {
    "standard descriptors": ("dup2", "error=EMFILE", "fds"),
    "scoreboard": ("mmap", "error=ENOMEM", "scoreboard"),
    "layer": ("landlock_restrict_self", "error=EPERM", "landlock"),
    "a set of rules": ("landlock_create_ruleset", "error=ENOMEM", "landlock"),
    "filter": ("seccomp", "error=EFAULT", "seccomp"),
    "events": ("epoll_create1", "error=EMFILE", "events"),
}


class Workers(FaultCase):
    """Steps of workers that fail: none of them serves, those that are there do."""

    def check(self, name):
        call, how, step = WORKER_STEPS[name]
        self.start()
        victim, other = self.workers
        with Fault(self.guest, self.templates[0], f"{call}:{how}:when=1", children=True) as fault:
            self.guest.run("kill", "-KILL", inner_pid(victim))
            self.wait_record(POOL=POOL, MESSAGE_ID=message_id("WORKER_EXITED"),
                             where=lambda r: f"({step})" in r["MESSAGE"])
            for _ in range(5):
                self.assertEqual(self.ask(POOL, "/hello.php").text, HELLO)
            self.look()
            self.assertIn(other, self.workers)
        self.assertTrue(fault.hits())
        self.assert_whole()


for step_name in WORKER_STEPS:
    setattr(Workers, case_name(step_name), lambda self, name=step_name: self.check(name))


# ---- what the machine has no more of ----

# name: (call of the manager, its number in a reload, how, what the reload is refused for).
SCARCE = {
    "processes": ("clone", 2, "error=EAGAIN", r"runtime php\S+ cannot be started: Resource temp"),
    "memory for a process": ("clone", 2, "error=ENOMEM", r"runtime php\S+ cannot be started: Cannot alloc"),
    "processes to look up users": ("clone", 1, "error=EAGAIN", r"user database.*Resource temporarily"),
    "files of the system": ("memfd_create", 1, "error=ENFILE", r"cannot be started: Too many open files"),
    "space for a file": ("write", 1, "error=ENOSPC", r"cannot be started: No space left"),
    "descriptors for a link": ("socketpair", 1, "error=EMFILE", r"cannot be started: Too many open"),
    "descriptors for output": ("pipe2", 2, "error=EMFILE", r"cannot be started: Too many open"),
    "memory for events": ("epoll_ctl", 2, "error=ENOMEM", r"cannot be started: Cannot allocate"),
    "files for a slot": ("memfd_create", 2, "error=ENFILE", r"workers could not be ordered: Too many"),
    "memory for a slot": ("mmap", 1, "error=ENOMEM", r"workers could not be ordered: Cannot allocate"),
    "space for a slot": ("ftruncate", 1, "error=ENOSPC", r"workers could not be ordered: No space"),
    "links of workers": ("socketpair", 2, "error=EMFILE", r"workers could not be ordered: Too many"),
    "room for the order": ("sendmsg", 1, "error=ENOBUFS", r"workers could not be ordered: No buffer"),
}


class Scarcity(FaultCase):
    """A reload while something cannot be had: refused for one reason, said once."""

    def check(self, name):
        call, number, how, text = SCARCE[name]
        self.start()
        before = len(os.listdir(f"/proc/{self.manager}/fd"))
        with Fault(self.guest, self.manager, f"{call}:{how}:when={number}") as fault:
            said = self.reload()
        self.assertTrue(fault.hits())
        self.assert_refused(said, text)
        # Nothing of the try is left (a porter may have come), and nothing else was said.
        others = [r["MESSAGE"] for r in self.own_records()
                  if r["MESSAGE_ID"] not in (message_id("RELOAD_REFUSED"), message_id("CONFIG_ERROR"))]
        self.assertEqual(others, [])
        wait_until(lambda: len(os.listdir(f"/proc/{self.manager}/fd")) <= before + 4, 5, "descriptors")

    def test_an_answer_that_cannot_be_sent(self):
        """Who waits for it is told that there is none, before the time for it is over."""
        self.start()
        with Fault(self.guest, self.manager, "sendmsg:error=ENOBUFS") as fault:
            done = self.guest.run("fpmctl", "status", POOL, check=False)
        self.assertTrue(fault.hits())
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("without an answer", done.stderr)  # not that the time for one is over
        self.assert_whole()


for step_name in SCARCE:
    setattr(Scarcity, case_name(step_name), lambda self, name=step_name: self.check(name))


class Limits(FaultCase):
    """Limits that are really reached, and go away again."""

    def test_a_manager_without_descriptors(self):
        """What serves goes on serving; one record, not one for each try; it mends itself."""
        self.start()
        # Without a porter one of the clients below that is slow would wait for the manager.
        silent = fastcgi.Connection(self.socket(POOL))
        self.addCleanup(silent.close)
        wait_until(lambda: any(executable(pid) == "fpmd-porter" for pid in
                               self.guest.processes(f"fpmd@{POOL}.service")), 5, "a porter")
        with files_at_most(self.guest, self.manager, 1):
            self.guest.run("kill", "-KILL", inner_pid(self.workers[0]))
            self.wait_record(POOL=POOL, MESSAGE_ID=message_id("WORKERS_MISSING"))
            end = time.monotonic() + 2.5
            while time.monotonic() < end:
                self.assertEqual(self.ask(POOL, "/hello.php").text, HELLO)
                time.sleep(0.1)
            record = self.assert_recorded("WORKERS_MISSING", r"cannot be started: Too many open files")
            self.assertEqual(record["GENERATION"], str(self.generation))
        self.assert_whole()

    def test_a_template_that_cannot_fork(self):
        self.start()
        with Fault(self.guest, self.templates[0], "clone:error=EAGAIN") as fault:
            self.guest.run("kill", "-KILL", inner_pid(self.workers[0]))
            end = time.monotonic() + 1.5
            while time.monotonic() < end:
                self.assertEqual(self.ask(POOL, "/hello.php").text, HELLO)
                time.sleep(0.1)
            wait_until(fault.hits, 10, "a fork that failed")
        self.assert_recorded("WORKERS_MISSING", r"[Cc]annot be forked: Resource temporarily", once=False)
        self.assertLess(len(self.own_records()), 20)
        self.assert_whole()

    def test_a_worker_without_descriptors(self):
        """The kernel would wake it for each connection, in place of others: it is replaced."""
        self.start()
        for pid in self.workers:
            self.ask(POOL, "/hello.php")
            with Fault(self.guest, pid, "accept4:error=EMFILE") as fault:
                for _ in range(10):
                    self.assertEqual(self.ask(POOL, "/hello.php", timeout=10).text, HELLO)
            if fault.hits():
                break
        self.assertTrue(fault.hits())
        self.assertLess(len(fault.hits()), 4)
        def told():
            return [r for r in self.own_records() if "Cannot accept a connection, leaving" in r["MESSAGE"]]
        told = wait_until(told, 5, "a record")
        self.assertEqual(len(told), 1, self.own_records())
        wait_until(lambda: not alive(pid), 10, "the worker has gone")
        self.assert_whole()


# ---- disks and the journal ----

class Disks(FaultCase):
    def fill(self, path):
        """Makes a small file system there and fills it."""
        self.guest.run("mkdir", "-p", path)
        self.guest.run("mount", "-t", "tmpfs", "-o", "size=64k,mode=1777", "full", path)
        self.addCleanup(self.guest.run, "umount", "-l", path)
        self.guest.run("sh", "-c", f"cat /dev/zero >{path}/filler", check=False)

    def no_room_in_run(self):
        size = self.guest.run("stat", "-f", "-c", "%b %f %S", "/run").stdout.split()
        blocks, free, block = map(int, size)
        self.guest.run("mount", "-o", f"remount,size={(blocks - free + 1) * block}", "/run")
        self.addCleanup(self.guest.run, "mount", "-o", f"remount,size={blocks * block}", "/run")
        self.addCleanup(self.guest.run, "rm", "-f", "/run/filler")

        def is_full():  # others may give something back meanwhile
            self.guest.run("sh", "-c", "cat /dev/zero >>/run/filler", check=False)
            return self.guest.run("stat", "-f", "-c", "%a", "/run").stdout.strip() == "0"
        wait_until(is_full, 10, "no room in /run")

    def test_no_space_in_run(self):
        """A pool starts, serves, reloads and stops while nothing can be written there."""
        type(self).running = None
        self.no_room_in_run()
        self.start()
        self.assertEqual(self.reload()[0], True)
        self.assertEqual(self.own_records(), [])
        self.assert_whole()
        self.guest.systemctl("restart", f"fpmd@{POOL}.service")
        self.assertEqual(self.ask(POOL, "/hello.php").text, HELLO)

    def test_a_start_that_fails_without_space_in_run(self):
        """How often it has failed cannot be noted then; it waits all the same."""
        self.pool(POOL, start=False)
        good = self.guest.read(f"/etc/fpmd/conf.d/{POOL}.conf")
        self.guest.write(f"/etc/fpmd/conf.d/{POOL}.conf", good + "nonsense = 1\n")
        self.no_room_in_run()
        self.guest.systemctl("start", f"fpmd@{POOL}.socket")
        self.guest.systemctl("start", f"fpmd@{POOL}.service", check=False)
        time.sleep(2)
        found = self.records(POOL=POOL, MESSAGE_ID=message_id("START_FAILED"))
        self.assertLessEqual(len(found), 5, [r["MESSAGE"] for r in found])
        self.guest.write(f"/etc/fpmd/conf.d/{POOL}.conf", good)
        self.assertEqual(self.ask(POOL, "/hello.php", timeout=20).text, HELLO)

    def test_logs_on_a_full_disk(self):
        """Requests are answered; one record for each file; when there is room again lines are written."""
        self.fill("/var/log/faulty")
        begin = time.time()
        self.start(**{"access.log": "/var/log/faulty/access.log", "request_slowlog_timeout": "1s",
                      "slowlog": "/var/log/faulty/slow.log"})
        self.since = begin
        for _ in range(20):
            self.assertEqual(self.ask(POOL, "/hello.php").text, HELLO)
        self.ask(POOL, "/wait.php", query="ms=5000")
        for name in ("access", "slow"):
            self.wait_record(POOL=POOL, MESSAGE_ID=message_id("LOG_FILE"),
                             where=lambda r, name=name: f"{name}.log" in r["MESSAGE"])
        found = [r["MESSAGE"] for r in self.own_records()
                 if r.get("MESSAGE_ID") == message_id("LOG_FILE")]
        self.assertLessEqual(len(found), 4, found)
        self.guest.run("rm", "/var/log/faulty/filler")
        self.ask(POOL, "/hello.php")
        path = self.guest.path("/var/log/faulty/access.log")
        wait_until(lambda: path.stat().st_size > 0, 5, "lines in the log")

    def test_no_journal(self):
        """journald is stopped, its socket full and /var/log too: nobody waits for it, and it is told."""
        self.start()
        journald = self.guest.properties("systemd-journald", "MainPID")["MainPID"]
        self.fill("/var/log/journal")
        self.guest.write("/srv/www/noise.php", "<?php for ($i = 0; $i < 50; $i++)"
                         " error_log(str_repeat('x', 20000)); echo 'said';")
        self.guest.run("kill", "-STOP", journald)
        try:
            begin = time.monotonic()
            for _ in range(20):
                self.assertEqual(self.ask(POOL, "/noise.php").text, "said")
            self.assertLess(time.monotonic() - begin, 15)  # who waited would do so for ever
            self.assertTrue(self.reload()[0])
            for _ in range(6):
                self.assertEqual(self.ask(POOL, "/noise.php").text, "said")
        finally:
            self.guest.run("kill", "-CONT", journald)
        # Told with the first record that gets through: journald has to read what waits for it before.
        wait_until(lambda: self.ask(POOL, "/noise.php") and
                   self.records(POOL=POOL, MESSAGE_ID=message_id("RECORDS_DROPPED")), 15, "it is told", step=0.5)
        self.assert_whole()

    def test_a_journal_that_is_not_there(self):
        """Its sockets are gone: the pool starts, reloads and serves without a word."""
        self.guest.systemctl("stop", "systemd-journald.socket", "systemd-journald-dev-log.socket",
                             "systemd-journald-audit.socket", "systemd-journald.service", check=False)
        self.addCleanup(self.guest.systemctl, "start", "systemd-journald.socket",
                        "systemd-journald-dev-log.socket", "systemd-journald.service")
        self.guest.run("rm", "-f", "/run/systemd/journal/socket")
        self.start()
        self.assertTrue(self.reload()[0])
        self.assert_whole()

    def test_a_read_only_root(self):
        """Nothing on it can be changed, sockets and state are in /run: all goes on."""
        self.start()
        # Not while anybody has a file open for writing.
        wait_until(lambda: self.guest.run("mount", "-o", "remount,ro", "/", check=False).returncode == 0, 10,
                   "a read-only root")
        self.addCleanup(self.guest.run, "mount", "-o", "remount,rw", "/")
        self.assertNotEqual(self.guest.run("touch", "/srv/www/x", check=False).returncode, 0)
        self.assertTrue(self.reload()[0])
        self.assert_whole()


if __name__ == "__main__":
    main()
