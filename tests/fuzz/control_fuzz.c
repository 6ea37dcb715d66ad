/*
 * The control socket: requests of anybody to the manager, of a pool that has no worker, and replies
 * of a hostile manager to the tools.
 */

#include "fuzz.h"

#include "log/log.h"
#include "manager/control_private.h"
#include "manager/manager.h"

#include <errno.h>
#include <sys/socket.h>

static Manager *begin(void)
{
    Manager *m = calloc(1, sizeof(*m));

    check_that(m);
    log_set_max_priority(LOG_EMERG);
    m->listeners = (Listeners){.growth_fd = -1, .diag_fd = -1};
    m->porter = PORTER_NONE;
    m->notifier.fd = m->control_fd = m->snapshot_fd = m->history_fd = -1;
    m->options.pool = "www";
    check_that(sd_event_new(&m->event) >= 0);
    return m;
}

static void turn(Manager *m)
{
    check_that(sd_event_run(m->event, 0) >= 0);
}

/* Reads what there is; returns how many replies. */
static unsigned read_replies(int fd)
{
    ControlReply reply;
    unsigned n = 0;

    for (;;) {
        union {
            struct cmsghdr header;
            char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec iov = {&reply, sizeof(reply)};
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
        struct cmsghdr *c;

        if (recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(reply))
            return n;
        n++;
        check_that(reply.version <= CONTROL_VERSION && memchr(reply.text, 0, sizeof(reply.text)));
        check_that(reply.result <= 0);
        c = CMSG_FIRSTHDR(&msg);
        if (c && c->cmsg_type == SCM_RIGHTS) {
            int received;

            memcpy(&received, CMSG_DATA(c), sizeof(int));
            close(received);
        }
    }
}

static void fuzz_requests(Input *in)
{
    static Manager *m;
    unsigned how = input_byte(in);
    /* Who may change something meets a pool that is leaving. */
    const ControlPeer like = {.may_change = how & 1, .waits_for = how & 2 ? CONTROL_DRAIN : 0};
    int before, pair[2];

    if (!m)
        m = begin();
    m->state = how & 1 ? MANAGER_STOPPING : MANAGER_STARTING;
    before = free_descriptor();
    check_that(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    check_that(control_adopt(m, pair[0], &like) == 0);
    while (in->size > 0 && m->peers) {
        size_t n;
        const uint8_t *bytes = input_bytes(in, 1 + input_byte(in) % 32, &n);

        if (n == 0 || send(pair[1], bytes, n, MSG_NOSIGNAL) < 0)
            break;
        turn(m);
        check_that(read_replies(pair[1]) == 1);
    }
    close(pair[1]);
    while (m->peers)
        turn(m);
    /* The snapshot is shared for a while. */
    m->snapshot_fd = fd_close(m->snapshot_fd);
    check_that(free_descriptor() == before);
}

static void fuzz_reply(Input *in)
{
    static ControlReply raw, reply;
    static const ControlVerb verbs[] = {CONTROL_STATUS, CONTROL_TRACE, CONTROL_END};
    ControlVerb verb = verbs[input_byte(in) % ARRAY_SIZE(verbs)];
    unsigned cut = input_byte(in), n_patches = input_byte(in) % 8;
    int before = free_descriptor(), pair[2], fd = -1, r;

    memset(&raw, 'A', sizeof(raw));
    raw.version = CONTROL_VERSION;
    for (unsigned i = 0; i < n_patches; i++)
        input_patch(in, &raw, sizeof(raw));
    check_that(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    check_that(send(pair[1], &raw, sizeof(raw) - cut, MSG_NOSIGNAL) > 0);
    r = control_call(pair[0], verb, 1, &reply, &fd);
    check_that(r == 0 || r == -EBADMSG);
    check_that(r < 0 || memchr(reply.text, 0, sizeof(reply.text)));
    close(pair[0]);
    close(pair[1]);
    check_that(fd < 0 && free_descriptor() == before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = {data, size};

    if (input_byte(&in) & 1)
        fuzz_reply(&in);
    else
        fuzz_requests(&in);
    return 0;
}
