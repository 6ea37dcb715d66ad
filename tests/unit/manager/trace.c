/* Orders of call stacks, against a template that answers as the test wants. */
#include "base/fd.h"
#include "log/log.h"
#include "manager/manager.h"
#include "../run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define AT_ONCE 16
#define AT_MOST 256

static Manager *m;
static Generation *g[2];
static int template_fd[2];

typedef struct Outcome {
    unsigned n;
    int result, fd;
    unsigned more;
    char text[4096];
} Outcome;

/* By data. */
static Outcome outcomes[AT_MOST + 1];
static const int no_answer = -4711;

static void on_done(Manager *manager, int result, const TraceArea *area, const char *text, int fd,
                    void *data)
{
    Outcome *o = data;

    ck_assert_ptr_eq(manager, m);
    o->n++;
    o->result = result;
    o->fd = fd;
    o->more = area ? area->more : 0;
    snprintf(o->text, sizeof(o->text), "%s", text ? text : "(none)");
    ck_assert(!area == !text && !area == (fd < 0));
}

static Generation *generation(unsigned i)
{
    int pair[2];

    ck_assert_int_eq(link_pair(pair), 0);
    g[i] = calloc(1, sizeof(Generation));
    ck_assert_ptr_nonnull(g[i]);
    *g[i] = (Generation){.manager = m,
                         .next = m->generations,
                         .number = i + 1,
                         .template_pid = 1,
                         .link_fd = pair[0],
                         .changer = {.fd = -1},
                         .denied = {.line_fd = -1, .listener_fd = -1},
                         .out = {.fd = -1},
                         .err = {.fd = -1}};
    template_fd[i] = pair[1];
    return m->generations = g[i];
}

static void set_up(void)
{
    log_open(&(LogOptions){.identifier = "test", .max_priority = LOG_EMERG, .journal_fd = -1});
    m = calloc(1, sizeof(*m));
    ck_assert_ptr_nonnull(m);
    ck_assert_int_ge(sd_event_new(&m->event), 0);
    generation(0);
    generation(1);
    for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
        outcomes[i] = (Outcome){.result = no_answer};
}

static int order(unsigned i, unsigned generation_number, pid_t pid)
{
    Worker w = {.manager = m, .generation = g[generation_number], .pid = pid};

    return trace_order(&w, 7, 4711, on_done, &outcomes[i]);
}

/* What the template gets next; its area is in *ret_fd. 0: nothing. */
static unsigned heard(unsigned i, int *ret_fd)
{
    LinkMessage message;
    size_t n;
    int r = link_receive(template_fd[i], MSG_DONTWAIT, &message, ret_fd, 1, &n, NULL);

    if (r == -EAGAIN)
        return 0;
    ck_assert_int_eq(r, 1);
    ck_assert_uint_eq(message.type, LINK_TRACE);
    ck_assert_uint_eq(n, 1);
    ck_assert_uint_ne(message.count, 0);
    return message.count;
}

static void fill(int fd, int result, const char *text)
{
    TraceArea *area;

    ck_assert_int_eq(trace_attach(fd, &area), 0);
    area->result = result;
    area->more = 3;
    area->size = (uint32_t)strlen(text);
    memcpy((char *)area + TRACE_TEXT_AT, text, strlen(text));
    munmap(area, TRACE_AREA_SIZE);
    fd_close(fd);
}

/* Fills the next area with an empty stack; its number. */
static unsigned answer(unsigned i)
{
    int fd = -1;
    unsigned number = heard(i, &fd);

    ck_assert_uint_gt(number, 0);
    fill(fd, 0, "");
    return number;
}

START_TEST(an_order_and_its_answer)
{
    TraceArea *area;
    unsigned number;
    int fd = -1;

    ck_assert_int_eq(order(0, 0, 99), 0);
    ck_assert_uint_eq(heard(1, &fd), 0);
    number = heard(0, &fd);
    ck_assert_uint_gt(number, 0);
    ck_assert_int_eq(trace_attach(fd, &area), 0);
    ck_assert_int_eq(area->pid, 99);
    ck_assert_uint_eq(area->depth, 7);
    ck_assert_uint_eq(area->request_usec, 4711);
    ck_assert_uint_eq(area->number, number);
    munmap(area, TRACE_AREA_SIZE);
    fill(fd, 0, "0x1\tf()\t/a.php:2\n");
    ck_assert(traces_complete(g[0], number));
    ck_assert_uint_eq(outcomes[0].n, 1);
    ck_assert_int_eq(outcomes[0].result, 0);
    ck_assert_uint_eq(outcomes[0].more, 3);
    ck_assert_str_eq(outcomes[0].text, "0x1\tf()\t/a.php:2\n");
    /* Once. */
    ck_assert(!traces_complete(g[0], number));
    ck_assert_uint_eq(outcomes[0].n, 1);
}
END_TEST

/* Nobody but the template that was asked answers, and nothing but what it was asked. */
START_TEST(answers_to_what_nobody_has_asked)
{
    unsigned number;
    int fd;

    ck_assert(!traces_complete(g[0], 1));
    ck_assert_int_eq(order(0, 0, 99), 0);
    number = heard(0, &fd);
    fd_close(fd);
    ck_assert(!traces_complete(g[1], number));
    ck_assert_uint_eq(outcomes[0].n, 0);
    /* It has one answer to give, and has given it. */
    ck_assert(traces_complete(g[0], number + 1));
    ck_assert(!traces_complete(g[0], number));
    ck_assert_uint_eq(outcomes[0].n, 0);
    traces_cancel(m, NULL);
    ck_assert_int_eq(outcomes[0].result, -ECANCELED);
}
END_TEST

START_TEST(areas_of_nonsense)
{
    static const struct {
        int result;
        const char *text;
        int expected;
        const char *expected_text;
    } cases[] = {
        {-ESRCH, "", -ESRCH, ""},
        {5, "x\n", -EBADMSG, "x\n"},
        {INT32_MIN, "", -EBADMSG, ""},
        {0, "no line end", 0, ""},
        {0, "a\n\x1b[31m\xff\n", 0, "a\n?[31m?\n"},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned number;
        int fd;

        ck_assert_int_eq(order(i, 0, 99), 0);
        number = heard(0, &fd);
        fill(fd, cases[i].result, cases[i].text);
        ck_assert(traces_complete(g[0], number));
        ck_assert_int_eq(outcomes[i].result, cases[i].expected);
        ck_assert_str_eq(outcomes[i].text, cases[i].expected_text);
    }
}
END_TEST

/* The template gets a few, the others wait for their turn, in order. */
START_TEST(many_orders)
{
    unsigned numbers[AT_MOST];
    int fd;

    for (unsigned i = 0; i < AT_MOST; i++)
        ck_assert_int_eq(order(i, 0, (pid_t)(100 + i)), 0);
    ck_assert_int_eq(order(AT_MOST, 0, 99), -EBUSY);
    for (unsigned i = 0; i < AT_ONCE; i++)
        numbers[i] = answer(0);
    ck_assert_uint_eq(heard(0, &fd), 0);
    /* The last one first. */
    ck_assert(traces_complete(g[0], numbers[AT_ONCE - 1]));
    ck_assert_uint_eq(outcomes[AT_ONCE - 1].n, 1);
    numbers[AT_ONCE - 1] = numbers[0];
    for (unsigned i = AT_ONCE; i < AT_MOST; i++) {
        TraceArea *area;

        numbers[i] = heard(0, &fd);
        ck_assert_int_eq(trace_attach(fd, &area), 0);
        ck_assert_int_eq(area->pid, (pid_t)(100 + i));
        munmap(area, TRACE_AREA_SIZE);
        fd_close(fd);
        ck_assert_uint_eq(heard(0, &fd), 0);
        ck_assert(traces_complete(g[0], numbers[i]));
        ck_assert_uint_eq(outcomes[i].n, 1);
    }
    for (unsigned i = 0; i < AT_ONCE - 1; i++)
        ck_assert(traces_complete(g[0], numbers[i]));
    for (unsigned i = 0; i < AT_MOST; i++)
        ck_assert_uint_eq(outcomes[i].n, 1);
    ck_assert_uint_eq(outcomes[AT_MOST].n, 0);
    ck_assert_int_eq(order(AT_MOST, 0, 99), 0);
}
END_TEST

/* Its own orders end, those that wait too; the others get the room. */
START_TEST(a_template_that_dies)
{
    int fd;

    for (unsigned i = 0; i < AT_ONCE + 2; i++)
        ck_assert_int_eq(order(i, 0, 99), 0);
    ck_assert_int_eq(order(AT_ONCE + 2, 1, 99), 0);
    ck_assert_uint_eq(heard(1, &fd), 0);
    g[0]->template_pid = 0;
    traces_cancel(m, g[0]);
    for (unsigned i = 0; i < AT_ONCE + 2; i++) {
        ck_assert_uint_eq(outcomes[i].n, 1);
        ck_assert_int_eq(outcomes[i].result, -EPIPE);
    }
    ck_assert_uint_eq(outcomes[AT_ONCE + 2].n, 0);
    ck_assert_int_eq(order(0, 0, 99), -EPIPE);
    ck_assert(traces_complete(g[1], answer(1)));
    ck_assert_uint_eq(outcomes[AT_ONCE + 2].n, 1);
    ck_assert_int_eq(order(0, 1, 0), -ESRCH);
}
END_TEST

/* Whose link is broken is found when it is their turn. */
START_TEST(a_link_that_breaks)
{
    int fds[AT_ONCE];

    for (unsigned i = 0; i < AT_ONCE; i++) {
        ck_assert_int_eq(order(i, 0, 99), 0);
        heard(0, &fds[i]);
    }
    ck_assert_int_eq(order(AT_ONCE, 1, 99), 0);
    ck_assert_int_eq(order(AT_ONCE + 1, 0, 99), 0);
    fd_close(template_fd[1]);
    ck_assert(traces_complete(g[0], m->last_trace));
    ck_assert_int_eq(outcomes[AT_ONCE].result, -EPIPE);
    ck_assert_uint_eq(outcomes[AT_ONCE + 1].n, 0);
    ck_assert_uint_gt(heard(0, &fds[0]), 0);
}
END_TEST

/* Numbers go on, over a re-exec too, and over their end. */
START_TEST(numbers)
{
    unsigned first, second;
    int fd;

    m->last_trace = UINT32_MAX - 1;
    ck_assert_int_eq(order(0, 0, 99), 0);
    ck_assert_int_eq(order(1, 0, 99), 0);
    first = heard(0, &fd);
    fd_close(fd);
    second = heard(0, &fd);
    fd_close(fd);
    ck_assert_uint_eq(first, UINT32_MAX);
    ck_assert_uint_eq(second, 1);
    ck_assert(traces_complete(g[0], second));
    ck_assert_uint_eq(outcomes[0].n, 0);
    ck_assert_uint_eq(outcomes[1].n, 1);
}
END_TEST

START_TEST(lines)
{
    static const struct {
        const char *line;
        uint64_t address;
        const char *name, *place;
    } cases[] = {
        {"0x7f2bed6132a0\tShop->total()\t/srv/www/shop.php:12", 0x7f2bed6132a0, "Shop->total()",
         "/srv/www/shop.php:12"},
        {"0x0\tf()\t", 0, "f()", ""},
        {"0x10\tf()", 0x10, "f()", NULL},
        {"abc", 0, "abc", NULL},
        {"", 0, "", NULL},
        {"\t\t", 0, "", ""},
        {"xyz\tf()\ta\tb", 0, "f()", "a\tb"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        TraceLine line;

        trace_line(cases[i].line, strlen(cases[i].line), &line);
        ck_assert_uint_eq(line.address, cases[i].address);
        ck_assert_int_eq(line.n_name, (int)strlen(cases[i].name));
        ck_assert_mem_eq(line.name, cases[i].name, strlen(cases[i].name));
        ck_assert(!line.place == !cases[i].place);
        if (!line.place)
            continue;
        ck_assert_int_eq(line.n_place, (int)strlen(cases[i].place));
        ck_assert_mem_eq(line.place, cases[i].place, strlen(cases[i].place));
    }
}
END_TEST

START_TEST(reasons)
{
    ck_assert_str_eq(trace_failure(-ETIMEDOUT), "the template did not answer in time");
    ck_assert_str_eq(trace_failure(-ENOSPC), strerror(ENOSPC));
}
END_TEST

static Suite *trace_suite(void)
{
    Suite *s = suite_create("manager/trace");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, NULL);
    tcase_add_test(t, an_order_and_its_answer);
    tcase_add_test(t, answers_to_what_nobody_has_asked);
    tcase_add_test(t, areas_of_nonsense);
    tcase_add_test(t, many_orders);
    tcase_add_test(t, a_template_that_dies);
    tcase_add_test(t, a_link_that_breaks);
    tcase_add_test(t, numbers);
    tcase_add_test(t, lines);
    tcase_add_test(t, reasons);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(trace_suite)
