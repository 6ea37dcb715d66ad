"""Two questions that are asked of fpmd alone: what many reloads do to the latency of others' requests,
and what it costs scripts that open files to be kept to their folders."""

import statistics
import time

from measure import under_load
from servers import Fpmd
from suite import load, percentile

RELOADS, RELOAD_PACE, STEADY_SECONDS, P99_LIMIT = 50, 1.2, 15, 1.5


def prepare_reloads(guest):
    Fpmd.write(guest, "bench", "pm = static\npm.max_children = 4\n")


def reloads(guest, _rounds):
    """p99 while nothing happens and during reloads; returns checks."""
    server, conf = Fpmd(guest, "bench"), "/etc/fpmd/conf.d/bench.conf"
    server.start()
    good, wrong = guest.read(conf), []
    with load(server.path(), "/srv/www/load.php", clients=16, ids=True, pause=(0.02, 0.06),
              seconds=2 * STEADY_SECONDS + 2 * RELOADS * RELOAD_PACE) as clients:
        time.sleep(1 + STEADY_SECONDS)
        begin = time.monotonic()
        for i in range(RELOADS):
            guest.write(conf, good + ("nonsense = 1\n" if i % 2 else ""))
            done = guest.systemctl("reload", "fpmd@bench.service", check=False)
            if done.returncode != i % 2:
                wrong.append(f"reload {i}: exit {done.returncode}")
            time.sleep(max(0, begin + (i + 1) * RELOAD_PACE - time.monotonic()))
        end = time.monotonic()
        guest.write(conf, good)
        time.sleep(STEADY_SECONDS)
        counts, samples = clients.stop(), clients.samples()
    first = samples[0][0] + 1
    steady = [latency for at, latency in samples if first < at < begin or at > end + 1]
    during = [latency for at, latency in samples if begin <= at <= end]
    ratio = percentile(during, 99) / percentile(steady, 99)
    for name, values in (("steady", steady), ("reloads", during)):
        print(f"{name:8} {len(values):7} requests, p50 {percentile(values, 50) * 1000:.2f} ms, p99 "
              f"{percentile(values, 99) * 1000:.2f} ms, at most {max(values) * 1000:.1f} ms")
    checks = [(not wrong, f"exit statuses of {RELOADS} reloads {wrong or ''}"),
              (counts["failed"] == 0, f"{counts['failed']} of {counts['begun']} requests failed"),
              (ratio <= P99_LIMIT, f"p99 during reloads: {ratio:.2f} of the steady one, at most "
                                   f"{P99_LIMIT}")]
    return checks


# What keeps the scripts of a pool to their folders, and scripts that open 50 files each.
KEEPERS = {
    "free": "",
    "basedir": "php_admin_value[open_basedir] = /srv/www:/tmp\n",
    "landlock": "sandbox.read = /srv/www\nsandbox.write = none\nsandbox.exec_paths = none\n",
}
FILES = 50
OPENERS = {
    "hello": "echo 'Hello World', PHP_EOL;",
    "include": "$n = 0; for ($i = 0; $i < FILES; $i++) $n += include \"/srv/www/paths/a/b/f$i.php\";"
               "echo $n, PHP_EOL;",
    "read": "$n = 0; for ($i = 0; $i < FILES; $i++)"
            "$n += file_get_contents(\"/srv/www/paths/a/b/f$i.php\") !== ''; echo $n, PHP_EOL;",
    "stat": "$n = 0; for ($i = 0; $i < FILES; $i++) { clearstatcache();"
            "$n += is_file(\"/srv/www/paths/a/b/f$i.php\"); } echo $n, PHP_EOL;",
}


def prepare_paths(guest):
    for i in range(FILES):
        guest.write(f"/srv/www/paths/a/b/f{i}.php", "<?php return 1;")
    for name, code in OPENERS.items():
        guest.write(f"/srv/www/paths/{name}.php", "<?php " + code.replace("FILES", str(FILES)))
    for name, lines in KEEPERS.items():
        Fpmd.write(guest, name, f"pm = static\npm.max_children = 4\n{lines}")


def paths(guest, rounds):
    """CPU per request with each keeper, and what it adds for each file; returns checks."""
    servers = [Fpmd(guest, name) for name in KEEPERS]
    for server in servers:
        server.start()
    added = {}
    print(f"{'CPU per request, µs':20}" + "".join(f"{name:>12}" for name in KEEPERS)
          + f"   added per file by {' and '.join(list(KEEPERS)[1:])}")
    for script in OPENERS:
        words = ["-c", 2, "-d", "1s", "-s", f"/srv/www/paths/{script}.php", "-u", f"/{script}.php",
                 "-e", "Hello World\n" if script == "hello" else f"{FILES}\n"]
        costs = {name: [] for name in KEEPERS}
        for number in range(-1, rounds):  # the first is to warm up
            for server in servers if number % 2 else reversed(servers):
                cost = under_load(server, words)["cpu_usec"]
                if number >= 0:
                    costs[server.pool].append(cost)
        medians = {name: statistics.median(values) for name, values in costs.items()}
        added[script] = [statistics.median(a - b for a, b in zip(costs[name], costs["free"])) / FILES
                         for name in list(KEEPERS)[1:]]
        print(f"{script:20}" + "".join(f"{medians[name]:12.1f}" for name in KEEPERS)
              + ("" if script == "hello" else "   " + ", ".join(f"{a:.2f} µs" for a in added[script])))
    return [(added[script][1] < added[script][0],
             f"{script}: Landlock adds {added[script][1]:.2f} µs per file, less than the "
             f"{added[script][0]:.2f} µs of open_basedir") for script in ("include", "read")]


# name → (what changes the guest before it boots, what asks)
STUDIES = {"reloads": (prepare_reloads, reloads), "paths": (prepare_paths, paths)}
