#include "conf/directives.h"
#include "ctl/compare.h"
#include "ctl/match.h"
#include "status/escape.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SLICE "system-fpmd.slice"

/* has: the property's value. */
static bool is_text(const char *has, const char *text)
{
    return strcmp(has, text) == 0;
}

static bool is_notify(const char *has, const char *text)
{
    return strcmp(has, "notify") == 0;
}

/* 0 is none. */
static bool is_on(const char *has, const char *text)
{
    return strcmp(has, "0") != 0 && strcmp(has, "18446744073709551615") != 0;
}

/* Of a pool there are a manager and templates besides the workers; 0 is no limit. */
static bool is_limit(const char *has, const char *text)
{
    return (strcmp(text, "0") == 0) == !is_on(has, text);
}

/* As a number, which is its bits 3 to 9 of syslog(3) shifted down. */
static bool is_facility(const char *has, const char *text)
{
    static const char *const names[] = {"kern", "user", "mail", "daemon", "auth",     "syslog",
                                        "lpr",  "news", "uucp", "cron",   "authpriv", "ftp"};
    uint64_t number = strtoull(has, NULL, 10);

    if (strncasecmp(text, "log_", strlen("log_")) == 0)
        text += strlen("log_");
    if (number >= 16 && number <= 23 && strncasecmp(text, "local", strlen("local")) == 0)
        return (uint64_t)(text[strlen("local")] - '0') == number - 16;
    return number < ARRAY_SIZE(names) && strcasecmp(names[number], text) == 0;
}

/* Directives whose unit setting can be asked for. */
static const struct {
    const char *directive;
    const char *property;
    const char *setting;
    bool of_slice;
    bool (*matches)(const char *has, const char *text);
} properties[] = {
    {"process.max", "TasksMax", "TasksMax", true, is_limit},
    {"syslog.ident", "SyslogIdentifier", "SyslogIdentifier", false, is_text},
    {"syslog.facility", "SyslogFacility", "SyslogFacility", false, is_facility},
    {"systemd_interval", "WatchdogUSec", "WatchdogSec", false, is_on},
    {"pid", "Type", "Type", false, is_notify},
    {"daemonize", "Type", "Type", false, is_notify},
};

static int write_note(Buffer *b, const PoolConfig *c, const char *directive, const char *text)
{
    ConfigOrigin origin = pool_config_origin(c, directive);
    int r = escape_text(b, origin.file ? origin.file : c->path);

    if (r == 0)
        r = buffer_printf(b, ":%u: note: %s: ", origin.line, directive);
    if (r == 0)
        r = escape_text(b, text);
    return r < 0 ? r : buffer_append(b, "\n", 1);
}

static bool is_about_systemd(const ConfigIssue *issue)
{
    const Directive *d =
        issue->directive ? directive_find(issue->directive, strlen(issue->directive)) : NULL;

    return d && d->fate == FATE_SYSTEMD && issue->severity == CONFIG_WARNING;
}

static void issue_remove(ConfigIssues *issues, size_t i)
{
    ConfigIssue *issue = &issues->items[i];

    free(issue->file);
    free(issue->directive);
    free(issue->text);
    memmove(issue, issue + 1, (--issues->n - i) * sizeof(*issue));
}

/* 1: it is a note now, and no longer an issue. 0: it stays. -ENOMEM. */
static int ask(Units *units, const PoolConfig *c, ConfigIssue *issue, Buffer *notes)
{
    const char *text = pool_config_text(c, issue->directive);
    _cleanup_free_ char *has = NULL, *said = NULL;
    char name[256];
    bool is_time;
    size_t i = 0;
    int r = 0;

    while (i < ARRAY_SIZE(properties) && strcmp(properties[i].directive, issue->directive) != 0)
        i++;
    if (i == ARRAY_SIZE(properties) || !text)
        return 0;
    unit_name(UNIT_SERVICE, c->name, name);
    has = match_read(&(UnitView){units, properties[i].of_slice ? SLICE : name},
                     properties[i].property, &r);
    if (!has)
        return r == -ENOMEM ? r : 0;
    is_time = strcmp(properties[i].property, "WatchdogUSec") == 0;
    /* A watchdog is only known of while it runs. */
    if (is_time && !is_on(has, text))
        return 0;
    if (is_time)
        has[MAX(strlen(has), strlen("000000")) - strlen("000000")] = 0;
    if (asprintf(&said, "is done by systemd: %s has %s=%s%s", properties[i].of_slice ? SLICE : name,
                 properties[i].setting, is_on(has, "") ? has : "infinity",
                 properties[i].matches(has, text) ? "" : ", which is not what this says") < 0) {
        said = NULL;
        return -ENOMEM;
    }
    if (properties[i].matches(has, text)) {
        r = write_note(notes, c, issue->directive, said);
        return r < 0 ? r : 1;
    }
    free(issue->text);
    issue->text = TAKE_PTR(said);
    return 0;
}

/* Directives of the file of which no issue speaks. */
static int tell_rest(const PoolConfig *c, const ConfigIssues *issues, Buffer *notes)
{
    size_t n;
    const Directive *d = directives_get(&n);
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        bool spoken = pool_config_origin(c, d[i].name).line == 0;
        _cleanup_free_ char *text = NULL;

        for (size_t k = 0; !spoken && k < issues->n; k++)
            spoken =
                issues->items[k].directive && strcmp(issues->items[k].directive, d[i].name) == 0;
        if (spoken)
            continue;
        if (asprintf(&text, "%s%s%s", directive_fate_to_string(d[i].fate), d[i].instead ? ": " : "",
                     d[i].instead ? d[i].instead : "") < 0) {
            text = NULL;
            return -ENOMEM;
        }
        r = write_note(notes, c, d[i].name, text);
    }
    return r;
}

int fates_tell(Units *units, const PoolConfig *c, bool verbose, ConfigIssues *issues, Buffer *notes)
{
    int r = 0;

    for (size_t i = 0; units && i < issues->n;) {
        r = is_about_systemd(&issues->items[i]) ? ask(units, c, &issues->items[i], notes) : 0;
        if (r < 0)
            return r;
        if (r == 1)
            issue_remove(issues, i);
        else
            i++;
    }
    return verbose ? tell_rest(c, issues, notes) : 0;
}
