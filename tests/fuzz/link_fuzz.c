/*
 * Messages of a hostile process on a link, with descriptors beside them, and marks in the pipe of
 * its output. Whatever comes: no descriptor is lost, texts end, and what is refused leaves nothing
 * behind.
 */

#include "fuzz.h"

#include "link/mark.h"
#include "link/message.h"

#include <errno.h>
#include <sys/socket.h>

#define FDS_MAX  8
#define MARK_KEY UINT64_C(0x0123456789abcdef)

/* A message: its size, how many descriptors, and how its bytes begin; the rest is text without an
 * end. */
static int send_one(int fd, Input *in)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int) * FDS_MAX)];
    } control = {0};
    static uint8_t bytes[2 * sizeof(LinkMessage)];
    struct iovec iov = {bytes, 0};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    unsigned size = input_word(in), n_fds = input_byte(in) % (FDS_MAX + 1);
    size_t n;
    const uint8_t *head = input_bytes(in, input_byte(in), &n);

    memset(bytes, 'A', sizeof(bytes));
    if (n > 0)
        memcpy(bytes, head, n);
    iov.iov_len = size & 1 ? size % sizeof(bytes) : sizeof(LinkMessage);
    if (n_fds > 0) {
        int fds[FDS_MAX] = {0};

        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n_fds);
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
    }
    return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void receive_one(int fd, size_t max_fds, bool with_pid)
{
    LinkMessage m = {0};
    int fds[FDS_MAX];
    size_t n = 0;
    pid_t pid = -1;
    int r = link_receive(fd, MSG_DONTWAIT, &m, fds, max_fds, &n, with_pid ? &pid : NULL);

    check_that(r == 1 || r == 0 || r == -EBADMSG || r == -EAGAIN);
    if (r != 1)
        return;
    check_that(n <= max_fds && m.version == LINK_VERSION);
    check_that(m.type > 0 && m.type < _LINK_TYPE_MAX && memchr(m.text, 0, sizeof(m.text)));
    check_that(!with_pid || pid == getpid() || pid == 0);
    while (n > 0)
        link_close_received(fds[--n]);
}

static void fuzz_messages(Input *in)
{
    int before = free_descriptor(), pair[2];

    check_that(link_pair(pair) == 0);
    for (unsigned i = 0; in->size > 0 && i < 16; i++) {
        unsigned how = input_byte(in);
        bool to_manager = how & 1;

        if (send_one(pair[to_manager], in) == 0)
            receive_one(pair[!to_manager], how >> 4 & 7, how & 2);
    }
    close(pair[1]);
    receive_one(pair[0], 0, true);
    close(pair[0]);
    check_that(free_descriptor() == before);
}

static void fuzz_marks(const Input *in)
{
    char prefix[MARK_PREFIX_SIZE], mark[MARK_MAX];
    const char *id = NULL, *uri = NULL, *line = (const char *)in->data;
    size_t id_size = 0, uri_size = 0, at, begun;

    mark_prefix(MARK_KEY, prefix);
    at = mark_find(prefix, line, in->size, &id, &id_size, &uri, &uri_size);
    begun = mark_find_begun(prefix, line, in->size);
    check_that(at <= in->size && begun <= in->size);
    if (at == in->size || !id)
        return;
    check_that(id >= line && id + id_size <= line + in->size);
    check_that(!uri || (uri >= line && uri + uri_size <= line + in->size));
    check_that(mark_format(MARK_KEY, "id", "/", mark) <= sizeof(mark));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = {data, size};

    if (input_byte(&in) & 1)
        fuzz_messages(&in);
    else if (in.size > 0)
        fuzz_marks(&in);
    return 0;
}
