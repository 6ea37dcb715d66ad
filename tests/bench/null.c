/*
 * fpmd-null: the floor that FastCGI responders are compared with. Processes that accept, read one
 * request, write a fixed answer and close, or go on where the web server wants to keep the
 * connection. The only thing they look at is where the request ends.
 */

#include "base/fd.h"
#include "base/parse.h"
#include "fcgi/wire.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char page[] = "Content-type: text/html; charset=UTF-8\r\n\r\nHello World\n";

/* STDOUT with the page, END_REQUEST. */
static size_t make_answer(uint8_t *answer)
{
    size_t n = sizeof(page) - 1;

    fcgi_put_header(answer, FCGI_STDOUT, 1, n, 0);
    memcpy(answer + FCGI_HEADER_SIZE, page, n);
    n += FCGI_HEADER_SIZE;
    fcgi_put_header(answer + n, FCGI_END_REQUEST, 1, 8, 0);
    memset(answer + n + FCGI_HEADER_SIZE, 0, 8);
    return n + FCGI_HEADER_SIZE + 8;
}

/* Whether the n bytes are a whole request, to the empty STDIN record. */
static bool is_whole(const uint8_t *data, size_t n)
{
    for (size_t at = 0; n - at >= FCGI_HEADER_SIZE;) {
        size_t content = (size_t)data[at + 4] << 8 | data[at + 5];

        if (data[at + 1] == FCGI_STDIN && content == 0)
            return true;
        content += FCGI_HEADER_SIZE + data[at + 6];
        if (content > n - at)
            return false;
        at += content;
    }
    return false;
}

/* One request. Returns whether the connection is kept. */
static bool serve(int fd, const uint8_t *answer, size_t n_answer)
{
    uint8_t data[65536];
    size_t n = 0;

    while (!is_whole(data, n)) {
        ssize_t k = n < sizeof(data) ? read(fd, data + n, sizeof(data) - n) : 0;

        if (k <= 0)
            return false;
        n += (size_t)k;
    }
    if (write(fd, answer, n_answer) != (ssize_t)n_answer)
        return false;
    return data[FCGI_HEADER_SIZE + 2] & FCGI_KEEP_CONN;
}

_Noreturn static void work(int listener)
{
    uint8_t answer[256];
    size_t n = make_answer(answer);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        _cleanup_fd_ int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        while (fd >= 0 && serve(fd, answer, n))
            continue;
    }
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4096) < 0)
        return -errno;
    return TAKE_FD(fd);
}

int main(int argc, char **argv)
{
    uint64_t n_workers;
    int listener;

    if (argc != 3 || parse_u64(argv[1], 1, 1024, &n_workers) < 0) {
        fputs("usage: fpmd-null PROCESSES SOCKET-PATH\n", stderr);
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    listener = listen_at(argv[2]);
    if (listener < 0) {
        fprintf(stderr, "fpmd-null: %s: %s\n", argv[2], strerror(-listener));
        return 1;
    }
    for (uint64_t i = 0; i < n_workers; i++) {
        pid_t pid = fork();

        if (pid < 0) {
            fprintf(stderr, "fpmd-null: fork: %m\n");
            return 1;
        }
        if (pid == 0)
            work(listener);
    }
    while (wait(NULL) >= 0 || errno == EINTR)
        continue;
    return 0;
}
