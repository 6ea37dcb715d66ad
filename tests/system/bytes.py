"""Garbled streams, by the hundred thousand, against a pool: nobody crashes, hangs or leaks.

fpmd-bytes (tests/bench/bytes.c) sends noise, half records, wrong lengths and mutated requests and
ends its connections in every way; sound requests between them have to be answered. Ordinarily for
some seconds; FPMD_BYTES_STREAMS=1000000 in the environment sends so many instead:

    FPMD_BYTES_STREAMS=1000000 PYTHONPATH=tests/lib python3 tests/system/bytes.py
    FPMD_BYTES_STREAMS=1000000 FPMD_SANITIZE=1 PYTHONPATH=tests/lib python3 tests/system/bytes.py

after `tests/run build` and, for the second, `tests/run sanitize`.
"""

import contextlib
import json
import os
import subprocess
import time

import guest as guest_module
from suite import GuestCase, executable, main, message_id, proc, wait_until, write_pool

STREAMS = int(os.environ.get("FPMD_BYTES_STREAMS", 0))
PORT = 9140

# In KiB of memory of its own that a process may have more afterwards. A heap that has grown to its
# full size before is not seen; a byte lost in each stream is.
GROWTH_MAX = 2048
WARM_UP = 3000

BAD_RECORDS = ["WORKER_EXITED", "WORKER_FILTERED", "TEMPLATE_EXITED", "PORTER_EXITED",
               "GENERATION_RETIRED"]


class Bytes(GuestCase):
    nginx = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        write_pool(cls.guest, "bytes", children=4, listen=f"/run/fpmd/bytes.sock 127.0.0.1:{PORT}",
                   request_read_timeout="10s",
                   **{"pm.status_path": "/status", "ping.path": "/ping"})

    def send(self, *words):
        """fpmd-bytes against both sockets; what it counts."""
        command = ["nsenter", f"--net=/proc/{self.guest.pid}/ns/net", "--",
                   guest_module.INSTALLED_BUILD / "tests/bench/fpmd-bytes", "-s",
                   "/srv/www/hello.php", "-e", "Hello World\n", "-t", "60s", *words,
                   self.socket("bytes"), f"127.0.0.1:{PORT}"]
        done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        self.assertTrue(done.stdout, f"exit {done.returncode}: {done.stderr[-2000:]}")
        result = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0, f"{result}\n{done.stderr[-2000:]}")
        self.assertEqual(result["answered"], result["sound"], result)
        return result

    def processes(self):
        """{pid: (program, descriptors, KiB of memory of its own)}"""
        found = {}
        for pid in self.guest.processes("fpmd@bytes.service"):
            with contextlib.suppress(OSError):
                anonymous = next(int(line.split()[1]) for line in proc(pid, "status").splitlines()
                                 if line.startswith("RssAnon:"))
                found[pid] = (executable(pid), len(os.listdir(f"/proc/{pid}/fd")), anonymous)
        return found

    def at_rest(self):
        """The processes when nobody is connected any more: an answer on each worker later."""
        def look():
            status = self.status("bytes")
            return status["active"] == 0 and status.get("connections_parked", 0) == 0
        wait_until(look, 20, "the pool is at rest", step=0.2)
        return self.processes()

    def resting(self):
        """at_rest(), each with the fewest descriptors of some looks: the connections of those who have asked
        for the status are closed a little later."""
        looks = [self.at_rest() for _ in range(5)]
        return {p: (v[0], min(l[p][1] for l in looks if p in l), v[2]) for p, v in looks[-1].items()}

    def test_garbled_streams(self):
        self.guest.run("fpmctl", "apply", "bytes")
        self.guest.systemctl("start", "fpmd@bytes.socket")
        self.send("-n", WARM_UP, "-r", 7)
        self.full("bytes", 4)
        before = self.resting()
        generation = self.status("bytes")["generation"]
        # Manager, template, porter, four workers.
        self.assertEqual(len(before), 7, before)

        if STREAMS:
            result = self.send("-n", STREAMS, "-r", int(time.time()))
            self.assertEqual(result["streams"], STREAMS)
            print(json.dumps(result), flush=True)
        else:
            result = self.send("-d", "8s")
        self.assertGreater(result["streams"], 500)

        for _ in range(8):
            self.assertEqual(self.ask("bytes", "/hello.php").text, "Hello World\n")
        after = self.resting()
        self.assertEqual(sorted(after), sorted(before), "a process has died")
        self.assertEqual({p: v[:2] for p, v in after.items()},
                         {p: v[:2] for p, v in before.items()}, "descriptors")
        # Sanitizers keep what is freed for a while, and tell of leaks themselves.
        if not guest_module.SANITIZED:
            grown = {p: (v[0], before[p][2], v[2]) for p, v in after.items()
                     if v[2] - before[p][2] > GROWTH_MAX}
            self.assertEqual(grown, {}, "memory")
        self.assertEqual(self.status("bytes")["generation"], generation)
        restarts = self.guest.properties("fpmd@bytes.service", "NRestarts")["NRestarts"]
        self.assertEqual(restarts, "0")
        for name in BAD_RECORDS:
            self.assertEqual(self.records(pool="bytes", MESSAGE_ID=message_id(name)), [], name)
        self.guest.systemctl("stop", "fpmd@bytes.service")


if __name__ == "__main__":
    main()
