"""Faults for processes that run: system calls that fail, by strace(1), and limits that are reached."""

import contextlib
import os
import signal
import subprocess

from suite import inner_pid, proc, proc_status, wait_until

LOG = "/run/strace.log"


def _tracer(pid):
    with contextlib.suppress(OSError, KeyError):
        return int(proc_status(pid)["TracerPid"])
    return 0


def at_rest(pid):
    """Waits until a process waits itself: what came before (the end of a connection of fpmctl, …) has been
    dealt with, and is not counted among the calls of what comes."""
    wait_until(lambda: proc_status(pid)["State"].startswith("S"), 10, f"{pid} is at rest", step=0.01)


class Tracing:
    """with Tracing(guest, pid, calls): … follows a process, and with children what it forks."""

    def __init__(self, guest, pid, calls, children=False, options=()):
        self._guest, self._pid = guest, pid
        self._command = ["strace", "-qq", "-o", LOG, "-e", "signal=none",
                         "-e", "trace=" + ",".join(calls), "-p", str(inner_pid(pid)),
                         *(["-f"] if children else []), *options]
        self.log = ""

    def __enter__(self):
        at_rest(self._pid)
        self._strace = self._guest.popen(*self._command, stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            self._tracer = wait_until(lambda: _tracer(self._pid) or self._strace.poll() is not None,
                                      5, "strace has attached", step=0.01)
            self._tracer = _tracer(self._pid)
            if not self._tracer:
                raise AssertionError(f"strace: {self._strace.stderr.read()}")
        except AssertionError:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):  # it ends with the last one that it follows
            os.kill(self._tracer, signal.SIGINT)
        try:
            self._strace.wait(10)
        finally:
            self._end()
        self.log = self._guest.read(LOG)

    def _end(self):
        self._strace.kill()
        self._strace.wait()
        self._strace.stderr.close()

    def looked(self):
        """What it has written up to now."""
        return self._guest.read(LOG)

    def index(self, call, what, near):
        """Of the process that has made a call with near: the how manieth call of that name is the first whose
        line has what. None: there is no such call."""
        lines = [line.split(maxsplit=1) for line in self.log.splitlines()]
        for pid in {pid for pid, text in lines if near in text}:
            calls = [text for number, text in lines if number == pid and text.startswith(f"{call}(")]
            for number, text in enumerate(calls, 1):
                if what in text:
                    return number
        return None


class Fault(Tracing):
    """with Fault(guest, pid, "call:error=EMFILE:when=2", …): … Calls of that process fail; .hits()."""

    def __init__(self, guest, pid, *faults, children=False):
        options = [word for fault in faults for word in ("-e", f"inject={fault}")]
        super().__init__(guest, pid, [fault.split(":")[0] for fault in faults], children, options)

    def hits(self):
        """The calls that were made to fail, as lines."""
        return [line for line in (self.log or self.looked()).splitlines() if "(INJECTED)" in line]


@contextlib.contextmanager
def files_at_most(guest, pid, more):
    """A process may have so many more descriptors than now."""
    def limit(soft):
        status = proc_status(pid)  # only its own user may, without SYS_RESOURCE
        guest.run("setpriv", "--reuid", status["Uid"].split()[0], "--regid", status["Gid"].split()[0],
                  "--clear-groups", "prlimit", "--pid", inner_pid(pid), f"--nofile={soft}:")

    at_rest(pid)
    now = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    free = [n for n in range(max(now) + 2 + more) if n not in now]
    soft = next(line.split()[3] for line in proc(pid, "limits").splitlines()
                if line.startswith("Max open files"))
    limit(free[more])
    try:
        yield
    finally:
        limit(soft)


CONFINEMENT = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs",
               "Seccomp", "Seccomp_filters")


def confinement(pid):
    """What the kernel shows of a process's confinement."""
    status = proc_status(pid)
    shown = {name: status[name] for name in CONFINEMENT}
    shown["limits"] = [line for line in proc(pid, "limits").splitlines()
                       if line.startswith(("Max open files", "Max core"))]
    return shown
