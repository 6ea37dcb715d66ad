#include "status/dashboard_private.h"

#include "status/escape.h"
#include "status/human.h"

#include <inttypes.h>
#include <string.h>

int dashboard_put(Buffer *b, const char *text)
{
    return buffer_append(b, text, strlen(text));
}

static uint32_t get_u32(const void *object, const DashboardField *f)
{
    uint32_t v;

    memcpy(&v, (const char *)object + f->offset, sizeof(v));
    return v;
}

static uint64_t get_u64(const void *object, const DashboardField *f)
{
    uint64_t v;

    memcpy(&v, (const char *)object + f->offset, sizeof(v));
    return v;
}

/* The word of an enum; "unknown" for a number that none of ours has. */
static const char *get_word(const void *object, const DashboardField *f)
{
    uint32_t v = get_u32(object, f);
    const char *word = NULL;

    if (f->type == DASHBOARD_MODE && v < _POOL_MODE_MAX)
        word = pool_mode_to_string((PoolMode)v);
    else if (f->type == DASHBOARD_STATE && v < _WORKER_STATE_MAX)
        word = worker_state_to_string((WorkerState)v);
    return word ? word : "unknown";
}

static int put_moot(Buffer *b, uint32_t bits)
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
    return r == 0 && !*separator ? dashboard_put(b, "nothing") : r;
}

static int put_time(Buffer *b, uint64_t usec, DashboardTime local_time)
{
    time_t seconds = (time_t)(usec / USEC_PER_SEC);
    struct tm tm;
    char text[64];

    if (!local_time(&seconds, &tm) ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
        return buffer_printf(b, "%" PRIu64, usec / USEC_PER_SEC);
    return dashboard_put(b, text);
}

/* An idle worker shows its last request, with how it was answered. */
static int put_request(Buffer *b, const BoardSlot *slot)
{
    int r = dashboard_put(b, "<b>");

    if (!*slot->method && !*slot->uri)
        return dashboard_put(b, "<b>-</b>");
    if (r == 0)
        r = escape_markup(b, slot->method);
    if (r == 0)
        r = dashboard_put(b, " ");
    if (r == 0)
        r = escape_markup(b, slot->uri);
    if (r == 0 && slot->state == WORKER_STATE_IDLE && slot->status > 0)
        r = buffer_printf(b, " &rarr; %" PRIu32, slot->status);
    if (r == 0)
        r = dashboard_put(b, "</b><small>");
    if (r == 0)
        r = escape_markup(b, slot->script);
    return r < 0 ? r : dashboard_put(b, "</small>");
}

static int put_text(Buffer *b, const char *text)
{
    return *text ? escape_markup(b, text) : dashboard_put(b, "-");
}

/* Those of a number alone. */
static void write_number(const void *object, const DashboardField *f, char text[static HUMAN_SIZE])
{
    switch (f->type) {
    case DASHBOARD_U32:
    case DASHBOARD_MAX32:
        human_count(get_u32(object, f), text);
        break;
    case DASHBOARD_SPAN:
    case DASHBOARD_AGE:
    case DASHBOARD_MAX_SPAN:
    case DASHBOARD_AFTER:
        human_span(get_u64(object, f), text);
        break;
    case DASHBOARD_BYTES:
    case DASHBOARD_MAX_BYTES:
        human_bytes(get_u64(object, f), text);
        break;
    case DASHBOARD_PERMILLE:
        human_percent(get_u64(object, f), 1000, text);
        break;
    default:
        human_count(get_u64(object, f), text);
    }
}

/* What stands for 0, where that is no number. */
static const char *word_of_zero(DashboardType type)
{
    switch (type) {
    case DASHBOARD_MAX:
    case DASHBOARD_MAX_SPAN:
    case DASHBOARD_MAX_BYTES:
        return "no limit";
    case DASHBOARD_AFTER:
        return "never";
    case DASHBOARD_ID64:
    case DASHBOARD_TIME:
    case DASHBOARD_AGE:
        return "-";
    default:
        return NULL;
    }
}

int dashboard_put_value(Buffer *b, const void *object, const DashboardField *f,
                        DashboardTime local_time)
{
    const void *member = (const char *)object + f->offset;
    const char *zero = word_of_zero(f->type);
    char text[HUMAN_SIZE];

    if (zero && get_u64(object, f) == 0)
        return dashboard_put(b, zero);
    switch (f->type) {
    case DASHBOARD_TEXT:
        return put_text(b, member);
    case DASHBOARD_REQUEST:
        return put_request(b, member);
    case DASHBOARD_ID:
        return buffer_printf(b, "%" PRIu32, get_u32(object, f));
    case DASHBOARD_ID64:
        return buffer_printf(b, "%" PRIu64, get_u64(object, f));
    case DASHBOARD_MODE:
    case DASHBOARD_STATE:
        return dashboard_put(b, get_word(object, f));
    case DASHBOARD_MOOT:
        return put_moot(b, get_u32(object, f));
    case DASHBOARD_TIME:
        return put_time(b, get_u64(object, f), local_time);
    case DASHBOARD_MAX32:
        if (get_u32(object, f) == 0)
            return dashboard_put(b, "no limit");
        break;
    default:
        break;
    }
    write_number(object, f, text);
    return dashboard_put(b, text);
}
