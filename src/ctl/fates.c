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

static void add_note(ConfigIssues *notes, const PoolConfig *c, const char *directive,
                     const char *text)
{
    config_issues_add_at(notes, CONFIG_WARNING, c, directive, "%s", text);
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
static int ask(Units *units, const PoolConfig *c, ConfigIssue *issue, ConfigIssues *notes)
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
        add_note(notes, c, issue->directive, said);
        return 1;
    }
    free(issue->text);
    issue->text = TAKE_PTR(said);
    return 0;
}

/* Directives that the pool's units carry out, and the setting of theirs that does it. */
static const struct {
    const char *directive;
    const char *setting;
    UnitKind unit;
    bool always; /* also where the units have it as shipped, without a drop-in */
} carried[] = {
    {"chroot", "CapabilityBoundingSet", UNIT_SERVICE, true},
    {"listen", "ListenStream", UNIT_SOCKET, true},
    {"listen.backlog", "Backlog", UNIT_SOCKET, true},
    {"listen.owner", "SocketUser", UNIT_SOCKET, true},
    {"listen.group", "SocketGroup", UNIT_SOCKET, true},
    {"listen.mode", "SocketMode", UNIT_SOCKET, true},
    {"listen.acl_users", "ExecStartPost", UNIT_SOCKET, true},
    {"listen.acl_groups", "ExecStartPost", UNIT_SOCKET, true},
    {"pm.status_listen", "ListenStream", UNIT_STATUS_SOCKET, true},
    {"process.priority", "Nice", UNIT_SERVICE, false},
    {"rlimit_files", "LimitNOFILE", UNIT_SERVICE, false},
    {"rlimit_core", "LimitCORE", UNIT_SERVICE, false},
    {"unit.read_write_paths", "ReadWritePaths", UNIT_SERVICE, true},
    {"unit.read_only_paths", "BindReadOnlyPaths", UNIT_SERVICE, true},
};

/* What a note on one directive is made of. */
typedef struct Teller {
    Units *units; /* NULL: not asked */
    const PoolConfig *config;
    UnitSettings settings;
} Teller;

/* 1: the unit has it. 0: it has not. -errno. */
static int has_setting(const Teller *t, const UnitSetting *s)
{
    const PoolConfig *c = t->config;
    bool status = s->unit == UNIT_STATUS_SOCKET;
    _cleanup_free_ char *has = NULL;
    char name[256];
    UnitView unit = {t->units, name};

    unit_name(s->unit, c->name, name);
    if (strcmp(s->name, "ListenStream") != 0)
        return match_setting(&unit, s);
    return match_listen(&unit, status ? c->status_listen : c->listen,
                        status ? c->n_status_listen : c->n_listen, &has);
}

/* matches: as of has_setting(). */
static const char *verdict(const Teller *t, int matches)
{
    if (!t->units)
        return "; units were not asked";
    if (matches < 0)
        return "; systemd did not answer";
    return matches ? ", as the unit has it" : ", which the unit does not have";
}

/* Of a unit's settings the ties to other units and emptied lists go without saying. */
static bool is_told(const UnitSetting *s, const char *directive)
{
    return strcmp(s->directive, directive) == 0 && s->value[0] && strcmp(s->section, "Unit") != 0;
}

/* "SocketMode=0600 of fpmd@www.socket, as the unit has it"; nothing when nothing is asked. */
static int write_settings(Buffer *b, const Teller *t, const char *directive)
{
    const UnitSetting *before = NULL;
    char name[256];
    int matches = 1, r = 0;

    for (size_t i = 0; r == 0 && i < t->settings.n; i++) {
        const UnitSetting *s = &t->settings.items[i];

        if (!is_told(s, directive))
            continue;
        if (before && before->unit != s->unit) {
            unit_name(before->unit, t->config->name, name);
            r = buffer_printf(b, " of %s", name);
        }
        if (r == 0)
            r = buffer_printf(b, "%s%s=%s", before ? ", " : "", s->name, s->value);
        if (t->units && matches == 1)
            matches = has_setting(t, s);
        before = s;
    }
    if (r < 0 || !before)
        return r;
    unit_name(before->unit, t->config->name, name);
    return buffer_printf(b, " of %s%s", name, verdict(t, matches));
}

/* What the unit has as it was shipped. */
static int write_shipped(Buffer *b, const Teller *t, size_t i)
{
    const PoolConfig *c = t->config;
    bool is_mode = strcmp(carried[i].directive, "listen.mode") == 0;
    char name[256], mode[16] = "";
    UnitSetting s = {.unit = carried[i].unit, .name = carried[i].setting, .value = mode};

    unit_name(carried[i].unit, c->name, name);
    if (is_mode)
        snprintf(mode, sizeof(mode), "%04o", c->listen_mode);
    if (is_mode || strcmp(carried[i].directive, "listen") == 0)
        return buffer_printf(b, "%s=%s of %s%s", s.name,
                             is_mode ? mode : pool_config_text(c, "listen"), name,
                             verdict(t, t->units ? has_setting(t, &s) : 0));
    return buffer_printf(b, "%s= of %s, which needs no drop-in for this", s.name, name);
}

/* The fate of a directive that was given. */
static int write_fate(Buffer *b, const Teller *t, const Directive *d)
{
    _cleanup_buffer_ Buffer asked = {0};
    size_t i = 0;
    int r = write_settings(&asked, t, d->name);

    while (i < ARRAY_SIZE(carried) && strcmp(carried[i].directive, d->name) != 0)
        i++;
    if (r == 0 && asked.size == 0 && i < ARRAY_SIZE(carried) && carried[i].always)
        r = write_shipped(&asked, t, i);
    if (r < 0)
        return r;
    if (asked.size > 0)
        return buffer_printf(b, "%s%.*s",
                             i < ARRAY_SIZE(carried) ? "done by systemd: " : "honoured, with ",
                             (int)asked.size, asked.data);
    return buffer_printf(b, "%s%s%s", directive_fate_to_string(d->fate), d->instead ? ": " : "",
                         d->instead ? d->instead : "");
}

/* Whether there is an issue or a note on the directive. */
static bool is_spoken_of(const char *directive, const ConfigIssues *issues)
{
    for (size_t i = 0; i < issues->n; i++)
        if (issues->items[i].directive && strcmp(issues->items[i].directive, directive) == 0)
            return true;
    return false;
}

/* Directives of the file of which nothing was said. */
static int tell_rest(const Teller *t, const ConfigIssues *issues, ConfigIssues *notes)
{
    size_t n;
    const Directive *d = directives_get(&n);
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        _cleanup_buffer_ Buffer b = {0};
        _cleanup_free_ char *text = NULL;

        if (pool_config_origin(t->config, d[i].name).line == 0 || is_spoken_of(d[i].name, issues) ||
            is_spoken_of(d[i].name, notes))
            continue;
        r = write_fate(&b, t, &d[i]);
        text = r < 0 ? NULL : buffer_steal(&b);
        if (text)
            add_note(notes, t->config, d[i].name, text);
        else if (r == 0)
            r = -ENOMEM;
    }
    return r;
}

static int tell_all(const Ctl *ctl, Units *units, const PoolConfig *c, const ConfigIssues *issues,
                    ConfigIssues *notes)
{
    _cleanup_(config_issues_done) ConfigIssues known = {0};
    Teller t = {.units = units, .config = c};
    int r =
        unit_settings_make(c, ctl->user ? UNIT_SCOPE_USER : UNIT_SCOPE_SYSTEM, &known, &t.settings);

    if (r == 0 || r == -EINVAL)
        r = tell_rest(&t, issues, notes);
    unit_settings_done(&t.settings);
    return r;
}

int fates_tell(const Ctl *ctl, Units *units, const PoolConfig *c, ConfigIssues *issues,
               ConfigIssues *notes)
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
    return ctl->verbose ? tell_all(ctl, units, c, issues, notes) : 0;
}
