#include "sandbox/syscalls.h"

#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define ALL UINT32_MAX

/* Of newer kernels than the headers of libc. */
#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73
#endif
#ifndef TCP_AO_ADD_KEY
#define TCP_AO_ADD_KEY 38
#endif
#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif
#ifndef SO_DETACH_REUSEPORT_BPF
#define SO_DETACH_REUSEPORT_BPF 68
#endif

/* personality(2): asks without a change. */
#define PERSONALITY_QUERY 0xffffffffU

/* socket(2): the type of a socket without its flags. */
#define TYPE_BITS 0xf

/* clang-format off */
#define EQUAL(n, v)       {n, ARGUMENT_EQUAL, (uint32_t)(v), ALL}
#define BITS(n, mask, v)  {n, ARGUMENT_EQUAL, (uint32_t)(v), (uint32_t)(mask)}
#define NOT(n, v)         {n, ARGUMENT_NOT, (uint32_t)(v), 0}
#define ABOVE(n, v)       {n, ARGUMENT_ABOVE, (uint32_t)(v), 0}

#define ONE(call, when, reason, a)     {call, when, false, false, NULL, reason, 1, {a}}
#define TWO(call, when, reason, a, b)  {call, when, false, false, NULL, reason, 2, {a, b}}

#define NAMESPACE(flag)                                                                            \
    {"clone", ARGUMENT_ALWAYS, false, false, "unshare", "new namespaces", 1, {BITS(0, flag, flag)}}
#define IOCTL(when, reason, nr)  ONE("ioctl", when, reason, EQUAL(1, nr))
#define FAMILY(nr)                                                                                 \
    ONE("socket", ARGUMENT_ALWAYS, "families but unix, IPv4, IPv6 and netlink", EQUAL(0, nr))
#define TYPE(family, type)                                                                         \
    TWO("socket", ARGUMENT_ALWAYS, "SCTP, DCCP and raw packets", EQUAL(0, family),                 \
        BITS(1, TYPE_BITS, type))
#define OPTION(level, name)                                                                        \
    TWO("setsockopt", ARGUMENT_ALWAYS, "what would outlive the worker on listening sockets",       \
        EQUAL(1, level), EQUAL(2, name))
#define SETOWN(cmd)                                                                                \
    ONE("fcntl", ARGUMENT_UNSCOPED, "signals to others by asynchronous input", EQUAL(1, cmd))
#define OTHERS(call, argument)                                                                     \
    ONE(call, ARGUMENT_ALWAYS, "others than itself", NOT(argument, 0))

const ArgumentRule argument_rules[] = {
    NAMESPACE(CLONE_NEWNS),
    NAMESPACE(CLONE_NEWCGROUP),
    NAMESPACE(CLONE_NEWUTS),
    NAMESPACE(CLONE_NEWIPC),
    NAMESPACE(CLONE_NEWUSER),
    NAMESPACE(CLONE_NEWPID),
    NAMESPACE(CLONE_NEWNET),
    /* posix_spawn(3); fork(3) is the template's too, see template_calls */
    ONE("clone", ARGUMENT_NO_EXEC, "new processes",
        BITS(0, CLONE_VFORK | CLONE_THREAD, CLONE_VFORK)),

    IOCTL(ARGUMENT_ALWAYS, "types into a terminal for its owner", TIOCSTI),
    IOCTL(ARGUMENT_ALWAYS, "types into a terminal for its owner", TIOCLINUX),
    IOCTL(ARGUMENT_UNSCOPED, "signals to others by asynchronous input", FIOSETOWN),
    IOCTL(ARGUMENT_UNSCOPED, "signals to others by asynchronous input", SIOCSPGRP),
    SETOWN(F_SETOWN),
    SETOWN(F_SETOWN_EX),
    SETOWN(F_SETSIG),

    /* Of sockets what stands in RestrictAddressFamilies= of the unit, for programs of a pool that
     * runs without it too. AF_NETLINK: getaddrinfo(3) asks it for addresses. */
    FAMILY(AF_AX25),
    FAMILY(AF_IPX),
    FAMILY(AF_APPLETALK),
    FAMILY(AF_NETROM),
    FAMILY(AF_BRIDGE),
    FAMILY(AF_ATMPVC),
    FAMILY(AF_X25),
    FAMILY(AF_ROSE),
    FAMILY(AF_DECnet),
    FAMILY(AF_NETBEUI),
    FAMILY(AF_SECURITY),
    FAMILY(AF_KEY),
    ONE("socket", ARGUMENT_ALWAYS, "families but unix, IPv4, IPv6 and netlink",
        ABOVE(0, AF_NETLINK)),
    TWO("socket", ARGUMENT_ALWAYS, "netlink but for addresses and routes", EQUAL(0, AF_NETLINK),
        NOT(2, NETLINK_ROUTE)),
    ONE("socketpair", ARGUMENT_ALWAYS, "families but unix", NOT(0, AF_UNIX)),
    /* Protocols: TCP, UDP, ICMP of both versions. Landlock's rules of ports are of TCP alone, and
     * MPTCP, SCTP and SMC reach its services as well. */
    TYPE(AF_INET, SOCK_RDM),
    TYPE(AF_INET, SOCK_SEQPACKET),
    TYPE(AF_INET, SOCK_DCCP),
    TYPE(AF_INET, SOCK_PACKET),
    TYPE(AF_INET6, SOCK_RDM),
    TYPE(AF_INET6, SOCK_SEQPACKET),
    TYPE(AF_INET6, SOCK_DCCP),
    TYPE(AF_INET6, SOCK_PACKET),
    TWO("socket", ARGUMENT_ALWAYS, "protocols but TCP, UDP and ICMP: MPTCP, SCTP, SMC",
        EQUAL(0, AF_INET), ABOVE(2, IPPROTO_ICMPV6)),
    TWO("socket", ARGUMENT_ALWAYS, "protocols but TCP, UDP and ICMP: MPTCP, SCTP, SMC",
        EQUAL(0, AF_INET6), ABOVE(2, IPPROTO_ICMPV6)),
    ONE("sendto", ARGUMENT_TCP_PORTS, "connecting as it sends",
        BITS(3, MSG_FASTOPEN, MSG_FASTOPEN)),
    ONE("sendmsg", ARGUMENT_TCP_PORTS, "connecting as it sends",
        BITS(2, MSG_FASTOPEN, MSG_FASTOPEN)),
    ONE("sendmmsg", ARGUMENT_TCP_PORTS, "connecting as it sends",
        BITS(3, MSG_FASTOPEN, MSG_FASTOPEN)),
    TWO("setsockopt", ARGUMENT_TCP_PORTS, "other protocols on top of TCP (kTLS, SMC)",
        EQUAL(1, IPPROTO_TCP), EQUAL(2, TCP_ULP)),
    /* The listener belongs to systemd, and serves generations to come: filters, keys and devices on
     * it would keep clients from them, and so would the end of its reading side. SHUT_WR does
     * nothing to a listener. */
    OPTION(SOL_SOCKET, SO_LINGER), /* inherited: who closes waits, or the client gets a reset */
    OPTION(SOL_SOCKET, SO_DONTROUTE),
    OPTION(SOL_SOCKET, SO_MAX_PACING_RATE),
    OPTION(SOL_SOCKET, SO_RCVLOWAT),
    OPTION(IPPROTO_IP, IP_TTL),
    OPTION(IPPROTO_IP, IP_OPTIONS),
    OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
    OPTION(IPPROTO_IPV6, IPV6_RTHDR),
    OPTION(IPPROTO_IPV6, IPV6_HOPOPTS),
    OPTION(IPPROTO_IPV6, IPV6_DSTOPTS),
    OPTION(IPPROTO_TCP, TCP_MAXSEG),
    OPTION(IPPROTO_TCP, TCP_WINDOW_CLAMP),
    OPTION(IPPROTO_TCP, TCP_DEFER_ACCEPT),
    OPTION(SOL_SOCKET, SO_ATTACH_FILTER),
    OPTION(SOL_SOCKET, SO_LOCK_FILTER),
    OPTION(SOL_SOCKET, SO_ATTACH_BPF),
    OPTION(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF),
    OPTION(SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF),
    OPTION(SOL_SOCKET, SO_DETACH_REUSEPORT_BPF),
    OPTION(SOL_SOCKET, SO_BINDTODEVICE),
    OPTION(SOL_SOCKET, SO_BINDTOIFINDEX),
    OPTION(IPPROTO_IP, IP_MINTTL),
    OPTION(IPPROTO_IPV6, IPV6_MINHOPCOUNT),
    OPTION(IPPROTO_TCP, TCP_MD5SIG),
    OPTION(IPPROTO_TCP, TCP_MD5SIG_EXT),
    OPTION(IPPROTO_TCP, TCP_AO_ADD_KEY),
    {"shutdown", ARGUMENT_ALWAYS, true, true, NULL, "the end of the reading side, also of listeners",
     1, {EQUAL(1, SHUT_RD)}},
    {"shutdown", ARGUMENT_ALWAYS, true, false, NULL, "the end of both sides, also of listeners", 1,
     {ABOVE(1, SHUT_WR)}},

    ONE("kill", ARGUMENT_ALWAYS, "process groups and all processes", EQUAL(0, 0)),
    ONE("kill", ARGUMENT_ALWAYS, "process groups and all processes", BITS(0, 1U << 31, 1U << 31)),
    /* With a descriptor of /proc/PID, which pidfd_open(2) is not needed for. */
    {"pidfd_send_signal", ARGUMENT_UNSCOPED, false, false, NULL, "signals by descriptors", 0, {{0}}},

    {"truncate", ARGUMENT_TRUNCATING, false, false, NULL, "which Landlock does not see here", 0, {{0}}},

    OTHERS("prlimit64", 0),
    OTHERS("sched_setaffinity", 0),
    OTHERS("sched_setattr", 0),
    OTHERS("sched_setparam", 0),
    OTHERS("sched_setscheduler", 0),
    OTHERS("setpriority", 1),
    ONE("setpriority", ARGUMENT_ALWAYS, "others than itself", NOT(0, PRIO_PROCESS)),
    OTHERS("ioprio_set", 1),
    ONE("ioprio_set", ARGUMENT_ALWAYS, "others than itself", NOT(0, IOPRIO_WHO_PROCESS)),

    ONE("prctl", ARGUMENT_ALWAYS, "which memory others take for its program and arguments",
        EQUAL(0, PR_SET_MM)),
    ONE("personality", ARGUMENT_ALWAYS, "changes of the execution domain",
        NOT(0, PERSONALITY_QUERY)),
};
/* clang-format on */
const size_t n_argument_rules = ARRAY_SIZE(argument_rules);

static bool matches(const ArgumentRule *a, const uint64_t arguments[static 6])
{
    for (size_t i = 0; i < a->n; i++) {
        uint64_t given = arguments[a->compares[i].argument], value = a->compares[i].value;
        bool holds[] = {
            [ARGUMENT_EQUAL] = (given & a->compares[i].mask) == value,
            [ARGUMENT_NOT] = given != value,
            [ARGUMENT_ABOVE] = given > value,
        };

        if (!holds[a->compares[i].compare])
            return false;
    }
    return true;
}

const char *argument_find_reason(const char *call, const uint64_t arguments[static 6])
{
    for (size_t i = 0; i < n_argument_rules; i++)
        if (strcmp(argument_rules[i].call, call) == 0 && matches(&argument_rules[i], arguments))
            return argument_rules[i].reason;
    return NULL;
}

const char *const template_calls[] = {
    "clone",
    /* the call stacks of slow workers, which it interrupts for them */
    "process_vm_readv",
    "process_vm_writev",
    /* OPcache's lock, of which each worker makes one for itself before it is confined further */
    "memfd_create",
};
const size_t n_template_calls = ARRAY_SIZE(template_calls);

const char *const aimed_calls[] = {
    "kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open",
};
const size_t n_aimed_calls = ARRAY_SIZE(aimed_calls);

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
