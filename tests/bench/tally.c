#include "tally.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DETAILS_MAX 200
#define GOT_MAX     160

static const char *const failure_names[] = {
    [FAILURE_REFUSED] = "refused",   [FAILURE_CLOSED] = "closed", [FAILURE_CUT] = "cut",
    [FAILURE_WRONG] = "wrong",       [FAILURE_STATUS] = "status", [FAILURE_PROTOCOL] = "protocol",
    [FAILURE_TIMEOUT] = "timed_out",
};

void tally_done(Tally *t)
{
    free(t->samples);
    buffer_done(&t->details);
    *t = (Tally){0};
}

void tally_ok(Tally *t, uint64_t started_usec, uint64_t now_usec)
{
    t->ok++;
    if (t->n_samples == t->room_samples) {
        size_t room = t->room_samples ? 2 * t->room_samples : 65536;
        Sample *grown = reallocarray(t->samples, room, sizeof(*grown));

        if (!grown)
            return;
        t->samples = grown;
        t->room_samples = room;
    }
    t->samples[t->n_samples++] = (Sample){
        .end_usec = now_usec,
        .latency_usec = (uint32_t)MIN(now_usec - started_usec, (uint64_t)UINT32_MAX),
    };
}

void tally_connected(Tally *t, uint64_t nsec)
{
    t->connects[MIN(nsec / CONNECT_STEP_NSEC, (uint64_t)CONNECTS_SIZE - 1)]++;
}

/* Nanoseconds. */
static uint64_t connect_percentile(const Tally *t, unsigned percent)
{
    uint64_t n = 0, seen = 0;
    size_t i = 0;

    for (i = 0; i < CONNECTS_SIZE; i++)
        n += t->connects[i];
    if (n == 0)
        return 0;
    for (i = 0; (seen += t->connects[i]) <= (n - 1) * percent / 100; i++)
        continue;
    return i * CONNECT_STEP_NSEC;
}

static void put_text(Buffer *b, const char *text, size_t n)
{
    buffer_append(b, "\"", 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < ' ' || c > '~' || c == '"' || c == '\\')
            buffer_printf(b, "\\u%04x", c);
        else
            buffer_append(b, &text[i], 1);
    }
    buffer_append(b, "\"", 1);
}

void tally_failure(Tally *t, Failure failure, uint64_t now_usec, const char *id, unsigned status,
                   const char *got, size_t n)
{
    t->failures[failure]++;
    if (status < ARRAY_SIZE(t->statuses))
        t->statuses[status]++;
    if (t->n_details++ >= DETAILS_MAX)
        return;
    buffer_printf(&t->details,
                  "%s{\"at_usec\":%" PRIu64 ",\"kind\":\"%s\",\"id\":\"%s\",\"status\":%u,\"got\":",
                  t->details.size > 0 ? "," : "", now_usec, failure_names[failure], id ? id : "",
                  status);
    put_text(&t->details, got, got ? MIN(n, (size_t)GOT_MAX) : 0);
    buffer_append(&t->details, "}", 1);
}

uint64_t tally_failed(const Tally *t)
{
    uint64_t failed = 0;

    for (unsigned i = 0; i < _FAILURE_MAX; i++)
        failed += t->failures[i];
    return failed;
}

static int compare_latencies(const void *a, const void *b)
{
    uint32_t x = ((const Sample *)a)->latency_usec, y = ((const Sample *)b)->latency_usec;

    return x < y ? -1 : x > y;
}

static int compare_ends(const void *a, const void *b)
{
    uint64_t x = ((const Sample *)a)->end_usec, y = ((const Sample *)b)->end_usec;

    return x < y ? -1 : x > y;
}

static unsigned percentile(const Sample *samples, size_t n, unsigned percent)
{
    return n > 0 ? samples[(n - 1) * percent / 100].latency_usec : 0;
}

/* Sorts the samples anew, by latency. */
static void print_percentiles(Sample *samples, size_t n)
{
    if (n > 0)
        qsort(samples, n, sizeof(*samples), compare_latencies);
    printf("\"p50_usec\":%u,\"p90_usec\":%u,\"p99_usec\":%u,\"max_usec\":%u",
           percentile(samples, n, 50), percentile(samples, n, 90), percentile(samples, n, 99),
           percentile(samples, n, 100));
}

static void print_windows(Tally *t, uint64_t window_usec)
{
    size_t i = 0;

    if (t->n_samples > 0)
        qsort(t->samples, t->n_samples, sizeof(*t->samples), compare_ends);
    printf(",\"windows\":[");
    for (uint64_t at = t->start_usec; at < t->end_usec; at += window_usec) {
        size_t first = i;

        while (i < t->n_samples && t->samples[i].end_usec < at + window_usec)
            i++;
        printf("%s{\"at_usec\":%" PRIu64 ",\"ok\":%zu,", at > t->start_usec ? "," : "", at,
               i - first);
        print_percentiles(t->samples + first, i - first);
        printf("}");
    }
    printf("]");
}

static void print_counts(const Tally *t)
{
    const char *comma = "";

    printf("{\"begun\":%" PRIu64 ",\"ok\":%" PRIu64 ",\"failed\":%" PRIu64, t->begun, t->ok,
           tally_failed(t));
    for (unsigned i = 0; i < _FAILURE_MAX; i++)
        printf(",\"%s\":%" PRIu64, failure_names[i], t->failures[i]);
    printf(",\"reopened\":%" PRIu64 ",\"closed_idle\":%" PRIu64 ",\"stray\":%" PRIu64
           ",\"aborted\":%" PRIu64 ",\"queue_full\":%" PRIu64 ",\"statuses\":{",
           t->reopened, t->closed_idle, t->stray, t->aborted, t->queue_full);
    for (unsigned i = 1; i < ARRAY_SIZE(t->statuses); i++)
        if (t->statuses[i] > 0) {
            printf("%s\"%u\":%u", comma, i, t->statuses[i]);
            comma = ",";
        }
    printf("}");
}

void tally_print(Tally *t, uint64_t window_usec)
{
    double seconds = (double)(t->end_usec - t->start_usec) / (double)USEC_PER_SEC;

    print_counts(t);
    printf(",\"start_usec\":%" PRIu64 ",\"seconds\":%.3f,\"rps\":%.1f,", t->start_usec, seconds,
           (double)t->ok / seconds);
    print_percentiles(t->samples, t->n_samples);
    printf(",\"connect_p10_nsec\":%" PRIu64 ",\"connect_p50_nsec\":%" PRIu64,
           connect_percentile(t, 10), connect_percentile(t, 50));
    if (window_usec > 0)
        print_windows(t, window_usec);
    printf(",\"failures\":[%.*s]}\n", (int)t->details.size, t->details.data ? t->details.data : "");
}

int tally_write_samples(const Tally *t, const char *path)
{
    FILE *f = fopen(path, "we");
    int r = 0;

    if (!f)
        return -errno;
    for (size_t i = 0; i < t->n_samples; i++)
        fprintf(f, "%" PRIu64 " %" PRIu32 "\n", t->samples[i].end_usec, t->samples[i].latency_usec);
    if (ferror(f))
        r = -EIO;
    if (fclose(f) != 0)
        r = -errno;
    return r;
}
