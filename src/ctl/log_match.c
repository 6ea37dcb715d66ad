#include "ctl/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void log_words_done(LogWords *words)
{
    for (size_t i = 0; i < words->n; i++)
        free(words->items[i]);
    free(words->items);
    *words = (LogWords){0};
}

int log_words_add(LogWords *words, const char *format, ...)
{
    char **grown = reallocarray(words->items, words->n + 2, sizeof(*grown));
    va_list args;
    int n;

    if (!grown)
        return -ENOMEM;
    words->items = grown;
    va_start(args, format);
    n = vasprintf(&grown[words->n], format, args);
    va_end(args);
    if (n < 0)
        grown[words->n] = NULL;
    else
        grown[++words->n] = NULL;
    return n < 0 ? -ENOMEM : 0;
}

/* What all alternatives have in common. */
static int add_common(LogWords *words, const LogQuery *q)
{
    int r = 0;

    if (q->message_id)
        r = log_words_add(words, "MESSAGE_ID=%s", q->message_id);
    if (r == 0 && q->request)
        r = log_words_add(words, "REQUEST_ID=%s", q->request);
    return r;
}

static int add_unit(LogWords *words, const LogQuery *q)
{
    int r = words->has_match ? log_words_add(words, "+") : 0;

    words->has_match = true;
    if (r == 0)
        r = log_words_add(words, "%s=fpmd@%s.service",
                          q->user_unit ? "_SYSTEMD_USER_UNIT" : "_SYSTEMD_UNIT", q->pool);
    return r;
}

/* Of one program, also after an update has replaced its file. name: under which it speaks; NULL:
 * any. A worker sends records under any name; those that are not its own look to readers as if
 * they were of the manager. */
static int add_program(LogWords *words, const LogQuery *q, const char *path, const char *name)
{
    int r = add_unit(words, q);

    if (r == 0)
        r = log_words_add(words, "_EXE=%s", path);
    if (r == 0)
        r = log_words_add(words, "_EXE=%s (deleted)", path);
    if (r == 0 && name)
        r = log_words_add(words, "SYSLOG_IDENTIFIER=%s", name);
    return r < 0 ? r : add_common(words, q);
}

static int add_manager(LogWords *words, const LogQuery *q)
{
    int r = add_program(words, q, q->manager, NULL);

    if (r == 0 && q->manager_uid != (uid_t)-1)
        r = log_words_add(words, "_UID=%u", (unsigned)q->manager_uid);
    return r;
}

/* "fpmd-php" of ".../php8.2". */
static int add_runtime(LogWords *words, const LogQuery *q)
{
    const char *slash = strrchr(q->runtime, '/'), *base = slash ? slash + 1 : q->runtime;
    char name[64];

    snprintf(name, sizeof(name), "fpmd-%.*s", (int)strcspn(base, "0123456789"), base);
    return add_program(words, q, q->runtime, name);
}

/* What systemd says of the units: it is process 1, or the manager of the user. */
static int add_systemd(LogWords *words, const LogQuery *q)
{
    static const char *const kinds[][2] = {
        {"fpmd", "service"}, {"fpmd", "socket"}, {"fpmd-status", "socket"}};
    int r = log_words_add(words, "+");

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kinds); i++)
        r = log_words_add(words, "%s=%s@%s.%s", q->user_unit ? "USER_UNIT" : "UNIT", kinds[i][0],
                          q->pool, kinds[i][1]);
    if (r < 0)
        return r;
    return q->user_unit ? log_words_add(words, "_SYSTEMD_USER_UNIT=init.scope")
                        : log_words_add(words, "_PID=1");
}

/* What systemd-coredump(8) says of a worker that has left a core dump. */
static int add_coredump(LogWords *words, const LogQuery *q)
{
    int r = log_words_add(words, "+");

    if (r == 0)
        r = log_words_add(words, "%s=fpmd@%s.service",
                          q->user_unit ? "COREDUMP_USER_UNIT" : "COREDUMP_UNIT", q->pool);
    return r < 0 ? r : log_words_add(words, "_UID=0");
}

int log_words_add_matches(LogWords *words, const LogQuery *q)
{
    bool some = q->message_id || q->request;
    int r = 0;

    if (q->everything) {
        r = add_unit(words, q);
        if (r == 0)
            r = add_common(words, q);
    } else {
        if (!q->by_runtime)
            r = add_manager(words, q);
        if (r == 0 && !q->by_manager && q->runtime)
            r = add_runtime(words, q);
        if (r == 0 && !some)
            r = add_program(words, q, q->porter, "fpmd-porter");
    }
    if (r == 0 && !some)
        r = add_systemd(words, q);
    return r < 0 || some ? r : add_coredump(words, q);
}
