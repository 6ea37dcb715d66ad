#include "runtime/connection_private.h"

#include "base/fd.h"
#include "runtime/canned.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* Room that one large head has blown up is not kept for the small ones. */
#define SPARE_ARENA_MAX (64 * 1024)
#define SPARE_ITEMS_MAX 1024

ConnectionShared *connection_shared_new(BoardSlot *slot, unsigned max_connections,
                                        unsigned max_requests)
{
    /* Pages of its buffers that are never used are none, as calloc(3) may have it or not. */
    ConnectionShared *s =
        mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (s == MAP_FAILED)
        return NULL;
    s->slot = slot;
    s->max_connections = max_connections;
    s->max_requests = max_requests;
    s->request.shared = s;
    output_reset(&s->output);
    canned_init();
    return s;
}

ConnectionShared *connection_shared_free(ConnectionShared *s)
{
    if (!s)
        return NULL;
    fcgi_params_done(&s->spare);
    free(s->spare_connection);
    buffer_done(&s->headers);
    munmap(s, sizeof(*s));
    return NULL;
}

void connection_shared_set_read_timeout(ConnectionShared *s, uint64_t timeout_usec)
{
    s->read_timeout_usec = timeout_usec;
}

void connection_shared_limit_params(ConnectionShared *s, uint32_t bytes, uint32_t n)
{
    s->max_params_bytes = bytes;
    s->max_params = n;
}

void connection_shared_keep_notes(ConnectionShared *s, bool headers)
{
    s->keeps_notes = true;
    s->keeps_headers = headers;
}

void connection_shared_count_accepted(ConnectionShared *s)
{
    s->accepted++;
}

void connection_shared_disown(ConnectionShared *s)
{
    static BoardSlot nobodys;

    canned_end();
    s->slot = &nobodys;
    s->request.gone = true;
}

uint32_t connection_resting_state(const ConnectionShared *s)
{
    return s->n_reading > 0 ? WORKER_STATE_READING : WORKER_STATE_IDLE;
}

void connection_set_reading(Connection *c, bool on)
{
    if (c->reading == on)
        return;
    c->reading = on;
    if (on)
        c->shared->n_reading++;
    else
        c->shared->n_reading--;
}

Connection *connection_new(ConnectionShared *shared, int fd, uint64_t now_usec)
{
    Connection *c = shared->spare_connection ?: malloc(sizeof(*c));

    shared->spare_connection = NULL;
    if (!c) {
        fd_close(fd);
        return NULL;
    }
    *c = (Connection){.shared = shared, .fd = fd, .last_active_usec = now_usec};
    fcgi_parser_init(&c->parser);
    board_begin(shared->slot);
    shared->slot->connections++;
    shared->slot->accepted = shared->accepted;
    board_commit(shared->slot);
    return c;
}

void connection_give_back_params(Connection *c)
{
    FcgiParams *spare = &c->shared->spare;

    if (!spare->items && c->params.items && c->params.arena_room <= SPARE_ARENA_MAX &&
        c->params.room <= SPARE_ITEMS_MAX) {
        fcgi_params_clear(&c->params);
        *spare = c->params;
        c->params = (FcgiParams){0};
    }
    fcgi_params_done(&c->params);
    if (c->shared->input_owner == c)
        c->shared->head_size = 0;
}

Connection *connection_free(Connection *c)
{
    ConnectionShared *s;

    if (!c)
        return NULL;
    s = c->shared;
    if (s->input_owner == c)
        s->input_owner = NULL;
    connection_give_back_params(c);
    fcgi_params_done(&c->values);
    buffer_done(&c->stash);
    fd_close(c->fd);
    board_begin(s->slot);
    s->slot->connections--;
    if (c->reading) {
        connection_set_reading(c, false);
        if (s->slot->state == WORKER_STATE_READING)
            s->slot->state = connection_resting_state(s);
    }
    board_commit(s->slot);
    if (s->spare_connection)
        free(c);
    else
        s->spare_connection = c;
    return NULL;
}

int connection_fd(const Connection *c)
{
    return c->fd;
}

void connection_mark_served(Connection *c)
{
    c->served = true;
}

void connection_claim_input(Connection *c)
{
    ConnectionShared *s = c->shared;
    Connection *owner = s->input_owner;

    if (owner == c)
        return;
    if (owner &&
        ((s->input_pos < s->input_end &&
          buffer_append(&owner->stash, s->input + s->input_pos, s->input_end - s->input_pos) < 0) ||
         fcgi_params_keep(&owner->params) < 0))
        owner->parser.error = "no memory for its bytes";
    s->input_owner = c;
    s->head_size = 0;
    s->input_pos = 0;
    s->input_end = c->stash.size;
    if (c->stash.size > 0)
        memcpy(s->input, c->stash.data, c->stash.size);
    buffer_done(&c->stash);
}

ssize_t connection_fill(Connection *c, int flags)
{
    ConnectionShared *s = c->shared;
    ssize_t n;

    do
        n = recv(c->fd, s->input + s->head_size, sizeof(s->input) - s->head_size, flags);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    s->input_pos = s->head_size;
    s->input_end = s->head_size + (size_t)n;
    return n;
}

int connection_fail(Connection *c, const char *error)
{
    BoardSlot *slot = c->shared->slot;

    if (c->error)
        return -EBADMSG;
    c->error = error;
    board_begin(slot);
    slot->protocol_errors++;
    board_commit(slot);
    return -EBADMSG;
}

int connection_next_event(Connection *c, FcgiEvent *ret_event)
{
    ConnectionShared *s = c->shared;
    size_t used = 0;
    int r = fcgi_parser_next(&c->parser, s->input + s->input_pos, s->input_end - s->input_pos,
                             &used, ret_event);

    if (r < 0)
        return connection_fail(c, c->parser.error);
    s->input_pos += used;
    return 0;
}

bool connection_is_idle(const Connection *c)
{
    return fcgi_parser_is_idle(&c->parser) && !c->lingering && !c->head_ready;
}

bool connection_has_served(const Connection *c)
{
    return c->served;
}

bool connection_is_gone(const Connection *c)
{
    struct pollfd p = {.fd = c->fd};

    /* A half-closed one (POLLRDHUP) may wait for its answer. */
    return poll(&p, 1, 0) > 0 && p.revents & POLLHUP;
}

uint64_t connection_last_active_usec(const Connection *c)
{
    return c->last_active_usec;
}

const char *connection_error(const Connection *c)
{
    return c->error;
}
