"""Every attempt of the suite, sorted beforehand: what may come of it, and why.

An attempt either fails, each of its steps with one of the errors that are named, or parts of it go through
and are contained in the generation: the pool serves its next request, other pools too, the manager is the
same process and its status makes sense. SIGSYS stands for a call for which the filter ends the worker; the
code of the attempts dodges that death, and is denied the call all the same.
"""

import dataclasses

from suite import kernel_version


@dataclasses.dataclass(frozen=True)
class Attempt:
    name: str           # as attempts/*.php have it
    group: str
    what: str
    errors: frozenset   # of an attempt that fails; empty: it is contained
    php_fpm: str        # what comes of it in php-fpm: fails, succeeds, contained, breaks; "": no such thing
    why: str
    pool: str = "victim"
    meanwhile: str = ""  # what is done while it runs: look, reload

    @property
    def beside(self):
        return self.php_fpm != ""

    def judge(self, side, outcome):
        """What is wrong with an outcome, as lines."""
        if outcome is None:
            return []
        if side == "php-fpm":
            came = self.verdict(outcome)
            return [] if came == self.php_fpm else [f"{came}, the table says {self.php_fpm}"]
        wrong = list(outcome.damage)
        if not outcome.answered and not outcome.steps and self.errors:
            wrong.append("nothing is known of it")
        if self.errors:
            may_fail = self.errors
            if kernel_version() >= SINCE.get(self.name, (0, 0)):
                wrong += [f"went through: {what}" for what in outcome.went_through]
            else:
                may_fail |= {"ESRCH"}  # the victim has died of the step before
                if not outcome.went_through:
                    wrong.append("fails, though this kernel lacks what denies it: see SINCE")
            wrong += [f"{what}: {error}" for what, error in outcome.steps
                      if error != "ok" and error.replace(" ", "-") not in may_fail]
        return wrong

    def verdict(self, outcome):
        if outcome.damage:
            return "breaks"
        if not self.errors:
            return "contained"
        return "succeeds" if outcome.went_through else "fails"


ATTEMPTS = []

# What goes through in fpmd too where the kernel is older than this: Landlock's scopes and ports,
# SO_PASSRIGHTS.
SINCE = {f"{who}-signals": (6, 12) for who in ("sibling", "neighbour", "porter", "bystander")}
SINCE |= {"abstract-sockets": (6, 12), "datagram-abstract": (6, 12), "tcp": (6, 7), "tcp-round": (6, 7),
          "link-descriptors": (6, 16)}


def group(title, *rows, **common):
    for name, what, errors, php_fpm, why, *more in rows:
        given = dict(common, **(more[0] if more else {}))
        ATTEMPTS.append(Attempt(name, title, what, frozenset(errors.split()), php_fpm, why, **given))


HIDDEN = "ENOENT EACCES"          # ProtectProc=invisible, or Landlock
FILTERED = "EPERM SIGSYS"         # by the filter of system calls
CONTAINED = ""

# ---- processes: the same eleven ways to each of them ----

WAYS = {
    "memory": ("read and write memory by /proc/PID/mem", HIDDEN),
    "look": ("read /proc/PID: maps, environ, cwd, root, descriptors, namespaces", HIDDEN),
    "write": ("write to /proc/PID: oom_score_adj, coredump_filter, clear_refs, comm", HIDDEN),
    "vm": ("process_vm_readv, process_vm_writev", "EPERM"),
    "ptrace": ("ptrace: attach and seize", "SIGSYS"),
    "descriptors": ("take descriptors: /proc/PID/fd, pidfd_getfd", "ENOENT EPERM SIGSYS"),
    "signals": ("SIGKILL by kill, tkill, tgkill, rt_sigqueueinfo, pidfd_send_signal", "ENOENT EPERM"),
    "async": ("SIGKILL by F_SETOWN, F_SETSIG, FIOSETOWN", "no-signal"),
    "pace": ("setpriority, schedulers, CPU affinity, ioprio_set", "EPERM"),
    "limits": ("prlimit64: set and read limits", "EPERM"),
    "insides": ("kcmp, process_madvise, move_pages, perf, robust list, timers, setpgid",
                "EINVAL EPERM ESRCH SIGSYS"),
}
PHP_FPM_OTHERS = {"signals": "succeeds", "async": "succeeds", "pace": "succeeds", "limits": "succeeds"}
WHOM = {
    "manager": ("The manager", {}, "another user, hidden by ProtectProc=invisible"),
    "own-manager": ("The manager, when it has the pool's user by User=", None,
                    "outside of the worker's Landlock layer; filter"),
    "template": ("The template", None, "outside of the worker's Landlock layer; filter"),
    "sibling": ("A worker of the same pool", PHP_FPM_OTHERS, "a Landlock layer of its own each; filter"),
    "neighbour": ("A worker of another pool of the same user", PHP_FPM_OTHERS,
                  "a Landlock layer of its own each; filter"),
    "porter": ("The porter", None, "outside of the worker's Landlock layer; filter"),
    "bystander": ("A process of another service of the same user", dict.fromkeys(WAYS, "succeeds"),
                  "outside of the worker's Landlock layer; filter"),
}
for who, (title, beside, why) in WHOM.items():
    group(title, *((f"{who}-{way}", what, errors, "" if beside is None else beside.get(way, "fails"), why)
                   for way, (what, errors) in WAYS.items()), pool="own" if who == "own-manager" else "victim")

group("The manager's and systemd's doors",
      ("kill-all", "kill everybody, the own process group, groups of others", "EPERM", "succeeds", "filter"),
      ("cgroup", "move between cgroups, freeze, kill, make groups", "EACCES EROFS ENOENT", "fails",
       "the folders are not the pool's user's; ProtectControlGroups="),
      ("control-socket", "connect to control sockets of this pool and of another", "EACCES ENOENT", "fails",
       "the folder is the manager's"),
      ("control-folder", "write into, replace and unlink the folder of the control socket",
       "EACCES ENOENT EROFS EXDEV", "fails", "the folder is root's"),
      ("control-program", "fpmctl reload, drain, stop", "refused", "fails", "the control socket asks who it is"),
      ("own-control-program", "the same, where the manager has the pool's user by User=", "refused", "",
       "a peer in a worker's cgroup is refused whatever its uid", {"pool": "own"}),
      ("notify", "forge READY, MAINPID, STOPPING, WATCHDOG, FDSTORE for systemd", CONTAINED, "contained",
       "NotifyAccess=main: the kernel tells PID 1 the sender"),
      ("systemd-private", "connect to the private sockets of systemd, journald, udevd",
       "EACCES ENOENT ECONNREFUSED", "fails", "only root may"),
      ("system-bus", "systemctl stop, kill, poweroff, start; systemd-run; loginctl; daemon-reload", "refused",
       "fails", "polkit: not for this user"),
      ("journal-forge", "a record of the manager in the journal: POOL, MESSAGE_ID, _UID, _EXE, credentials",
       CONTAINED, "contained", "_UID, _PID and _EXE are the kernel's, fpmctl log goes by them"),
      ("journal-stream", "a log stream in the manager's name; syslog in its name", CONTAINED, "contained",
       "the same"),
      ("journal-odd", "broken, huge and empty records, files, 500 records", CONTAINED, "contained",
       "journald copes; the manager does not read it"),
      ("journal-read", "read the journal", "EACCES ENOENT", "fails", "not in its groups"))

group("Links between the processes",
      ("link-foreign", "speak for another worker, with false credentials", "EPERM", "",
       "a link for each worker; the kernel checks pids"),
      ("link-garbage", "false sizes, types and versions", CONTAINED, "",
       "counted as absurd; a worker with 16 of them is ended"),
      ("link-too-long", "a message of 16 MB", CONTAINED, "", "the kernel or the manager refuses it"),
      ("link-flood", "5,000 questions at once", CONTAINED, "", "a bounded number is answered"),
      ("link-flood-renew", "2,000 times: another generation, please", CONTAINED, "",
       "one in ten seconds, and absurd messages end the worker"),
      ("link-unread", "questions whose answers are not read", CONTAINED, "", "one answer lies there at most"),
      ("link-twice", "HELLO, READY, LEAVING once more", CONTAINED, "", "the state of the worker decides"),
      ("link-as-template", "messages of the template, the manager and the porter", CONTAINED, "",
       "absurd on a life line"),
      ("link-descriptors", "300 descriptors for the manager", "EPERM ETOOMANYREFS EINVAL", "",
       "SO_PASSRIGHTS is off (Linux 6.16); received ones are closed"),
      ("link-linger", "a socket that lingers for an hour when it is closed", CONTAINED, "",
       "refused, or lingering is switched off first"),
      ("link-shutdown", "shut the life line down", CONTAINED, "", "the manager ends that worker"),
      ("link-close", "close the life line and stay", CONTAINED, "", "the manager ends that worker"),
      ("link-deaf", "block all signals and never look at the life line, while the pool reloads", CONTAINED, "",
       "the next generation does not wait for it", {"meanwhile": "reload"}))

group("Scoreboard",
      *((f"board-{name}", f"fill the slot with {what}", CONTAINED, "breaks" if name == "ones" else "",
         "copied, bounded and checked; one page for each worker")
        for name, what in {"nan": "NaN", "huge": "2^63 - 1", "negative": "-5", "ones": "0xff", "zero": "0",
                           "text": "control characters and broken UTF-8"}.items()),
      ("board-lies", "a slot that looks right, with absurd figures and texts", CONTAINED, "", "the same"),
      ("board-odd", "a slot that is always in the midst of a change", CONTAINED, "", "read without waiting"),
      ("trace-lies", "a false call stack, and a crash", CONTAINED, "", "text, with odd bytes replaced"),
      meanwhile="look")
group("Scoreboard",
      ("board-neighbours", "grow the mapping over the slots of others", "EFAULT EPERM", "",
       "a memory for each slot, of sealed size"),
      ("board-reopen", "open the slot again", "EPERM ENOENT EACCES", "", "needs a capability; no descriptor is left"),
      ("board-resize", "cut the slot", CONTAINED, "", "sealed; only the own mapping goes"),
      ("snapshot", "write to the status that the manager has sent", "EPERM EACCES EBADF EINVAL ENOENT", "",
       "sealed"))

HEARD = {"pool": "heard"}
group("The listening socket",
      ("listener-shutdown", "shut it down for everybody", "no-effect", "breaks", "filter: only the writing half"),
      ("listener-close", "close it and go on waiting for it", CONTAINED, "contained", "the others have it",
       {"meanwhile": "look"}),
      ("listener-swallow", "take all connections and never answer", CONTAINED, "contained",
       "ends with the worker, request_terminate_timeout or a reload"),
      ("listener-blocking", "make it block", CONTAINED, "contained", "nobody accepts what is not there"),
      ("listener-signals", "have SIGKILL sent to others by it", "no-signal", "succeeds", "Landlock scope; filter"),
      ("listener-async", "make it send signals", CONTAINED, "contained", "it has no owner"),
      ("listener-options", "buffers, credentials, security labels, busy polling", CONTAINED, "contained",
       "without effect on who comes after"),
      ("listener-filter", "a packet filter that drops everything, locked", "EPERM", "succeeds", "filter"),
      ("listener-epoll", "wait for every connection in 50 epolls", CONTAINED, "contained", "ends with the worker"),
      ("listener-backlog", "a queue of length 0", CONTAINED, "contained", "full earlier, and served all the same"),
      ("listener-path", "unlink, rename over, bind and chmod its path", "EACCES ENOENT EXDEV EROFS EADDRINUSE",
       "breaks", "the folder is root's and hidden"),
      pool="heard")

group("Sockets of others",
      ("own-socket", "connect to the own pool's socket", CONTAINED, "contained", "the same pool"),
      ("other-socket", "connect to another pool's socket, and run scripts as its user", "EACCES ENOENT",
       "succeeds", "TemporaryFileSystem="),
      ("other-manager-socket", "connect to sockets of php-fpm; of fpmd from there", "EACCES ENOENT", "succeeds",
       "TemporaryFileSystem="),
      ("status-socket", "connect to another pool's status socket", "EACCES ENOENT", "succeeds", "TemporaryFileSystem="),
      ("abstract-sockets", "connect to an abstract socket of root", "EPERM", "succeeds",
       "Landlock scope (ABI 6), sandbox.abstract_sockets = no"),
      ("datagram-abstract", "send to an abstract socket of root", "EPERM", "succeeds", "the same"))
LOCKED = {"pool": "locked"}
group("Sockets of others",
      ("tcp", "connect to TCP ports (sandbox.tcp_connect = none)", "EACCES", "succeeds", "Landlock (ABI 4)"),
      ("tcp-round", "the same by MPTCP, SCTP, MSG_FASTOPEN, TCP_FASTOPEN_CONNECT, IPv6",
       "EACCES EPERM EPROTONOSUPPORT EISCONN ENOTCONN EPIPE", "succeeds", "Landlock; filter"), **LOCKED)

group("The porter's sockets",
      ("porter-garbage", "garbage in both", CONTAINED, "", "dropped"),
      ("porter-forge", "descriptors that are no connections: datagrams, files, epolls, listeners, links",
       CONTAINED, "", "closed"),
      ("porter-fill", "3,000 connections at once", CONTAINED, "", "the queue is bounded, and emptied"),
      ("porter-fill-handover", "3,000 messages at once", CONTAINED, "", "the same"),
      ("porter-steal", "take connections that were meant for siblings", CONTAINED, "",
       "those connections are lost, nothing else; ends with the worker"),
      ("porter-close", "shut both down", CONTAINED, "", "the manager makes new ones"))

group("Files",
      ("chroot", "chroot, pivot_root", FILTERED, "fails", "no capability; filter"),
      ("jail-escape", "leave a chroot: chroot once more, .., open folders, /proc, mounts, namespaces, devices",
       "ENOENT EPERM EACCES SIGSYS EBADF ENOTDIR", "fails", "no folder is open, no capability, filter",
       {"pool": "jailed"}),
      *((name, what, errors, php_fpm, why, LOCKED) for name, what, errors, php_fpm, why in (
          ("landlock-read", "read outside of sandbox.read", "EACCES ENOENT", "succeeds", "Landlock"),
          ("landlock-write", "write outside of sandbox.write", "EACCES ENOENT EROFS EPERM", "succeeds",
           "Landlock; before Linux 6.2 the filter for truncate"),
          ("landlock-symlink", "by symbolic links", "EACCES ENOENT", "succeeds", "Landlock asks for the target"),
          ("landlock-hard-link", "by hard links", "EACCES EXDEV ENOENT EPERM", "succeeds", "Landlock: no refer"),
          ("landlock-rename", "by rename and exchange", "EACCES EXDEV ENOENT EPERM", "succeeds", "Landlock: no refer"),
          ("landlock-proc", "by O_PATH and /proc/self/fd, /proc/PID/root, openat2, execveat",
           "EACCES ENOENT EBADF ENOSYS EPERM ELOOP", "succeeds", "Landlock asks again at each open"),
          ("landlock-mount", "by bind mounts and mounts over it", "SIGSYS", "fails", "no capability; filter"),
          ("landlock-relax", "by another layer that allows everything", "EACCES ENOENT", "succeeds",
           "layers only take away"),
          ("landlock-exec", "execute programs outside of sandbox.exec_paths, ld.so among them", "EACCES EPERM",
           "succeeds", "Landlock"),
      )),
      ("memfd-exec", "execute a program in memory", CONTAINED, "contained",
       "Landlock has no say; it has the worker's sandbox. sandbox.exec = no denies it", LOCKED),
      ("setuid-program", "become root by a setuid program, a group by a setgid one", "no-privilege", "succeeds",
       "NoNewPrivileges="),
      ("make-setuid", "make a setuid program for others", "EPERM", "succeeds", "RestrictSUIDSGID="),
      ("devices", "make and open devices: disks, memory, tun, fuse, kvm", "EPERM ENOENT EACCES SIGSYS ENXIO", "fails",
       "PrivateDevices=; no capability"),
      ("kernel-files", "core_pattern, modprobe, sysrq, sysctls, /sys, kcore", "EACCES EROFS ENOENT EPERM", "fails",
       "only root may"),
      ("unit-files", "unit files, drop-ins, udev rules", "EACCES EROFS ENOENT", "fails", "ProtectSystem=strict"),
      ("pool-files", "pool files, php.ini, the programs", "EACCES EROFS ENOENT", "fails", "ProtectSystem=strict"),
      ("system-files", "passwd, shadow, ld.so.preload, crontab, /bin/sh", "EACCES EROFS ENOENT", "fails",
       "ProtectSystem=strict"),
      ("runtime-folders", "files in the folders of the sockets", "EACCES EROFS ENOENT", "succeeds",
       "TemporaryFileSystem="),
      ("sessions", "list and read sessions of another pool's user", "EACCES ENOENT", "fails", "another user"),
      ("homes", "read files in homes that others may read", "EACCES ENOENT", "succeeds", "ProtectHome="),
      ("tmp-of-others", "read files of others in /tmp and /var/tmp", "ENOENT", "succeeds", "PrivateTmp="),
      ("processes-of-others", "list processes of root and read their command lines", "ENOENT none", "succeeds",
       "ProtectProc=invisible"),
      ("root-of-others", "the root folders of PID 1 and the manager", "ENOENT EACCES", "fails",
       "ProtectProc=invisible"),
      ("own-memory", "write over the own read-only code", CONTAINED, "contained", "its own memory only"),
      ("handles", "open files by handle", "EPERM SIGSYS ENOTSUP EOPNOTSUPP", "fails", "no capability; filter"),
      ("cron", "cron and at jobs", "EACCES ENOENT EROFS refused", "fails", "no setgid program works"))

group("The kernel",
      ("mount", "mount, old and new calls", "SIGSYS", "fails", "filter"),
      ("namespaces", "unshare each namespace", "EPERM", "succeeds", "filter; RestrictNamespaces="),
      ("clone-namespaces", "clone and clone3 with new namespaces", "ENOSYS EPERM", "succeeds", "the same"),
      ("setns", "enter namespaces of others", "ENOENT EPERM", "fails", "filter"),
      ("bpf", "maps and programs of BPF", "SIGSYS", "fails", "filter"),
      ("perf", "perf_event_open", "SIGSYS", "fails", "filter"),
      ("userfaultfd", "userfaultfd", "SIGSYS", "succeeds", "filter"),
      ("io-uring", "io_uring", "ENOSYS", "succeeds", "filter"),
      ("keyrings", "keys of the kernel", "EPERM", "succeeds", "filter; KeyringMode=private"),
      ("raw-sockets", "raw and packet sockets", "EPERM EAFNOSUPPORT", "fails", "no capability; filter"),
      ("odd-sockets", "21 other families of sockets", "EPERM EAFNOSUPPORT", "fails", "RestrictAddressFamilies="),
      ("netlink", "netlink: diag, xfrm, audit, netfilter, uevents; add an address", "EPERM EPROTONOSUPPORT",
       "succeeds", "filter"),
      ("modules", "load and unload modules", "SIGSYS", "fails", "no capability; filter"),
      ("kexec", "start another kernel", "SIGSYS", "fails", "no capability; filter"),
      ("reboot", "reboot", "SIGSYS", "fails", "no capability; filter"),
      ("clocks", "set clocks", "EPERM", "fails", "no capability; filter"),
      ("swap", "swapon, swapoff", "SIGSYS", "fails", "no capability; filter"),
      ("machine", "host name, accounting, quota, ports, terminals, kernel log, LDT", "ENOSYS EPERM SIGSYS", "succeeds",
       "filter"),
      ("fanotify", "fanotify", "EPERM", "succeeds", "filter"),
      ("traceme", "be traced", "SIGSYS", "succeeds", "filter"),
      ("unknown-calls", "numbers that no list knows", "ENOSYS", "fails", "the list says what is allowed"),
      ("i386", "system calls of i386", CONTAINED, "contained", "the filter ends the worker"),
      ("x32", "system calls of x32", CONTAINED, "contained", "the filter ends the worker, or there are none"),
      ("own-filter", "a filter of the own that allows everything", FILTERED, "succeeds", "filters only take away"),
      ("personality", "switch off address randomisation; executable data; 32 bits", "EPERM", "succeeds",
       "filter; LockPersonality="),
      ("terminal", "type into a terminal", "EPERM ENOTTY", "fails", "filter; no terminal"))

group("Ids and capabilities",
      ("become-root", "setuid and its like to 0", "EPERM", "fails", "no capability"),
      ("groups", "other groups, none, root's", "EPERM", "fails", "no capability"),
      ("capabilities", "capset, ambient, bounding set, securebits", "EPERM", "fails", "all sets are empty"),
      ("new-privileges", "take no_new_privs and the filter back", "EINVAL EPERM on", "succeeds", "the kernel has no way"),
      ("map-files", "PR_SET_MM: the own program and code", "EPERM EINVAL", "fails", "no capability"))

group("Using things up",
      ("exhaust-fds", "open files until none is left", CONTAINED, "contained", "rlimit_files"),
      ("exhaust-processes", "64 processes", CONTAINED, "contained", "TasksMax=, pm.worker_tasks_max"),
      ("fork-bomb", "processes that make processes", CONTAINED, "contained", "the same; ended with the pool"),
      ("exhaust-memory", "64 MB", CONTAINED, "contained", "MemoryMax=, pm.worker_memory_max"),
      ("lock-memory", "lock memory", CONTAINED, "contained", "RLIMIT_MEMLOCK"),
      ("exhaust-disk", "64 MB in /tmp", CONTAINED, "contained", "a /tmp of its own; quota is the site's"),
      ("exhaust-watches", "instances of inotify", CONTAINED, "contained", "counted for the pool's user"),
      ("exhaust-signals", "fill the queue of signals", CONTAINED, "contained", "the manager goes on by kill(2)"),
      ("exhaust-timers", "20,000 timers", CONTAINED, "contained", "counted for the pool's user"),
      ("exhaust-flying", "descriptors on their way in sockets", CONTAINED, "contained", "counted for the pool's user"),
      ("exhaust-pipes", "400 pipes of a megabyte", CONTAINED, "contained", "pipe-user-pages"),
      ("burn-cpu", "two processors for a while", CONTAINED, "contained", "CPUQuota=, request_terminate_timeout"),
      ("shared-memory", "System V memory, queues and semaphores of root", "EINVAL", "fails",
       "an IPC namespace of the pool's own; under php-fpm another user"),
      ("file-locks", "locks and leases on pool files and programs", CONTAINED, "contained",
       "nobody waits for such a lock"),
      ("output-flood", "a megabyte on stderr at once", CONTAINED, "contained", "read in turns"),
      ("output-marks", "forged marks, priorities, control characters", CONTAINED, "contained",
       "the key of the marks is random; <0> counts as <2>"),
      ("output-long", "a line of two megabytes", CONTAINED, "contained", "cut"))

group("The generation's cache, and staying",
      ("opcache-poison", "rewrite a cached script", CONTAINED, "breaks",
       "a cache for each generation of each pool; sandbox.opcache = private: for each worker"),
      ("opcache-lock", "hold the lock of the cache", CONTAINED, "contained", "ends with the worker"),
      ("child-stays", "a child that lives on", CONTAINED, "contained", "ended with the pool"),
      ("daemon", "a daemon of two forks that blocks all signals", CONTAINED, "contained", "ended with the pool"))

group("With sandbox.seccomp = strict, sandbox.exec = no, sandbox.opcache = private",
      ("strict-exhaust-processes", "64 processes", "EPERM", "", "no fork"),
      ("strict-fork-bomb", "processes that make processes", "EPERM", "", "no fork"),
      ("strict-child-stays", "a child that lives on", "EPERM", "", "no fork"),
      ("strict-daemon", "a daemon of two forks", "EPERM", "", "no fork"),
      ("strict-landlock-exec", "execute programs", "EPERM", "", "no execve"),
      ("strict-memfd-exec", "execute a program in memory", "EPERM", "", "no execve"),
      ("strict-opcache-poison", "rewrite a cached script", CONTAINED, "", "only the own copy"), pool="strict")
