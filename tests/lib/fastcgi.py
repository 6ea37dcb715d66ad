"""A FastCGI client for the tests: whole requests, and single records to send what no server would.

The numbers are those of the FastCGI specification 1.0.
"""

import os
import socket
import struct

from guest import PATIENCE

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, GET_VALUES_RESULT, UNKNOWN = \
    range(1, 12)
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
KEEP_CONN = 1
REQUEST_COMPLETE, CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE = range(4)

HEADER = struct.Struct("!BBHHBx")


def record(kind, content=b"", request_id=1, padding=0, version=1):
    return HEADER.pack(version, kind, request_id, len(content), padding) + content + bytes(padding)


def begin(role=RESPONDER, flags=0, request_id=1):
    return record(BEGIN, struct.pack("!HB5x", role, flags), request_id)


def _length(n):
    return bytes([n]) if n < 128 else struct.pack("!I", n | 0x80000000)


def pairs(params):
    out = bytearray()
    for name, value in params.items():
        name, value = name.encode(), value if isinstance(value, bytes) else str(value).encode()
        out += _length(len(name)) + _length(len(value)) + name + value
    return bytes(out)


def unpair(data):
    out = {}
    at = 0
    while at < len(data):
        lengths = []
        for _ in range(2):
            n = data[at]
            if n >= 128:
                n = struct.unpack_from("!I", data, at)[0] & 0x7fffffff
                at += 4
            else:
                at += 1
            lengths.append(n)
        name = data[at:at + lengths[0]]
        value = data[at + lengths[0]:at + sum(lengths)]
        out[name.decode()] = value.decode()
        at += sum(lengths)
    return out


def stream(kind, data, request_id=1, chunk=65528):
    """A stream as records, with its end."""
    parts = [record(kind, data[i:i + chunk], request_id) for i in range(0, len(data), chunk)]
    return b"".join(parts) + record(kind, b"", request_id)


def script_params(script, method="GET", query="", body=b"", root="/srv/www", path_info="", **more):
    params = {
        "SCRIPT_FILENAME": root + script, "SCRIPT_NAME": script, "DOCUMENT_ROOT": root,
        "REQUEST_METHOD": method, "QUERY_STRING": query, "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_URI": script + path_info + ("?" + query if query else ""),
        "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_NAME": "www.example", "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "1", "SERVER_ADDR": "127.0.0.1",
        "HTTP_HOST": "www.example", "REDIRECT_STATUS": "200",
    }
    if path_info:
        params["PATH_INFO"] = path_info
    if body:
        params["CONTENT_LENGTH"] = str(len(body))
        params["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
    params.update(more)
    return {k: v for k, v in params.items() if v is not None}


class Response:
    """What a responder said: raw stdout split into header lines and body."""

    def __init__(self, stdout, stderr, app_status, protocol_status):
        self.stdout, self.stderr = stdout, stderr
        self.app_status, self.protocol_status = app_status, protocol_status
        head, _, self.body = stdout.partition(b"\r\n\r\n")
        self.header_lines = head.decode(errors="replace").split("\r\n") if head else []
        self.headers = {}
        for line in self.header_lines:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self.status = int(self.headers.get("status", "200").split()[0])

    @property
    def text(self):
        return self.body.decode(errors="replace")


class Connection:
    """One connection to a pool: address is a path or a (host, port) pair; source an own address."""

    def __init__(self, address, timeout=20, source=None):
        timeout *= PATIENCE
        if isinstance(address, tuple):
            self.socket = socket.create_connection(address, timeout,
                                                   source_address=(source, 0) if source else None)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(os.fspath(address))
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read_record(self):
        """(kind, request id, content), or None at the end of the connection."""
        header = self._read(8)
        if header is None:
            return None
        _, kind, request_id, length, padding = HEADER.unpack(header)
        content = self._read(length + padding)
        if content is None:
            raise ConnectionError("the connection ended inside a record")
        return kind, request_id, content[:length]

    def _read(self, n):
        while len(self._buffer) < n:
            data = self.socket.recv(262144)
            if not data:
                if self._buffer:
                    raise ConnectionError("the connection ended inside a record")
                return None
            self._buffer += data
        out, self._buffer = self._buffer[:n], self._buffer[n:]
        return out

    def read_response(self, request_id=1):
        """Reads until END_REQUEST of the request."""
        stdout, stderr = [], []
        while True:
            got = self.read_record()
            if got is None:
                raise ConnectionError("the connection ended before END_REQUEST")
            kind, rid, content = got
            if rid != request_id:
                raise ConnectionError(f"a record of request {rid}")
            if kind == STDOUT:
                stdout.append(content)
            elif kind == STDERR:
                stderr.append(content)
            elif kind == END:
                app, protocol = struct.unpack("!IB3x", content)
                return Response(b"".join(stdout), b"".join(stderr), app, protocol)
            else:
                raise ConnectionError(f"a record of type {kind}")

    def request(self, script, method="GET", query="", body=b"", keep=False, request_id=1, **params):
        self.send(begin(flags=KEEP_CONN if keep else 0, request_id=request_id)
                  + stream(PARAMS, pairs(script_params(script, method, query, body, **params)),
                           request_id)
                  + stream(STDIN, body, request_id))
        return self.read_response(request_id)


def request(address, script, timeout=20, **options):
    """One request on a connection of its own."""
    with Connection(address, timeout) as connection:
        return connection.request(script, **options)
