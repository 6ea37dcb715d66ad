"""What the comparison measures: load and its server CPU, memory, and facts about the machine."""

import contextlib
import json
import os
import pathlib
import platform
import subprocess
import time

from guest import INSTALLED_BUILD
from suite import inner_pid

LOAD = INSTALLED_BUILD / "tests/bench/fpmd-load"


def cgroup(guest, unit):
    """The folder of a unit in cgroup2, as the machine sees it."""
    group = guest.properties(unit, "ControlGroup")["ControlGroup"]
    if not group:
        raise SystemExit(f"{unit} does not run")
    return guest.path("/sys/fs/cgroup" + group)


def cpu_usec(folder):
    """Microseconds that the processes of a cgroup and of those below ran, those that have ended too."""
    for line in (folder / "cpu.stat").read_text().splitlines():
        if line.startswith("usage_usec "):
            return int(line.split()[1])
    raise SystemExit(f"{folder}/cpu.stat has no usage_usec")


def memory_kb(pids, key="Pss"):
    """Proportional shares (or another line of smaps_rollup) of the memory of processes."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(key + ":"):
                    total += int(line.split()[1])
    return total


def main_process(guest, unit):
    """The main process of a unit, as the machine numbers it."""
    main = int(guest.properties(unit, "MainPID")["MainPID"])
    return next(pid for pid in guest.processes(unit) if inner_pid(pid) == main)


def run_load(path, words):
    """Runs fpmd-load to its end; returns what it counted."""
    command = [str(word) for word in (LOAD, *words, path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if not done.stdout:
        raise SystemExit(f"fpmd-load failed: {' '.join(command)}")
    return json.loads(done.stdout)


def under_load(server, words):
    """Load on a server: its counts, latencies and CPU per request. A failed request ends the run."""
    folder = cgroup(server.guest, server.unit)
    before = cpu_usec(folder)
    result = run_load(server.path(), words)
    after = cpu_usec(folder)
    if result["failed"] or not result["ok"]:
        raise SystemExit(f"{server.name}: {json.dumps(result)}")
    return {"cpu_usec": (after - before) / result["ok"], "rps": result["rps"],
            **{key: result[key] for key in ("p50_usec", "p90_usec", "p99_usec", "max_usec")}}


def first_line(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    return done.stdout.partition("\n")[0]


def machine():
    """What the numbers depend on."""
    model = [line.partition(":")[2].strip() for line in open("/proc/cpuinfo")
             if line.startswith("model name")]
    package = "${Version}"
    return {
        "time": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "kernel": platform.release(),
        "cpu": model[0] if model else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
        "distribution": next((line.partition("=")[2].strip().strip('"') for line in
                              open("/etc/os-release") if line.startswith("PRETTY_NAME=")), ""),
        "php": first_line("php-fpm8.2", "-v").removesuffix(" (built: ").split(" (built")[0],
        "php_package": first_line("dpkg-query", "-W", "-f", package, "php8.2-fpm"),
        "systemd": first_line("systemctl", "--version"),
        "load_average": os.getloadavg(),
    }
