"""docs/hostile-worker.md, made from the table that the suite holds."""

from hostile.table import ATTEMPTS, SINCE

HEAD = """# What a worker that is taken over can do

Assume that an attacker runs machine code of his own in a worker. The test `tests/system/hostile.py` does so, by PHP's FFI, as the
user www-data, whom the web server has too, and who may connect to the sockets of every pool. It makes {count} attempts
in pools of fpmd with their shipped units. Nothing else is set, but in these: one pool has `sandbox.read`, `sandbox.write`,
`sandbox.exec_paths` and `sandbox.tcp_connect`, for the attempts upon Landlock; one has a `chroot`; one has a `User=` of its own in a
drop-in; and one is as tight as can be (the last table). The same attempts are made in Debian's php-fpm 8.2, with its unit as it is, in the
same machine.

**fails**: every step fails, with one of these errors. SIGSYS: the filter of system calls ends the worker for it; the code of the
attempts survives that, and is denied the call all the same. **contained**: some of it goes through, and hurts
at most its own generation: the pool serves its next request, so does another pool of the same user, the manager is the same process and its
status makes sense. For php-fpm: **succeeds**: a step of what fails in fpmd goes through. **breaks**: the pool,
or another one, does not serve afterwards, or serves what the attacker wants. **–**: there is no such thing.

Both columns are what the test holds: it fails when something else comes of an attempt, and when this page is not made of its
table (`tests/system/hostile.py --write` makes it).
"""


OLDER = """
## On older kernels

The tables are of Linux 6.16 and later. Older ones lack some of Landlock and of what sockets can refuse, and on **Debian 12's own kernel,
Linux 6.1**, these attempts go through in fpmd too, which the same test holds there (`tests/run vm hostile`):

| attempt | where | closed from |
| --- | --- | --- |
"""
OLDER_END = """
So a worker that is taken over can end every process of its own user that it sees: its siblings, the porter and what else runs as
that user. It cannot end template or manager, which the filter names, nor read or change anything in the others, and the pool
serves again at once. The manager closes descriptors that it is sent. A pool with `sandbox.tcp_connect` does not start there unless it has `sandbox.landlock = if-available`, which leaves
ports as open as without the directive: `IPAddressDeny=` in a drop-in is the substitute. `PrivateNetwork=yes` closes abstract sockets
(and all of the network). `fpmctl sandbox POOL` and a record at each start say what the kernel lacks. Linux 6.12 for Debian 12 is in
bookworm-backports.
"""


def older():
    lines = []
    for a in ATTEMPTS:
        if a.name in SINCE:
            lines.append(f"| {a.what} | {a.group[0].lower()}{a.group[1:]} | Linux {SINCE[a.name][0]}.{SINCE[a.name][1]} |\n")
    return OLDER + "".join(lines) + OLDER_END


def came_of(attempt):
    if not attempt.errors:
        return "contained"
    return "fails: " + ", ".join(sorted(e.replace("-", " ") for e in attempt.errors))


def page():
    parts = [HEAD.format(count=len(ATTEMPTS))]
    for title in dict.fromkeys(a.group for a in ATTEMPTS):
        parts.append(f"\n## {title}\n\n| attempt | fpmd | php-fpm | why |\n| --- | --- | --- | --- |\n")
        for a in ATTEMPTS:
            if a.group == title:
                parts.append(f"| {a.what} | {came_of(a)} | {a.php_fpm or '–'} | {a.why} |\n")
    count = {word: sum(a.php_fpm == word for a in ATTEMPTS) for word in ("succeeds", "breaks")}
    parts.append(
        f"\n## In numbers\n\n{len(ATTEMPTS)} attempts: {sum(bool(a.errors) for a in ATTEMPTS)} fail, "
        f"{sum(not a.errors for a in ATTEMPTS)} are contained in the generation. Of the "
        f"{sum(a.beside for a in ATTEMPTS)} that php-fpm knows, {count['succeeds']} succeed there where they fail "
        f"in fpmd, and {count['breaks']} break a pool.\n")
    parts.append(older())
    return "".join(parts)
