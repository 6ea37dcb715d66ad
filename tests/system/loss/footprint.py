"""What a pool holds of the machine: processes, descriptors, memory. To compare before and after."""

import collections
import contextlib
import os
import re

from suite import executable, proc, proc_status

MEMORY_MARGIN_KB = 512  # of the manager; freed memory stays with the allocator


def _links(pid):
    links = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/{pid}/fd/{number}"))
    return links


def _kind(link):
    return re.sub(r"\d+", "N", re.sub(r"\[\d+\]$", "", link))


def _of(pid):
    links = _links(pid)
    maps = proc(pid, "maps").splitlines()
    return {"fds": len(links), "memfds": sum("memfd:" in link for link in links),
            "mapped": sum("memfd:" in line for line in maps), "maps": len(maps),
            "kinds": collections.Counter(_kind(link) for link in links)}


def footprint(guest, unit):
    """Comparable figures of a pool at rest: {name: number or tuple}."""
    pids = guest.processes(unit)
    names = collections.Counter(executable(p) for p in pids)
    manager = next(p for p in pids if executable(p) == "fpmd")
    others = [_of(p) for p in pids if p != manager]
    figures = {f"processes of {name}": count for name, count in names.items()}
    figures |= {f"manager, {key}": value for key, value in _of(manager).items() if key != "maps"}
    figures["others, most fds"] = max((o["fds"] for o in others), default=0)
    figures["others, memfds"] = sum(o["memfds"] for o in others)
    figures["others, mapped memfds"] = sum(o["mapped"] for o in others)
    figures["zombies"] = sum(proc_status(p)["State"].startswith("Z") for p in pids)
    return figures


def memory_kb(guest, unit):
    """The manager's own memory: pages of its program come and go, see src/base/trim.h."""
    manager = next(p for p in guest.processes(unit) if executable(p) == "fpmd")
    return int(proc_status(manager)["RssAnon"].split()[0])


def grown(before, after):
    """What there is more of than before, as lines."""
    lines = []
    for key in sorted(set(before) | set(after)):
        old, new = before.get(key, 0), after.get(key, 0)
        if isinstance(new, collections.Counter) or isinstance(old, collections.Counter):
            more = (new or collections.Counter()) - (old or collections.Counter())
            if more:
                lines.append(f"{key}: {dict(more)} more")
        elif new > old:
            lines.append(f"{key}: {old} before, {new} after")
    return lines
