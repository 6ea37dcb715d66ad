#include "status/page.h"
#include "status/escape.h"
#include "../run.h"

#include <stdio.h>
#include <string.h>

#define N_WORKERS 3

/* As example.h, with the figures that PHP-FPM's page shows. */
typedef struct Case {
    StatusPool pool;
    StatusWorker workers[N_WORKERS];
} Case;

static Case case_make(void)
{
    Case c = {
        .pool = {.n_workers = N_WORKERS,
                 .name = "www",
                 .mode = POOL_MODE_DYNAMIC,
                 .active_max = 2,
                 .queued = 3,
                 .queued_max = 7,
                 .queue_limit = 511,
                 .started_usec = UINT64_C(1795365089999999),
                 .uptime_usec = UINT64_C(184999999),
                 .requests = 26,
                 .limit_reached = 4,
                 .queue_wait_usec = 1500000,
                 .latency = {1, 2, [BOARD_LATENCY_BUCKETS - 1] = 4}},
        .workers = {{.pid = 9168,
                     .started_usec = UINT64_C(1795365090000001),
                     .age_usec = UINT64_C(183999999),
                     .request_age_usec = 512540,
                     .board = {.state = WORKER_STATE_RUNNING,
                               .requests = 10,
                               .content_length = 5,
                               .cpu_usec = 7,
                               .memory_peak_bytes = 7,
                               .method = "POST",
                               .uri = "/as/sent?x",
                               .name = "/a.php",
                               .query = "x=1&y",
                               .user = "u<b>\"",
                               .script = "/srv/a.php"}},
                    {.pid = 9169,
                     .started_usec = UINT64_C(1795365090000001),
                     .age_usec = UINT64_C(183999999),
                     .board = {.state = WORKER_STATE_IDLE,
                               .requests = 1,
                               .request_started_usec = 1000,
                               .last_active_usec = 1400,
                               .cpu_usec = 300,
                               .memory_peak_bytes = 2097152,
                               .method = "GET",
                               .name = "/ping"}},
                    {.pid = 9170,
                     .started_usec = UINT64_C(1795365190000000),
                     .board = {.state = WORKER_STATE_STARTING, .last_active_usec = 99}}},
    };

    return c;
}

static char *render_in(const Case *c, PageFormat format, bool full,
                       struct tm *(*local_time)(const time_t *, struct tm *))
{
    _cleanup_buffer_ Buffer b = {0};
    char *text;

    ck_assert_int_eq(page_render(&b, format, &c->pool, c->workers, full, local_time), 0);
    text = buffer_steal(&b);
    ck_assert_ptr_nonnull(text);
    return text;
}

static char *render(const Case *c, PageFormat format, bool full)
{
    return render_in(c, format, full, gmtime_r);
}

/* What php-fpm 8.2.36 sends for such a pool, byte for byte. */
#define PLAIN                                                                                      \
    "pool:                 www\n"                                                                  \
    "process manager:      dynamic\n"                                                              \
    "start time:           22/Nov/2026:16:31:29 +0000\n"                                           \
    "start since:          184\n"                                                                  \
    "accepted conn:        26\n"                                                                   \
    "listen queue:         3\n"                                                                    \
    "max listen queue:     7\n"                                                                    \
    "listen queue len:     511\n"                                                                  \
    "idle processes:       2\n"                                                                    \
    "active processes:     1\n"                                                                    \
    "total processes:      3\n"                                                                    \
    "max active processes: 2\n"                                                                    \
    "max children reached: 4\n"                                                                    \
    "slow requests:        0\n"

#define XML                                                                                        \
    "<?xml version=\"1.0\" ?>\n"                                                                   \
    "<status>\n"                                                                                   \
    "<pool>www</pool>\n"                                                                           \
    "<process-manager>dynamic</process-manager>\n"                                                 \
    "<start-time>1795365089</start-time>\n"                                                        \
    "<start-since>184</start-since>\n"                                                             \
    "<accepted-conn>26</accepted-conn>\n"                                                          \
    "<listen-queue>3</listen-queue>\n"                                                             \
    "<max-listen-queue>7</max-listen-queue>\n"                                                     \
    "<listen-queue-len>511</listen-queue-len>\n"                                                   \
    "<idle-processes>2</idle-processes>\n"                                                         \
    "<active-processes>1</active-processes>\n"                                                     \
    "<total-processes>3</total-processes>\n"                                                       \
    "<max-active-processes>2</max-active-processes>\n"                                             \
    "<max-children-reached>4</max-children-reached>\n"                                             \
    "<slow-requests>0</slow-requests>\n"

#define JSON                                                                                       \
    "{\"pool\":\"www\",\"process manager\":\"dynamic\",\"start time\":1795365089,"                 \
    "\"start since\":184,\"accepted conn\":26,\"listen queue\":3,\"max listen queue\":7,"          \
    "\"listen queue len\":511,\"idle processes\":2,\"active processes\":1,"                        \
    "\"total processes\":3,\"max active processes\":2,\"max children reached\":4,"                 \
    "\"slow requests\":0"

#define OPENMETRICS                                                                                \
    "# HELP phpfpm_up Could pool www using a dynamic PM on PHP-FPM be reached?\n"                  \
    "# TYPE phpfpm_up gauge\n"                                                                     \
    "phpfpm_up 1\n"                                                                                \
    "# HELP phpfpm_start_since The number of seconds since FPM has started.\n"                     \
    "# TYPE phpfpm_start_since gauge\n"                                                            \
    "phpfpm_start_since 184\n"                                                                     \
    "# HELP phpfpm_accepted_connections The number of requests accepted by the pool.\n"            \
    "# TYPE phpfpm_accepted_connections gauge\n"                                                   \
    "phpfpm_accepted_connections 26\n"                                                             \
    "# HELP phpfpm_listen_queue The number of requests in the queue of pending connections.\n"     \
    "# TYPE phpfpm_listen_queue gauge\n"                                                           \
    "phpfpm_listen_queue 3\n"                                                                      \
    "# HELP phpfpm_max_listen_queue The maximum number of requests in the queue of pending "       \
    "connections since FPM has started.\n"                                                         \
    "# TYPE phpfpm_max_listen_queue gauge\n"                                                       \
    "phpfpm_max_listen_queue 7\n"                                                                  \
    "# HELP phpfpm_listen_queue_length The size of the socket queue of pending connections.\n"     \
    "# TYPE phpfpm_listen_queue_length gauge\n"                                                    \
    "phpfpm_listen_queue_length 511\n"                                                             \
    "# HELP phpfpm_idle_processes The number of idle processes.\n"                                 \
    "# TYPE phpfpm_idle_processes gauge\n"                                                         \
    "phpfpm_idle_processes 2\n"                                                                    \
    "# HELP phpfpm_active_processes The number of active processes.\n"                             \
    "# TYPE phpfpm_active_processes gauge\n"                                                       \
    "phpfpm_active_processes 1\n"                                                                  \
    "# HELP phpfpm_total_processes The number of idle + active processes.\n"                       \
    "# TYPE phpfpm_total_processes gauge\n"                                                        \
    "phpfpm_total_processes 3\n"                                                                   \
    "# HELP phpfpm_max_active_processes The maximum number of active processes since FPM has "     \
    "started.\n"                                                                                   \
    "# TYPE phpfpm_max_active_processes gauge\n"                                                   \
    "phpfpm_max_active_processes 2\n"                                                              \
    "# HELP phpfpm_max_children_reached The number of times, the process limit has been "          \
    "reached, when pm tries to start more children (works only for pm 'dynamic' and "              \
    "'ondemand').\n"                                                                               \
    "# TYPE phpfpm_max_children_reached gauge\n"                                                   \
    "phpfpm_max_children_reached 4\n"                                                              \
    "# HELP phpfpm_slow_requests The number of requests that exceeded your "                       \
    "'request_slowlog_timeout' value.\n"                                                           \
    "# TYPE phpfpm_slow_requests gauge\n"                                                          \
    "phpfpm_slow_requests 0\n"

static const struct {
    PageFormat format;
    bool full;
    const char *text;
} pages[] = {
    {PAGE_PLAIN, false, PLAIN},
    {PAGE_PLAIN, true,
     PLAIN "\n************************\n"
           "pid:                  9168\n"
           "state:                Running\n"
           "start time:           22/Nov/2026:16:31:30 +0000\n"
           "start since:          183\n"
           "requests:             10\n"
           "request duration:     512540\n"
           "request method:       POST\n"
           "request URI:          /a.php?x=1&y\n"
           "content length:       5\n"
           "user:                 u<b>\"\n"
           "script:               /srv/a.php\n"
           "last request cpu:     0.00\n"
           "last request memory:  0\n"
           "\n************************\n"
           "pid:                  9169\n"
           "state:                Idle\n"
           "start time:           22/Nov/2026:16:31:30 +0000\n"
           "start since:          183\n"
           "requests:             1\n"
           "request duration:     400\n"
           "request method:       GET\n"
           "request URI:          /ping\n"
           "content length:       0\n"
           "user:                 -\n"
           "script:               -\n"
           "last request cpu:     75.00\n"
           "last request memory:  2097152\n"
           "\n************************\n"
           "pid:                  9170\n"
           "state:                Idle\n"
           "start time:           22/Nov/2026:16:33:10 +0000\n"
           "start since:          0\n"
           "requests:             0\n"
           "request duration:     0\n"
           "request method:       -\n"
           "request URI:          -\n"
           "content length:       0\n"
           "user:                 -\n"
           "script:               -\n"
           "last request cpu:     0.00\n"
           "last request memory:  0\n"},
    {PAGE_XML, false, XML "</status>"},
    {PAGE_XML, true,
     XML "<processes>\n"
         "<process><pid>9168</pid><state>Running</state><start-time>1795365090</start-time>"
         "<start-since>183</start-since><requests>10</requests>"
         "<request-duration>512540</request-duration><request-method>POST</request-method>"
         "<request-uri>/a.php?x=1&amp;y</request-uri><content-length>5</content-length>"
         "<user>u&lt;b&gt;&quot;</user><script>/srv/a.php</script>"
         "<last-request-cpu>0.00</last-request-cpu><last-request-memory>0</last-request-memory>"
         "</process>\n"
         "<process><pid>9169</pid><state>Idle</state><start-time>1795365090</start-time>"
         "<start-since>183</start-since><requests>1</requests>"
         "<request-duration>400</request-duration><request-method>GET</request-method>"
         "<request-uri>/ping</request-uri><content-length>0</content-length><user>-</user>"
         "<script>-</script><last-request-cpu>75.00</last-request-cpu>"
         "<last-request-memory>2097152</last-request-memory></process>\n"
         "<process><pid>9170</pid><state>Idle</state><start-time>1795365190</start-time>"
         "<start-since>0</start-since><requests>0</requests><request-duration>0</request-duration>"
         "<request-method>-</request-method><request-uri>-</request-uri>"
         "<content-length>0</content-length><user>-</user><script>-</script>"
         "<last-request-cpu>0.00</last-request-cpu><last-request-memory>0</last-request-memory>"
         "</process>\n"
         "</processes>\n"
         "</status>"},
    {PAGE_JSON, false, JSON "}"},
    {PAGE_JSON, true,
     JSON ", \"processes\":[{\"pid\":9168,\"state\":\"Running\",\"start time\":1795365090,"
          "\"start since\":183,\"requests\":10,\"request duration\":512540,"
          "\"request method\":\"POST\",\"request uri\":\"\\/a.php?x=1&y\",\"content length\":5,"
          "\"user\":\"u<b>\\\"\",\"script\":\"\\/srv\\/a.php\",\"last request cpu\":0.00,"
          "\"last request memory\":0},{\"pid\":9169,\"state\":\"Idle\",\"start time\":1795365090,"
          "\"start since\":183,\"requests\":1,\"request duration\":400,\"request method\":\"GET\","
          "\"request uri\":\"\\/ping\",\"content length\":0,\"user\":\"-\",\"script\":\"-\","
          "\"last request cpu\":75.00,\"last request memory\":2097152},{\"pid\":9170,"
          "\"state\":\"Idle\",\"start time\":1795365190,\"start since\":0,\"requests\":0,"
          "\"request duration\":0,\"request method\":\"-\",\"request uri\":\"-\","
          "\"content length\":0,\"user\":\"-\",\"script\":\"-\",\"last request cpu\":0.00,"
          "\"last request memory\":0}]}"},
};

/* A field of ours with all that is around it; in of: before and after its name and its end. */
static const struct {
    PageFormat format;
    const char *before, *after, *end, *end_of_process;
} around[] = {
    {PAGE_PLAIN, "\n", ":", "\n", "\n"},
    {PAGE_XML, "<", ">", ">\n", ">"},
    {PAGE_JSON, ",\"", "\":", NULL, NULL},
};

/* The length of a field from its begin on: of JSON up to the next comma or bracket outside. */
static size_t field_length(const char *field, size_t k, bool of_process)
{
    const char *end = of_process ? around[k].end_of_process : around[k].end;
    const char *p;

    if (around[k].format == PAGE_PLAIN)
        return strcspn(field + 1, "\n") + 1;
    if (end) {
        p = strstr(field, "</");
        ck_assert_ptr_nonnull(p);
        p = strstr(p, end);
        ck_assert_ptr_nonnull(p);
        return (size_t)(p - field) + strlen(end);
    }
    p = strstr(field, "\":") + 2;
    if (*p == '{')
        return (size_t)(strchr(p, '}') + 1 - field);
    if (*p == '"')
        return (size_t)(strchr(p + 1, '"') + 1 - field);
    return (size_t)(p - field) + strspn(p, "0123456789.");
}

/* Takes what is ours out of text, each field once; they stand behind PHP-FPM's. */
static void take_ours_out(char *text, size_t k, const PageField *fields, size_t n, bool of_process)
{
    for (size_t i = n; i > 0; i--) {
        const PageField *f = &fields[i - 1];
        const char *name = around[k].format == PAGE_XML     ? f->tag
                           : around[k].format == PAGE_PLAIN ? f->plain
                                                            : f->name;
        char key[64], *last = NULL;
        size_t length;

        snprintf(key, sizeof(key), "%s%s%s", around[k].before, name, around[k].after);
        for (char *p = text; (p = strstr(p, key)); p++)
            last = p;
        ck_assert_msg(last, "%s is missing", key);
        length = field_length(last, k, of_process);
        memmove(last, last + length, strlen(last + length) + 1);
    }
}

static const char *end_of_pool(const char *text, PageFormat format)
{
    const char *p = strstr(text, format == PAGE_PLAIN ? "\n\n****"
                                 : format == PAGE_XML ? "<processes>"
                                                      : ", \"processes\"");

    return p ? p + (format == PAGE_PLAIN) : text + strlen(text);
}

/* A part of the page, from begin on, of n bytes, without what is ours. */
static void append_part(Buffer *b, const char *begin, size_t n, size_t k, const PageField *fields,
                        size_t n_fields, bool of_process)
{
    _cleanup_free_ char *part = strndup(begin, n);

    ck_assert_ptr_nonnull(part);
    take_ours_out(part, k, fields, n_fields, of_process);
    ck_assert_int_eq(buffer_append(b, part, strlen(part)), 0);
}

static size_t process_length(const char *text, PageFormat format)
{
    const char *end = format == PAGE_PLAIN ? strstr(text + 1, "\n\n****")
                      : format == PAGE_XML ? strstr(text, "</process>")
                                           : strchr(text, '}');

    if (!end)
        return strlen(text);
    return (size_t)(end - text) +
           (format == PAGE_PLAIN ? 1 : strlen(format == PAGE_XML ? "</process>" : "}"));
}

static char *without_ours(const char *text, size_t k)
{
    PageFormat format = around[k].format;
    _cleanup_buffer_ Buffer b = {0};
    size_t n_pool, n_process;
    const PageField *pool = page_more_pool_fields(&n_pool);
    const PageField *process = page_more_process_fields(&n_process);
    const char *p = end_of_pool(text, format);

    append_part(&b, text, (size_t)(p - text), k, pool, n_pool, false);
    while (*p) {
        size_t n = process_length(p, format);
        bool has_process = strstr(p, format == PAGE_JSON ? "\"pid\"" : "pid");

        append_part(&b, p, n, k, process, has_process ? n_process : 0, true);
        p += n;
    }
    return buffer_steal(&b);
}

START_TEST(page)
{
    Case c = case_make();
    _cleanup_free_ char *text = render(&c, pages[_i].format, pages[_i].full), *rest = NULL;
    size_t k = 0;

    while (around[k].format != pages[_i].format)
        k++;
    rest = without_ours(text, k);
    ck_assert_str_eq(rest, pages[_i].text);
}
END_TEST

static const char of_php_fpm[] = OPENMETRICS;

START_TEST(metrics)
{
    Case c = case_make();
    _cleanup_free_ char *text = render(&c, PAGE_OPENMETRICS, _i);
    _cleanup_buffer_ Buffer b = {0};
    _cleanup_free_ char *strict = NULL;

    ck_assert_int_eq(strncmp(text, of_php_fpm, strlen(of_php_fpm)), 0);
    ck_assert_str_eq(text + strlen(text) - 6, "# EOF\n");
    ck_assert_ptr_nonnull(strstr(text, "# TYPE fpmd_requests_begun_total counter\n"
                                       "fpmd_requests_begun_total{pool=\"www\"} 26\n"));
    ck_assert_ptr_nonnull(strstr(text, "fpmd_queue_wait_seconds{pool=\"www\"} 1.500000\n"));
    ck_assert_ptr_nonnull(strstr(text, "_bucket{pool=\"www\",le=\"0.0005\"} 3\n"));
    ck_assert_ptr_nonnull(strstr(text, "_bucket{pool=\"www\",le=\"+Inf\"} 7\n"));
    ck_assert_ptr_nonnull(strstr(text, "_seconds_count{pool=\"www\"} 7\n"));
    ck_assert(!strstr(text, "fpmd_worker_info{pool=\"www\",pid=\"9168\",state=\"running\"") == !_i);
    ck_assert_int_eq(page_render_metrics(&b, &c.pool, c.workers, _i, true), 0);
    strict = buffer_steal(&b);
    ck_assert_ptr_nonnull(strstr(strict, "# TYPE fpmd_requests_begun counter\n"
                                         "fpmd_requests_begun_total{pool=\"www\"} 26\n"));
    ck_assert_ptr_null(strstr(strict, "# TYPE fpmd_requests_begun_total"));
}
END_TEST

static struct tm *in_new_york(const time_t *time, struct tm *ret)
{
    time_t there = *time - 5 * 3600;

    gmtime_r(&there, ret);
    ret->tm_gmtoff = -5 * 3600;
    return ret;
}

START_TEST(local_time)
{
    Case c = case_make();
    _cleanup_free_ char *plain = render_in(&c, PAGE_PLAIN, true, in_new_york);
    _cleanup_free_ char *json = render_in(&c, PAGE_JSON, true, in_new_york);

    ck_assert_ptr_nonnull(strstr(plain, "start time:           22/Nov/2026:11:31:29 -0500\n"));
    ck_assert_ptr_nonnull(strstr(plain, "start time:           22/Nov/2026:11:31:30 -0500\n"));
    ck_assert_ptr_nonnull(strstr(json, "\"start time\":1795365089,"));
}
END_TEST

static const struct {
    WorkerState state;
    const char *name;
    bool active;
} states[] = {
    {WORKER_STATE_STARTING, "Idle", false},
    {WORKER_STATE_IDLE, "Idle", false},
    {WORKER_STATE_READING, "Reading headers", false},
    {WORKER_STATE_RUNNING, "Running", true},
    {WORKER_STATE_FINISHING, "Finishing", true},
    {WORKER_STATE_DRAINING, "Ending", true},
    {_WORKER_STATE_MAX, "Running", true},
};

START_TEST(state)
{
    Case c = case_make();
    PageProcess process;
    PagePool pool;

    for (size_t i = 0; i < N_WORKERS; i++)
        c.workers[i].board.state = states[_i].state;
    page_process(&c.workers[0], &process);
    ck_assert_str_eq(process.state, states[_i].name);
    page_pool(&c.pool, c.workers, &pool);
    ck_assert_uint_eq(pool.total, N_WORKERS);
    ck_assert_uint_eq(pool.active, states[_i].active ? N_WORKERS : 0);
    ck_assert_uint_eq(pool.idle + pool.active, pool.total);
    ck_assert_uint_ge(pool.active_max, pool.active);
}
END_TEST

/* The figures of the last request are those of an idle worker only; times out of order are none. */
START_TEST(last_request)
{
    Case c = case_make();
    StatusWorker *w = &c.workers[1];
    PageProcess p;

    w->board.state = WORKER_STATE_FINISHING;
    w->request_age_usec = 55;
    page_process(w, &p);
    ck_assert_uint_eq(p.request_usec, 55);
    ck_assert_uint_eq(p.memory_bytes, 0);
    w->board.state = WORKER_STATE_READING;
    page_process(w, &p);
    ck_assert_uint_eq(p.request_usec, 400);
    ck_assert_uint_eq(p.memory_bytes, 2097152);
    w->board.last_active_usec = w->board.request_started_usec;
    page_process(w, &p);
    ck_assert_uint_eq(p.request_usec, 0);
    ck_assert(p.cpu_percent == 0);
    w->board.last_active_usec--;
    page_process(w, &p);
    ck_assert_uint_eq(p.request_usec, 0);
}
END_TEST

START_TEST(no_workers)
{
    Case c = case_make();
    _cleanup_free_ char *json = NULL, *xml = NULL;

    c.pool.n_workers = 0;
    json = render(&c, PAGE_JSON, true);
    xml = render(&c, PAGE_XML, true);
    ck_assert_ptr_nonnull(strstr(json, "\"total processes\":0,"));
    ck_assert_ptr_nonnull(strstr(json, ", \"processes\":[]}"));
    ck_assert_ptr_nonnull(strstr(xml, "<processes>\n</processes>\n</status>"));
}
END_TEST

/* Texts as long as they may be, of any bytes. */
static void fill(char *text, size_t size, size_t phase)
{
    for (size_t i = 0; i + 1 < size; i++)
        text[i] = (char)((i * 7 + phase) % 255 + 1);
    text[size - 1] = 0;
}

static bool may_stand(unsigned char c, PageFormat format)
{
    if (format == PAGE_JSON)
        return c >= 0x20 && c < 0x7f;
    return format == PAGE_OPENMETRICS || c == '\n' || (c >= 0x20 && c != 0x7f);
}

/* The page has the elements that it should have, and no byte that its format forbids. */
static void assert_harmless(const char *text, PageFormat format)
{
    const char *up = "# TYPE phpfpm_up";
    size_t n_open = 0, n_wrong = 0, n_pool, n_more;

    page_more_pool_fields(&n_pool);
    page_more_process_fields(&n_more);
    for (const char *p = text; *p; p++) {
        n_wrong += !may_stand((unsigned char)*p, format);
        n_open += *p == '<';
    }
    ck_assert_uint_eq(n_wrong, 0);
    if (format == PAGE_XML)
        ck_assert_uint_eq(n_open,
                          1 + 2 + 2 * (14 + n_pool) + 2 + N_WORKERS * 2 * (1 + 13 + n_more));
    if (format == PAGE_OPENMETRICS)
        ck_assert_ptr_eq(strstr(text, up), strchr(text, '\n') + 1);
}

START_TEST(hostile)
{
    Case c = case_make();
    BoardSlot *s = &c.workers[0].board;

    for (size_t phase = 0; phase < 255; phase++) {
        _cleanup_free_ char *text = NULL;

        fill(c.pool.name, sizeof(c.pool.name), phase);
        fill(s->method, sizeof(s->method), phase);
        fill(s->user, sizeof(s->user), phase);
        fill(s->name, sizeof(s->name), phase);
        fill(s->query, sizeof(s->query), phase);
        fill(s->script, sizeof(s->script), phase);
        text = render(&c, (PageFormat)_i, true);
        assert_harmless(text, (PageFormat)_i);
    }
}
END_TEST

START_TEST(fields)
{
    const PageField *table;
    size_t n;

    for (int part = 0; part < 4; part++) {
        table = part == 0   ? page_pool_fields(&n)
                : part == 1 ? page_process_fields(&n)
                : part == 2 ? page_more_pool_fields(&n)
                            : page_more_process_fields(&n);
        ck_assert(part >= 2 || n == 14);
        for (size_t i = 0; i < n; i++) {
            ck_assert_ptr_nonnull(table[i].key);
            ck_assert(table[i].type < _PAGE_TYPE_MAX);
            ck_assert(!table[i].name == (table[i].type == PAGE_QUERY));
        }
    }
}
END_TEST

static const struct {
    const char *text, *json, *markup, *metrics;
} escapes[] = {
    {"", "", "", ""},
    {"a/b c", "a\\/b c", "a/b c", "a/b c"},
    {"<script>'\"&amp;", "<script>'\\\"&amp;", "&lt;script&gt;'&quot;&amp;amp;",
     "<script>'\\\"&amp;"},
    {"]]>\\", "]]>\\\\", "]]&gt;\\", "]]>\\\\"},
    {"\n\t\x01\x7f", "\\n\\t\\u0001\\u007f", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
     "\\n\t\x01\x7f"},
    {"\xc3\xa9\xf0\x9f\x98\x80", "\\u00e9\\ud83d\\ude00", "\xc3\xa9\xf0\x9f\x98\x80",
     "\xc3\xa9\xf0\x9f\x98\x80"},
    {"\xc2\x85\xe2\x80\xae\xef\xbf\xbf", "\\u0085\\u202e\\uffff",
     "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "\xc2\x85\xe2\x80\xae\xef\xbf\xbf"},
    {"x\xff<\xc3", "x\\ufffd<\\ufffd", "x\xef\xbf\xbd&lt;\xef\xbf\xbd",
     "x\xef\xbf\xbd<\xef\xbf\xbd"},
};

static void assert_escape(int (*escape)(Buffer *, const char *), const char *text,
                          const char *expected)
{
    _cleanup_buffer_ Buffer b = {0};
    _cleanup_free_ char *result = NULL;

    ck_assert_int_eq(escape(&b, text), 0);
    result = buffer_steal(&b);
    ck_assert_str_eq(result, expected);
}

START_TEST(escape)
{
    assert_escape(escape_json_ascii, escapes[_i].text, escapes[_i].json);
    assert_escape(escape_markup, escapes[_i].text, escapes[_i].markup);
    assert_escape(escape_metrics, escapes[_i].text, escapes[_i].metrics);
}
END_TEST

static Suite *page_suite(void)
{
    Suite *s = suite_create("status/page");
    TCase *tc = tcase_create("page");

    tcase_add_loop_test(tc, page, 0, ARRAY_SIZE(pages));
    tcase_add_loop_test(tc, metrics, 0, 2);
    tcase_add_loop_test(tc, state, 0, ARRAY_SIZE(states));
    tcase_add_loop_test(tc, hostile, 0, _PAGE_FORMAT_MAX);
    tcase_add_loop_test(tc, escape, 0, ARRAY_SIZE(escapes));
    tcase_add_test(tc, local_time);
    tcase_add_test(tc, last_request);
    tcase_add_test(tc, no_workers);
    tcase_add_test(tc, fields);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(page_suite)
