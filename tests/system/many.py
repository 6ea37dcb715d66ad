"""Three hundred pools: imported in one command, started by the target, each serving its own page."""

import time

import fastcgi
from suite import GuestCase, in_parallel, main, proc

COUNT = 300
NAMES = [f"site{i:03}" for i in range(COUNT)]
EMPTY = [f"empty{i:03}" for i in range(COUNT)]
OLD = "/etc/php/8.2/fpm/pool.d"
# How often daemon-reload is measured; the shortest time counts.
ROUNDS = 5
LIMIT = 1.5  # times that of empty instances

# What hosting panels write for a site, more or less.
POOL = """; {name}
[{name}]
user = site
group = site
listen = /run/php/{name}.sock
listen.owner = www-data
listen.group = www-data
listen.mode = 0660
pm = ondemand
pm.max_children = 3
pm.process_idle_timeout = 10s
pm.max_requests = 500
chdir = /srv/sites/{name}
env[SITE] = {name}
php_admin_value[open_basedir] = /srv/sites/{name}:/tmp
php_admin_value[upload_tmp_dir] = /srv/sites/{name}/tmp
php_admin_value[session.save_path] = /srv/sites/{name}/sessions
"""


class Many(GuestCase):
    nginx = False
    seconds, empty_seconds = [], []
    command = None

    @classmethod
    def prepare(cls, guest):
        guest.path(f"{OLD}/www.conf").unlink()
        for name in NAMES:
            guest.write(f"{OLD}/{name}.conf", POOL.format(name=name))
            guest.write(f"/srv/sites/{name}/index.php",
                        f"<?php echo '{name} ', getenv('SITE'), ' ', ini_get('open_basedir');")

    def reload_seconds(self):
        """The shortest of several daemon-reloads, in time of the processor that systemd took for it:
        others use the machine, too."""
        times = []
        for _ in range(ROUNDS):
            before = self.systemd_seconds()
            self.guest.systemctl("daemon-reload")
            times.append(self.systemd_seconds() - before)
        return min(times)

    def systemd_seconds(self):
        return int(proc(self.guest.pid, "schedstat").split()[0]) / 1e9

    def units(self, names):
        return [f"fpmd@{name}.socket" for name in names]

    def states(self, names, kind="socket"):
        out = self.guest.systemctl("show", "--property=ActiveState", "--value",
                                   *(f"fpmd@{n}.{kind}" for n in names)).stdout
        return out.split()

    def page(self, i):
        reply = fastcgi.request(self.guest.path(f"/run/php/{NAMES[i]}.sock"),
                                "/index.php", timeout=60, root=f"/srv/sites/{NAMES[i]}")
        return reply.body.decode()

    def measure_empty_instances(self):
        files = [self.guest.path(f"/usr/lib/fpmd/conf.d/{name}.conf") for name in EMPTY]
        files[0].parent.mkdir(parents=True, exist_ok=True)
        for path in files:
            path.touch()  # the socket units want it, and nobody reads it
        self.guest.systemctl("enable", "--now", *self.units(EMPTY), timeout=120)
        self.assertEqual(self.states(EMPTY), ["active"] * COUNT)
        Many.empty_seconds.append(self.reload_seconds())
        self.guest.systemctl("disable", "--now", *self.units(EMPTY), timeout=120)
        for path in files:
            path.unlink()

    # The cases go on from each other, in the order of their names.

    def test_1_empty_instances_for_comparison(self):
        self.measure_empty_instances()

    def test_2_imported_and_applied_in_one_command(self):
        start = time.monotonic()
        done = self.guest.run("fpmctl", "import", OLD, timeout=120)
        print(f"      import of {COUNT} pools: {time.monotonic() - start:.1f} s", flush=True)
        self.assertIn(f"\n{COUNT} pools taken over, 0 of all need a look, 0 are not imported\n",
                      done.stdout)
        self.assertIn(f"{COUNT} pools: {2 * COUNT} units changed", done.stdout)
        Many.command = next(line.strip() for line in done.stdout.splitlines()
                            if line.startswith("    systemctl enable --now fpmd@{"))

    def test_3_the_target_starts_them(self):
        self.guest.run("bash", "-c", self.command.replace("--now ", ""), timeout=120)
        self.guest.systemctl("start", "fpmd.target", timeout=120)
        self.assertEqual(self.states(NAMES), ["active"] * COUNT)

    def test_4_daemon_reload_is_measured(self):
        Many.seconds.append(self.reload_seconds())

    def test_5_each_serves_its_own_page(self):
        for first in range(0, COUNT, 10):
            names = NAMES[first:first + 10]
            pages = in_parallel(len(names), lambda i: self.page(first + i))
            self.assertEqual(pages, [f"{n} {n} /srv/sites/{n}:/tmp" for n in names])
            # Not all at once: the guest shares the machine's memory.
            self.guest.systemctl("stop", *(f"fpmd@{n}.service" for n in names), timeout=120)

    def test_6_importing_again_starts_and_changes_nothing(self):
        out = self.guest.run("fpmctl", "import", OLD, timeout=120).stdout
        self.assertEqual(out.count("  unchanged\n"), COUNT)
        self.assertEqual(self.states(NAMES, "service"), ["inactive"] * COUNT)
        Many.seconds.append(self.reload_seconds())

    def test_7_undo(self):
        self.guest.run("bash", "-c", self.command.replace("enable", "disable"), timeout=120)
        self.assertEqual(self.states(NAMES), ["inactive"] * COUNT)
        done = self.guest.run("fpmctl", "import", "--undo", timeout=120)
        self.assertIn(f"{3 * COUNT} files taken back, 0 kept", done.stdout)

    def test_8_daemon_reload_is_not_slower(self):
        """Both are measured twice, some time apart: the faster time counts."""
        self.measure_empty_instances()
        empty, seconds = min(self.empty_seconds), min(self.seconds)
        print(f"      daemon-reload: {COUNT} pools {seconds * 1000:.0f} ms, {COUNT} empty instances "
              f"{empty * 1000:.0f} ms, ratio {seconds / empty:.2f}", flush=True)
        self.assertLessEqual(seconds / empty, LIMIT)


if __name__ == "__main__":
    main()
