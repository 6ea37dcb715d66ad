#include "status/render.h"

#include "status/escape.h"
#include "status/generations.h"
#include "status/history.h"
#include "status/human.h"
#include "status/page.h"
#include "status/render_fields.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static uint32_t get_u32(const void *object, const RenderField *f)
{
    uint32_t v;

    memcpy(&v, (const char *)object + f->offset, sizeof(v));
    return v;
}

static uint64_t get_u64(const void *object, const RenderField *f)
{
    uint64_t v;

    memcpy(&v, (const char *)object + f->offset, sizeof(v));
    return v;
}

/* The word of an enum; "unknown" for a number that none of ours has. */
static const char *get_word(const void *object, const RenderField *f)
{
    uint32_t v = get_u32(object, f);
    const char *word = NULL;

    if (f->type == FIELD_MODE && v < _POOL_MODE_MAX)
        word = pool_mode_to_string((PoolMode)v);
    else if (f->type == FIELD_STATE && v < _WORKER_STATE_MAX)
        word = worker_state_to_string((WorkerState)v);
    return word ? word : "unknown";
}

/* ---- JSON ---- */

static int json_moot(Buffer *b, uint32_t bits)
{
    const char *separator = "", *word;
    int r = buffer_append(b, "[", 1);
    uint32_t bit;

    for (size_t i = 0; r == 0 && (word = board_moot_word(i, &bit)); i++) {
        if (!(bits & bit))
            continue;
        r = buffer_printf(b, "%s\"%s\"", separator, word);
        separator = ", ";
    }
    return r < 0 ? r : buffer_append(b, "]", 1);
}

/* Not cumulative; the last one has no bound. */
static int json_latency(Buffer *b, const uint64_t *buckets)
{
    int r = buffer_append(b, "[", 1);

    for (size_t i = 0; r == 0 && i < BOARD_LATENCY_BUCKETS; i++) {
        uint64_t bound = page_latency_bound(i);

        r = buffer_printf(b, "%s{", i > 0 ? ", " : "");
        if (r == 0 && bound != UINT64_MAX)
            r = buffer_printf(b, "\"at_most_usec\": %" PRIu64 ", ", bound);
        if (r == 0)
            r = buffer_printf(b, "\"requests\": %" PRIu64 "}", buckets[i]);
    }
    return r < 0 ? r : buffer_append(b, "]", 1);
}

static int json_value(Buffer *b, const void *object, const RenderField *f)
{
    switch (f->type) {
    case FIELD_TEXT:
        return escape_json(b, (const char *)object + f->offset);
    case FIELD_U32:
        return buffer_printf(b, "%" PRIu32, get_u32(object, f));
    case FIELD_MODE:
    case FIELD_STATE:
        return escape_json(b, get_word(object, f));
    case FIELD_MOOT:
        return json_moot(b, get_u32(object, f));
    case FIELD_MILLI:
        return buffer_printf(b, "%" PRIu64 ".%03u", get_u64(object, f) / 1000,
                             (unsigned)(get_u64(object, f) % 1000));
    case FIELD_LATENCY:
        return json_latency(b, (const uint64_t *)(const void *)((const char *)object + f->offset));
    case FIELD_U64:
    case FIELD_TIME:
    case FIELD_SPAN:
    case FIELD_BYTES:
    case _FIELD_TYPE_MAX:
        break;
    }
    return buffer_printf(b, "%" PRIu64, get_u64(object, f));
}

/* The members of one object, without its braces. */
static int json_members(Buffer *b, const void *object, const RenderField *fields, size_t n,
                        const char *separator)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        r = buffer_printf(b, "%s\"%s\": ", i > 0 ? separator : "", fields[i].key);
        if (r == 0)
            r = json_value(b, object, &fields[i]);
    }
    return r;
}

static int json_worker(Buffer *b, const StatusWorker *worker, bool first)
{
    size_t n;
    const RenderField *fields = render_worker_fields(&n);
    int r = buffer_printf(b, "%s\n    {", first ? "" : ",");

    if (r == 0)
        r = json_members(b, worker, fields, n, ", ");
    return r < 0 ? r : buffer_append(b, "}", 1);
}

static int render_json(Buffer *b, const StatusPool *pool, const StatusWorker *workers, bool full)
{
    size_t n;
    const RenderField *fields = render_pool_fields(&n);
    int r = buffer_printf(b, "{\n  ");

    if (r == 0)
        r = json_members(b, pool, fields, n, ",\n  ");
    if (r == 0)
        r = generations_write_json(b, pool, workers);
    if (r == 0 && full)
        r = buffer_printf(b, ",\n  \"workers\": [");
    for (size_t i = 0; r == 0 && full && i < pool->n_workers; i++)
        r = json_worker(b, &workers[i], i == 0);
    if (r == 0 && full)
        r = buffer_printf(b, pool->n_workers > 0 ? "\n  ]" : "]");
    return r < 0 ? r : buffer_printf(b, "\n}\n");
}

/* ---- text ---- */

static int text_moot(Buffer *b, uint32_t bits)
{
    const char *separator = "", *word;
    uint32_t bit;
    int r = 0;

    for (size_t i = 0; r == 0 && (word = board_moot_word(i, &bit)); i++) {
        if (!(bits & bit))
            continue;
        r = buffer_printf(b, "%s%s", separator, word);
        separator = ", ";
    }
    return r == 0 && !*separator ? buffer_append(b, "nothing", 7) : r;
}

/* UTC, since the time zone is a file and rendering reads none. */
static int text_time(Buffer *b, uint64_t usec)
{
    time_t seconds = (time_t)(usec / USEC_PER_SEC);
    struct tm tm;
    char text[32];

    if (!gmtime_r(&seconds, &tm) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return buffer_printf(b, "%" PRIu64, usec);
    return buffer_append(b, text, strlen(text));
}

/* What half of the requests, and nearly all of them, took at most, as far as the buckets tell. */
static int text_latency(Buffer *b, const uint64_t *buckets)
{
    static const uint64_t none[BOARD_LATENCY_BUCKETS];
    static const unsigned percent[] = {50, 95, 99};
    char text[HUMAN_SIZE];
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(percent); i++) {
        human_span(history_percentile(none, buckets, percent[i]), text);
        r = buffer_printf(b, "%s%u %% %s", i > 0 ? ", " : "", percent[i], text);
    }
    return r;
}

static int text_human(Buffer *b, uint64_t n, void (*write)(uint64_t, char ret[static HUMAN_SIZE]))
{
    char text[HUMAN_SIZE];

    write(n, text);
    return buffer_append(b, text, strlen(text));
}

static bool is_set(const void *object, const RenderField *f)
{
    return (f->type == FIELD_U32 ? get_u32(object, f) : get_u64(object, f)) > 0;
}

static int text_value(Buffer *b, const void *object, const RenderField *f)
{
    const char *text;

    switch (f->type) {
    case FIELD_TEXT:
        text = (const char *)object + f->offset;
        return escape_text(b, *text ? text : "-");
    case FIELD_U32:
        return buffer_printf(b, "%" PRIu32, get_u32(object, f));
    case FIELD_MODE:
    case FIELD_STATE:
        return escape_text(b, get_word(object, f));
    case FIELD_MOOT:
        return text_moot(b, get_u32(object, f));
    case FIELD_TIME:
        return text_time(b, get_u64(object, f));
    case FIELD_SPAN:
        return text_human(b, get_u64(object, f), human_span);
    case FIELD_BYTES:
        return text_human(b, get_u64(object, f), human_bytes);
    case FIELD_LATENCY:
        return text_latency(b, (const uint64_t *)(const void *)((const char *)object + f->offset));
    case FIELD_MILLI:
        return buffer_printf(b, "%" PRIu64 ".%u", get_u64(object, f) / 1000,
                             (unsigned)(get_u64(object, f) / 100 % 10));
    case FIELD_U64:
    case _FIELD_TYPE_MAX:
        break;
    }
    return buffer_printf(b, "%" PRIu64, get_u64(object, f));
}

/* Fills up to the column's width, with one blank at least; the last column ends the line. start:
 * where the cell began. */
static int text_pad(Buffer *b, size_t start, int width)
{
    int used = (int)(b->size - start);

    if (width == 0)
        return buffer_append(b, "\n", 1);
    return buffer_printf(b, "%*s", MAX(width - used, 1), "");
}

/* worker NULL: the heads of the columns. */
static int text_worker(Buffer *b, const StatusWorker *worker)
{
    size_t n;
    const RenderField *fields = render_worker_fields(&n);
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        const RenderField *f = &fields[i];
        size_t start = b->size;

        if (f->width == RENDER_NO_COLUMN)
            continue;

        r = worker ? text_value(b, worker, f) : buffer_append(b, f->label, strlen(f->label));
        if (r == 0)
            r = text_pad(b, start, f->width);
    }
    return r;
}

static int render_text(Buffer *b, const StatusPool *pool, const StatusWorker *workers, bool full)
{
    size_t n;
    const RenderField *fields = render_pool_fields(&n);
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        if (fields[i].width == RENDER_IF_SET && !is_set(pool, &fields[i]))
            continue;
        r = buffer_printf(b, "%20s: ", fields[i].label);
        if (r == 0)
            r = text_value(b, pool, &fields[i]);
        if (r == 0)
            r = buffer_append(b, "\n", 1);
    }
    if (r == 0)
        r = generations_write_text(b, pool, workers);
    if (r < 0 || !full)
        return r;
    r = buffer_append(b, "\n", 1);
    if (r == 0)
        r = text_worker(b, NULL);
    for (size_t i = 0; r == 0 && i < pool->n_workers; i++)
        r = text_worker(b, &workers[i]);
    return r;
}

int status_render(Buffer *b, StatusFormat format, const StatusPool *pool,
                  const StatusWorker *workers, bool full)
{
    static int (*const renderers[])(Buffer *, const StatusPool *, const StatusWorker *, bool) = {
        [STATUS_TEXT] = render_text,
        [STATUS_JSON] = render_json,
    };

    return renderers[format](b, pool, workers, full);
}
