"""php-fpm and fpmd side by side: the same requests and pool files, what comes back field by field.

Every difference is a heading of docs/differences.md, and the case that shows it names that heading.
The suite fails when something differs that no heading explains, when something named does not differ
any more, when a case names a heading that is not there, and when a heading is shown by no case and
is not in NOT_SHOWN either.
"""

import os
import re
import shutil
import unittest

from differential import (answers, bodies, environment, files, paths, pools, protocol, requests,
                          scripts)
from differential.compare import ROOT, differences, judge, observe
from guest import REPOSITORY
from suite import GuestCase, main

MODULES = [paths, scripts, answers, requests, bodies, environment, protocol]
DOCUMENT = REPOSITORY / "docs/differences.md"

# Headings that no case of this suite can show, and why.
NOT_SHOWN = {
    "chroot-capability": "a matter of units; tests of the pool file's chroot look at it",
    "abstract-sockets": "attempts upon others' sockets and processes: hostile, landlock",
    "own-ipc": "needs processes outside of the pool: hostile",
    "other-pools-sockets": "needs sockets of other pools: hostile",
    "groups": "both give the groups of the user database, and scripts \"user ids\" compares them",
    "signals": "needs signals to processes: lifecycle",
    "socket-owner": "a matter of units: apply and addresses",
    "size-limits": "unit tests of the pool file have them",
    "failing-start": "both would have to be down: lifecycle",
    "reload": "needs reloads: lifecycle",
    "broken-php-ini": "would take all pools of both down: settings",
    "process-control-timeout": "needs reloads and stops: lifecycle",
    "idle-exit": "takes minutes: lifecycle",
    "read-timeout": "takes a minute, and PHP-FPM waits for ever",
    "abandoned-requests": "needs a full pool: lifecycle",
    "answers-of-crashes": "needs crashes: lifecycle",
    "opcache-reset": "needs a new generation: lifecycle",
    "working-directory": "a matter of a tenth of a second: sapi",
    "ping-while-draining": "PHP-FPM has no such thing: commands",
    "growth": "needs load: scaling",
    "time-limit": "up to a second cannot be told from a busy machine",
    "sockets-of-systemd": "a matter of units: activation",
    "allowed-clients": "TCP: listening; PHP-FPM takes the wrong spelling and refuses the client",
    "apparmor-hat": "Debian's PHP-FPM takes the line only where AppArmor is",
    "error-texts": "texts are not compared",
    "php-ini": "both read the same php.ini here; settings has the others",
    "command-line": "there is nothing to compare",
    "idle-connections": "needs more connections than workers: protocol",
    "journal": "not a matter of requests: records",
    "access-log": "not what comes back: access",
    "workers-output": "not a matter of requests: records",
    "log-level": "not a matter of requests: records",
    "terminate-timeout": "takes seconds, and ends a worker of PHP-FPM",
    "listen-queue": "needs a full pool: tools",
    "counters": "needs idle kept connections: tools",
    "emergency-restart": "needs crashes: lifecycle",
    "process-limit": "a matter of units",
    "limits-and-priority": "a matter of units: identity",
    "joined-pools": "a matter of fpmctl import, whose unit tests have it",
    "status-values": "numbers and odd bytes of status pages: pages",
    "status-listen": "pages and addresses ask there",
}


class Differential(GuestCase):
    nginx = False

    @classmethod
    def prepare(cls, guest):
        guest.path("/etc/systemd/system/php8.2-fpm.service").unlink()
        shutil.rmtree(guest.path("/etc/php/8.2/fpm/pool.d"))
        for name, text in pools.POOLS.items():
            for path, listen in ((f"/etc/php/8.2/fpm/pool.d/{name}.conf", f"/run/php/{name}.sock"),
                                 (f"/etc/fpmd/conf.d/{name}.conf", f"/run/fpmd/{name}.sock")):
                guest.write(path, pools.HEAD.format(name=name, listen=listen) + text)
        ini = guest.path("/etc/php/8.2/fpm/php.ini")
        ini.write_text(ini.read_text() + pools.PHP_INI)
        for name, text in pools.FILES.items():
            guest.write(f"{ROOT}/{name}", text)
        for name, text in pools.JAIL.items():
            guest.write(f"/srv/jail/{name}", text)
        guest.write("/srv/jail/www/show.php", guest.read(f"{ROOT}/show.php"))
        for case in cls.cases():
            if case.code is not None:
                guest.write(f"{ROOT}/{case.slug}.php", case.code)
        for path in guest.path(ROOT).rglob("*"):
            os.utime(path, (1500000000, 1500000000))  # OPcache takes no files of the last seconds
        guest.path(f"{ROOT}/secret.php").chmod(0)
        guest.path(f"{ROOT}/link.php").symlink_to("show.php")
        for unit in ("php8.2-fpm", "fpmd@"):
            guest.write(f"/etc/systemd/system/{unit}.service.d/tests.conf",
                        '[Service]\nEnvironment=GIVEN="given by the unit" HOSTNAME=guest\n')

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest.run("install", "-d", "-m", "777", "/srv/notes", "/var/lib/nginx/body")
        cls.guest.write("/var/lib/nginx/body/given", "a=1&b=2&c")
        cls.guest.run("fpmctl", "apply", "jail")
        cls.guest.systemctl("start", "php8.2-fpm.service",
                            *(f"fpmd@{name}.socket" for name in pools.POOLS))

    @staticmethod
    def cases():
        return [case for module in MODULES for case in module.CASES]

    def compare(self, case):
        seen = []
        for folder in ("/run/php", "/run/fpmd"):
            if case.warm:
                observe(self.guest.path(f"{folder}/{case.warm}.sock"), case)
            seen.append(observe(self.guest.path(f"{folder}/{case.pool}.sock"), case))
        return differences(*seen, case.only)

    def check(self, case):
        unexplained, unused = judge(self.compare(case), case.differs)
        if unexplained or unused:
            self.fail("\n".join(unexplained + unused))

    def check_all(self, cases, differs):
        """Many combinations that count as one case. Not each of them has to show what differs."""
        wrong, unused = [], None
        for case in cases:
            unexplained, idle = judge(self.compare(case), differs)
            if unexplained:
                wrong.append(case.name + "\n" + "\n".join(unexplained))
            unused = idle if unused is None else [line for line in unused if line in idle]
        if wrong or unused:
            self.fail("\n".join([f"{len(wrong)} of {len(cases)} combinations:"] + wrong[:4] + unused))


    # ---- pool files ----

    read = None

    def check_file(self, case):
        """Reads all files with both programs the first time."""
        if Differential.read is None:
            Differential.read = files.read_all(self.guest)
        theirs, ours = self.read[files.CASES.index(case)]
        found = differences(theirs, ours, ["accepted", "value.*"])
        unexplained, unused = judge(found, case.differs)
        if unexplained or unused:
            self.fail("\n".join(unexplained + unused + [theirs["said"][-1500:], ours["said"]]))


class Document(unittest.TestCase):
    """The list of differences and what the cases say agree."""

    maxDiff = None

    def headings(self):
        return re.findall(r"^### ([a-z0-9-]+)$", DOCUMENT.read_text(), re.MULTILINE)

    def used(self):
        ids = {i for case in Differential.cases() for i in case.differs.values()}
        ids.update(i for case in files.CASES for i in case.differs.values())
        return ids | {i for _, differs in paths.MATRIX.values() for i in differs.values()}

    def test_headings_are_there_once(self):
        self.assertEqual(sorted(set(self.headings())), sorted(self.headings()))

    def test_every_difference_that_a_case_names_is_in_the_document(self):
        self.assertEqual(sorted(self.used() - set(self.headings())), [])

    def test_every_heading_is_shown_or_said_not_to_be(self):
        self.assertEqual(sorted(set(self.headings()) - self.used() - set(NOT_SHOWN)), [])

    def test_what_is_said_not_to_be_shown_is_a_heading_that_no_case_names(self):
        self.assertEqual(sorted(set(NOT_SHOWN) - (set(self.headings()) - self.used())), [])


def add_cases():
    for module in MODULES:
        for case in module.CASES:
            name = f"test_{module.__name__.split('.')[-1]}_{case.slug}"
            if hasattr(Differential, name):
                raise AssertionError(f"two cases are called {case.name}")
            setattr(Differential, name, lambda self, case=case: self.check(case))
    for case in files.CASES:
        name = f"test_files_{case.slug}"
        while hasattr(Differential, name):
            name += "_"
        setattr(Differential, name, lambda self, case=case: self.check_file(case))
    scripts_of_cases = [case.slug for case in Differential.cases() if case.code is not None]
    if len(scripts_of_cases) != len(set(scripts_of_cases)):
        raise AssertionError("two cases have scripts of the same name")
    for name, (cases, differs) in paths.MATRIX.items():
        setattr(Differential, f"test_paths_matrix_{name}",
                lambda self, cases=cases, differs=differs: self.check_all(cases, differs))


add_cases()

if __name__ == "__main__":
    main()
