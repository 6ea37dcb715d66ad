#include "syscall/groups.h"

#include "base/distance.h"
#include "syscall/numbers.h"

#include <string.h>

#define STRICT  SYSCALL_PROFILE_STRICT
#define DEFAULT SYSCALL_PROFILE_DEFAULT
#define NEVER   _SYSCALL_PROFILE_MAX
#define VITAL   true
#define LIST(...)                                                                                  \
    .calls = (const char *const[]){__VA_ARGS__},                                                   \
    .n_calls = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)

/* clang-format off */
const SyscallGroup syscall_groups[] = {

    /* ---- what workers cannot serve without ---- */

    {"io", "reads and writes what is open; ioctl(2) does not type into terminals",
     STRICT, SYSCALL_EPERM, VITAL,
     LIST("close", "close_range", "dup", "dup2", "dup3", "fcntl", "ioctl", "lseek", "pipe", "pipe2",
          "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readv",
          "write", "writev")},
    {"file-read", "finds, opens and looks at files; the rights of the user, Landlock and the "
     "mounts of the unit say which",
     STRICT, SYSCALL_EPERM, VITAL,
     LIST("access", "chdir", "faccessat", "faccessat2", "fadvise64", "fchdir", "flock", "fstat",
          "fstatfs", "getcwd", "getdents", "getdents64", "lstat", "newfstatat", "open", "openat",
          "openat2", "readahead", "readlink", "readlinkat", "stat", "statfs", "statx", "umask")},
    {"memory", "takes, gives back and protects memory of its own",
     STRICT, SYSCALL_EPERM, VITAL,
     LIST("brk", "madvise", "mincore", "mmap", "mprotect", "mremap", "mseal", "munmap")},
    {"time", "reads clocks, waits, has itself woken: max_execution_time",
     STRICT, SYSCALL_EPERM, VITAL,
     LIST("alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday",
          "nanosleep", "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun",
          "timer_gettime", "timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime",
          "times")},
    {"events", "waits for descriptors",
     STRICT, SYSCALL_EPERM, VITAL,
     LIST("epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
          "eventfd", "eventfd2", "poll", "ppoll", "pselect6", "select")},
    {"signals", "handles signals, and sends them to single processes of the same user; not to the "
     "template, not to groups, not to all",
     STRICT, SYSCALL_EPERM, VITAL,
     LIST("kill", "pause", "restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
          "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack", "signalfd",
          "signalfd4", "tgkill", "tkill")},
    {"threads", "what libc needs for locks and threads; kernels that probe a process for its "
     "administrator make uprobe and uretprobe in its name",
     STRICT, SYSCALL_EPERM, VITAL,
     LIST("arch_prctl", "futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake",
          "get_robust_list", "getcpu", "map_shadow_stack", "membarrier", "riscv_flush_icache",
          "riscv_hwprobe", "rseq",
          "sched_getaffinity", "sched_yield", "set_robust_list", "set_tid_address", "uprobe",
          "uretprobe")},
    {"process", "asks about itself and the machine, waits for children, ends",
     STRICT, SYSCALL_EPERM, VITAL,
     LIST("capget", "exit", "exit_group", "get_mempolicy", "getegid", "geteuid", "getgid",
          "getgroups", "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getrandom",
          "getresgid", "getresuid", "getrlimit", "getrusage", "getsid", "gettid", "getuid", "ioprio_get", "prctl",
          "prlimit64", "sched_get_priority_max", "sched_get_priority_min", "sched_getattr",
          "sched_getparam", "sched_getscheduler", "sched_rr_get_interval", "setrlimit", "sysinfo",
          "uname", "wait4", "waitid")},
    {"network", "takes connections and talks over sockets that are there",
     STRICT, SYSCALL_EPERM, VITAL,
     LIST("accept", "accept4", "getpeername", "getsockname", "getsockopt", "recvfrom", "recvmmsg",
          "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "socketpair")},
    {"confinement", "programs that confine themselves further: the worker does when it starts",
     STRICT, SYSCALL_EPERM, VITAL,
     LIST("landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "seccomp")},

    /* ---- what scripts do ---- */

    {"file-write", "makes, changes and removes files; the rights of the user, Landlock and the "
     "mounts of the unit say which",
     STRICT, SYSCALL_EPERM, false,
     LIST("chmod", "creat", "fallocate", "fchmod", "fchmodat", "fchmodat2", "fdatasync", "fsync",
          "ftruncate", "futimesat", "link", "linkat", "mkdir", "mkdirat", "mknod", "mknodat",
          "msync", "rename", "renameat", "renameat2", "rmdir", "symlink", "symlinkat",
          "sync_file_range", "truncate", "unlink", "unlinkat", "utime", "utimensat", "utimes")},
    {"file-copy", "copies between descriptors inside the kernel: copy(), readfile(), cp(1)",
     STRICT, SYSCALL_ENOSYS, false,
     LIST("copy_file_range", "sendfile")},
    {"sockets", "makes sockets: unix, IPv4 and IPv6 with TCP, UDP and ICMP, and to ask the kernel "
     "for addresses and routes; no other family or protocol",
     STRICT, SYSCALL_EPERM, false,
     LIST("bind", "connect", "listen", "socket")},
    {"fork", "makes processes and threads, in the namespaces that it is in: exec(), proc_open(), "
     "threaded libraries; with sandbox.exec = no, clone(2) makes threads alone",
     STRICT, SYSCALL_EPERM, false,
     LIST("clone", "fork", "vfork")},
    {"exec", "starts programs: exec(), mail(), proc_open(); they inherit the filter",
     STRICT, SYSCALL_EPERM, false,
     LIST("execve", "execveat")},
    {"sessions", "leaves the session or process group, as programs do that go to the background",
     STRICT, SYSCALL_EPERM, false,
     LIST("setpgid", "setsid")},
    {"sysv-ipc", "shared memory, semaphores and queues of System V: the extensions sysvshm, "
     "sysvsem, sysvmsg and shmop",
     STRICT, SYSCALL_EPERM, false,
     LIST("msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop",
          "shmat", "shmctl", "shmdt", "shmget")},
    {"memory-lock", "keeps secrets out of the swap: sodium, gpg(1); RLIMIT_MEMLOCK bounds it",
     STRICT, SYSCALL_EPERM, false,
     LIST("mlock", "mlock2", "mlockall", "munlock", "munlockall")},
    {"memfd", "files that are only in memory: compilers at run time, graphics, code "
     "that no path shows",
     STRICT, SYSCALL_ENOSYS, false,
     LIST("memfd_create")},

    /* ---- what ordinary programs do besides ---- */

    {"splice", "moves pages between pipes and files, a place of many faults of the kernel",
     DEFAULT, SYSCALL_ENOSYS, false,
     LIST("splice", "tee", "vmsplice")},
    {"file-owner", "changes owner or group of own files to groups that the user is in: cp -p, tar",
     DEFAULT, SYSCALL_EPERM, false,
     LIST("chown", "fchown", "fchownat", "lchown")},
    {"xattr", "extended attributes and ACLs of files: cp -a, ls -l, rsync(1)",
     DEFAULT, SYSCALL_ENOSYS, false,
     LIST("fgetxattr", "file_getattr", "file_setattr", "flistxattr", "fremovexattr", "fsetxattr",
          "getxattr", "getxattrat", "lgetxattr", "listxattr", "listxattrat", "llistxattr",
          "lremovexattr", "lsetxattr", "removexattr", "removexattrat", "setxattr", "setxattrat")},
    {"file-watch", "waits for changes of files: tail -f, watchers of build tools",
     DEFAULT, SYSCALL_EPERM, false,
     LIST("inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch")},
    {"file-sync", "writes back whole file systems, for which everybody waits: sync(1)",
     NEVER, SYSCALL_EPERM, false,
     LIST("sync", "syncfs")},
    {"memory-keys", "protection keys of memory: V8 of node(1)",
     DEFAULT, SYSCALL_ENOSYS, false,
     LIST("pkey_alloc", "pkey_free", "pkey_mprotect")},
    {"ids", "changes between the ids that it has, and gives up privileges: sendmail(1), ssh(1), "
     "ping(8); there are no others to get",
     DEFAULT, SYSCALL_EPERM, false,
     LIST("capset", "setfsgid", "setfsuid", "setgid", "setgroups", "setregid", "setresgid",
          "setresuid", "setreuid", "setuid")},
    {"pidfd", "descriptors of processes and signals with a value: systemctl(1), node(1); not to "
     "the template",
     DEFAULT, SYSCALL_EPERM, false,
     LIST("pidfd_open", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo")},
    {"mqueue", "message queues of POSIX",
     DEFAULT, SYSCALL_EPERM, false,
     LIST("mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend",
          "mq_unlink")},
    {"aio", "input and output of old that goes on while the program does: databases",
     DEFAULT, SYSCALL_ENOSYS, false,
     LIST("io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit")},
    {"personality", "asks for the execution domain, changes nothing",
     DEFAULT, SYSCALL_EPERM, false,
     LIST("personality")},

    /* ---- what nobody needs, but innocent programs try ---- */

    {"clone3", "clone(2) with its flags behind a pointer, where no filter sees that it makes "
     "namespaces; libc falls back to clone",
     NEVER, SYSCALL_ENOSYS, false,
     LIST("clone3")},
    {"io-uring", "makes other system calls past every filter",
     NEVER, SYSCALL_ENOSYS, false,
     LIST("io_uring_enter", "io_uring_register", "io_uring_setup")},
    {"recent", "questions of newer libraries, which have an answer for kernels without them",
     NEVER, SYSCALL_ENOSYS, false,
     LIST("cachestat", "listmount", "listns", "lsm_get_self_attr", "lsm_list_modules",
          "lsm_set_self_attr", "statmount")},
    {"numa", "on which memory nodes pages lie; SystemCallFilter= of the unit refuses it too",
     NEVER, SYSCALL_ENOSYS, false,
     LIST("mbind", "set_mempolicy", "set_mempolicy_home_node")},
    {"scheduling", "priority and processors, where it is allowed only of itself: nice(1), "
     "ionice(1), taskset(1); SystemCallFilter= of the unit refuses it too",
     NEVER, SYSCALL_EPERM, false,
     LIST("ioprio_set", "sched_setaffinity", "sched_setattr", "sched_setparam",
          "sched_setscheduler", "setpriority")},
    {"namespaces", "new and other namespaces, behind which most of the attacks on the kernel "
     "begin; browsers and bwrap(1) try it",
     NEVER, SYSCALL_EPERM, false,
     LIST("setns", "unshare")},
    {"chroot", "another root directory",
     NEVER, SYSCALL_EPERM, false,
     LIST("chroot")},
    {"inspect", "memory and descriptors of other processes; the template reads the call stacks of "
     "slow workers with it, debuggers and crash handlers try it",
     NEVER, SYSCALL_EPERM, false,
     LIST("kcmp", "process_madvise", "process_mrelease", "process_vm_readv", "process_vm_writev")},
    {"page-move", "where the pages of other processes lie",
     NEVER, SYSCALL_EPERM, false,
     LIST("migrate_pages", "move_pages")},
    {"memory-secret", "memory that not even the kernel reads, nor who looks into an attack",
     NEVER, SYSCALL_EPERM, false,
     LIST("memfd_secret")},
    {"keyring", "keys that the kernel keeps; libraries of Kerberos try it",
     NEVER, SYSCALL_EPERM, false,
     LIST("add_key", "keyctl", "request_key")},
    {"clock", "sets the clocks of the machine",
     NEVER, SYSCALL_EPERM, false,
     LIST("adjtimex", "clock_adjtime", "clock_settime", "settimeofday")},
    {"machine", "names, kernel log, terminals and accounting of the machine: dmesg(1), hostname(1)",
     NEVER, SYSCALL_EPERM, false,
     LIST("acct", "setdomainname", "sethostname", "syslog", "vhangup")},
    {"quota", "limits of users on file systems",
     NEVER, SYSCALL_EPERM, false,
     LIST("quotactl", "quotactl_fd")},
    {"file-events", "permission events of whole file systems",
     NEVER, SYSCALL_EPERM, false,
     LIST("fanotify_init", "fanotify_mark")},
    {"file-handle", "the name of a file that survives its path",
     NEVER, SYSCALL_EPERM, false,
     LIST("name_to_handle_at")},
    {"cpu-emulation", "segments for code of 16 bits",
     NEVER, SYSCALL_EPERM, false,
     LIST("modify_ldt")},
    {"obsolete", "no longer in the kernel, or in no use",
     NEVER, SYSCALL_ENOSYS, false,
     LIST("_sysctl", "afs_syscall", "create_module", "epoll_ctl_old", "epoll_wait_old",
          "get_kernel_syms", "get_thread_area", "getpmsg", "lookup_dcookie", "nfsservctl",
          "putpmsg", "query_module", "remap_file_pages", "security", "set_thread_area", "sysfs",
          "tuxcall", "uselib", "ustat", "vserver")},

    /* ---- what only attacks and administrators do ---- */

    {"mount", "changes the tree of mounts",
     NEVER, SYSCALL_FATAL, false,
     LIST("fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount",
          "open_tree", "open_tree_attr", "pivot_root", "umount2")},
    {"debug", "takes over or looks into other processes",
     NEVER, SYSCALL_FATAL, false,
     LIST("perf_event_open", "pidfd_getfd", "ptrace")},
    {"bpf", "programs for the kernel",
     NEVER, SYSCALL_FATAL, false,
     LIST("bpf")},
    {"userfaultfd", "stops the kernel in the middle of a copy, which attacks on it build on",
     NEVER, SYSCALL_FATAL, false,
     LIST("userfaultfd")},
    {"file-open-handle", "opens files past their paths, out of every root",
     NEVER, SYSCALL_FATAL, false,
     LIST("open_by_handle_at")},
    {"module", "loads code into the kernel",
     NEVER, SYSCALL_FATAL, false,
     LIST("delete_module", "finit_module", "init_module")},
    {"reboot", "restarts the machine or another kernel on it",
     NEVER, SYSCALL_FATAL, false,
     LIST("kexec_file_load", "kexec_load", "reboot")},
    {"raw-io", "ports of devices",
     NEVER, SYSCALL_FATAL, false,
     LIST("ioperm", "iopl")},
    {"swap", "where the machine swaps to",
     NEVER, SYSCALL_FATAL, false,
     LIST("swapoff", "swapon")},
};
/* clang-format on */
const size_t n_syscall_groups = ARRAY_SIZE(syscall_groups);

const SyscallGroup *syscall_group_find(const char *name)
{
    for (size_t i = 0; i < n_syscall_groups; i++)
        if (strcmp(syscall_groups[i].name, name) == 0)
            return &syscall_groups[i];
    return NULL;
}

const SyscallGroup *syscall_group_of(const char *call)
{
    for (size_t i = 0; i < n_syscall_groups; i++)
        for (size_t k = 0; k < syscall_groups[i].n_calls; k++)
            if (strcmp(syscall_groups[i].calls[k], call) == 0)
                return &syscall_groups[i];
    return NULL;
}

bool syscall_is_known(const char *call)
{
    return syscall_find(call) >= 0;
}

/* The better of two names. */
static void take_nearer(const char *wanted, const char *name, const char **best, unsigned *limit)
{
    unsigned k = text_distance(wanted, strlen(wanted), name, strlen(name));

    if (k < *limit) {
        *limit = k;
        *best = name;
    }
}

const char *syscall_nearest(const char *name)
{
    bool is_group = *name == '@';
    const char *best = NULL;
    unsigned limit;

    name += is_group;
    if (!*name || strlen(name) > TEXT_DISTANCE_MAX)
        return NULL;
    /* A third of the letters may be wrong. */
    limit = (unsigned)MIN(strlen(name) / 3, (size_t)4) + 1;
    for (size_t i = 0; is_group && i < n_syscall_groups; i++)
        take_nearer(name, syscall_groups[i].name, &best, &limit);
    for (size_t i = 0; !is_group && i < n_syscall_numbers; i++)
        take_nearer(name, syscall_numbers[i].name, &best, &limit);
    return best;
}

const char *syscall_fate_to_string(SyscallFate fate)
{
    static const char *const texts[] = {
        [SYSCALL_EPERM] = "EPERM",
        [SYSCALL_ENOSYS] = "ENOSYS",
        [SYSCALL_FATAL] = "ends the process",
    };

    return (unsigned)fate < ARRAY_SIZE(texts) ? texts[fate] : NULL;
}
