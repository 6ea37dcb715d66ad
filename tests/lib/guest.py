"""A throw-away Debian with a systemd of its own as PID 1, made of this machine's own files.

An overlay whose lower layer is / and whose upper layer is a tmpfs is booted with systemd-nspawn in a
private network. Nothing that happens in it reaches the machine. The mounts live in a mount namespace
of the calling program (isolate() makes it), so that even a killed test run leaves nothing behind.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD_BASE = pathlib.Path(os.environ.get("FPMD_BUILD_BASE", REPOSITORY / "build"))
# With FPMD_SANITIZE=1 the guests run the build with AddressSanitizer and UBSan.
SANITIZED = os.environ.get("FPMD_SANITIZE") == "1"
# With FPMD_LINKED=1 that whose runtime is linked with PHP's embed library.
LINKED = os.environ.get("FPMD_LINKED") == "1"
INSTALLED_BUILD = BUILD_BASE / ("sanitize" if SANITIZED else "linked" if LINKED else "gcc")
WWW = REPOSITORY / "tests" / "system" / "www"
# By how much this machine is slower than one that tests are written for: see machine.py.
PATIENCE = float(os.environ.get("FPMD_TEST_PATIENCE", "1"))

SANITIZER_REPORTS = "/run/sanitizer/reports"

# Of a function that does not return on a stack that was made for clone(2).
SANITIZER_WARNING = (r"==\d+==WARNING: ASan is ignoring requested __asan_handle_no_return.*\n"
                     r"False positive.*\nFor details.*\n")

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    """For a child between fork and exec."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class GuestError(Exception):
    pass


def isolate(argv):
    """Executes argv again in a private mount namespace, once. Root only."""
    if os.environ.get("FPMD_TEST_ISOLATED") == "1":
        return
    if os.geteuid() != 0:
        raise SystemExit("the system tests boot a guest, which only root can do")
    os.environ["FPMD_TEST_ISOLATED"] = "1"
    command = ["unshare", "--mount", "--propagation", "private"] + argv
    if os.path.isdir("/run/systemd/system"):  # PID 1 is a systemd: ask it for a cgroup of our own
        command = ["systemd-run", "--quiet", "--scope", "-p", "Delegate=yes"] + command
    os.execvp(command[0], command)


def wait_until(condition, timeout=10.0, what="the condition", step=0.02):
    """Calls condition() until it is true; returns its value, raises after timeout seconds."""
    end = time.monotonic() + timeout * PATIENCE
    while True:
        late = time.monotonic() > end  # before the look: one that itself takes long still counts
        value = condition()
        if value:
            return value
        if late:
            raise AssertionError(f"{what}: not within {timeout} s (last: {value!r})")
        time.sleep(step)


def _cgroup2_parent():
    """The folder of this process in the cgroup2 hierarchy, None where there is none."""
    mount = None
    with open("/proc/self/mountinfo") as lines:
        for line in lines:
            left, _, right = line.partition(" - ")
            if right.split()[0] == "cgroup2":
                mount = left.split()[4]
    if mount is None:
        return None
    with open("/proc/self/cgroup") as lines:
        for line in lines:
            if line.startswith("0::"):
                return pathlib.Path(mount + line[3:].strip())
    return None


class Guest:
    """with Guest() as guest: … boots; leaving the block powers off and unmounts, whatever happened."""

    _count = 0

    def __init__(self, nginx=True, install=True, prepare=None):
        """prepare(guest) may change the files of the guest before it boots."""
        self._nginx = nginx
        self._install = install
        self._prepare = prepare
        self._base = None
        self._nspawn = None
        self._cgroup = None
        self._console = None
        self.pid = None  # of the guest's PID 1

    # ---- life ----

    def __enter__(self):
        try:
            self._mount()
            self._configure()
            if self._prepare:
                self._prepare(self)
            self._boot()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        try:
            if self._nspawn and self._nspawn.poll() is None:
                with contextlib.suppress(Exception):
                    self.run("systemctl", "poweroff", "--no-block", timeout=5)
                try:
                    self._nspawn.wait(20 * PATIENCE)
                except subprocess.TimeoutExpired:
                    self._nspawn.kill()
                    self._nspawn.wait()
        finally:
            if self._base:
                for name in ("root", "."):
                    subprocess.run(["umount", "-l", self._base / name], stderr=subprocess.DEVNULL)
                with contextlib.suppress(OSError):
                    self._base.rmdir()
            self._remove_cgroup()
            self._base = self._nspawn = self.pid = None

    def _mount(self):
        self._base = pathlib.Path(tempfile.mkdtemp(prefix="fpmd-guest."))
        self._check("mount", "-t", "tmpfs", "-o", "mode=755,size=3g", "fpmd-guest", self._base)
        for name in ("upper", "work", "root"):
            (self._base / name).mkdir()
        self._check("mount", "-t", "overlay", "fpmd-guest", "-o",
                    f"lowerdir=/,upperdir={self._base}/upper,workdir={self._base}/work",
                    self._base / "root")

    def _configure(self):
        """Makes the files those of a quiet machine: no units but the distribution's own, no disks."""
        root = self._base / "root"
        for folder in (root / "etc/systemd/system").glob("*.wants"):
            shutil.rmtree(folder)
        for pattern in ("rc[0-6S].d", "fpmd"):
            for folder in (root / "etc").glob(pattern):
                shutil.rmtree(folder)
        shutil.rmtree(root / "var/log/journal", ignore_errors=True)
        self.write("/etc/fstab", "")
        self.write("/etc/hostname", "guest\n")
        self.write("/etc/hosts", "127.0.0.1 localhost guest\n::1 ip6-localhost\n")
        (root / "etc/machine-id").unlink(missing_ok=True)
        self.write("/etc/machine-id", uuid.uuid4().hex + "\n", 0o444)
        for unit in ("php8.2-fpm.service", "apt-daily.timer", "apt-daily-upgrade.timer",
                     "systemd-timesyncd.service", "systemd-resolved.service",
                     "systemd-networkd.service", "systemd-networkd-wait-online.service",
                     "console-getty.service"):
            link = root / "etc/systemd/system" / unit
            link.unlink(missing_ok=True)
            link.symlink_to("/dev/null")
        self.write("/etc/systemd/journald.conf.d/tests.conf",
                   "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nSyncIntervalSec=0\n"
                   "RuntimeMaxUse=200M\nForwardToConsole=no\nForwardToWall=no\n")
        self.write("/usr/lib/sysusers.d/zz-tests.conf",
                   'u site - "User of test pools" /srv/site\n'
                   "g site-extra -\nm site site-extra\nm site audio\n")
        if self._install:
            self.install(INSTALLED_BUILD)
            if SANITIZED:
                self._configure_sanitizers()
        self._check("systemd-sysusers", f"--root={root}")
        shutil.copytree(WWW, root / "srv/www", dirs_exist_ok=True)
        self._check("chroot", root, "chown", "-R", "www-data:www-data", "/srv/www")
        if self._nginx:
            self.write("/etc/nginx/nginx.conf", NGINX_CONF)
            link = root / "etc/systemd/system/multi-user.target.wants/nginx.service"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to("/lib/systemd/system/nginx.service")

    def _configure_sanitizers(self):
        """See sanitizer.c. Leaks are looked for, by ptrace, in managers: nothing else of a pool may."""
        folder = os.path.dirname(SANITIZER_REPORTS)
        self.write("/usr/lib/tmpfiles.d/zz-sanitizer.conf",
                   f"d {folder} 0755\nf {SANITIZER_REPORTS} 0666\n")
        self.write("/usr/lib/systemd/system/fpmd@.service.d/sanitizer.conf",
                   f"[Service]\nReadWritePaths=-{folder}\nSystemCallFilter=ptrace\n")

    def take_sanitizer_reports(self):
        """What sanitizers have said since the last call."""
        if not SANITIZED or not self._install or not self.pid:
            return ""
        path = self.path(SANITIZER_REPORTS)
        text = path.read_text(errors="replace")
        if text:
            os.truncate(path, 0)
        return re.sub(SANITIZER_WARNING, "", text)

    def install(self, build):
        """Installs a build folder into the files of the guest, with what a package would do then."""
        root = self._base / "root"
        self._check("meson", "install", "--no-rebuild", "--quiet", "-C", build,
                    env=dict(os.environ, DESTDIR=str(root)))
        self._check("journalctl", "--update-catalog", f"--root={root}")

    def install_packages(self, *names, answers=""):
        """Installs Debian packages into the guest, before it boots (the guest has no network).

        What was downloaded stays in the machine's cache. answers is debconf-set-selections(1) input.
        """
        root = self._base / "root"
        self.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
        subprocess.run(["chroot", root, "debconf-set-selections"], input=answers, text=True, check=True)
        mounted = []
        try:
            for name in ("proc", "dev", "var/cache/apt"):
                self._check("mount", "--rbind", f"/{name}", root / name)
                mounted.append(root / name)
            env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
            install = ["chroot", root, "apt-get", "install", "-q", "-y", "--no-install-recommends",
                       "-o", "APT::Keep-Downloaded-Packages=true", *names]
            done = subprocess.run(install, env=env, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode != 0:  # the list of packages may be missing or old
                self._check("chroot", root, "apt-get", "update", "-q", env=env)
                self._check(*install, env=env)
        finally:
            for path in mounted:
                subprocess.run(["umount", "-l", path])

    def chroot(self, *command):
        """Runs a command in the files of the guest, before it boots."""
        self._check("chroot", self._base / "root", *command)

    def enable_extensions(self, *names):
        """Switches on extensions of PHP that tests/lib/packages has installed, before the guest boots."""
        available = self.path("/etc/php/8.2/mods-available")
        for name in names:
            priority = re.search(r"^;\s*priority\s*=\s*(\d+)",
                                 (available / f"{name}.ini").read_text(), re.MULTILINE)
            for sapi in ("fpm", "cli", "embed"):
                link = self.path(f"/etc/php/8.2/{sapi}/conf.d/"
                                 f"{priority.group(1) if priority else '20'}-{name}.ini")
                link.unlink(missing_ok=True)
                link.symlink_to(f"/etc/php/8.2/mods-available/{name}.ini")

    def _boot(self):
        parent = _cgroup2_parent()
        if parent is None:
            raise GuestError("no cgroup2 hierarchy is mounted")
        while True:
            Guest._count += 1
            self._cgroup = parent / f"fpmd-guest-{os.getpid()}-{Guest._count}"
            with contextlib.suppress(FileExistsError): # of one that was killed, with the same pid
                self._cgroup.mkdir()
                break

        def child():
            (self._cgroup / "cgroup.procs").write_text("0")
            die_with_parent()

        self._console = tempfile.TemporaryFile()
        self._nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network",
             "--resolv-conf=off", "--timezone=off", "--link-journal=no",
             f"--machine=fpmd-{os.getpid()}-{Guest._count}",
             "-D", str(self._base / "root"), "-b", "systemd.unit=multi-user.target"],
            # Without nspawn's own system call filter: it denies Landlock, and would hide what the
            # filters under test let through.
            env=dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1", SYSTEMD_SECCOMP="0"),
            stdin=subprocess.DEVNULL, stdout=self._console, stderr=subprocess.STDOUT,
            preexec_fn=child, start_new_session=True)
        self.pid = wait_until(self._find_init, 20, "PID 1 of the guest")
        wait_until(self._is_up, 60, "systemd in the guest is running")
        self.run("ip", "link", "set", "lo", "up")

    def _find_init(self):
        if self._nspawn.poll() is not None:
            raise GuestError("systemd-nspawn ended:\n" + self.console())
        children = pathlib.Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")
        for pid in children.read_text().split():
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                    return int(pid)
        return None

    def _is_up(self):
        if self._nspawn.poll() is not None:
            raise GuestError("systemd-nspawn ended:\n" + self.console())
        done = self.run("systemctl", "is-system-running", check=False)
        return done.stdout.strip() in ("running", "degraded")

    def _remove_cgroup(self):
        if not self._cgroup:
            return
        for folder, _, _ in os.walk(self._cgroup, topdown=False):
            for _ in range(50):
                try:
                    os.rmdir(folder)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.02)
        self._cgroup = None

    # ---- files ----

    def path(self, inside):
        """The path on the machine of a path of the guest."""
        if self.pid:
            return pathlib.Path(f"/proc/{self.pid}/root{inside}")
        return pathlib.Path(f"{self._base}/root{inside}")

    def write(self, inside, text, mode=0o644):
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, str):
            text = text.encode()
        path.write_bytes(text)
        path.chmod(mode)

    def read(self, inside):
        return self.path(inside).read_text()

    # ---- commands ----

    def run(self, *command, check=True, timeout=60, text=True, **options):
        """Runs a command in the guest; returns a CompletedProcess with stdout and stderr."""
        options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
        if options["stdin"] is None:
            del options["stdin"]
        # A session of its own: what signals its process group shall not reach the tests.
        done = subprocess.run(self.command(*command), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=text, timeout=timeout * PATIENCE, start_new_session=True, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def popen(self, *command, **options):
        return subprocess.Popen(self.command(*command), **options)

    def command(self, *command):
        return ["nsenter", "-t", str(self.pid), "-a", "-r", "-w", "--", *map(str, command)]

    def systemctl(self, *words, **options):
        if words[0] == "reload":
            # A service that answers may not have been seen as started yet, and a reload then is part of
            # its start: nothing is reloaded.
            for unit in (word for word in words[1:] if not word.startswith("-")):
                wait_until(lambda u=unit: self.properties(u, "ActiveState")["ActiveState"] != "activating",
                           30, f"{unit} has started")
        return self.run("systemctl", *words, **options)

    def properties(self, unit, *names):
        """Properties of a unit as a dict of texts."""
        out = self.systemctl("show", unit, *(f"--property={n}" for n in names)).stdout
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    @contextlib.contextmanager
    def network(self):
        """Sockets that this thread makes inside the block belong to the guest's network."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            guests = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
            try:
                if _libc.setns(guests, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(guests)
            try:
                yield
            finally:
                if _libc.setns(own, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns back")
        finally:
            os.close(own)

    # ---- journal ----

    def journal(self, *match, since=None, **fields):
        """Records as dicts, oldest first; match and fields are FIELD=value, since a time.time()."""
        self.run("journalctl", "--sync")
        command = ["journalctl", "--no-pager", "--all", "--quiet", "-o", "json",
                   *match, *(f"{k}={v}" for k, v in fields.items())]
        if since:  # not --after-cursor=, which in version 252 leaves out the first match after it
            command.append(f"--since=@{since:.6f}")
        return [json.loads(line) for line in self.run(*command).stdout.splitlines()]

    def log_tail(self, n=60, since=None):
        """The end of the journal as text, for the report of a failure."""
        with contextlib.suppress(Exception):
            self.run("journalctl", "--sync", timeout=10)
            after = [f"--since=@{since:.6f}"] if since else []
            # Not journalctl's -n: with --since it gives the first lines.
            out = self.run("journalctl", "--no-pager", "-q", "-o", "short-precise",
                           "--no-hostname", *after, timeout=20).stdout
            return "".join(line[:300] + "\n" for line in out.splitlines()[-n:])
        return "(the journal cannot be read)\n" + self.console()

    def console(self):
        if not self._console:
            return ""
        self._console.seek(0)
        return self._console.read().decode(errors="replace")

    # ---- processes ----

    def processes(self, unit):
        """Pids, as the machine sees them, in the cgroup of a unit."""
        group = self.properties(unit, "ControlGroup")["ControlGroup"]
        if not group:
            return []
        path = self.path("/sys/fs/cgroup" + group)
        pids = []
        for folder, _, _ in os.walk(path):
            with contextlib.suppress(OSError):
                pids += [int(p) for p in self._procs(f"{folder}/cgroup.procs")]
        return pids

    def _procs(self, path):
        # cgroup.procs shows pids of the reader's pid namespace; we are outside: our own numbers.
        with open(path) as lines:
            return lines.read().split()

    @staticmethod
    def _check(*command, **options):
        done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
        if done.returncode != 0:
            raise GuestError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}")


# Each pool NAME of the tests answers on /NAME/…, the pool www on everything else. The folder of
# scripts is the same for all; php-fpm, where a test starts it, answers on /php-fpm/….
NGINX_CONF = """
user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log stderr notice;
events { worker_connections 512; }
http {
    access_log off;
    include /etc/nginx/mime.types;
    client_max_body_size 2g;
    fastcgi_buffering on;
    fastcgi_read_timeout 60s;
    fastcgi_max_temp_file_size 0;
    fastcgi_param QUERY_STRING       $query_string;
    fastcgi_param REQUEST_METHOD     $request_method;
    fastcgi_param CONTENT_TYPE       $content_type;
    fastcgi_param CONTENT_LENGTH     $content_length;
    fastcgi_param SCRIPT_FILENAME    $document_root$fastcgi_script_name;
    fastcgi_param SCRIPT_NAME        $fastcgi_script_name;
    fastcgi_param PATH_INFO          $fastcgi_path_info;
    fastcgi_param REQUEST_URI        $request_uri;
    fastcgi_param DOCUMENT_URI       $document_uri;
    fastcgi_param DOCUMENT_ROOT      $document_root;
    fastcgi_param SERVER_PROTOCOL    $server_protocol;
    fastcgi_param REQUEST_SCHEME     $scheme;
    fastcgi_param GATEWAY_INTERFACE  CGI/1.1;
    fastcgi_param SERVER_SOFTWARE    nginx/$nginx_version;
    fastcgi_param REMOTE_ADDR        $remote_addr;
    fastcgi_param REMOTE_PORT        $remote_port;
    fastcgi_param SERVER_ADDR        $server_addr;
    fastcgi_param SERVER_PORT        $server_port;
    fastcgi_param SERVER_NAME        $server_name;
    fastcgi_param REDIRECT_STATUS    200;

    server {
        listen 127.0.0.1:80 default_server;
        server_name www.example;
        root /srv/www;
        index index.php;
        location ~ ^(.+\\.php)(/.*)?$ {
            fastcgi_split_path_info ^(.+\\.php)(/.*)?$;
            fastcgi_pass unix:/run/fpmd/www.sock;
        }
    }
    # The same scripts by php-fpm, for comparison.
    server {
        listen 127.0.0.1:81;
        server_name www.example;
        root /srv/www;
        index index.php;
        location ~ ^(.+\\.php)(/.*)?$ {
            fastcgi_split_path_info ^(.+\\.php)(/.*)?$;
            fastcgi_pass unix:/run/php/php8.2-fpm.sock;
        }
    }
    # Unbuffered in both directions.
    server {
        listen 127.0.0.1:82;
        server_name www.example;
        root /srv/www;
        location ~ ^(.+\\.php)(/.*)?$ {
            fastcgi_split_path_info ^(.+\\.php)(/.*)?$;
            fastcgi_pass unix:/run/fpmd/www.sock;
            fastcgi_buffering off;
            fastcgi_request_buffering off;
        }
    }
    include /etc/nginx/tests.d/*.conf;
}
"""
