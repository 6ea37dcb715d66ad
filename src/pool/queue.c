#include "pool/queue.h"

/* The ring reaches back to four times the limit. */
#define SAMPLES_PER_TIMEOUT 32

static const QueueSample *queue_last(const QueueClock *q)
{
    return q->n > 0 ? &q->samples[(q->first + q->n - 1) % QUEUE_SAMPLES] : NULL;
}

/* Those whom the oldest samples count are all taken: they tell nothing any more. */
static void forget_taken(QueueClock *q, uint64_t taken)
{
    while (q->n > 0 && q->samples[q->first].arrivals <= taken) {
        q->first = (q->first + 1) % QUEUE_SAMPLES;
        q->n--;
    }
}

static QueueSample *sample_at(QueueClock *q, unsigned i)
{
    return &q->samples[(q->first + i) % QUEUE_SAMPLES];
}

/* Room for more: with a limit only what is not much older matters, else all the time since the
 * oldest, in even steps. */
static void make_room(QueueClock *q, bool has_limit, uint64_t now_usec)
{
    uint64_t step_usec = (now_usec - sample_at(q, 0)->at_usec) / (QUEUE_SAMPLES / 2);
    unsigned n = 1;

    for (unsigned i = 1; i < q->n && !has_limit; i++)
        if (sample_at(q, i)->at_usec - sample_at(q, n - 1)->at_usec >= step_usec)
            *sample_at(q, n++) = *sample_at(q, i);
    /* They may be of one moment. */
    if (has_limit || n == QUEUE_SAMPLES) {
        q->first = (q->first + 1) % QUEUE_SAMPLES;
        n = QUEUE_SAMPLES - 1;
    }
    q->n = n;
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
    forget_taken(q, taken);
    if (q->n == QUEUE_SAMPLES)
        make_room(q, timeout_usec > 0, now_usec);
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

uint64_t queue_age_usec(const QueueClock *q, uint64_t taken, uint64_t now_usec)
{
    for (unsigned i = 0; i < q->n; i++) {
        const QueueSample *s = &q->samples[(q->first + i) % QUEUE_SAMPLES];

        if (s->arrivals > taken)
            return now_usec - MIN(s->at_usec, now_usec);
    }
    return 0;
}
