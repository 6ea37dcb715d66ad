"""The pieces of a cold start, as the kernel saw them: when which program was executed, and when PHP
started and had started (a probe on a function of PHP's). Without tracefs there are none."""

import contextlib
import os
import pathlib
import platform
import re
import subprocess
import time

MOUNT = pathlib.Path("/sys/kernel/tracing")
GROUP = "fpmd_bench"
# Who starts PHP, and where its function is.
PHP = {"fpmd": "/usr/bin/php8.2", "php-fpm": "/usr/sbin/php-fpm8.2"}
FUNCTION = "php_module_startup"
# Its program, and that which starts PHP.
PROGRAMS = {"fpmd": ("fpmd", "php8.2"), "php-fpm": ("php-fpm8.2", "php-fpm8.2")}
PIECES = ("systemd_ms", "manager_ms", "load_ms", "php_ms", "answer_ms")
OURS = ("manager_ms", "load_ms", "answer_ms")  # what neither systemd nor PHP's start takes
LINE = re.compile(r"^\s*(.+)-(\d+)\s+\[\d+\]\s+\S+\s+([\d.]+): (\w+): (.*)$")


def offset(path):
    """Where in a file FUNCTION begins; None when it does not say."""
    table = subprocess.run(["readelf", "-W", "--dyn-syms", "-l", path], stdout=subprocess.PIPE,
                           text=True).stdout
    at = None
    for line in table.splitlines():
        words = line.split()
        if len(words) >= 8 and words[-1].split("@")[0] == FUNCTION and words[3] == "FUNC":
            at = int(words[1], 16)
    for words in (line.split() for line in table.splitlines() if line.strip().startswith("LOAD")):
        start, address, size = (int(word, 16) for word in (words[1], words[2], words[4]))
        if at is not None and address <= at < address + size:
            return at - address + start
    return None


def change_probes(line):
    """Adds a line: without O_APPEND, all probes of the machine would be removed."""
    fd = os.open(MOUNT / "uprobe_events", os.O_WRONLY | os.O_APPEND)
    try:
        os.write(fd, line.encode() + b"\n")
    finally:
        os.close(fd)


class Trace:
    """An instance of its own, so that nobody else's tracing is disturbed."""

    def __enter__(self):
        self._folder, self._probes = None, []
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            self._begin()
        return self

    def _begin(self):
        if re.match(r"6\.1[123]\.", platform.release()):
            return  # probes of returns are a system call there, which filters deny
        if not (MOUNT / "trace").exists():  # in the mount namespace of this program only
            subprocess.run(["mount", "-t", "tracefs", "tracefs", MOUNT], check=True,
                           stderr=subprocess.DEVNULL)
        folder = MOUNT / "instances" / f"{GROUP}_{os.getpid()}"
        folder.mkdir()
        self._folder = folder
        (folder / "trace_clock").write_text("mono")
        (folder / "events/sched/sched_process_exec/enable").write_text("1")
        for server, path in PHP.items():
            at = offset(path)
            if at is None:
                continue
            group = f"{GROUP}_{os.getpid()}"
            for kind, end in (("p", "begin"), ("r", "end")):
                name = f"{server.replace('-', '_')}_{end}"
                change_probes(f"{kind}:{group}/{name} {path}:{at:#x}")
                self._probes.append(f"{group}/{name}")
                (folder / f"events/{group}/{name}/enable").write_text("1")

    def __exit__(self, *_):
        if not self._folder:
            return
        for probe in self._probes:
            with contextlib.suppress(OSError):
                (self._folder / f"events/{probe}/enable").write_text("0")
        for _ in range(20):
            try:
                self._folder.rmdir()
                break
            except OSError:
                time.sleep(0.05)
        for probe in self._probes:
            with contextlib.suppress(OSError):
                change_probes(f"-:{probe}")

    def clear(self):
        if self._folder:
            (self._folder / "trace").write_text("")

    def events(self, pids):
        """(seconds, name, details) of these processes, oldest first."""
        if not self._folder:
            return []
        found = (LINE.match(line) for line in (self._folder / "trace").read_text().splitlines())
        return sorted((float(m[3]), m[4], m[5]) for m in found if m and int(m[2]) in pids)

    def pieces(self, server, pids, begin, end):
        """Milliseconds by name, of what these processes did; None for what is not known."""
        times = {}
        for at, name, details in self.events(pids):
            if name == "sched_process_exec":
                name = os.path.basename(details.split()[0].removeprefix("filename="))
            if begin <= at <= end:
                times.setdefault(name, at)
        probe = server.replace("-", "_")
        marks = [begin, *(times.get(name) for name in (*PROGRAMS[server], f"{probe}_begin",
                                                       f"{probe}_end")), end]
        if None in marks:
            return dict.fromkeys((*PIECES, "ours_ms"))
        pieces = {name: (b - a) * 1000 for name, a, b in zip(PIECES, marks, marks[1:])}
        return pieces | {"ours_ms": sum(pieces[name] for name in OURS)}
