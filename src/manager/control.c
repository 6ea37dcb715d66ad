#include "link/control.h"

#include "base/fd.h"
#include "log/log.h"
#include "manager/ancestry.h"
#include "manager/manager.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Somebody connected to the control socket. */
typedef struct ControlPeer {
    Manager *manager;
    struct ControlPeer *next;
    int fd;
    sd_event_source *source;
    bool may_change;           /* root or our own uid */
    unsigned waits_for_reload; /* its number, 0: not */
} ControlPeer;

#define PEERS_MAX 32

static void peer_free(ControlPeer *peer)
{
    for (ControlPeer **p = &peer->manager->peers; *p; p = &(*p)->next)
        if (*p == peer) {
            *p = peer->next;
            break;
        }
    sd_event_source_disable_unref(peer->source);
    fd_close(peer->fd);
    free(peer);
}

/* A peer that does not read its replies loses them: nobody holds up the manager. */
static void peer_reply(ControlPeer *peer, int result, const char *text, int fd)
{
    ControlReply reply = {.version = CONTROL_VERSION, .result = result};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {&reply, sizeof(reply)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    snprintf(reply.text, sizeof(reply.text), "%s", text);
    if (fd >= 0) {
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control.room);
    }
    if (sendmsg(peer->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        log_debug("Reply to a control peer is lost: %s", strerror(errno));
}

void control_reply_reload(Manager *m, unsigned number, int result, const char *text)
{
    for (ControlPeer *peer = m->peers; peer; peer = peer->next)
        if (peer->waits_for_reload > 0 && peer->waits_for_reload <= number) {
            peer->waits_for_reload = 0;
            peer_reply(peer, result, text, -1);
        }
}

static void peer_status(ControlPeer *peer)
{
    _cleanup_fd_ int fd = snapshot_make(peer->manager);

    peer_reply(peer, MIN(fd, 0), fd < 0 ? strerror(-fd) : "", fd);
}

static void peer_request(ControlPeer *peer, const ControlRequest *request)
{
    Manager *m = peer->manager;

    switch (request->verb) {
    case CONTROL_STATUS:
        peer_status(peer);
        break;
    case CONTROL_RELOAD:
        if (!peer->may_change) {
            peer_reply(peer, -EPERM, "only root and the manager's user may reload", -1);
            break;
        }
        if (m->state == MANAGER_STOPPING)
            peer_reply(peer, -ESHUTDOWN, "the pool is stopping", -1);
        else
            peer->waits_for_reload = reload_ask(m);
        break;
    default:
        peer_reply(peer, -EOPNOTSUPP, "the manager does not know this request", -1);
        break;
    }
}

static int on_peer(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    ControlPeer *peer = userdata;
    ControlRequest request;
    ssize_t n = recv(fd, &request, sizeof(request), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n == (ssize_t)sizeof(request) && request.version == CONTROL_VERSION)
        peer_request(peer, &request);
    else
        peer_free(peer);
    return 0;
}

static int peer_new(Manager *m, int fd)
{
    ControlPeer *peer = calloc(1, sizeof(*peer));
    struct ucred cred;
    socklen_t size = sizeof(cred);
    int r;

    if (!peer)
        return -ENOMEM;
    r = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0 ? -errno : 0;
    /* With User= of the service, and in user mode, scripts have the manager's own uid. */
    if (r == 0 && ancestry_is_ours(cred.pid)) {
        log_notice("Process %d of the pool itself was refused at the control socket",
                   (int)cred.pid);
        r = -EPERM;
    }
    if (r == 0)
        r = sd_event_add_io(m->event, &peer->source, fd, EPOLLIN, on_peer, peer);
    if (r < 0) {
        free(peer);
        return r;
    }
    sd_event_source_set_priority(peer->source, PRIORITY_CONTROL);
    peer->manager = m;
    peer->fd = fd;
    peer->may_change = cred.uid == 0 || cred.uid == geteuid();
    peer->next = m->peers;
    m->peers = peer;
    return 0;
}

/* Room for one more: the oldest that asks for nothing goes, those who may not change anything
 * first. */
static bool peers_make_room(Manager *m)
{
    ControlPeer *idle = NULL;
    unsigned n = 0;

    for (ControlPeer *p = m->peers; p; p = p->next) {
        n++;
        if (p->waits_for_reload == 0 && !(idle && p->may_change && !idle->may_change))
            idle = p;
    }
    if (n < PEERS_MAX)
        return true;
    if (!idle)
        return false;
    peer_free(idle);
    return true;
}

static int on_control(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Manager *m = userdata;
    int peer_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (peer_fd < 0) {
        /* Without a descriptor to spare the connection stays in the queue: the beat looks again. */
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
    }
    if (!peers_make_room(m) || peer_new(m, peer_fd) < 0)
        fd_close(peer_fd);
    return 0;
}

void control_wake(Manager *m)
{
    if (m->control_source)
        sd_event_source_set_enabled(m->control_source, SD_EVENT_ON);
}

/* Where the socket is: systemd's RuntimeDirectory= is the pool's own. */
static int control_choose_path(Manager *m)
{
    const char *runtime = getenv("RUNTIME_DIRECTORY");
    const char *dir = m->options.control_dir ? m->options.control_dir : CONTROL_DIR;
    _cleanup_free_ char *folder = NULL;

    if (!m->options.control_dir && runtime && runtime[0] == '/' && !strchr(runtime, ':'))
        return asprintf(&m->control_path, "%s/control", runtime) < 0 ? -ENOMEM : 0;
    if (asprintf(&folder, "%s/%s", dir, m->options.pool) < 0)
        return -ENOMEM;
    if ((mkdir(dir, 0755) < 0 && errno != EEXIST) || (mkdir(folder, 0750) < 0 && errno != EEXIST))
        return -errno;
    return asprintf(&m->control_path, "%s/control", folder) < 0 ? -ENOMEM : 0;
}

int control_listen(Manager *m)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_fd_ int fd = -1;
    struct stat st;
    int r = control_choose_path(m);

    if (r < 0) {
        m->control_path = NULL;
        return r;
    }
    if (strlen(m->control_path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, m->control_path, strlen(m->control_path) + 1);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return -EADDRINUSE; /* another manager of this pool */
    fd_close(fd);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    /* The connections that it accepts inherit it. */
    r = link_refuse_fds(fd);
    if (r < 0)
        return r;
    unlink(m->control_path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(m->control_path, 0660) < 0 || listen(fd, 16) < 0 || stat(m->control_path, &st) < 0)
        return -errno;
    m->control_inode = st.st_ino;
    r = sd_event_add_io(m->event, &m->control_source, fd, EPOLLIN, on_control, m);
    if (r < 0)
        return r;
    sd_event_source_set_priority(m->control_source, PRIORITY_CONTROL);
    m->control_fd = TAKE_FD(fd);
    return 0;
}

void control_done(Manager *m)
{
    struct stat st;

    control_reply_reload(m, UINT_MAX, -ECONNABORTED, "the manager is leaving");
    while (m->peers)
        peer_free(m->peers);
    m->control_source = sd_event_source_disable_unref(m->control_source);
    /* Only our own: somebody may have made another. */
    if (m->control_fd >= 0 && stat(m->control_path, &st) == 0 && st.st_ino == m->control_inode)
        unlink(m->control_path);
    m->control_fd = fd_close(m->control_fd);
    free(TAKE_PTR(m->control_path));
}
