"""One case against php-fpm and fpmd: the same bytes to both, what comes back field by field.

A case sends one or more requests over one connection, or bytes that no library would send. What came
back becomes a flat dict of fields (headers, body, json.server.PHP_SELF, stderr, app_status, closed, …),
in which only the things of VOLATILE are made equal. A field that differs has to be named by the case,
with the id of a heading in docs/differences.md; a field that is named has to differ.
"""

import dataclasses
import fnmatch
import json
import re
import socket
import time

import fastcgi
from fastcgi import END, KEEP_CONN, PARAMS, STDERR, STDIN, STDOUT, begin, pairs, stream

ROOT = "/srv/www/differential"

# How long a connection without traffic has to stay open to count as kept, and a request without
# answer as hanging. Both servers are idle otherwise, and answer within a few ms.
KEPT_SECONDS = 0.06
HANG_SECONDS = 1.0

# Patterns of what no two requests have in common, and what stands for it.
VOLATILE = [
    (rb'"(REQUEST_TIME|REQUEST_TIME_FLOAT)": ?[0-9.]+', rb'"\1": 0'),
    (rb"PHPSESSID=[0-9a-z,-]{22,}", b"PHPSESSID=(session)"),
    (rb"(\\?/tmp\\?/php)[A-Za-z0-9]{6}\b", rb"\1(name)"),
    (rb"expires=\w{3}, \d\d[ -]\w{3}[ -]\d{4} [0-9:]{8} GMT", b"expires=(date)"),
]


@dataclasses.dataclass
class Ask:
    """A request: params complete as a web server sends them; None takes one of them away."""
    params: dict
    body: bytes = b""
    keep: bool = False
    role: int = fastcgi.RESPONDER
    request_id: int = 1

    def bytes(self):
        params = {k: v for k, v in self.params.items() if v is not None}
        return (begin(self.role, KEEP_CONN if self.keep else 0, self.request_id)
                + stream(PARAMS, pairs(params), self.request_id)
                + stream(STDIN, self.body, self.request_id))


@dataclasses.dataclass
class Raw:
    """Bytes as they are. answers: how many END_REQUESTs to wait for; shut: no more will come."""
    data: bytes
    answers: int = 1
    shut: bool = False
    wait: float = HANG_SECONDS


@dataclasses.dataclass
class Case:
    name: str
    sends: list  # of Ask and Raw, over one connection, each after the answer to the one before
    pool: str = "plain"
    code: str = None  # PHP of a script of the case's own, ROOT/NAME.php
    differs: dict = dataclasses.field(default_factory=dict)  # pattern of fields → id
    fresh: bool = False  # each send on a connection of its own
    warm: str = None  # a pool that gets the same before
    digits: bool = True  # False: numbers of the body are not compared
    records: bool = False  # compare the sequence of record types too
    only: tuple = ()  # patterns of the fields that are looked at; empty: all

    @property
    def slug(self):
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")


def params(script="/show.php", method="GET", query="", body=b"", root=ROOT, **more):
    """What nginx with Debian's fastcgi.conf sends."""
    made = {
        "SCRIPT_FILENAME": root + script, "QUERY_STRING": query, "REQUEST_METHOD": method,
        "CONTENT_TYPE": "", "CONTENT_LENGTH": str(len(body)) if body else "",
        "SCRIPT_NAME": script, "REQUEST_URI": script + ("?" + query if query else ""),
        "DOCUMENT_URI": script, "DOCUMENT_ROOT": root, "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_SCHEME": "http", "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "nginx/1.22.1",
        "REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "40000", "SERVER_ADDR": "192.0.2.1",
        "SERVER_PORT": "80", "SERVER_NAME": "www.example", "REDIRECT_STATUS": "200",
        "HTTP_HOST": "www.example", "REQUEST_ID": "7c94fb1e2ae54a6c8c5f0d0e3b6a9f21",
    }
    made.update(more)
    return made


# ---- talking ----

class Seen:
    """What came back on a connection so far."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(address))
        self.buffer = b""
        self.end = None  # "closed" or "reset"

    def _fill(self, seconds):
        """False when nothing came in that time or the connection is over."""
        if self.end or seconds <= 0:
            return False
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(1 << 18)
        except socket.timeout:
            return False
        except ConnectionError:
            self.end = "reset"
            return False
        if not data:
            self.end = "closed"
            return False
        self.buffer += data
        return True

    def next_record(self, seconds):
        """(type, id, content, header), or None."""
        limit = time.monotonic() + seconds
        while True:
            if len(self.buffer) >= 8:
                version, kind, number, length, padding = fastcgi.HEADER.unpack(self.buffer[:8])
                size = 8 + length + padding
                if len(self.buffer) >= size:
                    whole, self.buffer = self.buffer[:size], self.buffer[size:]
                    return kind, number, whole[8:8 + length]
            if not self._fill(limit - time.monotonic()):
                return None

    def send(self, data):
        self.socket.settimeout(5)
        try:
            self.socket.sendall(data)
        except ConnectionError:
            pass  # what the server said before it closed is still to be read
        except socket.timeout:
            self.end = "not read"

    def finish(self):
        """How the connection goes on, and what else came."""
        while self._fill(KEPT_SECONDS):
            pass
        self.socket.close()
        return self.end or "kept", self.buffer


class Answer:
    """Of one request: the streams put together, and the records they came in."""

    def __init__(self):
        self.stdout, self.stderr, self.kinds, self.other = b"", b"", [], []
        self.app_status = self.protocol_status = self.reserved = None
        self.ended = False

    def take(self, seen, seconds):
        while not self.ended:
            got = seen.next_record(seconds)
            if not got:
                return
            kind, number, content = got
            self.kinds.append(kind if content else -kind)
            if kind == STDOUT:
                self.stdout += content
            elif kind == STDERR:
                self.stderr += content
            elif kind == END:
                self.app_status = int.from_bytes(content[:4], "big")
                self.protocol_status = content[4]
                self.reserved = content[5:8]
                self.request_id = number
                self.ended = True
            else:
                self.other.append((kind, number, content))
                if kind in (fastcgi.GET_VALUES_RESULT, fastcgi.UNKNOWN):
                    return


def settle(data):
    for pattern, replacement in VOLATILE:
        data = re.sub(pattern, replacement, data)
    return data


def flatten(value, name, fields):
    """Objects become fields of their own; lists are compared whole."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            flatten(item, f"{name}.{key}", fields)
    else:
        fields[name] = value


def read_body(body, fields, prefix):
    if body.startswith(b"{"):
        try:
            flatten(json.loads(body), prefix + "json", fields)
            return
        except ValueError:
            pass
    fields[prefix + "body"] = body if len(body) < 3000 else (len(body), body[:1000], body[-1000:])


def read_answer(answer, fields, prefix, case):
    if not answer.kinds and not answer.ended:
        fields[prefix + "answer"] = "none"
        return
    if not answer.stdout:
        fields[prefix + "answer"] = "no output"
    head, separator, body = settle(answer.stdout).partition(b"\r\n\r\n")
    fields[prefix + "headers"] = head.split(b"\r\n")
    fields[prefix + "head_end"] = bool(separator)
    read_body(body if case.digits else re.sub(rb"[0-9]+(\.[0-9]+)?", b"0", body), fields, prefix)
    fields[prefix + "stderr"] = settle(answer.stderr)
    fields[prefix + "ended"] = answer.ended
    if answer.ended:
        fields[prefix + "app_status"] = answer.app_status
        fields[prefix + "protocol_status"] = answer.protocol_status
        fields[prefix + "request_id"] = answer.request_id
    fields[prefix + "other"] = answer.other
    if case.records:
        fields[prefix + "records"] = answer.kinds
        fields[prefix + "reserved"] = answer.reserved


def observe(address, case):
    """All fields of a case at one of the servers."""
    fields = {}
    seen = None
    for i, send in enumerate(case.sends):
        prefix = f"{i + 1}." if len(case.sends) > 1 else ""
        if seen is None:
            seen = Seen(address)
        elif case.fresh:
            finish(seen, fields, f"{i}.")
            seen = Seen(address)
        if isinstance(send, Ask):
            seen.send(send.bytes())
            answer = Answer()
            answer.take(seen, 5)
            read_answer(answer, fields, prefix, case)
            continue
        seen.send(send.data)
        if send.shut:
            seen.socket.shutdown(socket.SHUT_WR)
        for k in range(send.answers):
            answer = Answer()
            answer.take(seen, send.wait)
            read_answer(answer, fields, prefix + (f"{k + 1}." if send.answers > 1 else ""), case)
    finish(seen, fields, "")
    return fields


def finish(seen, fields, prefix):
    fields[prefix + "connection"], rest = seen.finish()
    fields[prefix + "rest"] = rest


# ---- comparing ----

def differences(theirs, ours, only=()):
    """The fields that differ, as field → (of php-fpm, of fpmd)."""
    found = {}
    # Where only one of them gave an answer, that is the difference, and not each field of it.
    silent = [field[:-len("answer")] for field in set(theirs) | set(ours)
              if field.endswith("answer") and theirs.get(field) != ours.get(field)]
    for field in sorted(set(theirs) | set(ours)):
        part_of_answer = not field.endswith(("answer", "connection", "rest"))
        if part_of_answer and any(field.startswith(prefix) for prefix in silent):
            continue
        if only and not any(fnmatch.fnmatchcase(field, pattern) for pattern in only):
            continue
        pair = theirs.get(field, "(absent)"), ours.get(field, "(absent)")
        if pair[0] != pair[1]:
            found[field] = pair
    return found


def judge(found, differs):
    """The differences that nothing explains, and the explanations of nothing, as lines of text."""
    unexplained = []
    used = set()
    for field, (theirs, ours) in found.items():
        names = [p for p in differs if fnmatch.fnmatchcase(field, p)]
        used.update(names)
        if not names:
            unexplained.append(f"{field} differs\n    php-fpm: {theirs!r:.1500}\n"
                               f"    fpmd:    {ours!r:.1500}")
    return unexplained, [f"{pattern} does not differ any more, but {identifier} says so"
                         for pattern, identifier in differs.items() if pattern not in used]
