"""A virtual machine with Debian's own kernel, over the files of this machine, for tests/ondemand/vm.py.

The guests of tests/system are containers, and so have the kernel of the machine that the tests run on.
This one is for what that kernel does not have or does differently: it boots the kernel of
linux-image-cloud-amd64, its disk is a read-only view of / by virtiofs with a tmpfs over it. Nothing is
installed but qemu: kernel and busybox, which makes the first file system, are unpacked beside the builds.

Where the processor lends itself (KVM) the machine is about as fast as the one below; else qemu
translates, which is 10 to 20 times slower: the tests inside wait longer then (FPMD_TEST_PATIENCE).
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
import time

from guest import BUILD_BASE, REPOSITORY, die_with_parent

PACKAGES = ["qemu-system-x86"]  # its virtiofsd is in qemu-system-common, which it depends on
UNPACKED = BUILD_BASE / "vm"
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
TRANSLATED_PATIENCE = 8

MEMORY_MB = 4096
SILENCE = 1800  # seconds without a line until the machine is taken for dead

# Of the kernel, before its own modules can be reached; with what they need.
MODULES = ["virtio_pci", "virtiofs", "overlay"]

# The first process. What it starts sees a machine as the one below: a cgroup2 hierarchy with every
# controller, no systemd. The second serial line is the program's output, the first the kernel's log.
INIT = """#!/bin/sh
export PATH=/bin
set -e
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
exec </dev/null >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 raw -echo
mount -t proc proc /proc
for name in {modules}; do insmod /modules/$name; done
mount -t virtiofs machine /lower
mount -t tmpfs -o size=75% tmpfs /over
mkdir /over/upper /over/work
mount -t overlay machine -o lowerdir=/lower,upperdir=/over/upper,workdir=/over/work /root
mount --move /proc /root/proc
mount --move /dev /root/dev
mount -t sysfs sysfs /root/sys
mount -t securityfs securityfs /root/sys/kernel/security
mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
for name in $(cat /root/sys/fs/cgroup/cgroup.controllers); do
    echo +$name >/root/sys/fs/cgroup/cgroup.subtree_control
done
mkdir -p /root/dev/pts /root/dev/shm /root/lib/modules
mount -t devpts devpts /root/dev/pts
mount -t tmpfs tmpfs /root/dev/shm
mount -t tmpfs -o mode=755 tmpfs /root/run
hostname vm
ip link set lo up
ln -s {kernel}/lib/modules/* /root/lib/modules/
cp /inside /root/run/inside
exec switch_root /root /bin/sh /run/inside
"""

INSIDE = """cd {repository}
export {environment}
{command}
echo "exit status $?"
sync
echo o >/proc/sysrq-trigger
while :; do sleep 10; done
"""


class MachineError(Exception):
    pass


def _check(*command, **options):
    done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise MachineError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


# ---- what it is made of ----

def install():
    """qemu, and the newest kernel there is, unpacked."""
    if not shutil.which("qemu-system-x86_64") or not os.path.exists(VIRTIOFSD):
        _check("apt-get", "update", "-q")
        _check("apt-get", "install", "-q", "-y", "--no-install-recommends", *PACKAGES,
               env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))
    depends = _check("apt-cache", "depends", "linux-image-cloud-amd64")
    kernel = re.search(r"Depends: (linux-image-\S+)", depends).group(1)
    for package in (kernel, "busybox-static"):
        _unpack(package)
    return UNPACKED / kernel


def _unpack(package):
    folder = UNPACKED / package
    if folder.exists():
        return
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=UNPACKED) as there:
        _check("apt-get", "download", "-o", "APT::Sandbox::User=root", package, cwd=there)
        archive, = pathlib.Path(there).glob("*.deb")
        _check("dpkg-deb", "-x", archive, f"{there}/files")
        os.rename(f"{there}/files", folder)


def _modules(kernel):
    """Paths of MODULES and of what they need, in an order in which they can be loaded."""
    paths = {path.stem: path for path in (kernel / "lib/modules").rglob("*.ko")}
    ordered = []

    def add(name):
        path = paths.get(name) or paths[name.replace("_", "-")]
        needed = re.search(rb"\0depends=([\w,-]*)\0", path.read_bytes()).group(1).decode()
        for other in filter(None, needed.split(",")):
            add(other)
        if path not in ordered:
            ordered.append(path)

    for name in MODULES:
        add(name)
    return ordered


def _initramfs(kernel, inside, made):
    """The first file system, as an archive."""
    busybox = UNPACKED / "busybox-static/bin/busybox"
    with tempfile.TemporaryDirectory() as there:
        root = pathlib.Path(there)
        for name in ("bin", "modules", "dev", "proc", "lower", "over", "root"):
            (root / name).mkdir()
        shutil.copy(busybox, root / "bin/busybox")
        (root / "bin/sh").symlink_to("busybox")
        modules = _modules(kernel)
        for path in modules:
            shutil.copy(path, root / "modules")
        (root / "init").write_text(INIT.format(modules=" ".join(p.name for p in modules), kernel=kernel))
        (root / "init").chmod(0o755)
        (root / "inside").write_text(inside)
        with open(made, "wb") as archive:
            subprocess.run([busybox, "cpio", "-o", "-H", "newc"], cwd=root, check=True,
                           input="".join(f"{p.relative_to(root)}\n" for p in sorted(root.rglob("*"))).encode(),
                           stdout=archive, stderr=subprocess.DEVNULL)


def can_use_kvm():
    """A /dev/kvm alone may be one that only kernels made for it can use."""
    return os.access("/dev/kvm", os.R_OK | os.W_OK) and \
        bool(re.search(r"^flags\s*:.* (vmx|svm) ", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE))


# ---- the machine ----

class Machine:
    """with Machine(command, …) as vm: for line in vm.lines(): … The caller has a mount namespace of its own."""

    def __init__(self, command, **environment):
        self._kernel = install()
        self._fast = can_use_kvm()
        environment["FPMD_BUILD_BASE"] = str(BUILD_BASE)
        environment.setdefault("FPMD_TEST_PATIENCE", "1" if self._fast else str(TRANSLATED_PATIENCE))
        for name in ("PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "CI", "PATH"):
            if name in os.environ:
                environment.setdefault(name, os.environ[name])
        self._inside = INSIDE.format(
            repository=shlex.quote(str(REPOSITORY)), command=command,
            environment=" ".join(f"{k}={shlex.quote(v)}" for k, v in environment.items()))
        self._daemon = self._machine = None
        self._folder = None

    def __enter__(self):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="fpmd-vm."))
        try:
            self._share()
            _initramfs(self._kernel, self._inside, self._folder / "initramfs")
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        for process in (self._machine, self._daemon):
            if process and process.poll() is None:
                process.kill()
            if process:
                process.wait()
        subprocess.run(["umount", "-R", "-l", self._folder / "machine"], stderr=subprocess.DEVNULL)
        shutil.rmtree(self._folder)

    def _share(self):
        """The files of /, and of the tree and the builds where these are mounts of their own."""
        root = self._folder / "machine"
        root.mkdir()
        _check("mount", "--bind", "/", root)
        for path in (REPOSITORY, BUILD_BASE):
            if path.stat().st_dev != os.stat("/").st_dev:
                target = pathlib.Path(f"{root}{path}")
                target.mkdir(parents=True, exist_ok=True)
                _check("mount", "--bind", path, target)
        _check("mount", "-o", "remount,bind,ro", root)
        address = self._folder / "fs.sock"
        self._daemon = subprocess.Popen(
            [VIRTIOFSD, f"--socket-path={address}", "-o", f"source={root}", "-o", "cache=always",
             "-o", "xattr", "-o", "announce_submounts"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self._folder / "virtiofsd.log", "wb"), preexec_fn=die_with_parent)
        end = time.monotonic() + 20
        while not address.exists():
            if self._daemon.poll() is not None or time.monotonic() > end:
                raise MachineError("virtiofsd: " + (self._folder / "virtiofsd.log").read_text())
            time.sleep(0.05)

    def _start(self):
        version = next((self._kernel / "boot").glob("vmlinuz-*"))
        self._machine = subprocess.Popen(
            ["nice", "-n", "10", "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-nographic",
             "-no-reboot", "-machine", "q35,memory-backend=memory", "-smp", "2", "-m", str(MEMORY_MB),
             "-object", f"memory-backend-memfd,id=memory,size={MEMORY_MB}M,share=on",
             *(["-accel", "kvm", "-cpu", "host"] if self._fast
               else ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off"]),
             "-kernel", version, "-initrd", self._folder / "initramfs",
             "-append", "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable",
             "-serial", f"file:{self._folder}/console", "-serial", "stdio",
             "-chardev", f"socket,id=files,path={self._folder}/fs.sock",
             "-device", "vhost-user-fs-pci,chardev=files,tag=machine"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent)

    def _watch(self):
        watch = threading.Timer(SILENCE, self._machine.kill)
        watch.daemon = True
        watch.start()
        return watch

    def lines(self):
        """What the command prints, as it comes; raises when the machine ends without its end."""
        status = None
        watch = self._watch()
        for line in self._machine.stdout:
            watch.cancel()
            watch = self._watch()
            line = line.decode(errors="replace").rstrip("\r\n")
            ended = re.fullmatch(r"exit status (\d+)", line)
            if ended:
                status = int(ended.group(1))
                break
            yield line
        watch.cancel()
        if status is None:
            console = (self._folder / "console").read_text(errors="replace")
            raise MachineError("the machine has ended before its command:\n" + console[-4000:])
