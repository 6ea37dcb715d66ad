"""Bodies of requests: forms, uploads, raw ones, and those whose length is a lie."""

from differential.compare import ROOT, Ask, Case, Raw, params
from fastcgi import ABORT, DATA, FILTER, KEEP_CONN, PARAMS, STDIN, begin, pairs, record, stream

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=XX"


def post(name, body, kind=FORM, pool="plain", differs=None, keep=False, **more):
    given = params(method=more.pop("method", "POST"), body=body, CONTENT_TYPE=kind, **more)
    return Case(name, [Ask(given, body, keep)], pool, differs=differs or {})


def part(name, content, filename=None, kind=None, more=""):
    content = content.encode() if isinstance(content, str) else content
    head = f'--XX\r\nContent-Disposition: form-data; name="{name}"'
    head += f'; filename="{filename}"' if filename is not None else ""
    head += f"\r\nContent-Type: {kind}" if kind else ""
    return (head + more).encode() + b"\r\n\r\n" + content + b"\r\n"


def multi(name, *parts, pool="plain", end=b"--XX--\r\n", kind=MULTIPART, **more):
    return post(name, b"".join(parts) + end, kind, pool, **more)


def stated(name, length, body, end=True, shut=False, answers=1, pool="plain", differs=None, keep=False,
           then=b"", kind="text/plain", method="POST"):
    """A body with a CONTENT_LENGTH of its own; end: with the end of STDIN."""
    given = params(method=method, CONTENT_LENGTH=length, CONTENT_TYPE=kind)
    data = (begin(flags=KEEP_CONN if keep else 0)
            + stream(PARAMS, pairs({k: v for k, v in given.items() if v is not None}))
            + (record(STDIN, body) if body else b"") + (record(STDIN) if end else b"") + then)
    return Case(name, [Raw(data, answers, shut)], pool, differs=differs or {})


SHORT = {"answer": "short-body", "connection": "short-body"}

NEXT = (begin(request_id=2) + stream(PARAMS, pairs(params(script="/empty.php")), 2)
        + record(STDIN, request_id=2))

FORMS = [
    post("form", b"a=1&b[]=2&b[]=3&c%20d=%C3%A4+x"),
    post("form with query", b"a=post", query="a=get&b=2"),
    post("form empty", b""),
    post("form with charset", b"a=1", FORM + "; charset=UTF-8"),
    post("form in capitals", b"a=1", FORM.upper()),
    post("form with blanks", b" a = 1 & b = 2 "),
    post("form big", b"a=" + b"x" * 300000),
    post("form by put", b"a=1", method="PUT"),
    post("form by get", b"a=1", method="GET"),
    post("form by head", b"a=1", method="HEAD"),
    post("form too many variables", b"&".join(b"v%d=%d" % (i, i) for i in range(9)), pool="limits"),
    post("form too deep", b"a[b][c][d][e]=1&f=2", pool="limits"),
    post("form too large", b"a=" + b"x" * 4000, pool="limits"),
    post("form of the limit", b"a=" + b"x" * 2998, pool="limits"),
    post("form not read", b"a=1&b=2", pool="noreading"),
    post("form kept", b"a=1", keep=True),
    post("text", b"some text", "text/plain"),
    post("json", b'{"a": 1}', "application/json"),
    post("type empty", b"a=1", ""),
    post("type absent", b"a=1", None),
    post("type nonsense", b"a=1", "nonsense"),
    post("type with comma", b"a=1", FORM + ", text/plain"),
    post("binary", bytes(range(256)) * 40, "application/octet-stream"),
    post("binary of a megabyte", bytes(range(256)) * 4096, "application/octet-stream"),
    post("text too large", b"x" * 4000, "text/plain", "limits"),
    post("body read twice", b"twice", "text/plain", SCRIPT_FILENAME=ROOT + "/read_twice.php"),
    post("body not read", b"x" * 5000, "text/plain", SCRIPT_FILENAME=ROOT + "/empty.php"),
    post("body not read and kept", b"x" * 5000, "text/plain", keep=True,
         SCRIPT_FILENAME=ROOT + "/empty.php"),
    post("body to a missing script", b"x" * 5000, "text/plain", keep=True,
         SCRIPT_FILENAME=ROOT + "/absent.php"),
    post("xml", b"<a/>", "text/xml"),
]

UPLOADS = [
    multi("upload", part("text", "v"), part("file", b"\0\r\n--X", "a b.bin", "application/x-y")),
    multi("upload field only", part("a", "1"), part("a", "2"), part("b[x]", "3")),
    multi("upload files array", part("f[]", "1", "a.txt"), part("f[]", "2", "b.txt"),
          part("g[x][y]", "3", "c.txt")),
    multi("upload empty file", part("f", "", "a.txt")),
    multi("upload no file", part("f", "", "")),
    multi("upload with path", part("f", "1", "../../x/a.txt"), part("g", "2", "C:\\\\dir\\\\b.txt")),
    multi("upload name utf8", part("f", "1", "\u00e4\u20ac.txt")),
    multi("upload without name", part("", "1", "a.txt")),
    multi("upload too large", part("f", b"x" * 1500, "a.txt"), part("a", "1"), pool="limits"),
    multi("upload of the limit", part("f", b"x" * 1000, "a.txt"), pool="limits"),
    multi("upload too many", *(part(f"f{i}", "x", "a.txt") for i in range(4)), pool="limits"),
    multi("upload too many parts", *(part(f"f{i}", "x") for i in range(9)), pool="limits"),
    multi("upload over post size", part("f", b"x" * 4000, "a.txt"), pool="limits"),
    multi("upload max file size", part("MAX_FILE_SIZE", "5"), part("f", "123456789", "a.txt")),
    multi("upload off", part("f", "1", "a.txt"), part("a", "1"), pool="nouploads"),
    multi("upload not read", part("f", "1", "a.txt"), pool="noreading"),
    multi("upload cut", part("f", "never ended", "a.txt")[:-2], end=b""),
    multi("upload cut in the head", b"--XX\r\nContent-Disposition: form-d", end=b""),
    multi("upload wrong boundary", part("a", "1"), kind="multipart/form-data; boundary=YY"),
    multi("upload no boundary", part("a", "1"), kind="multipart/form-data"),
    multi("upload quoted boundary", part("a", "1"), kind='multipart/form-data; boundary="XX"'),
    multi("upload empty boundary", part("a", "1"), kind="multipart/form-data; boundary="),
    multi("upload long boundary", part("a", "1"), kind="multipart/form-data; boundary=" + "X" * 5000),
    multi("upload with preamble", b"preamble\r\n", part("a", "1")),
    multi("upload with epilogue", part("a", "1"), end=b"--XX--\r\nepilogue"),
    multi("upload bare newlines", part("a", "1").replace(b"\r\n", b"\n"), end=b"--XX--\n"),
    multi("upload type per part", part("f", "1", "a.txt", "text/x; charset=y")),
    multi("upload mixed case head", part("a", "1").replace(b"Content-Disposition",
                                                           b"cOnTeNt-dIsPoSiTiOn")),
    multi("upload full path", part("f", "1", "dir/sub/a.txt")),
    multi("upload by put", part("a", "1"), method="PUT"),
    multi("upload big", part("f", b"x" * 900000, "big.bin")),
    multi("upload nothing", end=b""),
]

LENGTHS = [
    stated("length exact", "5", b"12345"),
    stated("length larger and closed", "50", b"12345", end=False, shut=True,
           differs={"answer": "cut-body"}),
    stated("length larger and ended", "50", b"12345", differs=SHORT),
    stated("length larger and ended form", "50", b"a=1&b=2", kind=FORM, differs=SHORT),
    stated("length smaller", "3", b"12345"),
    stated("length smaller and kept", "3", b"12345", keep=True, differs={"connection": "long-body"}),
    stated("length smaller and next request", "3", b"12345", keep=True, then=NEXT,
           differs={"connection": "long-body", "rest": "long-body"}),
    stated("length zero with body", "0", b"12345"),
    stated("length empty with body", "", b"12345", differs={"json.input": "body-without-length"}),
    stated("length absent with body", None, b"12345",
           differs={"json.input": "body-without-length"}),
    stated("length absent with form", None, b"a=1", kind=FORM,
           differs={"json.*": "body-without-length"}),
    stated("length absent by get", None, b"12345", method="GET",
           differs={"json.input": "body-without-length"}),
    stated("length garbage", "five", b"12345"),
    stated("length negative", "-5", b"12345", differs=SHORT),
    stated("length with plus", "+5", b"12345"),
    stated("length with blanks", " 5 ", b"12345"),
    stated("length with text after", "5abc", b"12345"),
    stated("length hexadecimal", "0x5", b"12345"),
    stated("length overflowing", "99999999999999999999", b"12345", end=False, shut=True,
           differs={"answer": "cut-body"}),
    stated("length without end of stdin", "5", b"12345", end=False),
    stated("length none and no stdin at all", None, b"", end=False,
           differs={"answer": "body-without-length", "connection": "body-without-length"}),
    stated("length zero and no stdin at all", "0", b"", end=False),
    Case("body in many records", [Raw(
        begin() + stream(PARAMS, pairs(params(method="POST", body=b"x" * 500)))
        + stream(STDIN, b"x" * 500, chunk=1))]),
    Case("body with padding", [Raw(
        begin() + stream(PARAMS, pairs(params(method="POST", body=b"x" * 50)))
        + record(STDIN, b"x" * 25, padding=255) + record(STDIN, b"x" * 25, padding=3)
        + record(STDIN, b"", padding=8))]),
    Case("body of a filter", [Raw(
        begin(FILTER) + stream(PARAMS, pairs(params(method="POST", body=b"12345")))
        + stream(STDIN, b"12345") + stream(DATA, b"data"))]),
    Case("body aborted", [Raw(
        begin() + stream(PARAMS, pairs(params(method="POST", body=b"x" * 50)))
        + record(STDIN, b"x" * 10) + record(ABORT))], differs={"answer": "abort"}),
    Case("chunked like body", [Ask(params(method="POST", CONTENT_TYPE="text/plain",
                                          HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH=None),
                                   b"5\r\n12345\r\n0\r\n\r\n")],
         differs={"json.input": "body-without-length"}),
    Case("expect with body", [Ask(params(method="POST", CONTENT_TYPE="text/plain", body=b"12345",
                                         HTTP_EXPECT="100-continue"), b"12345")]),
]

READ_TWICE = Case("read twice", [Ask(params("/read_twice.php"))], code="""<?php
echo json_encode([file_get_contents("php://input"), file_get_contents("php://input"),
                  stream_get_contents(fopen("php://input", "r"), 2, 1)]);
""")

PREPARED = "/var/lib/nginx/body/given"


def body_file(name, path, length, stdin=b"", differs=None, kind="text/plain", pool="plain"):
    given = params(method="POST", CONTENT_TYPE=kind, CONTENT_LENGTH=length, REQUEST_BODY_FILE=path)
    return Case(name, [Ask(given, stdin)], pool, differs=differs or {})


BODY_FILES = [
    body_file("body file", PREPARED, "9"),
    body_file("body file form", PREPARED, "9", kind=FORM),
    body_file("body file shorter length", PREPARED, "4"),
    body_file("body file longer length", PREPARED, "50"),
    body_file("body file no length", PREPARED, "", differs={"json.input": "body-without-length"}),
    body_file("body file missing", "/var/lib/nginx/body/absent", "9"),
    body_file("body file empty name", "", "5", b"12345"),
    body_file("body file and stdin", PREPARED, "9", b"stdin too"),
    body_file("body file elsewhere", ROOT + "/plain.txt", "4",
              differs={"json.input": "body-file", "json.error*": "body-file", "stderr": "body-file"}),
    body_file("body file with parent", "/var/lib/nginx/body/../../../../etc/hostname", "4",
              differs={"json.input": "body-file", "json.error*": "body-file", "stderr": "body-file"}),
]

CASES = FORMS + UPLOADS + LENGTHS + [READ_TWICE] + BODY_FILES
