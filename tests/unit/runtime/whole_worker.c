#include "whole_worker.h"

#include "base/clock.h"
#include "base/fd.h"
#include "pair.h"
#include "runtime/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <sys/wait.h>

BoardSlot *slot;
RuntimeSpec spec;
int life_line, handover, park_end = -1;
static int listen_fd = -1;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_size;
pid_t worker;

/* ---- the worker ---- */

/* What a script can do to the descriptors of its worker. */
static void spoil(const char *order)
{
    int listener = spec.listen_fds[0], other;

    if (strcmp(order, "close-listener") == 0)
        close(listener);
    else if (strcmp(order, "replace-listener") == 0) {
        other = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(other, listener);
    } else if (strcmp(order, "close-handover") == 0)
        close(spec.handover_fd);
    else if (strcmp(order, "close-epoll") == 0)
        for (int fd = 3; fd < 64; fd++) {
            char path[32], target[32] = "";

            snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
            if (readlink(path, target, sizeof(target) - 1) > 0 &&
                strcmp(target, "anon_inode:[eventpoll]") == 0)
                close(fd);
        }
}

static int run(Request *r)
{
    static unsigned number;
    const char *order = request_param(r, "DO");
    char text[64], body[256];
    ssize_t n;

    snprintf(text, sizeof(text), "worker %d, request %u", (int)getpid(), ++number);
    request_note_name(r, order, NULL);
    request_note_status(r, order && strcmp(order, "missing") == 0 ? 404 : 200);
    if (order && strncmp(order, "sleep", 5) == 0)
        usleep((useconds_t)atoi(order + 5) * 1000);
    else if (order && strcmp(order, "eat") == 0) {
        size_t size = 64u << 20;
        volatile char *memory = malloc(size);

        for (size_t i = 0; i < size; i += 1024)
            memory[i] = 1;
    } else if (order && strchr(order, '-'))
        spoil(order);
    else if (order && strcmp(order, "last") == 0) {
        request_write(r, text, strlen(text));
        return -EIO;
    }
    while ((n = request_read(r, body, sizeof(body))) > 0)
        ;
    if (n < 0)
        return 0;
    request_write(r, text, strlen(text));
    return 0;
}

static const Engine engine = {.name = "test", .run = run};

void run_worker(int life_line_end, unsigned flags)
{
    close(life_line);
    close(handover);
    if (park_end >= 0)
        close(park_end);
    _exit(serve(&spec, &engine, slot, life_line_end, flags) == 0 ? 0 : 1);
}

static void start_worker(unsigned flags)
{
    int line[2];

    ck_assert_int_eq(link_pair(line), 0);
    life_line = line[0];
    worker = fork();
    if (worker == 0)
        run_worker(line[1], flags);
    close(line[1]);
}

/* ---- the manager ---- */

bool wait_input(int fd, int msec)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, msec) > 0;
}

static LinkMessage receive(int fd, int *ret_fd)
{
    LinkMessage m;
    size_t n = 0;
    int got = -1;

    ck_assert(wait_input(fd, 5000));
    ck_assert_int_eq(link_receive(fd, MSG_DONTWAIT, &m, &got, 1, &n, NULL), 1);
    ck_assert_int_eq(n > 0, ret_fd != NULL);
    if (ret_fd)
        *ret_fd = got;
    return m;
}

void expect(LinkType type, unsigned flags)
{
    LinkMessage m = receive(life_line, NULL);

    ck_assert_uint_eq(m.type, type);
    ck_assert_uint_eq(m.flags, flags);
}

void tell_leave(void)
{
    LinkMessage m = {.type = LINK_LEAVE};

    ck_assert_int_eq(link_send(life_line, &m, NULL, 0), 0);
    life_line = fd_close(life_line);
}

void stop_pool(void)
{
    LinkMessage m = {.type = LINK_LEAVE, .flags = LINK_LEAVE_AT_END};

    ck_assert_int_eq(link_send(life_line, &m, NULL, 0), 0);
    life_line = fd_close(life_line);
}

/* How long the worker takes to end from now on. */
uint64_t expect_end(void)
{
    uint64_t begin_usec = clock_monotonic_usec();
    int status;

    ck_assert_int_eq(waitpid(worker, &status, 0), worker);
    ck_assert_int_eq(status, 0);
    worker = 0;
    return clock_monotonic_usec() - begin_usec;
}

bool worker_stays(int msec)
{
    int status;

    usleep((useconds_t)msec * 1000);
    return waitpid(worker, &status, WNOHANG) == 0;
}

void wait_state(WorkerState state)
{
    uint64_t end_usec = clock_monotonic_usec() + 5 * USEC_PER_SEC;

    while (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != state &&
           clock_monotonic_usec() < end_usec)
        usleep(1000);
    ck_assert_uint_eq(slot->state, state);
}

int take_parked(unsigned *ret_flags)
{
    int fd;
    LinkMessage m = receive(park_end, &fd);

    ck_assert_uint_eq(m.type, LINK_PARK);
    *ret_flags = m.flags;
    return fd;
}

void hand_over(int fd, unsigned flags)
{
    LinkMessage m = {.type = LINK_SERVE, .flags = flags};

    ck_assert_int_eq(link_send(handover, &m, &fd, 1), 0);
    close(fd);
}

/* ---- the web server ---- */

int client(void)
{
    struct timeval limit = {.tv_sec = 10};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, address_size), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

void ask(int fd, const char *order, unsigned flags)
{
    const char *const params[] = {"DO", order, NULL};
    Pair p = {.peer = fd};
    Buffer b = {0};

    fcgi_client_begin(&b, 1, FCGI_RESPONDER, flags);
    fcgi_client_params(&b, 1, params);
    fcgi_client_stream_end(&b, FCGI_STDIN, 1);
    pair_send(&p, &b);
}

void expect_answer(int fd, const char *begin)
{
    Pair p = {.peer = fd};
    char text[256];

    pair_read_answer(&p, 1, text, sizeof(text));
    ck_assert_mem_eq(text, begin, strlen(begin));
}

int shut_gate(unsigned flags)
{
    static const char *const params[] = {"DO", "hello", NULL};
    Pair p = {.peer = client()};
    Buffer b = {0};

    fcgi_client_begin(&b, 1, FCGI_RESPONDER, flags);
    fcgi_client_params(&b, 1, params);
    pair_send(&p, &b);
    wait_state(WORKER_STATE_RUNNING);
    return p.peer;
}

void open_gate(int fd)
{
    Pair p = {.peer = fd};
    Buffer b = {0};

    fcgi_client_stream_end(&b, FCGI_STDIN, 1);
    pair_send(&p, &b);
    expect_answer(fd, "worker");
}

bool at_end(int fd)
{
    char byte;

    return wait_input(fd, 5000) && recv(fd, &byte, 1, 0) == 0;
}

bool is_open(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

int keep_one(void)
{
    int fd = client();

    ask(fd, "hello", FCGI_KEEP_CONN);
    expect_answer(fd, "worker");
    return fd;
}

/* ---- all of them ---- */

static void set_up_sockets(bool with_park)
{
    int pair[2];
    static int listeners[1];

    slot = mmap(NULL, sizeof(*slot), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(slot, MAP_FAILED);
    address_size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                    (size_t)sprintf(address.sun_path + 1, "fpmd-test-%d", (int)getpid()));
    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&address, address_size), 0);
    ck_assert_int_eq(listen(listen_fd, 128), 0);
    listeners[0] = listen_fd;
    spec = (RuntimeSpec){.pool = "test",
                         .listen_fds = listeners,
                         .n_listen_fds = 1,
                         .park_fd = -1,
                         .link_fd = -1,
                         .access_fd = -1,
                         .read_timeout_usec = 60 * USEC_PER_SEC};
    ck_assert_int_eq(link_pair(pair), 0);
    handover = pair[0];
    spec.handover_fd = pair[1];
    ck_assert_int_eq(fd_set_nonblock(pair[1], true), 0);
    if (with_park) {
        ck_assert_int_eq(link_pair(pair), 0);
        ck_assert_int_eq(link_admit_fds(pair[0]), 0);
        park_end = pair[0];
        spec.park_fd = pair[1];
        ck_assert_int_eq(fd_set_nonblock(pair[1], true), 0);
    }
}

void set_up(void)
{
    set_up_sockets(true);
}

void set_up_without_park(void)
{
    set_up_sockets(false);
}

void tear_down(void)
{
    if (worker > 0) {
        kill(worker, SIGKILL);
        waitpid(worker, NULL, 0);
    }
}

void ready(unsigned flags)
{
    start_worker(flags);
    expect(LINK_READY, 0);
}
