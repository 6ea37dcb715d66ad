#include "sandbox/seccomp.h"

#include "base/fd.h"
#include "sandbox/syscalls.h"
#include "syscall/numbers.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* seccomp(2): the longest program that the kernel takes. */
#define PROGRAM_MAX  (BPF_MAXINSNS * sizeof(struct sock_filter))

#define PROGRAMS_MAX 2

struct SeccompFilter {
    struct sock_fprog programs[PROGRAMS_MAX]; /* in the order of their installation */
    size_t n_programs;
    bool listens; /* the last one has a listener */
};

static void release_context(scmp_filter_ctx *context)
{
    if (*context)
        seccomp_release(*context);
}

/* Calls that this machine does not have are left out. */
static int add(scmp_filter_ctx context, uint32_t action, const char *call, unsigned n,
               const struct scmp_arg_cmp *comparisons)
{
    int number = syscall_to_number(call), r;

    if (number < 0)
        return 0;
    r = seccomp_rule_add_array(context, action, number, n, comparisons);
    /* The same rule twice: two names of one number or value. */
    return r == -EEXIST ? 0 : r;
}

static bool is_in(const char *const *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

/* Of the template's stage, in which workers live too. */
static bool may_call(const SeccompRules *rules, const char *call)
{
    return syscall_set_has(&rules->calls, call) || is_in(template_calls, n_template_calls, call);
}

bool seccomp_refuses(const SeccompRules *rules, const char *call)
{
    return !may_call(rules, call);
}

/* Nobody shall hear of what libraries try in each program: to them it is an old kernel. */
static bool is_absent(const SyscallGroup *g)
{
    return g->fate == SYSCALL_ENOSYS && g->from == _SYSCALL_PROFILE_MAX;
}

static int add_bounds(scmp_filter_ctx context, const SeccompRules *rules)
{
    int r = 0;

    for (size_t i = 0; i < n_syscall_groups; i++) {
        const SyscallGroup *g = &syscall_groups[i];

        for (size_t k = 0; r == 0 && k < g->n_calls; k++) {
            bool refused = seccomp_refuses(rules, g->calls[k]);

            if (refused && is_absent(g))
                continue;
            r = add(context, refused && g->fate == SYSCALL_FATAL ? SCMP_ACT_TRAP : SCMP_ACT_ALLOW,
                    g->calls[k], 0, NULL);
        }
    }
    return r;
}

static uint32_t refusal(const SeccompRules *rules, int error)
{
    return rules->report ? SCMP_ACT_NOTIFY : SCMP_ACT_ERRNO((uint32_t)error);
}

static int refuse_calls(scmp_filter_ctx context, const SeccompRules *rules)
{
    int r = 0;

    for (size_t i = 0; i < n_syscall_groups; i++) {
        const SyscallGroup *g = &syscall_groups[i];

        for (size_t k = 0; r == 0 && k < g->n_calls; k++)
            if (seccomp_refuses(rules, g->calls[k]) && g->fate != SYSCALL_FATAL && !is_absent(g))
                r = add(context, refusal(rules, g->fate == SYSCALL_ENOSYS ? ENOSYS : EPERM),
                        g->calls[k], 0, NULL);
    }
    return r;
}

static bool rule_holds(const ArgumentRule *a, const SeccompRules *rules)
{
    const bool holds[_ARGUMENT_WHEN_MAX] = {
        [ARGUMENT_ALWAYS] = true,
        [ARGUMENT_NO_EXEC] = !rules->may_exec,
        [ARGUMENT_TCP_PORTS] = rules->tcp_ports,
        [ARGUMENT_TRUNCATING] = !rules->truncate_covered,
        [ARGUMENT_UNSCOPED] = !rules->signals_scoped,
    };

    return holds[a->when] && may_call(rules, a->call) &&
           !(a->unless && syscall_set_has(&rules->calls, a->unless));
}

static int refuse_arguments(scmp_filter_ctx context, const SeccompRules *rules, bool worker)
{
    const uint32_t refused = worker ? SCMP_ACT_ERRNO(EPERM) : refusal(rules, EPERM);
    int r = 0;

    for (size_t i = 0; r == 0 && i < n_argument_rules; i++) {
        const ArgumentRule *a = &argument_rules[i];
        struct scmp_arg_cmp comparisons[ARGUMENT_COMPARES_MAX];

        if (a->worker != worker || !rule_holds(a, rules))
            continue;
        for (size_t k = 0; k < a->n; k++) {
            uint32_t value = a->compares[k].value;
            unsigned n = a->compares[k].argument;

            switch (a->compares[k].compare) {
            case ARGUMENT_EQUAL:
                comparisons[k] = SCMP_CMP64(n, SCMP_CMP_MASKED_EQ, a->compares[k].mask, value);
                break;
            case ARGUMENT_NOT:
                comparisons[k] = SCMP_CMP64(n, SCMP_CMP_NE, value);
                break;
            case ARGUMENT_ABOVE:
                comparisons[k] = SCMP_CMP64(n, SCMP_CMP_GT, value);
                break;
            }
        }
        r = add(context, a->pretend ? SCMP_ACT_ERRNO(0) : refused, a->call, (unsigned)a->n,
                comparisons);
    }
    return r;
}

static int add_refusals(scmp_filter_ctx context, const SeccompRules *rules)
{
    int r = refuse_calls(context, rules);

    return r < 0 ? r : refuse_arguments(context, rules, false);
}

static int refuse_target(scmp_filter_ctx context, pid_t pid)
{
    const struct scmp_arg_cmp is_target =
        SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint32_t)pid);
    int r = 0;

    for (size_t i = 0; r == 0 && i < n_aimed_calls; i++)
        r = add(context, SCMP_ACT_ERRNO(EPERM), aimed_calls[i], 1, &is_target);
    return r;
}

static int add_worker(scmp_filter_ctx context, const SeccompRules *rules)
{
    const struct scmp_arg_cmp no_thread =
        SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VFORK, 0);
    int r = 0;

    for (size_t i = 0; r == 0 && i < n_template_calls; i++)
        if (!syscall_set_has(&rules->calls, template_calls[i]))
            r = add(context, SCMP_ACT_ERRNO(EPERM), template_calls[i], 0, NULL);
    if (r == 0 && !rules->may_exec && syscall_set_has(&rules->calls, "clone"))
        r = add(context, SCMP_ACT_ERRNO(EPERM), "clone", 1, &no_thread);
    if (r == 0)
        r = refuse_arguments(context, rules, true);
    if (r == 0)
        r = refuse_target(context, rules->template_pid);
    if (r == 0 && rules->manager_pid > 0 && rules->manager_pid != rules->template_pid)
        r = refuse_target(context, rules->manager_pid);
    return r;
}

static int add_porter(scmp_filter_ctx context, const SeccompRules *rules)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n_porter_calls; i++)
        r = add(context, SCMP_ACT_ALLOW, porter_calls[i], 0, NULL);
    for (size_t i = 0; r == 0 && i < n_porter_arguments; i++) {
        const AllowedArgument *a = &porter_arguments[i];
        const struct scmp_arg_cmp comparison =
            SCMP_CMP64(a->argument, SCMP_CMP_MASKED_EQ, a->mask, a->value);

        r = add(context, SCMP_ACT_ALLOW, a->call, 1, &comparison);
    }
    return r;
}

/* libseccomp 2.5 writes programs to files only. */
static int export(scmp_filter_ctx context, SeccompFilter *f)
{
    struct sock_fprog *into = &f->programs[f->n_programs];
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
    into->filter = (void *)program;
    into->len = (unsigned short)(n / sizeof(struct sock_filter));
    f->n_programs++;
    return into->len > 0 ? 0 : -EINVAL;
}

/* One program of a stage. */
typedef struct Part {
    uint32_t otherwise; /* what becomes of calls without a rule */
    int (*add)(scmp_filter_ctx context, const SeccompRules *rules);
} Part;

static int build(const Part *part, const SeccompRules *rules, SeccompFilter *f)
{
    _cleanup_(release_context) scmp_filter_ctx context = seccomp_init(part->otherwise);
    int r;

    if (!context)
        return -ENOMEM;
    /* The other system-call tables of the machine (i386, x32) would pass by this one's numbers. */
    r = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    /* A tree instead of a chain. */
    if (r == 0)
        r = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r == 0)
        r = part->add(context, rules);
    return r < 0 ? r : export(context, f);
}

int seccomp_filter_new(SeccompStage stage, const SeccompRules *rules, SeccompFilter **ret)
{
    static const Part parts[_SECCOMP_STAGE_MAX][PROGRAMS_MAX] = {
        [SECCOMP_TEMPLATE] = {{SCMP_ACT_ERRNO(ENOSYS), add_bounds}, {SCMP_ACT_ALLOW, add_refusals}},
        [SECCOMP_WORKER] = {{SCMP_ACT_ALLOW, add_worker}},
        [SECCOMP_PORTER] = {{SCMP_ACT_ERRNO(EPERM), add_porter}},
    };
    _cleanup_(seccomp_filter_freep) SeccompFilter *f = NULL;

    /* kill(0) is refused anyway; a pid that is none would refuse something else. */
    if (stage >= _SECCOMP_STAGE_MAX || (stage != SECCOMP_PORTER && !rules) ||
        (stage == SECCOMP_WORKER && rules->template_pid <= 0))
        return -EINVAL;
    f = calloc(1, sizeof(*f));
    if (!f)
        return -ENOMEM;
    for (size_t i = 0; i < PROGRAMS_MAX && parts[stage][i].add; i++) {
        int r = build(&parts[stage][i], rules, f);

        if (r < 0)
            return r;
    }
    f->listens = stage == SECCOMP_TEMPLATE && rules->report;
    *ret = TAKE_PTR(f);
    return 0;
}

SeccompFilter *seccomp_filter_free(SeccompFilter *f)
{
    for (size_t i = 0; f && i < PROGRAMS_MAX; i++)
        free(f->programs[i].filter);
    free(f);
    return NULL;
}

int seccomp_filter_install(const SeccompFilter *f, int *ret_listener)
{
    int listener = -1;

    for (size_t i = 0; i < f->n_programs; i++) {
        struct sock_fprog program = f->programs[i];
        bool listens = f->listens && i + 1 == f->n_programs;
        long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                         listens ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, &program);

        if (r < 0)
            return -errno;
        if (listens)
            listener = (int)r; /* close-on-exec */
    }
    if (ret_listener)
        *ret_listener = listener;
    else if (listener >= 0)
        fd_close(listener);
    return 0;
}
