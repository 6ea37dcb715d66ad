#include "conf/directives.h"

#include "base/distance.h"

#include <string.h>
#include <strings.h>

const char *directive_fate_to_string(DirectiveFate fate)
{
    static const char *const names[] = {
        [FATE_HONOURED] = "honoured",
        [FATE_SYSTEMD] = "done by systemd",
        [FATE_REFUSED] = "refused",
    };

    return (unsigned)fate < ARRAY_SIZE(names) ? names[fate] : NULL;
}

const char *directive_group_to_string(DirectiveGroup group)
{
    static const char *const names[] = {
        [GROUP_WHO] = "Who and where",
        [GROUP_LISTENING] = "Listening",
        [GROUP_PROCESSES] = "Processes",
        [GROUP_SCRIPTS] = "What scripts see",
        [GROUP_SANDBOX] = "Sandbox",
        [GROUP_STATUS] = "Status, ping and logs",
        [GROUP_DAEMON] = "Left from a daemon without systemd",
    };

    return (unsigned)group < ARRAY_SIZE(names) ? names[group] : NULL;
}

const char *directive_type_to_string(DirectiveType type)
{
    static const char *const texts[_DIRECTIVE_TYPE_MAX] = {
        [TYPE_NAME] = "a name without blanks, or a number",
        [TYPE_PROGRAM] = "a file name of letters, digits and _ . + -",
        [TYPE_PATH] = "an absolute path",
        [TYPE_PREFIXED] = "a path, absolute or below prefix",
        [TYPE_SCAN_DIRS] = "absolute paths with colons between",
        [TYPE_NAMES] = "names or numbers with blanks or commas between",
        [TYPE_PATHS] = "absolute paths with blanks between",
        [TYPE_CLIENTS] = "addresses or networks (192.0.2.0/24) with blanks or commas between",
        [TYPE_URI] = "a path that begins with '/', of letters, digits and / _ - . ~",
        [TYPE_ADDRESSES] = "paths, ports or host:port with blanks or commas between",
        [TYPE_EXTENSIONS] = "file name extensions like .php with blanks between",
        [TYPE_SYSCALLS] = "names of system calls or @groups, each with + or - before it and blanks "
                          "between",
        [TYPE_GRANTS] = "absolute paths with blanks between ('-' before one that may be missing), "
                        "or none",
        [TYPE_PORTS] = "numbers of ports from 1 to 65535 with blanks or commas between, or none",
        [TYPE_UNSIGNED] = "a number",
        [TYPE_COUNT] = "a number",
        [TYPE_SIGNED] = "a number",
        [TYPE_TIME] = "a time like 10, 10s, 5m, 2h, 1d",
        [TYPE_BOOL] = "yes or no",
        [TYPE_MODE] = "an octal mode like 0660",
        [TYPE_SIZE] = "a number of bytes, with K, M or G if wanted",
        [TYPE_RLIMIT] = "a number of bytes or 'unlimited'",
        [TYPE_FILES] = "a number",
        [TYPE_PM] = "static, dynamic or ondemand",
        [TYPE_SECCOMP] = "strict, default or off",
        [TYPE_LANDLOCK] = "required or if-available",
        [TYPE_SHARING] = "shared or private",
        [TYPE_LOG_LEVEL] = "debug, notice, warning, error or alert",
        [TYPE_FACILITY] = "the name of a syslog facility like daemon or local0",
        [TYPE_URIS] = "a path that begins with '/'",
    };

    return (unsigned)type < ARRAY_SIZE(texts) ? texts[type] : NULL;
}

const Directive *directive_find(const char *name, size_t n)
{
    size_t n_directives;
    const Directive *d = directives_get(&n_directives);

    for (size_t i = 0; i < n_directives; i++)
        if (strlen(d[i].name) == n && strncasecmp(d[i].name, name, n) == 0)
            return d + i;
    return NULL;
}

const char *directive_suggest(const char *name, size_t n)
{
    size_t n_directives;
    const Directive *d = directives_get(&n_directives);
    const char *best = NULL;
    /* A third of the letters may be wrong. */
    unsigned limit = (unsigned)MIN(n / 3, (size_t)4) + 1;

    if (n == 0 || n > TEXT_DISTANCE_MAX)
        return NULL;
    for (size_t i = 0; i < n_directives; i++) {
        unsigned k = text_distance(name, n, d[i].name, strlen(d[i].name));
        const char *dot = strrchr(d[i].name, '.');

        /* Without its first part, and wrong besides: "max_childen". */
        if (dot && !memchr(name, '.', n))
            k = MIN(k, text_distance(name, n, dot + 1, strlen(dot + 1)) + 1);
        if (k < limit) {
            limit = k;
            best = d[i].name;
        }
    }
    return best;
}
