#include "status/render.h"

#include "status/escape.h"
#include "status/generations.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

typedef enum FieldType {
    FIELD_TEXT,  /* char array */
    FIELD_U32,   /* uint32_t */
    FIELD_U64,   /* uint64_t */
    FIELD_MODE,  /* uint32_t, PoolMode */
    FIELD_STATE, /* uint32_t, WorkerState */
    FIELD_MOOT,  /* uint32_t, bits of BoardMoot */
    FIELD_TIME,  /* uint64_t, µs since 1970 */
    FIELD_SPAN,  /* uint64_t, µs */
    FIELD_MILLI, /* uint64_t, thousandths */
    _FIELD_TYPE_MAX,
} FieldType;

/* The unit of numbers is part of the key, since JSON has the raw ones; text has units of its own.
 */
typedef struct Field {
    const char *key;   /* of JSON */
    const char *label; /* of text; of workers: the head of a column */
    FieldType type;
    size_t offset;
    int width; /* of the column; 0: the last one */
} Field;

#define POOL(key, label, type, member)                                                             \
    {                                                                                              \
        key, label, type, offsetof(StatusPool, member), 0                                          \
    }
#define WORKER(key, label, type, member, width)                                                    \
    {                                                                                              \
        key, label, type, offsetof(StatusWorker, member), width                                    \
    }

static const Field pool_fields[] = {
    POOL("pool", "pool", FIELD_TEXT, name),
    POOL("state", "state", FIELD_TEXT, state),
    POOL("status_text", "status", FIELD_TEXT, status_text),
    POOL("runtime", "runtime", FIELD_TEXT, runtime),
    POOL("runtime_version", "runtime version", FIELD_TEXT, runtime_version),
    POOL("manager_pid", "manager", FIELD_U32, manager_pid),
    POOL("started_usec", "started", FIELD_TIME, started_usec),
    POOL("uptime_usec", "up for", FIELD_SPAN, uptime_usec),
    POOL("generation", "generation", FIELD_U32, generation),
    POOL("mode", "mode", FIELD_MODE, mode),
    POOL("max_children", "max children", FIELD_U32, max_children),
    POOL("active", "active", FIELD_U32, active),
    POOL("idle", "idle", FIELD_U32, idle),
    POOL("starting", "starting", FIELD_U32, starting),
    POOL("draining", "draining", FIELD_U32, draining),
    POOL("active_max", "active at most", FIELD_U32, active_max),
    POOL("queued", "queued", FIELD_U32, queued),
    POOL("queued_max", "queued at most", FIELD_U32, queued_max),
    POOL("connections_parked", "parked", FIELD_U32, parked),
    POOL("connections_shed", "shed", FIELD_U64, shed),
    POOL("requests", "requests", FIELD_U64, requests),
    POOL("requests_per_second", "requests per second", FIELD_MILLI, requests_per_ksec),
    POOL("requests_abandoned", "abandoned", FIELD_U64, abandoned),
    POOL("read_timeouts", "read timeouts", FIELD_U64, read_timeouts),
    POOL("scripts_stopped", "scripts stopped", FIELD_U64, stopped),
    POOL("limit_reached", "limit reached", FIELD_U64, limit_reached),
    POOL("workers_started", "workers started", FIELD_U64, workers_started),
    POOL("workers_crashed", "workers crashed", FIELD_U64, workers_crashed),
    POOL("workers_ended", "workers ended", FIELD_U64, ended),
    POOL("reloads", "reloads", FIELD_U64, reloads),
    POOL("reloads_refused", "reloads refused", FIELD_U64, reloads_refused),
    POOL("emergency_restarts", "emergency restarts", FIELD_U64, emergency_restarts),
    POOL("protocol_errors", "protocol errors", FIELD_U64, protocol_errors),
    POOL("absurd_messages", "absurd messages", FIELD_U64, absurd_messages),
    POOL("records_dropped", "records dropped", FIELD_U64, records_dropped),
    POOL("sandbox_moot", "sandbox, moot", FIELD_MOOT, moot),
};

static const Field worker_fields[] = {
    WORKER("pid", "PID", FIELD_U32, pid, 8),
    WORKER("slot", "SLOT", FIELD_U32, slot, 5),
    WORKER("generation", "GEN", FIELD_U32, generation, 4),
    WORKER("state", "STATE", FIELD_STATE, board.state, 10),
    WORKER("started_usec", "STARTED", FIELD_TIME, started_usec, 21),
    WORKER("age_usec", "AGE", FIELD_SPAN, age_usec, 9),
    WORKER("requests", "REQUESTS", FIELD_U64, board.requests, 9),
    WORKER("connections", "CONNS", FIELD_U32, board.connections, 6),
    WORKER("bytes_in", "IN", FIELD_U64, board.bytes_in, 11),
    WORKER("bytes_out", "OUT", FIELD_U64, board.bytes_out, 11),
    WORKER("protocol_errors", "ERRORS", FIELD_U64, board.protocol_errors, 7),
    WORKER("request_age_usec", "RUNNING", FIELD_SPAN, request_age_usec, 9),
    WORKER("content_length", "LENGTH", FIELD_U64, board.content_length, 11),
    WORKER("http_status", "HTTP", FIELD_U32, board.status, 5),
    WORKER("method", "METHOD", FIELD_TEXT, board.method, 8),
    WORKER("script", "SCRIPT", FIELD_TEXT, board.script, 40),
    WORKER("uri", "URI", FIELD_TEXT, board.uri, 0),
};

static const struct {
    uint32_t bit;
    const char *name;
} moot_names[] = {
    {BOARD_MOOT_BOUNDING_SET, "bounding-set"},
    {BOARD_MOOT_LANDLOCK, "landlock"},
    {BOARD_MOOT_SECUREBITS, "securebits"},
};

static uint32_t get_u32(const void *object, const Field *f)
{
    uint32_t v;

    memcpy(&v, (const char *)object + f->offset, sizeof(v));
    return v;
}

static uint64_t get_u64(const void *object, const Field *f)
{
    uint64_t v;

    memcpy(&v, (const char *)object + f->offset, sizeof(v));
    return v;
}

/* The word of an enum; "unknown" for a number that none of ours has. */
static const char *get_word(const void *object, const Field *f)
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
    const char *separator = "";
    int r = buffer_append(b, "[", 1);

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(moot_names); i++) {
        if (!(bits & moot_names[i].bit))
            continue;
        r = buffer_printf(b, "%s\"%s\"", separator, moot_names[i].name);
        separator = ", ";
    }
    return r < 0 ? r : buffer_append(b, "]", 1);
}

static int json_value(Buffer *b, const void *object, const Field *f)
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
    case FIELD_U64:
    case FIELD_TIME:
    case FIELD_SPAN:
    case _FIELD_TYPE_MAX:
        break;
    }
    return buffer_printf(b, "%" PRIu64, get_u64(object, f));
}

/* The members of one object, without its braces. */
static int json_members(Buffer *b, const void *object, const Field *fields, size_t n,
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
    int r = buffer_printf(b, "%s\n    {", first ? "" : ",");

    if (r == 0)
        r = json_members(b, worker, worker_fields, ARRAY_SIZE(worker_fields), ", ");
    return r < 0 ? r : buffer_append(b, "}", 1);
}

static int render_json(Buffer *b, const StatusPool *pool, const StatusWorker *workers, bool full)
{
    int r = buffer_printf(b, "{\n  ");

    if (r == 0)
        r = json_members(b, pool, pool_fields, ARRAY_SIZE(pool_fields), ",\n  ");
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
    const char *separator = "";
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(moot_names); i++) {
        if (!(bits & moot_names[i].bit))
            continue;
        r = buffer_printf(b, "%s%s", separator, moot_names[i].name);
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

/* The two largest units: "2d 3h", "4m 5s"; below ten seconds thousandths. */
static int text_span(Buffer *b, uint64_t usec)
{
    static const struct {
        const char *name;
        uint64_t seconds, next;
        const char *next_name;
    } units[] = {{"d", 86400, 3600, "h"}, {"h", 3600, 60, "m"}, {"m", 60, 1, "s"}};
    uint64_t seconds = usec / USEC_PER_SEC;

    if (usec < 10 * USEC_PER_SEC)
        return buffer_printf(b, "%" PRIu64 ".%03us", seconds,
                             (unsigned)(usec % USEC_PER_SEC / USEC_PER_MSEC));
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (seconds >= units[i].seconds)
            return buffer_printf(b, "%" PRIu64 "%s %" PRIu64 "%s", seconds / units[i].seconds,
                                 units[i].name, seconds % units[i].seconds / units[i].next,
                                 units[i].next_name);
    return buffer_printf(b, "%" PRIu64 "s", seconds);
}

static int text_value(Buffer *b, const void *object, const Field *f)
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
        return text_span(b, get_u64(object, f));
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
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(worker_fields); i++) {
        const Field *f = &worker_fields[i];
        size_t start = b->size;

        r = worker ? text_value(b, worker, f) : buffer_append(b, f->label, strlen(f->label));
        if (r == 0)
            r = text_pad(b, start, f->width);
    }
    return r;
}

static int render_text(Buffer *b, const StatusPool *pool, const StatusWorker *workers, bool full)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(pool_fields); i++) {
        r = buffer_printf(b, "%20s: ", pool_fields[i].label);
        if (r == 0)
            r = text_value(b, pool, &pool_fields[i]);
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
