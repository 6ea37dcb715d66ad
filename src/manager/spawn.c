#include "manager/manager.h"

#include "base/exit_status.h"
#include "base/fd.h"
#include "link/spec.h"
#include "log/log.h"
#include "manager/logfile.h"
#include "manager/spawn.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Everything that a template inherits: its program, its descriptors by name, its confinement. */
typedef struct Heritage {
    char path[4096];
    char title_room[128]; /* blanks: an argument that the runtime writes its titles over */
    int out, err;
    int *fds; /* fd 3, 4, … */
    size_t n_fds;
    uint64_t nofile_soft;
    const PoolConfig *config;
    Confinement confinement;
} Heritage;

/* Of the porter, besides listeners: the spec, link, handover, park, repark, slot, journal, history.
 */
#define PORTER_FDS 8

/* For the first calls of a template that is cloned; it has a copy of its own. */
#define CLONE_STACK_BYTES (256 * 1024)

_noreturn_ static void child_fail(int status, const char *what)
{
    /* stderr is captured by the manager: the text stands in the journal beside the name of the
     * step. */
    dprintf(STDERR_FILENO, "%s: %s\n", what, strerror(errno));
    _exit(status);
}

static void child_set_up_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int number = 1; number < SIGRTMIN; number++)
        sigaction(number, &standard, NULL); /* EINVAL for KILL and STOP */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Who asks for no more than systemd gave gets it; the rest is systemd's to give, and a pool that
 * runs a little slower is better than none. */
static void child_set_priority(const PoolConfig *c)
{
    int wanted = MIN(c->process_priority, 19), now = getpriority(PRIO_PROCESS, 0);

    if (c->process_priority == PRIORITY_KEEP || wanted == now ||
        setpriority(PRIO_PROCESS, 0, wanted) == 0)
        return;
    log_forget();
    log_warning("process.priority = %d cannot be set (%s), going on at %d: Nice=%d of the service "
                "does it, 'fpmctl apply %s' writes the drop-in",
                c->process_priority, strerror(errno), now, wanted, c->name);
}

_noreturn_ static void child_exec(Heritage *h)
{
    static char *const env[] = {NULL};
    char *const argv[] = {h->path, h->title_room, NULL};
    int null = open("/dev/null", O_RDONLY);
    struct rlimit limit;
    int status;

    /* A session of its own: the terminal of --foreground sends its signals to the manager alone. */
    setsid();
    child_set_priority(h->config);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(h->out, STDOUT_FILENO) < 0 ||
        dup2(h->err, STDERR_FILENO) < 0)
        child_fail(EXIT_STATUS_FDS, "standard descriptors");
    if (fd_arrange(h->fds, h->n_fds, SPEC_FD) < 0)
        child_fail(EXIT_STATUS_FDS, "descriptors");
    child_set_up_signals();
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        child_fail(EXIT_STATUS_RLIMITS, "getrlimit");
    limit.rlim_cur = MIN((rlim_t)h->nofile_soft, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        child_fail(EXIT_STATUS_RLIMITS, "setrlimit");
    status = confine_for_exec(&h->confinement);
    if (status != 0)
        child_fail(status, exit_status_to_string(status));
    execve(h->path, argv, env);
    child_fail(EXIT_STATUS_EXEC, h->path);
}

static int make_spec(const Generation *g, const char *const *fd_names)
{
    const Buffer *setup = &g->setup->spec;
    _cleanup_buffer_ Buffer b = {0};
    int r = spec_write_generation(&b, g->number, g->manager->moot, fd_names);

    if (r == 0)
        r = buffer_append(&b, setup->data, setup->size);
    return r < 0 ? r : fd_make_sealed("fpmd-spec", b.data, b.size);
}

static Confinement confinement_of(const PoolSetup *setup)
{
    const PoolConfig *c = setup->config;

    return (Confinement){
        .set_ids = !setup->ids.keep,
        .uid = setup->ids.uid,
        .gid = setup->ids.gid,
        .groups = setup->ids.groups,
        .n_groups = setup->ids.n_groups,
        .rlimit_files = c->rlimit_files,
        /* Dumpable for the kernel they stay: that is what lets the template read the call stacks of
         * its workers. */
        .rlimit_core = c->process_dumpable ? c->rlimit_core : 0,
    };
}

static int cloned_exec(void *heritage)
{
    child_exec(heritage);
}

/* See manager/chroot.h. The library's clone() wants a stack, which the child has a copy of. */
_noreturn_ static void clone_and_change(Heritage *h, int fd)
{
    static char stack[CLONE_STACK_BYTES] __attribute__((aligned(16)));
    ChrootAnswer answer = {.step = CHROOT_CLONE};

    answer.template_pid =
        clone(cloned_exec, stack + sizeof(stack), CLONE_FS | CLONE_PARENT | SIGCHLD, h);
    answer.error = answer.template_pid < 0 ? errno : 0;
    /* The manager's life lines, above all: nobody else may hold them. */
    if (fd_arrange(&fd, 1, STDERR_FILENO + 1) < 0)
        _exit(EXIT_STATUS_FDS);
    fd = STDERR_FILENO + 1;
    chroot_tell(fd, &answer);
    if (answer.error)
        _exit(EXIT_STATUS_FORK);
    setsid();
    child_set_up_signals();
    chroot_serve(fd, &h->confinement, h->config->chroot, h->config->chdir ? h->config->chdir : "/");
}

/* A template that shares its root with the process that changes it. */
static pid_t clone_template(Generation *g, Heritage *h)
{
    _cleanup_fd_ int peer = -1;
    pid_t pid;
    int r = chroot_open(&g->changer, &peer);

    if (r < 0)
        return r;
    pid = fork();
    if (pid == 0) {
        g->changer.fd = fd_close(g->changer.fd);
        clone_and_change(h, peer);
    }
    if (pid < 0) {
        r = -errno;
        chroot_done(&g->changer);
        return r;
    }
    g->changer.pid = pid;
    peer = fd_close(peer);
    return chroot_wait_template(&g->changer);
}

static pid_t fork_template(Generation *g, int spec_fd, int link_peer, int log_fd, int report_peer,
                           int out, int err)
{
    const Manager *m = g->manager;
    int fds[7 + LISTENERS_MAX];
    Heritage h = {
        .out = out,
        .err = err,
        .fds = fds,
        .nofile_soft = m->nofile_soft,
        .config = g->config,
        .confinement = confinement_of(g->setup),
    };
    pid_t pid;

    fds[h.n_fds++] = spec_fd;
    fds[h.n_fds++] = link_peer;
    fds[h.n_fds++] = m->porter.handover[1];
    fds[h.n_fds++] = m->porter.park[1];
    fds[h.n_fds++] = log_fd;
    if (logfiles_access_fd(g->setup) >= 0)
        fds[h.n_fds++] = logfiles_access_fd(g->setup);
    if (report_peer >= 0)
        fds[h.n_fds++] = report_peer;
    for (size_t i = 0; i < m->listeners.n; i++)
        if (m->listeners.items[i].kind == LISTENER_REQUESTS)
            fds[h.n_fds++] = m->listeners.items[i].fd;
    memset(h.title_room, ' ', sizeof(h.title_room) - 1);
    snprintf(h.path, sizeof(h.path), "%s/%s", m->options.libexec_dir, g->config->runtime);

    if (g->config->chroot)
        return clone_template(g, &h);
    pid = fork();
    if (pid == 0)
        child_exec(&h);
    return pid < 0 ? -errno : pid;
}

int spawn_template(Generation *g)
{
    Manager *m = g->manager;
    const char *names[7 + LISTENERS_MAX];
    _cleanup_fd_ int spec_fd = -1, link_peer = -1, report_peer = -1, log_fd = -1, out = -1,
                     err = -1;
    size_t n = 0;
    int pair[2], r;
    pid_t pid;

    r = denied_open(g, &report_peer);
    if (r < 0)
        return r;
    names[n++] = "link";
    names[n++] = "handover";
    names[n++] = "park";
    names[n++] = log_journal_fd() >= 0 ? "journal" : "log";
    if (logfiles_access_fd(g->setup) >= 0)
        names[n++] = "access";
    if (report_peer >= 0)
        names[n++] = "report";
    for (size_t i = 0; i < m->listeners.n; i++)
        if (m->listeners.items[i].kind == LISTENER_REQUESTS)
            names[n++] = "listen";
    names[n] = NULL;

    r = make_spec(g, names);
    if (r < 0)
        return r;
    spec_fd = r;
    r = link_pair(pair);
    if (r < 0)
        return r;
    g->link_fd = pair[0];
    link_peer = pair[1];
    r = output_open(&g->out, m->event, "stdout", LOG_MESSAGE_TEMPLATE_OUTPUT, LOG_INFO, g->number,
                    &out);
    if (r == 0)
        r = output_open(&g->err, m->event, "stderr", LOG_MESSAGE_TEMPLATE_OUTPUT, LOG_NOTICE,
                        g->number, &err);
    if (r < 0)
        return r;
    /* A journal socket of its own: whoever holds ours could connect it elsewhere. Or our stderr,
     * not the captured one: what the runtime logs is no output of it. */
    log_fd = log_journal_fd() >= 0 ? log_open_journal() : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (log_fd < 0)
        return -errno;
    pid = fork_template(g, spec_fd, link_peer, log_fd, report_peer, out, err);
    if (pid < 0)
        return pid;
    g->template_pid = g->out.pid = g->err.pid = pid;
    return 0;
}

void spawn_porter_path(const Manager *m, char *path, size_t size)
{
    snprintf(path, size, "%s/fpmd-porter", m->options.libexec_dir);
}

/* It needs nothing of the pool file but these, and no environment: what is not there is no secret
 * to keep. The spec's fd or -errno. */
static int make_porter_spec(const Manager *m, const PoolConfig *c, const char *const *fd_names)
{
    static const char *const no_env[] = {NULL};
    _cleanup_buffer_ Buffer b = {0};
    const PoolConfig part = {.name = c->name,
                             .runtime = c->runtime,
                             .log_level = c->log_level,
                             .status_path = c->status_path,
                             .ping_path = c->ping_path,
                             .ping_response = c->ping_response,
                             .first_byte_timeout_usec = c->first_byte_timeout_usec,
                             .allowed_clients = c->allowed_clients,
                             .n_allowed_clients = c->n_allowed_clients};
    int r = spec_write(&b, &part, 0, m->moot, fd_names, no_env);

    return r < 0 ? r : fd_make_sealed("fpmd-porter-spec", b.data, b.size);
}

pid_t spawn_porter(Manager *m, const PoolSetup *setup, int link_peer, int out, int err)
{
    const char *names[PORTER_FDS + LISTENERS_MAX];
    int fds[PORTER_FDS + LISTENERS_MAX];
    _cleanup_fd_ int spec_fd = -1, log_fd = -1;
    Heritage h = {
        .out = out,
        .err = err,
        .fds = fds,
        .nofile_soft = m->nofile_hard, /* it holds connections of all workers */
        .config = setup->config,
        .confinement = confinement_of(setup),
    };
    size_t n = 0;
    pid_t pid;

    h.confinement.rlimit_files = RLIMIT_KEEP;
    h.confinement.rlimit_core = 0;
    log_fd = log_journal_fd() >= 0 ? log_open_journal() : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (log_fd < 0)
        return log_fd == -1 ? -errno : log_fd;
    h.n_fds = 1; /* the spec, see below */

#define GIVE(name, fd)                                                                             \
    do {                                                                                           \
        names[n++] = (name);                                                                       \
        fds[h.n_fds++] = (fd);                                                                     \
    } while (0)
    GIVE("link", link_peer);
    GIVE("handover", m->porter.handover[0]);
    GIVE("park", m->porter.park[0]);
    GIVE("repark", m->porter.park[1]);
    GIVE("slot", m->porter.slot_fd);
    GIVE(log_journal_fd() >= 0 ? "journal" : "log", log_fd);
    for (size_t i = 0; i < m->listeners.n; i++)
        GIVE(m->listeners.items[i].kind == LISTENER_STATUS ? "status" : "listen",
             m->listeners.items[i].fd);
    if (m->history_fd >= 0)
        GIVE("history", m->history_fd);
#undef GIVE
    names[n] = NULL;
    spec_fd = make_porter_spec(m, setup->config, names);
    if (spec_fd < 0)
        return TAKE_FD(spec_fd);
    fds[0] = spec_fd;
    memset(h.title_room, ' ', sizeof(h.title_room) - 1);
    spawn_porter_path(m, h.path, sizeof(h.path));
    pid = fork();
    if (pid == 0)
        child_exec(&h);
    return pid < 0 ? -errno : pid;
}

pid_t spawn_child(void (*f)(int fd, void *userdata), void *userdata, int *ret_fd)
{
    int pair[2];
    pid_t pid;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid == 0) {
        fd_close(pair[0]);
        child_set_up_signals();
        f(pair[1], userdata);
        _exit(EXIT_STATUS_SOFTWARE);
    }
    if (pid < 0) {
        pid = -errno;
        fd_close(pair[0]);
    } else
        *ret_fd = pair[0];
    fd_close(pair[1]);
    return pid;
}
