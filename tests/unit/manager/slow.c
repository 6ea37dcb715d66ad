/* Slow requests: when they are looked at, and what is said of them. */
#include "manager/slow.h"
#include "../run.h"

#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"
#include "manager/logfile.h"
#include "manager/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEC     USEC_PER_SEC
#define TIMEOUT (5 * SEC)

static int journal[2], template_fd;
static char path[] = "/tmp/fpmd-test-slow.XXXXXX";
static Manager *m;
static Generation *g;
static Worker worker;
static uint64_t now_usec;
static char said[65536];

static PoolSetup *setup_new(void)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    PoolSetup *s = calloc(1, sizeof(*s));

    ck_assert_ptr_nonnull(s);
    s->n_refs = 1;
    s->config = pool_config_new("www");
    s->config->slowlog_timeout_usec = TIMEOUT;
    s->config->slowlog_trace_depth = 20;
    s->config->slowlog = strdup(path);
    ck_assert_int_eq(logfiles_open(s, &issues), 0);
    return s;
}

static void set_up(void)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, journal), 0);
    log_open(&(LogOptions){
        .identifier = "test", .pool = "www", .max_priority = LOG_DEBUG, .journal_fd = journal[0]});
    fd_close(mkstemp(path));
    now_usec = clock_monotonic_usec();
    m = calloc(1, sizeof(*m));
    g = calloc(1, sizeof(*g));
    ck_assert(m && g);
    m->options.pool = "www";
    ck_assert_int_ge(sd_event_new(&m->event), 0);
    ck_assert_int_eq(link_pair(pair), 0);
    template_fd = pair[1];
    *g = (Generation){.manager = m, .number = 3, .template_pid = 1, .link_fd = pair[0]};
    g->setup = setup_new();
    g->config = g->setup->config;
    m->generations = m->current = g;
    worker = (Worker){.manager = m,
                      .generation = g,
                      .pid = 4711,
                      .slot_number = 2,
                      .started_usec = now_usec - 1000 * SEC};
}

static void tear_down(void)
{
    traces_cancel(m, NULL);
    unlink(path);
}

static BoardSlot request(WorkerState state, uint64_t age_usec)
{
    return (BoardSlot){.state = state,
                       .request_started_usec = now_usec - age_usec,
                       .script = "/srv/slow.php",
                       .method = "POST",
                       .uri = "/slow.php",
                       .query = "a=b",
                       .request_id = "id-1"};
}

/* When to look again, from now. */
static uint64_t look(BoardSlot slot)
{
    uint64_t next_usec = slow_look(&worker, &slot, now_usec);

    return next_usec == USEC_INFINITY ? next_usec : next_usec - now_usec;
}

/* What the template is asked, and its answer. */
static void answer(int result, const char *text, unsigned more)
{
    LinkMessage message;
    TraceArea *area;
    size_t n;
    int fd;

    ck_assert_int_eq(link_receive(template_fd, MSG_DONTWAIT, &message, &fd, 1, &n, NULL), 1);
    ck_assert_int_eq(trace_attach(fd, &area), 0);
    ck_assert_int_eq(area->pid, 4711);
    ck_assert_uint_eq(area->depth, 20);
    area->result = result;
    area->method = TRACE_METHOD_READ;
    area->size = (uint32_t)strlen(text);
    area->more = more;
    memcpy((char *)area + TRACE_TEXT_AT, text, strlen(text));
    munmap(area, TRACE_AREA_SIZE);
    fd_close(fd);
    ck_assert(traces_complete(g, message.count));
}

/* The next record, "" for none. */
static const char *record(void)
{
    ssize_t n = recv(journal[1], said, sizeof(said) - 1, 0);

    said[MAX(n, 0)] = 0;
    /* The lengths before values of several lines. */
    for (ssize_t i = 0; i < n; i++)
        if (said[i] == 0)
            said[i] = '.';
    return said;
}

static const char *file(void)
{
    static char text[65536];
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof(text) - 1);

    text[MAX(n, 0)] = 0;
    return text;
}

START_TEST(when_to_look)
{
    ck_assert_uint_eq(look(request(WORKER_STATE_IDLE, 100 * SEC)), TIMEOUT);
    ck_assert_uint_eq(look(request(WORKER_STATE_READING, 100 * SEC)), TIMEOUT);
    ck_assert_uint_eq(look(request(WORKER_STATE_FINISHING, 100 * SEC)), TIMEOUT);
    ck_assert_uint_eq(look(request(WORKER_STATE_RUNNING, 2 * SEC)), 3 * SEC);
    ck_assert_uint_eq(look(request(WORKER_STATE_RUNNING, TIMEOUT - 1)), 1);
    ck_assert_uint_eq(m->slow_requests, 0);
    ck_assert_uint_eq(look(request(WORKER_STATE_RUNNING, TIMEOUT)), TIMEOUT);
    ck_assert_uint_eq(m->slow_requests, 1);
    g->setup->config->slowlog_timeout_usec = 0;
    ck_assert_uint_eq(look(request(WORKER_STATE_RUNNING, 100 * SEC)), USEC_INFINITY);
    ck_assert_uint_eq(m->slow_requests, 1);
}
END_TEST

START_TEST(each_request_once)
{
    BoardSlot slot = request(WORKER_STATE_RUNNING, 6 * SEC);

    look(slot);
    now_usec += SEC;
    look(slot);
    ck_assert_uint_eq(m->slow_requests, 1);
    /* The next one begins after that, whatever the worker says. */
    for (unsigned i = 0; i < 100; i++) {
        slot.request_started_usec++;
        look(slot);
    }
    ck_assert_uint_eq(m->slow_requests, 1);
    slot.request_started_usec += TIMEOUT;
    now_usec += 2 * TIMEOUT;
    look(slot);
    ck_assert_uint_eq(m->slow_requests, 2);
    /* The time of a request that is said to be older than its worker begins with him. */
    worker.started_usec = now_usec - 2 * SEC;
    ck_assert_uint_eq(look(request(WORKER_STATE_RUNNING, 100 * SEC)), 3 * SEC);
    ck_assert_uint_eq(m->slow_requests, 2);
}
END_TEST

START_TEST(the_record_and_the_file)
{
    look(request(WORKER_STATE_RUNNING, 6 * SEC + 7000));
    ck_assert_str_eq(record(), "");
    answer(0, "0x10\tsleep()\t/srv/slow.php:3\n0x20\tShop->total()\t/srv/slow.php:9\n", 0);
    record();
    ck_assert_ptr_nonnull(strstr(
        said, "MESSAGE=Worker 4711: /srv/slow.php has run for 6.007 s (request_slowlog_timeout is "
              "5.000 s): in sleep() /srv/slow.php:3, called by Shop->total() /srv/slow.php:9\n"));
    ck_assert_ptr_nonnull(
        strstr(said, "#0 sleep() /srv/slow.php:3\n#1 Shop->total() /srv/slow.php:9\n"));
    for (const char *const *field =
             (const char *const[]){
                 "WORKER_PID=4711", "WORKER_SLOT=2", "GENERATION=3", "SCRIPT=/srv/slow.php",
                 "REQUEST_METHOD=POST", "REQUEST_URI=/slow.php", "QUERY=a=b", "REQUEST_ID=id-1",
                 "DURATION_USEC=6007000", "TRACE_METHOD=read", "TRACE_COST_USEC=0", NULL};
         *field; field++) {
        char line[128];

        snprintf(line, sizeof(line), "\n%s\n", *field);
        ck_assert_msg(strstr(said, line), "%s", *field);
    }
    ck_assert_ptr_nonnull(strstr(file(), "]  [pool www] pid 4711\nscript_filename = /srv/slow.php\n"
                                         "[0x0000000000000010] sleep() /srv/slow.php:3\n"
                                         "[0x0000000000000020] Shop->total() /srv/slow.php:9\n"));
    ck_assert_int_eq(file()[0], '\n');
    ck_assert_uint_eq(g->setup->n_refs, 1);
}
END_TEST

START_TEST(where_it_computes)
{
    look(request(WORKER_STATE_RUNNING, 6 * SEC));
    answer(0, "0x0\t[RUNNING]()\t/srv/slow.php:7\n0x20\tf()\t/srv/slow.php:9\n0x30\tg()\t\n", 980);
    record();
    ck_assert_ptr_nonnull(
        strstr(said, "s): at /srv/slow.php:7, in f() /srv/slow.php:9, called by g()\n"));
    ck_assert_ptr_nonnull(strstr(said, "\n#2 g()\nand 980 more\n"));
}
END_TEST

START_TEST(without_a_stack)
{
    look(request(WORKER_STATE_RUNNING, 6 * SEC));
    answer(-ESTALE, "", 0);
    record();
    ck_assert_ptr_nonnull(strstr(said, "s) (no call stack: its request is another one by now)\n"));
    ck_assert_ptr_nonnull(strstr(said, "\nTRACE_ERROR="));
    ck_assert_ptr_null(strstr(said, "PHP_BACKTRACE"));
    ck_assert_ptr_nonnull(strstr(file(), "script_filename = /srv/slow.php\n+++ dump failed\n"));
    /* Nobody to ask. */
    g->template_pid = 0;
    now_usec += 10 * SEC;
    look(request(WORKER_STATE_RUNNING, 7 * SEC));
    ck_assert_ptr_nonnull(strstr(record(), "(no call stack: the template of its generation"));
    ck_assert_uint_eq(m->slow_requests, 2);
    ck_assert_uint_eq(g->setup->n_refs, 1);
}
END_TEST

/* That stacks cannot be read is said once for a generation. */
START_TEST(a_kernel_that_forbids_it)
{
    for (unsigned i = 0; i < 2; i++) {
        now_usec += i * 10 * SEC;
        look(request(WORKER_STATE_RUNNING, 6 * SEC));
        answer(-EPERM, "", 0);
        if (i == 0)
            ck_assert_ptr_nonnull(
                strstr(record(), "MESSAGE_ID=b1e4f1f26ccc4203bf92a179db45f022\n"));
        ck_assert_ptr_nonnull(strstr(record(), "does not let the template read"));
        ck_assert_str_eq(record(), "");
    }
}
END_TEST

/* The settings of its generation may be gone by the time of the answer. */
START_TEST(a_setup_that_is_replaced)
{
    PoolSetup *old = g->setup;

    look(request(WORKER_STATE_RUNNING, 6 * SEC));
    ck_assert_uint_eq(old->n_refs, 2);
    g->setup = NULL;
    pool_setup_unref(old);
    answer(0, "", 0);
    ck_assert_ptr_nonnull(strstr(record(), "request_slowlog_timeout is 5.000 s)\n"));
}
END_TEST

static Suite *slow_suite(void)
{
    Suite *s = suite_create("manager/slow");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, when_to_look);
    tcase_add_test(t, each_request_once);
    tcase_add_test(t, the_record_and_the_file);
    tcase_add_test(t, where_it_computes);
    tcase_add_test(t, without_a_stack);
    tcase_add_test(t, a_kernel_that_forbids_it);
    tcase_add_test(t, a_setup_that_is_replaced);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(slow_suite)
