#include "runtime/connection_private.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static void keep(const Request *r, char **field, const char *text)
{
    if (!r->shared->keeps_notes)
        return;
    free(*field);
    *field = text ? strdup(text) : NULL; /* without memory the record does without, too */
}

void request_note_script(Request *r, const char *script)
{
    BoardSlot *slot = r->shared->slot;

    keep(r, &r->script, script);
    board_begin(slot);
    board_set_text(slot->script, sizeof(slot->script), script, script ? strlen(script) : 0);
    board_commit(slot);
}

void request_note_name(Request *r, const char *name, const char *user)
{
    BoardSlot *slot = r->shared->slot;

    keep(r, &r->name, name);
    keep(r, &r->user, user);
    board_begin(slot);
    board_set_text(slot->name, sizeof(slot->name), name, name ? strlen(name) : 0);
    board_set_text(slot->user, sizeof(slot->user), user, user ? strlen(user) : 0);
    board_commit(slot);
}

void request_note_use(Request *r, uint64_t cpu_usec, uint64_t memory_peak_bytes)
{
    r->cpu_usec = cpu_usec;
    r->memory_peak_bytes = memory_peak_bytes;
}

void request_note_ping(Request *r)
{
    BoardSlot *slot = r->shared->slot;

    board_begin(slot);
    slot->pings++;
    board_commit(slot);
}

void request_note_status(Request *r, unsigned http_status)
{
    r->status = http_status;
}

void request_note_stopped(Request *r)
{
    r->stopped = true;
}

void request_note_header(Request *r, const char *line, size_t n)
{
    Buffer *headers = &r->shared->headers;

    if (!r->shared->keeps_headers || buffer_reserve(headers, n + 1) < 0)
        return;
    buffer_append(headers, line, n);
    buffer_append(headers, "", 1);
}

void request_note_opcache(Request *r, const BoardOpcache *opcache)
{
    BoardSlot *slot = r->shared->slot;

    board_begin(slot);
    slot->opcache = *opcache;
    board_commit(slot);
}

void request_forget_notes(Request *r)
{
    free(r->script);
    free(r->name);
    free(r->user);
    r->script = r->name = r->user = NULL;
    r->shared->headers.size = 0;
}

/* ---- for records ---- */

/* As PHP-FPM writes it: an IPv4 client of an IPv6 listener is "::ffff:192.0.2.1". */
static const char *remote_of(Connection *c)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_storage storage;
    } peer = {0};
    socklen_t size = sizeof(peer);

    if (!c->knows_remote && getpeername(c->fd, &peer.any, &size) == 0) {
        if (peer.any.sa_family == AF_INET)
            inet_ntop(AF_INET, &peer.in.sin_addr, c->remote, sizeof(c->remote));
        else if (peer.any.sa_family == AF_INET6)
            inet_ntop(AF_INET6, &peer.in6.sin6_addr, c->remote, sizeof(c->remote));
    }
    c->knows_remote = true;
    return c->remote[0] ? c->remote : NULL;
}

void request_facts(const Request *r, bool remote, RequestFacts *ret)
{
    *ret = (RequestFacts){
        .script = r->script,
        .name = r->name,
        .user = r->user,
        .remote = remote ? remote_of(r->connection) : NULL,
        .status = r->status,
        .stopped = r->stopped,
        .begun_usec = r->begun_usec,
        .bytes_out = r->body_out,
        .cpu_usec = r->cpu_usec,
        .memory_peak_bytes = r->memory_peak_bytes,
    };
}

const char *request_header(const Request *r, const char *name)
{
    const Buffer *headers = &r->shared->headers;
    size_t n = strlen(name);

    for (size_t at = 0; at < headers->size; at += strlen(headers->data + at) + 1) {
        const char *line = headers->data + at;

        if (strncasecmp(line, name, n) == 0 && line[n] == ':')
            return line + n + 1 + strspn(line + n + 1, " ");
    }
    return NULL;
}

int request_read_slot(const Request *r, uint64_t now_usec, BoardSlot *ret)
{
    return board_read(r->shared->slot, now_usec, ret);
}
