#include "manager/listeners.h"

#include "base/fd.h"
#include "log/log.h"
#include "manager/access.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

_printf_(2, 3) static void reason(char **ret, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vasprintf(ret, format, args) < 0)
        *ret = NULL;
    va_end(args);
}

/* A socket file that nobody listens on any more is removed; a living one is left alone. */
static int unlink_stale(const struct sockaddr_un *address, char **ret_reason)
{
    struct stat st;
    _cleanup_fd_ int fd = -1;

    if (lstat(address->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode)) {
        reason(ret_reason, "listen: %s exists and is not a socket", address->sun_path);
        return -EEXIST;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN) {
        reason(ret_reason, "listen: somebody listens on %s already", address->sun_path);
        return -EADDRINUSE;
    }
    return unlink(address->sun_path) < 0 ? -errno : 0;
}

/* The ids come with the making, which needs SETUID and SETGID only: CHOWN is not among the
 * manager's capabilities. Where these are missing too setfsuid(2) and setfsgid(2) do nothing. */
static int bind_as(const SocketAccess *access, int fd, const struct sockaddr_un *address)
{
    uid_t uid = access->n_acl > 0 ? NAMES_NO_ID : access->uid;
    gid_t gid = access->n_acl > 0 ? NAMES_NO_ID : access->gid;
    mode_t before = umask((mode_t)(~access->mode & 0777));
    int r;

    if (gid != NAMES_NO_ID)
        setfsgid(gid);
    if (uid != NAMES_NO_ID)
        setfsuid(uid);
    r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
    if (uid != NAMES_NO_ID) {
        setfsuid(geteuid());
        /* The folder lets only us write to it. */
        if ((r == -EACCES || r == -EPERM) && uid != geteuid())
            r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
    }
    if (gid != NAMES_NO_ID)
        setfsgid(getegid());
    umask(before);
    return r;
}

/* An ordinary user may at least give to groups of his own. What cannot be had is no error, since
 * the owner is no matter where the group gives access. */
static void check_owner(const SocketAccess *access, const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return;
    if (access->gid != NAMES_NO_ID && st.st_gid != access->gid) {
        if (chown(path, (uid_t)-1, access->gid) < 0)
            log_notice("listen.group: %s keeps its group (%s), ignoring", path, strerror(errno));
    } else if (access->uid != NAMES_NO_ID && st.st_uid != access->uid && access->gid == NAMES_NO_ID)
        log_notice("listen.owner: %s keeps its owner, who may write to its folder, ignoring; "
                   "listen.group gives access",
                   path);
}

static int give_access(const PoolConfig *c, const SocketAccess *access, const char *path,
                       char **ret_reason)
{
    int r;

    if (access->n_acl == 0) {
        check_owner(access, path);
        return 0;
    }
    if (c->listen_owner)
        log_warning("ACL set, listen.owner = '%s' is ignored", c->listen_owner);
    if (c->listen_group)
        log_warning("ACL set, listen.group = '%s' is ignored", c->listen_group);
    r = access_write_acl(access, path);
    if (r < 0)
        reason(ret_reason, "listen.acl_users, listen.acl_groups: %s cannot have an access list: %s",
               path, strerror(-r));
    return r;
}

static int bind_unix(const PoolConfig *c, const SocketAccess *access, const ListenAddress *a,
                     char **ret_reason)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_fd_ int fd = -1;
    int r;

    if (strlen(a->path) >= sizeof(address.sun_path)) {
        reason(ret_reason, "listen: the path %s is too long, at most %zu bytes are possible",
               a->path, sizeof(address.sun_path) - 1);
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, a->path, strlen(a->path) + 1);
    r = unlink_stale(&address, ret_reason);
    if (r < 0)
        return r;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    r = bind_as(access, fd, &address);
    if (r < 0)
        return r;
    /* Nobody can connect before listen(2). */
    r = give_access(c, access, a->path, ret_reason);
    if (r < 0) {
        unlink(a->path);
        return r;
    }
    return TAKE_FD(fd);
}

/* The first of the addresses that can be bound, as PHP-FPM has it. */
static int bind_list(const struct addrinfo *list, bool dual)
{
    static const int on = 1, off = 0;
    int r = -EADDRNOTAVAIL;

    for (const struct addrinfo *i = list; i; i = i->ai_next) {
        _cleanup_fd_ int fd =
            socket(i->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

        if (fd < 0) {
            r = -errno;
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (i->ai_family == AF_INET6 && dual)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
        if (bind(fd, i->ai_addr, i->ai_addrlen) == 0)
            return TAKE_FD(fd);
        r = -errno;
    }
    return r;
}

static int bind_host(const ListenAddress *a, const char *host, char **ret_reason)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[8];
    int error, r;

    snprintf(port, sizeof(port), "%u", a->port);
    error = getaddrinfo(host, port, &hints, &list);
    if (error) {
        reason(ret_reason, "listen: %s: %s", a->text, gai_strerror(error));
        return -EADDRNOTAVAIL;
    }
    r = bind_list(list, !a->host);
    freeaddrinfo(list);
    return r;
}

/* A port alone is one socket for both versions; where there is no IPv6, one for the other. */
static int bind_tcp(const ListenAddress *a, char **ret_reason)
{
    int r;

    if (a->host)
        return bind_host(a, a->host, ret_reason);
    r = bind_host(a, "::", ret_reason);
    return r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL ? bind_host(a, "0.0.0.0", ret_reason) : r;
}

static int bind_addresses(Listeners *l, const PoolConfig *c, const SocketAccess *access,
                          ListenerKind kind, char **ret_reason)
{
    const ListenAddress *addresses = kind == LISTENER_STATUS ? c->status_listen : c->listen;
    size_t n = kind == LISTENER_STATUS ? c->n_status_listen : c->n_listen;

    for (size_t i = 0; i < n; i++) {
        const ListenAddress *a = &addresses[i];
        _cleanup_fd_ int fd =
            a->kind == LISTEN_UNIX ? bind_unix(c, access, a, ret_reason) : bind_tcp(a, ret_reason);
        int r = fd;

        if (r >= 0 && listen(fd, c->listen_backlog < 0 ? SOMAXCONN : c->listen_backlog) < 0)
            r = -errno;
        if (r >= 0)
            r = listeners_add(l, kind, fd, a->text, a->kind == LISTEN_UNIX ? a->path : NULL);
        if (r < 0) {
            if (!*ret_reason)
                reason(ret_reason, "%s: cannot listen on %s: %s",
                       kind == LISTENER_STATUS ? "pm.status_listen" : "listen", a->text,
                       strerror(-r));
            return r;
        }
        TAKE_FD(fd);
    }
    return 0;
}

int listeners_bind(Listeners *l, const PoolConfig *c, char **ret_reason)
{
    _cleanup_(access_done) SocketAccess access = {0};
    int r = access_resolve(c, NAMES_MODULES, &access, ret_reason);

    if (r == 0)
        r = bind_addresses(l, c, &access, LISTENER_REQUESTS, ret_reason);
    if (r == 0)
        r = bind_addresses(l, c, &access, LISTENER_STATUS, ret_reason);
    return r;
}
