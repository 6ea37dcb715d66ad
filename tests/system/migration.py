"""Debian's own pool file of PHP-FPM, imported: nginx and Apache with their stock configuration get the
same answers from fpmd as they got from php-fpm just before."""

import base64
import contextlib
import http.client
import itertools
import json

import fastcgi
from suite import GuestCase, main, wait_until

SOCKET = "/run/php/php8.2-fpm.sock"
POOL_FILE = "/etc/php/8.2/fpm/pool.d/www.conf"
CONF_D = "/etc/fpmd/conf.d"

# nginx with the files of its package, fastcgi.conf and fastcgi_params both ways.
NGINX = """
server {
    listen 127.0.0.1:8080;
    server_name www.example;
    root /srv/www;
    index index.php;
    location /secret/ { auth_basic "secret"; auth_basic_user_file /etc/nginx/users; try_files $uri =404;
        location ~ \\.php { include snippets/fastcgi-php.conf; fastcgi_pass unix:%(socket)s; } }
    location ~ \\.php { include snippets/fastcgi-php.conf; fastcgi_pass unix:%(socket)s; }
}
server {
    listen 127.0.0.1:8081;
    server_name www.example;
    root /srv/www;
    location ~ \\.php$ {
        include fastcgi_params;
        fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
        fastcgi_pass unix:/run/php/php-fpm.sock;
    }
}
server {
    listen 127.0.0.1:8082;
    server_name www.example;
    root /srv/www;
    location ~ \\.php$ { include fastcgi.conf; fastcgi_pass 127.0.0.1:9001; }
}
server {
    listen 127.0.0.1:8083;
    server_name home.example;
    root /home/site/www;
    location ~ \\.php$ { include fastcgi.conf; fastcgi_pass unix:%(socket)s; }
}
""" % {"socket": SOCKET}

# 8090: conf-available/php8.2-fpm.conf of the package, for the whole server. The others overrule it.
APACHE = """
Listen 127.0.0.1:8091
Listen 127.0.0.1:8092
<Directory /srv/www>
    Options FollowSymLinks
    AllowOverride None
    Require all granted
</Directory>
<VirtualHost 127.0.0.1:8090>
    ServerName www.example
    DocumentRoot /srv/www
    <Location /secret>
        AuthType Basic
        AuthName secret
        AuthUserFile /etc/nginx/users
        Require valid-user
    </Location>
</VirtualHost>
<VirtualHost 127.0.0.1:8091>
    ServerName www.example
    DocumentRoot /srv/www
    ProxyPassMatch "^/(.*\\.php(/.*)?)$" "unix:%(socket)s|fcgi://localhost/srv/www/"
</VirtualHost>
<VirtualHost 127.0.0.1:8092>
    ServerName www.example
    DocumentRoot /srv/www
    ProxyPassMatch "^/(.*\\.php(/.*)?)$" "fcgi://127.0.0.1:9001/srv/www/$1"
</VirtualHost>
""" % {"socket": SOCKET}

TCP_POOL = """[tcp]
user = www-data
listen = 127.0.0.1:9001
listen.allowed_clients = 127.0.0.1
pm = static
pm.max_children = 2
"""

VARIABLES = """<?php
header('Content-Type: application/json');
$v = $_SERVER;
unset($v['REMOTE_PORT'], $v['REQUEST_TIME'], $v['REQUEST_TIME_FLOAT'], $v['UNIQUE_ID'], $v['REQUEST_ID']);
ksort($v);
echo json_encode(['server' => $v, 'get' => $_GET, 'post' => $_POST, 'sapi' => PHP_SAPI,
    'ini' => php_ini_loaded_file(), 'user' => posix_getpwuid(posix_geteuid())['name'],
    'files' => array_map(fn($f) => [$f['name'], $f['size'], md5_file($f['tmp_name'])], $_FILES),
    'body' => md5(file_get_contents('php://input')), 'here' => getcwd(), 'home' => getenv('HOME')]);
"""

MULTIPART = (b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\n"
             b"Content-Type: application/octet-stream\r\n\r\n" + bytes(range(256)) * 400
             + b"\r\n--b\r\nContent-Disposition: form-data; name=\"k\"\r\n\r\nv\r\n--b--\r\n")
AUTH = {"Authorization": "Basic " + base64.b64encode(b"user:word").decode()}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
UPLOAD = {"Content-Type": "multipart/form-data; boundary=b"}

# method, path, headers, body
REQUESTS = [
    ("GET", "/variables.php", {}, None),
    ("GET", "/variables.php?a=1&b[]=2", {"Cookie": "c=d", "X-Extra": "e"}, None),
    ("GET", "/variables.php/path/info?x=y", {}, None),
    ("GET", "/variables.php/", {}, None),
    ("GET", "/variables.php/a%20b/%C3%BC", {}, None),
    ("GET", "/variables.php//x", {}, None),
    ("GET", "/absent.php", {}, None),
    ("GET", "/absent.php/info", {}, None),
    ("GET", "/absent/variables.php", {}, None),
    ("HEAD", "/variables.php", {}, None),
    ("HEAD", "/hello.php", {}, None),
    ("GET", "/hello.php", {}, None),
    ("GET", "/hello.php", {"Host": "other.example"}, None),
    ("POST", "/variables.php", FORM, b"a=1&b=2"),
    ("POST", "/variables.php?q=1", UPLOAD, MULTIPART),
    ("PUT", "/variables.php", {"Content-Type": "text/plain"}, b"x" * 100000),
    ("POST", "/variables.php", {"Content-Type": "application/json"}, b"{}"),
    ("POST", "/variables.php", FORM, b""),
    ("DELETE", "/variables.php", {}, None),
    ("OPTIONS", "/variables.php", {}, None),
    ("GET", "/variables.php", AUTH, None),
    ("GET", "/secret/variables.php", {}, None),
    ("GET", "/secret/variables.php", AUTH, None),
    ("GET", "/redirect.php", {}, None),
    ("GET", "/status.php?404", {}, None),
    ("GET", "/status.php?503", {}, None),
    ("GET", "/status.php?304", {}, None),
    ("GET", "/status.php?204", {}, None),
    ("GET", "/fatal.php", {}, None),
    ("GET", "/variables.php", {"Proxy": "http://evil.example"}, None),
]

FILES = {
    "variables.php": VARIABLES,
    "secret/variables.php": VARIABLES,
    "status.php": "<?php http_response_code((int)$_SERVER['QUERY_STRING']); header('X-A: b');"
                  " header('X-A: c', false); setcookie('n', 'v'); echo 'body';",
    "fatal.php": "<?php ini_set('display_errors', 0); ini_set('log_errors', 0); no_such();",
}

# Not the answer of PHP.
VOLATILE = {"Date", "Connection", "Keep-Alive", "ETag", "Last-Modified"}


def commands(output, head):
    """The commands that import prints below a line."""
    lines = output.split(head, 1)[1].splitlines()[1:]
    return [line.strip() for line in
            itertools.takewhile(lambda line: line.startswith("    "), lines)]


class Migration(GuestCase):
    nginx = False

    @classmethod
    def prepare(cls, guest):
        guest.path("/etc/systemd/system/php8.2-fpm.service").unlink()
        guest.write("/etc/nginx/sites-enabled/default", NGINX)
        guest.write("/etc/nginx/users", "user:$apr1$fpmdtest$" "x\n")
        guest.write("/etc/apache2/ports.conf", "Listen 127.0.0.1:8090\n")
        guest.path("/etc/apache2/sites-enabled/000-default.conf").unlink()
        guest.write("/etc/apache2/sites-enabled/tests.conf", APACHE)
        guest.write("/etc/apache2/conf-enabled/servername.conf", "ServerName www.example\n")
        for name, text in FILES.items():
            guest.write(f"/srv/www/{name}", text)
        guest.write("/home/site/www/home.php", "<?php echo 'home ', getmyuid();"
                    " file_put_contents(__DIR__ . '/written', 'x');")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        guest = cls.guest
        hashed = guest.run("openssl", "passwd", "-apr1", "-salt", "fpmdtest", "word").stdout.strip()
        guest.write("/etc/nginx/users", f"user:{hashed}\n")
        guest.run("chown", "-R", "www-data:www-data", "/home/site")
        guest.write("/etc/php/8.2/fpm/pool.d/tcp.conf", TCP_POOL)
        guest.run("a2enmod", "-q", "proxy_fcgi", "setenvif")
        guest.run("a2enconf", "-q", "php8.2-fpm")
        guest.systemctl("start", "php8.2-fpm", "nginx", "apache2")
        cls.before = cls.ask_all()
        cls.shipped = guest.path(f"{CONF_D}/www.conf").exists()
        cls.stock = guest.path(POOL_FILE).read_bytes()
        # Without --force: the www.conf that fpmd brought along is as it came.
        cls.imported = guest.run("fpmctl", "import", "/etc/php/8.2/fpm/pool.d", check=False)

    @classmethod
    def one(cls, port, method, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        with cls.guest.network():
            connection.connect()
        try:
            connection.request(method, path, body=body, headers={"Host": "www.example", **headers})
            reply = connection.getresponse()
            data = reply.read()
        finally:
            connection.close()
        fields = sorted((k, v) for k, v in reply.getheaders() if k not in VOLATILE)
        try:
            data = json.loads(data)
        except ValueError:
            data = data.decode(errors="replace")
        return {"status": reply.status, "fields": fields, "body": data}

    @classmethod
    def ask_all(cls):
        return {(port, i): cls.one(port, *request)
                for port in (8080, 8081, 8082, 8090, 8091, 8092)
                for i, request in enumerate(REQUESTS)}

    def commands(self, head):
        return commands(self.imported.stdout, head)

    def run_commands(self, lines):
        for line in lines:
            self.guest.run("bash", "-c", line)

    # The cases go on from each other, in the order of their names.

    def test_1_what_import_says(self):
        out = self.imported.stdout
        self.assertEqual(self.imported.returncode, 0, out + self.imported.stderr)
        self.assertRegex(out, r"(?m)^POOL +TAKEN OVER +MOVED TO SYSTEMD +NEEDS A LOOK$")
        self.assertRegex(out, r"(?m)^www +\d+ +\d+ +\d+  (imported|replaced)$")
        self.assertRegex(out, r"(?m)^tcp +\d+ +\d+ +\d+  imported$")
        self.assertRegex(out, r"php-fpm8.2 \(process \d+, php8.2-fpm.service\) listens at "
                              rf"{SOCKET}: systemctl stop php8.2-fpm.service")
        self.assertIn("something listens at 127.0.0.1:9001", out)
        self.assertRegex(out, r"document root /home/site/www \(/etc/nginx/sites-enabled/default:\d+\) "
                              "is hidden from the unit: added to unit.read_write_paths")
        self.assertIn("uses the link /run/php/php-fpm.sock", out)
        self.assertRegex(out, r"systemctl disable --now php8.2-fpm.service\n +systemctl enable --now "
                              r"fpmd@\{tcp,www\}.socket")

    def test_2_the_file_is_copied_unmodified(self):
        self.assertEqual(self.guest.path(f"{CONF_D}/www.conf").read_bytes(), self.stock)
        self.assertEqual(self.guest.read(f"{CONF_D}/tcp.conf"), TCP_POOL)
        self.assertEqual(self.guest.run("stat", "-c", "%a %U", f"{CONF_D}/.import",
                                        f"{CONF_D}/.import/0001/record").stdout,
                         "700 root\n600 root\n")
        self.assertIn('unit.read_write_paths = "/home/site/www"',
                      self.guest.read(f"{CONF_D}/www.conf.d/50-import.conf"))

    def test_3_importing_again_changes_nothing(self):
        out = self.guest.run("fpmctl", "import", "/etc/php/8.2/fpm/php-fpm.conf").stdout
        self.assertRegex(out, r"(?m)^www .*  unchanged$")
        self.assertRegex(out, r"(?m)^tcp .*  unchanged$")
        self.assertFalse(self.guest.path(f"{CONF_D}/.import/0002").exists())

    def test_4_other_files_are_not_overwritten(self):
        self.guest.write("/tmp/other/www.conf", "[www]\nuser = site\nlisten = /run/other.sock\n"
                                                "pm = static\npm.max_children = 1\n")
        done = self.guest.run("fpmctl", "import", "/tmp/other/www.conf", check=False)
        self.assertEqual(done.returncode, 78)
        self.assertIn(f"{CONF_D}/www.conf is there and differs; --force replaces it", done.stdout)
        self.assertEqual(self.guest.path(f"{CONF_D}/www.conf").read_bytes(), self.stock)

    def test_5_the_switch(self):
        self.run_commands(self.commands("To switch from php8.2-fpm.service to fpmd"))
        self.assertEqual(self.guest.properties("php8.2-fpm", "ActiveState")["ActiveState"], "inactive")
        out = self.guest.run("stat", "-c", "%U:%G %a %F", SOCKET).stdout.strip()
        self.assertEqual(out, "www-data:www-data 660 socket")

    def test_6_the_same_answers(self):
        after = self.ask_all()
        different = []
        for key, was in self.before.items():
            if after[key] != was:
                different.append(f"port {key[0]}, {REQUESTS[key[1]][:3]}:\n  php-fpm: {was}\n"
                                 f"  fpmd:    {after[key]}")
        self.assertEqual(different, [], "\n".join(different))
        self.assertGreater(sum(r["status"] == 200 for r in after.values()), 60)

    def test_6_a_site_below_home(self):
        body = self.one(8083, "GET", "/home.php", {"Host": "home.example"}, None)
        self.assertEqual(body["status"], 200, body)
        self.assertEqual(self.guest.read("/home/site/www/written"), "x")

    def test_7_the_socket_without_php_fpms_folder(self):
        """/run/php is a matter of php-fpm's package, which may be gone at the next boot."""
        self.guest.systemctl("stop", "fpmd@www.socket")
        self.guest.run("rm", "-rf", "/run/php")
        self.guest.systemctl("start", "fpmd@www.socket")
        self.assertEqual(self.guest.run("stat", "-c", "%U %a", "/run/php").stdout, "root 755\n")
        self.assertEqual(self.one(8080, "GET", "/hello.php", {}, None)["status"], 200)
        self.assertEqual(self.one(8081, "GET", "/hello.php", {}, None)["status"], 200)

    def test_8_undo_is_refused_while_a_pool_is_in_use(self):
        done = self.guest.run("fpmctl", "import", "--undo", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("systemctl disable --now fpmd@", done.stderr)
        self.assertTrue(self.guest.path(f"{CONF_D}/tcp.conf").exists())

    def test_9_and_back(self):
        self.guest.run("mkdir", "-p", "/run/php")
        self.guest.write(f"{CONF_D}/tcp.conf", TCP_POOL + "; edited\n")
        back = self.commands("And back:")
        self.assertEqual(back[-1], "fpmctl import --undo")
        self.run_commands(back[:-1])
        done = self.guest.run("fpmctl", "import", "--undo")
        self.assertIn(f"{CONF_D}/tcp.conf has been changed since, and is kept", done.stderr)
        self.assertEqual(self.guest.path(f"{CONF_D}/www.conf").exists(), self.shipped)
        if self.shipped:
            self.assertNotEqual(self.guest.path(f"{CONF_D}/www.conf").read_bytes(), self.stock)
        found = self.guest.run("find", "/etc/systemd/system", "-path", "*fpmd@*.d/*").stdout
        self.assertEqual(found, "")
        self.assertFalse(self.guest.path(f"{CONF_D}/www.conf.d").exists())
        done = self.guest.run("fpmctl", "import", "--undo", "--force")
        self.assertFalse(self.guest.path(f"{CONF_D}/tcp.conf").exists())
        self.assertFalse(self.guest.path(f"{CONF_D}/.import").exists())
        self.assertNotEqual(self.guest.run("fpmctl", "import", "--undo", check=False).returncode, 0)
        self.assertEqual(self.ask_all(), self.before)


class OneOfSeveral(GuestCase):
    """A pool moves, the others of the same PHP-FPM stay where they are."""

    nginx = False
    MOVING = {"moving": "/run/php/moving.sock", "ported": "127.0.0.1:9002"}

    @classmethod
    def prepare(cls, guest):
        guest.path("/etc/systemd/system/php8.2-fpm.service").unlink()
        conf = guest.read("/etc/php/8.2/fpm/php-fpm.conf")
        guest.write("/etc/php/8.2/fpm/php-fpm.conf",
                    conf.replace("[global]", "[global]\nprocess_control_timeout = 10s", 1))
        guest.write("/srv/www/slow.php", "<?php touch('/tmp/slow-runs'); sleep(2); echo 'done';")
        guest.write("/srv/www/who.php", "<?php echo ini_get('memory_limit'), ' ', getmypid();")
        for name, listen in cls.MOVING.items():
            guest.write(f"/etc/php/8.2/fpm/pool.d/{name}.conf",
                        f"[{name}]\nuser = site\nlisten = {listen}\npm = static\n"
                        "pm.max_children = 1\nphp_admin_value[memory_limit] = 77M\n")

    def served_by(self, address):
        if ":" in address:
            with self.guest.network():
                client = fastcgi.Connection(("127.0.0.1", int(address.split(":")[1])))
            with client:
                body = client.request("/who.php").body
        else:
            body = fastcgi.request(self.guest.path(address), "/who.php").body
        pid = body.decode().split()[1]
        return self.guest.run("readlink", f"/proc/{pid}/exe").stdout.strip().rsplit("/", 1)[1]

    def test_there_and_back(self):
        self.guest.systemctl("start", "php8.2-fpm")
        files = [f"/etc/php/8.2/fpm/pool.d/{name}.conf" for name in self.MOVING]
        out = self.guest.run("fpmctl", "import", *files).stdout
        there = commands(out, "To switch from php8.2-fpm.service")
        back = commands(out, "And back:")
        self.assertIn("systemctl reload php8.2-fpm.service", there)
        for name in self.MOVING:
            self.assertIn("process_control_timeout = 10s",
                          self.guest.read(f"{CONF_D}/{name}.conf.d/50-import.conf"))
        # A request of a pool that stays: the reload of PHP-FPM, which gives up the sockets at its end,
        # waits for it.
        with fastcgi.Connection(self.guest.path(SOCKET)) as slow:
            slow.send(fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, fastcgi.pairs(
                fastcgi.script_params("/slow.php"))) + fastcgi.stream(fastcgi.STDIN, b""))
            wait_until(self.guest.path("/tmp/slow-runs").exists, 10, "the request runs")
            self.guest.run("bash", "-e", "-c", "\n".join(there))
            self.assertEqual(slow.read_response().body, b"done")
        for address in self.MOVING.values():
            self.assertEqual(self.served_by(address), "php8.2")
        # A process of before the reload that answers may have gone when it is looked at.
        wait_until(lambda: self.try_served_by(SOCKET) == "php-fpm8.2", 5, SOCKET)
        for line in back[:-1]:
            self.guest.run("bash", "-c", line)
        for address in [SOCKET, *self.MOVING.values()]:
            wait_until(lambda: self.try_served_by(address) == "php-fpm8.2", 5, address)
        self.guest.run("bash", "-c", back[-1])

    def try_served_by(self, address):
        with contextlib.suppress(OSError, AssertionError):
            return self.served_by(address)
        return None


class WhatIsLeftBehind(GuestCase):
    """Owners, links and odd names: as root, with the manager's group."""

    nginx = False
    ODD_ROOT = "/home/site/www~old(1)"
    ODD_LINK = "/run/php/100%h.sock"
    POOL = ("[secret]\nuser = site\nlisten = /run/php/secret.sock\npm = static\npm.max_children = 1\n"
            "env[SECRET] = word\n")

    @classmethod
    def prepare(cls, guest):
        guest.write("/etc/nginx/sites-enabled/default", f"""
server {{
    root {cls.ODD_ROOT};
    location / {{ fastcgi_pass unix:/run/php/secret.sock; }}
    location /b {{ fastcgi_pass unix:{cls.ODD_LINK}; }}
}}
""")
        guest.write("/srv/www/secret.php", "<?php echo getenv('SECRET');")

    def stat(self, path):
        return self.guest.run("stat", "-c", "%a %U:%G %F", path).stdout.strip()

    def test_1_a_secret_file_is_for_the_manager_too(self):
        guest = self.guest
        file = "/etc/php/8.2/fpm/pool.d/secret.conf"
        guest.write(file, self.POOL, mode=0o600)
        guest.run("mkdir", "-p", "/run/php", self.ODD_ROOT)
        # As if PHP-FPM had the socket, and somebody a link to it.
        guest.run("touch", "/run/php/secret.sock")
        guest.run("ln", "-s", "secret.sock", self.ODD_LINK)
        out = guest.run("sh", "-c", f"umask 077; fpmctl import {file}").stdout
        guest.run("rm", "/run/php/secret.sock", self.ODD_LINK)
        self.assertNotIn("chgrp", out)
        self.assertEqual(self.stat(f"{CONF_D}/secret.conf"), "640 root:fpmd regular file")
        self.assertEqual(self.stat(f"{CONF_D}/secret.conf.d"), "755 root:root directory")
        guest.systemctl("start", "fpmd@secret.socket")
        self.assertEqual(fastcgi.request(guest.path("/run/php/secret.sock"), "/secret.php").body, b"word")

    def test_2_odd_names(self):
        guest = self.guest
        self.assertIn(f'"{self.ODD_ROOT}"', guest.read(f"{CONF_D}/secret.conf.d/50-import.conf"))
        guest.run("fpmctl", "check", "secret")
        self.assertEqual(guest.run("readlink", self.ODD_LINK).stdout.strip(), "/run/php/secret.sock")
        guest.systemctl("stop", "fpmd@secret.socket", "fpmd@secret.service")
        guest.run("fpmctl", "import", "--undo")

    def test_3_undo_gives_back_what_was_there(self):
        guest = self.guest
        guest.write(f"{CONF_D}/secret.conf", self.POOL.replace("word", "other"))
        guest.run("chown", "site:fpmd", f"{CONF_D}/secret.conf")
        guest.run("chmod", "640", f"{CONF_D}/secret.conf")
        guest.write("/tmp/world.conf", self.POOL.replace("secret", "masked"), mode=0o644)
        guest.run("ln", "-s", "/dev/null", f"{CONF_D}/masked.conf")
        guest.run("fpmctl", "import", "--force", "/etc/php/8.2/fpm/pool.d/secret.conf", "/tmp/world.conf")
        self.assertEqual(self.stat(f"{CONF_D}/secret.conf"), "640 root:fpmd regular file")
        self.assertEqual(self.stat(f"{CONF_D}/masked.conf"), "644 root:root regular file")
        guest.run("fpmctl", "import", "--undo")
        self.assertEqual(self.stat(f"{CONF_D}/secret.conf"), "640 site:fpmd regular file")
        self.assertEqual(self.stat(f"{CONF_D}/masked.conf"), "777 root:root symbolic link")
        self.assertIn("other", guest.read(f"{CONF_D}/secret.conf"))

    def test_4_a_full_disk(self):
        """Nothing is written that was not noted before."""
        guest = self.guest
        guest.run("mkdir", "-p", "/tmp/small", "/tmp/units", "/tmp/pools")
        guest.run("mount", "-t", "tmpfs", "-o", "size=100k", "none", "/tmp/small")
        for i in range(40):
            guest.write(f"/tmp/pools/p{i}.conf", f"[p{i}]\nuser = site\nlisten = /run/php/p{i}.sock\n"
                                                 "pm = static\npm.max_children = 1\n")
        where = ["--config-dir=/tmp/small", "--unit-dir=/tmp/units", "import"]
        done = guest.run("fpmctl", *where, "/tmp/pools", check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        found = guest.run("find", "/tmp/small", "-name", "p*.conf").stdout
        self.assertNotEqual(found, "")
        guest.run("fpmctl", *where, "--undo")
        self.assertEqual(guest.run("find", "/tmp/small", "/tmp/units", "-mindepth", "1").stdout, "")
        guest.run("umount", "/tmp/small")


if __name__ == "__main__":
    main()
