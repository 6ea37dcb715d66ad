"""Laravel and Symfony: a small application of each (tests/apps), in the profiles default and strict, in
a sandbox of paths, without programs, and by php-fpm."""

import re

import apps
from dokuwiki import Browser
from suite import GuestCase, main, message_id

# Settings of each pool.
POOLS = {
    "default": {},
    "strict": {"sandbox.seccomp": "strict"},
    "closed": {"sandbox.seccomp": "strict", "sandbox.exec": "no", "sandbox.opcache": "private",
               "sandbox.tcp_connect": '"none"', "sandbox.exec_paths": '"none"'},
}


class Application:
    """What both do; name and ports are of the classes below."""

    name, first_port, writes = None, None, ()

    @classmethod
    def prepare(cls, guest):
        text = ""
        for i, pool in enumerate((*POOLS, "php-fpm")):
            folder = apps.install(guest, cls.name, folder=f"/srv/{cls.name}-{pool}")
            socket = "/run/php/php8.2-fpm.sock" if pool == "php-fpm" else f"/run/fpmd/{pool}.sock"
            text += apps.server(cls.first_port + i, folder, socket)
        guest.write("/etc/nginx/tests.d/apps.conf", text)
        guest.path("/etc/systemd/system/php8.2-fpm.service").unlink()

    def visit(self, port):
        """Everything that it can, as a visitor sees it; returns the pages."""
        browser = Browser(self.guest, port)
        pages = [browser.page("/hello/World"), browser.page("/install"), browser.page("/")]
        self.assertEqual(pages[:2], ["Hello World", "installed"])
        self.assertIn("<li>none</li>", pages[2])
        for i in range(3):
            token = re.search(r'name="_token" value="(\w+)"', browser.page("/"))
            page = browser.page("/notes", {"title": f"Ünïcode <{i}>", "text": "one\ntwo",
                                           **({"_token": token.group(1)} if token else {})})
            self.assertIn('<p class="status">saved</p>', page)
            pages.append(page)
        self.assertIn("<li>3: <b>Ünïcode &lt;2&gt;</b> one<br />\ntwo</li>", pages[-1])
        self.assertIn("<p>Visit 7</p>", pages[-1])
        for _ in range(2):
            pages.append(browser.page("/cached"))
        self.assertEqual(pages[-1], "42")
        pages.append(browser.page("/none", expect=404))
        pages.append(browser.page("/error", expect=500))
        self.assertNotIn("as asked", pages[-1])
        return [re.sub(r'value="\w{40}"', "", page) for page in pages]

    def ours(self, pool):
        """The pages of one of our pools, and what it was denied."""
        settings = dict(POOLS[pool])
        if pool == "closed":
            folder = f"/srv/{self.name}-closed"
            settings["sandbox.read"] = folder
            settings["sandbox.write"] = " ".join(f"{folder}/{path}" for path in self.writes)
        self.pool(pool, user="www-data", children=4, start=False,
                  **{"sandbox.report": "yes", **settings})
        self.guest.run("fpmctl", "apply", pool)  # so that the report is complete
        self.guest.systemctl("start", f"fpmd@{pool}.socket")
        pages = self.visit(self.first_port + list(POOLS).index(pool))
        self.status(pool)  # the manager answers a call that is denied before it records it
        return pages, {r["SYSCALL_NAME"]: r["MESSAGE"] for r in
                       self.records(pool=pool, MESSAGE_ID=message_id("CALL_DENIED"))}

    def test_as_by_php_fpm(self):
        self.guest.systemctl("start", "php8.2-fpm.service")
        theirs = self.visit(self.first_port + len(POOLS))
        self.guest.systemctl("stop", "php8.2-fpm.service")
        ours, denied = self.ours("default")
        self.assertEqual(ours, theirs)
        self.assertEqual(denied, {})

    def test_strict(self):
        _, denied = self.ours("strict")
        self.assertEqual(denied, {})

    def test_everything_closed(self):
        """Its own folder, no programs, no connections, a private cache: and it is served as before."""
        _, denied = self.ours("closed")
        self.assertEqual(denied, {})
        log = self.guest.path(f"/srv/{self.name}-closed/storage/logs/laravel.log")
        if self.name == "laravel":
            self.assertIn("greeting World", log.read_text())


class Laravel(Application, GuestCase):
    name, first_port = "laravel", 100
    writes = ("bootstrap/cache", "storage")


class Symfony(Application, GuestCase):
    name, first_port = "symfony", 110
    writes = ("var",)


if __name__ == "__main__":
    main()
