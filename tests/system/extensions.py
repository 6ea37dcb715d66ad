"""A script for each extension of Debian's PHP, in the profile default, with nothing denied and the
same result as under PHP-FPM; in the profile strict, where docs/hardening.md says what is denied; and
the functions that start programs, with sandbox.exec = yes and no."""

import collections
import pathlib
import re
import shutil
import threading

from guest import REPOSITORY
from suite import GuestCase, main, message_id

SCRIPTS = pathlib.Path(__file__).parent / "extensions"
HELPERS = {"check", "posted", "soap-server"}
NAMES = sorted(p.stem for p in SCRIPTS.glob("*.php") if p.stem not in HELPERS | {"no-programs"})

EXTENSIONS = """bcmath bz2 curl dba enchant gd gmp imap pdo_firebird intl ldap mbstring mysqlnd mysqli
    pdo_mysql odbc pdo_odbc pgsql pdo_pgsql pspell snmp soap sqlite3 pdo_sqlite pdo_dblib tidy zip apcu
    igbinary imagick memcached mongodb msgpack redis ssh2 uuid yaml""".split()

MAIL = "/bin/sh -c 'cat >/tmp/mail'"

# PHP-FPM has port 81 of the common file.
PORTS = {"shipped": 83, "default": 84, "strict": 85, "none": 86}
SERVER = """
server {
    listen 127.0.0.1:%d;
    root /srv/www;
    location ~ ^(.+\\.php)$ { fastcgi_pass unix:/run/fpmd/%s.sock; }
}
"""

# The part of the page that the test of strict holds: what it must say is shown when it differs.
PAGE = REPOSITORY / "docs" / "hardening.md"
HEADING = "### What strict denies"


class Extensions(GuestCase):
    @classmethod
    def prepare(cls, guest):
        guest.enable_extensions(*EXTENSIONS)
        shutil.copytree(SCRIPTS, guest.path("/srv/www/extensions"))
        guest.write("/etc/nginx/tests.d/extensions.conf",
                    "".join(SERVER % (port, name) for name, port in PORTS.items()))
        guest.path("/etc/systemd/system/php8.2-fpm.service").unlink()
        guest.write("/etc/php/8.2/fpm/pool.d/www.conf",
                    "[www]\nuser = www-data\nlisten = /run/php/php8.2-fpm.sock\n"
                    "listen.owner = www-data\npm = static\npm.max_children = 4\n"
                    f'php_admin_value[sendmail_path] = "{MAIL}"\nphp_admin_value[ffi.enable] = 1\n')

    def extensions(self, name, report=True, **settings):
        """A pool. With a report the filter of its unit is put aside (fpmctl apply): it would deny first,
        and silently."""
        if report:
            settings["sandbox.report"] = "yes"
        self.pool(name, user="www-data", children=4, start=False, php_admin_value__ffi__enable="1",
                  php_admin_value__sendmail_path=f'"{MAIL}"', **settings)
        if report:
            self.guest.run("fpmctl", "apply", name)
        self.guest.systemctl("start", f"fpmd@{name}.socket")

    def run_scripts(self, port, names=None):
        """What each script says, two at a time; a script may ask for others."""
        waiting, said = collections.deque(names or NAMES), {}

        def work():
            while True:
                try:
                    name = waiting.popleft()
                except IndexError:
                    break
                try:
                    said[name] = self.http(f"/extensions/{name}.php", port=port).data.decode()
                except Exception as error:  # told with the others
                    said[name] = f"no answer: {error}"
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return said

    def denied(self, pool):
        """Calls that were denied: name -> the script that made it first."""
        self.status(pool)  # the manager answers the call before it records it
        return {r["SYSCALL_NAME"]: r for r in
                self.records(pool=pool, MESSAGE_ID=message_id("CALL_DENIED"))}

    def wrong(self, said):
        return {name: text for name, text in said.items() if not text.endswith("passed\n")}

    def test_all_are_there(self):
        self.extensions("shipped", report=False)
        loaded = self.guest.run("fpmctl", "php", "shipped", "-m").stdout.split()
        self.assertEqual(sorted(set(EXTENSIONS) - {name.lower() for name in loaded}), [])

    def test_as_by_php_fpm(self):
        self.guest.systemctl("start", "php8.2-fpm.service")
        theirs = self.run_scripts(81)
        self.guest.systemctl("stop", "php8.2-fpm.service")
        self.assertEqual(self.wrong(theirs), {})
        self.extensions("shipped", report=False)
        self.assertEqual(self.run_scripts(PORTS["shipped"]), theirs)

    def test_default_denies_nothing(self):
        self.extensions("default")
        self.assertEqual(self.wrong(self.run_scripts(PORTS["default"])), {})
        self.assertEqual({name: r["MESSAGE"] for name, r in self.denied("default").items()}, {})

    def test_what_strict_denies_is_what_the_page_says(self):
        self.extensions("strict", **{"sandbox.seccomp": "strict"})
        said = self.run_scripts(PORTS["strict"])
        self.assertEqual(set(self.wrong(said)), {"owner"})
        self.assertIn("chown(): Operation not permitted", said["owner"])
        denied = "".join(f"| {name} | {r['SYSCALL_GROUP']} |\n"
                         for name, r in sorted(self.denied("strict").items()))
        _, _, section = PAGE.read_text().partition(HEADING)
        rows = re.findall(r"^\| \w+ \| @[\w-]+ \|\n", section.partition("\n#")[0], re.MULTILINE)
        self.assertEqual("".join(rows), denied)

    def test_no_programs(self):
        """PHP says why, in the words of each function, and a record; everything else goes on."""
        self.extensions("none", **{"sandbox.exec": "no"})
        said = self.run_scripts(PORTS["none"], ["no-programs"])
        self.assertEqual(self.wrong(said), {})
        for name, warning in (("exec", r"exec\(\): Unable to fork \[echo text\]"),
                              ("shell_exec", r"shell_exec\(\): Unable to execute 'echo text'"),
                              ("system", r"system\(\): Unable to fork"),
                              ("passthru", r"passthru\(\): Unable to fork"),
                              ("popen", r"popen\(echo text,r\): .+"),
                              ("proc_open", r"proc_open\(\): Fork failed: Operation not permitted"),
                              ("mail", r"mail\(\): Could not execute mail delivery program")):
            self.assertRegex(said["no-programs"], rf"(?m)^{name} fails\n{name}: {warning}")
        names = [name for name in NAMES if name != "programs"]
        self.assertEqual(self.wrong(self.run_scripts(PORTS["none"], names)), {})
        self.assertEqual(set(self.denied("none")), {"clone"})


if __name__ == "__main__":
    main()
