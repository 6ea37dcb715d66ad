#include "manager/listeners.h"

#include "base/fd.h"
#include "log/log.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
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

/* The group comes with the making, which needs SETGID only: CHOWN is not among the manager's
 * capabilities. */
static int bind_with_group(const PoolConfig *c, int fd, const struct sockaddr_un *address,
                           char **ret_reason)
{
    const struct group *group = c->listen_group ? getgrnam(c->listen_group) : NULL;
    mode_t before;
    gid_t own = getegid();
    int r;

    if (c->listen_group && !group) {
        reason(ret_reason, "listen.group: there is no group \"%s\"", c->listen_group);
        return -ENOENT;
    }
    if (group)
        setfsgid(group->gr_gid);
    before = umask((mode_t)(~c->listen_mode & 0777));
    r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
    umask(before);
    if (group)
        setfsgid(own);
    return r;
}

/* Best effort: as root without CHOWN the group is what gives access. */
static void give_to_owner(const PoolConfig *c, const char *path)
{
    const struct passwd *owner = c->listen_owner ? getpwnam(c->listen_owner) : NULL;

    if (owner && chown(path, owner->pw_uid, (gid_t)-1) < 0 && !c->listen_group)
        log_notice("listen.owner: %s keeps its owner (%s), ignoring; listen.group gives access",
                   path, strerror(errno));
}

static int bind_unix(const PoolConfig *c, const ListenAddress *a, char **ret_reason)
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
    r = bind_with_group(c, fd, &address, ret_reason);
    if (r < 0)
        return r;
    give_to_owner(c, a->path);
    return TAKE_FD(fd);
}

static int bind_tcp(const ListenAddress *a, char **ret_reason)
{
    static const int on = 1, off = 0;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[8];
    int error, r = -EADDRNOTAVAIL;

    snprintf(port, sizeof(port), "%u", a->port);
    error = getaddrinfo(a->host ? a->host : "::", port, &hints, &list);
    if (error == EAI_ADDRFAMILY || (error && !a->host))
        error = getaddrinfo(NULL, port, &hints, &list);
    if (error) {
        reason(ret_reason, "listen: %s: %s", a->text, gai_strerror(error));
        return -EADDRNOTAVAIL;
    }
    for (const struct addrinfo *i = list; i; i = i->ai_next) {
        _cleanup_fd_ int fd =
            socket(i->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

        if (fd < 0) {
            r = -errno;
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (i->ai_family == AF_INET6 && !a->host)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
        if (bind(fd, i->ai_addr, i->ai_addrlen) == 0) {
            freeaddrinfo(list);
            return TAKE_FD(fd);
        }
        r = -errno;
    }
    freeaddrinfo(list);
    return r;
}

int listeners_bind(Listeners *l, const PoolConfig *c, char **ret_reason)
{
    for (size_t i = 0; i < c->n_listen; i++) {
        const ListenAddress *a = &c->listen[i];
        _cleanup_fd_ int fd =
            a->kind == LISTEN_UNIX ? bind_unix(c, a, ret_reason) : bind_tcp(a, ret_reason);
        int r = fd;

        if (r >= 0 && listen(fd, c->listen_backlog < 0 ? SOMAXCONN : c->listen_backlog) < 0)
            r = -errno;
        if (r >= 0)
            r = listeners_add(l, fd, a->text, a->kind == LISTEN_UNIX ? a->path : NULL);
        if (r < 0) {
            if (!*ret_reason)
                reason(ret_reason, "listen: cannot listen on %s: %s", a->text, strerror(-r));
            return r;
        }
        TAKE_FD(fd);
    }
    return 0;
}
