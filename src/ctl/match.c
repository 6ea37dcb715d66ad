#include "ctl/match.h"
#include "base/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

char *match_read(const UnitView *unit, const char *property, int *ret_error)
{
    _cleanup_buffer_ Buffer b = {0};
    char *text;
    int r = units_read(unit->units, unit->name, property, &b);

    text = r < 0 ? NULL : buffer_steal(&b);
    if (!text)
        *ret_error = r < 0 ? r : -ENOMEM;
    return text;
}

bool match_word(const char *text, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = text; (p = strstr(p, word)); p++)
        if ((p == text || strchr(" \n", p[-1])) && strchr(" \n", p[n]))
            return true;
    return false;
}

static bool is_same(const char *has, const UnitSetting *s)
{
    return strcmp(has, s->plain ? s->plain : s->value) == 0;
}

static bool is_mode(const char *has, const UnitSetting *s)
{
    return strtoul(has, NULL, 10) == strtoul(s->value, NULL, 8);
}

static bool has_capability(const char *has, const UnitSetting *s)
{
    return strtoull(has, NULL, 10) >> CAP_SYS_CHROOT & 1;
}

/* "0 a\nb": these are denied; "1 a\nb": these are allowed; "0 ": no filter. The value: names. */
static bool allows_calls(const char *has, const UnitSetting *s)
{
    _cleanup_free_ char *names = strdup(s->value);
    char *save = NULL;

    for (char *name = names ? strtok_r(names, " ", &save) : NULL; name;
         name = strtok_r(NULL, " ", &save))
        if ((*has == '1') != match_word(has + 1, name))
            return false;
    return true;
}

/* Of SOFT:HARD the hard one; the soft one is ours to raise. */
static bool is_limit_enough(const char *has, const UnitSetting *s)
{
    const char *colon = strchr(s->value, ':'), *hard = colon ? colon + 1 : s->value;
    uint64_t limit = strtoull(has, NULL, 10);

    return limit == UINT64_MAX ||
           (strcmp(hard, "infinity") != 0 && limit >= strtoull(hard, NULL, 10));
}

/* Which paths can be seen is looked at one by one. */
static bool shows_homes(const char *has, const UnitSetting *s)
{
    return strcmp(has, "no") == 0 || strcmp(has, "read-only") == 0 || strcmp(has, s->value) == 0;
}

static bool has_word(const char *has, const UnitSetting *s)
{
    return match_word(has, s->value);
}

/* The words of the command line, of which systemd keeps path and arguments; "$$" stays as it is
 * until the command runs. */
static bool has_command(const char *has, const UnitSetting *s)
{
    _cleanup_free_ char *plain = strdup(s->value), *flat = strdup(has);
    char *out = plain;

    if (!plain || !flat)
        return true;
    for (const char *p = s->value; *p; p++) {
        if (*p == '"')
            continue;
        /* The folder of the user's sockets, which only systemd knows here. */
        if (*p == '%' && p[1] == 't')
            break;
        if ((*p == '\\' || (*p == '%' && p[1] == '%')) && p[1])
            p++;
        *out++ = *p;
    }
    *out = 0;
    for (char *p = flat; *p; p++)
        if (*p == '\n')
            *p = ' ';
    return strstr(flat, plain) != NULL;
}

/* Every controller that is asked for; more do no harm. */
static bool has_controllers(const char *has, const UnitSetting *s)
{
    _cleanup_free_ char *names = strdup(s->value);
    char *save = NULL;

    for (char *name = names ? strtok_r(names, " ", &save) : NULL; name;
         name = strtok_r(NULL, " ", &save))
        if (!match_word(has, name))
            return false;
    return true;
}

static bool is_no(const char *has, const UnitSetting *s)
{
    return strcmp(has, "0") == 0 || strcmp(has, "no") == 0;
}

/* The property is the kinds of namespaces that may be made; "no" restricts none. */
static bool makes_namespaces(const char *has, const UnitSetting *s)
{
    const uint64_t all = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS |
                         CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS;

    return (strtoull(has, NULL, 10) & all) == all;
}

static const struct {
    const char *name;
    bool (*matches)(const char *has, const UnitSetting *s);
} properties[] = {
    {"SocketUser", is_same},
    {"SocketGroup", is_same},
    {"SocketMode", is_mode},
    {"Backlog", is_same},
    {"BindIPv6Only", is_same},
    {"ExecStartPost", has_command},
    {"AmbientCapabilities", has_capability},
    {"CapabilityBoundingSet", has_capability},
    {"SystemCallFilter", allows_calls},
    {"RestrictNamespaces", makes_namespaces},
    {"Nice", is_same},
    {"Delegate", has_controllers},
    {"ProtectControlGroups", is_no},
    {"LimitNOFILE", is_limit_enough},
    {"LimitCORE", is_limit_enough},
    {"ProtectHome", shows_homes},
    {"Wants", has_word},
    {"After", has_word},
};

/* Whether one of the paths, with a line for each and its first word, covers path. */
static bool covers(const char *list, const char *path)
{
    bool found = false;

    for (const char *p = list; !found && *p;) {
        size_t n = strcspn(p, "\n");
        _cleanup_free_ char *line = strndup(p + strspn(p, "-+"), n - strspn(p, "-+"));

        if (line && *line == '/') {
            /* A path has no end that one could tell from the words behind it; a parent ends
             * there or goes on with a slash. */
            char *end = strstr(line, " /");

            if (end)
                *end = 0;
            found = path_is_below(path, line);
        }
        p += n + (p[n] == '\n');
    }
    return found;
}

/* Whether the service sees a path behind ProtectHome= (or in the machine's own /tmp), and may write
 * there. */
static int match_bind(const UnitView *unit, const UnitSetting *s)
{
    bool write = strcmp(s->name, "BindPaths") == 0,
         home = strncmp(s->plain, "/tmp", 4) != 0 && strncmp(s->plain, "/var/", 5) != 0;
    int r = 0;
    _cleanup_free_ char *protect = match_read(unit, home ? "ProtectHome" : "PrivateTmp", &r);
    _cleanup_free_ char *binds = match_read(unit, "BindPaths", &r);
    _cleanup_free_ char *reads = match_read(unit, "BindReadOnlyPaths", &r);
    _cleanup_free_ char *writes = match_read(unit, "ReadWritePaths", &r);

    if (!protect || !binds || !reads || !writes)
        return r;
    if (strcmp(protect, home ? "no" : "0") == 0 || covers(binds, s->plain))
        return 1;
    if (write)
        return strcmp(protect, "read-only") == 0 && covers(writes, s->plain);
    return strcmp(protect, "read-only") == 0 || covers(reads, s->plain);
}

static int match_write(const UnitView *unit, const UnitSetting *s)
{
    int r = 0;
    _cleanup_free_ char *system = match_read(unit, "ProtectSystem", &r);
    _cleanup_free_ char *writes = match_read(unit, "ReadWritePaths", &r);

    if (!system || !writes)
        return r;
    return strcmp(system, "strict") != 0 || covers(writes, s->plain);
}

int match_setting(const UnitView *unit, const UnitSetting *s)
{
    int r = 0;

    if (strcmp(s->name, "BindPaths") == 0 || strcmp(s->name, "BindReadOnlyPaths") == 0)
        return match_bind(unit, s);
    if (strcmp(s->name, "ReadWritePaths") == 0)
        return match_write(unit, s);
    for (size_t i = 0; i < ARRAY_SIZE(properties); i++) {
        _cleanup_free_ char *has = NULL;

        if (strcmp(s->name, properties[i].name) != 0)
            continue;
        /* The property of that name is only a yes or no. */
        has = match_read(unit, strcmp(s->name, "Delegate") == 0 ? "DelegateControllers" : s->name,
                         &r);
        return has ? properties[i].matches(has, s) : r;
    }
    return 0;
}

/* "Stream ADDRESS" lines to words. */
static char *listed(const char *has)
{
    _cleanup_buffer_ Buffer b = {0};
    const char *p = has;

    while (*p) {
        size_t n = strcspn(p, "\n"), kind = strcspn(p, " ");

        if (n > kind && buffer_printf(&b, "%s%.*s", b.size > 0 ? " " : "", (int)(n - kind) - 1,
                                      p + kind + 1) < 0)
            return NULL;
        p += n + (p[n] == '\n');
    }
    return buffer_steal(&b);
}

int match_listen(const UnitView *unit, const ListenAddress *addresses, size_t n, char **ret_has)
{
    _cleanup_free_ char *words = NULL;
    size_t n_has = 0;
    bool all = true;
    int r = 0;
    _cleanup_free_ char *has = match_read(unit, "Listen", &r);

    words = has ? listed(has) : NULL;
    if (!words)
        return r < 0 ? r : -ENOMEM;
    for (const char *p = has; *p; p += strcspn(p, "\n") + (p[strcspn(p, "\n")] == '\n'))
        n_has++;
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *address = NULL;

        r = unit_listen_address(&addresses[i], &address);
        if (r == -ENOMEM)
            return r;
        all &= r == 0 && match_word(words, address);
    }
    *ret_has = TAKE_PTR(words);
    return all && n_has == n;
}
