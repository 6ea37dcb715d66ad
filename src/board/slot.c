#include "board/slot.h"

#include "base/fd.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A write of the worker takes well under a microsecond; a reader that meets one more often than
 * this meets a worker that was preempted in the middle, or one that lies. */
#define READ_TRIES  64

#define SLOT_WORDS  (sizeof(BoardSlot) / sizeof(uint64_t))
#define MOOT_BITS   (BOARD_MOOT_BOUNDING_SET | BOARD_MOOT_SECUREBITS | BOARD_MOOT_OF_GENERATION)
#define STATUS_LAST 999

_Static_assert(sizeof(BoardSlot) % sizeof(uint64_t) == 0, "a slot is copied word by word");

static const char *const state_names[] = {
    [WORKER_STATE_STARTING] = "starting",   [WORKER_STATE_IDLE] = "idle",
    [WORKER_STATE_READING] = "reading",     [WORKER_STATE_RUNNING] = "running",
    [WORKER_STATE_FINISHING] = "finishing", [WORKER_STATE_DRAINING] = "draining",
};

_Static_assert(ARRAY_SIZE(state_names) == _WORKER_STATE_MAX, "every state has a name");

unsigned board_latency_bucket(uint64_t usec)
{
    static const uint64_t bounds[] = BOARD_LATENCY_BOUNDS;
    unsigned bucket = 0;

    _Static_assert(ARRAY_SIZE(bounds) + 1 == BOARD_LATENCY_BUCKETS, "the last one has no bound");
    while (bucket < ARRAY_SIZE(bounds) && usec > bounds[bucket])
        bucket++;
    return bucket;
}

const char *worker_state_to_string(WorkerState state)
{
    return (unsigned)state < _WORKER_STATE_MAX ? state_names[state] : "unknown";
}

const char *board_moot_word(size_t i, uint32_t *ret_bit)
{
    static const struct {
        uint32_t bit;
        const char *word;
    } words[] = {
        {BOARD_MOOT_BOUNDING_SET, "bounding-set"}, {BOARD_MOOT_LANDLOCK, "landlock"},
        {BOARD_MOOT_SECUREBITS, "securebits"},     {BOARD_MOOT_PATHS, "paths"},
        {BOARD_MOOT_TCP, "tcp-connect"},           {BOARD_MOOT_SCOPES, "scopes"},
        {BOARD_MOOT_SECCOMP, "seccomp"},
    };

    if (i >= ARRAY_SIZE(words))
        return NULL;
    *ret_bit = words[i].bit;
    return words[i].word;
}

int board_create(const volatile BoardSlot **ret_slot)
{
    _cleanup_fd_ int fd = memfd_create("fpmd-slot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const uint32_t version = BOARD_SLOT_VERSION;
    int r;

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, BOARD_SLOT_SIZE) < 0)
        return -errno;
    /* A slot is readable before its worker has written anything: version, and zeros. */
    if (pwrite(fd, &version, sizeof(version), offsetof(BoardSlot, version)) < 0)
        return -errno;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    r = board_map(fd, ret_slot);
    return r < 0 ? r : TAKE_FD(fd);
}

static int map_page(int fd, int protection, void **ret_page)
{
    struct stat st;
    void *page;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size != BOARD_SLOT_SIZE)
        return -EINVAL;
    page = mmap(NULL, BOARD_SLOT_SIZE, protection, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return -errno;
    *ret_page = page;
    return 0;
}

int board_map(int fd, const volatile BoardSlot **ret_slot)
{
    void *page = NULL;
    int r = map_page(fd, PROT_READ, &page);

    if (r == 0)
        *ret_slot = page;
    return r;
}

int board_attach(int fd, BoardSlot **ret_slot)
{
    void *page = NULL;
    int r = map_page(fd, PROT_READ | PROT_WRITE, &page);

    if (r == 0)
        *ret_slot = page;
    return r;
}

void board_unmap(const volatile BoardSlot *slot)
{
    if (slot)
        munmap((void *)(uintptr_t)slot, BOARD_SLOT_SIZE);
}

void board_begin(BoardSlot *slot)
{
    uint32_t sequence = __atomic_load_n(&slot->sequence, __ATOMIC_RELAXED);

    /* "| 1" instead of "+ 1": an earlier user of the page may have died within its brackets. */
    __atomic_store_n(&slot->sequence, sequence | 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

void board_commit(BoardSlot *slot)
{
    uint32_t sequence = __atomic_load_n(&slot->sequence, __ATOMIC_RELAXED);

    __atomic_store_n(&slot->sequence, (sequence | 1) + 1, __ATOMIC_RELEASE);
}

void board_set_text(char *field, size_t size, const char *text, size_t n)
{
    if (!text)
        n = 0;
    if (n > size - 1)
        n = utf8_cut(text, size - 1);
    if (n > 0)
        memcpy(field, text, n);
    field[n] = 0;
}

/* Ends the text within its field, replaces what is no printable UTF-8, clears the rest. */
static void check_characters(char *field, size_t size, bool lines)
{
    size_t n = strnlen(field, size - 1);

    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t length = utf8_decode(field + i, n - i, &code);

        if (length > 0 && (utf8_is_printable(code) || (lines && code == '\n'))) {
            i += length;
            continue;
        }
        /* A well-formed character that may not be shown is one '?', and so is each wrong byte. */
        field[i++] = '?';
        if (length > 1) {
            memmove(field + i, field + i + length - 1, n - i - (length - 1));
            n -= length - 1;
        }
    }
    memset(field + n, 0, size - n);
}

static void check_text(char *field, size_t size)
{
    check_characters(field, size, false);
}

/* Every byte of the page is the worker's, who may be hostile: each field is made to keep the
 * promise that its comment in the header gives. Counters may have any value. */
static void check_slot(BoardSlot *s, uint64_t now_usec)
{
    /* A worker that says nonsense is taken as busy: it does not count as spare capacity. */
    if (s->state >= _WORKER_STATE_MAX)
        s->state = WORKER_STATE_RUNNING;
    s->request_started_usec = MIN(s->request_started_usec, now_usec);
    s->last_active_usec = MIN(s->last_active_usec, now_usec);
    s->moot &= MOOT_BITS;
    if (s->status > STATUS_LAST)
        s->status = 0;
    if (s->fatal_call > BOARD_CALL_MAX)
        s->fatal_call = 0;
    check_text(s->method, sizeof(s->method));
    check_text(s->uri, sizeof(s->uri));
    check_text(s->script, sizeof(s->script));
    check_text(s->user, sizeof(s->user));
    check_text(s->name, sizeof(s->name));
    check_text(s->query, sizeof(s->query));
    check_text(s->request_id, sizeof(s->request_id));
    s->opcache.seen_usec = MIN(s->opcache.seen_usec, now_usec);
    s->cpu_total_usec = s->cpu_permille = 0;
}

char *board_trace(BoardSlot *slot)
{
    return (char *)slot + BOARD_TRACE_OFFSET;
}

void board_read_trace(const volatile BoardSlot *slot, char ret[static BOARD_TRACE_SIZE])
{
    const volatile uint64_t *from =
        (const volatile void *)((const volatile char *)slot + BOARD_TRACE_OFFSET);
    uint64_t copy[BOARD_TRACE_SIZE / sizeof(uint64_t)];
    char *text = (char *)copy;

    for (size_t i = 0; i < ARRAY_SIZE(copy); i++)
        copy[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    check_characters(text, BOARD_TRACE_SIZE, true);
    memcpy(ret, text, BOARD_TRACE_SIZE);
}

/* Each word is loaded exactly once, so that what is checked is what is used. */
static void copy_slot(const volatile BoardSlot *slot, BoardSlot *ret)
{
    const volatile uint64_t *from = (const volatile uint64_t *)slot;
    uint64_t *to = (uint64_t *)ret;

    for (size_t i = 0; i < SLOT_WORDS; i++)
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

int board_read(const volatile BoardSlot *slot, uint64_t now_usec, BoardSlot *ret)
{
    BoardSlot copy;
    int r = -EAGAIN;

    for (int i = 0; i < READ_TRIES && r < 0; i++) {
        uint32_t before = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE), after;

        if (before & 1)
            continue;
        copy_slot(slot, &copy);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        after = __atomic_load_n(&slot->sequence, __ATOMIC_RELAXED);
        if (before == after)
            r = 0;
    }
    if (r < 0)
        copy_slot(slot, &copy);
    if (copy.version != BOARD_SLOT_VERSION)
        return -EBADMSG;
    check_slot(&copy, now_usec);
    *ret = copy;
    return r;
}
