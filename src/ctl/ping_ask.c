#include "ctl/ping.h"

#include "base/clock.h"
#include "base/fd.h"
#include "fcgi/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_ID 1
#define ANSWER_MAX (1024 * 1024)

void ping_result_done(PingResult *result)
{
    buffer_done(&result->body);
}

/* Waits until the deadline. 0 or -errno. */
static int wait_for(int fd, short events, uint64_t deadline_usec)
{
    struct pollfd p = {.fd = fd, .events = events};
    uint64_t now = clock_monotonic_usec();
    int n = 0;

    if (now < deadline_usec)
        n = poll(&p, 1, (int)MIN((deadline_usec - now + 999) / 1000, (uint64_t)INT32_MAX));
    if (n < 0 && errno == EINTR)
        return wait_for(fd, events, deadline_usec);
    return n > 0 ? 0 : n < 0 ? -errno : -ETIMEDOUT;
}

/* A full queue of a unix socket cannot be waited for by poll(2). */
static int connect_to(const struct sockaddr *address, socklen_t size, uint64_t deadline_usec)
{
    _cleanup_fd_ int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = 0, r;

    if (fd < 0)
        return -errno;
    while (connect(fd, address, size) < 0) {
        if (errno == EINPROGRESS) {
            r = wait_for(fd, POLLOUT, deadline_usec);
            if (r == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)}))
                r = -errno;
            if (r < 0 || error)
                return r < 0 ? r : -error;
            break;
        }
        if (errno != EAGAIN)
            return -errno;
        if (clock_monotonic_usec() >= deadline_usec)
            return -ETIMEDOUT;
        usleep(10 * USEC_PER_MSEC);
    }
    return TAKE_FD(fd);
}

static int connect_unix(const char *path, uint64_t deadline_usec)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    return connect_to((const struct sockaddr *)&address, sizeof(address), deadline_usec);
}

/* All addresses of the machine, of one kind or of both: then it is its own. */
static const char *host_of(const ListenAddress *a)
{
    static const uint8_t zero[16];

    if (!a->host || (a->is_numeric && memcmp(a->address, zero, sizeof(zero)) == 0))
        return NULL;
    return strcmp(a->host, "0.0.0.0") == 0 ? "127.0.0.1" : a->host;
}

static int connect_inet(const ListenAddress *a, uint64_t deadline_usec)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char port[8];
    int fd = -EADDRNOTAVAIL;

    snprintf(port, sizeof(port), "%u", (unsigned)a->port);
    if (getaddrinfo(host_of(a), port, &hints, &list) != 0)
        return -EADDRNOTAVAIL;
    for (const struct addrinfo *i = list; i && fd < 0; i = i->ai_next)
        fd = connect_to(i->ai_addr, i->ai_addrlen, deadline_usec);
    freeaddrinfo(list);
    return fd;
}

static int write_request(Buffer *b, const char *uri)
{
    const char *const pairs[] = {"REQUEST_METHOD",
                                 "GET",
                                 "SCRIPT_NAME",
                                 uri,
                                 "REQUEST_URI",
                                 uri,
                                 "SCRIPT_FILENAME",
                                 uri,
                                 "QUERY_STRING",
                                 "",
                                 "SERVER_PROTOCOL",
                                 "HTTP/1.1",
                                 "REMOTE_ADDR",
                                 "127.0.0.1",
                                 "SERVER_NAME",
                                 "localhost",
                                 "SERVER_SOFTWARE",
                                 "fpmctl/" FPMD_VERSION,
                                 NULL};
    int r = fcgi_client_begin(b, REQUEST_ID, FCGI_RESPONDER, 0);

    if (r == 0)
        r = fcgi_client_params(b, REQUEST_ID, pairs);
    return r < 0 ? r : fcgi_client_stream_end(b, FCGI_STDIN, REQUEST_ID);
}

/* FastCGI 1.0, section 4.1. */
static int write_question(Buffer *b)
{
    static const char name[] = "FCGI_MPXS_CONNS";
    uint8_t pair[64];
    size_t n = (size_t)(fcgi_put_pair(pair, name, strlen(name), "", 0) - pair);

    return fcgi_client_stream(b, FCGI_GET_VALUES, FCGI_NULL_REQUEST_ID, pair, n);
}

static int send_all(int fd, const Buffer *b, uint64_t deadline_usec)
{
    for (size_t done = 0; done < b->size;) {
        ssize_t n = send(fd, b->data + done, b->size - done, MSG_NOSIGNAL);
        int r;

        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN) {
            r = wait_for(fd, POLLOUT, deadline_usec);
            if (r < 0)
                return r;
        } else if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/* More bytes. -ECONNRESET at the end of the stream. */
static ssize_t receive(int fd, void *data, size_t n, uint64_t deadline_usec)
{
    for (;;) {
        ssize_t got = recv(fd, data, n, 0);
        int r;

        if (got != 0 && (got > 0 || (errno != EAGAIN && errno != EINTR)))
            return got > 0 ? got : -errno;
        if (got == 0)
            return -ECONNRESET;
        r = wait_for(fd, POLLIN, deadline_usec);
        if (r < 0)
            return r;
    }
}

/* The status and the body of an answer in the form of CGI (RFC 3875, section 6). */
static int take_answer(const Buffer *out, PingResult *ret)
{
    static const char status[] = "Status:";
    static const char gap[] = "\r\n\r\n";
    const char *text = out->data, *end;
    size_t head, begin;

    end = text ? memmem(text, out->size, gap, strlen(gap)) : NULL;
    if (!end)
        return -EBADMSG;
    head = (size_t)(end - text);
    ret->status = 200;
    for (const char *p = text; p && p < end; p = memchr(p, '\n', head - (size_t)(p - text))) {
        p += *p == '\n';
        if (strncasecmp(p, status, strlen(status)) == 0)
            ret->status = (unsigned)strtoul(p + strlen(status), NULL, 10);
    }
    begin = head + strlen(gap);
    return buffer_append(&ret->body, text + begin, out->size - begin);
}

static int receive_answer(int fd, uint64_t deadline_usec, PingResult *ret)
{
    FcgiResponse response = {0};
    uint8_t data[4096];
    size_t used;
    int r = 0;

    while (r == 0) {
        ssize_t n = receive(fd, data, sizeof(data), deadline_usec);

        r = n < 0 ? (int)n : fcgi_response_push(&response, data, (size_t)n, &used);
        if (r == 0 && response.out.size > ANSWER_MAX)
            r = -EMSGSIZE;
    }
    if (r == 1)
        r = take_answer(&response.out, ret);
    fcgi_response_done(&response);
    return r;
}

/* The values are of no interest. */
static int receive_values(int fd, uint64_t deadline_usec, PingResult *ret)
{
    uint8_t header[FCGI_HEADER_SIZE];

    for (size_t got = 0; got < sizeof(header);) {
        ssize_t n = receive(fd, header + got, sizeof(header) - got, deadline_usec);

        if (n < 0)
            return (int)n;
        got += (size_t)n;
    }
    if (header[0] != FCGI_VERSION || header[1] != FCGI_GET_VALUES_RESULT)
        return -EBADMSG;
    ret->status = 200;
    return 0;
}

int ping_ask(const ListenAddress *address, const PingQuestion *q, PingResult *ret)
{
    uint64_t begin = clock_monotonic_usec(), deadline = begin + q->timeout_usec;
    _cleanup_buffer_ Buffer b = {0};
    _cleanup_fd_ int fd = address->kind == LISTEN_UNIX ? connect_unix(address->path, deadline)
                                                       : connect_inet(address, deadline);
    int r = fd < 0 ? fd : q->uri ? write_request(&b, q->uri) : write_question(&b);

    if (r == 0)
        r = send_all(fd, &b, deadline);
    if (r == 0)
        r = q->uri ? receive_answer(fd, deadline, ret) : receive_values(fd, deadline, ret);
    ret->usec = clock_monotonic_usec() - begin;
    return r;
}
