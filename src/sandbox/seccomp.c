#include "sandbox/sandbox.h"

#include "sandbox/syscalls.h"
#include "base/fd.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* seccomp(2): the longest program that the kernel takes. */
#define PROGRAM_MAX (BPF_MAXINSNS * sizeof(struct sock_filter))

/* personality(2): asks without a change. */
#define PERSONALITY_QUERY 0xffffffffU

struct SeccompFilter {
    struct sock_fprog program;
};

static void release_context(scmp_filter_ctx *context)
{
    if (*context)
        seccomp_release(*context);
}

/* A negative number: libseccomp, or this architecture, has no such call. */
static int resolve(const char *name)
{
    return seccomp_syscall_resolve_name(name);
}

static int deny(scmp_filter_ctx context, const char *name, int error, unsigned n,
                const struct scmp_arg_cmp *comparisons)
{
    int number = resolve(name), r;

    if (number < 0)
        return 0;
    r = seccomp_rule_add_array(context, SCMP_ACT_ERRNO((uint32_t)error), number, n, comparisons);
    /* The same rule twice: two names of one number or value. */
    return r == -EEXIST ? 0 : r;
}

static int add_calls(scmp_filter_ctx context, SeccompProfile profile)
{
    for (size_t i = 0; i < n_denied_calls; i++) {
        int r;

        if (denied_calls[i].from > profile)
            continue;
        r = deny(context, denied_calls[i].name, denied_calls[i].error, 0, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_arguments(scmp_filter_ctx context, SeccompProfile profile)
{
    for (size_t i = 0; i < n_denied_arguments; i++) {
        const DeniedArgument *d = &denied_arguments[i];
        const struct scmp_arg_cmp comparison = {d->argument, SCMP_CMP_MASKED_EQ, d->mask, d->value};
        int r;

        if (d->from > profile)
            continue;
        r = deny(context, d->name, EPERM, 1, &comparison);
        if (r < 0)
            return r;
    }
    return 0;
}

/* "All but one value" compares 64 bits, so that a value which differs only above the 32 bits that
 * the kernel looks at is denied. */
static int add_exceptions(scmp_filter_ctx context, SeccompProfile profile)
{
    const struct scmp_arg_cmp not_query = {0, SCMP_CMP_NE, PERSONALITY_QUERY, 0};
    const struct scmp_arg_cmp not_self = {0, SCMP_CMP_NE, 0, 0};
    const struct scmp_arg_cmp netlink[] = {
        {0, SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_NETLINK},
        {2, SCMP_CMP_NE, NETLINK_ROUTE, 0},
    };
    const struct scmp_arg_cmp linger[] = {
        {1, SCMP_CMP_MASKED_EQ, UINT32_MAX, SOL_SOCKET},
        {2, SCMP_CMP_MASKED_EQ, UINT32_MAX, SO_LINGER},
    };
    int r = deny(context, "personality", EPERM, 1, &not_query);

    if (r < 0)
        return r;
    r = deny(context, "socket", EPERM, ARRAY_SIZE(netlink), netlink);
    if (r < 0 || profile < SECCOMP_WORKER)
        return r;
    r = deny(context, "prlimit64", EPERM, 1, &not_self);
    if (r < 0 || profile < SECCOMP_WORKER_UNLINGERING)
        return r;
    return deny(context, "setsockopt", EPERM, ARRAY_SIZE(linger), linger);
}

static int add_template(scmp_filter_ctx context, pid_t template_pid)
{
    const struct scmp_arg_cmp comparison = {0, SCMP_CMP_MASKED_EQ, UINT32_MAX,
                                            (uint32_t)template_pid};

    for (size_t i = 0; i < n_template_calls; i++) {
        int r = deny(context, template_calls[i], EPERM, 1, &comparison);

        if (r < 0)
            return r;
    }
    return 0;
}

/* Names that this architecture does not have are left out. */
static int allow(scmp_filter_ctx context, const char *name, unsigned n,
                 const struct scmp_arg_cmp *comparisons)
{
    int number = resolve(name), r;

    if (number < 0)
        return 0;
    r = seccomp_rule_add_array(context, SCMP_ACT_ALLOW, number, n, comparisons);
    return r == -EEXIST ? 0 : r;
}

static int allow_porter(scmp_filter_ctx context)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n_porter_calls; i++)
        r = allow(context, porter_calls[i], 0, NULL);
    for (size_t i = 0; r == 0 && i < n_porter_arguments; i++) {
        const AllowedArgument *a = &porter_arguments[i];
        const struct scmp_arg_cmp comparison = {a->argument, SCMP_CMP_MASKED_EQ, a->mask, a->value};

        r = allow(context, a->name, 1, &comparison);
    }
    return r;
}

static int deny_all(scmp_filter_ctx context, SeccompProfile profile, pid_t template_pid)
{
    int r = add_calls(context, profile);

    if (r == 0)
        r = add_arguments(context, profile);
    if (r == 0)
        r = add_exceptions(context, profile);
    if (r == 0 && profile >= SECCOMP_WORKER)
        r = add_template(context, template_pid);
    return r;
}

/* libseccomp 2.5 writes programs to files only. */
static int export(scmp_filter_ctx context, SeccompFilter *f)
{
    _cleanup_fd_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
    char *program = NULL;
    size_t n;
    int r;

    if (fd < 0)
        return -errno;
    r = seccomp_export_bpf(context, fd);
    if (r < 0)
        return r;
    r = fd_read_all(fd, PROGRAM_MAX, &program, &n);
    if (r < 0)
        return r;
    f->program.filter = (void *)program;
    f->program.len = (unsigned short)(n / sizeof(struct sock_filter));
    return f->program.len > 0 ? 0 : -EINVAL;
}

int seccomp_filter_new(SeccompProfile profile, pid_t template_pid, SeccompFilter **ret)
{
    _cleanup_(release_context) scmp_filter_ctx context = NULL;
    _cleanup_(seccomp_filter_freep) SeccompFilter *f = NULL;
    int r;

    /* kill(0) and kill(-1) are denied anyway; a pid that is none would deny something else. */
    if (profile >= _SECCOMP_PROFILE_MAX ||
        (profile >= SECCOMP_WORKER && profile != SECCOMP_PORTER && template_pid <= 0))
        return -EINVAL;
    f = calloc(1, sizeof(*f));
    context = seccomp_init(profile == SECCOMP_PORTER ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW);
    if (!f || !context)
        return -ENOMEM;
    /* The other system-call tables of the machine (i386, x32) would pass by this one's numbers. */
    r = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (r < 0)
        return r;
    /* A tree instead of a chain. */
    r = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r < 0)
        return r;
    r = profile == SECCOMP_PORTER ? allow_porter(context)
                                  : deny_all(context, profile, template_pid);
    if (r < 0)
        return r;
    r = export(context, f);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(f);
    return 0;
}

SeccompFilter *seccomp_filter_free(SeccompFilter *f)
{
    if (f) {
        free(f->program.filter);
        free(f);
    }
    return NULL;
}

int seccomp_filter_install(const SeccompFilter *f)
{
    struct sock_fprog program = f->program;

    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}
