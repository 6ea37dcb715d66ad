#include "base/buffer.h"
#include "fcgi/parser.h"
#include "../run.h"

#include <errno.h>
#include <string.h>

/* One record of a case; content as text. */
typedef struct Record {
    unsigned type, id;
    const char *content;
    size_t n;
    unsigned padding;
    unsigned version; /* 0: the right one */
} Record;

/* When the test calls fcgi_parser_end_request(). */
typedef enum EndWhen {
    END_WHEN_READ, /* after the last stream, and after ABORT */
    END_EARLY,     /* at the end of PARAMS: the body is unread */
    END_NEVER,
} EndWhen;

typedef struct Case {
    const char *name;
    EndWhen end;
    Record records[14];
    const char *events; /* see describe() */
    const char *error;  /* part of the text, or NULL */
    bool idle, read;    /* at the end */
} Case;

#define BODY(s) s, sizeof(s) - 1
#define BEGIN_(id, role, k)                                                                        \
    {                                                                                              \
        FCGI_BEGIN_REQUEST, id, BODY("\0" role k "\0\0\0\0\0"), 0, 0                               \
    }
#define BEGIN(id)      BEGIN_(id, "\1", "\0")
#define BEGIN_KEEP(id) BEGIN_(id, "\1", "\1")
#define RECORD(type, id, s)                                                                        \
    {                                                                                              \
        type, id, BODY(s), 0, 0                                                                    \
    }
#define PADDED(type, id, s, n)                                                                     \
    {                                                                                              \
        type, id, BODY(s), n, 0                                                                    \
    }
#define PARAMS(id, s) RECORD(FCGI_PARAMS, id, s)
#define STDIN(id, s)  RECORD(FCGI_STDIN, id, s)
#define DATA(id, s)   RECORD(FCGI_DATA, id, s)
#define ABORT(id)     RECORD(FCGI_ABORT_REQUEST, id, "")

static const Case cases[] = {
    {"nothing", END_WHEN_READ, {{0}}, "", NULL, true, true},
    {"a responder",
     END_WHEN_READ,
     {BEGIN(1), PARAMS(1, "abc"), PARAMS(1, ""), STDIN(1, "body"), STDIN(1, "")},
     "B1r1- P(abc) Pe S(body) Se ",
     NULL,
     true,
     true},
    {"several records in a stream",
     END_WHEN_READ,
     {BEGIN_KEEP(258), PARAMS(258, "a"), PARAMS(258, "bc"), PARAMS(258, ""), STDIN(258, "x"),
      STDIN(258, "yz"), STDIN(258, "")},
     "B258r1k P(abc) Pe S(xyz) Se ",
     NULL,
     true,
     true},
    {"padding everywhere",
     END_WHEN_READ,
     {{FCGI_BEGIN_REQUEST, 1, BODY("\0\1\0\0\0\0\0\0"), 255, 0},
      PADDED(FCGI_PARAMS, 1, "abc", 5),
      PADDED(FCGI_PARAMS, 1, "", 8),
      PADDED(FCGI_STDIN, 1, "body", 1),
      PADDED(FCGI_STDIN, 1, "", 255)},
     "B1r1- P(abc) Pe S(body) Se ",
     NULL,
     true,
     true},
    {"an authorizer without a body",
     END_EARLY,
     {BEGIN_(1, "\2", "\1"), PARAMS(1, "a"), PARAMS(1, "")},
     "B1r2k P(a) Pe ",
     NULL,
     true,
     false},
    {"a filter",
     END_WHEN_READ,
     {BEGIN_(1, "\3", "\0"), PARAMS(1, ""), STDIN(1, "in"), STDIN(1, ""), DATA(1, "file"),
      DATA(1, "!"), DATA(1, "")},
     "B1r3- Pe S(in) Se D(file!) De ",
     NULL,
     true,
     true},
    {"a filter whose DATA has not come",
     END_WHEN_READ,
     {BEGIN_(1, "\3", "\0"), PARAMS(1, ""), STDIN(1, "")},
     "B1r3- Pe Se ",
     NULL,
     false,
     false},
    {"two requests",
     END_WHEN_READ,
     {BEGIN_KEEP(1), PARAMS(1, ""), STDIN(1, ""), BEGIN(1), PARAMS(1, "p"), PARAMS(1, ""),
      STDIN(1, "s"), STDIN(1, "")},
     "B1r1k Pe Se B1r1- P(p) Pe S(s) Se ",
     NULL,
     true,
     true},
    {"an unread body is stepped over",
     END_EARLY,
     {BEGIN_KEEP(1), PARAMS(1, ""), STDIN(1, "unread"), STDIN(1, ""), BEGIN_KEEP(2), PARAMS(2, ""),
      STDIN(2, "")},
     "B1r1k Pe B2r1k Pe ",
     NULL,
     true,
     true},
    {"an unread body whose end has not come",
     END_EARLY,
     {BEGIN_KEEP(1), PARAMS(1, ""), STDIN(1, "unread")},
     "B1r1k Pe ",
     NULL,
     false,
     false},
    {"abort before the end of PARAMS",
     END_WHEN_READ,
     {BEGIN_KEEP(1), PARAMS(1, "a"), ABORT(1), PARAMS(1, "rest"), PARAMS(1, ""), BEGIN(2),
      PARAMS(2, "")},
     "B1r1k P(a) A1k B2r1- Pe ",
     NULL,
     false,
     false},
    {"abort in the body",
     END_WHEN_READ,
     {BEGIN(1), PARAMS(1, ""), STDIN(1, "x"), PADDED(FCGI_ABORT_REQUEST, 1, "junk", 3)},
     "B1r1- Pe S(x) A1- ",
     NULL,
     true,
     true},
    {"abort of another request",
     END_WHEN_READ,
     {BEGIN(1), ABORT(2), PARAMS(1, "")},
     "B1r1- Pe ",
     NULL,
     false,
     false},
    {"abort after the end",
     END_EARLY,
     {BEGIN(1), PARAMS(1, ""), ABORT(1)},
     "B1r1- Pe ",
     NULL,
     true,
     true},
    {"a second request while one runs",
     END_WHEN_READ,
     {BEGIN(1), BEGIN_KEEP(2), PARAMS(2, "no"), PARAMS(2, ""), STDIN(2, "no"), PARAMS(1, "yes"),
      PARAMS(1, ""), STDIN(2, ""), BEGIN(3), STDIN(1, "yes"), STDIN(1, "")},
     "B1r1- 2nd2 P(yes) Pe 2nd3 S(yes) Se ",
     NULL,
     true,
     true},
    {"an unknown role, kept",
     END_WHEN_READ,
     {BEGIN_(5, "\7", "\1"), PARAMS(5, "no"), PARAMS(5, ""), STDIN(5, ""), BEGIN(6), PARAMS(6, "")},
     "R5r7k B6r1- Pe ",
     NULL,
     false,
     false},
    {"role 0", END_WHEN_READ, {BEGIN_(5, "\0", "\0")}, "R5r0- ", NULL, true, true},
    {"a role of two bytes",
     END_WHEN_READ,
     {{FCGI_BEGIN_REQUEST, 5, BODY("\1\1\0\0\0\0\0\0"), 0, 0}},
     "R5r257- ",
     NULL,
     true,
     true},
    {"GET_VALUES",
     END_WHEN_READ,
     {RECORD(FCGI_GET_VALUES, 0, "\1\0a"), PADDED(FCGI_GET_VALUES, 0, "\1\0b", 4)},
     "V(\1a) Ve V(\1b) Ve ",
     NULL,
     true,
     true},
    {"GET_VALUES without names",
     END_WHEN_READ,
     {RECORD(FCGI_GET_VALUES, 0, ""), PADDED(FCGI_GET_VALUES, 0, "", 2)},
     "Ve Ve ",
     NULL,
     true,
     true},
    {"GET_VALUES in a body",
     END_WHEN_READ,
     {BEGIN(1), PARAMS(1, ""), STDIN(1, "a"), RECORD(FCGI_GET_VALUES, 0, "x"), STDIN(1, "b"),
      STDIN(1, "")},
     "B1r1- Pe S(a) V(x) Ve S(b) Se ",
     NULL,
     true,
     true},
    {"GET_VALUES with an id is no management record",
     END_WHEN_READ,
     {RECORD(FCGI_GET_VALUES, 9, "x")},
     "",
     NULL,
     true,
     true},
    {"unknown management records",
     END_WHEN_READ,
     {RECORD(0, 0, ""), PADDED(200, 0, "whatever", 3), RECORD(FCGI_STDIN, 0, "x"),
      RECORD(FCGI_BEGIN_REQUEST, 0, "\0\1\0\0\0\0\0\0")},
     "U0 U200 U5 U1 ",
     NULL,
     true,
     true},
    {"unknown types with an id",
     END_WHEN_READ,
     {BEGIN(1), RECORD(99, 1, "x"), RECORD(99, 2, "x"), RECORD(FCGI_STDOUT, 1, "x"),
      RECORD(FCGI_END_REQUEST, 1, ""), PARAMS(1, "")},
     "B1r1- Pe ",
     NULL,
     false,
     false},
    {"records of no request",
     END_WHEN_READ,
     {STDIN(1, ""), PARAMS(1, "x"), DATA(1, "x"), ABORT(1), STDIN(1, "x")},
     "",
     NULL,
     true,
     true},
    {"PARAMS after their end",
     END_WHEN_READ,
     {BEGIN(1), PARAMS(1, "a"), PARAMS(1, ""), PARAMS(1, "b"), PARAMS(1, ""), STDIN(1, "")},
     "B1r1- P(a) Pe Se ",
     NULL,
     true,
     true},
    {"STDIN after its end",
     END_NEVER,
     {BEGIN(1), PARAMS(1, ""), STDIN(1, ""), STDIN(1, "x"), STDIN(1, "")},
     "B1r1- Pe Se ",
     NULL,
     false,
     true},
    {"DATA for a responder",
     END_WHEN_READ,
     {BEGIN(1), DATA(1, "x"), PARAMS(1, ""), DATA(1, "x"), DATA(1, ""), STDIN(1, "")},
     "B1r1- Pe Se ",
     NULL,
     true,
     true},
    {"an empty STDIN of the last request",
     END_EARLY,
     {BEGIN_KEEP(1), PARAMS(1, ""), STDIN(1, ""), STDIN(1, ""), BEGIN(1)},
     "B1r1k Pe B1r1- ",
     NULL,
     false,
     false},
    {"a wrong version",
     END_WHEN_READ,
     {{FCGI_BEGIN_REQUEST, 1, BODY(""), 0, 2}},
     "",
     "version",
     false,
     false},
    {"a wrong version later",
     END_WHEN_READ,
     {BEGIN(1), PARAMS(1, "a"), {FCGI_PARAMS, 1, BODY("b"), 0, 255}},
     "B1r1- P(a) ",
     "version",
     false,
     false},
    {"HTTP",
     END_WHEN_READ,
     {{0x45, 0x5420, BODY("/ HTTP/1.1"), 0, 'G'}},
     "",
     "version",
     false,
     false},
    {"a short BEGIN",
     END_WHEN_READ,
     {RECORD(FCGI_BEGIN_REQUEST, 1, "\0\1\0\0\0\0\0")},
     "",
     "size",
     false,
     false},
    {"a long BEGIN",
     END_WHEN_READ,
     {RECORD(FCGI_BEGIN_REQUEST, 1, "\0\1\0\0\0\0\0\0\0")},
     "",
     "size",
     false,
     false},
    {"an empty BEGIN",
     END_WHEN_READ,
     {RECORD(FCGI_BEGIN_REQUEST, 1, "")},
     "",
     "size",
     false,
     false},
    {"the same id twice", END_WHEN_READ, {BEGIN(1), BEGIN(1)}, "B1r1- ", "running", false, false},
    {"STDIN before the end of PARAMS",
     END_WHEN_READ,
     {BEGIN(1), PARAMS(1, "a"), STDIN(1, "x")},
     "B1r1- P(a) ",
     "end of PARAMS",
     false,
     false},
    {"the end of STDIN before the end of PARAMS",
     END_WHEN_READ,
     {BEGIN(1), STDIN(1, "")},
     "B1r1- ",
     "end of PARAMS",
     false,
     false},
    {"DATA before the end of STDIN",
     END_WHEN_READ,
     {BEGIN_(1, "\3", "\0"), PARAMS(1, ""), STDIN(1, "x"), DATA(1, "y")},
     "B1r3- Pe S(x) ",
     "end of STDIN",
     false,
     false},
};

static void encode(const Record *r, Buffer *b)
{
    static const char zeros[256];
    uint8_t header[FCGI_HEADER_SIZE];

    fcgi_put_header(header, r->type, r->id, r->n, r->padding);
    if (r->version)
        header[0] = (uint8_t)r->version;
    buffer_append(b, header, sizeof(header));
    buffer_append(b, r->content, r->n);
    buffer_append(b, zeros, r->padding);
}

/* The events as a text in which pieces of one stream are joined. */
static void describe(const FcgiEvent *e, char *open, Buffer *b)
{
    static const char data_names[_FCGI_EVENT_MAX] = {
        [FCGI_EVENT_PARAMS] = 'P',
        [FCGI_EVENT_STDIN] = 'S',
        [FCGI_EVENT_DATA] = 'D',
        [FCGI_EVENT_GET_VALUES] = 'V',
    };
    char name = data_names[e->kind], keep = e->keep ? 'k' : '-';

    if (*open && *open != name)
        buffer_printf(b, ") ");
    if (name) {
        ck_assert_uint_gt(e->size, 0);
        if (*open != name)
            buffer_printf(b, "%c(", name);
        for (size_t i = 0; i < e->size; i++)
            if (e->data[i])
                buffer_append(b, e->data + i, 1);
    }
    *open = name;
    switch (e->kind) {
    case FCGI_EVENT_BEGIN:
        buffer_printf(b, "B%ur%u%c ", e->request_id, e->role, keep);
        break;
    case FCGI_EVENT_UNKNOWN_ROLE:
        buffer_printf(b, "R%ur%u%c ", e->request_id, e->role, keep);
        break;
    case FCGI_EVENT_ABORT:
        buffer_printf(b, "A%u%c ", e->request_id, keep);
        break;
    case FCGI_EVENT_SECOND_REQUEST:
        buffer_printf(b, "2nd%u ", e->request_id);
        break;
    case FCGI_EVENT_UNKNOWN_TYPE:
        buffer_printf(b, "U%u ", e->type);
        break;
    case FCGI_EVENT_PARAMS_END:
        buffer_printf(b, "Pe ");
        break;
    case FCGI_EVENT_STDIN_END:
        buffer_printf(b, "Se ");
        break;
    case FCGI_EVENT_DATA_END:
        buffer_printf(b, "De ");
        break;
    case FCGI_EVENT_GET_VALUES_END:
        buffer_printf(b, "Ve ");
        break;
    default:
        break;
    }
}

static bool ends_request(const FcgiParser *p, const FcgiEvent *e, EndWhen when)
{
    if (when == END_EARLY)
        return e->kind == FCGI_EVENT_PARAMS_END || e->kind == FCGI_EVENT_ABORT;
    if (when == END_NEVER)
        return false;
    return e->kind == FCGI_EVENT_ABORT || e->kind == FCGI_EVENT_DATA_END ||
           (e->kind == FCGI_EVENT_STDIN_END && p->role != FCGI_FILTER);
}

/* One piece in a block of its own, so that a read beyond it is seen. */
static int push(FcgiParser *p, const char *data, size_t n, EndWhen when, char *open, Buffer *b)
{
    _cleanup_free_ uint8_t *copy = malloc(n ? n : 1);
    size_t used = 0;

    if (n > 0)
        memcpy(copy, data, n);
    for (;;) {
        FcgiEvent e;
        size_t k = SIZE_MAX;
        int r = fcgi_parser_next(p, copy + used, n - used, &k, &e);

        if (r < 0)
            return r;
        ck_assert_uint_le(k, n - used);
        used += k;
        if (e.kind == FCGI_EVENT_NONE) {
            ck_assert_uint_eq(used, n);
            return 0;
        }
        if (e.data)
            ck_assert(e.data >= copy && e.data + e.size <= copy + used);
        describe(&e, open, b);
        if (ends_request(p, &e, when))
            fcgi_parser_end_request(p);
    }
}

static void check(const Case *c, const Buffer *bytes, size_t first, size_t piece)
{
    _cleanup_buffer_ Buffer events = {0};
    FcgiParser p;
    char open = 0;
    int r;

    fcgi_parser_init(&p);
    r = push(&p, bytes->data, first, c->end, &open, &events);
    for (size_t at = first; r == 0 && at < bytes->size; at += piece)
        r = push(&p, bytes->data + at, MIN(piece, bytes->size - at), c->end, &open, &events);
    if (open)
        buffer_printf(&events, ") ");
    buffer_append(&events, "", 1);
    ck_assert_str_eq(events.data, c->events);
    if (c->error) {
        size_t used;
        FcgiEvent e;

        ck_assert_int_eq(r, -EBADMSG);
        ck_assert_ptr_nonnull(strstr(p.error, c->error));
        ck_assert_int_eq(fcgi_parser_next(&p, NULL, 0, &used, &e), -EBADMSG);
        return;
    }
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(fcgi_parser_is_idle(&p), c->idle);
    ck_assert_int_eq(fcgi_parser_request_read(&p), c->read);
}

static const Case *make_case(int i, Buffer *bytes)
{
    for (const Record *r = cases[i].records; r->content; r++)
        encode(r, bytes);
    return &cases[i];
}

START_TEST(at_every_split)
{
    _cleanup_buffer_ Buffer bytes = {0};
    const Case *c = make_case(_i, &bytes);

    for (size_t at = 0; at <= bytes.size; at++)
        check(c, &bytes, at, bytes.size + 1);
}
END_TEST

START_TEST(in_pieces_of_every_size)
{
    _cleanup_buffer_ Buffer bytes = {0};
    const Case *c = make_case(_i, &bytes);

    for (size_t piece = 1; piece <= 24; piece++)
        check(c, &bytes, 0, piece);
}
END_TEST

/* Not idle from the first byte of a next request on, whatever it will be. */
START_TEST(idle_ends_with_the_first_byte)
{
    uint8_t record[16];
    FcgiParser p;

    fcgi_put_begin_request(record, 1, FCGI_RESPONDER, 0);
    fcgi_parser_init(&p);
    ck_assert(fcgi_parser_is_idle(&p));
    for (size_t i = 0; i < sizeof(record); i++) {
        FcgiEvent e;
        size_t used;

        ck_assert_int_eq(fcgi_parser_next(&p, record + i, 1, &used, &e), 0);
        ck_assert_uint_eq(used, 1);
        ck_assert_int_eq(e.kind, i == 15 ? FCGI_EVENT_BEGIN : FCGI_EVENT_NONE);
        ck_assert(!fcgi_parser_is_idle(&p));
    }
}
END_TEST

START_TEST(the_largest_record)
{
    uint8_t *record = calloc(1, FCGI_HEADER_SIZE + FCGI_MAX_CONTENT + 255);
    uint8_t head[24];
    FcgiParser p;
    FcgiEvent e;
    size_t used;

    fcgi_put_begin_request(head, 1, FCGI_RESPONDER, 0);
    fcgi_put_header(record, FCGI_PARAMS, 1, FCGI_MAX_CONTENT, 255);
    fcgi_parser_init(&p);
    ck_assert_int_eq(fcgi_parser_next(&p, head, 16, &used, &e), 0);
    ck_assert_int_eq(
        fcgi_parser_next(&p, record, FCGI_HEADER_SIZE + FCGI_MAX_CONTENT + 255, &used, &e), 0);
    ck_assert_int_eq(e.kind, FCGI_EVENT_PARAMS);
    ck_assert_uint_eq(e.size, FCGI_MAX_CONTENT);
    ck_assert_uint_eq(used, FCGI_HEADER_SIZE + FCGI_MAX_CONTENT);
    ck_assert_int_eq(fcgi_parser_next(&p, record + used, 255, &used, &e), 0);
    ck_assert_int_eq(e.kind, FCGI_EVENT_NONE);
    ck_assert_uint_eq(used, 255);
    free(record);
}
END_TEST

static Suite *parser_suite(void)
{
    Suite *s = suite_create("fcgi/parser");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, at_every_split, 0, ARRAY_SIZE(cases));
    tcase_add_loop_test(t, in_pieces_of_every_size, 0, ARRAY_SIZE(cases));
    tcase_add_test(t, idle_ends_with_the_first_byte);
    tcase_add_test(t, the_largest_record);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(parser_suite)
