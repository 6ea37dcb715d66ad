#include "base/clock.h"
#include "base/exit_status.h"
#include "base/fd.h"
#include "link/control.h"
#include "log/log.h"
#include "manager/logfile.h"
#include "manager/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A manager from the state of the program that ran before in this process. Nothing is undone when a
 * step fails: that is a crash like any other, the workers see their life lines close. */

typedef struct Known {
    int *fds;
    size_t n;
} Known;

static void known_done(Known *k)
{
    free(k->fds);
}

static int know(int fd, void *userdata)
{
    Known *k = userdata;
    int *grown = reallocarray(k->fds, k->n + 1, sizeof(int));

    if (!grown)
        return -ENOMEM;
    k->fds = grown;
    k->fds[k->n++] = fd;
    return 0;
}

static int compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* What we do not know was inherited by mistake, or belongs to a later version. */
static int close_others(const State *s)
{
    _cleanup_(known_done) Known k = {0};
    unsigned next = STDERR_FILENO + 1;
    int r = state_each_fd(s, know, &k);

    for (size_t i = 0; i < k.n && r == 0; i++)
        r = fd_set_cloexec(k.fds[i], true);
    if (r == 0 && log_journal_fd() >= 0)
        r = know(log_journal_fd(), &k);
    if (r < 0)
        return r;
    qsort(k.fds, k.n, sizeof(int), compare_fds);
    for (size_t i = 0; i < k.n; i++) {
        if ((unsigned)k.fds[i] > next)
            close_range(next, (unsigned)k.fds[i] - 1, 0);
        next = (unsigned)k.fds[i] + 1;
    }
    return fd_close_from((int)next);
}

static int restore_listeners(Manager *m, const State *s)
{
    int r = 0;

    for (size_t i = 0; i < s->n_listeners && r == 0; i++) {
        const Listener *l = s->listeners[i];

        r = listeners_add(&m->listeners, l->kind, l->fd, l->text, l->unlink);
    }
    return r < 0 ? r : listeners_set_up(&m->listeners);
}

/* fd: that of the state; the output has nothing yet. */
static int restore_output(Manager *m, Output *o, const char *stream, LogMessage message,
                          unsigned generation, pid_t pid)
{
    int fd = o->fd;

    o->fd = -1;
    if (fd < 0)
        return 0;
    return output_adopt(o, m->event, stream, message,
                        strcmp(stream, "stdout") == 0 ? LOG_INFO : LOG_NOTICE, generation, fd, pid);
}

static int restore_outputs(Manager *m, Output *out, Output *err, LogMessage message,
                           unsigned generation, pid_t pid)
{
    int r = restore_output(m, out, "stdout", message, generation, pid);

    return r < 0 ? r : restore_output(m, err, "stderr", message, generation, pid);
}

static int restore_generation(Manager *m, Generation *g)
{
    int r;

    g->manager = m;
    g->config = g->setup->config;
    g->changer.fd = -1;
    r = restore_outputs(m, &g->out, &g->err, LOG_MESSAGE_TEMPLATE_OUTPUT, g->number,
                        g->template_pid);
    if (r < 0)
        return r;
    if (g->state == GENERATION_CURRENT)
        m->current = g;
    return generation_adopt(g);
}

static int restore_generations(Manager *m, State *s)
{
    size_t n = s->n_generations;
    int r = 0;

    for (size_t i = 0; i < s->n_setups; i++) {
        s->setups[i]->limits = policy_limits(s->setups[i]->config);
        logfiles_adopt(s->setups[i]);
    }
    /* They are the manager's from here on. */
    s->n_generations = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = restore_generation(m, s->generations[i]);
    return r;
}

static int restore_workers(Manager *m, State *s)
{
    size_t n = s->n_workers;
    int r = 0;

    s->n_workers = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        Worker *w = s->workers[i];

        w->manager = m;
        r = restore_outputs(m, &w->out, &w->err, LOG_MESSAGE_WORKER_OUTPUT, w->generation->number,
                            w->pid);
        if (r == 0)
            r = worker_adopt(w);
    }
    return r;
}

static void on_orphans_gone(void *userdata)
{
    settle_later(userdata);
}

static int restore_orphans(Manager *m, const State *s)
{
    _cleanup_free_ int *pidfds = calloc(s->n_orphans + 1, sizeof(int));
    uint64_t now_usec = clock_monotonic_usec();

    if (s->n_orphans == 0)
        return 0;
    if (!pidfds)
        return -ENOMEM;
    for (size_t i = 0; i < s->n_orphans; i++)
        pidfds[i] = s->orphans[i]->pidfd;
    return orphans_restore(&m->orphans, m->event, pidfds, s->n_orphans,
                           MAX(s->orphans_until_usec, now_usec) - now_usec, on_orphans_gone, m);
}

static int restore_peers(Manager *m, const State *s)
{
    int r = m->control_fd < 0 ? 0 : control_watch(m);

    /* Each is put before the others. One that is lost sees its connection close. */
    for (size_t i = s->n_peers; i > 0 && r == 0; i--)
        if (control_adopt(m, s->peers[i - 1]->fd, s->peers[i - 1]) < 0)
            fd_close(s->peers[i - 1]->fd);
    return r;
}

/* The loop runs and systemd knows it; what runs for the pool comes back piece by piece. */
static int restore(Manager *m, State *s)
{
    Porter *p = &m->porter;
    int r = 0;

    if (s->notify_path)
        r = notifier_set(&m->notifier, s->notify_path);
    /* It had a third of the time at most, and another third must not go by before the next. */
    notifier_send(&m->notifier, "WATCHDOG=1");
    state_move_manager(s, m);
    if (r == 0)
        r = restore_outputs(m, &p->out, &p->err, LOG_MESSAGE_NONE, 0, p->pid);
    if (r == 0)
        r = restore_listeners(m, s);
    if (r == 0)
        r = restore_generations(m, s);
    if (r == 0)
        r = restore_workers(m, s);
    if (r == 0)
        r = restore_orphans(m, s);
    if (r == 0)
        r = restore_peers(m, s);
    return r;
}

static void tell(Manager *m, const State *s)
{
    const char *before = s->version ?: "of an unknown version";
    char text[128];
    LogRecord r;

    log_set_max_priority(m->current->config->log_level);
    log_record_begin(&r, LOG_NOTICE, LOG_MESSAGE_MANAGER_REPLACED);
    log_record_field(&r, "VERSION", "%s", FPMD_VERSION);
    log_record_field(&r, "VERSION_BEFORE", "%s", before);
    log_record_field(&r, "WORKERS", "%u", m->n_workers);
    log_record_send(&r, "Runs fpmd %s now, which has taken over from fpmd %s with %u workers",
                    FPMD_VERSION, before, m->n_workers);
    snprintf(text, sizeof(text), "runs fpmd %s now", FPMD_VERSION);
    control_reply(m, CONTROL_REEXEC, 0, text);
}

static int take_over(Manager *m, State *s)
{
    int r = restore(m, s);

    if (r < 0)
        return r;
    m->state = MANAGER_READY;
    m->restored = true;
    m->scale_wanted = m->poke_wanted = true;
    /* It was executed for the reload that waits, which does not ask for that again: where another
     * program stands at its name for good (a wrapper's exec -a), there would be no end of it. */
    if (m->reload_wanted)
        m->reexec_refused = m->reload_number + 1;
    tell(m, s);
    /* Whoever has ended meanwhile: the signal may have come before there was a signalfd for it. */
    kill(getpid(), SIGCHLD);
    return 0;
}

int manager_restore(const ManagerOptions *options, const Privileges *privileges, int fd,
                    Manager **ret)
{
    _cleanup_(manager_freep) Manager *m = NULL;
    _cleanup_(state_done) State s = {0};
    _cleanup_free_ char *text = NULL;
    const char *error = NULL;
    size_t n;
    int r = fd_read_all(fd, STATE_MAX_BYTES, &text, &n);

    if (r == 0)
        r = state_read(text, n, &s, &error);
    if (r == 0)
        r = close_others(&s);
    if (r == 0)
        r = manager_new(options, privileges, &m);
    if (r == 0)
        r = take_over(m, &s);
    if (r < 0) {
        log_text(LOG_ERR, LOG_MESSAGE_START_FAILED,
                 "The state of the program before cannot be taken over: %s",
                 error ? error : strerror(-r));
        return r;
    }
    *ret = TAKE_PTR(m);
    return 0;
}

int reexec_check(int fd)
{
    _cleanup_(state_done) State s = {0};
    _cleanup_free_ char *text = NULL;
    const char *error = NULL;
    size_t n;
    int r = fd_read_all(fd, STATE_MAX_BYTES, &text, &n);

    if (r == 0)
        r = state_read(text, n, &s, &error);
    if (r < 0) {
        fprintf(stderr, "fpmd %s does not understand the state: %s\n", FPMD_VERSION,
                error ? error : strerror(-r));
        return EXIT_STATUS_STATE;
    }
    puts(STATE_PROOF FPMD_VERSION);
    return fflush(stdout) == 0 ? EXIT_STATUS_OK : EXIT_STATUS_STATE;
}
