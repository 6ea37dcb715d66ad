/*
 * The porter between hostile workers, who park what they like, and hostile visitors of the status.
 * The input is a sequence of steps: bytes of the visitor, messages of the workers, news, time. What
 * a visitor is answered is FastCGI, and at the end no descriptor is left.
 */

#include "fuzz.h"

#include "fcgi/client.h"
#include "log/log.h"
#include "porter/lodge.h"
#include "../unit/status/example.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define STEPS_MAX 64

typedef struct Scene {
    Lodge lodge;
    RuntimeSpec spec;
    int status_fd;            /* of the spec; closed by the lodge */
    int link, park, handover; /* the others' ends */
    int visitor;              /* the visitor's end, -1: it has gone */
    FcgiResponse response;
    uint64_t now_usec;
} Scene;

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_size;

static int listener(void)
{
    static int fd = -1;

    if (fd < 0) {
        address_size = sizeof(address);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        check_that(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0 &&
                   getsockname(fd, (struct sockaddr *)&address, &address_size) == 0 &&
                   listen(fd, 16) == 0);
    }
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void link_make(int *ret_near, int *ret_far)
{
    int pair[2];

    check_that(link_pair(pair) == 0);
    *ret_near = pair[1];
    *ret_far = pair[0];
    link_admit_fds(pair[0]);
}

static void begin(Scene *s)
{
    static BoardSlot slot;

    log_set_max_priority(LOG_EMERG);
    *s = (Scene){.visitor = -1, .now_usec = USEC_PER_SEC};
    s->spec = (RuntimeSpec){.pool = "www",
                            .repark_fd = -1,
                            .history_fd = -1,
                            .status_path = "/status",
                            .ping_path = "/ping",
                            .ping_response = "pong",
                            .first_byte_timeout_usec = 2 * USEC_PER_SEC};
    s->status_fd = listener();
    s->spec.status_fds = &s->status_fd;
    s->spec.n_status_fds = 1;
    link_make(&s->spec.link_fd, &s->link);
    link_make(&s->spec.park_fd, &s->park);
    link_make(&s->spec.handover_fd, &s->handover);
    /* Nobody waits here. */
    check_that(fd_set_nonblock(s->spec.park_fd, true) == 0 &&
               fd_set_nonblock(s->spec.handover_fd, true) == 0);
    check_that(lodge_init(&s->lodge, &s->spec, &slot, 4) == 0);
}

/* What the others have been sent is closed. */
static void drain(int fd)
{
    LinkMessage m;
    size_t n = 0;
    int received = -1;

    while (link_receive(fd, MSG_DONTWAIT, &m, &received, 1, &n, NULL) == 1)
        if (n == 1)
            close(received);
}

static void read_answer(Scene *s)
{
    uint8_t bytes[4096];
    ssize_t n;

    while (s->visitor >= 0 && (n = recv(s->visitor, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        for (size_t at = 0, used; at < (size_t)n; at += used) {
            int r = fcgi_response_push(&s->response, bytes + at, (size_t)n - at, &used);

            check_that(r >= 0 && (used > 0 || r == 1));
            if (r == 1)
                fcgi_response_reset(&s->response);
        }
}

static void step_events(Scene *s)
{
    Lodge *l = &s->lodge;
    struct epoll_event events[16];
    int n = epoll_wait(l->epoll_fd, events, ARRAY_SIZE(events), 0);

    for (int i = 0; i < n; i++) {
        int fd = (int)(uint32_t)events[i].data.u64;
        unsigned list = rack_place(&l->rack, fd)->list;

        if (events[i].data.u64 >> 32 != LODGE_CONNECTION)
            continue;
        if (list == RACK_FRESH || list == RACK_IDLE)
            park_on_event(l, fd, events[i].events, s->now_usec);
        else if (list == RACK_CALLING || list == RACK_CALM)
            desk_on_event(l, fd, events[i].events, s->now_usec);
    }
    outlet_serve(l, s->now_usec);
    if (l->park_fd >= 0)
        park_take(l, 4, s->now_usec);
    desk_accept(l, s->now_usec);
    read_answer(s);
    drain(s->link);
    drain(s->handover);
}

static void step_visitor(Scene *s, Input *in)
{
    size_t n;
    const uint8_t *bytes = input_bytes(in, input_byte(in), &n);

    if (s->visitor < 0) {
        fcgi_response_reset(&s->response);
        s->visitor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        check_that(s->visitor >= 0);
        if (connect(s->visitor, (struct sockaddr *)&address, address_size) < 0)
            s->visitor = fd_close(s->visitor);
    }
    if (s->visitor >= 0 && n > 0)
        (void)!send(s->visitor, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* What a worker parks: a connection with bytes or without, or something else. */
static void step_park(Scene *s, Input *in)
{
    LinkMessage m = {.type = LINK_PARK};
    unsigned how = input_byte(in);
    int pair[2];
    size_t n;
    const uint8_t *bytes;

    m.flags = how & 3;
    if (how & 4)
        input_patch(in, &m, 16);
    check_that(socketpair(AF_UNIX, how & 8 ? SOCK_DGRAM : SOCK_STREAM, 0, pair) == 0);
    bytes = input_bytes(in, input_byte(in) % 16, &n);
    if (n > 0)
        (void)!send(pair[1], bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    link_send(s->park, &m, pair, how & 16 ? 2 : how & 32 ? 0 : 1);
    close(pair[0]);
    close(pair[1]);
}

static void step_news(Scene *s, Input *in)
{
    Example e = example_make();

    for (unsigned n = input_byte(in) % 4; n > 0; n--)
        input_patch(in, &e, sizeof(e));
    desk_take_news(&s->lodge,
                   sealed_memory(&e, sizeof(e), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
                   s->now_usec);
}

static void step(Scene *s, Input *in)
{
    switch (input_byte(in) % 7) {
    case 0:
        step_visitor(s, in);
        break;
    case 1:
        step_park(s, in);
        break;
    case 2:
        step_news(s, in);
        break;
    case 3:
        s->now_usec += USEC_PER_MSEC * input_word(in);
        desk_look(&s->lodge, s->now_usec);
        park_look(&s->lodge, s->now_usec);
        break;
    case 4:
        read_answer(s);
        s->visitor = fd_close(s->visitor);
        break;
    case 5:
        if (s->visitor >= 0)
            shutdown(s->visitor, SHUT_WR);
        break;
    default:
        break;
    }
    step_events(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool warm;
    Input in = {data, size};
    Scene s;
    int before;

    if (!warm)
        close(listener());
    warm = true;
    before = free_descriptor();
    begin(&s);
    for (unsigned i = 0; in.size > 0 && i < STEPS_MAX; i++)
        step(&s, &in);
    park_clear(&s.lodge, s.now_usec);
    outlet_serve(&s.lodge, s.now_usec);
    desk_leave(&s.lodge, s.now_usec);
    drain(s.handover);
    lodge_done(&s.lodge);
    fcgi_response_done(&s.response);
    fd_close(s.visitor);
    close(s.link);
    close(s.park);
    close(s.handover);
    check_that(free_descriptor() == before);
    return 0;
}
