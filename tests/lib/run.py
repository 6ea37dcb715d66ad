"""The steps of tests/run, each a list of cases that count."""

import collections
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

import count
from guest import BUILD_BASE, INSTALLED_BUILD, REPOSITORY

SETUP = ["--prefix=/usr", "--sysconfdir=/etc"]
TOPIC_TIMEOUT = 600  # seconds for one file of system tests

passed = failed = skipped = 0
counting = threading.Lock()


def case(ok, name, output=""):
    global passed, failed
    with counting:
        passed, failed = passed + bool(ok), failed + (not ok)
    print(f"ok    {name}" if ok else f"FAIL  {name}\n{output}", flush=True)
    return ok


def run(*command, **options):
    """Runs a command; returns (success, what it printed)."""
    done = subprocess.run([str(c) for c in command], cwd=REPOSITORY, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", **options)
    return done.returncode == 0, done.stdout


def sources():
    for folder in ("src", "tests"):
        for path in sorted((REPOSITORY / folder).rglob("*.[ch]")):
            yield path


# ---- source ----

def check_format():
    ok, output = run("clang-format", "--dry-run", "-Werror", *sources())
    case(ok, "source: clang-format", output)


def check_layers():
    """A folder of src/ includes only folders above it in src/meson.build."""
    text = (REPOSITORY / "src/meson.build").read_text()
    order = re.findall(r"^subdir\('([\w/]+)'\)", text, re.MULTILINE)
    wrong = []
    for path in sorted((REPOSITORY / "src").rglob("*.[ch]")):
        folder = path.relative_to(REPOSITORY / "src").parts[0]
        for target in re.findall(r'^\s*#\s*include\s+"(\w+)/', path.read_text(), re.MULTILINE):
            if target not in order or order.index(target) > order.index(folder):
                wrong.append(f"{path}: includes {target}/")
            if {folder, target} == {"manager", "runtime"}:
                wrong.append(f"{path}: manager and runtime never include each other")
    case(order and not wrong, "source: folders include only those above them", "\n".join(wrong))


def step_source():
    check_format()
    check_layers()


# ---- builds ----

@functools.cache
def build(name, compiler, *options):
    """Configures (once) and builds build/NAME; returns the folder, None when it failed."""
    folder = BUILD_BASE / name
    start = time.monotonic()
    ok, output = True, ""
    if not (folder / "build.ninja").exists():
        ok, output = run("meson", "setup", folder, *SETUP, *options,
                         env=dict(os.environ, CC=compiler))
    if ok:
        ok, output = run("ninja", "-C", folder)
    case(ok, f"build: {name} ({time.monotonic() - start:.0f} s)", output[-8000:])
    return folder if ok else None


def step_build():
    build("gcc", "gcc", "-Dtests=enabled")
    build("clang", "clang", "-Dtests=enabled")


def meson_test(folder, label):
    """Runs the tests of a build folder; each case of a check program counts."""
    global passed, failed, skipped
    env = dict(os.environ,
               ASAN_OPTIONS="abort_on_error=1:halt_on_error=1:detect_leaks=1:handle_segv=1:"
                            "handle_sigbus=1:handle_sigfpe=1:handle_sigill=1",
               UBSAN_OPTIONS="halt_on_error=1:abort_on_error=1:print_stacktrace=1",
               CK_DEFAULT_TIMEOUT="60")
    log = folder / "meson-logs/testlog.json"
    log.unlink(missing_ok=True)
    ok, output = run("meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs", env=env)
    if not log.exists():
        case(False, f"{label}: meson test", output)
        return
    seen_failure = False
    for line in log.read_text().splitlines():
        test = json.loads(line)
        counts = re.search(r"Checks: (\d+), Failures: (\d+), Errors: (\d+)",
                           test.get("stdout") or "")
        bad = test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL")
        seen_failure |= bad
        name = f"{label}: {test['name'].split(' / ')[-1]}"
        details = (test.get("stdout") or "") + (test.get("stderr") or "")
        if test["result"] == "SKIP":
            skipped += 1
            print(f"skip  {name}\n{details}", flush=True)
        elif counts:
            total, failures, errors = map(int, counts.groups())
            wrong = max(failures + errors, 1 if bad else 0)
            passed += max(total - wrong, 0)
            failed += wrong
            print(f"{'FAIL' if wrong else 'ok':5} {name}: {total} cases"
                  + (f"\n{details}" if wrong else ""), flush=True)
        else:
            case(not bad, name, details)
    if not ok and not seen_failure:
        case(False, f"{label}: meson test", output)


def step_unit():
    folder = build("gcc", "gcc", "-Dtests=enabled")
    if folder:
        meson_test(folder, "unit")


@functools.cache
def build_sanitized():
    """With an object that makes it work in the guests as well, see sanitizer.c."""
    source, made = REPOSITORY / "tests/lib/sanitizer.c", BUILD_BASE / "sanitizer.o"
    BUILD_BASE.mkdir(parents=True, exist_ok=True)
    ok, output = run("clang", "-D_GNU_SOURCE", "-Wall", "-Werror", "-O1", "-g", "-fPIC",
                     "-fno-builtin", "-c", source,
                     "-o", made)
    if ok and (BUILD_BASE / "sanitize/build.ninja").exists():  # perhaps of an earlier version
        ok, output = run("meson", "configure", BUILD_BASE / "sanitize", f"-Dc_link_args={made}")
    if not ok:
        case(False, "build: sanitizer.o", output)
        return None
    return build("sanitize", "clang", "-Dtests=enabled", "-Db_sanitize=address,undefined",
                 "-Db_lundef=false", f"-Dc_link_args={made}")


def step_count():
    """Instructions on the request path, see count.py."""
    folder = build("gcc", "gcc", "-Dtests=enabled")
    if folder:
        case(*count.check(folder / "tests/count/fpmd-path", REPOSITORY / "tests/count/numbers.json"))


def step_sanitize():
    folder = build_sanitized()
    if folder:
        meson_test(folder, "sanitize")


# What gcc 12 gets wrong about this code: it does not see that a container keeps what is put into it,
# nor that asprintf() writes its first argument.
ANALYZER = ["-fanalyzer", "-Wno-analyzer-malloc-leak", "-Wno-analyzer-use-of-uninitialized-value"]


def step_analyze():
    """gcc's analyzer over everything but the PHP runtime, whose headers it cannot follow."""
    build("analyze", "gcc", "-Dtests=disabled", "-Druntime-php=disabled",
          "-Dc_args=" + " ".join(ANALYZER))


# ---- system ----

def need_installed_build():
    if (INSTALLED_BUILD / "build.ninja").exists() and run("ninja", "-n", "-C", INSTALLED_BUILD)[1] \
            .find("no work to do") >= 0:
        return True
    return build("gcc", "gcc", "-Dtests=enabled") is not None


def step_system(topics):
    folder = REPOSITORY / "tests/system"
    known = [p.stem for p in sorted(folder.glob("*.py"))]
    for unknown in set(topics) - set(known):
        case(False, f"system: {unknown}", f"no such topic; there are: {' '.join(known)}")
    if not need_installed_build():
        return
    run_topics("system", [t for t in known if not topics or t in topics])


# Topics that mostly wait for times to pass and for systemd: two of them at a time run beside the others,
# the longest first, so that none of those is left over at the end.
PATIENT = ("limits recovery leaving crashes lifecycle reexec recycling porter faults apply identity protocol "
           "status_socket slowlog addresses pages traces top hostile dashboard migration fpmctl commands seccomp "
           "access landlock status confinement settings activation output listening foreground logfiles tools "
           "records").split()
PATIENT_LANES = 2


def run_topics(label, topics, **environment):
    """Runs topics of system tests: those that load the machine or measure it one after the other, the
    patient ones beside them, and what is left of these then."""
    others = collections.deque(t for t in topics if t not in PATIENT)
    patient = collections.deque(t for t in PATIENT if t in topics)
    lanes = [threading.Thread(target=run_lane, args=(label, queues, environment))
             for queues in [[others, patient]] + [[patient]] * PATIENT_LANES]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()


def run_lane(label, queues, environment):
    for queue in queues:
        while True:
            try:
                topic = queue.popleft()
            except IndexError:
                break
            counted(f"{label} {topic}", "/usr/bin/python3", REPOSITORY / f"tests/system/{topic}.py",
                    in_one_piece=topic in PATIENT, **environment)


def counted(name, *command, in_one_piece=False, time_limit=TOPIC_TIMEOUT, **environment):
    """Runs a program whose last line is "N passed, N failed, N skipped", and adds its counts; in
    one piece its output is shown at its end."""
    global passed, failed, skipped
    env = dict(os.environ, **environment, PYTHONPATH=str(REPOSITORY / "tests/lib"), PYTHONUNBUFFERED="1",
               PYTHONDONTWRITEBYTECODE="1")
    program = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", cwd=REPOSITORY, env=env)
    # Of this process alone: one that outlived it would end whoever has that pid by then.
    watch = threading.Timer(time_limit or threading.TIMEOUT_MAX, program.terminate)
    watch.daemon = True
    watch.start()
    try:
        counts, lines = None, []
        for line in program.stdout:
            counts = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped\n", line)
            if not counts and in_one_piece:
                lines.append(line)
            elif not counts:
                print(line, end="", flush=True)
        print("".join(lines), end="", flush=True)
        status = program.wait()
    finally:
        watch.cancel()
    if not counts:
        case(False, name, f"ended with status {status} before it counted its cases")
        return
    ok, wrong, left_out = map(int, counts.groups())
    with counting:
        passed, failed, skipped = passed + ok, failed + wrong, skipped + left_out
    if status != 0 and wrong == 0:
        case(False, name, f"ended with status {status}")


# Of the system tests, those that run with sanitizers each time: every program, and what they say to
# each other. `tests/run sanguest TOPIC…` runs any, or "all".
SANITIZED_TOPICS = ["bytes", "confinement", "porter", "requests"]


def step_sanguest(topics):
    """System tests whose guests run the build with sanitizers: a report fails its case."""
    folder = REPOSITORY / "tests/system"
    if "all" in topics:
        topics = [p.stem for p in sorted(folder.glob("*.py"))]
    if not build_sanitized():
        return
    run_topics("sanguest", topics or SANITIZED_TOPICS, FPMD_SANITIZE="1")


def step_valgrind():
    """Only by name: see ondemand/valgrind.py. Its launcher cannot be given a module of PHP's to load."""
    if build("linked", "gcc", "-Dphp-program=libphp"):
        counted("valgrind", "/usr/bin/python3", REPOSITORY / "tests/ondemand/valgrind.py",
                FPMD_LINKED="1")


def step_vm(topics):
    """Only by name: see ondemand/vm.py."""
    if need_installed_build():
        counted("vm", "/usr/bin/python3", REPOSITORY / "tests/ondemand/vm.py", *topics, time_limit=None)


def step_demo():
    if need_installed_build():
        ok, output = run(REPOSITORY / "tests/demo")
        case(ok, "demo", output)


def step_bench():
    """The numbers that other work on the machine does not spoil."""
    if need_installed_build():
        counted("bench", REPOSITORY / "tests/bench/bench", "--gate")


STEPS = ["source", "build", "unit", "count", "sanitize", "analyze", "system", "sanguest", "demo", "bench"]
ON_DEMAND = ["valgrind", "vm"]


def main():
    words = sys.argv[1:]
    steps = [w for w in words if w in STEPS + ON_DEMAND]
    topics = [w for w in words if w not in STEPS + ON_DEMAND]
    if topics and not {"system", "sanguest", "vm"} & set(steps):
        sys.exit(f"usage: tests/run [{'|'.join(STEPS + ON_DEMAND)}]… [TOPIC of tests/system]…")
    for step in STEPS + ON_DEMAND:
        if step in (steps if words else STEPS):
            function = globals()[f"step_{step}"]
            function(topics) if step in ("system", "sanguest", "vm") else function()
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
