/*
 * fpmd-load: many clients of one FastCGI pool in one epoll loop; one JSON line at the end.
 */

#include "address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "fcgi/client.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

typedef enum Failure {
    FAILURE_REFUSED,
    FAILURE_RESET,
    FAILURE_EOF_BEFORE_END,
    FAILURE_WRONG_BODY,
    FAILURE_PROTOCOL,
    FAILURE_TIMEOUT,
    _FAILURE_MAX,
} Failure;

static const char *const failure_names[] = {
    [FAILURE_REFUSED] = "refused",
    [FAILURE_RESET] = "reset",
    [FAILURE_EOF_BEFORE_END] = "eof-before-end",
    [FAILURE_WRONG_BODY] = "wrong-body",
    [FAILURE_PROTOCOL] = "protocol",
    [FAILURE_TIMEOUT] = "timeout",
};

typedef struct Client {
    int fd;
    bool running;
    bool writing;  /* EPOLLOUT is asked for */
    bool reused;   /* this request is not the connection's first */
    bool answered; /* a byte of the answer has come */
    size_t sent;
    uint64_t started_usec;
    FcgiResponse response;
} Client;

typedef struct Load {
    Address address;
    unsigned n_clients;
    uint64_t duration_usec, max_requests, timeout_usec;
    bool keep;
    const char *script, *uri, *expect;
    uint64_t body_size;
    Buffer request;
    int epoll_fd;
    Client *clients;
    uint64_t begun, ok, reopened, failures[_FAILURE_MAX];
    uint32_t *latencies; /* microseconds */
    size_t n_latencies, room_latencies;
    uint64_t start_usec, end_usec;
    bool over; /* no new requests */
} Load;

static int build_request(Load *l)
{
    _cleanup_free_ char *body = malloc(l->body_size + 1);
    char length[24];
    const char *pairs[] = {"GATEWAY_INTERFACE",
                           "CGI/1.1",
                           "SERVER_SOFTWARE",
                           "fpmd-load",
                           "SERVER_PROTOCOL",
                           "HTTP/1.1",
                           "SERVER_NAME",
                           "localhost",
                           "SERVER_PORT",
                           "80",
                           "REMOTE_ADDR",
                           "127.0.0.1",
                           "REMOTE_PORT",
                           "1",
                           "SERVER_ADDR",
                           "127.0.0.1",
                           "REQUEST_METHOD",
                           l->body_size > 0 ? "POST" : "GET",
                           "QUERY_STRING",
                           "",
                           "REQUEST_URI",
                           l->uri,
                           "SCRIPT_NAME",
                           l->uri,
                           "SCRIPT_FILENAME",
                           l->script,
                           "DOCUMENT_ROOT",
                           "/",
                           "CONTENT_TYPE",
                           l->body_size > 0 ? "application/octet-stream" : "",
                           "CONTENT_LENGTH",
                           length,
                           "HTTP_HOST",
                           "localhost",
                           NULL};
    int r;

    if (!body)
        return -ENOMEM;
    memset(body, 'x', l->body_size);
    snprintf(length, sizeof(length), "%llu", (unsigned long long)l->body_size);
    r = fcgi_client_begin(&l->request, 1, FCGI_RESPONDER, l->keep ? FCGI_KEEP_CONN : 0);
    if (r >= 0)
        r = fcgi_client_params(&l->request, 1, pairs);
    if (r >= 0)
        r = fcgi_client_stream(&l->request, FCGI_STDIN, 1, body, l->body_size);
    return r < 0 ? r : fcgi_client_stream_end(&l->request, FCGI_STDIN, 1);
}

static void note_latency(Load *l, uint64_t usec)
{
    if (l->n_latencies == l->room_latencies) {
        size_t room = l->room_latencies ? 2 * l->room_latencies : 65536;
        uint32_t *grown = reallocarray(l->latencies, room, sizeof(*grown));

        if (!grown)
            return;
        l->latencies = grown;
        l->room_latencies = room;
    }
    l->latencies[l->n_latencies++] = (uint32_t)MIN(usec, (uint64_t)UINT32_MAX);
}

static void client_close(Client *c)
{
    c->fd = fd_close(c->fd); /* leaves the epoll with it */
    c->writing = false;
    c->reused = false;
}

static void fail(Load *l, Client *c, Failure failure)
{
    l->failures[failure]++;
    client_close(c);
    c->running = false;
}

static void client_watch(Load *l, Client *c, bool writing)
{
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = c};

    if (c->writing == writing)
        return;
    c->writing = writing;
    epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

static void client_send(Load *l, Client *c);

/* Opens a connection for the running request. A full queue of a unix socket is EAGAIN: the main
 * loop tries again. */
static void client_open(Load *l, Client *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int fd = address_connect(&l->address, true);

    c->sent = 0;
    c->answered = false;
    fcgi_response_reset(&c->response);
    if (fd == -EAGAIN)
        return;
    if (fd < 0) {
        fail(l, c, fd == -ECONNRESET ? FAILURE_RESET : FAILURE_REFUSED);
        return;
    }
    c->fd = fd;
    c->writing = false;
    epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    client_send(l, c);
}

/* The connection ended. On a kept one that is no fault of the server's unless an answer had begun.
 */
static void on_lost(Load *l, Client *c, Failure failure)
{
    if (c->reused && !c->answered) {
        l->reopened++;
        client_close(c);
        client_open(l, c);
        return;
    }
    fail(l, c, failure);
}

static void client_send(Load *l, Client *c)
{
    while (c->sent < l->request.size) {
        ssize_t n = send(c->fd, l->request.data + c->sent, l->request.size - c->sent, MSG_NOSIGNAL);

        if (n >= 0) {
            c->sent += (size_t)n;
            continue;
        }
        if (errno == EAGAIN || errno == ENOTCONN) {
            client_watch(l, c, true);
            return;
        }
        if (errno == ECONNREFUSED)
            fail(l, c, FAILURE_REFUSED);
        else if (errno == EPIPE && c->sent > 0)
            c->sent = l->request.size; /* an early answer may be there to be read */
        else
            on_lost(l, c, FAILURE_RESET);
        if (!c->running || c->fd < 0)
            return;
        break;
    }
    client_watch(l, c, false);
}

static void client_start(Load *l, Client *c, uint64_t now_usec)
{
    l->begun++;
    c->running = true;
    c->started_usec = now_usec;
    if (c->fd < 0) {
        client_open(l, c);
        return;
    }
    c->reused = true;
    c->sent = 0;
    c->answered = false;
    fcgi_response_reset(&c->response);
    client_send(l, c);
}

static bool body_is_right(const Load *l, const FcgiResponse *r)
{
    const char *end;

    if (!l->expect)
        return true;
    end = memmem(r->out.data ? r->out.data : "", r->out.size, "\r\n\r\n", 4);
    if (!end)
        return false;
    end += 4;
    return (size_t)(r->out.data + r->out.size - end) == strlen(l->expect) &&
           memcmp(end, l->expect, strlen(l->expect)) == 0;
}

static void on_answer(Load *l, Client *c)
{
    if (c->response.protocol_status != FCGI_REQUEST_COMPLETE) {
        fail(l, c, FAILURE_PROTOCOL);
        return;
    }
    if (!body_is_right(l, &c->response)) {
        fail(l, c, FAILURE_WRONG_BODY);
        return;
    }
    l->ok++;
    note_latency(l, clock_monotonic_usec() - c->started_usec);
    c->running = false;
    if (!l->keep)
        client_close(c);
}

static void on_readable(Load *l, Client *c)
{
    uint8_t data[65536];
    size_t used = 0;
    ssize_t n = recv(c->fd, data, sizeof(data), 0);
    int r;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (!c->running) { /* a kept connection at rest was closed */
        client_close(c);
        return;
    }
    if (n < 0 && errno == ECONNREFUSED) {
        fail(l, c, FAILURE_REFUSED);
        return;
    }
    if (n <= 0) {
        on_lost(l, c, n < 0 ? FAILURE_RESET : FAILURE_EOF_BEFORE_END);
        return;
    }
    c->answered = true;
    r = fcgi_response_push(&c->response, data, (size_t)n, &used);
    if (r < 0 || (r > 0 && used != (size_t)n))
        fail(l, c, FAILURE_PROTOCOL);
    else if (r > 0)
        on_answer(l, c);
}

/* Starts what may start, tries again what found a full queue. Returns how many requests run. */
static unsigned pump(Load *l, bool *ret_retry)
{
    uint64_t now_usec = clock_monotonic_usec();
    unsigned running = 0;

    *ret_retry = false;
    if (now_usec >= l->end_usec || (l->max_requests > 0 && l->begun >= l->max_requests))
        l->over = true;
    for (unsigned i = 0; i < l->n_clients; i++) {
        Client *c = &l->clients[i];

        if (c->running && now_usec - c->started_usec > l->timeout_usec)
            fail(l, c, FAILURE_TIMEOUT);
        if (c->running && c->fd < 0)
            client_open(l, c);
        else if (!c->running && !l->over)
            client_start(l, c, now_usec);
        if (l->max_requests > 0 && l->begun >= l->max_requests)
            l->over = true;
        if (c->running)
            running++;
        if (!c->running || c->fd < 0)
            *ret_retry = true;
    }
    return running;
}

static void run(Load *l)
{
    struct epoll_event events[256];
    bool retry;

    l->start_usec = clock_monotonic_usec();
    l->end_usec = l->duration_usec > 0 ? l->start_usec + l->duration_usec : USEC_INFINITY;
    for (;;) {
        unsigned running = pump(l, &retry);
        int n;

        if (l->over && running == 0)
            break;
        n = epoll_wait(l->epoll_fd, events, ARRAY_SIZE(events), retry ? 1 : 100);
        for (int i = 0; i < n; i++) {
            Client *c = events[i].data.ptr;

            if (c->fd >= 0 && (events[i].events & EPOLLOUT) && c->running)
                client_send(l, c);
            if (c->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                on_readable(l, c);
        }
    }
    l->end_usec = clock_monotonic_usec();
}

static int compare_latencies(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static unsigned percentile(const Load *l, unsigned percent)
{
    return l->n_latencies > 0 ? l->latencies[(l->n_latencies - 1) * percent / 100] : 0;
}

static uint64_t print_result(Load *l)
{
    double seconds = (double)(l->end_usec - l->start_usec) / (double)USEC_PER_SEC;
    uint64_t failed = 0;

    if (l->n_latencies > 0)
        qsort(l->latencies, l->n_latencies, sizeof(*l->latencies), compare_latencies);
    for (unsigned i = 0; i < _FAILURE_MAX; i++)
        failed += l->failures[i];
    printf("{\"ok\":%llu,\"failed\":%llu", (unsigned long long)l->ok, (unsigned long long)failed);
    for (unsigned i = 0; i < _FAILURE_MAX; i++)
        printf(",\"%s\":%llu", failure_names[i], (unsigned long long)l->failures[i]);
    printf(",\"reopened\":%llu,\"seconds\":%.3f,\"rps\":%.1f", (unsigned long long)l->reopened,
           seconds, (double)l->ok / seconds);
    printf(",\"p50_usec\":%u,\"p90_usec\":%u,\"p99_usec\":%u,\"max_usec\":%u}\n", percentile(l, 50),
           percentile(l, 90), percentile(l, 99), percentile(l, 100));
    return failed;
}

static void usage(void)
{
    fputs("usage: fpmd-load [options] SOCKET-PATH|HOST:PORT\n"
          "  -c N      clients at a time (1)\n"
          "  -d TIME   duration: 5s, 500ms (2s, unless -n)\n"
          "  -n N      number of requests instead\n"
          "  -k        kept-alive connections\n"
          "  -s PATH   SCRIPT_FILENAME\n"
          "  -u URI    REQUEST_URI and SCRIPT_NAME (/index.php)\n"
          "  -b SIZE   bytes of the request body (0)\n"
          "  -e TEXT   the body that every answer must have\n"
          "  -t TIME   time limit of one request (30s)\n",
          stderr);
    exit(64);
}

static void parse_options(Load *l, int argc, char **argv)
{
    uint64_t n_clients = 1;
    int option, r = 0;

    while (r == 0 && (option = getopt(argc, argv, "c:d:n:ks:u:b:e:t:")) >= 0) {
        switch (option) {
        case 'c':
            r = parse_u64(optarg, 1, 100000, &n_clients);
            break;
        case 'd':
            r = parse_usec(optarg, &l->duration_usec);
            break;
        case 'n':
            r = parse_u64(optarg, 1, UINT64_MAX, &l->max_requests);
            break;
        case 'k':
            l->keep = true;
            break;
        case 's':
            l->script = optarg;
            break;
        case 'u':
            l->uri = optarg;
            break;
        case 'b':
            r = parse_size(optarg, &l->body_size);
            break;
        case 'e':
            l->expect = optarg;
            break;
        case 't':
            r = parse_usec(optarg, &l->timeout_usec);
            break;
        default:
            usage();
        }
    }
    if (r < 0 || optind + 1 != argc || address_parse(argv[optind], &l->address) < 0)
        usage();
    l->n_clients = (unsigned)n_clients;
    if (l->duration_usec == 0 && l->max_requests == 0)
        l->duration_usec = 2 * USEC_PER_SEC;
}

int main(int argc, char **argv)
{
    Load l = {.script = "/index.php", .uri = "/index.php", .timeout_usec = 30 * USEC_PER_SEC};
    uint64_t failed;

    parse_options(&l, argc, argv);
    l.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l.clients = calloc(l.n_clients, sizeof(*l.clients));
    if (l.epoll_fd < 0 || !l.clients || build_request(&l) < 0) {
        fputs("fpmd-load: not enough memory\n", stderr);
        return 1;
    }
    for (unsigned i = 0; i < l.n_clients; i++)
        l.clients[i].fd = -1;
    run(&l);
    failed = print_result(&l);
    for (unsigned i = 0; i < l.n_clients; i++) {
        client_close(&l.clients[i]);
        fcgi_response_done(&l.clients[i].response);
    }
    free(l.clients);
    free(l.latencies);
    buffer_done(&l.request);
    fd_close(l.epoll_fd);
    return failed > 0;
}
