#include "manager/manager.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <string.h>

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

void worker_identify_output(Worker *w)
{
    output_identify(&w->out, w->pid, w->mark_key, w->slot);
    output_identify(&w->err, w->pid, w->mark_key, w->slot);
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
    worker_identify_output(w);
    if (r == 0 && w->life_line >= 0)
        r = worker_watch_line(w);
    if (r < 0)
        return r;
    if (w->phase == WORKER_ENDING)
        worker_end_soon(w);
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
