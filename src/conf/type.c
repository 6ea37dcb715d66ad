#include "conf/setting.h"
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

/* Parsers of the types: text to number (types without number leave it alone). */
typedef int (*TypeParser)(const Directive *d, const char *text, uint64_t *ret);

typedef struct Word {
    const char *name;
    int value;
} Word;

static int parse_word(const Word *words, size_t n, const char *text, uint64_t *ret)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(words[i].name, text) == 0) {
            *ret = (uint64_t)words[i].value;
            return 0;
        }
    return -EINVAL;
}

static int type_unsigned(const Directive *d, const char *text, uint64_t *ret)
{
    return parse_u64(text, (uint64_t)d->min, (uint64_t)d->max, ret);
}

/* The number travels as two's complement. */
static int type_signed(const Directive *d, const char *text, uint64_t *ret)
{
    bool negative = text[0] == '-';
    uint64_t number;
    int64_t value;
    int r = parse_u64(text + negative, 0, INT64_MAX, &number);

    if (r < 0)
        return r;
    value = negative ? -(int64_t)number : (int64_t)number;
    if (value < d->min || value > d->max)
        return -ERANGE;
    *ret = (uint64_t)value;
    return 0;
}

/* PHP-FPM takes blanks before the unit. */
static int type_time(const Directive *d, const char *text, uint64_t *ret)
{
    size_t n = strspn(text, "0123456789"), skip = strspn(text + n, " \t");
    char compact[32];
    uint64_t usec;
    int r;

    if (n >= sizeof(compact) || strlen(text + n + skip) >= sizeof(compact) - n)
        return n > 20 ? -ERANGE : -EINVAL;
    strcpy(mempcpy(compact, text, n), text + n + skip);
    r = parse_usec(compact, &usec);
    if (r < 0)
        return r;
    if (usec < (uint64_t)d->min || usec > (uint64_t)d->max)
        return -ERANGE;
    *ret = usec;
    return 0;
}

static int type_bool(const Directive *d, const char *text, uint64_t *ret)
{
    bool value;
    int r;

    /* A bare null is an empty text for PHP's scanner. */
    r = parse_bool(strcasecmp(text, "null") == 0 ? "" : text, &value);
    if (r == 0)
        *ret = value;
    return r;
}

static int type_mode(const Directive *d, const char *text, uint64_t *ret)
{
    unsigned mode;
    int r = parse_mode(text, &mode);

    if (r == 0)
        *ret = mode;
    return r;
}

static int type_rlimit(const Directive *d, const char *text, uint64_t *ret)
{
    if (strcasecmp(text, "unlimited") == 0) {
        *ret = RLIMIT_UNLIMITED;
        return 0;
    }
    return type_unsigned(d, text, ret);
}

static int type_size(const Directive *d, const char *text, uint64_t *ret)
{
    uint64_t bytes;
    int r = parse_size(text, &bytes);

    if (r < 0)
        return r;
    if (bytes < (uint64_t)d->min || bytes > (uint64_t)d->max)
        return -ERANGE;
    *ret = bytes;
    return 0;
}

static int type_files(const Directive *d, const char *text, uint64_t *ret)
{
    int r = type_unsigned(d, text, ret);

    if (r == 0 && *ret == 0)
        *ret = RLIMIT_KEEP;
    return r;
}

static int type_pm(const Directive *d, const char *text, uint64_t *ret)
{
    static const Word words[] = {
        {"static", POOL_MODE_STATIC},
        {"dynamic", POOL_MODE_DYNAMIC},
        {"ondemand", POOL_MODE_ONDEMAND},
    };

    return parse_word(words, ARRAY_SIZE(words), text, ret);
}

static int type_seccomp(const Directive *d, const char *text, uint64_t *ret)
{
    static const Word words[] = {
        {"strict", SANDBOX_SECCOMP_STRICT},
        {"default", SANDBOX_SECCOMP_DEFAULT},
        {"off", SANDBOX_SECCOMP_OFF},
    };

    return parse_word(words, ARRAY_SIZE(words), text, ret);
}

static int type_landlock(const Directive *d, const char *text, uint64_t *ret)
{
    static const Word words[] = {{"required", false}, {"if-available", true}};

    return parse_word(words, ARRAY_SIZE(words), text, ret);
}

static int type_sharing(const Directive *d, const char *text, uint64_t *ret)
{
    static const Word words[] = {{"shared", false}, {"private", true}};

    return parse_word(words, ARRAY_SIZE(words), text, ret);
}

/* PHP-FPM's "notice" is its level of normal operation, which is "info" in syslog's words. */
static int type_log_level(const Directive *d, const char *text, uint64_t *ret)
{
    static const Word words[] = {
        {"debug", LOG_DEBUG},  {"notice", LOG_INFO}, {"warning", LOG_WARNING},
        {"warn", LOG_WARNING}, {"error", LOG_ERR},   {"alert", LOG_ALERT},
    };

    return parse_word(words, ARRAY_SIZE(words), text, ret);
}

static int type_facility(const Directive *d, const char *text, uint64_t *ret)
{
    static const Word words[] = {
        {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON},
        {"daemon", LOG_DAEMON}, {"ftp", LOG_FTP},           {"kern", LOG_KERN},
        {"lpr", LOG_LPR},       {"mail", LOG_MAIL},         {"news", LOG_NEWS},
        {"syslog", LOG_SYSLOG}, {"user", LOG_USER},         {"uucp", LOG_UUCP},
        {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},     {"local2", LOG_LOCAL2},
        {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},     {"local5", LOG_LOCAL5},
        {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},
    };

    return parse_word(words, ARRAY_SIZE(words), text, ret);
}

static int type_name(const Directive *d, const char *text, uint64_t *ret)
{
    return strpbrk(text, " \t:,/") || text[0] == '-' ? -EINVAL : 0;
}

static int type_program(const Directive *d, const char *text, uint64_t *ret)
{
    if (text[0] == '.')
        return -EINVAL;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("_.+-", *text))
            return -EINVAL;
    return 0;
}

static int type_path(const Directive *d, const char *text, uint64_t *ret)
{
    return text[0] == '/' ? 0 : -EINVAL;
}

static int type_scan_dirs(const Directive *d, const char *text, uint64_t *ret)
{
    for (const char *p = text; p; p = strchr(p, ':')) {
        p += *p == ':';
        if (*p != '/')
            return -EINVAL;
    }
    return 0;
}

static int type_uri(const Directive *d, const char *text, uint64_t *ret)
{
    if (text[0] != '/')
        return -EINVAL;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("/_-.~", *text))
            return -EINVAL;
    return 0;
}

static int type_addresses(const Directive *d, const char *text, uint64_t *ret)
{
    ListenAddress *addresses;
    size_t n;
    int r = listen_parse(text, &addresses, &n);

    if (r == 0)
        listen_free(addresses, n);
    return r;
}

static int type_clients(const Directive *d, const char *text, uint64_t *ret)
{
    ClientRange *ranges;
    size_t n;
    int r = clients_parse(text, &ranges, &n);

    if (r == 0)
        free(ranges);
    return r;
}

/* Each of the words by the parser of one. */
static int each_word(const Directive *d, const char *text, const char *separators, TypeParser parse)
{
    _cleanup_free_ char *copy = strdup(text);
    char *state = NULL;
    uint64_t ignored;

    if (!copy)
        return -ENOMEM;
    for (char *w = strtok_r(copy, separators, &state); w; w = strtok_r(NULL, separators, &state))
        if (parse(d, w, &ignored) < 0)
            return -EINVAL;
    return 0;
}

static int type_names(const Directive *d, const char *text, uint64_t *ret)
{
    return each_word(d, text, " \t,", type_name);
}

static int type_paths(const Directive *d, const char *text, uint64_t *ret)
{
    return each_word(d, text, " \t", type_path);
}

static int type_grant(const Directive *d, const char *text, uint64_t *ret)
{
    return type_path(d, text + (text[0] == '-'), ret);
}

static int type_grants(const Directive *d, const char *text, uint64_t *ret)
{
    return strcmp(text, "none") == 0 ? 0 : each_word(d, text, " \t", type_grant);
}

static int type_port(const Directive *d, const char *text, uint64_t *ret)
{
    return parse_u64(text, 1, UINT16_MAX, ret);
}

static int type_ports(const Directive *d, const char *text, uint64_t *ret)
{
    return strcmp(text, "none") == 0 ? 0 : each_word(d, text, " \t,", type_port);
}

/* Whether there is such a call or group is known to check_sandbox(), which names it. */
static int type_syscall(const Directive *d, const char *text, uint64_t *ret)
{
    if (*text != '+' && *text != '-')
        return -EINVAL;
    text++;
    text += *text == '@';
    if (!*text)
        return -EINVAL;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && *text != '_' && *text != '-')
            return -EINVAL;
    return 0;
}

static int type_syscalls(const Directive *d, const char *text, uint64_t *ret)
{
    return each_word(d, text, " \t", type_syscall);
}

int setting_check(const Directive *d, const char *text, uint64_t *ret_number)
{
    static const TypeParser parsers[_DIRECTIVE_TYPE_MAX] = {
        [TYPE_NAME] = type_name,           [TYPE_PROGRAM] = type_program,
        [TYPE_PATH] = type_path,           [TYPE_SCAN_DIRS] = type_scan_dirs,
        [TYPE_NAMES] = type_names,         [TYPE_PATHS] = type_paths,
        [TYPE_CLIENTS] = type_clients,     [TYPE_URI] = type_uri,
        [TYPE_ADDRESSES] = type_addresses, [TYPE_UNSIGNED] = type_unsigned,
        [TYPE_COUNT] = type_unsigned,      [TYPE_SIGNED] = type_signed,
        [TYPE_TIME] = type_time,           [TYPE_BOOL] = type_bool,
        [TYPE_MODE] = type_mode,           [TYPE_RLIMIT] = type_rlimit,
        [TYPE_FILES] = type_files,         [TYPE_PM] = type_pm,
        [TYPE_LOG_LEVEL] = type_log_level, [TYPE_FACILITY] = type_facility,
        [TYPE_SIZE] = type_size,           [TYPE_URIS] = type_path,
        [TYPE_SECCOMP] = type_seccomp,     [TYPE_LANDLOCK] = type_landlock,
        [TYPE_SHARING] = type_sharing,     [TYPE_SYSCALLS] = type_syscalls,
        [TYPE_GRANTS] = type_grants,       [TYPE_PORTS] = type_ports,
    };

    return parsers[d->type] ? parsers[d->type](d, text, ret_number) : 0;
}
