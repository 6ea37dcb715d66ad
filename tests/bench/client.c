#include "client.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>

#define RETRY_USEC     (USEC_PER_MSEC)
#define ABORT_MAX_USEC (20 * USEC_PER_MSEC)

/* xorshift64*, so that a seed says everything. */
static uint64_t draw(Client *c, uint64_t max)
{
    c->random ^= c->random >> 12;
    c->random ^= c->random << 25;
    c->random ^= c->random >> 27;
    return (c->random * UINT64_C(0x2545f4914f6cdd1d) >> 16) % (max + 1);
}

static uint64_t draw_pause(Client *c)
{
    const ClientRules *rules = c->rules;

    if (rules->pause_max_usec == 0)
        return 0;
    return rules->pause_min_usec + draw(c, rules->pause_max_usec - rules->pause_min_usec);
}

void client_init(Client *c, const ClientRules *rules, Tally *tally, const Address *address,
                 unsigned number, uint64_t now_usec)
{
    *c = (Client){
        .rules = rules,
        .tally = tally,
        .address = address,
        .random = (rules->seed + number + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1,
        .number = number,
        .fd = -1,
    };
    for (unsigned i = 0; i < 8; i++)
        draw(c, 1);
    c->due_usec = now_usec + (rules->pause_max_usec > 0 ? draw(c, rules->pause_max_usec) : 0);
}

static void disconnect(Client *c)
{
    c->fd = fd_close(c->fd); /* leaves the epoll with it */
    c->writing = false;
    c->reused = false;
}

void client_done(Client *c)
{
    disconnect(c);
    buffer_done(&c->request);
    fcgi_response_done(&c->response);
}

/* The request has been counted. */
static void end_request(Client *c, uint64_t now_usec)
{
    c->running = false;
    c->due_usec = now_usec + draw_pause(c);
}

static void fail(Client *c, Failure failure)
{
    const FcgiResponse *r = &c->response;
    uint64_t now_usec = clock_monotonic_usec();

    tally_failure(c->tally, failure, now_usec, c->rules->form.with_ids ? c->id : NULL,
                  r->out.size > 0 ? request_status(r) : 0, r->out.data, r->out.size);
    disconnect(c);
    end_request(c, now_usec);
    c->due_usec = MAX(c->due_usec, now_usec + RETRY_USEC);
}

static void watch(Client *c, bool writing)
{
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = c};

    if (c->writing == writing)
        return;
    c->writing = writing;
    epoll_ctl(c->rules->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

static uint64_t clock_nsec(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 * USEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void begin_sending(Client *c);

/* Opens a connection for the running request. A full queue of a unix socket is EAGAIN:
 * client_tick() tries again. */
static void open_connection(Client *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    uint64_t begin_nsec = clock_nsec();
    int fd = address_connect(c->address, true);

    if (fd == -EAGAIN) {
        c->tally->queue_full++;
        return;
    }
    fcgi_response_reset(&c->response);
    if (fd < 0) {
        fail(c, fd == -ECONNRESET ? FAILURE_CLOSED : FAILURE_REFUSED);
        return;
    }
    tally_connected(c->tally, clock_nsec() - begin_nsec);
    c->fd = fd;
    c->writing = false;
    epoll_ctl(c->rules->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    begin_sending(c);
}

/* The connection ended. On a kept one that may be no fault of the server's. */
static void on_lost(Client *c)
{
    if (c->answered) {
        fail(c, FAILURE_CUT);
        return;
    }
    if (!c->reused || c->reopened || c->rules->strict) {
        fail(c, FAILURE_CLOSED);
        return;
    }
    c->tally->reopened++;
    c->reopened = true;
    disconnect(c);
    open_connection(c);
}

static void send_more(Client *c)
{
    while (c->sent < c->limit) {
        ssize_t n = send(c->fd, c->request.data + c->sent, c->limit - c->sent, MSG_NOSIGNAL);

        if (n >= 0) {
            c->sent += (size_t)n;
            continue;
        }
        if (errno == EAGAIN || errno == ENOTCONN) {
            watch(c, true);
            return;
        }
        if (errno == ECONNREFUSED)
            fail(c, FAILURE_REFUSED);
        else if (errno == EPIPE && c->sent > 0)
            c->sent = c->limit; /* an early answer may be there to be read */
        else
            on_lost(c);
        if (!c->running || c->fd < 0)
            return;
        break;
    }
    watch(c, false);
}

static void begin_sending(Client *c)
{
    c->sent = 0;
    c->answered = false;
    c->dropped = 0;
    fcgi_response_reset(&c->response);
    send_more(c);
}

static void plan_abort(Client *c, uint64_t now_usec)
{
    c->limit = c->request.size;
    c->abort_usec = USEC_INFINITY;
    if (c->rules->abort_permille == 0 || draw(c, 999) >= c->rules->abort_permille)
        return;
    c->abort_usec = now_usec + draw(c, ABORT_MAX_USEC);
    if (draw(c, 1))
        c->limit = (size_t)draw(c, c->request.size);
}

int client_start(Client *c, uint64_t now_usec)
{
    const RequestForm *form = &c->rules->form;
    int r = 0;

    if (form->with_ids || c->request.size == 0) {
        snprintf(c->id, sizeof(c->id), "%04x%04x%08x", (unsigned)c->rules->seed & 0xffffU,
                 c->number & 0xffffU, c->n_requests++);
        c->request.size = 0;
        r = request_build(form, form->with_ids ? c->id : NULL, &c->request);
        now_usec = clock_monotonic_usec(); /* making a large one takes its time */
    }
    if (r < 0)
        return r;
    c->tally->begun++;
    c->running = true;
    c->reopened = false;
    c->started_usec = now_usec;
    plan_abort(c, now_usec);
    if (c->fd < 0) {
        open_connection(c);
        return 0;
    }
    c->reused = true;
    begin_sending(c);
    return 0;
}

uint64_t client_tick(Client *c, uint64_t now_usec)
{
    if (!c->running)
        return c->due_usec;
    if (now_usec >= c->abort_usec) {
        c->tally->aborted++;
        disconnect(c);
        end_request(c, now_usec);
        return c->due_usec;
    }
    if (now_usec >= c->started_usec + c->rules->timeout_usec)
        fail(c, FAILURE_TIMEOUT);
    else if (c->fd < 0)
        open_connection(c);
    if (!c->running)
        return c->due_usec;
    if (c->fd < 0)
        return now_usec + RETRY_USEC;
    return MIN(c->abort_usec, c->started_usec + c->rules->timeout_usec);
}

static void on_answer(Client *c)
{
    const RequestForm *form = &c->rules->form;
    uint64_t now_usec = clock_monotonic_usec();

    if (c->response.protocol_status != FCGI_REQUEST_COMPLETE) {
        fail(c, FAILURE_PROTOCOL);
        return;
    }
    if (request_status(&c->response) != 200) {
        fail(c, FAILURE_STATUS);
        return;
    }
    if (!request_answer_is_right(form, form->with_ids ? c->id : NULL, &c->response, c->dropped)) {
        fail(c, FAILURE_WRONG);
        return;
    }
    tally_ok(c->tally, c->started_usec, now_usec);
    if (!form->keep || c->limit < c->request.size)
        disconnect(c);
    end_request(c, now_usec);
}

/* The server did something on a kept connection between two requests. */
static void on_rest_ended(Client *c, ssize_t n)
{
    if (n > 0)
        c->tally->stray++;
    else
        c->tally->closed_idle++;
    disconnect(c);
}

static void on_readable(Client *c)
{
    static uint8_t data[262144];
    size_t used = 0;
    ssize_t n = recv(c->fd, data, sizeof(data), 0);
    int r;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (!c->running) {
        on_rest_ended(c, n);
        return;
    }
    if (n < 0 && errno == ECONNREFUSED) {
        fail(c, FAILURE_REFUSED);
        return;
    }
    if (n <= 0) {
        on_lost(c);
        return;
    }
    c->answered = true;
    r = fcgi_response_push(&c->response, data, (size_t)n, &used);
    request_drop_body(&c->rules->form, &c->response, &c->dropped);
    if (r < 0 || (r > 0 && used != (size_t)n))
        fail(c, FAILURE_PROTOCOL);
    else if (r > 0)
        on_answer(c);
}

void client_on_events(Client *c, uint32_t events)
{
    if (c->fd >= 0 && (events & EPOLLOUT) && c->running)
        send_more(c);
    if (c->fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        on_readable(c);
}
