#include "runtime/trace.h"

#include "base/clock.h"
#include "base/fd.h"
#include "link/message.h"
#include "../run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUEST UINT64_C(4711)

/* The test is the template; its children are workers of a language that only counts. */
static volatile uint8_t flag;
static int peek_result;
static unsigned n_peeks;
static int links[2];
static BoardSlot *board; /* of the worker begun last */
static pid_t workers[4];
static size_t n_workers;

/* What the template takes for the time, and how much of it passes with each look: none where a
 * worker shall answer, however late the machine lets it, and enough for those that never do. */
static uint64_t now_usec, look_usec;

static void *flag_address(void)
{
    return (void *)(uintptr_t)&flag;
}

static int peek(pid_t pid, TraceArea *area, char *text)
{
    n_peeks++;
    if (peek_result < 0)
        return peek_result;
    strcpy(text, "0x1\tpeeked()\t\n");
    area->n_frames = 1;
    area->size = (uint32_t)strlen(text);
    return 0;
}

static const Engine engine = {.name = "test", .trace_flag = flag_address, .trace_peek = peek};
static const Engine blind = {.name = "blind"};

static void setup(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, links), 0);
    ck_assert_int_eq(trace_template_start(&engine), 0);
    board = mmap(NULL, BOARD_SLOT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    board->state = WORKER_STATE_RUNNING;
    board->request_started_usec = REQUEST;
    peek_result = 0;
    n_peeks = 0;
    now_usec = 1000 * USEC_PER_SEC;
    look_usec = 0;
}

static void teardown(void)
{
    for (size_t i = 0; i < n_workers; i++) {
        kill(workers[i], SIGKILL);
        waitpid(workers[i], NULL, 0);
    }
    n_workers = 0;
    close(links[0]);
    close(links[1]);
}

typedef enum Habit {
    ANSWERS,
    SLEEPS,
    LIES, /* says that it wrote more than there is room for */
    SUCCEEDS_WRONGLY,
    FAILS,
    ENDS,
    FORGETS, /* a long answer, at the end of its request */
} Habit;

static void work(Habit habit)
{
    for (;;) {
        char *text = NULL;
        TraceArea *area;

        usleep(500);
        if (!flag || habit == SLEEPS)
            continue;
        if (habit == ENDS)
            _exit(0);
        flag = 0;
        if (!trace_is_wanted())
            continue;
        area = trace_begin(&text);
        if (!area)
            continue;
        area->size = (uint32_t)sprintf(text, "0x1\tdepth%u()\t/a:1\n", (unsigned)area->depth);
        area->n_frames = 1;
        area->more = 2;
        area->cost_usec = 3;
        if (habit == LIES)
            area->size = TRACE_TEXT_SIZE + 1;
        if (habit == FORGETS) {
            area->size = TRACE_TEXT_SIZE / 2;
            memset(text, 'x', area->size);
        }
        trace_commit(area, habit == SUCCEEDS_WRONGLY ? 5 : habit == FAILS ? -EIO : 0);
        if (habit == FORGETS) {
            usleep(100000);
            trace_forget();
            _exit(text[0] == 0 && text[TRACE_TEXT_SIZE / 2 - 1] == 0 ? 0 : 1);
        }
    }
}

static pid_t start(Habit habit)
{
    int begun[2];
    pid_t pid;

    ck_assert_int_eq(pipe(begun), 0);
    pid = fork();
    if (pid == 0) {
        trace_worker_start(board);
        close(begun[1]);
        work(habit);
    }
    close(begun[1]);
    ck_assert_int_eq(read(begun[0], &(char){0}, 1), 0);
    close(begun[0]);
    return workers[n_workers++] = pid;
}

static int order(pid_t pid, unsigned number, uint64_t request_usec)
{
    int fd = trace_create(
        &(TraceArea){.number = number, .pid = pid, .depth = 20, .request_usec = request_usec});

    ck_assert_int_ge(fd, 0);
    trace_take_order(fd, links[0], now_usec);
    return fd;
}

/* Until the template says that it is done. Returns the number of the wish. */
static unsigned wait_done(void)
{
    struct pollfd p = {.fd = links[1], .events = POLLIN};
    uint64_t limit = clock_monotonic_usec() + 10 * USEC_PER_SEC;
    LinkMessage m;

    while (poll(&p, 1, MAX(trace_timeout_msec(), 0)) == 0) {
        ck_assert_uint_lt(clock_monotonic_usec(), limit);
        now_usec += look_usec;
        trace_look(links[0], now_usec);
    }
    ck_assert_int_eq(link_receive(links[1], 0, &m, NULL, 0, NULL, NULL), 1);
    ck_assert_uint_eq(m.type, LINK_TRACED);
    return m.count;
}

static void expect(int fd, int result, TraceMethod method, const char *wanted)
{
    _cleanup_free_ char *text = NULL;
    TraceArea area;

    ck_assert_int_eq(trace_read(fd, &area, &text), 0);
    ck_assert_int_eq(area.result, result);
    ck_assert_uint_eq(area.method, method);
    ck_assert_str_eq(text, wanted);
    close(fd);
}

START_TEST(worker_answers)
{
    pid_t pid = start(ANSWERS);

    for (unsigned i = 1; i <= 5; i++) {
        int fd = order(pid, i, i % 2 ? REQUEST : 0);

        ck_assert_uint_eq(wait_done(), i);
        expect(fd, 0, TRACE_METHOD_INTERRUPT, "0x1\tdepth20()\t/a:1\n");
    }
    ck_assert_uint_eq(n_peeks, 0);
    ck_assert_int_eq(trace_timeout_msec(), -1);
}
END_TEST

START_TEST(blocked_worker_is_read)
{
    pid_t pid = start(SLEEPS);
    int fd = order(pid, 1, REQUEST);

    ck_assert_int_ge(trace_timeout_msec(), 0);
    trace_look(links[0], now_usec + TRACE_PATIENCE_USEC - 1);
    ck_assert_uint_eq(n_peeks, 0);
    now_usec += TRACE_PATIENCE_USEC;
    wait_done();
    expect(fd, 0, TRACE_METHOD_READ, "0x1\tpeeked()\t\n");
    ck_assert_uint_eq(n_peeks, 1);
}
END_TEST

START_TEST(restless_worker_is_given_up)
{
    pid_t pid = start(SLEEPS);
    int fd;

    peek_result = -EAGAIN;
    look_usec = TRACE_PATIENCE_USEC;
    fd = order(pid, 1, 0);
    wait_done();
    expect(fd, -EIO, TRACE_METHOD_NONE, "");
    ck_assert_uint_eq(n_peeks, 3);
}
END_TEST

START_TEST(refused_at_once)
{
    pid_t pid = start(SLEEPS), stranger = fork();
    const struct {
        pid_t pid;
        uint64_t request_usec;
        WorkerState state;
        int result;
    } cases[] = {
        {pid, REQUEST + 1, WORKER_STATE_RUNNING, -ESTALE},
        {pid, REQUEST, WORKER_STATE_IDLE, -ESRCH},
        {pid, 0, WORKER_STATE_STARTING, -ESRCH},
        {stranger, 0, WORKER_STATE_RUNNING, -ESRCH}, /* no worker, though of the same program */
        {getpid(), 0, WORKER_STATE_RUNNING, -ESRCH},
        {0, 0, WORKER_STATE_RUNNING, -ESRCH},
        {-1, 0, WORKER_STATE_RUNNING, -ESRCH},
        {INT32_MAX, 0, WORKER_STATE_RUNNING, -ESRCH},
    };

    if (stranger == 0)
        for (;;)
            pause();
    workers[n_workers++] = stranger;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        int fd;

        board->state = cases[i].state;
        fd = order(cases[i].pid, i, cases[i].request_usec);
        ck_assert_int_eq(trace_timeout_msec(), -1);
        ck_assert_uint_eq(wait_done(), i);
        expect(fd, cases[i].result, TRACE_METHOD_NONE, "");
    }
}
END_TEST

/* The child of a script has the worker's memory, and is not the worker. */
START_TEST(child_of_a_worker)
{
    int line[2];
    pid_t worker, child;
    int fd;

    ck_assert_int_eq(pipe(line), 0);
    worker = fork();
    if (worker == 0) {
        trace_worker_start(board);
        child = fork();
        if (child == 0)
            work(ANSWERS);
        if (write(line[1], &child, sizeof(child)) != (ssize_t)sizeof(child))
            _exit(1);
        for (;;)
            pause();
    }
    workers[n_workers++] = worker;
    ck_assert_int_eq(read(line[0], &child, sizeof(child)), (int)sizeof(child));
    look_usec = TRACE_PATIENCE_USEC;
    fd = order(child, 1, 0);
    wait_done();
    kill(child, SIGKILL);
    expect(fd, -ESRCH, TRACE_METHOD_NONE, "");
}
END_TEST

START_TEST(next_request_meanwhile)
{
    pid_t pid = start(SLEEPS);
    int fd = order(pid, 1, REQUEST);

    board->request_started_usec++;
    look_usec = TRACE_PATIENCE_USEC;
    wait_done();
    expect(fd, -ESTALE, TRACE_METHOD_NONE, "");
    pid = start(ANSWERS);
    board->request_started_usec = REQUEST;
    fd = order(pid, 2, REQUEST);
    board->request_started_usec++;
    wait_done();
    expect(fd, -ESTALE, TRACE_METHOD_NONE, "");
}
END_TEST

START_TEST(dies_meanwhile)
{
    pid_t pid = start(ENDS);
    int fd = order(pid, 1, 0);

    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    n_workers--;
    look_usec = TRACE_PATIENCE_USEC;
    wait_done();
    expect(fd, -ESRCH, TRACE_METHOD_NONE, "");
}
END_TEST

START_TEST(hostile_answers)
{
    static const Habit habits[] = {LIES, SUCCEEDS_WRONGLY, FAILS};

    for (unsigned i = 0; i < ARRAY_SIZE(habits); i++) {
        int fd = order(start(habits[i]), i, 0);

        wait_done();
        expect(fd, -EIO, TRACE_METHOD_NONE, "");
    }
}
END_TEST

START_TEST(one_after_the_other)
{
    pid_t pid = start(ANSWERS), asleep = start(SLEEPS);
    int fds[6];

    for (unsigned i = 0; i < 6; i++)
        fds[i] = order(i == 0 ? asleep : pid, i, 0);
    /* The sleeping one is waited for beside the others. */
    for (unsigned i = 1; i < 6; i++)
        ck_assert_uint_eq(wait_done(), i);
    look_usec = TRACE_PATIENCE_USEC;
    ck_assert_uint_eq(wait_done(), 0);
    expect(fds[0], 0, TRACE_METHOD_READ, "0x1\tpeeked()\t\n");
    for (unsigned i = 1; i < 6; i++)
        expect(fds[i], 0, TRACE_METHOD_INTERRUPT, "0x1\tdepth20()\t/a:1\n");
}
END_TEST

/* That it is blocked is found out once. */
START_TEST(many_of_one_that_sleeps)
{
    pid_t pid = start(SLEEPS);
    int fds[8];

    for (unsigned i = 0; i < 8; i++)
        fds[i] = order(pid, i, REQUEST);
    now_usec += TRACE_PATIENCE_USEC;
    for (unsigned i = 0; i < 8; i++)
        wait_done();
    for (unsigned i = 0; i < 8; i++)
        expect(fds[i], 0, TRACE_METHOD_READ, "0x1\tpeeked()\t\n");
    ck_assert_uint_eq(n_peeks, 8);
}
END_TEST

START_TEST(too_many)
{
    pid_t pid = start(SLEEPS);
    int fd = -1;

    for (unsigned i = 0; i < 33; i++) {
        fd_close(fd);
        fd = order(pid, i, 0);
    }
    ck_assert_uint_eq(wait_done(), 32);
    expect(fd, -EBUSY, TRACE_METHOD_NONE, "");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    n_workers--;
    look_usec = TRACE_PATIENCE_USEC;
    for (unsigned i = 0; i < 32; i++)
        wait_done();
    ck_assert_int_eq(trace_timeout_msec(), -1);
}
END_TEST

START_TEST(blind_language)
{
    int fd;

    ck_assert_int_eq(trace_template_start(&blind), 0);
    fd = order(start(ANSWERS), 1, 0);
    wait_done();
    expect(fd, -EOPNOTSUPP, TRACE_METHOD_NONE, "");
}
END_TEST

START_TEST(memory_is_given_back)
{
    pid_t pid = start(FORGETS);
    int fd = order(pid, 1, 0), status = -1;

    wait_done();
    close(fd);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    n_workers--;
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(nobody_asks)
{
    char *text = NULL;

    trace_worker_start(board);
    ck_assert(!trace_is_wanted());
    ck_assert_ptr_null(trace_begin(&text));
    trace_forget();
}
END_TEST

static Suite *trace_suite(void)
{
    Suite *s = suite_create("runtime/trace");
    TCase *t = tcase_create("template");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, worker_answers);
    tcase_add_test(t, blocked_worker_is_read);
    tcase_add_test(t, restless_worker_is_given_up);
    tcase_add_test(t, refused_at_once);
    tcase_add_test(t, child_of_a_worker);
    tcase_add_test(t, next_request_meanwhile);
    tcase_add_test(t, dies_meanwhile);
    tcase_add_test(t, hostile_answers);
    tcase_add_test(t, one_after_the_other);
    tcase_add_test(t, many_of_one_that_sleeps);
    tcase_add_test(t, too_many);
    tcase_add_test(t, blind_language);
    tcase_add_test(t, memory_is_given_back);
    tcase_add_test(t, nobody_asks);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(trace_suite)
