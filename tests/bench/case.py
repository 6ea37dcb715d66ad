"""A case of the comparison, and the scripts and requests that several share."""

import servers

WORKERS, CLIENTS = 4, 2
STATIC = "pm = static\npm.max_children = {}\n"
SECONDS = 1.0  # of load on each server in each round, where a case does not say otherwise

MEGABYTE = 1 << 20
SCRIPTS = {
    # About 100 us of PHP's own work on a processor of 2020.
    "cpu": "$x = 1; for ($i = 0; $i < 8000; $i++) { $x = ($x * 31 + $i) % 65521; } echo $x, \"\\n\";",
    "brief": "$x = 1; for ($i = 0; $i < 2400; $i++) { $x = ($x * 31 + $i) % 65521; } echo $x, \"\\n\";",
    "megabyte": f"echo str_repeat('0123456789abcdef', {MEGABYTE // 16});",
    "download": "$part = str_repeat('0123456789abcdef', 4096);"
                f"for ($i = 0; $i < {100 * MEGABYTE // 65536}; $i++) {{ echo $part; }}",
    "upload": "$n = 0; $in = fopen('php://input', 'rb');"
              "while (($part = fread($in, 65536)) !== false && $part !== '') { $n += strlen($part); }"
              "echo $n, \"\\n\";",
    "wait": "usleep((int)$_GET['ms'] * 1000); echo \"waited\\n\";",
}


def script(guest, name):
    """Writes a script of SCRIPTS; returns the options of fpmd-load that ask for it."""
    path = f"/srv/www/bench-{name}.php"
    guest.write(path, "<?php " + SCRIPTS[name] + "\n")
    return ["-s", path, "-u", f"/bench-{name}.php"]


HELLO = ["-s", "/srv/www/hello.php", "-u", "/hello.php", "-e", "Hello World\n"]


class Case:
    name, title = None, None
    guest_name = "plain"  # which guest it runs in: that with applications has their extensions
    packages, answers = (), ""
    classes = servers.PAIR
    lines = STATIC.format(WORKERS)
    seconds = SECONDS
    times, starts = 1, 1  # rounds for each round that is asked for; how often the servers are started
    most_rounds = 1000
    shown = ()  # the numbers of the table: (key, text, unit)

    def __init__(self):
        self.servers, self.guest = [], None

    def prepare(self, guest):
        servers.write_pools(guest, self.name, self.lines)

    def start(self, guest):
        self.guest = guest
        self.servers = [kind(guest, self.name) for kind in self.classes]
        for server in self.servers:
            server.start()

    def warm(self, server):
        """Once per server before the first round: the opcode cache, the page cache."""
        self.measure(server)

    def measure(self, server):
        raise NotImplementedError

    def stop(self):
        for server in self.servers:
            server.stop()
