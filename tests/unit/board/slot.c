#include "base/clock.h"
#include "base/fd.h"
#include "base/utf8.h"
#include "board/slot.h"
#include "../run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW UINT64_C(5000000)

static const volatile BoardSlot *reader; /* the manager's view */
static BoardSlot *writer;                /* the worker's */
static int slot_fd = -1;

static void setup(void)
{
    slot_fd = board_create(&reader);
    ck_assert_int_ge(slot_fd, 0);
    ck_assert_int_eq(board_attach(slot_fd, &writer), 0);
}

static void teardown(void)
{
    board_unmap(reader);
    board_unmap(writer);
    slot_fd = fd_close(slot_fd);
}

START_TEST(fresh_slot_is_readable)
{
    BoardSlot s, zero = {.version = BOARD_SLOT_VERSION};

    ck_assert_int_eq(board_read(reader, NOW, &s), 0);
    ck_assert_mem_eq(&s, &zero, sizeof(s));
}
END_TEST

START_TEST(what_is_written_is_read)
{
    BoardSlot s;

    board_begin(writer);
    writer->state = WORKER_STATE_READING;
    writer->connections = 3;
    writer->requests = 17;
    writer->request_started_usec = NOW - 10;
    writer->last_active_usec = NOW;
    writer->bytes_in = 1;
    writer->bytes_out = 2;
    writer->content_length = 3;
    writer->protocol_errors = 4;
    writer->moot = BOARD_MOOT_LANDLOCK;
    writer->status = 404;
    board_set_text(writer->method, sizeof(writer->method), "GET", 3);
    board_set_text(writer->uri, sizeof(writer->uri), "/caf\xc3\xa9?a=b", 10);
    board_set_text(writer->script, sizeof(writer->script), "/srv/www/index.php", 18);
    board_commit(writer);

    ck_assert_int_eq(board_read(reader, NOW, &s), 0);
    ck_assert_uint_eq(s.sequence, 2);
    ck_assert_mem_eq(&s, writer, sizeof(s));
    ck_assert_str_eq(s.uri, "/caf\xc3\xa9?a=b");
}
END_TEST

START_TEST(text_is_cut_between_characters)
{
    char field[8];

    board_set_text(field, sizeof(field), "1234567", 7);
    ck_assert_str_eq(field, "1234567");
    board_set_text(field, sizeof(field), "123456\xc3\xa9", 8);
    ck_assert_str_eq(field, "123456");
    board_set_text(field, sizeof(field), "a", 1);
    ck_assert_str_eq(field, "a");
    board_set_text(field, sizeof(field), NULL, 5);
    ck_assert_str_eq(field, "");
}
END_TEST

START_TEST(states_have_names)
{
    ck_assert_str_eq(worker_state_to_string(WORKER_STATE_STARTING), "starting");
    ck_assert_str_eq(worker_state_to_string(WORKER_STATE_DRAINING), "draining");
    for (int i = 0; i < _WORKER_STATE_MAX; i++)
        ck_assert_str_ne(worker_state_to_string((WorkerState)i), "unknown");
    ck_assert_str_eq(worker_state_to_string(_WORKER_STATE_MAX), "unknown");
    ck_assert_str_eq(worker_state_to_string((WorkerState)-1), "unknown");
}
END_TEST

/* Every number a hostile worker may write, and what the manager may see of it. */
#define NUMBER(field, written, seen)                                                               \
    {                                                                                              \
#field, offsetof(BoardSlot, field), sizeof(((BoardSlot *)0)->field), written, seen         \
    }
static const struct {
    const char *name;
    size_t offset, size;
    uint64_t written, seen;
} numbers[] = {
    NUMBER(state, _WORKER_STATE_MAX, WORKER_STATE_RUNNING),
    NUMBER(state, UINT32_MAX, WORKER_STATE_RUNNING),
    NUMBER(state, WORKER_STATE_DRAINING, WORKER_STATE_DRAINING),
    NUMBER(request_started_usec, UINT64_MAX, NOW),
    NUMBER(request_started_usec, NOW + 1, NOW),
    NUMBER(request_started_usec, NOW - 1, NOW - 1),
    NUMBER(last_active_usec, UINT64_MAX, NOW),
    NUMBER(last_active_usec, NOW + 1, NOW),
    NUMBER(moot, UINT64_MAX, 127),
    NUMBER(status, 1000, 0),
    NUMBER(status, UINT32_MAX, 0),
    NUMBER(status, 999, 999),
    NUMBER(fatal_call, UINT32_MAX, 0),
    NUMBER(connections, UINT32_MAX, UINT32_MAX),
    NUMBER(requests, UINT64_MAX, UINT64_MAX),
    NUMBER(bytes_in, UINT64_MAX, UINT64_MAX),
    NUMBER(bytes_out, UINT64_MAX, UINT64_MAX),
    NUMBER(content_length, UINT64_MAX, UINT64_MAX),
    NUMBER(protocol_errors, UINT64_MAX, UINT64_MAX),
    NUMBER(sequence, UINT32_MAX - 1, UINT32_MAX - 1),
    NUMBER(accepted, UINT64_MAX, UINT64_MAX),
    NUMBER(abandoned, UINT64_MAX, UINT64_MAX),
    NUMBER(read_timeouts, UINT64_MAX, UINT64_MAX),
    NUMBER(stopped, UINT64_MAX, UINT64_MAX),
};

START_TEST(numbers_are_bounded)
{
    uint64_t seen = 0;
    BoardSlot s;

    memcpy((char *)writer + numbers[_i].offset, &numbers[_i].written, numbers[_i].size);
    ck_assert_int_eq(board_read(reader, NOW, &s), 0);
    memcpy(&seen, (char *)&s + numbers[_i].offset, numbers[_i].size);
    ck_assert_msg(seen == numbers[_i].seen, "%s: wrote %llu, saw %llu", numbers[_i].name,
                  (unsigned long long)numbers[_i].written, (unsigned long long)seen);
}
END_TEST

START_TEST(other_version_is_refused)
{
    BoardSlot s = {.requests = 1};

    writer->version = BOARD_SLOT_VERSION + 1;
    ck_assert_int_eq(board_read(reader, NOW, &s), -EBADMSG);
    writer->version = 0;
    ck_assert_int_eq(board_read(reader, NOW, &s), -EBADMSG);
    ck_assert_uint_eq(s.requests, 1);
}
END_TEST

#define TEXT(field)                                                                                \
    {                                                                                              \
        offsetof(BoardSlot, field), sizeof(((BoardSlot *)0)->field)                                \
    }
static const struct {
    size_t offset, size;
} texts[] = {TEXT(method), TEXT(uri), TEXT(script), TEXT(user), TEXT(name), TEXT(query)};

static const struct {
    const char *written, *seen;
} text_cases[] = {
    {"GET /", "GET /"},
    {"a\nb\x1b[0mc", "a?b?[0mc"},
    {"\x7f\xc2\x9b"
     "1",
     "??1"},
    {"\xff\xfe\x80x", "???x"},
    {"\xe2\x82", "??"},
    {"\xc0\x80", "??"},
    {"\xed\xa0\x80", "???"},
    {"\xe2\x80\xae"
     "cba",
     "?cba"},
    {"\xe2\x82\xac"
     "5",
     "\xe2\x82\xac"
     "5"},
};

START_TEST(texts_are_printable)
{
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        BoardSlot s;

        strcpy((char *)writer + texts[i].offset, text_cases[_i].written);
        ck_assert_int_eq(board_read(reader, NOW, &s), 0);
        ck_assert_str_eq((char *)&s + texts[i].offset, text_cases[_i].seen);
    }
}
END_TEST

/* A field without NUL, and a character that runs over the end of its field. */
START_TEST(texts_end_within_their_field)
{
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        size_t last = texts[i].size - 1;
        char *field = (char *)writer + texts[i].offset;
        BoardSlot s;

        memset(field, 'x', texts[i].size);
        ck_assert_int_eq(board_read(reader, NOW, &s), 0);
        ck_assert_uint_eq(strlen((char *)&s + texts[i].offset), last);

        memcpy(field + last - 1, "\xc3\xa9", 2);
        ck_assert_int_eq(board_read(reader, NOW, &s), 0);
        ck_assert_uint_eq(strlen((char *)&s + texts[i].offset), last);
        ck_assert_int_eq(((char *)&s)[texts[i].offset + last - 1], '?');
    }
}
END_TEST

static bool is_tame(const char *field, size_t size)
{
    size_t n = strnlen(field, size);

    if (n == size)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)field[i] < 0x20 || field[i] == 0x7f)
            return false;
    for (size_t i = n; i < size; i++)
        if (field[i])
            return false;
    return true;
}

/* No control character and no byte behind a NUL reaches the copy, whatever the page holds. */
START_TEST(random_pages_are_tamed)
{
    srandom(1);
    for (int round = 0; round < 500; round++) {
        BoardSlot s;

        for (size_t i = 0; i < BOARD_SLOT_SIZE; i++)
            ((uint8_t *)writer)[i] = (uint8_t)random();
        writer->version = BOARD_SLOT_VERSION;
        writer->sequence &= ~1U;
        ck_assert_int_eq(board_read(reader, NOW, &s), 0);
        ck_assert_uint_lt(s.state, _WORKER_STATE_MAX);
        ck_assert_uint_le(s.last_active_usec, NOW);
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
            ck_assert(is_tame((const char *)&s + texts[i].offset, texts[i].size));
    }
}
END_TEST

/* A trace as a worker leaves it, and as the manager shows it. */
static const struct {
    const char *written, *seen;
} trace_cases[] = {
    {"", ""},
    {"#0 f() /a.php:1\n#1 {main} /a.php:2\n", "#0 f() /a.php:1\n#1 {main} /a.php:2\n"},
    {"\n\n", "\n\n"},
    {"one\r\ntwo\ttabs", "one?\ntwo?tabs"},
    /* what shrinks must not take the line end, nor what follows, with it */
    {"\xc2\x9b"
     "31m\nnext \xe2\x80\xae line\nlast",
     "?31m\nnext ? line\nlast"},
    {"\xe2\x80\xa8\n\xe2\x80\xa9\nx", "?\n?\nx"},
    /* a character that is cut by a line end is no character */
    {"\xe2\x82\n\xac", "??\n?"},
    {"\xff\n\xfe\n", "?\n?\n"},
    {"caf\xc3\xa9\n\xe2\x82\xac", "caf\xc3\xa9\n\xe2\x82\xac"},
    {"\xf0\x9f\x98\x80\x1b]0;x\a\n", "\xf0\x9f\x98\x80?]0;x?\n"},
};

START_TEST(traces_are_lines_of_printable_text)
{
    char seen[BOARD_TRACE_SIZE];

    strcpy(board_trace(writer), trace_cases[_i].written);
    memset(seen, 'x', sizeof(seen));
    board_read_trace(reader, seen);
    ck_assert_str_eq(seen, trace_cases[_i].seen);
    /* Nothing of the worker's is behind the end. */
    for (size_t i = strlen(seen); i < sizeof(seen); i++)
        ck_assert_int_eq(seen[i], 0);
}
END_TEST

/* Full to the last byte, and beyond what a line or a character may have there. */
START_TEST(a_trace_ends_within_its_room)
{
    static const char *const fillings[] = {"x",    "\n",   "\xc3\xa9",        "\xc2\x9b",
                                           "\xff", "\x01", "\xf0\x9f\x98\x80"};

    for (size_t i = 0; i < ARRAY_SIZE(fillings); i++) {
        char *room = board_trace(writer), seen[BOARD_TRACE_SIZE];
        size_t n = strlen(fillings[i]);

        for (size_t k = 0; k < BOARD_TRACE_SIZE; k++)
            room[k] = fillings[i][k % n];
        board_read_trace(reader, seen);
        ck_assert_int_eq(seen[BOARD_TRACE_SIZE - 1], 0);
        for (size_t k = 0; k < strlen(seen); k++)
            ck_assert((uint8_t)seen[k] >= 0x20 || seen[k] == '\n');
    }
}
END_TEST

START_TEST(random_traces_are_tamed)
{
    srandom(2);
    for (int round = 0; round < 500; round++) {
        char *room = board_trace(writer), seen[BOARD_TRACE_SIZE];

        for (size_t i = 0; i < BOARD_TRACE_SIZE; i++)
            room[i] = (char)random();
        room[0] = 'x';
        board_read_trace(reader, seen);
        for (size_t i = 0; seen[i]; i++) {
            uint32_t code;
            size_t n = utf8_decode(seen + i, BOARD_TRACE_SIZE - i, &code);

            ck_assert_uint_gt(n, 0);
            ck_assert(code == '\n' || utf8_is_printable(code));
            i += n - 1;
        }
    }
}
END_TEST

/* The slot before it has no end of its own, and the trace is not the slot's. */
START_TEST(slot_and_trace_are_apart)
{
    char seen[BOARD_TRACE_SIZE];
    BoardSlot s;

    memset(writer, 0xff, BOARD_TRACE_OFFSET);
    board_read_trace(reader, seen);
    ck_assert_str_eq(seen, "");
    memset(board_trace(writer), 0xff, BOARD_TRACE_SIZE);
    memset(writer, 0, BOARD_TRACE_OFFSET);
    writer->version = BOARD_SLOT_VERSION;
    ck_assert_int_eq(board_read(reader, NOW, &s), 0);
    ck_assert_str_eq(s.query, "");
}
END_TEST

START_TEST(writer_that_never_rests_does_not_hold_the_reader)
{
    BoardSlot s;

    board_begin(writer);
    writer->state = 77;
    strcpy(writer->uri, "\n");
    alarm(2);
    ck_assert_int_eq(board_read(reader, NOW, &s), -EAGAIN);
    ck_assert_uint_eq(s.state, WORKER_STATE_RUNNING);
    ck_assert_str_eq(s.uri, "?");

    /* The next user of the page, whose first bracket finds the sequence odd. */
    board_begin(writer);
    ck_assert_int_eq(board_read(reader, NOW, &s), -EAGAIN);
    writer->state = WORKER_STATE_IDLE;
    board_commit(writer);
    ck_assert_int_eq(board_read(reader, NOW, &s), 0);
    ck_assert_uint_eq(s.state, WORKER_STATE_IDLE);
}
END_TEST

START_TEST(page_is_sealed)
{
    ck_assert_int_eq(fcntl(slot_fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    ck_assert_int_eq(ftruncate(slot_fd, 0), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(ftruncate(slot_fd, 2 * BOARD_SLOT_SIZE), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(fcntl(slot_fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    ck_assert_int_eq(errno, EPERM);
}
END_TEST

START_TEST(nothing_lies_behind_the_page)
{
    volatile char *grown = mremap(writer, BOARD_SLOT_SIZE, 1 << 20, MREMAP_MAYMOVE);

    ck_assert_ptr_ne((void *)grown, MAP_FAILED);
    ck_assert_int_eq(grown[0], BOARD_SLOT_VERSION);
    /* Sanitizers would turn the signal into an exit status. */
    signal(SIGBUS, SIG_DFL);
    /* The whole last page of the machine belongs to the file, whatever its size. */
    grown[1 << 19] = 1;
}
END_TEST

START_TEST(file_of_another_size_is_refused)
{
    _cleanup_fd_ int fd = memfd_create("test", MFD_CLOEXEC);
    BoardSlot *slot = NULL;

    ck_assert_int_eq(board_attach(fd, &slot), -EINVAL);
    ck_assert_int_eq(ftruncate(fd, 2 * BOARD_SLOT_SIZE), 0);
    ck_assert_int_eq(board_attach(fd, &slot), -EINVAL);
    ck_assert_int_eq(board_attach(-1, &slot), -EBADF);
    ck_assert_ptr_null(slot);
}
END_TEST

_noreturn_ static void hammer(void)
{
    for (uint64_t i = 0;; i++) {
        char letter = (char)('a' + i % 26);

        board_begin(writer);
        writer->requests = i;
        memset(writer->uri, letter, sizeof(writer->uri) - 1);
        writer->status = (uint32_t)(i % 26);
        memset(writer->script, letter, sizeof(writer->script) - 1);
        writer->bytes_out = i;
        board_commit(writer);
        /* Gaps of every length up to some microseconds, for the reader to hit or to miss. */
        for (volatile uint64_t k = 0; k < i % 4096; k++)
            ;
    }
}

START_TEST(no_torn_copies)
{
    uint64_t end = clock_monotonic_usec() + 5 * USEC_PER_SEC;
    char expected[sizeof(writer->uri)] = "";
    int changes = 0, torn = 0;
    uint64_t last = 0;
    pid_t pid = fork();

    if (pid == 0)
        hammer();
    while (changes < 1000 && clock_monotonic_usec() < end) {
        BoardSlot s;

        if (board_read(reader, NOW, &s) < 0 || s.requests == 0)
            continue;
        changes += s.requests != last;
        last = s.requests;
        memset(expected, (int)('a' + s.requests % 26), sizeof(expected) - 1);
        torn += s.bytes_out != s.requests || s.status != s.requests % 26 ||
                strcmp(s.uri, expected) != 0 || strcmp(s.script, expected) != 0;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(torn, 0);
    ck_assert_int_gt(changes, 10);
}
END_TEST

START_TEST(buckets_of_durations)
{
    static const uint64_t bounds[] = BOARD_LATENCY_BOUNDS;

    ck_assert_uint_eq(board_latency_bucket(0), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(bounds); i++) {
        ck_assert_uint_eq(board_latency_bucket(bounds[i]), i);
        ck_assert_uint_eq(board_latency_bucket(bounds[i] + 1), i + 1);
    }
    ck_assert_uint_eq(board_latency_bucket(UINT64_MAX), BOARD_LATENCY_BUCKETS - 1);
}
END_TEST

static Suite *slot_suite(void)
{
    Suite *s = suite_create("board/slot");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 20);
    tcase_add_test(t, fresh_slot_is_readable);
    tcase_add_test(t, what_is_written_is_read);
    tcase_add_test(t, text_is_cut_between_characters);
    tcase_add_test(t, states_have_names);
    tcase_add_loop_test(t, numbers_are_bounded, 0, ARRAY_SIZE(numbers));
    tcase_add_test(t, other_version_is_refused);
    tcase_add_loop_test(t, texts_are_printable, 0, ARRAY_SIZE(text_cases));
    tcase_add_test(t, texts_end_within_their_field);
    tcase_add_test(t, random_pages_are_tamed);
    tcase_add_loop_test(t, traces_are_lines_of_printable_text, 0, ARRAY_SIZE(trace_cases));
    tcase_add_test(t, a_trace_ends_within_its_room);
    tcase_add_test(t, random_traces_are_tamed);
    tcase_add_test(t, slot_and_trace_are_apart);
    tcase_add_test(t, writer_that_never_rests_does_not_hold_the_reader);
    tcase_add_test(t, page_is_sealed);
    tcase_add_test_raise_signal(t, nothing_lies_behind_the_page, SIGBUS);
    tcase_add_test(t, file_of_another_size_is_refused);
    tcase_add_test(t, no_torn_copies);
    tcase_add_test(t, buckets_of_durations);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(slot_suite)
