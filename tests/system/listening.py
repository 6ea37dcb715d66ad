"""Where pools listen: several sockets, TCP, and sockets of a kind that no pool can use."""

import fastcgi
from suite import GuestCase, in_parallel, main, message_id, wait_until


class Listening(GuestCase):
    nginx = False

    def drop_in(self, name, kind, text):
        path = f"/run/systemd/system/fpmd@{name}.{kind}.d/test.conf"
        self.guest.write(path, text)
        self.addCleanup(self.guest.run, "rm", "-rf", path.rsplit("/", 1)[0])
        self.guest.systemctl("daemon-reload")

    def tcp(self, host, port, script="/hello.php"):
        with self.guest.network():
            connection = fastcgi.Connection((host, port))
        with connection:
            return connection.request(script)

    def test_tcp(self):
        self.drop_in("tcp", "socket", "[Socket]\nListenStream=\nListenStream=127.0.0.1:9000\n")
        self.pool("tcp")
        self.assertEqual(self.tcp("127.0.0.1", 9000).text, "Hello World\n")

    def test_tcp_of_ip_version_6(self):
        self.drop_in("tcp6", "socket", "[Socket]\nListenStream=[::1]:9006\n")
        self.pool("tcp6")
        self.assertEqual(self.tcp("::1", 9006).text, "Hello World\n")

    def test_several_sockets_in_one_pool(self):
        self.drop_in("both", "socket", "[Socket]\nListenStream=127.0.0.1:9001\n"
                                       "ListenStream=/run/fpmd/other.sock\n")
        self.pool("both", children=4)
        other = self.guest.path("/run/fpmd/other.sock")

        def ask(i):
            if i % 3 == 0:
                return self.tcp("127.0.0.1", 9001).text
            if i % 3 == 1:
                return fastcgi.request(other, "/hello.php").text
            return self.ask("both", "/hello.php").text

        self.assertEqual(in_parallel(12, ask), ["Hello World\n"] * 12)

    def test_each_of_several_sockets_makes_an_ondemand_pool_grow(self):
        self.drop_in("grow", "socket", "[Socket]\nListenStream=127.0.0.1:9002\n")
        self.pool("grow", pm="ondemand", children=4, pm_process_idle_timeout="1s")
        self.ask("grow", "/hello.php")
        for ask in (lambda: self.tcp("127.0.0.1", 9002), lambda: self.ask("grow", "/hello.php")):
            wait_until(lambda: not self.status("grow")["workers"], 10, "no worker", step=0.1)
            self.assertEqual(ask().text, "Hello World\n")

    def test_the_listen_line_of_the_pool_file_is_left_to_the_socket_unit(self):
        self.pool("line", listen="127.0.0.1:9999")
        self.assertEqual(self.ask("line", "/hello.php").text, "Hello World\n")
        with self.assertRaises(OSError):
            self.tcp("127.0.0.1", 9999)

    def refuses(self, name, text, word):
        """A pool with this socket unit fails with one clear error, and serves once it is mended."""
        self.drop_in(name, "socket", text)
        self.pool(name)
        self.assertNotEqual(
            self.guest.systemctl("start", f"fpmd@{name}.service", check=False).returncode, 0)
        record = self.wait_record(POOL=name, MESSAGE_ID=message_id("START_FAILED"))
        self.assertIn(word, record["MESSAGE"])
        self.guest.systemctl("stop", f"fpmd@{name}.service", f"fpmd@{name}.socket")
        self.guest.run("rm", "-rf", f"/run/systemd/system/fpmd@{name}.socket.d")
        self.guest.systemctl("daemon-reload")
        self.guest.systemctl("start", f"fpmd@{name}.socket")
        self.assertEqual(self.ask(name, "/hello.php").text, "Hello World\n")

    def test_a_datagram_socket_is_refused(self):
        self.refuses("datagram", "[Socket]\nListenStream=\nListenDatagram=/run/fpmd/d.sock\n",
                     "stream socket")

    def test_a_fifo_is_refused(self):
        self.refuses("fifo", "[Socket]\nListenStream=\nListenFIFO=/run/fpmd/d.fifo\n",
                     "stream socket")

    def test_a_pool_started_without_any_socket_says_so(self):
        done = self.guest.run("env", "-u", "LISTEN_FDS", "/usr/sbin/fpmd", "--pool", "www",
                              check=False, timeout=20)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("socket", (done.stdout + done.stderr).lower())
        self.assertLessEqual(len((done.stdout + done.stderr).splitlines()), 2)


if __name__ == "__main__":
    main()
