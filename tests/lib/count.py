"""How many instructions our code takes for one small request, as callgrind counts them: a regression
of the request path shows without a clock.

Counted is what the program of tests/count has itself, not libc's part, which is another one for each
processor, nor the kernel's. The number is the same at each run; another version of the compiler
moves it by some per cent, and what is worth a complaint (a copy of the parameters, a search through
all of them) by ten. After a change that is meant, write what the failure says into
tests/count/numbers.json, with a word on the reason in the commit.
"""

import json
import os
import re
import subprocess
import tempfile

WARM, COUNTED = 100, 1000  # requests: the first ones allocate
MORE, LESS = 1.04, 0.90    # of the number in the file


def own_instructions(program, requests):
    """Instructions in the program's own object for that many requests."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out")
        subprocess.run(["valgrind", "--tool=callgrind", "--vgdb=no", f"--callgrind-out-file={path}",
                        program, str(requests)], check=True, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=120)
        with open(path) as lines:
            return sum_of_object(lines, os.path.basename(program))


def sum_of_object(lines, name):
    """Self cost of an object in callgrind's format: "ob=" begins one, and stays until the next; the
    line after "calls=" is the cost of what was called."""
    names, here, total, called = {}, False, 0, False
    for line in lines:
        found = re.match(r"ob=\((\d+)\)(?: (.*))?$", line)
        if found:
            names.setdefault(found[1], found[2])
            here = os.path.basename(names[found[1]]) == name
        elif line.startswith("calls="):
            called = True
        elif re.match(r"[+*-]?\d*[ ]", line):
            if here and not called:
                total += int(line.split()[1])
            called = False
        else:
            found = re.match(r"cob=\((\d+)\) (.*)$", line)  # an object may be named here first
            if found:
                names.setdefault(found[1], found[2])
    return total


def check(program, numbers_path):
    """(ok, text)"""
    known = json.loads(numbers_path.read_text())["instructions"]
    counted = (own_instructions(program, WARM + COUNTED) - own_instructions(program, WARM)) / COUNTED
    text = f"count: {counted:.0f} instructions of our own for a small request, {known} expected"
    if counted > known * MORE:
        return False, text + f": more than {MORE - 1:.0%} above it"
    if counted < known * LESS:
        return False, text + f": so few that {numbers_path.name} has to be renewed"
    return True, text
