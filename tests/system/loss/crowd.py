"""Clients of every kind at once, at both addresses of a pool, and what became of their requests."""

import contextlib
import time

from suite import load

SCRIPT = "/srv/www/load.php"
KINDS = {
    "unix": {},
    "unix, kept": {"keep": True},
    "unix, POST": {"body": 30000, "answer": 40000},
    "tcp": {"tcp": True},
    "tcp, kept": {"tcp": True, "keep": True},
}


class Events:
    """What was done when, to say beside a failure what had happened before it."""

    def __init__(self):
        self.all = []

    def add(self, text):
        self.all.append((time.monotonic(), text))

    def before(self, moment):
        """The last event before a moment, and how long it was ago."""
        past = [(at, text) for at, text in self.all if at <= moment]
        if not past:
            return "before all events"
        at, text = past[-1]
        return f"{(moment - at) * 1000:.0f} ms after {text}"


class Crowd:
    """Running loads by kind; results() ends them."""

    def __init__(self, loads, events):
        self.loads = loads
        self.events = events

    def running(self):
        return all(load.running() for load in self.loads.values())

    def results(self):
        """Lets those under way finish; kind → counts."""
        for running in self.loads.values():
            running.stop()
        return {kind: running.result() for kind, running in self.loads.items()}

    def kind_of(self, request_id):
        """The kind of the clients that made a request."""
        return list(KINDS)[(int(request_id[:4], 16) - 1) % 16]

    def samples(self, *kinds):
        return sorted(sample for kind in kinds or self.loads for sample in self.loads[kind].samples())


@contextlib.contextmanager
def crowd(guest, path, port, kinds=None, clients=4, seconds=60, strict=False, ms=20, seed=0,
          events=None, query="", **options):
    """Clients of these kinds (all), each of them so many, against a socket of the guest and its port.

    strict: kept connections may never be closed; otherwise they count as a web server's do.
    """
    query = f"ms={ms}" + (f"&{query}" if query else "")
    with contextlib.ExitStack() as stack:
        loads = {}
        for kind in kinds or KINDS:
            words = dict(KINDS[kind])
            tcp = words.pop("tcp", False)
            words.setdefault("keep", False)
            loads[kind] = stack.enter_context(load(
                f"127.0.0.1:{port}" if tcp else guest.path(path), SCRIPT, clients=clients,
                seconds=seconds, ids=True, query=query, network=guest if tcp else None,
                strict=strict and words["keep"], seed=16 * seed + list(KINDS).index(kind) + 1,
                **words, **options))
        yield Crowd(loads, events or Events())


def problems(results, events, strict=False):
    """What was lost, as lines; none when every request was answered rightly."""
    lines = []
    for kind, result in results.items():
        accounted = result["ok"] + result["failed"] + result["aborted"]
        if result["begun"] != accounted:
            lines.append(f"{kind}: {result['begun']} requests begun, {accounted} accounted for")
        if result["stray"]:
            lines.append(f"{kind}: {result['stray']} connections got bytes that nobody asked for")
        if strict and result["closed_idle"]:
            lines.append(f"{kind}: {result['closed_idle']} kept connections were closed")
        if result["failed"]:
            lines.append(f"{kind}: {result['failed']} of {result['begun']} failed")
        lines += [f"    {kind}: {f['kind']} {f['status'] or ''} {f['id']} "
                  f"{events.before(f['at_usec'] / 1e6)} {f['got'][:120]!r}"
                  for f in result["failures"][:12]]
    return lines


def total(results, key):
    return sum(result[key] for result in results.values())


def summary(results):
    """One line for people."""
    kept = {kind: r for kind, r in results.items() if "kept" in kind}
    return (f"{total(results, 'begun')} requests, {total(results, 'failed')} failed, "
            f"{total(kept, 'reopened')} repeated once on a kept connection")


def losses(results):
    """One line for people: what failed, by kind of failure."""
    kinds = ("refused", "closed", "cut", "wrong", "status", "protocol", "timed_out")
    parts = [f"{total(results, key)} {key}" for key in kinds if total(results, key)]
    return f"{total(results, 'failed')} of {total(results, 'begun')} failed" + \
        (f" ({', '.join(parts)})" if parts else "")
