"""FastCGI itself: roles, ids, records in strange order, connections kept and closed."""

import struct

from differential.compare import Ask, Case, Raw, params
from fastcgi import (ABORT, AUTHORIZER, BEGIN, DATA, END, FILTER, GET_VALUES, KEEP_CONN, PARAMS,
                     RESPONDER, STDIN, STDOUT, begin, pairs, record, stream)

SHOW = pairs(params())
EMPTY = pairs(params("/empty.php"))


def raw(name, *parts, answers=1, differs=None, shut=False, wait=0.8, records=False):
    return Case(name, [Raw(b"".join(parts), answers, shut, wait)], differs=differs or {},
                records=records)


def request(given=EMPTY, number=1, flags=0, role=RESPONDER):
    return begin(role, flags, number) + stream(PARAMS, given, number) + record(STDIN, request_id=number)


def both(identifier):
    """Only one of them answers, and the connection ends in another way."""
    return {"answer": identifier, "connection": identifier}


CASES = [
    Case("role responder", [Ask(params())]),
    Case("role authorizer", [Ask(params(), role=AUTHORIZER)]),
    Case("role filter", [Ask(params(), role=FILTER)]),
    raw("role filter with data", begin(FILTER), stream(PARAMS, SHOW), record(STDIN), record(DATA)),
    raw("role unknown", begin(role=9), stream(PARAMS, EMPTY), record(STDIN),
        differs=both("unknown-answered")),
    raw("role zero", begin(role=0), stream(PARAMS, EMPTY), record(STDIN),
        differs=both("unknown-answered")),
    Case("request id 0", [Ask(params("/empty.php"), request_id=0)], differs={"answer": "request-id-zero", "connection": "request-id-zero",
                  "rest": "request-id-zero"}),
    Case("request id 65535", [Ask(params("/empty.php"), request_id=65535)]),
    Case("request ids change", [Ask(params("/empty.php"), keep=True, request_id=i) for i in (7, 1, 300)]),
    Case("kept connection", [Ask(params(), keep=True) for i in range(3)]),
    Case("kept connection closed at last", [Ask(params(), keep=True), Ask(params())]),
    Case("kept connection of one request", [Ask(params(), keep=True), Ask(params(), keep=True)], "once",
         differs={"connection": "kept-connections", "2.answer": "kept-connections"}),
    Case("kept after an error", [Ask(params("/absent.php"), keep=True), Ask(params(), keep=True)]),
    raw("requests sent ahead", request(flags=KEEP_CONN), request(number=2, flags=KEEP_CONN),
        request(number=3), answers=3),
    raw("request sent ahead without keep", request(), request(number=2), answers=1),
    raw("get values", record(GET_VALUES, pairs({"FCGI_MAX_CONNS": "", "FCGI_MAX_REQS": "",
                                                "FCGI_MPXS_CONNS": "", "OTHER": ""}), 0),
        differs={"other": "get-values"}),
    raw("get values mpxs", record(GET_VALUES, pairs({"FCGI_MPXS_CONNS": ""}), 0)),
    raw("get values nothing", record(GET_VALUES, b"", 0)),
    raw("get values then request", record(GET_VALUES, pairs({"FCGI_MPXS_CONNS": ""}), 0), request(),
        answers=2),
    raw("unknown record", record(77, b"xyz", 0), differs=both("unknown-answered")),
    raw("unknown record then request", record(77, b"xyz", 0), request(), answers=2,
        differs={"?.answer": "unknown-answered", "connection": "unknown-answered"}),
    raw("version 0", record(BEGIN, struct.pack("!HB5x", 1, 0), version=0), stream(PARAMS, EMPTY),
        record(STDIN), differs={"connection": "closed-not-reset"}),
    raw("version 2", record(BEGIN, struct.pack("!HB5x", 1, 0), version=2), stream(PARAMS, EMPTY),
        record(STDIN), differs={"answer": "version"}),
    raw("begin of the wrong size", record(BEGIN, b"\0\1"), stream(PARAMS, EMPTY), record(STDIN),
        differs={"connection": "closed-not-reset"}),
    raw("begin with padding", record(BEGIN, struct.pack("!HB5x", 1, 0), padding=8),
        stream(PARAMS, EMPTY), record(STDIN)),
    raw("stdin first", record(STDIN, b"x"), request(),
        differs={"answer": "stray-records", "connection": "stray-records"}),
    raw("empty stdin first", record(STDIN), request()),
    raw("params first", stream(PARAMS, EMPTY), request(),
        differs={"answer": "stray-records", "connection": "stray-records"}),
    raw("http instead", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        differs={"connection": "closed-not-reset"}),
    raw("zeros", bytes(100), differs={"connection": "closed-not-reset"}),
    raw("nothing and closed", b"", shut=True),
    raw("half a header", b"\1\1\0", shut=True),
    raw("begin alone", begin(), shut=True),
    raw("params without end", begin(), record(PARAMS, EMPTY), shut=True),
    raw("params empty", begin(), record(PARAMS), record(STDIN)),
    raw("params in records at pair borders", begin(), *(record(PARAMS, pairs({k: v}))
                                                        for k, v in params("/show.php").items()),
        record(PARAMS), record(STDIN)),
    raw("params across records", begin(), stream(PARAMS, SHOW, chunk=50), record(STDIN),
        differs=both("pairs-across-records")),
    raw("params with padding", begin(), record(PARAMS, SHOW, padding=200), record(PARAMS, padding=8),
        record(STDIN)),
    raw("params of large length", begin(), record(PARAMS, b"\x84\0\0\0\1AAA"), record(PARAMS),
        record(STDIN), shut=True, differs={"connection": "closed-not-reset", "answer": "input-limits"}),
    raw("params of long form lengths", begin(), stream(PARAMS, b"".join(
        struct.pack("!II", len(k) | 1 << 31, len(v) | 1 << 31) + k.encode() + v.encode()
        for k, v in params("/show.php").items())), record(STDIN)),
    raw("params twice the same name", begin(), stream(PARAMS, SHOW + pairs({"QUERY_STRING": "twice=1"})),
        record(STDIN)),
    raw("params of a name without value", begin(), stream(PARAMS, SHOW + b"\5\0EMPTY"), record(STDIN)),
    raw("params of a megabyte", begin(), stream(PARAMS, EMPTY), record(STDIN), shut=False),
    raw("records of another id", begin(), stream(PARAMS, SHOW, 5), record(STDIN, request_id=5),
        differs=both("record-ids")),
    raw("second begin meanwhile", begin(), record(PARAMS, EMPTY), begin(request_id=2), record(PARAMS),
        record(STDIN), differs={"answer": "second-request", "rest": "second-request"}),
    raw("abort before params end", begin(), record(PARAMS, EMPTY), record(ABORT),
        differs={"answer": "abort"}),
    raw("abort before params end kept", begin(flags=KEEP_CONN), record(PARAMS, EMPTY), record(ABORT),
        differs={"answer": "abort"}),
    raw("abort instead of stdin", begin(flags=KEEP_CONN), stream(PARAMS, SHOW), record(ABORT),
        differs=both("abort")),
    raw("end record from the client", record(END, bytes(8)), request(),
        differs={"answer": "stray-records", "connection": "stray-records"}),
    raw("stdout record from the client", begin(), stream(PARAMS, SHOW), record(STDOUT, b"x"), record(STDIN)),
    raw("flags unknown", begin(flags=0xfe), stream(PARAMS, EMPTY), record(STDIN)),
    raw("one byte padding each", begin(), *(record(PARAMS, EMPTY, padding=1),), record(PARAMS, padding=1),
        record(STDIN, padding=1)),
    raw("half closed after the request", request(SHOW), shut=True),
    raw("half closed after a kept request", request(SHOW, flags=KEEP_CONN), shut=True),
]
