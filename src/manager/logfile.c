#include "manager/logfile.h"

#include "base/clock.h"
#include "base/fd.h"
#include "conf/config.h"
#include "log/log.h"
#include "manager/logpath.h"
#include "manager/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Others than our group have no business with what visitors asked for. */
#define MODE      0640

#define LOOK_USEC (1 * USEC_PER_SEC)
#define TELL_USEC (60 * USEC_PER_SEC) /* between two complaints about what cannot be written */

typedef enum LogfileKind {
    LOGFILE_ACCESS,
    LOGFILE_SLOW,
    _LOGFILE_MAX,
} LogfileKind;

static const char *const directives[] = {
    [LOGFILE_ACCESS] = "access.log",
    [LOGFILE_SLOW] = "slowlog",
};

typedef struct SetupFiles {
    int fds[_LOGFILE_MAX];            /* -1: none */
    uint64_t told_usec;               /* of slowlog: that it cannot be written */
    uint64_t lost_usec[_LOGFILE_MAX]; /* that it cannot be opened anew */
} SetupFiles;

/* NULL: there is none. */
static const char *path_of(const PoolConfig *c, LogfileKind kind)
{
    if (kind == LOGFILE_ACCESS)
        return config_access_log_is_journal(c) ? NULL : c->access_log;
    return c->slowlog_timeout_usec > 0 ? c->slowlog : NULL;
}

/* A pipe must hold up neither us nor workers; the descriptor is no terminal's. */
static int open_file(const char *path)
{
    return logpath_open(path, O_WRONLY | O_APPEND | O_CREAT, MODE);
}

static void log_trouble(LogfileKind kind, const char *path, const char *what, const char *reason,
                        const char *follows)
{
    LogRecord r;

    log_record_begin(&r, LOG_ERR, LOG_MESSAGE_LOG_FILE);
    log_record_field(&r, "PATH", "%s", path);
    log_record_field(&r, "REASON", "%s", reason);
    log_record_send(&r, "%s = %s cannot be %s: %s%s", directives[kind], path, what, reason,
                    follows);
}

static const char *what_to_do(LogfileKind kind, int error)
{
    if (error == -ENXIO) /* a socket, or a pipe that nobody reads */
        return "expected a file, or a pipe that somebody reads";
    if (error == -ELOOP)
        return "expected a path without symbolic links of others than root";
    return kind == LOGFILE_ACCESS
               ? "expected a path that the manager's user may write, as below /var/log/fpmd, or "
                 "journal"
               : "expected a path that the manager's user may write, as below /var/log/fpmd";
}

int logfiles_open(PoolSetup *s, ConfigIssues *issues)
{
    int result = 0;

    if (!path_of(s->config, LOGFILE_ACCESS) && !path_of(s->config, LOGFILE_SLOW))
        return 0;
    s->files = calloc(1, sizeof(*s->files));
    if (!s->files)
        return -ENOMEM;
    for (LogfileKind kind = 0; kind < _LOGFILE_MAX; kind++) {
        const char *path = path_of(s->config, kind);
        int fd = path ? open_file(path) : -1;

        s->files->fds[kind] = MAX(fd, -1);
        if (!path || fd >= 0)
            continue;
        result = fd;
        config_issues_add_at(issues, CONFIG_ERROR, s->config, directives[kind],
                             "'%s' cannot be opened: %s, %s", path, strerror(-fd),
                             what_to_do(kind, fd));
    }
    return result;
}

void logfiles_adopt(PoolSetup *s)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};

    logfiles_open(s, &issues);
    for (size_t i = 0; i < issues.n; i++)
        log_text(LOG_ERR, LOG_MESSAGE_LOG_FILE, "%s: %s", issues.items[i].directive,
                 issues.items[i].text);
}

void logfiles_setup_done(PoolSetup *s)
{
    for (LogfileKind kind = 0; s->files && kind < _LOGFILE_MAX; kind++)
        fd_close(s->files->fds[kind]);
    free(s->files);
    s->files = NULL;
}

int logfiles_access_fd(const PoolSetup *s)
{
    return s->files ? s->files->fds[LOGFILE_ACCESS] : -1;
}

/* ---- another file under the same name ---- */

/* Who does not read its line now finds the order there later. */
static void tell_setup(Manager *m, const PoolSetup *s)
{
    LinkMessage reopen = {.type = LINK_REOPEN};
    int fd = logfiles_access_fd(s);

    for (const Generation *g = m->generations; g; g = g->next)
        if (g->setup == s && g->link_fd >= 0)
            link_send(g->link_fd, &reopen, &fd, 1);
    for (const Worker *w = m->workers; w; w = w->next)
        if (w->generation->setup == s && w->life_line >= 0)
            link_send(w->life_line, &reopen, &fd, 1);
}

/* Of what is tried again every second: once in a while. */
static bool may_complain(SetupFiles *f, LogfileKind kind)
{
    uint64_t now_usec = clock_monotonic_usec();

    if (f->lost_usec[kind] > 0 && now_usec - f->lost_usec[kind] < TELL_USEC)
        return false;
    f->lost_usec[kind] = now_usec;
    return true;
}

static int reopen(Manager *m, const PoolSetup *s, LogfileKind kind, bool asked)
{
    const char *path = path_of(s->config, kind);
    int fd = open_file(path);

    if (fd < 0) {
        if (asked || may_complain(s->files, kind))
            log_trouble(kind, path, "opened anew", strerror(-fd), "; what was open is written on");
        return fd;
    }
    fd_close(s->files->fds[kind]);
    s->files->fds[kind] = fd;
    if (kind == LOGFILE_ACCESS)
        tell_setup(m, s);
    return 0;
}

/* Whether the path leads to something else than what is open. */
static bool has_moved(const char *path, int fd)
{
    struct stat opened, there;

    if (fstat(fd, &opened) < 0 || !S_ISREG(opened.st_mode))
        return false;
    return stat(path, &there) < 0 ? errno == ENOENT
                                  : there.st_dev != opened.st_dev || there.st_ino != opened.st_ino;
}

/* Generations of one file share their setup. */
static bool was_seen(const Manager *m, const Generation *g)
{
    for (const Generation *k = m->generations; k != g; k = k->next)
        if (k->setup == g->setup)
            return true;
    return false;
}

/* all: whether it has moved or not. */
static int reopen_files(Manager *m, bool all)
{
    int result = 0;

    for (const Generation *g = m->generations; g; g = g->next) {
        const PoolSetup *s = g->setup;

        if (!s->files || was_seen(m, g))
            continue;
        for (LogfileKind kind = 0; kind < _LOGFILE_MAX; kind++) {
            const char *path = path_of(s->config, kind);
            int r;

            if (!path || (!all && !has_moved(path, s->files->fds[kind])))
                continue;
            r = reopen(m, s, kind, all);
            result = result == 0 ? r : result;
        }
    }
    return result;
}

int logfiles_reopen(Manager *m)
{
    log_debug("Log files are opened anew");
    return reopen_files(m, true);
}

void logfiles_look(Manager *m, uint64_t now_usec)
{
    if (now_usec - m->logfiles_looked_usec < LOOK_USEC)
        return;
    m->logfiles_looked_usec = now_usec;
    reopen_files(m, false);
}

void logfiles_write_slow(Manager *m, const PoolSetup *s, const char *text, size_t n)
{
    uint64_t now_usec;
    ssize_t done;

    if (!s->files || s->files->fds[LOGFILE_SLOW] < 0)
        return;
    do
        done = write(s->files->fds[LOGFILE_SLOW], text, n);
    while (done < 0 && errno == EINTR);
    if (done == (ssize_t)n)
        return;
    now_usec = clock_monotonic_usec();
    if (s->files->told_usec > 0 && now_usec - s->files->told_usec < TELL_USEC)
        return;
    s->files->told_usec = now_usec;
    log_trouble(LOGFILE_SLOW, s->config->slowlog, "written",
                done < 0 ? strerror(errno) : "the disk is full", "");
}
