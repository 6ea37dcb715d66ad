"""What scripts see of a request and clients of an answer, compared with php-fpm behind the same nginx."""

import base64
import hashlib
import http.client
import json
import os
import re
import socket
import threading
import time

from suite import GuestCase, main, proc_status, wait_until, write_pool

FPMD, PHP_FPM, UNBUFFERED = 80, 81, 82

PHP_FPM_POOL = """[www]
user = www-data
group = www-data
listen = /run/php/php8.2-fpm.sock
listen.owner = www-data
pm = static
pm.max_children = 4
clear_env = yes
catch_workers_output = no
"""

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=XX"


def part(name, content, filename=None, kind=None):
    if isinstance(content, str):
        content = content.encode()
    head = f'--XX\r\nContent-Disposition: form-data; name="{name}"'
    if filename is not None:
        head += f'; filename="{filename}"'
    if kind:
        head += f"\r\nContent-Type: {kind}"
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


def multipart(*parts):
    return b"".join(parts) + b"--XX--\r\n"


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


# name → method, path, headers, body
SAME_AS_PHP_FPM = {
    "get": ("GET", "/hello.php", {}, None),
    "head": ("HEAD", "/hello.php", {}, None),
    "index": ("GET", "/index.php", {}, None),
    "query": ("GET", "/server.php?a=1&b[]=2&b[]=3&c=%C3%A4+%26&d", {}, None),
    "empty_query": ("GET", "/server.php?", {}, None),
    "post_form": ("POST", "/server.php?q=1", {"Content-Type": FORM}, b"a=1&b[x]=2&c=%00%ff"),
    "post_json": ("POST", "/server.php", {"Content-Type": "application/json"}, b'{"a": "\xc3\xa4"}'),
    "post_empty": ("POST", "/server.php", {"Content-Type": FORM}, b""),
    "put": ("PUT", "/server.php", {"Content-Type": "text/plain"}, b"put body"),
    "patch": ("PATCH", "/server.php", {"Content-Type": FORM}, b"a=1"),
    "delete": ("DELETE", "/server.php", {}, None),
    "options": ("OPTIONS", "/server.php", {}, None),
    "unknown_method": ("FROBNICATE", "/server.php", {}, None),
    "cookies": ("GET", "/server.php", {"Cookie": "a=1; b=%20x; c[d]=2; a=3"}, None),
    "many_headers": ("GET", "/server.php", {f"X-Header-{i}": "v" * i for i in range(1, 60)}, None),
    "strange_headers": ("GET", "/server.php", {"X-Empty": "", "X_Under": "1", "Proxy": "evil:1",
                                               "X-Latin": "caf\xe9"}, None),
    "path_info": ("GET", "/server.php/some/path%20here?x=1", {}, None),
    "path_info_slash": ("GET", "/server.php/", {}, None),
    "path_info_with_php": ("GET", "/server.php/other.php/x", {}, None),
    "auth": ("GET", "/auth.php", basic("user", "pass:word"), None),
    "auth_wrong": ("GET", "/auth.php", basic("user", "no"), None),
    "auth_digest": ("GET", "/server.php", {"Authorization": 'Digest username="x", realm="y"'}, None),
    "auth_bearer": ("GET", "/server.php", {"Authorization": "Bearer token"}, None),
    "status_and_headers": ("GET", "/status.php", {}, None),
    "status_204": ("GET", "/status.php?code=204", {}, None),
    "status_304": ("GET", "/status.php?code=304", {}, None),
    "status_500": ("GET", "/status.php?code=500", {}, None),
    "redirect": ("GET", "/redirect.php", {}, None),
    "missing_script": ("GET", "/missing.php", {}, None),
    "missing_script_path": ("GET", "/missing.php/x", {}, None),
    "syntax_error": ("GET", "/broken.php", {}, None),
    "fatal_error": ("GET", "/errors.php?end=fatal", {}, None),
    "exception": ("GET", "/errors.php?end=exception", {}, None),
    "memory_limit": ("GET", "/errors.php?end=memory", {}, None),
    "exit_code": ("GET", "/errors.php?end=exit", {}, None),
    "upload": ("POST", "/upload.php?list=1", {"Content-Type": MULTIPART},
               multipart(part("text", "v\xe4"), part("file", os.urandom(0) + b"\0\r\n--X", "a b.bin",
                                                    "application/octet-stream"),
                         part("empty", b"", "none.txt"), part("more[a]", b"x" * 300000, "m"))),
    "upload_none": ("POST", "/upload.php?list=1", {"Content-Type": MULTIPART},
                    multipart(part("file", b"", ""))),
    "upload_cut": ("POST", "/upload.php?list=1", {"Content-Type": MULTIPART},
                   part("file", b"never ended", "cut.txt")[:-2]),
    "upload_too_large": ("POST", "/upload.php?list=1", {"Content-Type": MULTIPART},
                         multipart(part("file", b"x" * (3 << 20), "large"))),
    "post_too_large": ("POST", "/server.php", {"Content-Type": FORM}, b"a=" + b"x" * (9 << 20)),
    "folder": ("GET", "/folder.php", {}, None),
    "echo": ("POST", "/echo.php", {"Content-Type": "application/octet-stream"},
             bytes(range(256)) * 5000),
    "raw_too_large": ("POST", "/server.php", {"Content-Type": "text/plain"}, b"x" * (9 << 20)),
    "raw_put": ("PUT", "/input.php", {"Content-Type": "text/plain"}, bytes(range(256)) * 500),
}
# Around the sizes from which on a body lies in a file, is read ahead, and is of several records.
SAME_AS_PHP_FPM.update({
    f"raw_{size}": ("POST", "/input.php", {"Content-Type": "application/json"},
                    (b"line of text\n" + bytes(range(256)) * (size // 256 + 1))[:size])
    for size in (1, 16383, 16384, 16385, 65535, 65536, 131073, 3000000)})


class SameAsPhpFpm(GuestCase):
    """Status, headers and body of each request are those of php-fpm."""

    @classmethod
    def prepare(cls, guest):
        guest.path("/etc/systemd/system/php8.2-fpm.service").unlink()
        guest.write("/etc/php/8.2/fpm/pool.d/www.conf", PHP_FPM_POOL)
        write_pool(guest, "www", user="www-data", pm="static", children=4)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest.systemctl("start", "php8.2-fpm.service", "fpmd@www.socket")

    def answer(self, port, request):
        method, path, headers, body = request
        headers = dict(headers, Host="www.example")
        reply = self.http(path, method, body=body, headers=headers, port=port)
        fields = sorted((k.lower(), v) for k, v in reply.getheaders() if k.lower() != "date")
        return reply.status, fields, reply.data

    def compare(self, request):
        theirs, ours = self.answer(PHP_FPM, request), self.answer(FPMD, request)
        self.assertEqual(ours[:2], theirs[:2])
        try:
            self.assertEqual(json.loads(ours[2]), json.loads(theirs[2]))
        except ValueError:
            self.assertEqual(ours[2], theirs[2])


    def test_output_after_finish_request(self):
        """Whether PHP takes it for a client that has left."""
        self.guest.run("install", "-d", "-m", "777", "/var/www")
        for ignore in (0, 1):
            notes = {}
            for port in (PHP_FPM, FPMD):
                note = f"/var/www/after{port}.note"
                reply = self.http(f"/finish.php?ms=0&echo=1&ignore={ignore}&note={note}", port=port)
                self.assertEqual(reply.data, b"answered\n")
                notes[port] = self.guest.path(note)
            time.sleep(0.3)
            wait_until(lambda: len({path.exists() and path.read_text() for path in notes.values()}) == 1, 5,
                       f"the same with ignore_user_abort({ignore})")


def _case(request):
    return lambda self: self.compare(request)


for _name, _request in SAME_AS_PHP_FPM.items():
    setattr(SameAsPhpFpm, f"test_{_name}", _case(_request))


class Requests(GuestCase):
    """What has no counterpart in php-fpm, or needs a clock or a large body."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        write_pool(cls.guest, "www", user="www-data", pm="static", children=2,
                   php_admin_value__post_max_size="2G",
                   php_admin_value__upload_max_filesize="1G")
        cls.guest.systemctl("start", "fpmd@www.socket")

    def test_sapi_name_and_opcache(self):
        self.assertEqual(json.loads(self.http("/server.php").data)["sapi"], "fpm-fcgi")
        self.http("/hello.php")
        state = json.loads(self.http("/opcache.php").data)
        self.assertTrue(state["enabled"])
        self.assertIn("/srv/www/hello.php", state["scripts"])

    def test_the_opcode_cache_is_shared_by_the_workers(self):
        self.http("/hello.php")
        self.assertTrue(all("/srv/www/hello.php" in json.loads(self.http("/opcache.php").data)["scripts"]
                            for _ in range(6)))

    def test_an_upload_comes_back_byte_for_byte(self):
        data = os.urandom(20 << 20)
        reply = self.http("/upload.php", "POST", multipart(part("file", data, "x.bin")),
                          {"Content-Type": MULTIPART})
        self.assertEqual(hashlib.sha1(reply.data).hexdigest(), hashlib.sha1(data).hexdigest())

    def test_a_chunked_body_has_no_content_length_and_arrives(self):
        """Through nginx without request buffering nobody knows the length."""
        body = [os.urandom(10000) for _ in range(50)]
        connection = http.client.HTTPConnection("127.0.0.1", UNBUFFERED, timeout=30)
        with self.guest.network():
            connection.connect()
        connection.request("POST", "/echo.php", body=iter(body), encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked",
                                    "Content-Type": "application/octet-stream"})
        self.assertEqual(connection.getresponse().read(), b"".join(body))
        connection.close()

    def spool(self):
        """A pool whose bodies lie in a folder of their own."""
        self.pool("spool", user="www-data", children=1, php_admin_value__upload_tmp_dir="/srv/spool")

    def post(self, data, script):
        return self.ask("spool", script, method="POST", body=data, CONTENT_TYPE="text/plain")

    def test_nothing_is_left_of_a_body(self):
        """Not even of a worker that is killed while it has one: no name is there to be left."""
        self.guest.run("install", "-d", "-m", "1777", "/srv/spool")
        self.spool()
        self.guest.write("/srv/www/beside.php", "<?php echo strlen(file_get_contents('php://input')), "
                         "json_encode(scandir('/srv/spool'));")
        self.guest.write("/srv/www/kill.php", "<?php posix_kill(getmypid(), 9);")
        self.assertEqual(self.post(b"x" * 1000000, "/beside.php").text, '1000000[".",".."]')
        with self.assertRaises(ConnectionError):
            self.post(b"x" * 1000000, "/kill.php")
        self.assertEqual(self.post(b"x" * 100, "/beside.php").text, '100[".",".."]')

    def test_a_body_without_room_is_an_empty_one(self):
        self.guest.run("install", "-d", "-m", "1777", "/srv/spool")
        self.guest.run("mount", "-t", "tmpfs", "-o", "size=256k,mode=1777", "tmpfs", "/srv/spool")
        self.addCleanup(self.guest.run, "umount", "-l", "/srv/spool")
        self.spool()
        for _ in range(3):  # what was written is given back
            for size, there in ((1000000, 0), (200000, 200000)):
                seen = json.loads(self.post(b"x" * size, "/sink.php").text)
                self.assertEqual(seen["length"], there)
        self.wait_record(POOL="spool", where=lambda r: "POST data can't be buffered" in r["MESSAGE"])

    def worker_memory(self):
        """The largest resident set of the pool's workers, in kB."""
        return max(int(proc_status(p)["VmRSS"].split()[0]) for p in self.pids("www")[2])

    def watch_memory(self, during):
        """Runs during() and returns its value and the largest growth of a worker in kB."""
        self.http("/sink.php", "POST", b"warm")
        before, largest, done = self.worker_memory(), [0], threading.Event()

        def watch():
            while not done.wait(0.1):
                largest[0] = max(largest[0], self.worker_memory())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            value = during()
        finally:
            done.set()
            thread.join()
        return value, largest[0] - before

    def test_a_gigabyte_goes_in_with_constant_memory(self):
        command = "head -c 1073741824 /dev/zero | curl -sS --max-time 120 -T - -X POST " \
                  "-H 'Content-Type: application/octet-stream' http://127.0.0.1:82/sink.php"
        out, growth = self.watch_memory(lambda: self.guest.run("sh", "-c", command, timeout=150).stdout)
        self.assertEqual(json.loads(out)["length"], 1 << 30)
        self.assertLess(growth, 24 << 10)

    def test_a_gigabyte_comes_out_with_constant_memory(self):
        command = "curl -sS --max-time 120 'http://127.0.0.1:82/source.php?mb=1024' | md5sum; " \
                  "yes 0123456789abcdef | tr -d '\\n' | head -c 1073741824 | md5sum"
        out, growth = self.watch_memory(lambda: self.guest.run("sh", "-c", command, timeout=150).stdout)
        self.assertEqual(*out.splitlines())
        self.assertLess(growth, 24 << 10)

    def pieces(self, path, port=FPMD):
        """The body of an answer as (seconds since the request, bytes) pieces."""
        with self.guest.network():
            s = socket.create_connection(("127.0.0.1", port), 20)
        start = time.monotonic()
        s.sendall(f"GET {path} HTTP/1.0\r\nHost: www.example\r\n\r\n".encode())
        out = []
        while data := s.recv(65536):
            out.append((time.monotonic() - start, data))
        s.close()
        return out

    def test_flush_sends_at_once(self):
        """The script rests for 0.3 s in between. A client that the machine keeps from running gets pieces
        together that were sent apart: once of five times is enough."""
        self.http("/hello.php")
        found = []
        for _ in range(5):
            arrivals = {}
            for at, data in self.pieces("/flush.php"):
                for word in (b"one", b"two", b"three"):
                    if word in data:
                        arrivals[word] = at
            self.assertEqual(list(arrivals), [b"one", b"two", b"three"])
            found.append(arrivals)
            if arrivals[b"two"] - arrivals[b"one"] > 0.2 and arrivals[b"three"] - arrivals[b"two"] > 0.2:
                return
        self.fail(f"arrivals of five answers: {found}")

    def note(self, name):
        path = f"/var/www/{name}"
        self.guest.run("install", "-d", "-m", "777", "/var/www")
        self.guest.path(path).unlink(missing_ok=True)
        return path

    def test_finish_request_ends_the_answer_and_not_the_script(self):
        note = self.note("finish.note")
        self.assertEqual(self.http(f"/finish.php?ms=2500&note={note}").data, b"answered\n")
        self.assertFalse(self.guest.path(note).exists())
        left = wait_until(lambda: self.guest.path(note).exists() and self.guest.read(note), 15, "the note")
        self.assertEqual(json.loads(left)[0], True)

    def test_a_client_that_leaves_aborts_the_script(self):
        note = self.note("abort.note")
        with self.guest.network():
            s = socket.create_connection(("127.0.0.1", UNBUFFERED), 20)
        s.sendall(f"GET /abort.php?note={note} HTTP/1.0\r\n\r\n".encode())
        s.recv(100000)
        s.close()
        left = wait_until(lambda: self.guest.path(note).exists() and self.guest.read(note), 5, "the note")
        self.assertEqual(json.loads(left), [1, 1])

    def test_ignore_user_abort_lets_the_script_finish(self):
        note = self.note("ignore.note")
        with self.guest.network():
            s = socket.create_connection(("127.0.0.1", UNBUFFERED), 20)
        start = time.monotonic()
        s.sendall(f"GET /abort.php?ignore=1&note={note} HTTP/1.0\r\n\r\n".encode())
        s.recv(100000)
        s.close()
        left = wait_until(lambda: self.guest.path(note).exists() and self.guest.read(note), 10, "the note")
        self.assertGreater(time.monotonic() - start, 1.5)
        self.assertEqual(json.loads(left), [1, 1])

    def test_an_ended_script_does_not_disturb_the_next(self):
        for end in ("fatal", "exception", "memory", "recursion", "exit"):
            self.http(f"/errors.php?end={end}")
            for _ in range(2):
                self.assertEqual(self.http("/hello.php").data, b"Hello World\n", end)

    def test_memory_of_a_request_is_given_back(self):
        self.http("/source.php?mb=1")
        for _ in range(50):
            self.http("/server.php?" + "a" * 2000)
        first = self.worker_memory()
        for _ in range(400):
            self.http("/server.php?" + "a" * 2000)
        self.assertLess(self.worker_memory() - first, 1024)

    def test_process_control_is_not_there(self):
        """As under php-fpm, which is built without it: a forked worker would serve beside the pool."""
        self.guest.write("/srv/www/pcntl.php",
                         "<?php echo json_encode([function_exists('pcntl_fork'), "
                         "function_exists('pcntl_signal')]);")
        self.assertEqual(json.loads(self.ask("www", "/pcntl.php").text), [False, False])

    def test_a_child_of_a_fork_does_not_serve(self):
        """FFI reaches fork(2) all the same."""
        self.pool("forks", children=1, **{"php_admin_value[ffi.enable]": "1"})
        self.guest.write("/srv/www/fork.php",
                         "<?php $c = FFI::cdef('int fork(void);', 'libc.so.6'); $p = $c->fork(); "
                         "if ($p == 0) { usleep(100000); echo 'child'; exit(0); } echo 'parent';")
        for _ in range(3):
            self.assertEqual(self.ask("forks", "/fork.php").text, "parent")
        time.sleep(0.5)
        _, _, workers = self.pids("forks")
        self.assertEqual(len(workers), 1)
        status = self.status("forks")
        self.assertEqual((len(status["workers"]), status["workers"][0]["connections"]), (1, 0))
        self.assertEqual(self.ask("forks", "/hello.php").text, "Hello World\n")

    def test_getenv_without_a_name_sees_putenv(self):
        self.guest.write("/srv/www/getenv.php",
                         "<?php putenv('FRESH=1'); $e = getenv(); "
                         "echo json_encode([$e['FRESH'] ?? null, isset($e['PHP_SELF']), "
                         "$e['SCRIPT_NAME'] ?? null]);")
        self.assertEqual(json.loads(self.ask("www", "/getenv.php").text),
                         ["1", False, "/getenv.php"])

    def test_set_time_limit_means_what_it_says(self):
        self.guest.write("/srv/www/limit.php",
                         "<?php register_shutdown_function(function () { $u = getrusage(); "
                         "echo 'cpu ', $u['ru_utime.tv_sec'] + $u['ru_utime.tv_usec'] / 1e6 "
                         "+ $u['ru_stime.tv_sec'] + $u['ru_stime.tv_usec'] / 1e6 - $GLOBALS['b']; }); "
                         "$u = getrusage(); $b = $u['ru_utime.tv_sec'] + $u['ru_utime.tv_usec'] / 1e6 "
                         "+ $u['ru_stime.tv_sec'] + $u['ru_stime.tv_usec'] / 1e6; "
                         "set_time_limit(1); for (;;);")
        seconds = float(re.search(r"cpu ([\d.]+)", self.ask("www", "/limit.php").text).group(1))
        self.assertTrue(0.9 <= seconds <= 1.6, seconds)

    def test_only_php_files_run(self):
        self.guest.write("/srv/www/evil.txt", "<?php echo 'ran';")
        reply = self.ask("www", "/evil.txt")
        self.assertEqual(reply.status, 403)
        self.assertNotIn(b"ran", reply.stdout)
        self.assertIn(b"Access", reply.stdout + reply.stderr)


if __name__ == "__main__":
    main()
