#include "manager/leftover.h"

#include "base/fd.h"
#include "base/parse.h"
#include "log/log.h"
#include "manager/limits_private.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A shell that is killed leaves its program, and that one its own: each look ends one layer. */
static const uint64_t rounds_usec[] = {1 * USEC_PER_MSEC, 20 * USEC_PER_MSEC, 50 * USEC_PER_MSEC,
                                       200 * USEC_PER_MSEC};

int leftover_children(pid_t **ret, size_t *ret_n)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_free_ pid_t *pids = NULL;
    char *save = NULL;
    size_t n = 0, size;
    /* proc(5): of a thread; what is inherited goes to our only one. */
    int r = fd_read_file("/proc/thread-self/children", 16 * 1024 * 1024, &text, &size);

    if (r < 0)
        return r;
    pids = calloc(size / 2 + 1, sizeof(pid_t));
    if (!pids)
        return -ENOMEM;
    for (char *word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
        uint64_t pid;

        if (parse_u64(word, 1, INT32_MAX, &pid) == 0)
            pids[n++] = (pid_t)pid;
    }
    *ret = TAKE_PTR(pids);
    *ret_n = n;
    return 0;
}

void leftover_expect(Manager *m, Leftover *l, pid_t worker)
{
    /* Every process of a generation has the session of its template, unless it made one of its own
     * to live on (setsid); those of the manager's own helpers is another. */
    l->session = getsid(worker);
    l->source = sd_event_source_disable_unref(l->source);
    if (!l->before && leftover_children(&l->before, &l->n_before) < 0)
        l->session = -1;
}

static bool was_there(const Leftover *l, pid_t pid)
{
    for (size_t i = 0; i < l->n_before; i++)
        if (l->before[i] == pid)
            return true;
    return false;
}

static bool is_ours(Manager *m, pid_t pid)
{
    for (const Generation *g = m->generations; g; g = g->next)
        if (g->template_pid == pid || g->changer.pid == pid)
            return true;
    return worker_find(m, pid);
}

/* A worker that was forked but has not been heard of looks like what we search. */
static bool is_any_unknown(const Manager *m)
{
    for (const Worker *w = m->workers; w; w = w->next)
        if (w->pid <= 0 && w->phase != WORKER_DEAD)
            return true;
    return false;
}

static unsigned end_new_ones(Manager *m, const Leftover *l)
{
    _cleanup_free_ pid_t *pids = NULL;
    size_t n;
    unsigned ended = 0;

    if (l->session <= 0 || is_any_unknown(m) || leftover_children(&pids, &n) < 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!was_there(l, pids[i]) && !is_ours(m, pids[i]) && getsid(pids[i]) == l->session &&
            kill(pids[i], SIGKILL) == 0)
            ended++;
    return ended;
}

static void set_round(Manager *m, Leftover *l);

static int on_round(sd_event_source *source, uint64_t usec, void *userdata)
{
    Manager *m = userdata;
    Leftover *l = &m->limits->leftover;
    unsigned n = end_new_ones(m, l);

    if (n > 0)
        log_notice("%u processes that an ended request had left behind were ended", n);
    set_round(m, l);
    return 0;
}

static void set_round(Manager *m, Leftover *l)
{
    l->source = sd_event_source_disable_unref(l->source);
    if (l->n_rounds < ARRAY_SIZE(rounds_usec) &&
        sd_event_add_time_relative(m->event, &l->source, CLOCK_MONOTONIC,
                                   rounds_usec[l->n_rounds++], USEC_PER_MSEC, on_round, m) >= 0)
        return;
    free(TAKE_PTR(l->before));
    l->n_before = 0;
}

void leftover_end(Manager *m, Leftover *l)
{
    l->n_rounds = 0;
    set_round(m, l);
}

void leftover_done(Leftover *l)
{
    l->source = sd_event_source_disable_unref(l->source);
    free(TAKE_PTR(l->before));
    l->n_before = 0;
}
