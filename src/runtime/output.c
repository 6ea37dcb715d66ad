#include "runtime/connection_private.h"

#include "runtime/canned.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* A multiple of eight below FCGI_MAX_CONTENT, which keeps the peer aligned (section 3.3). */
#define DIRECT_RECORD_MAX   65528
#define DIRECT_RECORD_BATCH 32 /* records of one sendmsg(2): 2 MiB */

void output_reset(Output *o)
{
    o->used = 0;
    o->open = OUTPUT_NONE_OPEN;
}

/* Ends the record that grows: only now its size is known. */
static void close_record(Output *o)
{
    size_t content;

    if (o->open == OUTPUT_NONE_OPEN)
        return;
    content = o->used - o->open - FCGI_HEADER_SIZE;
    o->data[o->open + 4] = (uint8_t)(content >> 8);
    o->data[o->open + 5] = (uint8_t)content;
    o->open = OUTPUT_NONE_OPEN;
}

static int send_all(int fd, int flags, struct iovec *v, size_t n)
{
    struct msghdr message = {.msg_iov = v, .msg_iovlen = n};

    while (message.msg_iovlen > 0) {
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | flags);

        if (sent < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        while (message.msg_iovlen > 0 && (size_t)sent >= message.msg_iov->iov_len) {
            sent -= (ssize_t)message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen > 0) {
            message.msg_iov->iov_base = (uint8_t *)message.msg_iov->iov_base + sent;
            message.msg_iov->iov_len -= (size_t)sent;
        }
    }
    return 0;
}

int output_flush(Output *o, int fd, int flags)
{
    size_t done = 0;
    int r = 0;

    if (o->used > 0 && !canned_speak())
        r = -EPIPE;
    close_record(o);
    while (done < o->used && r == 0) {
        ssize_t sent = send(fd, o->data + done, o->used - done, MSG_NOSIGNAL | flags);

        if (sent >= 0)
            done += (size_t)sent;
        else if (errno != EINTR)
            r = -errno;
    }
    output_reset(o);
    return r;
}

/* What is buffered and then the caller's bytes, from where they are. */
static int send_direct(Output *o, int fd, unsigned type, unsigned request_id, const uint8_t *data,
                       size_t n)
{
    uint8_t headers[DIRECT_RECORD_BATCH][FCGI_HEADER_SIZE];
    struct iovec v[1 + 2 * DIRECT_RECORD_BATCH];

    if (!canned_speak())
        return -EPIPE;
    close_record(o);
    while (n > 0) {
        size_t n_v = 0;
        int r;

        if (o->used > 0)
            v[n_v++] = (struct iovec){o->data, o->used};
        for (size_t i = 0; i < DIRECT_RECORD_BATCH && n > 0; i++) {
            size_t k = MIN(n, (size_t)DIRECT_RECORD_MAX);

            fcgi_put_header(headers[i], type, request_id, k, 0);
            v[n_v++] = (struct iovec){headers[i], FCGI_HEADER_SIZE};
            v[n_v++] = (struct iovec){(void *)(uintptr_t)data, k};
            data += k;
            n -= k;
        }
        output_reset(o);
        r = send_all(fd, 0, v, n_v);
        if (r < 0)
            return r;
    }
    return 0;
}

int output_stream(Output *o, int fd, unsigned type, unsigned request_id, const void *data, size_t n)
{
    bool opens = o->open == OUTPUT_NONE_OPEN || o->open_type != type;
    size_t room = sizeof(o->data) - OUTPUT_TAIL - o->used;
    size_t header = opens ? FCGI_HEADER_SIZE : 0;

    if (room < header || room - header < n)
        return send_direct(o, fd, type, request_id, data, n);
    if (opens) {
        close_record(o);
        fcgi_put_header(o->data + o->used, type, request_id, 0, 0);
        o->open = o->used;
        o->open_type = type;
        o->used += FCGI_HEADER_SIZE;
    }
    memcpy(o->data + o->used, data, n);
    o->used += n;
    return 0;
}

void output_tail(Output *o, const uint8_t *records, size_t n)
{
    close_record(o);
    memcpy(o->data + o->used, records, n);
    o->used += n;
}

int output_record(Output *o, int fd, int flags, const uint8_t *record, size_t n)
{
    if (sizeof(o->data) - OUTPUT_TAIL - o->used < n) {
        int r = output_flush(o, fd, flags);

        if (r < 0)
            return r;
    }
    output_tail(o, record, n);
    return 0;
}
