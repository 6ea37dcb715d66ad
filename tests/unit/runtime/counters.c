#include "pair.h"
#include "runtime/request.h"
#include "../run.h"

#include <ctype.h>
#include <string.h>

static Pair p;
static char text[1024];

static void set_up(void)
{
    pair_open(&p);
}

static void tear_down(void)
{
    pair_close(&p);
}

static Request *begin_with(const char *const *params, uint64_t now_usec)
{
    Buffer b = {0};

    fcgi_client_begin(&b, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    fcgi_client_params(&b, 1, params);
    fcgi_client_stream_end(&b, FCGI_STDIN, 1);
    pair_send(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, now_usec), CONNECTION_REQUEST);
    return connection_request(p.c, now_usec);
}

static Request *begin(uint64_t now_usec)
{
    static const char *const params[] = {"REQUEST_METHOD", "GET", NULL};

    return begin_with(params, now_usec);
}

/* ---- outcomes ---- */

static const struct {
    unsigned status;
    bool stopped, writes;
    BoardOutcome outcome;
} answers[] = {
    {200, false, true, BOARD_OUTCOME_OK},
    {304, false, true, BOARD_OUTCOME_OK},
    {0, false, true, BOARD_OUTCOME_OK}, /* CGI: without a status it is 200 */
    {400, false, true, BOARD_OUTCOME_CLIENT_ERROR},
    {499, false, true, BOARD_OUTCOME_CLIENT_ERROR},
    {500, false, true, BOARD_OUTCOME_SERVER_ERROR},
    {0, false, false, BOARD_OUTCOME_SERVER_ERROR},
    {504, true, true, BOARD_OUTCOME_TIMED_OUT},
    {200, true, true, BOARD_OUTCOME_TIMED_OUT},
};

START_TEST(each_answer_has_one_outcome)
{
    Request *r = begin(1000);

    if (answers[_i].status > 0)
        request_note_status(r, answers[_i].status);
    if (answers[_i].stopped)
        request_note_stopped(r);
    if (answers[_i].writes)
        request_write(r, "text", 4);
    ck_assert_uint_eq(p.slot.answered, 0);
    request_answer(r, 0);
    connection_end(p.c, 0, true, 2000);
    pair_read_answer(&p, 1, text, sizeof(text));
    ck_assert_uint_eq(p.slot.answered, 1);
    for (BoardOutcome o = 0; o < _BOARD_OUTCOME_MAX; o++)
        ck_assert_uint_eq(p.slot.outcomes[o], o == answers[_i].outcome);
}
END_TEST

START_TEST(times_fall_into_their_bucket)
{
    static const uint64_t bounds[] = BOARD_LATENCY_BOUNDS;
    uint64_t sum_usec = 0, now_usec = 1000;

    for (size_t i = 0; i < BOARD_LATENCY_BUCKETS; i++) {
        uint64_t took_usec = i < ARRAY_SIZE(bounds) ? bounds[i] : bounds[i - 1] + 1;

        begin(now_usec);
        connection_end(p.c, 0, true, now_usec + took_usec);
        now_usec += took_usec;
        sum_usec += took_usec;
        ck_assert_uint_eq(p.slot.latency[i], 1);
        ck_assert_uint_eq(p.slot.latency_sum_usec, sum_usec);
    }
    ck_assert_uint_eq(p.slot.answered, BOARD_LATENCY_BUCKETS);
}
END_TEST

/* fastcgi_finish_request(): the client has its answer, whatever comes behind it. */
START_TEST(finished_early)
{
    Request *r = begin(1000);

    request_note_status(r, 200);
    request_write(r, "text", 4);
    ck_assert_int_eq(request_finish(r, 0), 0);
    ck_assert_uint_eq(p.slot.answered, 1);
    request_note_stopped(r);
    request_answer(r, 0);
    connection_end(p.c, 0, true, 3000);
    ck_assert_uint_eq(p.slot.answered, 1);
    ck_assert_uint_eq(p.slot.outcomes[BOARD_OUTCOME_OK], 1);
    ck_assert_uint_eq(p.slot.outcomes[BOARD_OUTCOME_TIMED_OUT], 0);
}
END_TEST

START_TEST(nobody_was_there)
{
    Request *r = begin(1000);
    static char many[1 << 20];

    request_note_status(r, 200);
    close(p.peer);
    p.peer = -1;
    while (request_write(r, many, sizeof(many)) == 0)
        ;
    request_answer(r, 0);
    ck_assert_int_eq(connection_end(p.c, 0, true, 2000), CONNECTION_CLOSED);
    ck_assert_uint_eq(p.slot.requests, 1);
    ck_assert_uint_eq(p.slot.answered, 0);
    ck_assert_uint_eq(p.slot.latency_sum_usec, 0);
}
END_TEST

/* ---- REQUEST_ID ---- */

static bool is_made(const char *id)
{
    for (size_t i = 0; i < 32; i++)
        if (!isxdigit((unsigned char)id[i]) || isupper((unsigned char)id[i]))
            return false;
    return id[32] == 0;
}

/* More than are drawn at once; nginx sends an empty one for a variable without a value. */
START_TEST(ids_that_are_made)
{
    static const char *const params[] = {"REQUEST_ID", "", NULL};
    enum { MANY = 1000 };
    static char ids[MANY][33];

    for (size_t i = 0; i < MANY; i++) {
        Request *r = i % 2 ? begin(1000) : begin_with(params, 1000);
        const char *id = request_param(r, "REQUEST_ID");

        ck_assert_ptr_nonnull(id);
        ck_assert_msg(is_made(id), "%s", id);
        ck_assert_str_eq(p.slot.request_id, id);
        strcpy(ids[i], id);
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(ids[k], id);
        connection_end(p.c, 0, true, 2000);
        pair_read_answer(&p, 1, text, sizeof(text));
    }
}
END_TEST

START_TEST(ids_that_are_sent)
{
    static const char *const params[] = {"REQUEST_ID", "nginx says \xc3\xa4", NULL};
    Request *r = begin_with(params, 1000);

    ck_assert_str_eq(request_param(r, "REQUEST_ID"), "nginx says \xc3\xa4");
    ck_assert_uint_eq(request_params(r)->n, 1);
    ck_assert_str_eq(p.slot.request_id, "nginx says \xc3\xa4");
}
END_TEST

START_TEST(a_long_id_is_cut_on_the_board_only)
{
    char id[201] = {0};
    const char *const params[] = {"REQUEST_ID", id, NULL};
    Request *r;

    memset(id, 'i', sizeof(id) - 1);
    r = begin_with(params, 1000);
    ck_assert_str_eq(request_param(r, "REQUEST_ID"), id);
    ck_assert_uint_eq(strlen(p.slot.request_id), sizeof(p.slot.request_id) - 1);
}
END_TEST

/* ---- notes ---- */

START_TEST(notes_are_kept_on_demand)
{
    char name[3001];
    RequestFacts facts;
    Request *r;

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    if (_i > 0)
        connection_shared_keep_notes(p.shared, _i > 1);
    for (int round = 0; round < 2; round++) {
        r = begin(1000);
        request_note_name(r, name, "anna");
        request_note_header(r, "X-Shop: 3", 9);
        request_note_header(r, "X-Shopping: 4", 13);
        request_note_header(r, "x-shop: 5", 9);
        request_write(r, "12345", 5);
        request_answer(r, 0);
        request_facts(r, true, &facts);
        ck_assert_ptr_null(facts.remote); /* no TCP */
        ck_assert_uint_eq(facts.bytes_out, 5);
        if (_i > 0) {
            ck_assert_str_eq(facts.name, name);
            ck_assert_str_eq(facts.user, "anna");
        } else
            ck_assert_ptr_null(facts.name);
        ck_assert_ptr_null(facts.script);
        ck_assert_ptr_null(request_header(r, "X"));
        if (_i > 1)
            ck_assert_str_eq(request_header(r, "x-Shop"), "3");
        else
            ck_assert_ptr_null(request_header(r, "X-Shop"));
        connection_end(p.c, 0, true, 2000);
        pair_read_answer(&p, 1, text, sizeof(text));
    }
}
END_TEST

static Suite *counters_suite(void)
{
    Suite *s = suite_create("runtime/counters");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_loop_test(t, each_answer_has_one_outcome, 0, ARRAY_SIZE(answers));
    tcase_add_test(t, times_fall_into_their_bucket);
    tcase_add_test(t, finished_early);
    tcase_add_test(t, nobody_was_there);
    tcase_add_test(t, ids_that_are_made);
    tcase_add_test(t, ids_that_are_sent);
    tcase_add_test(t, a_long_id_is_cut_on_the_board_only);
    tcase_add_loop_test(t, notes_are_kept_on_demand, 0, 3);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(counters_suite)
