#pragma once

/*
 * Both ends of one connection, for tests of what a worker does with it.
 */

#include "base/buffer.h"
#include "fcgi/client.h"
#include "runtime/connection.h"

#include <check.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct Pair {
    BoardSlot slot;
    ConnectionShared *shared;
    Connection *c;
    int peer;
} Pair;

static inline void pair_open(Pair *p)
{
    int fds[2];

    *p = (Pair){0};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    p->shared = connection_shared_new(&p->slot, 8, 1);
    p->c = connection_new(p->shared, fds[0], 1000);
    p->peer = fds[1];
}

static inline void pair_close(Pair *p)
{
    p->c = connection_free(p->c);
    ck_assert_uint_eq(p->slot.connections, 0);
    p->shared = connection_shared_free(p->shared);
    if (p->peer >= 0)
        close(p->peer);
}

static inline void pair_send(const Pair *p, Buffer *b)
{
    ck_assert_int_eq(send(p->peer, b->data, b->size, MSG_NOSIGNAL), (ssize_t)b->size);
    buffer_done(b);
}

/* The head of a request, and the beginning of its body. */
static inline void pair_send_head(const Pair *p, unsigned id, unsigned flags, const char *body)
{
    static const char *const params[] = {"REQUEST_METHOD", "POST", NULL};
    Buffer b = {0};

    fcgi_client_begin(&b, id, FCGI_RESPONDER, flags);
    fcgi_client_params(&b, id, params);
    if (body)
        fcgi_client_stream(&b, FCGI_STDIN, id, body, strlen(body));
    pair_send(p, &b);
}

/* Reads as far as END_REQUEST; every record must be of this request. What there is of STDOUT is in
 * text. */
static inline void pair_read_answer(const Pair *p, unsigned id, char *text, size_t size)
{
    uint8_t header[FCGI_HEADER_SIZE];
    size_t n = 0;

    do {
        size_t content;
        uint8_t bytes[1024];

        ck_assert_int_eq(recv(p->peer, header, sizeof(header), MSG_WAITALL), sizeof(header));
        ck_assert_uint_eq((unsigned)(header[2] << 8 | header[3]), id);
        content = (size_t)(header[4] << 8 | header[5]);
        ck_assert_uint_le(content, sizeof(bytes));
        if (content > 0)
            ck_assert_int_eq(recv(p->peer, bytes, content, MSG_WAITALL), (ssize_t)content);
        if (header[1] == FCGI_STDOUT) {
            ck_assert_uint_lt(n + content, size);
            memcpy(text + n, bytes, content);
            n += content;
        }
    } while (header[1] != FCGI_END_REQUEST);
    text[n] = 0;
}

/* Whether the peer sees the end, and nothing before it. */
static inline bool pair_peer_at_end(const Pair *p)
{
    char byte;

    return recv(p->peer, &byte, 1, MSG_DONTWAIT) == 0;
}
