#include "unit/private.h"
#include "base/parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SHIPPED_DIR  "/run/fpmd/"
#define SHIPPED_MODE 0660

/* One of the two socket units of a pool: its addresses, and the directive that names them. */
typedef struct SocketUnit {
    UnitKind unit;
    const char *directive;
    const ListenAddress *addresses;
    size_t n;
} SocketUnit;

/* As systemd writes it: units take no names, and show numbers in their shortest form. */
static int tcp_address(const ListenAddress *a, char **ret)
{
    char number[INET6_ADDRSTRLEN] = "::";
    bool is_ipv4 = false;
    int r;

    if (a->host) {
        is_ipv4 = !strchr(a->host, ':');
        if (!a->is_numeric)
            return -EINVAL;
        if (!inet_ntop(is_ipv4 ? AF_INET : AF_INET6, a->address + (is_ipv4 ? 12 : 0), number,
                       sizeof(number)))
            return -errno;
    }
    r = asprintf(ret, is_ipv4 ? "%s:%u" : "[%s]:%u", number, a->port);
    return r < 0 ? -ENOMEM : 0;
}

int unit_listen_address(const ListenAddress *a, char **ret)
{
    char *text;
    int r = 0;

    if (a->kind == LISTEN_UNIX)
        text = strdup(a->path);
    else
        r = tcp_address(a, &text);
    if (r < 0)
        return r;
    if (!text)
        return -ENOMEM;
    *ret = text;
    return 0;
}

/* The path that the socket units, of which none may have a drop-in, give to the pool. */
static bool is_default_path(const PoolConfig *c, const char *path, UnitScope scope,
                            const char *suffix)
{
    static const char users[] = "/run/user/";
    char name[128];

    if (scope == UNIT_SCOPE_USER) {
        if (strncmp(path, users, strlen(users)) != 0)
            return false;
        path += strlen(users);
        path += strspn(path, "0123456789");
    }
    snprintf(name, sizeof(name), "%s%.64s%s", scope == UNIT_SCOPE_USER ? "/fpmd/" : SHIPPED_DIR,
             c->name, suffix);
    return strcmp(path, name) == 0;
}

static bool is_shipped_path(const PoolConfig *c, const char *path)
{
    return is_default_path(c, path, UNIT_SCOPE_SYSTEM, ".sock");
}

/* An even number of backslashes stands for itself. */
static bool ends_in_backslash(const char *text)
{
    size_t n = strlen(text), n_backslashes = 0;

    while (n_backslashes < n && text[n - 1 - n_backslashes] == '\\')
        n_backslashes++;
    return n_backslashes % 2 == 1;
}

/* 0, also when the address cannot be said, which is added to issues; -ENOMEM. */
static int add_address(const PoolConfig *c, const SocketUnit *u, const ListenAddress *a,
                       ConfigIssues *issues, UnitSettings *s)
{
    _cleanup_free_ char *text = NULL;
    int r = unit_listen_address(a, &text);

    if (r == -EINVAL)
        config_issues_add_at(issues, CONFIG_ERROR, c, u->directive,
                             strchr(a->host, '%') ? "'%s' names an interface, and systemd takes "
                                                    "none, expected an address without it"
                                                  : "'%s' has a host name, and systemd takes none, "
                                                    "expected the address of that host",
                             a->text);
    else if (r == 0 && !unit_can_say(text))
        config_issues_add_at(issues, CONFIG_ERROR, c, u->directive,
                             "an address with control characters cannot be given to systemd, "
                             "expected another path");
    else if (r == 0 && ends_in_backslash(text))
        config_issues_add_at(issues, CONFIG_ERROR, c, u->directive,
                             "'%.200s' ends in a backslash, which in a unit joins it with the next "
                             "line, expected another path",
                             a->text);
    else if (r == 0)
        /* No list of words: quotes and blanks mean themselves. */
        r = settings_add_word(s, u->unit, "Socket", "ListenStream", u->directive, "", text, "");
    return r == -EINVAL ? 0 : r;
}

/* The wildcard of IPv6, which shall be that of IPv4 too whatever net.ipv6.bindv6only says. */
static bool is_dual_stack(const ListenAddress *a)
{
    static const uint8_t zero[sizeof(a->address)];

    return a->kind == LISTEN_TCP &&
           (!a->host || (a->is_numeric && memcmp(a->address, zero, sizeof(zero)) == 0));
}

static int add_addresses(const PoolConfig *c, const SocketUnit *u, ConfigIssues *issues,
                         UnitSettings *s)
{
    bool dual = false;
    int r = 0;

    if (u->n == 0 || (u->unit == UNIT_SOCKET && u->n == 1 && u->addresses[0].kind == LISTEN_UNIX &&
                      is_shipped_path(c, u->addresses[0].path)))
        return 0;
    r = settings_add(s, u->unit, "Socket", "ListenStream", u->directive, "%s", "");
    for (size_t i = 0; r == 0 && i < u->n; i++) {
        r = add_address(c, u, &u->addresses[i], issues, s);
        dual |= is_dual_stack(&u->addresses[i]);
    }
    if (r == 0 && dual)
        r = settings_add(s, u->unit, "Socket", "BindIPv6Only", u->directive, "both");
    return r;
}

static bool is_given(const PoolConfig *c, const char *directive)
{
    return pool_config_origin(c, directive).line > 0;
}

static bool has_acl(const PoolConfig *c)
{
    return c->listen_acl_users.n > 0 || c->listen_acl_groups.n > 0;
}

/* The units have a group of their own, which an owner without group and an ACL do not mean. */
static int add_owner(const PoolConfig *c, UnitKind unit, UnitSettings *s)
{
    uint64_t number;
    int r = 0;

    if (c->listen_owner)
        r = settings_add_word(s, unit, "Socket", "SocketUser", "listen.owner", "", c->listen_owner,
                              "");
    if (r == 0 && c->listen_group)
        return settings_add_word(s, unit, "Socket", "SocketGroup", "listen.group", "",
                                 c->listen_group, "");
    /* Of a user's name systemd takes the primary group; a number need not have one, and gets that
     * of PHP-FPM's manager. */
    if (r == 0 && c->listen_owner)
        r = settings_add(s, unit, "Socket", "SocketGroup", "listen.owner", "%s",
                         parse_u64(c->listen_owner, 0, UINT32_MAX - 1, &number) == 0 ? "root" : "");
    return r;
}

/* As with PHP-FPM, an ACL comes instead of owner and group. */
static int add_access(const PoolConfig *c, UnitKind unit, UnitScope scope, ConfigIssues *issues,
                      UnitSettings *s)
{
    static const char *const owners[] = {"listen.owner", "listen.group"};
    int r = 0;

    if (scope == UNIT_SCOPE_USER || has_acl(c)) {
        for (size_t i = 0; unit == UNIT_SOCKET && i < ARRAY_SIZE(owners); i++)
            if (is_given(c, owners[i]))
                config_issues_add_at(issues, CONFIG_WARNING, c, owners[i], "is ignored: %s",
                                     has_acl(c) ? "the ACL of listen.acl_users and "
                                                  "listen.acl_groups comes instead, as in PHP-FPM"
                                                : "a user's systemd can give sockets to nobody "
                                                  "else");
        if (scope == UNIT_SCOPE_SYSTEM)
            r = settings_add(s, unit, "Socket", "SocketGroup",
                             c->listen_acl_users.n > 0 ? "listen.acl_users" : "listen.acl_groups",
                             "root");
    } else
        r = add_owner(c, unit, s);
    if (r == 0 && is_given(c, "listen.mode") && c->listen_mode != SHIPPED_MODE)
        r = settings_add(s, unit, "Socket", "SocketMode", "listen.mode", "%04o", c->listen_mode);
    return r;
}

/* A character of a command line: systemd.service(5) has "$" for variables besides. */
static int write_character(Buffer *b, char c, const char *special)
{
    if (c == '$')
        return buffer_append(b, "$$", 2);
    return unit_escape(b, (const char[]){c, 0}, special);
}

static int write_acl_entries(Buffer *b, const WordList *names, char kind)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < names->n; i++) {
        r = buffer_printf(b, "%s%c:", b->size > 0 ? "," : "", kind);
        for (const char *p = names->items[i]; r == 0 && *p; p++)
            r = write_character(b, *p, " \"'\\:,");
        if (r == 0)
            r = buffer_printf(b, ":rw");
    }
    return r;
}

static int write_argument(Buffer *b, const char *path)
{
    int r = buffer_append(b, " \"", 2);

    for (const char *p = path; r == 0 && *p; p++)
        r = write_character(b, *p, "\"\\");
    return r < 0 ? r : buffer_append(b, "\"", 1);
}

static int write_acl_paths(Buffer *b, const PoolConfig *c, const SocketUnit *u, UnitScope scope)
{
    int r = 0;

    if (u->unit == UNIT_SOCKET && u->n == 0)
        return scope == UNIT_SCOPE_USER ? buffer_printf(b, " %%t/fpmd/%s.sock", c->name)
                                        : buffer_printf(b, " " SHIPPED_DIR "%s.sock", c->name);
    for (size_t i = 0; r == 0 && i < u->n; i++)
        if (u->addresses[i].kind == LISTEN_UNIX)
            r = write_argument(b, u->addresses[i].path);
    return r;
}

/* setfacl counts the mask anew, so that the entries are worth what they say whatever the mode. */
static int add_acl(const PoolConfig *c, const SocketUnit *u, UnitScope scope, UnitSettings *s)
{
    _cleanup_buffer_ Buffer entries = {0}, paths = {0};
    int r = write_acl_entries(&entries, &c->listen_acl_users, 'u');

    if (r == 0)
        r = write_acl_entries(&entries, &c->listen_acl_groups, 'g');
    if (r == 0)
        r = write_acl_paths(&paths, c, u, scope);
    if (r < 0 || paths.size == 0)
        return r;
    return settings_add(s, u->unit, "Socket", "ExecStartPost",
                        c->listen_acl_users.n > 0 ? "listen.acl_users" : "listen.acl_groups",
                        "setfacl -m %.*s%.*s", (int)entries.size, entries.data, (int)paths.size,
                        paths.data);
}

static int make_unit(const PoolConfig *c, const SocketUnit *u, UnitScope scope,
                     ConfigIssues *issues, UnitSettings *s)
{
    int r = add_addresses(c, u, issues, s);

    if (r == 0)
        r = add_access(c, u->unit, scope, issues, s);
    if (r == 0 && has_acl(c))
        r = add_acl(c, u, scope, s);
    if (r == 0 && u->unit == UNIT_SOCKET && is_given(c, "listen.backlog") && c->listen_backlog >= 0)
        r = settings_add(s, u->unit, "Socket", "Backlog", "listen.backlog", "%d",
                         c->listen_backlog);
    return r;
}

/* The status socket comes and goes with the other one, and before it: the service that a connection
 * starts gets both. */
static int tie_status(const PoolConfig *c, UnitSettings *s)
{
    char name[256];
    int r;

    unit_name(UNIT_STATUS_SOCKET, c->name, name);
    r = settings_add(s, UNIT_SOCKET, "Unit", "Wants", "pm.status_listen", "%s", name);
    if (r == 0)
        r = settings_add(s, UNIT_SOCKET, "Unit", "After", "pm.status_listen", "%s", name);
    return r;
}

/* The other socket of the pool, which no directive names, has an address all the same. */
static void check_default(const PoolConfig *c, const SocketUnit *u, const SocketUnit *other,
                          UnitScope scope, ConfigIssues *issues)
{
    const char *suffix = other->unit == UNIT_SOCKET ? ".sock" : ".status.sock";
    char name[256];

    unit_name(other->unit, c->name, name);
    for (size_t i = 0; other->n == 0 && i < u->n; i++)
        if (u->addresses[i].kind == LISTEN_UNIX &&
            is_default_path(c, u->addresses[i].path, scope, suffix))
            config_issues_add_at(issues, CONFIG_ERROR, c, u->directive,
                                 "'%.200s' is where %s listens, expected an address of its own",
                                 u->addresses[i].text, name);
}

int socket_settings_make(const PoolConfig *c, UnitScope scope, ConfigIssues *issues,
                         UnitSettings *s)
{
    SocketUnit main = {UNIT_SOCKET, "listen", c->listen, c->n_listen};
    SocketUnit status = {UNIT_STATUS_SOCKET, "pm.status_listen", c->status_listen,
                         c->n_status_listen};
    int r = make_unit(c, &main, scope, issues, s);

    check_default(c, &main, &status, scope, issues);
    check_default(c, &status, &main, scope, issues);
    if (r == 0 && status.n > 0)
        r = make_unit(c, &status, scope, issues, s);
    if (r == 0 && status.n > 0)
        r = tie_status(c, s);
    return r;
}
