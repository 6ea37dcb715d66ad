#include "link/control.h"

#include "base/fd.h"
#include "log/log.h"
#include "manager/ancestry.h"
#include "manager/control_private.h"
#include "manager/manager.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PEERS_MAX 32

/* What every request has, of whatever version: the number of the version, and the verb. */
#define REQUEST_MIN_SIZE offsetof(ControlRequest, argument)

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
void control_peer_reply(ControlPeer *peer, int result, const char *text, int fd)
{
    /* One that is older than we are knows its own version only; the reply has been the same in all.
     */
    ControlReply reply = {.version = peer->version ? MIN(peer->version, (uint32_t)CONTROL_VERSION)
                                                   : CONTROL_VERSION,
                          .result = result};
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
    if (sendmsg(peer->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        log_debug("Reply to a control peer is lost: %s", strerror(errno));
        /* It shall not wait for it; on_peer() frees it then. */
        shutdown(peer->fd, SHUT_RDWR);
    }
}

static void peer_reply_waiting(ControlPeer *peer, int result, const char *text)
{
    peer->waits_for = 0;
    control_peer_reply(peer, result, text ? text : "", -1);
}

void control_reply_reload(Manager *m, unsigned number, int result, const char *text)
{
    for (ControlPeer *peer = m->peers; peer; peer = peer->next)
        if (peer->waits_for == CONTROL_RELOAD && peer->reload_number <= number)
            peer_reply_waiting(peer, result, text);
}

void control_reply(Manager *m, uint32_t verb, int result, const char *text)
{
    for (ControlPeer *peer = m->peers; peer; peer = peer->next)
        if (peer->waits_for == verb)
            peer_reply_waiting(peer, result, text);
}

bool control_is_waited_for(const Manager *m)
{
    for (const ControlPeer *peer = m->peers; peer; peer = peer->next)
        if (peer->waits_for != 0)
            return true;
    return false;
}

static void peer_status(ControlPeer *peer)
{
    _cleanup_fd_ int fd = snapshot_make(peer->manager);

    control_peer_reply(peer, MIN(fd, 0), fd < 0 ? strerror(-fd) : "", fd);
}

static void ask_reload(ControlPeer *peer, const ControlRequest *request)
{
    peer->reload_number = reload_ask(peer->manager);
}

static void ask_reexec(ControlPeer *peer, const ControlRequest *request)
{
    peer->manager->reexec_wanted = true;
    settle_later(peer->manager);
}

static void ask_drain(ControlPeer *peer, const ControlRequest *request)
{
    leaving_drain(peer->manager, request->argument);
}

/* What changes something: the event that it will become, and what is done now. */
static const struct {
    ControlVerb verb;
    PoolEvent event;
    void (*ask)(ControlPeer *peer, const ControlRequest *request);
} changes[] = {
    {CONTROL_RELOAD, POOL_EVENT_RELOAD, ask_reload},
    {CONTROL_REEXEC, POOL_EVENT_REEXEC, ask_reexec},
    {CONTROL_DRAIN, POOL_EVENT_DRAIN, ask_drain},
};

static void peer_forbid(ControlPeer *peer)
{
    control_peer_reply(peer, -EPERM, "only root and the manager's user may do that", -1);
}

static void peer_deny(ControlPeer *peer)
{
    ManagerState state = peer->manager->state;
    char text[64];

    snprintf(text, sizeof(text), "the pool is %s", manager_state_to_string(state));
    control_peer_reply(peer, state >= MANAGER_STOPPING ? -ESHUTDOWN : -EBUSY, text, -1);
}

static void peer_request(ControlPeer *peer, const ControlRequest *request)
{
    if (request->verb == CONTROL_STATUS) {
        peer_status(peer);
        return;
    }
    if (!peer->may_change && control_is_order(request->verb)) {
        peer_forbid(peer);
        return;
    }
    if (control_order(peer, request))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        if (changes[i].verb != request->verb)
            continue;
        if (!peer->may_change)
            peer_forbid(peer);
        else if (manager_would(peer->manager, changes[i].event) == POOL_ACTION_DENY)
            peer_deny(peer);
        else {
            peer->waits_for = request->verb;
            changes[i].ask(peer, request);
        }
        return;
    }
    control_peer_reply(peer, -EOPNOTSUPP, "the manager does not know this request", -1);
}

/* Managers and tools of different builds meet at an upgrade: what is there of a request counts, and
 * what is beyond ours is ignored. */
static int on_peer(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    ControlPeer *peer = userdata;
    ControlRequest request = {0};
    ssize_t n = recv(fd, &request, sizeof(request), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        peer_free(peer);
        return 0;
    }
    if (n < (ssize_t)REQUEST_MIN_SIZE) {
        control_peer_reply(peer, -EBADMSG, "this is not a request that the manager knows", -1);
        return 0;
    }
    peer->version = request.version;
    if (peer->waits_for != 0)
        control_peer_reply(peer, -EBUSY, "an answer is still to come", -1);
    else
        peer_request(peer, &request);
    return 0;
}

static int peer_add(Manager *m, int fd, const ControlPeer *like)
{
    ControlPeer *peer = calloc(1, sizeof(*peer));
    int r;

    if (!peer)
        return -ENOMEM;
    *peer = (ControlPeer){
        .manager = m,
        .next = m->peers,
        .fd = fd,
        .may_change = like->may_change,
        .version = like->version,
        .waits_for = like->waits_for,
        .reload_number = like->reload_number,
    };
    r = sd_event_add_io(m->event, &peer->source, fd, EPOLLIN, on_peer, peer);
    if (r < 0) {
        free(peer);
        return r;
    }
    sd_event_source_set_priority(peer->source, PRIORITY_CONTROL);
    m->peers = peer;
    return 0;
}

int control_adopt(Manager *m, int fd, const ControlPeer *like)
{
    return peer_add(m, fd, like);
}

static int peer_new(Manager *m, int fd)
{
    struct ucred cred;
    socklen_t size = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
        return -errno;
    /* With User= of the service, and in user mode, scripts have the manager's own uid. */
    if (ancestry_is_ours(cred.pid)) {
        log_notice("Process %d of the pool itself was refused at the control socket",
                   (int)cred.pid);
        return -EPERM;
    }
    return peer_add(m, fd, &(ControlPeer){.may_change = cred.uid == 0 || cred.uid == geteuid()});
}

/* Room for one more: the oldest that asks for nothing goes, those who may not change anything
 * first. */
static bool peers_make_room(Manager *m)
{
    ControlPeer *idle = NULL;
    unsigned n = 0;

    for (ControlPeer *p = m->peers; p; p = p->next) {
        n++;
        if (p->waits_for == 0 && !(idle && p->may_change && !idle->may_change))
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

int control_watch(Manager *m)
{
    int r = sd_event_add_io(m->event, &m->control_source, m->control_fd, EPOLLIN, on_control, m);

    return r < 0 ? r : sd_event_source_set_priority(m->control_source, PRIORITY_CONTROL);
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
    m->control_fd = TAKE_FD(fd);
    return control_watch(m);
}

void control_done(Manager *m)
{
    struct stat st;

    for (ControlPeer *peer = m->peers; peer; peer = peer->next)
        if (peer->waits_for != 0)
            peer_reply_waiting(peer, -ECONNABORTED, "the manager is leaving");
    while (m->peers)
        peer_free(m->peers);
    m->control_source = sd_event_source_disable_unref(m->control_source);
    /* Only our own: somebody may have made another. */
    if (m->control_fd >= 0 && stat(m->control_path, &st) == 0 && st.st_ino == m->control_inode)
        unlink(m->control_path);
    m->control_fd = fd_close(m->control_fd);
    free(TAKE_PTR(m->control_path));
}
