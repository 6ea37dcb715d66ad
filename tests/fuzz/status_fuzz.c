/*
 * Questions for the status page, snapshots of another build or a hostile hand, and histories of a
 * hostile porter: the answer is made of them without harm, and nothing in it is a control
 * character.
 *
 * Input: QUERY_STRING, a line end, HTTP_ACCEPT, a line end, then patches, of an odd first byte in
 * the history.
 */

#include "fuzz.h"

#include "status/answer.h"
#include "status/render.h"
#include "../unit/status/example.h"

#include <errno.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* The snapshot as a file, by its patches; *ret_history: -1 if no patch was for it. */
static int make_snapshot(Input *in, int *ret_history)
{
    static History history;
    Example e = example_make();
    bool has_history = false;
    size_t cut = input_byte(in);

    memset(&history, 0, sizeof(history));
    history.version = HISTORY_VERSION;
    history.n = 7;
    history.next = 7;
    for (unsigned i = 0; i < 7; i++)
        history.samples[i] =
            (HistorySample){.time_sec = 1000 + i * 10, .step_usec = 10000000, .requests = i};
    while (in->size > 0)
        if (input_byte(in) & 1) {
            input_patch(in, &history, sizeof(history));
            has_history = true;
        } else
            input_patch(in, &e, sizeof(e));
    *ret_history = has_history ? sealed_memory(&history, sizeof(history),
                                               F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
                               : -1;
    return sealed_memory(&e, cut == 255 ? sizeof(e.pool) : sizeof(e), SEALS);
}

/* Strings, with their escapes, and brackets in balance. */
static void check_json(const Buffer *b)
{
    bool in_text = false;
    size_t depth = 0;

    for (size_t i = 0; i < b->size; i++) {
        char c = b->data[i];

        if (in_text && c == '\\')
            i++;
        else if (c == '"')
            in_text = !in_text;
        else if (!in_text && (c == '{' || c == '['))
            depth++;
        else if (!in_text && (c == '}' || c == ']'))
            check_that(depth-- > 0);
    }
    check_that(!in_text && depth == 0);
}

static void answer(const StatusQuestion *q, const StatusPool *pool, const StatusWorker *workers,
                   const History *history)
{
    StatusAnswer a = {0};
    int r = status_answer_make(q, pool, workers, history, gmtime_r, &a);

    check_that(r == 0 && a.code == 200 && a.content_type);
    for (size_t i = 0; i < ARRAY_SIZE(a.headers) && a.headers[i]; i++)
        check_printable(a.headers[i], strlen(a.headers[i]), "");
    /* A label of a metric has no form for control characters; those of workers never have any. */
    check_printable(
        a.body.data, a.body.size,
        strstr(a.content_type, "openmetrics") || strstr(a.content_type, "0.0.4") ? NULL : "\n\t\r");
    if (strcmp(a.content_type, "application/json") == 0 && !q->head)
        check_json(&a.body);
    buffer_done(&a.body);
}

static void render(StatusFormat format, const StatusPool *pool, const StatusWorker *workers)
{
    Buffer b = {0};

    check_that(status_render(&b, format, pool, workers, true) == 0);
    check_printable(b.data, b.size, "\n");
    if (format == STATUS_JSON)
        check_json(&b);
    buffer_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static History history;
    Input in = {data, size};
    _cleanup_free_ char *query = input_line(&in), *accept = input_line(&in);
    StatusQuestion q = {.query = query, .accept = accept};
    const StatusPool *pool;
    const StatusWorker *workers;
    size_t mapped;
    int history_fd, fd, r;
    bool has_history;

    q.head = input_byte(&in) == 1;
    fd = make_snapshot(&in, &history_fd);
    has_history = history_fd >= 0 && history_open(history_fd, &history) == 0;
    if (has_history)
        check_that(history.n <= HISTORY_SAMPLES);
    if (!status_question_needs_snapshot(&q))
        answer(&q, NULL, NULL, NULL);
    r = status_open(fd, &pool, &workers, &mapped);
    check_that(r == 0 || r == -EBADMSG);
    if (r == 0) {
        answer(&q, pool, workers, has_history ? &history : NULL);
        render(STATUS_TEXT, pool, workers);
        render(STATUS_JSON, pool, workers);
        munmap((void *)(uintptr_t)pool, mapped);
    }
    close(fd);
    fd_close(history_fd);
    return 0;
}
