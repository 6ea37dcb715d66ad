/*
 * fpmd-fcgi: FastCGI requests by hand. STDOUT goes to stdout, STDERR to stderr; the exit status is
 * the application status, 100 + n for protocol status n, 99 when there was no complete answer.
 */

#include "address.h"
#include "base/fd.h"
#include "base/parse.h"
#include "fcgi/client.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXIT_NO_ANSWER       99
#define EXIT_PROTOCOL_STATUS 100
#define PAIRS_MAX            512
#define BODY_MAX             ((size_t)2 << 30)

typedef struct Options {
    Address address;
    const char *pairs[2 * PAIRS_MAX + 1];
    size_t n_pairs;
    char *body; /* NULL: none */
    size_t body_size;
    char length[24]; /* of CONTENT_LENGTH */
    bool raw;        /* the body is the bytes to send */
    uint64_t role, id, repeat, limit_bytes, hold_usec;
    bool keep;
} Options;

static int add_pair(Options *o, const char *name, const char *value)
{
    if (o->n_pairs >= PAIRS_MAX)
        return -E2BIG;
    o->pairs[2 * o->n_pairs] = name;
    o->pairs[2 * o->n_pairs + 1] = value;
    o->n_pairs++;
    return 0;
}

static int add_assignment(Options *o, char *text)
{
    char *equals = strchr(text, '=');

    if (!equals)
        return -EINVAL;
    *equals = 0;
    return add_pair(o, text, equals + 1);
}

static int read_body(Options *o, const char *path)
{
    free(o->body);
    o->body = NULL;
    if (strcmp(path, "-") == 0)
        return fd_read_all(STDIN_FILENO, BODY_MAX, &o->body, &o->body_size);
    return fd_read_file(path, BODY_MAX, &o->body, &o->body_size);
}

static bool has_pair(const Options *o, const char *name)
{
    for (size_t i = 0; i < o->n_pairs; i++)
        if (strcmp(o->pairs[2 * i], name) == 0)
            return true;
    return false;
}

static int build(Options *o, Buffer *b)
{
    unsigned id = (unsigned)o->id;
    int r;

    if (o->raw)
        return buffer_append(b, o->body, o->body_size);
    if (o->body && !has_pair(o, "CONTENT_LENGTH")) {
        snprintf(o->length, sizeof(o->length), "%zu", o->body_size);
        add_pair(o, "CONTENT_LENGTH", o->length);
    }
    if (!has_pair(o, "REQUEST_METHOD"))
        add_pair(o, "REQUEST_METHOD", o->body ? "POST" : "GET");
    r = fcgi_client_begin(b, id, (unsigned)o->role, o->keep ? FCGI_KEEP_CONN : 0);
    if (r >= 0)
        r = fcgi_client_params(b, id, o->pairs);
    if (r >= 0)
        r = fcgi_client_stream(b, FCGI_STDIN, id, o->body, o->body_size);
    return r < 0 ? r : fcgi_client_stream_end(b, FCGI_STDIN, id);
}

/* Prints what has come and forgets it, so that answers of any size take little memory. */
static void print_response(FcgiResponse *r)
{
    if (r->out.size > 0)
        fwrite(r->out.data, 1, r->out.size, stdout);
    if (r->err.size > 0)
        fwrite(r->err.data, 1, r->err.size, stderr);
    fflush(stdout);
    r->out.size = r->err.size = 0;
}

/* Reads once. 1 at the end of the answer, 0, or -errno; -ENODATA: the connection ended. */
static int receive(int fd, FcgiResponse *response)
{
    uint8_t data[65536];
    ssize_t n = recv(fd, data, sizeof(data), 0);
    size_t used = 0;
    int r;

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    if (n == 0)
        return -ENODATA;
    r = fcgi_response_push(response, data, (size_t)n, &used);
    if (r >= 0)
        print_response(response);
    return r;
}

/* Sends and reads at the same time: the answer may begin before the body has been taken. */
static int exchange(int fd, const char *data, size_t n, int timeout_msec, FcgiResponse *response)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN | (n > 0 ? POLLOUT : 0)};
        int r = poll(&p, 1, timeout_msec);

        if (r < 0 && errno != EINTR)
            return -errno;
        if (r == 0)
            return -ETIME;
        if (r > 0 && (p.revents & (POLLIN | POLLHUP | POLLERR))) {
            r = receive(fd, response);
            if (r != 0)
                return r;
        }
        if (n > 0 && (p.revents & POLLOUT)) {
            ssize_t k = send(fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);

            if (k < 0 && errno == EPIPE)
                n = 0; /* an early answer may still be there to be read */
            else if (k < 0 && errno != EAGAIN && errno != EINTR)
                return -errno;
            if (k > 0) {
                data += k;
                n -= (size_t)k;
            }
        }
    }
}

static int run(const Options *o, const Buffer *request, FcgiResponse *response)
{
    _cleanup_fd_ int fd = address_connect(&o->address, false);
    size_t n = MIN(request->size, (size_t)o->limit_bytes);
    int r = fd < 0 ? fd : 0;

    for (uint64_t i = 0; r >= 0 && i < o->repeat; i++) {
        fcgi_response_reset(response);
        r = exchange(fd, request->data, n, o->hold_usec ? (int)(o->hold_usec / 1000) : -1,
                     response);
        if (r == -ENODATA && i > 0)
            fputs("fpmd-fcgi: the kept connection was closed\n", stderr);
    }
    return r;
}

static void usage(void)
{
    fputs("usage: fpmd-fcgi [options] SOCKET-PATH|HOST:PORT\n"
          "  -p NAME=VALUE   a parameter; again for more\n"
          "  -s PATH         SCRIPT_FILENAME\n"
          "  -b FILE         the body (- is stdin); sets CONTENT_LENGTH and POST unless given\n"
          "  -r ROLE         1 responder, 2 authorizer, 3 filter, or any number (1)\n"
          "  -i ID           request id (1)\n"
          "  -k N            N requests on one kept connection\n"
          "  -x FILE         send these bytes as they are (- is stdin)\n"
          "  -l N            send only the first N bytes of the request\n"
          "  -w TIME         give up after so long without a byte; with -l, how long to hold\n",
          stderr);
    exit(64);
}

static void parse_options(Options *o, int argc, char **argv)
{
    int option, r = 0;

    while (r == 0 && (option = getopt(argc, argv, "p:s:b:r:i:k:x:l:w:")) >= 0) {
        switch (option) {
        case 'p':
            r = add_assignment(o, optarg);
            break;
        case 's':
            r = add_pair(o, "SCRIPT_FILENAME", optarg);
            break;
        case 'x':
            o->raw = true;
            __attribute__((fallthrough));
        case 'b':
            r = read_body(o, optarg);
            if (r < 0)
                fprintf(stderr, "fpmd-fcgi: %s: %s\n", optarg, strerror(-r));
            break;
        case 'r':
            r = parse_u64(optarg, 0, 65535, &o->role);
            break;
        case 'i':
            r = parse_u64(optarg, 0, 65535, &o->id);
            break;
        case 'k':
            o->keep = true;
            r = parse_u64(optarg, 1, UINT64_MAX, &o->repeat);
            break;
        case 'l':
            r = parse_u64(optarg, 0, UINT64_MAX, &o->limit_bytes);
            break;
        case 'w':
            r = parse_usec(optarg, &o->hold_usec);
            break;
        default:
            usage();
        }
    }
    if (r < 0 || optind + 1 != argc || address_parse(argv[optind], &o->address) < 0)
        usage();
}

int main(int argc, char **argv)
{
    Options o = {.role = FCGI_RESPONDER, .id = 1, .repeat = 1, .limit_bytes = UINT64_MAX};
    _cleanup_(fcgi_response_done) FcgiResponse response = {0};
    _cleanup_buffer_ Buffer request = {0};
    int r;

    parse_options(&o, argc, argv);
    r = build(&o, &request);
    if (r >= 0)
        r = run(&o, &request, &response);
    free(o.body);
    if (r < 0) {
        fprintf(stderr, "fpmd-fcgi: no complete answer: %s\n",
                r == -ENODATA ? "the connection was closed" : strerror(-r));
        return EXIT_NO_ANSWER;
    }
    if (response.protocol_status != FCGI_REQUEST_COMPLETE)
        return (int)(EXIT_PROTOCOL_STATUS + response.protocol_status);
    return (int)(response.app_status & 0xff);
}
