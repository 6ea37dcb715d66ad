#include "manager/lookup.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/exit_status.h"
#include "base/fd.h"
#include "base/parse.h"
#include "manager/spawn.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOKUP_LIMIT_MSEC 10000
#define ANSWER_MAX        (1024 * 1024)

typedef struct Question {
    const PoolConfig *config;
    bool privileged;
} Question;

/* ---- the child: findings as NUL-terminated texts, each kind followed by its fields ---- */

static int put(Buffer *b, const char *text)
{
    return buffer_append(b, text ? text : "", strlen(text ? text : "") + 1);
}

static int put_number(Buffer *b, const char *kind, uint64_t number)
{
    int r = put(b, kind);

    if (r == 0)
        r = buffer_printf(b, "%llu", (unsigned long long)number);
    return r < 0 ? r : buffer_append(b, "", 1);
}

static int put_ids(Buffer *b, const PoolIds *ids)
{
    int r = put_number(b, "uid", ids->uid);

    if (r == 0)
        r = put_number(b, "gid", ids->gid);
    if (r == 0)
        r = put_number(b, "keep", ids->keep);
    for (size_t i = 0; i < ids->n_groups && r == 0; i++)
        r = put_number(b, "group", ids->groups[i]);
    if (r == 0 && ids->user_name)
        r = put(b, "user") ?: put(b, ids->user_name);
    if (r == 0 && ids->home)
        r = put(b, "home") ?: put(b, ids->home);
    return r;
}

static int put_issue(Buffer *b, const ConfigIssue *issue)
{
    int r = put_number(b, "issue", issue->severity);

    if (r == 0)
        r = put_number(b, "line", issue->line);
    return r ?: put(b, issue->file) ?: put(b, issue->directive) ?: put(b, issue->text);
}

static void write_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, data, n);

        if (k <= 0)
            return;
        data += k;
        n -= (size_t)k;
    }
}

_noreturn_ static void answer(int fd, void *userdata)
{
    const Question *q = userdata;
    Confinement nothing = {.rlimit_files = RLIMIT_KEEP, .rlimit_core = RLIMIT_KEEP};
    ConfigIssues issues = {0};
    PoolIds ids = {0};
    Buffer b = {0};
    int r, status = confine_for_exec(&nothing);

    if (status != 0)
        _exit(status);
    r = config_resolve_ids(q->config, q->privileged, &issues, &ids);
    if (put_number(&b, "result", (uint64_t)-r) < 0 || (r == 0 && put_ids(&b, &ids) < 0))
        _exit(1);
    for (size_t i = 0; i < issues.n; i++)
        if (put_issue(&b, &issues.items[i]) < 0)
            _exit(1);
    if (put(&b, "end") < 0)
        _exit(1);
    write_all(fd, b.data, b.size);
    _exit(0);
}

/* ---- the manager's side ---- */

static int read_answer(int fd, Buffer *b)
{
    uint64_t end_usec = clock_monotonic_usec() + LOOKUP_LIMIT_MSEC * USEC_PER_MSEC;

    for (;;) {
        uint64_t now_usec = clock_monotonic_usec();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (now_usec >= end_usec || poll(&p, 1, (int)((end_usec - now_usec) / 1000) + 1) == 0)
            return -ETIMEDOUT;
        if (b->size > ANSWER_MAX)
            return -EFBIG;
        if (buffer_reserve(b, 4096) < 0)
            return -ENOMEM;
        n = read(fd, b->data + b->size, 4096);
        if (n == 0)
            return 0;
        if (n > 0)
            b->size += (size_t)n;
        else if (errno != EINTR)
            return -errno;
    }
}

/* The next text, or NULL at the end. */
static const char *next(const Buffer *b, size_t *position)
{
    const char *text = b->data + *position;
    const char *end = *position < b->size ? memchr(text, 0, b->size - *position) : NULL;

    if (!end)
        return NULL;
    *position += (size_t)(end - text) + 1;
    return text;
}

static int take_number(const Buffer *b, size_t *position, uint64_t *ret)
{
    const char *text = next(b, position);

    return !text || parse_u64(text, 0, UINT32_MAX, ret) < 0 ? -EBADMSG : 0;
}

static int take_text(const Buffer *b, size_t *position, char **ret)
{
    const char *text = next(b, position);

    if (!text)
        return -EBADMSG;
    free(*ret);
    *ret = strdup(text);
    return *ret ? 0 : -ENOMEM;
}

static int take_group(PoolIds *ids, uint64_t group)
{
    gid_t *grown = reallocarray(ids->groups, ids->n_groups + 1, sizeof(gid_t));

    if (!grown)
        return -ENOMEM;
    ids->groups = grown;
    ids->groups[ids->n_groups++] = (gid_t)group;
    return 0;
}

static int take_issue(const Buffer *b, size_t *position, uint64_t severity, ConfigIssues *issues)
{
    const char *kind = next(b, position), *file, *directive, *text;
    uint64_t line;

    if (!kind || take_number(b, position, &line) < 0)
        return -EBADMSG;
    file = next(b, position);
    directive = next(b, position);
    text = next(b, position);
    if (!file || !directive || !text)
        return -EBADMSG;
    config_issues_add(issues, severity == CONFIG_WARNING ? CONFIG_WARNING : CONFIG_ERROR,
                      *file ? file : NULL, (unsigned)line, *directive ? directive : NULL, "%s",
                      text);
    return 0;
}

/* Returns the child's result, or -EBADMSG for an answer that is not whole. */
static int take_answer(const Buffer *b, ConfigIssues *issues, PoolIds *ids)
{
    size_t position = 0;
    const char *kind;
    int result = -EBADMSG, r = 0;

    while (r == 0 && (kind = next(b, &position))) {
        uint64_t number = 0;

        if (strcmp(kind, "end") == 0)
            return result;
        if (strcmp(kind, "user") == 0 || strcmp(kind, "home") == 0) {
            r = take_text(b, &position, kind[0] == 'u' ? &ids->user_name : &ids->home);
            continue;
        }
        r = take_number(b, &position, &number);
        if (r < 0)
            break;
        if (strcmp(kind, "result") == 0)
            result = -(int)number;
        else if (strcmp(kind, "uid") == 0)
            ids->uid = (uid_t)number;
        else if (strcmp(kind, "gid") == 0)
            ids->gid = (gid_t)number;
        else if (strcmp(kind, "keep") == 0)
            ids->keep = number != 0;
        else if (strcmp(kind, "group") == 0)
            r = take_group(ids, number);
        else if (strcmp(kind, "issue") == 0)
            r = take_issue(b, &position, number, issues);
    }
    return r < 0 ? r : -EBADMSG;
}

/* *ret_step: what of the child's confinement failed, or NULL. */
static int ask(const Question *question, ConfigIssues *issues, PoolIds *ids, const char **ret_step)
{
    _cleanup_buffer_ Buffer b = {0};
    _cleanup_fd_ int fd = -1;
    pid_t pid = spawn_child(answer, (void *)(uintptr_t)question, &fd);
    int r, status = 0;

    if (pid < 0)
        return pid;
    r = read_answer(fd, &b);
    if (r < 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (r == 0 && WIFEXITED(status) && WEXITSTATUS(status) >= EXIT_STATUS_FDS)
        *ret_step = exit_status_to_string(WEXITSTATUS(status));
    return r < 0 ? r : take_answer(&b, issues, ids);
}

int lookup_ids(const PoolConfig *c, bool privileged, ConfigIssues *issues, PoolIds *ret)
{
    const Question question = {c, privileged};
    _cleanup_(pool_ids_done) PoolIds ids = {0};
    const char *step = NULL;
    int r = ask(&question, issues, &ids, &step);

    if (r < 0 && r != -EINVAL)
        config_issues_add_at(issues, CONFIG_ERROR, c, "user",
                             "the user database cannot be asked: %s%s",
                             step ? "its process failed at step " : "", step ?: strerror(-r));
    if (r < 0)
        return r;
    *ret = ids;
    ids = (PoolIds){0};
    return 0;
}
