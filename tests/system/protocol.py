"""FastCGI as it is sent by correct, strange and hostile clients, without a web server between."""

import json
import os
import random
import socket
import struct
import time

import fastcgi
from fastcgi import (ABORT, AUTHORIZER, BEGIN, DATA, END, FILTER, GET_VALUES, GET_VALUES_RESULT,
                     KEEP_CONN, PARAMS, RESPONDER, STDIN, STDOUT, UNKNOWN, UNKNOWN_ROLE, Connection,
                     begin, pairs, record, script_params, stream)
from suite import GuestCase, main, message_id, wait_until, write_pool


class Protocol(GuestCase):
    nginx = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        write_pool(cls.guest, "wire", children=2)
        cls.guest.systemctl("start", "fpmd@wire.socket")

    def connect(self, timeout=10):
        connection = Connection(self.socket("wire"), timeout)
        self.addCleanup(connection.close)
        return connection

    def hello(self, **options):
        return (begin(**options)
                + stream(PARAMS, pairs(script_params("/hello.php")), options.get("request_id", 1))
                + stream(STDIN, b"", options.get("request_id", 1)))

    def serves(self):
        self.assertEqual(self.ask("wire", "/hello.php").text, "Hello World\n")

    def pids_now(self):
        return sorted(w["pid"] for w in self.status("wire")["workers"])

    def unharmed(self, before):
        """The pool serves, and no worker died of what was sent."""
        for _ in range(4):
            self.serves()
        self.assertEqual(self.pids_now(), before)

    # ---- correct ----

    def test_one_byte_at_a_time(self):
        connection = self.connect()
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for byte in self.hello():
            connection.send(bytes([byte]))
        self.assertEqual(connection.read_response().text, "Hello World\n")

    def test_pairs_across_records(self):
        data = pairs(script_params("/server.php", HTTP_LONG="v" * 5000))
        for size in (1, 7, 100, 4999):
            connection = self.connect()
            connection.send(begin() + stream(PARAMS, data, chunk=size) + stream(STDIN, b""))
            reply = json.loads(connection.read_response().text)
            self.assertEqual(reply["server"]["HTTP_LONG"], "v" * 5000)

    def test_padding_of_every_length(self):
        connection = self.connect()
        data = pairs(script_params("/hello.php"))
        connection.send(begin() + b"".join(
            record(PARAMS, data[i:i + 10], padding=(i * 7) % 256) for i in range(0, len(data), 10))
            + record(PARAMS, b"", padding=255) + record(STDIN, b"", padding=8))
        self.assertEqual(connection.read_response().text, "Hello World\n")

    def test_a_kept_connection_serves_many_requests(self):
        connection = self.connect()
        for i in range(50):
            reply = connection.request("/server.php", query=f"n={i}", keep=True)
            self.assertEqual(json.loads(reply.text)["get"], {"n": str(i)})

    def test_request_numbers_are_the_clients(self):
        connection = self.connect()
        for number in (1, 2, 255, 256, 65535):
            reply = connection.request("/hello.php", keep=True, request_id=number)
            self.assertEqual(reply.text, "Hello World\n")

    def test_the_connection_is_closed_without_keep_conn(self):
        connection = self.connect()
        connection.request("/hello.php")
        self.assertIsNone(connection.read_record())

    def test_kept_connections_do_not_hold_workers(self):
        """More idle kept connections than workers, and new clients are served at once."""
        kept = [self.connect() for _ in range(6)]
        for connection in kept:
            self.assertEqual(connection.request("/hello.php", keep=True).text, "Hello World\n")
        start = time.monotonic()
        self.serves()
        self.assertLess(time.monotonic() - start, 15)
        for connection in kept:
            self.assertEqual(connection.request("/hello.php", keep=True).text, "Hello World\n")

    def test_requests_sent_ahead_are_answered_in_turn(self):
        connection = self.connect()
        connection.send(b"".join(self.hello(flags=KEEP_CONN, request_id=i) for i in (1, 2, 3)))
        for number in (1, 2, 3):
            self.assertEqual(connection.read_response(number).text, "Hello World\n")

    def test_get_values(self):
        connection = self.connect()
        connection.send(record(GET_VALUES, pairs({"FCGI_MAX_CONNS": "", "FCGI_MAX_REQS": "",
                                                  "FCGI_MPXS_CONNS": "", "NO_SUCH": ""}), 0))
        kind, number, content = connection.read_record()
        self.assertEqual((kind, number), (GET_VALUES_RESULT, 0))
        values = fastcgi.unpair(content)
        self.assertEqual(values["FCGI_MPXS_CONNS"], "0")
        self.assertTrue(int(values["FCGI_MAX_CONNS"]) >= 1 and int(values["FCGI_MAX_REQS"]) >= 1)
        self.assertNotIn("NO_SUCH", values)

    def test_unknown_management_records_are_answered(self):
        connection = self.connect()
        connection.send(record(77, b"xyz", 0))
        kind, number, content = connection.read_record()
        self.assertEqual((kind, number, content[0]), (UNKNOWN, 0, 77))
        connection.send(self.hello())
        self.assertEqual(connection.read_response().text, "Hello World\n")

    def test_an_unknown_role_is_refused(self):
        connection = self.connect()
        connection.send(begin(role=9, flags=KEEP_CONN))
        kind, number, content = connection.read_record()
        self.assertEqual((kind, number), (END, 1))
        self.assertEqual(content[4], UNKNOWN_ROLE)

    def test_the_authorizer_role(self):
        connection = self.connect()
        connection.send(begin(role=AUTHORIZER)
                        + stream(PARAMS, pairs(script_params("/server.php"))))
        reply = json.loads(connection.read_response().text)
        self.assertEqual(reply["server"].get("FCGI_ROLE", "AUTHORIZER"), "AUTHORIZER")

    def test_the_filter_role(self):
        connection = self.connect()
        params = script_params("/sink.php", "POST", body=b"body!",
                               FCGI_DATA_LENGTH="4", FCGI_DATA_LAST_MOD="0")
        connection.send(begin(role=FILTER) + stream(PARAMS, pairs(params))
                        + stream(STDIN, b"body!") + stream(DATA, b"data"))
        self.assertEqual(json.loads(connection.read_response().text)["length"], 5)

    def test_a_body_without_content_length(self):
        connection = self.connect()
        body = os.urandom(200000)
        params = script_params("/echo.php", "POST", CONTENT_TYPE="application/octet-stream")
        connection.send(begin() + stream(PARAMS, pairs(params)))
        sent = stream(STDIN, body, chunk=1000)
        connection.send(sent)
        self.assertEqual(connection.read_response().body, body)

    def test_a_body_longer_than_content_length_is_cut(self):
        connection = self.connect()
        params = script_params("/sink.php", "POST", CONTENT_LENGTH="10", CONTENT_TYPE="text/plain")
        connection.send(begin() + stream(PARAMS, pairs(params)) + stream(STDIN, b"x" * 100))
        self.assertEqual(json.loads(connection.read_response().text)["length"], 10)

    def test_a_large_answer_to_a_slow_reader(self):
        connection = self.connect(30)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.send(begin() + stream(PARAMS, pairs(script_params("/source.php", query="mb=4")))
                        + stream(STDIN, b""))
        time.sleep(0.5)
        self.assertEqual(len(connection.read_response().body), 4 << 20)

    def test_an_aborted_request_ends(self):
        before = self.pids_now() if self.serves() is None else None
        connection = self.connect()
        connection.send(begin(flags=KEEP_CONN)
                        + record(PARAMS, pairs(script_params("/hello.php"))[:20])
                        + record(ABORT))
        kind, number, _ = connection.read_record()
        self.assertEqual((kind, number), (END, 1))
        connection.send(self.hello(request_id=2))
        self.assertEqual(connection.read_response(2).text, "Hello World\n")
        self.unharmed(before)

    # ---- hostile ----

    def closes(self, data, timeout=5):
        """The connection is closed after data, within timeout, and the workers are unharmed."""
        self.serves()
        before = self.pids_now()
        connection = self.connect(timeout)
        try:
            connection.send(data)
            while connection.socket.recv(65536):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.unharmed(before)

    def test_random_bytes(self):
        self.serves()
        time.sleep(1.1)  # a worker complains once a second, and a case before may have made it
        before = self.pids_now()
        source = random.Random(1)
        for _ in range(200):
            connection = self.connect()
            try:
                connection.send(source.randbytes(source.randrange(1, 3000)))
            except OSError:
                pass
            connection.close()
        self.unharmed(before)
        self.wait_record(POOL="wire", MESSAGE_ID=message_id("PROTOCOL_ERROR"))

    def test_random_bytes_after_a_good_start(self):
        self.serves()
        before = self.pids_now()
        source = random.Random(2)
        for _ in range(200):
            good = bytearray(self.hello())
            for _ in range(source.randrange(1, 6)):
                good[source.randrange(len(good))] = source.randrange(256)
            connection = self.connect()
            try:
                connection.send(bytes(good))
                connection.socket.settimeout(0.02)
                connection.socket.recv(1000)
            except OSError:
                pass
            connection.close()
        self.unharmed(before)

    def test_a_wrong_version(self):
        self.closes(record(BEGIN, b"\0\1\0\0\0\0\0\0", version=2))

    def test_http_instead_of_fastcgi(self):
        self.closes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    def test_params_without_a_begin(self):
        self.closes(record(PARAMS, pairs({"A": "b"})) + record(0x16, b"x" * 100, 1, version=3))

    def test_a_begin_of_the_wrong_size(self):
        self.closes(record(BEGIN, b"\0\1"))

    def test_a_pair_longer_than_its_stream(self):
        self.closes(begin() + stream(PARAMS, b"\x05\xff\xff\xff\xff" + b"x" * 50) + stream(STDIN, b""))

    def test_too_many_params(self):
        connection_data = begin() + stream(PARAMS, pairs({f"N{i}": "v" * 1000 for i in range(9000)}))
        self.closes(connection_data + stream(STDIN, b""))

    def test_half_a_record_and_silence_hold_up_nobody(self):
        """More such clients than workers, and others are served."""
        self.serves()
        before = self.pids_now()
        silent = []
        for data in (b"\1", self.hello()[:5], self.hello()[:30], begin()):
            connection = self.connect()
            connection.send(data)
            silent.append(connection)
        time.sleep(0.3)
        start = time.monotonic()
        self.serves()
        self.assertLess(time.monotonic() - start, 15)
        rest = self.hello()[5:]
        silent[1].send(rest)
        self.assertEqual(silent[1].read_response().text, "Hello World\n")
        for connection in silent:
            connection.close()
        self.unharmed(before)

    def test_clients_that_connect_and_say_nothing_hold_up_nobody(self):
        silent = [self.connect() for _ in range(6)]
        time.sleep(0.2)
        start = time.monotonic()
        self.serves()
        self.assertLess(time.monotonic() - start, 15)
        self.assertEqual(silent[0].request("/hello.php").text, "Hello World\n")

    def test_clients_that_leave_in_the_middle_of_a_body(self):
        self.serves()
        before = self.pids_now()
        for _ in range(10):
            connection = self.connect()
            params = script_params("/sink.php", "POST", CONTENT_LENGTH="1000000",
                                   CONTENT_TYPE="application/octet-stream")
            connection.send(begin() + stream(PARAMS, pairs(params)) + record(STDIN, b"x" * 5000))
            connection.close()
        time.sleep(0.2)
        self.unharmed(before)

    def test_errors_of_the_protocol_are_counted(self):
        self.serves()
        before = self.status("wire")["protocol_errors"]
        self.closes(b"\xff" * 64)
        wait_until(lambda: self.status("wire")["protocol_errors"] > before, 10, "one more error")


if __name__ == "__main__":
    main()
