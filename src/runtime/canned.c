#include "runtime/canned.h"

#include "fcgi/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Records of one answer: content, end of the stream, end of the request. */
#define CANNED_RECORDS 3
#define CANNED_MAX     256
/* Of an exit status, as for a script that failed. */
#define CANNED_APP_STATUS 255
/* 512 KiB: more than a socket holds by default. */
#define CANNED_DRAIN_ROUNDS 128

typedef struct CannedAnswer {
    unsigned http_status;
    const char *text;
    size_t size;
    size_t headers[CANNED_RECORDS]; /* offsets of the records, each has the request id */
    uint8_t bytes[CANNED_MAX];
} CannedAnswer;

static CannedAnswer answers[] = {
    {.http_status = 408, .text = "Request Timeout"},
    {.http_status = 431, .text = "Request Header Fields Too Large"},
    {.http_status = 500, .text = "Internal Server Error"},
    {.http_status = 503, .text = "Service Unavailable"},
    {.http_status = 504, .text = "Gateway Timeout"},
};

typedef enum CannedState {
    CANNED_NONE,   /* no request runs, or it is finished */
    CANNED_SILENT, /* nothing of the answer has been sent */
    CANNED_SPOKEN, /* the request itself writes */
    CANNED_SENT,   /* the canned answer was given */
} CannedState;

/* Read and written by handlers of signals, in the same thread. */
static volatile int state = CANNED_NONE;
static volatile int request_fd = -1;
static volatile unsigned request_id;
static pid_t owner;

static void build(CannedAnswer *a)
{
    char content[CANNED_MAX];
    int n =
        snprintf(content, sizeof(content), "Status: %u %s\r\nContent-Type: text/plain\r\n\r\n%s\n",
                 a->http_status, a->text, a->text);

    a->headers[0] = 0;
    fcgi_put_header(a->bytes, FCGI_STDOUT, 0, (size_t)n, 0);
    memcpy(a->bytes + FCGI_HEADER_SIZE, content, (size_t)n);
    a->headers[1] = FCGI_HEADER_SIZE + (size_t)n;
    fcgi_put_header(a->bytes + a->headers[1], FCGI_STDOUT, 0, 0, 0);
    a->headers[2] = a->headers[1] + FCGI_HEADER_SIZE;
    fcgi_put_end_request(a->bytes + a->headers[2], 0, CANNED_APP_STATUS, FCGI_REQUEST_COMPLETE);
    a->size = a->headers[2] + FCGI_END_REQUEST_SIZE;
}

void canned_init(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        build(&answers[i]);
    state = CANNED_NONE;
    owner = getpid();
}

void canned_begin(int fd, unsigned id)
{
    request_fd = fd;
    request_id = id;
    state = CANNED_SILENT;
}

void canned_end(void)
{
    state = CANNED_NONE;
}

/* One instruction decides who speaks: a signal comes before or after it. */
static bool change(int from, int to)
{
    return __atomic_compare_exchange_n(&state, &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

bool canned_speak(void)
{
    if (state == CANNED_SILENT)
        change(CANNED_SILENT, CANNED_SPOKEN);
    return state != CANNED_SENT;
}

bool canned_is_possible(void)
{
    return state == CANNED_SILENT;
}

/* The close(2) of a socket with unread bytes can reset the connection before the peer has read. */
static void throw_away(int fd)
{
    char bytes[4096];

    for (unsigned i = 0; i < CANNED_DRAIN_ROUNDS; i++)
        if (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0)
            return;
}

static const CannedAnswer *find(unsigned http_status)
{
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        if (answers[i].http_status == http_status)
            return &answers[i];
    return NULL;
}

int canned_send_to(int fd, unsigned id, unsigned http_status)
{
    const CannedAnswer *a = find(http_status);
    uint8_t bytes[CANNED_MAX];
    int saved = errno, r = 0;
    ssize_t sent;

    if (!a)
        return -EINVAL;
    memcpy(bytes, a->bytes, a->size);
    for (size_t i = 0; i < CANNED_RECORDS; i++) {
        bytes[a->headers[i] + 2] = (uint8_t)(id >> 8);
        bytes[a->headers[i] + 3] = (uint8_t)id;
    }
    do
        sent = send(fd, bytes, a->size, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        r = -errno;
    errno = saved;
    return r;
}

int canned_send(unsigned http_status)
{
    int saved = errno, r;

    if (!find(http_status))
        return -EINVAL;
    /* A child of a script that was made past pthread_atfork(3) has our sockets too. */
    if (getpid() != owner || !change(CANNED_SILENT, CANNED_SENT))
        return -EALREADY;
    r = canned_send_to(request_fd, request_id, http_status);
    throw_away(request_fd);
    errno = saved;
    return r;
}
