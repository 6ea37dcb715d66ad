#include "sandbox/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

/*
 * A deny list cannot refuse what is newer than it: a call that a later kernel adds is allowed here
 * until it stands in this table. The unit's SystemCallFilter= is the allow list around it.
 */

#define DENY(name)                                                                                 \
    {                                                                                              \
        name, SECCOMP_TEMPLATE, EPERM                                                              \
    }
#define DENY_WORKER(name)                                                                          \
    {                                                                                              \
        name, SECCOMP_WORKER, EPERM                                                                \
    }

/* clang-format off */
const DeniedCall denied_calls[] = {
    /* mounts, roots */
    DENY("mount"),
    DENY("umount"),
    DENY("umount2"),
    DENY("mount_setattr"),
    DENY("move_mount"),
    DENY("open_tree"),
    DENY("open_tree_attr"),
    DENY("fsopen"),
    DENY("fsconfig"),
    DENY("fsmount"),
    DENY("fspick"),
    DENY("pivot_root"),
    DENY("chroot"),
    DENY("statmount"),
    DENY("listmount"),
    /* kernel: modules, another kernel, its log, restart */
    DENY("init_module"),
    DENY("finit_module"),
    DENY("delete_module"),
    DENY("create_module"),
    DENY("get_kernel_syms"),
    DENY("query_module"),
    DENY("kexec_load"),
    DENY("kexec_file_load"),
    DENY("reboot"),
    DENY("syslog"),
    /* tracing and other processes' insides. process_vm_* are the template's: it reads slow workers */
    DENY("ptrace"),
    DENY("pidfd_getfd"),
    DENY("kcmp"),
    DENY("perf_event_open"),
    DENY("bpf"),
    DENY("lookup_dcookie"),
    DENY("process_madvise"),
    DENY("process_mrelease"),
    DENY("move_pages"),
    DENY("migrate_pages"),
    /* keyrings */
    DENY("add_key"),
    DENY("keyctl"),
    DENY("request_key"),
    /* namespaces; clone's flags stand below */
    DENY("unshare"),
    DENY("setns"),
    /* io_uring passes by filters */
    DENY("io_uring_setup"),
    DENY("io_uring_enter"),
    DENY("io_uring_register"),
    /* help for exploits of the kernel */
    DENY("userfaultfd"),
    /* files by handle, whole file systems */
    DENY("name_to_handle_at"),
    DENY("open_by_handle_at"),
    DENY("fanotify_init"),
    DENY("fanotify_mark"),
    /* the machine: clocks, swap, quota, accounting, names, ports, terminals */
    DENY("settimeofday"),
    DENY("clock_settime"),
    DENY("clock_settime64"),
    DENY("clock_adjtime"),
    DENY("clock_adjtime64"),
    DENY("adjtimex"),
    DENY("stime"),
    DENY("swapon"),
    DENY("swapoff"),
    DENY("quotactl"),
    DENY("quotactl_fd"),
    DENY("acct"),
    DENY("sethostname"),
    DENY("setdomainname"),
    DENY("iopl"),
    DENY("ioperm"),
    DENY("vhangup"),
    /* of old */
    DENY("nfsservctl"),
    DENY("uselib"),
    DENY("ustat"),
    DENY("sysfs"),
    DENY("_sysctl"),
    DENY("modify_ldt"),
    DENY("vm86"),
    DENY("vm86old"),
    /* Its flags are behind a pointer: ENOSYS makes libraries fall back to clone. */
    {"clone3", SECCOMP_TEMPLATE, ENOSYS},
    /* other processes of the pool */
    DENY_WORKER("process_vm_readv"),
    DENY_WORKER("process_vm_writev"),
    DENY_WORKER("setpriority"),
    DENY_WORKER("sched_setscheduler"),
    DENY_WORKER("sched_setparam"),
    DENY_WORKER("sched_setattr"),
    DENY_WORKER("sched_setaffinity"),
    DENY_WORKER("ioprio_set"),
};
const size_t n_denied_calls = ARRAY_SIZE(denied_calls);

#define ALL_BITS       UINT32_MAX
#define NO_FLAG(flag)  {"clone", SECCOMP_TEMPLATE, 0, flag, flag}
#define NO_IOCTL(nr)   {"ioctl", SECCOMP_TEMPLATE, 1, ALL_BITS, nr}
#define NO_FAMILY(nr)  {"socket", SECCOMP_TEMPLATE, 0, ALL_BITS, nr}

const DeniedArgument denied_arguments[] = {
    NO_FLAG(CLONE_NEWNS),
    NO_FLAG(CLONE_NEWCGROUP),
    NO_FLAG(CLONE_NEWUTS),
    NO_FLAG(CLONE_NEWIPC),
    NO_FLAG(CLONE_NEWUSER),
    NO_FLAG(CLONE_NEWPID),
    NO_FLAG(CLONE_NEWNET),
    /* typing for others into their terminal */
    NO_IOCTL(TIOCSTI),
    NO_IOCTL(TIOCLINUX),
    /* kernel code that sites have no use for; AF_NETLINK stays, getaddrinfo(3) asks it */
    NO_FAMILY(AF_AX25),
    NO_FAMILY(AF_IPX),
    NO_FAMILY(AF_APPLETALK),
    NO_FAMILY(AF_X25),
    NO_FAMILY(AF_KEY),
    NO_FAMILY(AF_PACKET),
    NO_FAMILY(AF_RDS),
    NO_FAMILY(AF_PPPOX),
    NO_FAMILY(AF_LLC),
    NO_FAMILY(AF_IB),
    NO_FAMILY(AF_CAN),
    NO_FAMILY(AF_TIPC),
    NO_FAMILY(AF_BLUETOOTH),
    NO_FAMILY(AF_ALG),
    NO_FAMILY(AF_NFC),
    NO_FAMILY(AF_VSOCK),
    NO_FAMILY(AF_KCM),
    NO_FAMILY(AF_QIPCRTR),
    NO_FAMILY(AF_SMC),
    NO_FAMILY(AF_XDP),
    /* kill of the own process group, of other groups and of all */
    {"kill", SECCOMP_WORKER, 0, ALL_BITS, 0},
    {"kill", SECCOMP_WORKER, 0, 0x80000000, 0x80000000},
};
const size_t n_denied_arguments = ARRAY_SIZE(denied_arguments);
/* clang-format on */

const char *const template_calls[] = {
    "kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open",
};
const size_t n_template_calls = ARRAY_SIZE(template_calls);

const char *const porter_calls[] = {
    /* connections and links */
    "accept4",
    "recvfrom",
    "recvmsg",
    "sendmsg",
    "getsockopt",
    "shutdown",
    "close",
    /* a snapshot, and the history */
    "fstat",
    "pread64",
    /* waiting */
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "clock_gettime",
    "clock_gettime64",
    "restart_syscall",
    /* lines for people, where there is no journal */
    "write",
    "poll",
    "ppoll",
    /* memory */
    "brk",
    "mremap",
    "munmap",
    "madvise",
    "futex",
    /* the end */
    "rt_sigreturn",
    "sigaltstack", /* asked by sanitizers */
    "exit",
    "exit_group",
};
const size_t n_porter_calls = ARRAY_SIZE(porter_calls);

const AllowedArgument porter_arguments[] = {
    /* no code that was not there at the start */
    {"mmap", 2, PROT_EXEC, 0},
    {"mmap2", 2, PROT_EXEC, 0},
    {"mprotect", 2, PROT_EXEC, 0},
    /* whether a snapshot stays as it is, and its size; no file by its name is of any use here */
    {"fcntl", 1, UINT32_MAX, F_GET_SEALS},
    {"newfstatat", 3, UINT32_MAX, AT_EMPTY_PATH},
    /* only to where the socket is connected */
    {"sendto", 4, UINT64_MAX, 0},
    /* that a close does not wait */
    {"setsockopt", 2, UINT64_MAX, SO_LINGER},
};
const size_t n_porter_arguments = ARRAY_SIZE(porter_arguments);
