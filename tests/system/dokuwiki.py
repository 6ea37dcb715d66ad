"""A real application: Debian's DokuWiki behind nginx, once by fpmd and once by php-fpm."""

import http.cookiejar
import os
import re
import struct
import unittest
import urllib.error
import urllib.parse
import urllib.request
import zlib

from suite import GuestCase, main, message_id, write_pool

ANSWERS = """
dokuwiki dokuwiki/system/configure-webserver multiselect
dokuwiki dokuwiki/wiki/acl boolean true
dokuwiki dokuwiki/wiki/superuser string admin
dokuwiki dokuwiki/wiki/fullname string Admin
dokuwiki dokuwiki/wiki/email string admin@www.example
dokuwiki dokuwiki/wiki/password password secret
dokuwiki dokuwiki/wiki/confirm password secret
dokuwiki dokuwiki/wiki/policy select public
"""

SETTINGS = {"upload_max_filesize": "16M", "post_max_size": "16M", "error_reporting": "E_ALL"}

NGINX = """
server {
    listen 127.0.0.1:%d;
    server_name www.example;
    root /usr/share/dokuwiki;
    index doku.php;
    client_max_body_size 16m;
    location ~ ^/(data|conf|bin|inc|vendor)/ { deny all; }
    location ~ ^(.+\\.php)(/.*)?$ {
        fastcgi_split_path_info ^(.+\\.php)(/.*)?$;
        fastcgi_pass unix:%s;
    }
}
"""


def png(side=1340):
    """A picture of noise: nothing that stands between could make it smaller unnoticed."""
    def chunk(kind, data):
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + os.urandom(side * 3) for _ in range(side))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack("!IIBBBBB", side, side, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


class Browser:
    """Cookies, forms and the guest's network."""

    def __init__(self, guest, port):
        self._guest = guest
        self._base = f"http://127.0.0.1:{port}"
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def open(self, path, data=None, headers=None):
        request = urllib.request.Request(self._base + path, data, headers or {})
        with self._guest.network():
            try:
                reply = self._opener.open(request, timeout=60)
            except urllib.error.HTTPError as error:  # a reply too, with a status of 400 and more
                reply = error
            with reply:
                return reply.status, reply.headers, reply.read()

    def page(self, path, fields=None, expect=200):
        data = urllib.parse.urlencode(fields).encode() if fields else None
        status, _, body = self.open(path, data)
        if status != expect:
            raise AssertionError(f"{path}: status {status}")
        return body.decode()


def hidden_fields(html, form):
    """The hidden inputs of the form with this id."""
    text = re.search(rf'<form[^>]*id="{form}".*?</form>', html, re.DOTALL).group()
    found = re.findall(r'<input[^>]*type="hidden"[^>]*>', text)
    return {re.search(r'name="([^"]*)"', tag).group(1):
            (re.search(r'value="([^"]*)"', tag) or [None, ""])[1] for tag in found}


class Scenario:
    """The steps of a visit; the classes below say who runs the scripts."""

    port = None

    def setUp(self):
        super().setUp()
        self.browser = Browser(self.guest, self.port)
        self.name = f"{type(self).__name__.lower()}{self.id().rsplit('_', 1)[-1]}"

    def log_in(self):
        html = self.browser.page("/doku.php?id=start&do=login")
        fields = hidden_fields(html, "dw__login")
        fields.update(u="admin", p="secret")
        html = self.browser.page("/doku.php?id=start&do=login", fields)
        self.assertIn("Logged in as", html)

    def save(self, page, text):
        html = self.browser.page(f"/doku.php?id={page}&do=edit")
        fields = hidden_fields(html, "dw__editform")
        fields.update({"wikitext": text, "summary": "by a test", "do[save]": "1"})
        return self.browser.page(f"/doku.php?id={page}", fields)

    def test_pages_and_their_parts_render(self):
        html = self.browser.page("/doku.php?id=wiki:syntax")
        self.assertIn("Formatting Syntax", html)
        self.assertIn("</html>", html)
        self.assertIn('id="basic_text_formatting"', html)
        for part in re.findall(r'(?:src|href)="(/lib/exe/(?:css|js|jquery)\.php[^"]*)"', html):
            status, _, body = self.browser.open(part.replace("&amp;", "&"))
            self.assertEqual(status, 200, part)
            self.assertGreater(len(body), 1000, part)

    def test_login_and_its_refusal(self):
        html = self.browser.page("/doku.php?id=start&do=login")
        fields = hidden_fields(html, "dw__login")
        fields.update(u="admin", p="wrong")
        html = self.browser.page("/doku.php?id=start&do=login", fields, expect=403)
        self.assertNotIn("Logged in as", html)
        self.log_in()
        self.assertIn("Logged in as", self.browser.page("/doku.php?id=start"))

    def test_edit_and_save(self):
        self.log_in()
        text = f"====== Ünïcode of {self.name} ======\nwith **bold** text & more.\n"
        html = self.save(self.name, text)
        self.assertIn(f"Ünïcode of {self.name}", html)
        self.assertIn("<strong>bold</strong> text &amp; more.", html)
        html = self.save(self.name, text + "\nsecond revision\n")
        self.assertIn("second revision", html)
        raw = self.browser.page(f"/doku.php?id={self.name}&do=export_raw")
        self.assertIn("**bold**", raw)
        self.assertIn("by a test", self.browser.page(f"/doku.php?id={self.name}&do=revisions"))

    def test_search(self):
        self.log_in()
        word = f"needle{self.name}"
        self.save(self.name, f"====== Hay ======\nsome hay, a {word}, more hay\n")
        self.browser.open(f"/lib/exe/taskrunner.php?id={self.name}")
        html = self.browser.page(f"/doku.php?id=start&do=search&q={word}")
        self.assertIn(f"id={self.name}", html)
        self.assertIn("search_hit", html)

    def test_an_image_of_five_megabytes(self):
        self.log_in()
        image = png()
        self.assertGreater(len(image), 5 << 20)
        html = self.browser.page("/lib/exe/mediamanager.php?ns=")
        fields = hidden_fields(html, "dw__upload")
        name = f"{self.name}.png"
        fields.update(ns="", mediaid=name, id=name)
        boundary = "----boundary"
        body = b"".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'
                        .encode() for k, v in fields.items())
        body += (f'--{boundary}\r\nContent-Disposition: form-data; name="upload"; '
                 f'filename="{name}"\r\nContent-Type: image/png\r\n\r\n').encode()
        body += image + f"\r\n--{boundary}--\r\n".encode()
        _, _, html = self.browser.open("/lib/exe/mediamanager.php?ns=", body, {
            "Content-Type": f"multipart/form-data; boundary={boundary}"})
        self.assertIn("Upload successful", html.decode())
        status, headers, data = self.browser.open(f"/lib/exe/fetch.php?media={name}")
        self.assertEqual((status, headers["Content-Type"]), (200, "image/png"))
        self.assertEqual(data, image)


class Wiki(GuestCase):
    """The guest for both."""

    @classmethod
    def prepare(cls, guest):
        guest.install_packages("dokuwiki", answers=ANSWERS)
        guest.enable_extensions("curl", "intl")  # of which it makes use where they are there
        guest.path("/etc/systemd/system/php8.2-fpm.service").unlink()
        guest.write("/etc/nginx/tests.d/wiki.conf", NGINX % (90, "/run/fpmd/wiki.sock")
                    + NGINX % (91, "/run/php/wiki.sock") + NGINX % (92, "/run/fpmd/strict.sock"))
        guest.write("/etc/php/8.2/fpm/pool.d/www.conf",
                    "[wiki]\nuser = www-data\nlisten = /run/php/wiki.sock\nlisten.owner = www-data\n"
                    "pm = static\npm.max_children = 4\n"
                    + "".join(f"php_admin_value[{k}] = {v}\n" for k, v in SETTINGS.items()))
        for name, seccomp in (("wiki", "default"), ("strict", "strict")):
            write_pool(guest, name, user="www-data", children=4,
                       **{"sandbox.report": "yes", "sandbox.seccomp": seccomp},
                       **{f"php_admin_value__{k}": v for k, v in SETTINGS.items()})

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest.run("fpmctl", "apply", "wiki", "strict")  # so that the reports are complete
        cls.guest.systemctl("start", "php8.2-fpm.service", "fpmd@wiki.socket",
                            "fpmd@strict.socket")


# Both in one class each, in one guest each: the wiki's data of one do not meet the other's.

class PhpFpm(Scenario, Wiki):
    port = 91
    messages = None

    @classmethod
    def tearDownClass(cls):
        out = "\n".join(r["MESSAGE"] for r in cls.guest.journal(_SYSTEMD_UNIT="nginx.service"))
        PhpFpm.messages = {normal(m) for m in
                           re.findall(r"PHP message: (.*?)(?=; PHP message|\" while reading|\n|$)", out)}
        super().tearDownClass()


class Fpmd(Scenario, Wiki):
    port = 90

    def test_in_strict(self):
        for step in (self.test_pages_and_their_parts_render, self.test_edit_and_save, self.test_search,
                     self.test_an_image_of_five_megabytes):
            self.browser = Browser(self.guest, 92)
            step()
        self.status("strict")  # the manager answers a call that is denied before it records it
        self.assertEqual([r["MESSAGE"] for r in self.records(
            pool="strict", MESSAGE_ID=message_id("CALL_DENIED"))], [])

    def test_zz_no_message_that_php_fpm_does_not_give(self):
        """After the other cases of both classes: what PHP said in them is the same."""
        if PhpFpm.messages is None:
            raise unittest.SkipTest("the cases of php-fpm did not run")
        ours = {normal(record["MESSAGE"]) for record in
                self.guest.journal(POOL="wiki", MESSAGE_ID=message_id("PHP_MESSAGE"))}
        self.assertEqual(ours - PhpFpm.messages, set())
        worse = [r["MESSAGE"] for r in self.guest.journal(POOL="wiki") if int(r["PRIORITY"]) <= 4
                 and r.get("MESSAGE_ID") != message_id("PHP_MESSAGE")]
        self.assertEqual(worse, [])


def normal(message):
    """A message of PHP without its level and its place."""
    return re.sub(r"^PHP [\w ]+:\s+|\s+in /\S+ on line \d+.*$", "", message.strip())


# Fpmd runs last, since its last case looks at what both have said.
def load_tests(loader, tests, pattern):
    suite = unittest.TestSuite()
    for case in (PhpFpm, Fpmd):
        suite.addTests(loader.loadTestsFromTestCase(case))
    return suite


if __name__ == "__main__":
    main()
