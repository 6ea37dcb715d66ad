#include "manager/manager.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <string.h>

/* More than this of anything between two looks at a slot is a lie. */
#define COUNT_PLAUSIBLE UINT64_C(100000000)

/* ---- the list, in order of registration ---- */

static void worker_link(Worker *w)
{
    Manager *m = w->manager;

    w->prev = m->workers_last;
    w->next = NULL;
    if (m->workers_last)
        m->workers_last->next = w;
    else
        m->workers = w;
    m->workers_last = w;
}

static void worker_unlink(Worker *w)
{
    Manager *m = w->manager;

    if (w->prev)
        w->prev->next = w->next;
    else
        m->workers = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        m->workers_last = w->prev;
}

void worker_move_last(Worker *w)
{
    worker_unlink(w);
    worker_link(w);
}

/* The lowest number that no living worker has. -ENOMEM, or 0 with *ret. */
static int take_slot_number(Manager *m, unsigned *ret)
{
    uint64_t *grown;

    for (size_t i = 0; i < m->n_slot_map; i++)
        if (~m->slot_map[i]) {
            unsigned bit = (unsigned)__builtin_ctzll(~m->slot_map[i]);

            m->slot_map[i] |= UINT64_C(1) << bit;
            *ret = (unsigned)i * 64 + bit;
            return 0;
        }
    grown = reallocarray(m->slot_map, m->n_slot_map + 1, sizeof(uint64_t));
    if (!grown)
        return -ENOMEM;
    m->slot_map = grown;
    m->slot_map[m->n_slot_map] = 1;
    *ret = (unsigned)m->n_slot_map++ * 64;
    return 0;
}

int worker_add(Generation *g, Worker **ret)
{
    Manager *m = g->manager;
    Worker *w = calloc(1, sizeof(*w));
    int r;

    if (!w)
        return -ENOMEM;
    *w = (Worker){
        .manager = m,
        .generation = g,
        .life_line = -1,
        .slot_fd = -1,
        .out = {.fd = -1},
        .err = {.fd = -1},
        .started_usec = clock_monotonic_usec(),
    };
    r = take_slot_number(m, &w->slot_number);
    if (r < 0) {
        free(w);
        return r;
    }
    worker_link(w);
    m->n_workers++;
    g->n_workers++;
    *ret = w;
    return 0;
}

/* The number of one that is adopted. */
static int claim_slot_number(Manager *m, unsigned number)
{
    size_t n = number / 64 + 1;

    if (n > m->n_slot_map) {
        uint64_t *grown = reallocarray(m->slot_map, n, sizeof(uint64_t));

        if (!grown)
            return -ENOMEM;
        memset(grown + m->n_slot_map, 0, (n - m->n_slot_map) * sizeof(uint64_t));
        m->slot_map = grown;
        m->n_slot_map = n;
    }
    m->slot_map[number / 64] |= UINT64_C(1) << number % 64;
    return 0;
}

int worker_adopt(Worker *w)
{
    Manager *m = w->manager;
    int r = claim_slot_number(m, w->slot_number);

    if (r < 0)
        return r;
    worker_link(w);
    m->n_workers++;
    w->generation->n_workers++;
    r = board_map(w->slot_fd, &w->slot);
    if (r == 0 && w->life_line >= 0)
        r = worker_watch_line(w);
    if (r < 0)
        return r;
    if (w->phase == WORKER_ENDING)
        worker_end_soon(w);
    else if (w->for_status && w->phase == WORKER_RETIRED)
        scale_status_retired(w);
    return 0;
}

Worker *worker_free(Worker *w)
{
    Generation *g;

    if (!w)
        return NULL;
    g = w->generation;
    worker_unlink(w);
    w->manager->slot_map[w->slot_number / 64] &= ~(UINT64_C(1) << w->slot_number % 64);
    w->manager->n_workers--;
    g->n_workers--;
    output_close(&w->out);
    output_close(&w->err);
    sd_event_source_disable_unref(w->life_source);
    sd_event_source_disable_unref(w->end_source);
    fd_close(w->life_line);
    fd_close(w->slot_fd);
    board_unmap(w->slot);
    free(w);
    return NULL;
}

Worker *worker_find(Manager *m, pid_t pid)
{
    for (Worker *w = m->workers; w; w = w->next)
        if (w->pid == pid && w->phase != WORKER_DEAD)
            return w;
    return NULL;
}

void workers_bury(Manager *m)
{
    Worker *next;

    for (Worker *w = m->workers; w; w = next) {
        next = w->next;
        if (w->phase == WORKER_DEAD)
            worker_free(w);
    }
}

/* ---- the slot ---- */

/* A counter is the worker's word: it may only grow, and not faster than a machine can. Returns by
 * how much it has grown. */
static uint64_t take_growth(Manager *m, uint64_t *counted, uint64_t now)
{
    uint64_t growth = now > *counted ? now - *counted : 0;

    *counted += growth;
    if (growth <= COUNT_PLAUSIBLE)
        return growth;
    m->absurd_messages++;
    return 0;
}

static void add_counters(Worker *w, const BoardSlot *slot)
{
    Manager *m = w->manager;
    const struct {
        uint64_t *counted, now, *sum;
        bool of_status; /* counts for a worker of pm.status_listen as well */
    } counters[] = {
        {&w->counted.requests, slot->requests, &m->requests, false},
        {&w->counted.pings, slot->pings, &m->pings, false},
        {&w->counted.accepted, slot->accepted, &m->accepted, false},
        {&w->counted.abandoned, slot->abandoned, &m->abandoned, true},
        {&w->counted.read_timeouts, slot->read_timeouts, &m->read_timeouts, true},
        {&w->counted.stopped, slot->stopped, &m->scripts_stopped, true},
        {&w->counted.protocol_errors, slot->protocol_errors, &m->protocol_errors, true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        uint64_t growth = take_growth(m, counters[i].counted, counters[i].now);

        if (counters[i].of_status || !w->for_status)
            *counters[i].sum += growth;
    }
}

void worker_read_slot(Worker *w, uint64_t now_usec, BoardSlot *ret)
{
    Manager *m = w->manager;
    int r = board_read(w->slot, now_usec, ret);

    if (r == -EBADMSG) {
        *ret = (BoardSlot){.version = BOARD_SLOT_VERSION, .state = WORKER_STATE_RUNNING};
        m->absurd_messages++;
    }
    add_counters(w, ret);
    if (ret->requests > 0 && !w->for_status)
        m->last_active_usec = MAX(m->last_active_usec, ret->last_active_usec);
}
