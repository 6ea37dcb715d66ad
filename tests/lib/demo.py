"""What tests/demo shows, after its packages are there."""

import os
import subprocess
import sys
import time

from guest import INSTALLED_BUILD, REPOSITORY, Guest, isolate, wait_until

PAGE = """<?php
echo "Hello from PHP ", PHP_VERSION, ", SAPI ", PHP_SAPI, ", as ", posix_getpwuid(posix_geteuid())["name"],
     ", process ", getmypid(), "\\n";
"""


def heading(text):
    print(f"\n== {text}", flush=True)


def show(guest, command):
    """Runs a shell command in the guest and prints both it and what it says."""
    print(f"$ {command}")
    done = guest.run("sh", "-c", f"SYSTEMD_COLORS=0 {command}", check=False)
    print((done.stdout + done.stderr).rstrip(), flush=True)
    return done


def build():
    heading("build")
    steps = [["ninja", "-C", INSTALLED_BUILD]]
    if not (INSTALLED_BUILD / "build.ninja").exists():
        steps.insert(0, ["meson", "setup", INSTALLED_BUILD, "--prefix=/usr", "--sysconfdir=/etc"])
    for step in steps:
        done = subprocess.run([str(s) for s in step], cwd=REPOSITORY, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(done.stdout)
    print(f"built in {os.path.relpath(INSTALLED_BUILD)}")


def main():
    isolate([sys.executable] + sys.argv)
    build()

    heading("a throw-away systemd")
    start = time.monotonic()
    with Guest() as guest:
        guest.write("/srv/www/demo.php", PAGE)
        print(f"booted in {time.monotonic() - start:.1f} s: "
              + guest.run("systemctl", "--version").stdout.splitlines()[0])

        heading("the pool www listens, and no process of it runs")
        show(guest, "systemctl enable --now fpmd@www.socket")
        show(guest, "systemctl is-active fpmd@www.socket fpmd@www.service")
        show(guest, "ps -eo pid,user,args | grep -E ' (/usr/sbin/fpmd|/usr/libexec/fpmd)' || echo 'no process of fpmd'")

        heading("the first request through nginx starts it")
        first = show(guest, "curl -sS --max-time 20 -w '(%{http_code} after %{time_total} s)\\n' "
                            "http://127.0.0.1/demo.php")
        show(guest, "curl -sS --max-time 20 -w '(%{http_code} after %{time_total} s)\\n' http://127.0.0.1/demo.php")
        wait_until(lambda: "req/s" in guest.properties("fpmd@www", "StatusText")["StatusText"], 5,
                   "the STATUS line of the pool")

        heading("systemctl status")
        status = show(guest, "systemctl status --no-pager --lines=0 fpmd@www")

        heading("fpmctl status")
        show(guest, "fpmctl status www --full")

        heading("a worker is killed: the journal has its obituary, the pool goes on")
        show(guest, "kill -9 $(fpmctl status www --full -o json | grep -o '\"pid\": *[0-9]*' | head -1 | "
                    "grep -o '[0-9]*')")
        last = show(guest, "curl -sS http://127.0.0.1/demo.php")

        heading("the journal")
        guest.run("journalctl", "--sync")
        show(guest, "journalctl --no-pager --no-hostname -u fpmd@www")

        heading("the end")
        show(guest, "systemctl stop fpmd@www.socket")
        show(guest, "systemctl is-active fpmd@www.socket fpmd@www.service")
    print("the guest is gone")
    served = all("Hello from PHP" in d.stdout for d in (first, last))
    sys.exit(0 if served and "active (running)" in status.stdout else 1)


if __name__ == "__main__":
    main()
