"""Cases that ask how much a server does, and at what cost: requests one after the other."""

import re

import apps
import dokuwiki
import fastcgi
from case import CLIENTS, HELLO, MEGABYTE, STATIC, WORKERS, Case, script
from measure import under_load
from servers import Fpmd, Null, PhpCgi, PhpFpm


class Load(Case):
    """Load for some time: CPU per request and latencies. Short rounds in turn, since what else runs on
    the machine changes within seconds."""

    clients = CLIENTS
    seconds, times, starts = 0.25, 4, 3
    shown = (("cpu_usec", "server CPU per request", "µs"), ("p50_usec", "p50", "µs"),
             ("p99_usec", "p99", "µs"), ("rps", "requests per second", ""))

    def words(self, server):
        raise NotImplementedError

    def measure(self, server):
        words = ["-c", self.clients, "-d", f"{round(self.seconds * 1000)}ms"]
        return under_load(server, words + self.words(server))


class Hello(Load):
    name, title = "hello", "hello-world, connection per request"
    packages = ("spawn-fcgi", "php8.2-cgi")
    classes = (Fpmd, PhpFpm, PhpCgi, Null)
    keep = []

    def prepare(self, guest):
        super().prepare(guest)
        PhpCgi.write(guest, WORKERS)
        Null.write(guest, WORKERS)

    def words(self, server):
        return HELLO + self.keep


class Kept(Hello):
    name, title, keep = "kept", "hello-world, kept-alive", ["-k"]


class Short(Load):
    """Both for less time and without the packages."""
    name, title, keep = "hello-short", "hello-world, connection per request", []
    times, starts = 1, 1

    def words(self, server):
        return HELLO + self.keep


class KeptShort(Short):
    name, title, keep = "kept-short", "hello-world, kept-alive", ["-k"]


class Cpu(Load):
    name, title = "cpu", "100 µs script"

    def prepare(self, guest):
        super().prepare(guest)
        self._words = script(guest, "cpu")

    def words(self, server):
        return self._words


class Application(Load):
    guest_name = "apps"
    shown = (("cpu_usec", "server CPU per request", "µs"), ("p50_usec", "p50", "µs"),
             ("rps", "requests per second", ""))


class DokuWiki(Application):
    name, title = "dokuwiki", "DokuWiki page"
    packages, answers = ("dokuwiki",), dokuwiki.ANSWERS

    def words(self, server):
        return ["-s", "/usr/share/dokuwiki/doku.php", "-u", "/doku.php", "-q", "id=wiki:syntax",
                "-P", "DOCUMENT_ROOT=/usr/share/dokuwiki"]


class Laravel(Application):
    name, title = "laravel", "Laravel page"
    cookies = {}

    def prepare(self, guest):
        super().prepare(guest)
        for kind in self.classes:
            apps.install(guest, "laravel", folder=f"/srv/laravel-{kind.name}")

    @staticmethod
    def root(server):
        return f"/srv/laravel-{server.name}/public"

    def start(self, guest):
        super().start(guest)
        for server in self.servers:
            for uri in ("/install", "/"):
                reply = fastcgi.request(server.path(), "/index.php", root=self.root(server),
                                        REQUEST_URI=uri)
                if reply.status != 200:
                    raise SystemExit(f"{server.name}: {uri}: {reply.text[:500]}")
            self.cookies[server.name] = "; ".join(
                re.match(r"set-cookie: ([^;]*)", line, re.IGNORECASE).group(1)
                for line in reply.header_lines if line.lower().startswith("set-cookie:"))

    def words(self, server):
        return ["-s", f"{self.root(server)}/index.php", "-u", "/index.php", "-P", "REQUEST_URI=/",
                "-P", f"DOCUMENT_ROOT={self.root(server)}",
                "-P", f"HTTP_COOKIE={self.cookies[server.name]}"]


class Megabyte(Load):
    name, title, clients, seconds = "megabyte", "1 MB answer", 1, 0.2

    def prepare(self, guest):
        super().prepare(guest)
        self._words = script(guest, "megabyte") + ["-z", MEGABYTE]

    def words(self, server):
        return self._words


class Transfer(Case):
    """A single request: how long it takes, and its CPU."""
    shown = (("wall_ms", "wall", "ms"), ("cpu_ms", "server CPU", "ms"))

    def measure(self, server):
        got = under_load(server, ["-n", 1, *self._words])
        return {"wall_ms": got["p50_usec"] / 1000, "cpu_ms": got["cpu_usec"] / 1000}


class Upload(Transfer):
    name, title = "upload", "100 MB upload"
    lines = STATIC.format(WORKERS) + "php_admin_value[post_max_size] = 200M\n"

    def prepare(self, guest):
        super().prepare(guest)
        self._words = script(guest, "upload") + ["-b", 100 * MEGABYTE, "-e", f"{100 * MEGABYTE}\n"]


class Download(Transfer):
    name, title = "download", "100 MB download"

    def prepare(self, guest):
        super().prepare(guest)
        self._words = script(guest, "download") + ["-z", 100 * MEGABYTE]
