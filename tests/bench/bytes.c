/*
 * fpmd-bytes: many connections to FastCGI pools that send garbled streams (garble.h) and close,
 * half close, break off or keep still at any point. Sound requests between them have to be
 * answered, and whoever has closed its half has to see the end. One line of JSON when all are
 * through; exit status 1 if the pool has failed one of them.
 */

#include "address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "garble.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define ADDRESSES_MAX 16
#define HOLD_MAX_USEC (300 * USEC_PER_MSEC)
#define RETRY_USEC    USEC_PER_MSEC

/* What a client does when its bytes are out. */
typedef enum Ending {
    ENDING_CLOSE,
    ENDING_RESET,
    ENDING_HALF,   /* and waits for the end of the connection */
    ENDING_HOLD,   /* keeps still, then closes */
    ENDING_ANSWER, /* waits for the answer */
    _ENDING_MAX,
} Ending;

typedef struct Slot {
    const Address *address;
    int fd;
    bool running, writing;
    Garble kind;
    Ending ending;
    Buffer stream;
    size_t sent, piece; /* the bytes up to piece may go out now */
    uint64_t next_usec; /* of the next piece, the next try, or the end of a hold */
    uint64_t limit_usec;
    FcgiResponse response;
} Slot;

typedef struct Bytes {
    RequestForm form;
    Address addresses[ADDRESSES_MAX];
    size_t n_addresses;
    uint64_t n_streams, duration_usec, n_slots, seed, timeout_usec;
    Slot *slots;
    Random random;
    int epoll_fd;
    uint64_t begun, ended, bytes, end_usec;
    uint64_t kinds[_GARBLE_MAX], answered, wrong, hung, refused;
} Bytes;

static Bytes all;

static void finish(Slot *s)
{
    const struct linger abort_it = {.l_onoff = 1};

    if (s->fd >= 0 && s->ending == ENDING_RESET)
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it));
    s->fd = fd_close(s->fd);
    s->running = false;
    all.ended++;
}

static void complain(const Slot *s, const char *what)
{
    fprintf(stderr, "fpmd-bytes: stream %llu (%s, %zu of %zu bytes sent) %s: %.*s\n",
            (unsigned long long)all.ended, garble_to_string(s->kind), s->sent, s->stream.size, what,
            (int)MIN(s->response.out.size, (size_t)200), s->response.out.data);
}

/* A sound request has its answer, or has lost its connection. */
static void settle(Slot *s)
{
    if (s->response.ended && request_status(&s->response) == 200 &&
        request_answer_is_right(&all.form, NULL, &s->response, 0))
        all.answered++;
    else {
        all.wrong++;
        complain(s, "is not answered as it should be");
    }
    finish(s);
}

static void open_connection(Slot *s, uint64_t now_usec)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = s};

    s->fd = address_connect(s->address, true);
    s->writing = true;
    if (s->fd >= 0)
        epoll_ctl(all.epoll_fd, EPOLL_CTL_ADD, s->fd, &event);
    else if (s->fd == -EAGAIN || s->fd == -EADDRNOTAVAIL)
        s->next_usec = now_usec + RETRY_USEC;
    else {
        all.refused++;
        finish(s);
    }
}

static void begin(Slot *s, uint64_t now_usec)
{
    Random *r = &all.random;

    s->address = &all.addresses[random_draw(r, all.n_addresses - 1)];
    s->running = true;
    s->fd = -1;
    s->kind = (Garble)random_draw(r, _GARBLE_MAX - 1);
    s->ending = s->kind == GARBLE_SOUND ? ENDING_ANSWER : (Ending)random_draw(r, ENDING_HOLD);
    /* Few keep still: they last. */
    if (s->ending == ENDING_HOLD && random_draw(r, 3))
        s->ending = ENDING_CLOSE;
    s->stream.size = s->sent = 0;
    fcgi_response_reset(&s->response);
    if (garble_build(r, s->kind, &all.form, &s->stream) < 0) {
        fputs("fpmd-bytes: not enough memory\n", stderr);
        exit(1);
    }
    s->piece = random_draw(r, 2) ? s->stream.size : random_draw(r, s->stream.size);
    s->next_usec = 0;
    s->limit_usec = now_usec + all.timeout_usec;
    all.begun++;
    all.kinds[s->kind]++;
    open_connection(s, now_usec);
}

static void watch(Slot *s, bool writing)
{
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = s};

    if (s->writing != writing)
        epoll_ctl(all.epoll_fd, EPOLL_CTL_MOD, s->fd, &event);
    s->writing = writing;
}

/* All bytes are out. */
static void conclude(Slot *s, uint64_t now_usec)
{
    watch(s, false);
    if (s->ending == ENDING_CLOSE || s->ending == ENDING_RESET)
        finish(s);
    else if (s->ending == ENDING_HALF)
        shutdown(s->fd, SHUT_WR);
    else if (s->ending == ENDING_HOLD)
        s->next_usec = now_usec + random_draw(&all.random, HOLD_MAX_USEC);
}

static void on_broken(Slot *s)
{
    if (s->kind == GARBLE_SOUND)
        settle(s);
    else
        finish(s);
}

static void write_out(Slot *s, uint64_t now_usec)
{
    while (s->sent < s->piece) {
        ssize_t n =
            send(s->fd, s->stream.data + s->sent, s->piece - s->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
            watch(s, true);
            return;
        }
        if (n < 0) {
            /* What was said before that has been read by then, or is gone. */
            on_broken(s);
            return;
        }
        s->sent += (size_t)n;
        all.bytes += (uint64_t)n;
    }
    if (s->sent == s->stream.size) {
        conclude(s, now_usec);
        return;
    }
    watch(s, false);
    s->piece = s->sent + 1 + random_draw(&all.random, s->stream.size - s->sent - 1);
    s->next_usec = now_usec + random_draw(&all.random, 5 * USEC_PER_MSEC);
}

static void read_in(Slot *s)
{
    uint8_t room[16384];
    ssize_t n = recv(s->fd, room, sizeof(room), MSG_DONTWAIT);
    size_t used;

    if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
        return;
    if (n < 0 && errno == ECONNREFUSED) {
        all.refused++;
        finish(s);
    } else if (n <= 0)
        on_broken(s);
    else if (s->kind == GARBLE_SOUND) {
        int r = fcgi_response_push(&s->response, room, (size_t)n, &used);

        if (r != 0)
            settle(s);
    }
}

static void tick(Slot *s, uint64_t now_usec)
{
    if (s->running && now_usec >= s->limit_usec) {
        all.hung++;
        complain(s, "hangs");
        finish(s);
    } else if (s->running && s->next_usec > 0 && now_usec >= s->next_usec) {
        s->next_usec = 0;
        if (s->fd < 0)
            open_connection(s, now_usec);
        else if (s->sent < s->stream.size)
            write_out(s, now_usec);
        else
            finish(s);
    }
}

static bool is_over(uint64_t now_usec)
{
    return all.n_streams > 0 ? all.begun >= all.n_streams : now_usec >= all.end_usec;
}

/* Whether anything is left to do. */
static bool pump(void)
{
    uint64_t now_usec = clock_monotonic_usec();
    bool busy = !is_over(now_usec);

    for (uint64_t i = 0; i < all.n_slots; i++) {
        tick(&all.slots[i], now_usec);
        if (!all.slots[i].running && !is_over(now_usec))
            begin(&all.slots[i], now_usec);
        busy |= all.slots[i].running;
    }
    return busy;
}

static void run(void)
{
    struct epoll_event events[256];

    all.end_usec = clock_monotonic_usec() + all.duration_usec;
    while (pump()) {
        int n = epoll_wait(all.epoll_fd, events, ARRAY_SIZE(events), 1);
        uint64_t now_usec = clock_monotonic_usec();

        for (int i = 0; i < n; i++) {
            Slot *s = events[i].data.ptr;

            if (s->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                read_in(s);
            if (s->running && s->fd >= 0 && s->writing && events[i].events & EPOLLOUT)
                write_out(s, now_usec);
        }
    }
}

static void usage(void)
{
    fputs("usage: fpmd-bytes [options] SOCKET-PATH|HOST:PORT…\n"
          "  -n N     streams in all\n"
          "  -d TIME  duration instead (5s)\n"
          "  -c N     connections at a time (64)\n"
          "  -r SEED  (1)\n"
          "  -t TIME  time limit of one stream (30s)\n"
          "  -s PATH  SCRIPT_FILENAME of the requests\n"
          "  -e TEXT  the body of its answer\n",
          stderr);
    exit(64);
}

static int parse_option(int option, const char *text)
{
    switch (option) {
    case 'n':
        return parse_u64(text, 1, UINT64_MAX, &all.n_streams);
    case 'd':
        return parse_usec(text, &all.duration_usec);
    case 'c':
        return parse_u64(text, 1, 10000, &all.n_slots);
    case 'r':
        return parse_u64(text, 0, UINT64_MAX, &all.seed);
    case 't':
        return parse_usec(text, &all.timeout_usec);
    case 's':
        all.form.script = text;
        return 0;
    case 'e':
        all.form.expect = text;
        return 0;
    default:
        return -EINVAL;
    }
}

static void print(uint64_t usec)
{
    printf("{\"streams\": %llu, \"bytes\": %llu, \"seconds\": %.1f, \"answered\": %llu, "
           "\"wrong\": %llu, \"hung\": %llu, \"refused\": %llu",
           (unsigned long long)all.ended, (unsigned long long)all.bytes, (double)usec / 1e6,
           (unsigned long long)all.answered, (unsigned long long)all.wrong,
           (unsigned long long)all.hung, (unsigned long long)all.refused);
    for (Garble kind = 0; kind < _GARBLE_MAX; kind++)
        printf(", \"%s\": %llu", garble_to_string(kind), (unsigned long long)all.kinds[kind]);
    puts("}");
}

int main(int argc, char **argv)
{
    uint64_t begin_usec = clock_monotonic_usec();
    int option;

    all = (Bytes){.n_slots = 64,
                  .duration_usec = 5 * USEC_PER_SEC,
                  .timeout_usec = 30 * USEC_PER_SEC,
                  .seed = 1,
                  .form = {.script = "/index.php", .uri = "/index.php", .query = ""}};
    while ((option = getopt(argc, argv, "n:d:c:r:t:s:e:")) >= 0)
        if (parse_option(option, optarg) < 0)
            usage();
    for (; optind < argc; optind++)
        if (all.n_addresses == ADDRESSES_MAX ||
            address_parse(argv[optind], &all.addresses[all.n_addresses++]) < 0)
            usage();
    if (all.n_addresses == 0)
        usage();
    random_init(&all.random, all.seed);
    all.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    all.slots = calloc(all.n_slots, sizeof(*all.slots));
    if (all.epoll_fd < 0 || !all.slots) {
        fputs("fpmd-bytes: not enough memory\n", stderr);
        return 1;
    }
    for (uint64_t i = 0; i < all.n_slots; i++)
        all.slots[i].fd = -1;
    run();
    print(clock_monotonic_usec() - begin_usec);
    for (uint64_t i = 0; i < all.n_slots; i++) {
        buffer_done(&all.slots[i].stream);
        fcgi_response_done(&all.slots[i].response);
    }
    free(all.slots);
    fd_close(all.epoll_fd);
    return all.wrong > 0 || all.hung > 0 || all.refused > 0;
}
