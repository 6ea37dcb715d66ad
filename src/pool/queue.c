#include "pool/queue.h"

/* The ring reaches back to four times the limit. */
#define SAMPLES_PER_TIMEOUT 32

static const QueueSample *queue_last(const QueueClock *q)
{
    return q->n > 0 ? &q->samples[(q->first + q->n - 1) % QUEUE_SAMPLES] : NULL;
}

void queue_note(QueueClock *q, uint64_t taken, unsigned queued, uint64_t timeout_usec,
                uint64_t now_usec)
{
    const QueueSample *last = queue_last(q);
    QueueSample sample = {.at_usec = now_usec, .arrivals = taken + queued};

    if (queued == 0) {
        q->first = q->n = 0;
        return;
    }
    if (last && now_usec - last->at_usec < timeout_usec / SAMPLES_PER_TIMEOUT)
        return;
    /* A connection that is taken between the two readings is in neither. */
    if (last && sample.arrivals < last->arrivals)
        sample.arrivals = last->arrivals;
    if (q->n == QUEUE_SAMPLES) {
        q->first = (q->first + 1) % QUEUE_SAMPLES;
        q->n--;
    }
    q->samples[(q->first + q->n++) % QUEUE_SAMPLES] = sample;
}

unsigned queue_overdue(const QueueClock *q, uint64_t taken, unsigned queued, uint64_t timeout_usec,
                       uint64_t now_usec)
{
    uint64_t arrivals = 0;

    /* The latest count that is old enough: those that it counts have waited since then at least. */
    for (unsigned i = 0; i < q->n; i++) {
        const QueueSample *s = &q->samples[(q->first + i) % QUEUE_SAMPLES];

        if (now_usec - s->at_usec < timeout_usec)
            break;
        arrivals = s->arrivals;
    }
    if (arrivals <= taken)
        return 0;
    return (unsigned)MIN(arrivals - taken, (uint64_t)queued);
}
