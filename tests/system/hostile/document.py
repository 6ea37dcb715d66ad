"""docs/hostile-worker.md, made from the table that the suite holds."""

from hostile.table import ATTEMPTS

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
    return "".join(parts)
