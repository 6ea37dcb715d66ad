#include "runtime/php/pages.h"

#include "base/clock.h"
#include "base/fd.h"
#include "board/slot.h"
#include "log/log.h"
#include "runtime/ask.h"
#include "status/answer.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- the state of the pool ---- */

static bool is_at_rest(const BoardSlot *board)
{
    return board->state == WORKER_STATE_IDLE || board->state == WORKER_STATE_READING;
}

/* Answers are shared by those who ask within a short time, so this worker may be in it as it was
 * before this request, or not at all: it is put there as it is. There is room for one more. */
static void update_own(const PhpRequest *r, StatusPool *pool, StatusWorker *workers)
{
    uint32_t pid = (uint32_t)getpid(), i = 0;
    uint64_t now_usec = clock_monotonic_usec();
    BoardSlot board;

    if (request_read_slot(r->request, now_usec, &board) == -EBADMSG)
        return;
    while (i < pool->n_workers && workers[i].pid != pid)
        i++;
    if (i == pool->n_workers) {
        workers[i] = (StatusWorker){.pid = pid, .started_usec = clock_realtime_usec()};
        pool->n_workers++;
    }
    if (board.requests > workers[i].board.requests)
        pool->requests += board.requests - workers[i].board.requests;
    if (is_at_rest(&workers[i].board) && pool->idle > 0) {
        pool->idle--;
        pool->active++;
        pool->active_max = MAX(pool->active_max, pool->active);
    }
    workers[i].board = board;
    workers[i].request_age_usec = now_usec - board.request_started_usec;
}

/* The history is what it is; a page is shown without it as well. */
static History *get_history(int fd)
{
    History *h = fd >= 0 ? malloc(sizeof(*h)) : NULL;

    if (h && history_open(fd, h) == 0)
        return h;
    free(h);
    return NULL;
}

/* Asks the manager. 0 with an allocation that the caller frees, its workers behind the pool, and
 * the history (NULL: there is none; ret_history NULL: nobody wants it); or -errno. */
static int get_snapshot(const PhpRequest *r, StatusPool **ret, History **ret_history)
{
    _cleanup_fd_ int history_fd = -1, fd = ask_status(ret_history ? &history_fd : NULL);
    const StatusPool *pool;
    const StatusWorker *workers;
    StatusPool *copy;
    size_t size;
    int error;

    if (fd < 0)
        return fd;
    error = status_open(fd, &pool, &workers, &size);
    if (error < 0)
        return error;
    copy = malloc(size + sizeof(StatusWorker));
    if (copy)
        memcpy(copy, pool, size);
    munmap((void *)(uintptr_t)pool, size);
    if (!copy)
        return -ENOMEM;
    update_own(r, copy, (StatusWorker *)(copy + 1));
    *ret = copy;
    if (ret_history)
        *ret_history = get_history(history_fd);
    return 0;
}

/* ---- answers ---- */

typedef struct Answer {
    int code;
    const char *type; /* NULL: as PHP has it */
    bool type_first;  /* the order of the headers is PHP-FPM's */
    bool cacheable;
    const char *data;
    size_t n;
} Answer;

static void add_header(const char *line)
{
    sapi_add_header_ex((char *)(uintptr_t)line, strlen(line), true, true);
}

static void set_content_type(const Answer *a)
{
    char line[128];

    snprintf(line, sizeof(line), "Content-Type: %s", a->type);
    add_header(line);
}

/* PHP may bail out of any header and output: nobody who owns anything is above this. */
static void send_answer(const Answer *a)
{
    zend_try
    {
        SG(sapi_headers).http_response_code = a->code;
        if (a->type && a->type_first)
            set_content_type(a);
        if (!a->cacheable) {
            add_header("Expires: Thu, 01 Jan 1970 00:00:00 GMT");
            add_header("Cache-Control: no-cache, no-store, must-revalidate, max-age=0");
        }
        if (a->type && !a->type_first)
            set_content_type(a);
        if (a->n > 0 && !SG(request_info).headers_only)
            PHPWRITE(a->data, a->n);
    }
    zend_end_try();
}

static void send_text(int code, const char *type, const char *text)
{
    send_answer(&(Answer){.code = code,
                          .type = type,
                          .type_first = true,
                          .cacheable = !type,
                          .data = text,
                          .n = strlen(text)});
}

/* PHP may bail out of any header and output: nobody who owns anything is above this. */
static void send_status(const StatusAnswer *a)
{
    char type[160];

    zend_try
    {
        SG(sapi_headers).http_response_code = a->code;
        for (size_t i = 0; i < ARRAY_SIZE(a->headers) && a->headers[i]; i++)
            add_header(a->headers[i]);
        snprintf(type, sizeof(type), "Content-Type: %s", a->content_type);
        add_header(type);
        if (a->body.size > 0)
            PHPWRITE(a->body.data, a->body.size);
    }
    zend_end_try();
}

static int make_status(const PhpRequest *r, const StatusQuestion *q, StatusAnswer *ret)
{
    _cleanup_free_ StatusPool *pool = NULL;
    _cleanup_free_ History *history = NULL;
    int error;

    if (!status_question_needs_snapshot(q))
        return status_answer_make(q, NULL, NULL, NULL, localtime_r, ret);
    error = get_snapshot(r, &pool, &history);
    if (error < 0)
        return error;
    return status_answer_make(q, pool, (const StatusWorker *)(pool + 1), history, localtime_r, ret);
}

static void answer_status(PhpRequest *r)
{
    const StatusQuestion question = {
        .query = SG(request_info).query_string,
        .accept = request_param(r->request, "HTTP_ACCEPT"),
        .head = SG(request_info).headers_only,
    };
    StatusAnswer answer;
    int error;

    /* A HEAD is answered before anybody is asked, and the type is PHP's then, as under PHP-FPM. */
    if (question.head) {
        send_answer(&(Answer){.code = 200});
        return;
    }
    error = make_status(r, &question, &answer);
    if (error < 0) {
        log_error("The status page of the pool cannot be shown: %s", strerror(-error));
        /* What the manager sends is a descriptor, and a script has left none free, or has closed
         * ours: another worker shall be asked next. */
        if (error == -EBADF || error == -EBADMSG || error == -ENOTSOCK)
            r->retire = true;
        send_text(500, "text/plain", "Internal error. Please review log file for errors.");
        return;
    }
    send_status(&answer);
    buffer_done(&answer.body);
}

/* A load balancer shall send its clients elsewhere before a pool that drains leaves. */
static void answer_ping(const PhpRequest *r)
{
    request_note_ping(r->request);
    if (ask_is_draining())
        send_text(503, "text/plain", "draining");
    else
        send_text(200, "text/plain", r->spec->ping_response ? r->spec->ping_response : "pong");
}

static bool is_path(const PhpRequest *r, const char *path)
{
    return path && r->script.uri && strcmp(r->script.uri, path) == 0;
}

bool pages_answer(PhpRequest *r)
{
    if (is_path(r, r->spec->ping_path))
        answer_ping(r);
    else if (is_path(r, r->spec->status_path))
        answer_status(r);
    else
        return false;
    return true;
}

/* ---- fpm_get_status() ---- */

static void add_field(zval *array, const void *object, const PageField *f)
{
    switch (f->type) {
    case PAGE_TEXT:
        add_assoc_string(array, f->key, page_text(object, f));
        return;
    case PAGE_URI:
        add_assoc_string(array, f->key, page_uri(object, f)->name);
        return;
    case PAGE_QUERY:
        add_assoc_string(array, f->key, page_uri(object, f)->query);
        return;
    case PAGE_PERCENT:
        add_assoc_double(array, f->key, page_percent(object, f));
        return;
    case PAGE_LATENCY: /* not among PHP-FPM's */
        return;
    case PAGE_CHARS:
        add_assoc_string(array, f->key, page_text(object, f));
        return;
    case PAGE_NUMBER:
    case PAGE_U32:
    case PAGE_TIME:
    case _PAGE_TYPE_MAX:
        break;
    }
    add_assoc_long(array, f->key, (zend_long)page_number(object, f));
}

static void add_processes(zval *array, const StatusWorker *workers, size_t n_workers)
{
    size_t n;
    const PageField *fields = page_process_fields(&n);

    for (size_t w = 0; w < n_workers; w++) {
        PageProcess process;
        zval entry;

        page_process(&workers[w], &process);
        array_init(&entry);
        for (size_t i = 0; i < n; i++)
            add_field(&entry, &process, &fields[i]);
        add_next_index_zval(array, &entry);
    }
}

static void make_array(const StatusPool *pool, zval *ret)
{
    const StatusWorker *workers = (const StatusWorker *)(pool + 1);
    size_t n;
    const PageField *fields = page_pool_fields(&n);
    PagePool figures;
    zval processes;

    page_pool(pool, workers, &figures);
    array_init(ret);
    for (size_t i = 0; i < n; i++)
        add_field(ret, &figures, &fields[i]);
    array_init(&processes);
    add_processes(&processes, workers, pool->n_workers);
    add_assoc_zval(ret, "procs", &processes);
}

void pages_get_status(const PhpRequest *r, zval *ret)
{
    StatusPool *pool = NULL;

    if (!r || get_snapshot(r, &pool, NULL) < 0) {
        ZVAL_FALSE(ret);
        return;
    }
    /* PHP bails out where memory_limit is reached. */
    zend_try
    {
        make_array(pool, ret);
    }
    zend_catch
    {
        free(pool);
        zend_bailout();
    }
    zend_end_try();
    free(pool);
}

/* ---- what requests take ---- */

static uint64_t cpu_before_usec, children_before_usec;

static uint64_t own_cpu_usec(void)
{
    return clock_usec(CLOCK_PROCESS_CPUTIME_ID);
}

static uint64_t timeval_usec(struct timeval t)
{
    return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_usec;
}

void pages_measure(const PhpRequest *r)
{
    if (r->spec->status_path)
        cpu_before_usec = own_cpu_usec();
}

void pages_note_use(const PhpRequest *r, uint64_t memory_peak_bytes)
{
    uint64_t cpu_usec = 0, children_usec;
    struct rusage children;

    if (r->spec->status_path && getrusage(RUSAGE_CHILDREN, &children) == 0) {
        children_usec = timeval_usec(children.ru_utime) + timeval_usec(children.ru_stime);
        cpu_usec = own_cpu_usec() - cpu_before_usec + children_usec - children_before_usec;
        children_before_usec = children_usec;
    }
    request_note_use(r->request, cpu_usec, memory_peak_bytes);
}
