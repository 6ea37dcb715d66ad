#include "runtime/template.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/fd.h"
#include "base/trim.h"
#include "link/message.h"
#include "log/log.h"
#include "runtime/access.h"
#include "runtime/filter.h"
#include "runtime/layer.h"
#include "runtime/trace.h"
#include "runtime/worker.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Without an order for so long, it may be a while until the next. */
#define REST_MSEC 1000

static void tell_missing(size_t n, int error)
{
    log_text(LOG_ERR, LOG_MESSAGE_WORKERS_MISSING, "%zu %s cannot be forked: %s", n,
             n == 1 ? "worker" : "workers", strerror(error));
}

/* The intermediate's half: workers whose parent is gone become children of the manager, the nearest
 * subreaper, which then learns their exit status from the kernel. One intermediate per order, since
 * each costs as much as a worker. */
_noreturn_ static void fork_workers(const RuntimeSpec *spec, const Engine *engine,
                                    const SeccompFilter *filter, int *fds, size_t n_fds,
                                    unsigned flags)
{
    for (size_t i = 0; i < n_fds; i += LINK_FORK_FDS) {
        pid_t pid = fork();

        if (pid < 0) {
            int error = errno;

            log_forget();
            tell_missing((n_fds - i) / LINK_FORK_FDS, error);
            _exit(EXIT_STATUS_FORK);
        }
        if (pid == 0) {
            WorkerFds own = {
                .slot = TAKE_FD(fds[i + LINK_FORK_FD_SLOT]),
                .life_line = TAKE_FD(fds[i + LINK_FORK_FD_LIFE_LINE]),
                .out = TAKE_FD(fds[i + LINK_FORK_FD_STDOUT]),
                .err = TAKE_FD(fds[i + LINK_FORK_FD_STDERR]),
            };

            for (size_t k = 0; k < n_fds; k++)
                fd_close(fds[k]);
            worker_run(spec, engine, filter, &own, flags);
        }
    }
    _exit(EXIT_STATUS_OK);
}

static void on_fork_order(const RuntimeSpec *spec, const Engine *engine,
                          const SeccompFilter *filter, int *fds, size_t n_fds, unsigned flags)
{
    pid_t pid;
    int status;

    pid = fork();
    if (pid == 0)
        fork_workers(spec, engine, filter, fds, n_fds, flags);
    if (pid < 0) {
        tell_missing(n_fds / LINK_FORK_FDS, errno);
        return;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) ||
        (WEXITSTATUS(status) != EXIT_STATUS_OK && WEXITSTATUS(status) != EXIT_STATUS_FORK))
        log_error("The process that forks %zu workers has died of %s %d", n_fds / LINK_FORK_FDS,
                  WIFEXITED(status) ? "status" : "signal",
                  WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/*
 * The manager may have changed our root (chroot of the pool file) before it orders workers. What an
 * extension or a preload script holds open then leads out again if it is a folder (openat(2)), for
 * any script that gets at its number. 0 or the exit status.
 */
static int check_root(const struct stat *first)
{
    struct rlimit limit;
    struct stat st;

    if (stat("/", &st) < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        log_error("The root directory cannot be looked at: %s", strerror(errno));
        return EXIT_STATUS_CHROOT;
    }
    if (st.st_dev == first->st_dev && st.st_ino == first->st_ino)
        return 0;
    for (int fd = 0; (rlim_t)fd < limit.rlim_cur; fd++)
        if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
            log_error("Descriptor %d, which an extension or the preload script has opened, is a "
                      "folder outside of the root of the pool",
                      fd);
            return EXIT_STATUS_CHROOT;
        }
    return 0;
}

/* What the start and orders needed, in pages of programs and of the stack. */
static void rest(void)
{
    _cleanup_fd_ int fd = trim_open();

    trim_code(fd);
    trim_stack();
}

/* Call stacks are waited for here. rested: nothing was done since rest(). False: the link has
 * nothing yet. */
static bool wait_link(int link_fd, bool *rested)
{
    struct pollfd p = {.fd = link_fd, .events = POLLIN};
    int timeout = trace_timeout_msec(), n;

    if (timeout < 0 && *rested)
        return true; /* link_receive() waits */
    n = poll(&p, 1, timeout < 0 ? REST_MSEC : timeout);
    if (n < 0)
        return false;
    if (timeout >= 0)
        trace_look(link_fd, clock_monotonic_usec());
    else if (n == 0) {
        rest();
        *rested = true;
    }
    return p.revents != 0;
}

/* 0 or the exit status of the template. */
static int obey(const RuntimeSpec *spec, const Engine *engine, const SeccompFilter *filter,
                const struct stat *root, const LinkMessage *m, int *fds, size_t n_fds)
{
    static bool checked;

    if (m->type == LINK_TRACE && n_fds == 1)
        trace_take_order(fds[0], spec->link_fd, clock_monotonic_usec());
    else if (m->type == LINK_REOPEN && n_fds == 1)
        access_replace(spec, TAKE_FD(fds[0])); /* for workers to come */
    else if (m->type == LINK_FORK && m->count > 0 && m->count <= LINK_FORK_MAX &&
             n_fds == m->count * LINK_FORK_FDS) {
        int status = checked ? 0 : check_root(root);

        if (status != 0)
            return status;
        checked = true;
        on_fork_order(spec, engine, filter, fds, n_fds, m->flags);
    } else
        log_error("Ignoring message %u of the manager", m->type);
    return 0;
}

static int template_loop(const RuntimeSpec *spec, const Engine *engine, const SeccompFilter *filter,
                         const struct stat *root)
{
    bool rested = false;

    for (;;) {
        int fds[LINK_FORK_MAX * LINK_FORK_FDS];
        size_t n_fds = 0;
        LinkMessage m;
        int r, status;

        if (!wait_link(spec->link_fd, &rested))
            continue;
        rested = false;
        r = link_receive(spec->link_fd, 0, &m, fds, ARRAY_SIZE(fds), &n_fds, NULL);
        if (r == 0)
            return EXIT_STATUS_OK;
        if (r < 0) {
            log_error("Link to the manager is broken: %s", strerror(-r));
            return EXIT_STATUS_LINK;
        }
        status = obey(spec, engine, filter, root, &m, fds, n_fds);
        if (status != 0)
            return status;
        /* Only the workers hold their ends now: when one dies, the manager sees the end of its life
         * line. */
        for (size_t i = 0; i < n_fds; i++)
            fd_close(fds[i]);
    }
}

static int report_failure(const RuntimeSpec *spec, const char *text)
{
    LinkMessage m = {.type = LINK_FAILED};

    snprintf(m.text, sizeof(m.text), "%s", text);
    return link_send(spec->link_fd, &m, NULL, 0);
}

static int report_ready(const RuntimeSpec *spec, const EngineReport *started)
{
    LinkMessage m = {
        .type = LINK_READY,
        .flags = spec->moot,
        .count = started->n_missing,
    };
    bool lacks = started->n_missing > 0 && started->reason;

    snprintf(m.text, sizeof(m.text), "%s%s%s", started->version, lacks ? "\n" : "",
             lacks ? started->reason : "");
    return link_send(spec->link_fd, &m, NULL, 0);
}

int template_run(RuntimeSpec *spec, const Engine *engine)
{
    _cleanup_(seccomp_filter_freep) SeccompFilter *worker_filter = NULL;
    EngineReport started = {.version = engine->name};
    LandlockOutcome landlock;
    const char *error = NULL;
    struct stat root;
    int r;

    r = layer_enter(spec, engine, &landlock);
    if (r < 0) {
        report_failure(spec, landlock.text);
        return EXIT_STATUS_LANDLOCK;
    }
    spec->moot |= landlock.moot;
    /* Before the language starts: none of its extensions ever runs without the filter. */
    r = filter_enter(spec, &worker_filter, &error);
    if (r < 0) {
        report_failure(spec, error);
        return EXIT_STATUS_SECCOMP;
    }

    if (stat("/", &root) < 0) {
        report_failure(spec, "the root directory cannot be looked at");
        return EXIT_STATUS_CHROOT;
    }
    r = engine->start(spec, &started);
    if (r < 0) {
        report_failure(spec, started.reason ? started.reason : strerror(-r));
        free(started.reason);
        return EXIT_STATUS_RUNTIME;
    }
    r = trace_template_start(engine);
    if (r == 0)
        r = report_ready(spec, &started);
    free(started.reason);
    if (r < 0)
        return EXIT_STATUS_LINK;
    /* While the manager makes its order: what PHP's start has freed is no memory of workers. */
    if (engine->rest)
        engine->rest();
    trim_heap();
    return template_loop(spec, engine, worker_filter, &root);
}
