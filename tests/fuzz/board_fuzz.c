/*
 * What a hostile worker writes into its pages of the scoreboard, and a hostile template into the
 * area of a call stack: the copies keep what the headers promise.
 */

#include "fuzz.h"

#include "board/slot.h"
#include "board/trace.h"

#include <errno.h>

#define NOW_USEC (UINT64_C(1000) * USEC_PER_SEC)

static void check_field(const char *field, size_t size)
{
    size_t n = strnlen(field, size);

    check_that(n < size);
    check_printable(field, n, "");
}

static void check_slot(const BoardSlot *s)
{
    check_that(s->version == BOARD_SLOT_VERSION && s->state < _WORKER_STATE_MAX);
    check_that(s->request_started_usec <= NOW_USEC && s->last_active_usec <= NOW_USEC);
    check_that(s->status <= 999 && s->fatal_call <= BOARD_CALL_MAX);
    check_that(s->opcache.seen_usec <= NOW_USEC);
    check_that(s->cpu_total_usec == 0 && s->cpu_permille == 0);
    check_field(s->method, sizeof(s->method));
    check_field(s->uri, sizeof(s->uri));
    check_field(s->script, sizeof(s->script));
    check_field(s->user, sizeof(s->user));
    check_field(s->name, sizeof(s->name));
    check_field(s->query, sizeof(s->query));
    check_field(s->request_id, sizeof(s->request_id));
}

/* Patches, those of an odd first byte in the page of the trace. */
static void fuzz_slot(Input *in)
{
    static union {
        BoardSlot slot;
        uint64_t words[BOARD_SLOT_SIZE / sizeof(uint64_t)];
    } pages;
    char *bytes = (char *)&pages, trace[BOARD_TRACE_SIZE];
    BoardSlot copy;
    int r;

    memset(&pages, 0, sizeof(pages));
    pages.slot.version = BOARD_SLOT_VERSION;
    while (in->size > 0)
        if (input_byte(in) & 1)
            input_patch(in, bytes + BOARD_TRACE_OFFSET, BOARD_TRACE_SIZE);
        else
            input_patch(in, bytes, sizeof(BoardSlot));
    r = board_read(&pages.slot, NOW_USEC, &copy);
    check_that(r == 0 || r == -EAGAIN || r == -EBADMSG);
    if (r != -EBADMSG)
        check_slot(&copy);
    board_read_trace(&pages.slot, trace);
    check_that(memchr(trace, 0, sizeof(trace)) != NULL);
    check_printable(trace, strlen(trace), "\n");
}

static void fuzz_trace(Input *in)
{
    const TraceArea wish = {.number = 1, .pid = 1};
    int fd = trace_create(&wish);
    TraceArea area = {0}, copy;
    char *text = NULL;
    unsigned n_patches = input_byte(in) % 8;
    int r;

    check_that(fd >= 0 && pread(fd, &area, sizeof(area), 0) == (ssize_t)sizeof(area));
    area.size = (uint32_t)in->size;
    for (unsigned i = 0; i < n_patches; i++)
        input_patch(in, &area, sizeof(area));
    check_that(pwrite(fd, &area, sizeof(area), 0) == (ssize_t)sizeof(area));
    check_that(pwrite(fd, in->data, MIN(in->size, (size_t)TRACE_TEXT_SIZE), TRACE_TEXT_AT) >= 0);
    r = trace_read(fd, &copy, &text);
    check_that(r == 0 || r == -EBADMSG);
    if (r == 0) {
        check_that(copy.size <= TRACE_TEXT_SIZE && text[copy.size] == 0);
        check_that(copy.result <= 0 && copy.method < _TRACE_METHOD_MAX);
        check_that(copy.size == 0 || text[copy.size - 1] == '\n');
        check_printable(text, copy.size, "\n\t");
        free(text);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = {data, size};

    if (input_byte(&in) & 1)
        fuzz_trace(&in);
    else
        fuzz_slot(&in);
    return 0;
}
