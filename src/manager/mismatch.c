#include "manager/mismatch.h"

#include "base/fd.h"
#include "base/parse.h"
#include "log/log.h"
#include "manager/access.h"
#include "manager/manager.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SOMAXCONN_FILE "/proc/sys/net/core/somaxconn"

/* What is compared. */
typedef struct Comparison {
    const Listeners *listeners;
    const PoolConfig *config;
    const SocketAccess *access; /* NULL: a name in it is not known here */
} Comparison;

_printf_(2, 3) static void append(Mismatch *m, const char *format, ...)
{
    size_t used = strlen(m->unit_has);
    va_list args;

    va_start(args, format);
    vsnprintf(m->unit_has + used, sizeof(m->unit_has) - used, format, args);
    va_end(args);
}

/* ---- addresses ---- */

/* The path of the file is the socket's own, a link to it (Symlinks= of the unit), or the same by a
 * link of a folder (/var/run). */
static bool same_path(const char *a, const char *b)
{
    struct stat st_a, st_b;

    if (strcmp(a, b) == 0)
        return true;
    return stat(a, &st_a) == 0 && stat(b, &st_b) == 0 && st_a.st_dev == st_b.st_dev &&
           st_a.st_ino == st_b.st_ino;
}

static void map_v4(const struct in_addr *v4, struct in6_addr *ret)
{
    *ret = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(ret->s6_addr + 12, v4, sizeof(*v4));
}

/* IPv4 as v4-mapped. 0 or -errno. */
static int tcp_address(int fd, struct in6_addr *ret_host, uint16_t *ret_port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage storage;
    } address = {0};
    socklen_t size = sizeof(address);

    if (getsockname(fd, &address.any, &size) < 0)
        return -errno;
    if (address.any.sa_family == AF_INET6) {
        *ret_host = address.v6.sin6_addr;
        *ret_port = ntohs(address.v6.sin6_port);
        return 0;
    }
    if (address.any.sa_family != AF_INET)
        return -EAFNOSUPPORT;
    map_v4(&address.v4.sin_addr, ret_host);
    *ret_port = ntohs(address.v4.sin_port);
    return 0;
}

static bool same_host(const char *text, const struct in6_addr *host)
{
    struct in6_addr v6;
    struct in_addr v4;

    if (!text) { /* a port alone */
        map_v4(&(struct in_addr){INADDR_ANY}, &v6);
        return IN6_IS_ADDR_UNSPECIFIED(host) || IN6_ARE_ADDR_EQUAL(&v6, host);
    }
    if (inet_pton(AF_INET, text, &v4) == 1)
        map_v4(&v4, &v6);
    else if (inet_pton(AF_INET6, text, &v6) != 1)
        return true; /* a name */
    return IN6_ARE_ADDR_EQUAL(&v6, host);
}

static bool same_address(const Listener *item, const ListenAddress *a)
{
    struct in6_addr host;
    uint16_t port = 0;

    if (item->is_unix)
        return a->kind == LISTEN_UNIX && same_path(a->path, item->text);
    return a->kind == LISTEN_TCP && tcp_address(item->fd, &host, &port) == 0 && port == a->port &&
           same_host(a->host, &host);
}

static bool addresses_differ(const Comparison *c, ListenerKind kind, Mismatch *ret)
{
    bool status = kind == LISTENER_STATUS;
    const ListenAddress *addresses = status ? c->config->status_listen : c->config->listen;
    size_t n = status ? c->config->n_status_listen : c->config->n_listen;
    bool differ = false, named[LISTENERS_MAX] = {0};

    for (size_t i = 0; i < n; i++) {
        bool found = false;

        for (size_t k = 0; k < c->listeners->n; k++)
            if (c->listeners->items[k].kind == kind &&
                same_address(&c->listeners->items[k], &addresses[i]))
                found = named[k] = true;
        differ |= !found;
    }
    for (size_t k = 0; k < c->listeners->n; k++)
        if (c->listeners->items[k].kind == kind) {
            differ |= !named[k];
            append(ret, "%s%s", ret->unit_has[0] ? ", " : "", c->listeners->items[k].text);
        }
    if (!ret->unit_has[0])
        append(ret, "no such socket");
    return differ && n > 0;
}

static bool listen_differs(const Comparison *c, Mismatch *ret)
{
    return addresses_differ(c, LISTENER_REQUESTS, ret);
}

static bool status_listen_differs(const Comparison *c, Mismatch *ret)
{
    return addresses_differ(c, LISTENER_STATUS, ret);
}

/* ---- the socket files ---- */

/* The next socket file from *i on, with its state. Those that the sandbox of the unit hides are
 * passed over. */
static const Listener *next_file(const Listeners *l, size_t *i, struct stat *ret)
{
    while (*i < l->n) {
        const Listener *item = &l->items[(*i)++];

        if (item->is_unix && stat(item->text, ret) == 0 && S_ISSOCK(ret->st_mode))
            return item;
    }
    return NULL;
}

static bool owner_differs(const Comparison *c, Mismatch *ret)
{
    const Listener *item;
    struct stat st;
    char user[64], group[64];

    if (!c->access || c->access->n_acl > 0)
        return false;
    for (size_t i = 0; (item = next_file(c->listeners, &i, &st));) {
        /* A name brings its primary group with it. */
        bool other_group = !c->config->listen_group && c->access->gid != NAMES_NO_ID &&
                           c->access->gid != st.st_gid;

        if (st.st_uid == c->access->uid && !other_group)
            continue;
        names_of_user(st.st_uid, user, sizeof(user));
        names_of_group(st.st_gid, group, sizeof(group));
        append(ret, "%s%s%s of %s", user, other_group ? " with group " : "",
               other_group ? group : "", item->text);
        return true;
    }
    return false;
}

static bool group_differs(const Comparison *c, Mismatch *ret)
{
    const Listener *item;
    struct stat st;
    char group[64];

    if (!c->access || c->access->n_acl > 0)
        return false;
    for (size_t i = 0; (item = next_file(c->listeners, &i, &st));)
        if (st.st_gid != c->access->gid) {
            names_of_group(st.st_gid, group, sizeof(group));
            append(ret, "%s of %s", group, item->text);
            return true;
        }
    return false;
}

/* Where there is an access list the group's bits are its mask. */
static bool mode_differs(const Comparison *c, Mismatch *ret)
{
    const Listener *item;
    struct stat st;

    for (size_t i = 0; (item = next_file(c->listeners, &i, &st));) {
        bool lists = c->config->listen_acl_users.n + c->config->listen_acl_groups.n > 0;
        mode_t bits = lists ? 0707 : 0777;

        if ((st.st_mode & bits) != (c->config->listen_mode & bits)) {
            append(ret, "%04o of %s", (unsigned)st.st_mode & 0777, item->text);
            return true;
        }
    }
    return false;
}

static bool acl_differs(const Comparison *c, bool of_groups, Mismatch *ret)
{
    const Listener *item;
    struct stat st;

    if (!c->access)
        return false;
    for (size_t i = 0; (item = next_file(c->listeners, &i, &st));) {
        _cleanup_free_ AccessEntry *entries = NULL;
        size_t n = 0;

        if (access_read_acl(item->text, &entries, &n) < 0 ||
            access_same_acl(entries, n, c->access->acl, c->access->n_acl, of_groups))
            continue;
        append(ret, "%s access list at %s", n > 0 ? "another" : "no", item->text);
        return true;
    }
    return false;
}

static bool acl_users_differ(const Comparison *c, Mismatch *ret)
{
    return acl_differs(c, false, ret);
}

static bool acl_groups_differ(const Comparison *c, Mismatch *ret)
{
    return acl_differs(c, true, ret);
}

/* ---- the queue ---- */

/* The kernel cuts what listen(2) asks for. */
static unsigned cut_by_kernel(unsigned backlog)
{
    _cleanup_free_ char *text = NULL;
    uint64_t max;

    if (fd_read_file(SOMAXCONN_FILE, 64, &text, NULL) < 0)
        return backlog;
    text[strcspn(text, "\n")] = 0;
    return parse_u64(text, 0, UINT32_MAX, &max) == 0 ? MIN(backlog, (unsigned)max) : backlog;
}

static bool backlog_differs(const Comparison *c, Mismatch *ret)
{
    if (c->config->listen_backlog <= 0)
        return false;
    for (size_t i = 0; i < c->listeners->n; i++) {
        const Listener *item = &c->listeners->items[i];
        int has = listener_backlog(c->listeners, item);

        if (item->kind != LISTENER_REQUESTS || has < 0 ||
            (unsigned)has == cut_by_kernel((unsigned)c->config->listen_backlog))
            continue;
        append(ret, "%d of %s", has, item->text);
        return true;
    }
    return false;
}

size_t mismatch_find(const Listeners *l, const PoolConfig *c, Mismatch ret[static MISMATCH_MAX])
{
    static const struct {
        const char *directive;
        bool (*differs)(const Comparison *c, Mismatch *ret);
    } comparisons[] = {
        {"listen", listen_differs},
        {"pm.status_listen", status_listen_differs},
        {"listen.owner", owner_differs},
        {"listen.group", group_differs},
        {"listen.mode", mode_differs},
        {"listen.acl_users", acl_users_differ},
        {"listen.acl_groups", acl_groups_differ},
        {"listen.backlog", backlog_differs},
    };
    _Static_assert(ARRAY_SIZE(comparisons) <= MISMATCH_MAX, "there is room for each");
    _cleanup_(access_done) SocketAccess access = {0};
    _cleanup_free_ char *reason = NULL;
    bool known = access_resolve(c, NAMES_LOCAL, &access, &reason) == 0;
    const Comparison comparison = {l, c, known ? &access : NULL};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(comparisons); i++) {
        Mismatch m = {.directive = comparisons[i].directive};

        if (pool_config_origin(c, m.directive).line > 0 && comparisons[i].differs(&comparison, &m))
            ret[n++] = m;
    }
    return n;
}

void mismatch_report(Manager *m, const PoolConfig *c)
{
    Mismatch found[MISMATCH_MAX];
    size_t n = mismatch_find(&m->listeners, c, found);
    char others[32] = "";

    m->mismatch_note[0] = 0;
    for (size_t i = 0; i < n; i++) {
        const char *directive = found[i].directive, *says = pool_config_text(c, directive);
        ConfigOrigin origin = pool_config_origin(c, directive);
        LogRecord r;

        log_record_begin(&r, LOG_WARNING, LOG_MESSAGE_UNIT_MISMATCH);
        log_record_field(&r, "CONFIG_FILE", "%s", origin.file);
        log_record_field(&r, "CONFIG_LINE", "%u", origin.line);
        log_record_field(&r, "DIRECTIVE", "%s", directive);
        log_record_field(&r, "FILE_SAYS", "%s", says ? says : "");
        log_record_field(&r, "UNIT_HAS", "%s", found[i].unit_has);
        log_record_send(&r,
                        "%s:%u: %s: the file says \"%s\", but the socket unit has %s; \"fpmctl "
                        "apply %s\" and then \"systemctl restart fpmd@%s.socket\" make it fit",
                        origin.file, origin.line, directive, says ? says : "", found[i].unit_has,
                        c->name, c->name);
    }
    if (n == 0)
        return;
    if (n > 1)
        snprintf(others, sizeof(others), " and %zu more", n - 1);
    snprintf(m->mismatch_note, sizeof(m->mismatch_note),
             "%s%s of the file is not that of the "
             "socket unit",
             found[0].directive, others);
}
