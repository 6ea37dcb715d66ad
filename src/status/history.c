#include "status/history.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The writer needs microseconds, a few times an hour. */
#define READ_TRIES   16
#define NEEDED_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int history_create(void)
{
    int fd = memfd_create("fpmd-history", MFD_CLOEXEC | MFD_ALLOW_SEALING), r = 0;
    const uint32_t version = HISTORY_VERSION;

    if (fd < 0)
        return -errno;
    /* Who gets it for reading only could open it for writing through /proc. */
    if (fchmod(fd, 0600) < 0 || ftruncate(fd, HISTORY_SIZE) < 0 ||
        pwrite(fd, &version, sizeof(version), offsetof(History, version)) < 0 ||
        fcntl(fd, F_ADD_SEALS, NEEDED_SEALS) < 0)
        r = -errno;
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

/* 0 when fd is one, whose pages stay. */
static int check(int fd)
{
    return fd_check_sealed(fd, NEEDED_SEALS, HISTORY_SIZE);
}

int history_attach(int fd, History **ret)
{
    int r = check(fd);
    History *h;

    if (r < 0)
        return r;
    h = mmap(NULL, HISTORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (h == MAP_FAILED)
        return -errno;
    /* An earlier porter of the pool may have left anything. */
    if (h->version != HISTORY_VERSION || h->n > HISTORY_SAMPLES || h->next >= HISTORY_SAMPLES ||
        (h->sequence & 1)) {
        memset(h, 0, sizeof(*h));
        h->version = HISTORY_VERSION;
    }
    *ret = h;
    return 0;
}

/* ---- what is added ---- */

uint32_t history_percentile(const uint64_t earlier[BOARD_LATENCY_BUCKETS],
                            const uint64_t now[BOARD_LATENCY_BUCKETS], unsigned p)
{
    static const uint64_t bounds[BOARD_LATENCY_BUCKETS - 1] = BOARD_LATENCY_BOUNDS;
    uint64_t counts[BOARD_LATENCY_BUCKETS], total = 0, below = 0, rank;

    for (size_t i = 0; i < BOARD_LATENCY_BUCKETS; i++) {
        counts[i] = now[i] > earlier[i] ? now[i] - earlier[i] : 0;
        total += counts[i];
    }
    if (total == 0)
        return 0;
    rank = (total / 100) * p + ((total % 100) * p + 99) / 100;
    for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
        uint64_t floor_usec = i > 0 ? bounds[i - 1] : 0;

        if (below + counts[i] >= rank)
            return (uint32_t)(floor_usec + (uint64_t)((double)(bounds[i] - floor_usec) *
                                                      (double)(rank - below) / (double)counts[i]));
        below += counts[i];
    }
    /* Beyond the last bound: it is all that is known. */
    return (uint32_t)bounds[ARRAY_SIZE(bounds) - 1];
}

/* Another manager began to count anew. */
static bool has_begun_anew(const StatusPool *earlier, const StatusPool *now)
{
    return now->started_usec != earlier->started_usec || now->answered < earlier->answered ||
           now->uptime_usec <= earlier->uptime_usec;
}

static uint64_t errors(const StatusPool *p)
{
    return p->outcomes[BOARD_OUTCOME_SERVER_ERROR] + p->outcomes[BOARD_OUTCOME_TIMED_OUT] +
           p->crashed;
}

void history_add(History *h, const StatusPool *earlier, const StatusPool *now, uint64_t now_sec)
{
    HistorySample sample;
    uint32_t next, n;

    if (!earlier || has_begun_anew(earlier, now))
        return;
    sample = (HistorySample){
        .time_sec = now_sec,
        .step_usec = now->uptime_usec - earlier->uptime_usec,
        .requests = now->answered - earlier->answered,
        .errors = errors(now) > errors(earlier) ? errors(now) - errors(earlier) : 0,
        .active = now->active,
        .idle = now->idle,
        .queued = now->queued,
        .total_max = now->max_children,
        .p50_usec = history_percentile(earlier->latency, now->latency, 50),
        .p95_usec = history_percentile(earlier->latency, now->latency, 95),
        .p99_usec = history_percentile(earlier->latency, now->latency, 99),
    };
    /* Processes of the same user may write there too: what is checked is what is used. */
    next = __atomic_load_n(&h->next, __ATOMIC_RELAXED) % HISTORY_SAMPLES;
    n = MIN(__atomic_load_n(&h->n, __ATOMIC_RELAXED), (uint32_t)HISTORY_SAMPLES - 1);
    __atomic_store_n(&h->sequence, h->sequence | 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    h->samples[next] = sample;
    h->next = (next + 1) % HISTORY_SAMPLES;
    h->n = n + 1;
    __atomic_store_n(&h->sequence, (h->sequence | 1) + 1, __ATOMIC_RELEASE);
}

/* ---- readers ---- */

/* Far beyond what a machine can do: such numbers would only overflow the sums of readers. */
#define REQUESTS_MAX  UINT64_C(1000000000000)
#define STEP_MAX_USEC (24 * 3600 * USEC_PER_SEC)
#define TIME_MAX_SEC  (UINT64_C(1) << 40)

static bool is_plausible(const HistorySample *s)
{
    return s->time_sec <= TIME_MAX_SEC && s->step_usec > 0 && s->step_usec <= STEP_MAX_USEC &&
           s->requests <= REQUESTS_MAX && s->errors <= REQUESTS_MAX;
}

/* Oldest first, in place of the ring; what makes no sense makes an empty history. */
static int straighten(const History *h, History *ret)
{
    uint32_t first;

    if (h->version != HISTORY_VERSION || h->n > HISTORY_SAMPLES || h->next >= HISTORY_SAMPLES)
        return -EBADMSG;
    first = (h->next + HISTORY_SAMPLES - h->n) % HISTORY_SAMPLES;
    memset(ret, 0, sizeof(*ret));
    ret->version = HISTORY_VERSION;
    for (uint32_t i = 0; i < h->n; i++) {
        const HistorySample *s = &h->samples[(first + i) % HISTORY_SAMPLES];

        /* Times go on; the charts rely on it. */
        if (!is_plausible(s) || (ret->n > 0 && s->time_sec <= ret->samples[ret->n - 1].time_sec))
            continue;
        ret->samples[ret->n++] = *s;
    }
    ret->next = ret->n % HISTORY_SAMPLES;
    return 0;
}

int history_open(int fd, History *ret)
{
    History copy;
    int r = check(fd);

    for (int i = 0; r == 0 && i < READ_TRIES; i++) {
        uint32_t after;

        if (pread(fd, &copy, sizeof(copy), 0) != (ssize_t)sizeof(copy))
            return -EBADMSG;
        if (pread(fd, &after, sizeof(after), offsetof(History, sequence)) != sizeof(after))
            return -EBADMSG;
        if (!(copy.sequence & 1) && copy.sequence == after)
            return straighten(&copy, ret);
    }
    return r < 0 ? r : -EBADMSG;
}
