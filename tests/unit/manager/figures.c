/* What workers count and take: only ever more, and no more than a machine can. */
#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"
#include "manager/manager.h"
#include "../run.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEC USEC_PER_SEC

static Manager *m;
static Generation *g;
static uint64_t now_usec;

typedef struct Fake {
    Worker *w;
    BoardSlot *page;
} Fake;

static Fake fake(void)
{
    Fake f = {0};
    int fd;

    ck_assert_int_eq(worker_add(g, &f.w), 0);
    fd = board_create(&f.w->slot);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(board_attach(fd, &f.page), 0);
    fd_close(fd);
    f.page->version = BOARD_SLOT_VERSION;
    f.page->state = WORKER_STATE_RUNNING;
    f.w->phase = WORKER_READY;
    return f;
}

static PoolConfig config;

static void set_up(void)
{
    config.sandbox_opcache_private = false;
    log_open(&(LogOptions){.identifier = "test", .max_priority = LOG_EMERG, .journal_fd = -1});
    now_usec = clock_monotonic_usec();
    m = calloc(1, sizeof(*m));
    g = calloc(1, sizeof(*g));
    ck_assert(m && g);
    m->porter = PORTER_NONE;
    m->listeners = (Listeners){.growth_fd = -1, .diag_fd = -1};
    *g = (Generation){.manager = m, .number = 1, .link_fd = -1, .config = &config};
    m->generations = m->current = g;
}

static BoardSlot look(const Fake *f)
{
    BoardSlot slot;

    worker_read_slot(f->w, now_usec, &slot);
    return slot;
}

START_TEST(what_has_grown_since_is_added)
{
    Fake a = fake(), b = fake();

    a.page->requests = 10;
    a.page->answered = 9;
    a.page->bytes_out = 1000;
    a.page->outcomes[BOARD_OUTCOME_OK] = 8;
    a.page->outcomes[BOARD_OUTCOME_SERVER_ERROR] = 1;
    a.page->latency[0] = 5;
    a.page->latency[BOARD_LATENCY_BUCKETS - 1] = 4;
    a.page->latency_sum_usec = 77;
    a.page->records_dropped = 3;
    look(&a);
    look(&a);
    b.page->requests = 1;
    b.page->answered = 1;
    b.page->outcomes[BOARD_OUTCOME_OK] = 1;
    b.page->latency[0] = 1;
    look(&b);
    ck_assert_uint_eq(m->requests, 11);
    ck_assert_uint_eq(m->answered, 10);
    ck_assert_uint_eq(m->bytes_out, 1000);
    ck_assert_uint_eq(m->outcomes[BOARD_OUTCOME_OK], 9);
    ck_assert_uint_eq(m->outcomes[BOARD_OUTCOME_SERVER_ERROR], 1);
    ck_assert_uint_eq(m->latency[0], 6);
    ck_assert_uint_eq(m->latency[BOARD_LATENCY_BUCKETS - 1], 4);
    ck_assert_uint_eq(m->latency_sum_usec, 77);
    ck_assert_uint_eq(m->worker_records_dropped, 3);
    a.page->latency[0] = 6;
    look(&a);
    ck_assert_uint_eq(m->latency[0], 7);
    ck_assert_uint_eq(m->absurd_messages, 0);
}
END_TEST

/* Where each worker has a cache of its own; one that begins anew counts from 0. */
START_TEST(caches_of_workers_are_summed)
{
    Fake a = fake(), b = fake();

    a.page->opcache = b.page->opcache =
        (BoardOpcache){.seen_usec = now_usec, .hits = 10, .misses = 2, .restarts = 1};
    look(&a);
    ck_assert_uint_eq(g->opcache.hits, 0);
    config.sandbox_opcache_private = true;
    look(&a);
    look(&b);
    look(&b);
    ck_assert_uint_eq(g->opcache.hits, 20);
    ck_assert_uint_eq(g->opcache.misses, 4);
    ck_assert_uint_eq(g->opcache.restarts, 2);
    a.page->opcache.hits = 3;
    a.page->opcache.misses = 5;
    a.page->opcache.restarts = 2;
    look(&a);
    ck_assert_uint_eq(g->opcache.hits, 23);
    ck_assert_uint_eq(g->opcache.misses, 9);
    ck_assert_uint_eq(g->opcache.restarts, 3);
    b.page->opcache.hits = UINT64_MAX;
    look(&b);
    ck_assert_uint_eq(g->opcache.hits, 23);
    ck_assert_uint_eq(m->absurd_messages, 1);
}
END_TEST

START_TEST(counters_that_lie)
{
    Fake f = fake();

    f.page->answered = 10;
    f.page->outcomes[0] = 10;
    look(&f);
    /* Back, and up to where it was, is nothing new. */
    f.page->answered = 2;
    look(&f);
    f.page->answered = 10;
    look(&f);
    ck_assert_uint_eq(m->answered, 10);
    /* More than can be. */
    f.page->answered = UINT64_MAX;
    f.page->outcomes[0] = UINT64_MAX - 5;
    f.page->bytes_in = UINT64_MAX;
    f.page->latency_sum_usec = UINT64_MAX;
    look(&f);
    ck_assert_uint_eq(m->answered, 10);
    ck_assert_uint_eq(m->outcomes[0], 10);
    ck_assert_uint_eq(m->bytes_in, 0);
    ck_assert_uint_eq(m->latency_sum_usec, 0);
    ck_assert_uint_eq(m->absurd_messages, 4);
    f.page->version = 4711;
    ck_assert_uint_eq(look(&f).answered, 0);
    ck_assert_uint_eq(m->answered, 10);
}
END_TEST

/* The manager's own words in a slot are not the worker's. */
START_TEST(fields_of_the_manager)
{
    Fake f = fake();

    f.page->cpu_total_usec = 1;
    f.page->cpu_permille = 999999;
    f.page->opcache.seen_usec = UINT64_MAX;
    memset(f.page->request_id, 'x', sizeof(f.page->request_id));
    f.page->request_id[3] = '\n';
    ck_assert_uint_eq(look(&f).cpu_total_usec, 0);
    ck_assert_uint_eq(look(&f).cpu_permille, 0);
    ck_assert_uint_le(look(&f).opcache.seen_usec, now_usec);
    ck_assert_int_eq(look(&f).request_id[3], '?');
    ck_assert_int_eq(look(&f).request_id[sizeof(f.page->request_id) - 1], 0);
}
END_TEST

static pid_t burn(uint64_t usec)
{
    pid_t pid = fork();
    struct timespec time;

    if (pid != 0)
        return pid;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    while ((uint64_t)time.tv_sec * USEC_PER_SEC + (uint64_t)time.tv_nsec / 1000 < usec);
    _exit(0);
}

/* While it is a zombie its clock is still there; afterwards what was seen stays. */
START_TEST(cpu_of_one_that_has_ended)
{
    Fake f = fake();
    siginfo_t info;

    f.w->started_usec = now_usec;
    f.w->pid = burn(50000);
    ck_assert_int_eq(waitid(P_PID, (id_t)f.w->pid, &info, WEXITED | WNOWAIT), 0);
    worker_look_at_cpu(f.w, now_usec + SEC);
    ck_assert_uint_ge(f.w->cpu_usec, 50000);
    ck_assert_uint_lt(f.w->cpu_usec, 200000);
    ck_assert_uint_eq(m->cpu_usec, f.w->cpu_usec);
    ck_assert_uint_eq(f.w->cpu_permille, 0);
    worker_look_at_cpu(f.w, now_usec + 2 * SEC);
    ck_assert_uint_ge(f.w->cpu_permille, 25);
    ck_assert_uint_lt(f.w->cpu_permille, 100);
    ck_assert_int_eq(waitid(P_PID, (id_t)f.w->pid, &info, WEXITED), 0);
    worker_look_at_cpu(f.w, now_usec + 3 * SEC);
    ck_assert_uint_eq(m->cpu_usec, f.w->cpu_usec);
    ck_assert_uint_ge(m->cpu_usec, 50000);
}
END_TEST

/* An average over two seconds at least, however often somebody looks. */
START_TEST(share_of_a_processor)
{
    Fake f = fake();

    f.w->pid = getpid();
    f.w->started_usec = now_usec - 1000 * SEC;
    worker_look_at_cpu(f.w, now_usec);
    ck_assert_uint_lt(f.w->cpu_permille, 10);
    f.w->cpu_base_usec = 0;
    f.w->cpu_base_at_usec = now_usec;
    f.w->cpu_permille = 123;
    for (unsigned i = 0; i < 20; i++)
        worker_look_at_cpu(f.w, now_usec + i * SEC / 10);
    ck_assert_uint_eq(f.w->cpu_permille, 123);
    worker_look_at_cpu(f.w, now_usec + 2 * SEC);
    ck_assert_uint_ne(f.w->cpu_permille, 123);
}
END_TEST

/* What the dead cannot count any more, but for what nobody waits for. */
START_TEST(requests_of_the_dead)
{
    Fake f = fake();
    BoardSlot slot = {.state = WORKER_STATE_RUNNING, .request_started_usec = now_usec - 3 * SEC};

    figures_note_crash(f.w, &slot);
    slot.state = WORKER_STATE_READING;
    figures_note_crash(f.w, &slot);
    slot.state = WORKER_STATE_IDLE;
    figures_note_crash(f.w, &slot);
    slot.state = WORKER_STATE_FINISHING;
    figures_note_crash(f.w, &slot);
    ck_assert_uint_eq(m->crashed_requests, 2);
    figures_note_ended(f.w, &slot, now_usec);
    ck_assert_uint_eq(m->answered, 0);
    slot.state = WORKER_STATE_RUNNING;
    figures_note_ended(f.w, &slot, now_usec);
    ck_assert_uint_eq(m->outcomes[BOARD_OUTCOME_SERVER_ERROR], 1);
    f.w->stop_asked_usec = now_usec - SEC;
    f.w->stop_asked_request_usec = slot.request_started_usec;
    figures_note_ended(f.w, &slot, now_usec);
    ck_assert_uint_eq(m->outcomes[BOARD_OUTCOME_TIMED_OUT], 1);
    /* It was another request that was to be stopped. */
    f.w->stop_asked_request_usec--;
    figures_note_ended(f.w, &slot, now_usec);
    ck_assert_uint_eq(m->outcomes[BOARD_OUTCOME_SERVER_ERROR], 2);
    ck_assert_uint_eq(m->answered, 3);
    ck_assert_uint_eq(m->latency_sum_usec, 9 * SEC);
    ck_assert_uint_eq(m->latency[board_latency_bucket(3 * SEC)], 3);
}
END_TEST

static Suite *figures_suite(void)
{
    Suite *s = suite_create("manager/figures");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, NULL);
    tcase_add_test(t, what_has_grown_since_is_added);
    tcase_add_test(t, caches_of_workers_are_summed);
    tcase_add_test(t, counters_that_lie);
    tcase_add_test(t, fields_of_the_manager);
    tcase_add_test(t, cpu_of_one_that_has_ended);
    tcase_add_test(t, share_of_a_processor);
    tcase_add_test(t, requests_of_the_dead);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(figures_suite)
