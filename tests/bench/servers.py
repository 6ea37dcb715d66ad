"""The servers that are compared. Each pool has a service of its own in the guest, php-fpm's too: a
master with one pool. A cgroup is what a server is: its CPU and its processes are those of its unit."""

import fastcgi
from guest import INSTALLED_BUILD, wait_until

# Of Debian's php8.2-fpm.service, what makes a difference.
FPM_UNIT = """[Unit]
Description=php-fpm with the pool %i

[Service]
Type=notify
ExecStart=/usr/sbin/php-fpm8.2 --nodaemonize --fpm-config /etc/php/8.2/fpm/bench/%i.conf
ExecReload=/bin/kill -USR2 $MAINPID
"""
FPM_CONF = """[global]
error_log = /var/log/bench-{name}.log

[{name}]
user = www-data
group = www-data
listen = /run/php/bench-{name}.sock
listen.owner = www-data
listen.backlog = 4096
{lines}"""

CGI_UNIT = """[Service]
Environment=PHP_FCGI_CHILDREN={workers} PHP_FCGI_MAX_REQUESTS=0 PHPRC=/etc/php/8.2/fpm/php.ini
ExecStart=/usr/bin/spawn-fcgi -n -s {path} -u www-data -g www-data -b 4096 -- /usr/bin/php-cgi8.2
ExecStopPost=-/bin/rm -f {path}
"""
NULL_UNIT = """[Service]
User=www-data
RuntimeDirectory=fpmd-null
ExecStart=/usr/local/bin/fpmd-null {workers} {path}
"""


class Server:
    """One server of a guest; pool is the name of its pool."""

    name, unit, socket, units = None, None, None, ()

    def __init__(self, guest, pool):
        self.guest, self.pool = guest, pool

    def path(self):
        """Its socket as the machine sees it."""
        return self.guest.path(self.socket)

    def start(self):
        self.guest.systemctl("start", *self.units)
        wait_until(self.answers, 20, f"an answer of {self.name}")

    def answers(self):
        try:
            return fastcgi.request(self.path(), "/hello.php").text == "Hello World\n"
        except OSError:
            return False

    def stop(self):
        self.guest.systemctl("stop", *reversed(self.units))

    def restart(self):
        """The service alone, and without waiting for a first request."""
        self.guest.systemctl("restart", self.unit)

    def processes(self):
        return self.guest.processes(self.unit)


class Fpmd(Server):
    name = "fpmd"

    def __init__(self, guest, pool):
        super().__init__(guest, pool)
        self.unit, self.socket = f"fpmd@{pool}.service", f"/run/fpmd/{pool}.sock"
        self.units = (f"fpmd@{pool}.socket", self.unit)

    def stop(self):
        self.guest.systemctl("stop", *self.units)

    @staticmethod
    def write(guest, pool, lines):
        guest.write(f"/etc/fpmd/conf.d/{pool}.conf", f"[{pool}]\nuser = www-data\n{lines}")


class PhpFpm(Server):
    name = "php-fpm"

    def __init__(self, guest, pool):
        super().__init__(guest, pool)
        self.unit, self.socket = f"bench-fpm@{pool}.service", f"/run/php/bench-{pool}.sock"
        self.units = (self.unit,)

    @staticmethod
    def write(guest, pool, lines):
        guest.write("/etc/systemd/system/bench-fpm@.service", FPM_UNIT)
        guest.write(f"/etc/php/8.2/fpm/bench/{pool}.conf", FPM_CONF.format(name=pool, lines=lines))


class PhpCgi(Server):
    name, unit, socket = "php-cgi", "bench-cgi.service", "/run/php/bench-cgi.sock"
    units = (unit,)

    @classmethod
    def write(cls, guest, workers):
        guest.write(f"/etc/systemd/system/{cls.unit}",
                    CGI_UNIT.format(workers=workers, path=cls.socket))


class Null(Server):
    name, unit, socket = "null", "bench-null.service", "/run/fpmd-null/null.sock"
    units = (unit,)

    @classmethod
    def write(cls, guest, workers):
        program = INSTALLED_BUILD / "tests/bench/fpmd-null"
        guest.write("/usr/local/bin/fpmd-null", program.read_bytes(), 0o755)
        guest.write(f"/etc/systemd/system/{cls.unit}",
                    NULL_UNIT.format(workers=workers, path=cls.socket))


PAIR = (Fpmd, PhpFpm)


def write_pools(guest, pool, lines):
    """The same pool for both."""
    for server in PAIR:
        server.write(guest, pool, lines)
