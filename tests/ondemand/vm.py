"""Topics of tests/system in a virtual machine with Debian 12's own kernel (Linux 6.1).

It has what the machine that runs the tests may not have: cgroups of version 2 with the controllers memory
and pids, for the limits of single workers; and the Landlock of that kernel, ABI 2, without ports and scopes.
Run by `tests/run vm [TOPIC…]`, which is not part of `tests/run` alone: see tests/lib/machine.py for what it
is made of. A case that skips there fails.
"""

import re
import sys
import time

from guest import REPOSITORY, isolate
from machine import Machine

TOPICS = ["cgroups", "landlock", "seccomp", "confinement", "sandbox", "identity", "hostile"]
COUNTS = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped")


def main():
    isolate([sys.executable] + sys.argv)
    topics = sys.argv[1:] or TOPICS
    known = {path.stem for path in (REPOSITORY / "tests/system").glob("*.py")}
    unknown = [topic for topic in topics if topic.partition(":")[0] not in known]
    if unknown:
        print(f"FAIL  vm: {' '.join(unknown)}: no such topics\n0 passed, 1 failed, 0 skipped")
        sys.exit(1)
    # topic:word selects cases by name, as the topic's own program does.
    command = "\n".join(f"/usr/bin/python3 tests/system/{topic}.py {words.replace(',', ' ')}; echo done: {topic} $?"
                        for topic, _, words in (t.partition(":") for t in topics))
    start, totals, ended = time.monotonic(), [0, 0, 0], 0
    # CI: a case that skips fails.
    with Machine(f"uname -srv\n{command}", CI="true", FPMD_TEST_IN_VM="1") as vm:
        for line in vm.lines():
            counts = COUNTS.fullmatch(line)
            if counts:
                totals = [a + int(b) for a, b in zip(totals, counts.groups())]
            elif line.startswith("done: "):
                ended += 1
                print(f"      vm: {line[6:]} ({time.monotonic() - start:.0f} s)", flush=True)
            else:
                print(line, flush=True)
    if ended < len(topics):
        totals[1] += 1
    print("{} passed, {} failed, {} skipped".format(*totals))
    sys.exit(1 if totals[1] else 0)


if __name__ == "__main__":
    main()
