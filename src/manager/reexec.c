#include "base/exit_status.h"
#include "base/fd.h"
#include "link/control.h"
#include "log/log.h"
#include "manager/spawn.h"
#include "manager/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Another program file takes over in the same process. execve(2) has no way back, so the new
 * program first proves, as a child and with nothing but the state, that it understands it.
 *
 *   asked ──check──> proved ──settle, signals──> written anew, execve
 *                └─> refused: the present program goes on
 *
 * The proof is given while the pool goes on as ever; the state that counts is written after it.
 */

/* It reads a text. Who needs longer is another program, or hangs. */
#define CHECK_LIMIT_USEC (5 * USEC_PER_SEC)

/* Of the child: the state, and its answer. */
enum { CHECK_STATE_FD = STDERR_FILENO + 1, CHECK_FDS_END };

typedef struct Reexec {
    bool reload_after;
    bool proved;
    char path[PATH_MAX];
    struct stat file;  /* what stood there at the check */
    pid_t pid;         /* of the child, 0: it has ended */
    int answer_fd;     /* what it says */
    char reason[1024]; /* why it cannot take over, "" while that is not known */
    char version[64];
    sd_event_source *limit_source, *change_source;
} Reexec;

/* ---- the program file ---- */

/* What stands now where we were started from. An absolute name is taken as it was given, since it
 * may lead over links to another file than before; else the kernel knows. */
static int program_path(const Manager *m, char path[static PATH_MAX])
{
    static const char deleted[] = " (deleted)"; /* proc(5) */
    const char *given = m->options.argc > 0 ? m->options.argv[0] : "";
    ssize_t n;

    if (given[0] == '/' && strlen(given) < PATH_MAX) {
        memcpy(path, given, strlen(given) + 1);
        return 0;
    }
    n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (n < 0)
        return -errno;
    path[n] = 0;
    if ((size_t)n > strlen(deleted) && strcmp(path + n - strlen(deleted), deleted) == 0)
        path[(size_t)n - strlen(deleted)] = 0;
    return 0;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool reexec_is_due(const Manager *m)
{
    char path[PATH_MAX];
    struct stat runs, now;

    /* One that was refused is looked at again by the next reload. Where nothing stands now, a
     * package is just being replaced, or has been removed. */
    if (m->reexec_refused == m->reload_number + 1 || program_path(m, path) < 0 ||
        stat("/proc/self/exe", &runs) < 0 || stat(path, &now) < 0)
        return false;
    return runs.st_dev != now.st_dev || runs.st_ino != now.st_ino;
}

/* ---- the outcome ---- */

static void reexec_free(Manager *m)
{
    Reexec *x = TAKE_PTR(m->reexec);

    if (!x)
        return;
    if (x->pid > 0)
        kill(-x->pid, SIGKILL);
    sd_event_source_disable_unref(x->limit_source);
    sd_event_source_disable_unref(x->change_source);
    fd_close(x->answer_fd);
    free(x);
}

static void reexec_refuse(Manager *m, const char *reason)
{
    LogRecord r;

    log_record_begin(&r, LOG_ERR, LOG_MESSAGE_REEXEC_REFUSED);
    log_record_field(&r, "REASON", "%s", reason);
    log_record_field(&r, "PROGRAM", "%s", m->reexec ? m->reexec->path : "");
    log_record_send(&r, "The program file cannot take over, this one goes on: %s", reason);
    if (!m->reexec || m->reexec->reload_after)
        m->reexec_refused = m->reload_number + 1;
    control_reply(m, CONTROL_REEXEC, -ENOEXEC, reason);
    reexec_free(m);
    settle_later(m);
}

void reexec_done(Manager *m)
{
    reexec_free(m);
}

/* ---- the state ---- */

/* A sealed memfd, or -errno. */
static int make_state(Manager *m)
{
    _cleanup_(state_done) State s = {0};
    _cleanup_free_ char *notify_path = notifier_path(&m->notifier);
    _cleanup_buffer_ Buffer b = {0};
    static char version[] = FPMD_VERSION;
    int r;

    if (!notify_path && m->notifier.fd >= 0)
        return -ENOMEM;
    r = state_of(m, &s);
    if (r < 0)
        return r;
    s.notify_path = notify_path;
    s.version = version;
    s.orphans_until_usec = orphans_until_usec(&m->orphans);
    r = state_write(&b, &s);
    return r < 0 ? r : fd_make_sealed("fpmd-state", b.data, b.size);
}

/* ---- the check ---- */

typedef struct Check {
    const Reexec *reexec;
    int state_fd;
} Check;

/* In the child. */
static void run_check(int answer_fd, void *userdata)
{
    static char option[] = "--check-state", number[16];
    const Check *check = userdata;
    char *const argv[] = {(char *)check->reexec->path, option, number, NULL};
    const Confinement nothing = {.rlimit_files = RLIMIT_KEEP, .rlimit_core = 0};
    int fds[] = {check->state_fd}, null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    /* A group of its own, to end whatever it starts with it. */
    setsid();
    snprintf(number, sizeof(number), "%d", CHECK_STATE_FD);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(answer_fd, STDOUT_FILENO) < 0 ||
        dup2(answer_fd, STDERR_FILENO) < 0 || fd_arrange(fds, 1, CHECK_STATE_FD) < 0)
        _exit(EXIT_STATUS_FDS);
    if (confine_for_exec(&nothing) != 0)
        _exit(EXIT_STATUS_CAPABILITIES);
    execve(check->reexec->path, argv, environ);
    dprintf(STDERR_FILENO, "it cannot be executed: %s\n", strerror(errno));
    _exit(EXIT_STATUS_EXEC);
}

static int on_check_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
    Manager *m = userdata;
    Reexec *x = m->reexec;

    snprintf(x->reason, sizeof(x->reason), "%.400s did not answer within %llu s", x->path,
             (unsigned long long)(CHECK_LIMIT_USEC / USEC_PER_SEC));
    settle_later(m);
    return 0;
}

static int check_begin(Manager *m)
{
    Reexec *x = m->reexec;
    _cleanup_fd_ int state_fd = make_state(m);
    Check check = {x, state_fd};
    int r;

    if (state_fd < 0)
        return state_fd;
    r = program_path(m, x->path);
    if (r < 0)
        return r;
    if (stat(x->path, &x->file) < 0)
        return -errno;
    r = sd_event_add_time_relative(m->event, &x->limit_source, CLOCK_MONOTONIC, CHECK_LIMIT_USEC, 0,
                                   on_check_limit, m);
    if (r < 0)
        return r;
    r = spawn_child(run_check, &check, &x->answer_fd);
    if (r < 0)
        return r;
    x->pid = r;
    return fd_set_nonblock(x->answer_fd, true);
}

void reexec_ask(Manager *m, bool reload_after)
{
    char reason[256];
    int r;

    if (m->reexec)
        return;
    m->reexec = calloc(1, sizeof(Reexec));
    if (!m->reexec) {
        reexec_refuse(m, strerror(ENOMEM));
        return;
    }
    m->reexec->answer_fd = -1;
    m->reexec->reload_after = reload_after;
    r = check_begin(m);
    if (r == 0)
        return;
    snprintf(reason, sizeof(reason), "%.200s cannot be asked: %s", m->reexec->path, strerror(-r));
    reexec_refuse(m, reason);
}

/* What it said, one line of it. */
static void read_answer(Reexec *x, char *text, size_t size)
{
    ssize_t n = read(x->answer_fd, text, size - 1);

    text[MAX(n, (ssize_t)0)] = 0;
    text[strcspn(text, "\n")] = 0;
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
}

bool reexec_on_exit(Manager *m, pid_t pid, int code, int status)
{
    Reexec *x = m->reexec;
    char answer[256];

    if (!x || x->pid != pid)
        return false;
    x->limit_source = sd_event_source_disable_unref(x->limit_source);
    read_answer(x, answer, sizeof(answer));
    /* What it has left of its own ends too. */
    kill(-pid, SIGKILL);
    x->pid = 0;
    if (x->reason[0])
        ;
    else if (code != CLD_EXITED)
        snprintf(x->reason, sizeof(x->reason), "%.400s died of SIG%s when it was asked", x->path,
                 sigabbrev_np(status) ?: "?");
    else if (status == EXIT_STATUS_OK && strncmp(answer, STATE_PROOF, strlen(STATE_PROOF)) == 0) {
        x->proved = true;
        snprintf(x->version, sizeof(x->version), "%.*s", (int)sizeof(x->version) - 1,
                 answer + strlen(STATE_PROOF));
    } else if (status == EXIT_STATUS_OK)
        snprintf(x->reason, sizeof(x->reason), "%.400s is no fpmd that can take over", x->path);
    else
        snprintf(x->reason, sizeof(x->reason), "%.400s cannot take over (exit status %d%s%s)%s%s",
                 x->path, status, exit_status_to_string(status) ? ", " : "",
                 exit_status_to_string(status) ?: "", answer[0] ? ": " : "", answer);
    settle_later(m);
    return true;
}

/* ---- the change ---- */

static int on_fd(int fd, void *userdata)
{
    return fd_set_cloexec(fd, *(const bool *)userdata);
}

static int hand_over(Manager *m, int state_fd, bool on)
{
    _cleanup_(state_done) State s = {0};
    bool cloexec = !on;
    int r = state_of(m, &s);

    if (r == 0)
        r = state_each_fd(&s, on_fd, &cloexec);
    return r < 0 ? r : fd_set_cloexec(state_fd, cloexec);
}

static void flush_outputs(Manager *m)
{
    for (Worker *w = m->workers; w; w = w->next) {
        output_flush(&w->out);
        output_flush(&w->err);
    }
    for (Generation *g = m->generations; g; g = g->next) {
        output_flush(&g->out);
        output_flush(&g->err);
    }
    output_flush(&m->porter.out);
    output_flush(&m->porter.err);
    log_flush();
}

/* Our arguments without the state that we may have taken over ourselves. The list is freed, its
 * texts belong to the process. */
static char **make_arguments(const Manager *m, char *state_option)
{
    char **argv = calloc((size_t)m->options.argc + 2, sizeof(char *));
    size_t n = 0;

    for (int i = 0; argv && i < m->options.argc; i++)
        if (strncmp(m->options.argv[i], "--state=", strlen("--state=")) != 0)
            argv[n++] = m->options.argv[i];
    if (argv)
        argv[n] = state_option;
    return argv;
}

/* Comes back only when it failed. */
static int execute(Manager *m)
{
    const Reexec *x = m->reexec;
    _cleanup_fd_ int state_fd = -1;
    _cleanup_free_ char **argv = NULL;
    char option[32];
    int r;

    porter_count(m);
    traces_cancel(m, NULL);
    flush_outputs(m);
    state_fd = make_state(m);
    if (state_fd < 0)
        return state_fd;
    snprintf(option, sizeof(option), "--state=%d", state_fd);
    argv = make_arguments(m, option);
    if (!argv)
        return -ENOMEM;
    r = hand_over(m, state_fd, true);
    if (r == 0) {
        notifier_send(&m->notifier, "WATCHDOG=1");
        execve(x->path, argv, environ);
        r = -errno;
    }
    hand_over(m, state_fd, false);
    return r;
}

static int on_change(sd_event_source *source, void *userdata)
{
    Manager *m = userdata;
    Reexec *x = m->reexec;
    struct stat now;
    char reason[1024];
    int r;

    if (m->state != MANAGER_READY || m->coming || !m->current)
        r = -EBUSY;
    else if (stat(x->path, &now) < 0)
        r = -errno;
    else if (!is_same_file(&now, &x->file))
        r = -ESTALE;
    else
        r = execute(m);
    snprintf(reason, sizeof(reason), "%.400s (fpmd %.64s) could take over, but: %s", x->path,
             x->version,
             r == -EBUSY    ? "the pool does something else by now"
             : r == -ESTALE ? "the file has changed since it was asked"
                            : strerror(-r));
    reexec_refuse(m, reason);
    return 0;
}

/* Behind the signals: one that the loop has read but not passed on yet would be lost, and with it
 * a stop or a reload. Those that come later wait in the kernel for the new program. */
static int change_later(Manager *m)
{
    Reexec *x = m->reexec;
    int r = sd_event_add_defer(m->event, &x->change_source, on_change, m);

    return r < 0 ? r : sd_event_source_set_priority(x->change_source, PRIORITY_SIGNAL + 1);
}

void reexec_step(Manager *m)
{
    Reexec *x = m->reexec;
    char reason[1024];

    if (!x->reason[0] && x->proved && !x->change_source && change_later(m) < 0)
        snprintf(x->reason, sizeof(x->reason), "not enough memory");
    if (!x->reason[0])
        return;
    snprintf(reason, sizeof(reason), "%s", x->reason);
    reexec_refuse(m, reason);
}
