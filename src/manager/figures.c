#include "manager/manager.h"

#include "base/clock.h"

#include <errno.h>
#include <time.h>

/* What a worker can count within one look at its slot. */
#define COUNT_PLAUSIBLE UINT64_C(100000000)
#define BYTES_PLAUSIBLE (UINT64_C(1) << 48)

/* The share of a processor is an average over this time at least. */
#define SHARE_USEC (2 * USEC_PER_SEC)

/* A counter is the worker's word: it may only grow, and not faster than a machine can. Returns by
 * how much it has grown. */
static uint64_t take_growth(Manager *m, uint64_t *counted, uint64_t now, uint64_t plausible)
{
    uint64_t growth = now > *counted ? now - *counted : 0;

    *counted += growth;
    if (growth <= plausible)
        return growth;
    m->absurd_messages++;
    return 0;
}

static void add_list(Worker *w, uint64_t *counted, const uint64_t *now, uint64_t *sum, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += take_growth(w->manager, &counted[i], now[i], COUNT_PLAUSIBLE);
}

static void add_counters(Worker *w, const BoardSlot *slot)
{
    Manager *m = w->manager;
    const struct {
        uint64_t *counted, now, *sum, plausible;
    } counters[] = {
        {&w->counted.requests, slot->requests, &m->requests, COUNT_PLAUSIBLE},
        {&w->counted.pings, slot->pings, &m->pings, COUNT_PLAUSIBLE},
        {&w->counted.accepted, slot->accepted, &m->accepted, COUNT_PLAUSIBLE},
        {&w->counted.abandoned, slot->abandoned, &m->abandoned, COUNT_PLAUSIBLE},
        {&w->counted.read_timeouts, slot->read_timeouts, &m->read_timeouts, COUNT_PLAUSIBLE},
        {&w->counted.stopped, slot->stopped, &m->scripts_stopped, COUNT_PLAUSIBLE},
        {&w->counted.protocol_errors, slot->protocol_errors, &m->protocol_errors, COUNT_PLAUSIBLE},
        {&w->counted.answered, slot->answered, &m->answered, COUNT_PLAUSIBLE},
        {&w->counted.records_dropped, slot->records_dropped, &m->worker_records_dropped,
         COUNT_PLAUSIBLE},
        {&w->counted.bytes_in, slot->bytes_in, &m->bytes_in, BYTES_PLAUSIBLE},
        {&w->counted.bytes_out, slot->bytes_out, &m->bytes_out, BYTES_PLAUSIBLE},
        {&w->counted.latency_sum_usec, slot->latency_sum_usec, &m->latency_sum_usec,
         BYTES_PLAUSIBLE},
    };

    for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
        *counters[i].sum +=
            take_growth(m, counters[i].counted, counters[i].now, counters[i].plausible);
    add_list(w, w->counted.outcomes, slot->outcomes, m->outcomes, _BOARD_OUTCOME_MAX);
    add_list(w, w->counted.latency, slot->latency, m->latency, BOARD_LATENCY_BUCKETS);
}

/* A cache of the worker's own, which counts from 0 again when it begins anew. */
static void add_opcache(Worker *w, const BoardOpcache *now)
{
    BoardOpcache *counted = &w->counted.opcache, *sum = &w->generation->opcache;

    if (now->seen_usec == 0)
        return;
    if (now->hits < counted->hits || now->misses < counted->misses)
        counted->hits = counted->misses = 0;
    sum->hits += take_growth(w->manager, &counted->hits, now->hits, COUNT_PLAUSIBLE);
    sum->misses += take_growth(w->manager, &counted->misses, now->misses, COUNT_PLAUSIBLE);
    sum->restarts += take_growth(w->manager, &counted->restarts, now->restarts, COUNT_PLAUSIBLE);
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
    if (w->generation->config->sandbox_opcache_private)
        add_opcache(w, &ret->opcache);
    if (ret->requests > 0)
        m->last_active_usec = MAX(m->last_active_usec, ret->last_active_usec);
}

/* By the clock of the process, which needs neither a right nor /proc: that of workers is hidden
 * from us (ProtectProc=invisible). */
void worker_look_at_cpu(Worker *w, uint64_t now_usec)
{
    struct timespec time;
    clockid_t clock;
    uint64_t usec;

    if (w->pid <= 0 || clock_getcpuclockid(w->pid, &clock) != 0 || clock_gettime(clock, &time) < 0)
        return;
    usec = (uint64_t)time.tv_sec * USEC_PER_SEC + (uint64_t)time.tv_nsec / 1000;
    if (usec < w->cpu_usec)
        return;
    w->manager->cpu_usec += usec - w->cpu_usec;
    w->cpu_usec = usec;
    if (w->cpu_base_at_usec == 0) {
        w->cpu_base_at_usec = w->started_usec;
        w->cpu_base_usec = 0;
    }
    if (now_usec < w->cpu_base_at_usec + SHARE_USEC)
        return;
    w->cpu_permille = (usec - w->cpu_base_usec) * 1000 / (now_usec - w->cpu_base_at_usec);
    w->cpu_base_at_usec = now_usec;
    w->cpu_base_usec = usec;
}

void figures_note_crash(Worker *w, const BoardSlot *slot)
{
    /* After FINISHING nobody waits for an answer any more. */
    if (slot->state == WORKER_STATE_RUNNING || slot->state == WORKER_STATE_READING)
        w->manager->crashed_requests++;
}

void figures_note_ended(Worker *w, const BoardSlot *slot, uint64_t now_usec)
{
    Manager *m = w->manager;
    bool is_late =
        w->stop_asked_usec > 0 && w->stop_asked_request_usec == slot->request_started_usec;
    uint64_t usec = now_usec - MIN(slot->request_started_usec, now_usec);

    if (slot->state != WORKER_STATE_RUNNING)
        return;
    m->answered++;
    m->outcomes[is_late ? BOARD_OUTCOME_TIMED_OUT : BOARD_OUTCOME_SERVER_ERROR]++;
    m->latency[board_latency_bucket(usec)]++;
    m->latency_sum_usec += usec;
}

unsigned figures_note_queue(Manager *m, uint64_t now_usec, uint64_t *ret_age_usec)
{
    unsigned queued = listeners_queued(&m->listeners, 1);

    queue_note(&m->wait_clock, m->accepted, queued, 0, now_usec);
    *ret_age_usec = queued > 0 ? queue_age_usec(&m->wait_clock, m->accepted, now_usec) : 0;
    m->queue_wait_max_usec = MAX(m->queue_wait_max_usec, *ret_age_usec);
    m->queued_max = MAX(m->queued_max, queued);
    return queued;
}
