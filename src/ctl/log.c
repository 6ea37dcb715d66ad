#include "ctl/log.h"

#include "base/exit_status.h"
#include "ctl/ask.h"
#include "ctl/compare.h"
#include "ctl/pools.h"
#include "ctl/units.h"
#include "log/log.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Who the manager of a pool is: the user of its unit. */
static uid_t find_manager_uid(const Ctl *ctl, const char *pool)
{
    _cleanup_(units_closep) Units *units = NULL;
    _cleanup_free_ char *user = NULL;
    const struct passwd *entry;

    if (ctl->user)
        return getuid();
    if (compare_has_dropins(ctl, pool) &&
        (units_open(&units, false) < 0 || compare_user(units, pool, &user) < 0))
        return (uid_t)-1;
    entry = getpwnam(user ? user : FPMD_MANAGER_USER);
    return entry ? entry->pw_uid : (uid_t)-1;
}

/* The path of a program as the journal has it: without links. */
static char *resolve(const char *path)
{
    char *resolved = realpath(path, NULL);

    return resolved ? resolved : strdup(path);
}

static char *resolve_in(const char *folder, const char *name)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s", folder, name) < 0) {
        path = NULL;
        return NULL;
    }
    return resolve(path);
}

/* What runs under the name of a runtime: the program itself, or the one that it becomes. */
static char *find_program(const char *folder, const char *runtime)
{
    _cleanup_free_ char *link = NULL;
    char program[PATH_MAX];
    ssize_t n;

    if (asprintf(&link, "%s/fpmd-%s.program", folder, runtime) < 0) {
        link = NULL;
        return NULL;
    }
    n = readlink(link, program, sizeof(program) - 1);
    if (n < 0)
        return resolve_in(folder, runtime);
    program[n] = '\0';
    return resolve(program);
}

/* Of the pool's file; without one the default. */
static char *find_runtime(const Ctl *ctl, const char *pool)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    _cleanup_(pool_config_freep) PoolConfig *c = NULL;
    PoolFile file = {.name = (char *)(uintptr_t)pool};
    bool known = pool_file_load(ctl, &file, &issues, &c) >= 0 && c->runtime;

    return find_program(ctl->libexec_dir, known ? c->runtime : FPMD_DEFAULT_RUNTIME);
}

/* Options of ours and of the caller's; operands: words for journalctl. */
static int add_options(const Ctl *ctl, LogWords *words, int n, char **operands)
{
    int r = log_words_add(words, "journalctl");

    if (r == 0 && ctl->user)
        r = log_words_add(words, "--user");
    if (r == 0 && ctl->json)
        r = log_words_add(words, "--output=json");
    if (r == 0 && ctl->follow)
        r = log_words_add(words, "--follow");
    if (r == 0 && ctl->lines)
        r = log_words_add(words, "--lines=%s", ctl->lines);
    if (r == 0 && ctl->since)
        r = log_words_add(words, "--since=%s", ctl->since);
    for (int i = 0; r == 0 && i < n; i++)
        r = log_words_add(words, "%s", operands[i]);
    return r;
}

static int make_words(const Ctl *ctl, LogWords *words, int n, char **operands)
{
    const char *pool = operands[0];
    _cleanup_free_ char *manager = resolve(FPMD_MANAGER_PATH);
    _cleanup_free_ char *runtime = find_runtime(ctl, pool);
    _cleanup_free_ char *porter = resolve_in(ctl->libexec_dir, "fpmd-porter");
    LogQuery q = {
        .pool = pool,
        .user_unit = ctl->user,
        .manager_uid = find_manager_uid(ctl, pool),
        .manager = manager,
        .runtime = runtime,
        .porter = porter,
        .message_id = ctl->slow     ? log_message_id(LOG_MESSAGE_SLOW_REQUEST)
                      : ctl->access ? log_message_id(LOG_MESSAGE_ACCESS)
                                    : NULL,
        .request = ctl->request,
        .by_manager = ctl->slow,
        .by_runtime = ctl->access,
        .everything = ctl->all,
    };
    int r;

    if (!manager || !runtime || !porter)
        return -ENOMEM;
    r = add_options(ctl, words, n - 1, operands + 1);
    return r < 0 ? r : log_words_add_matches(words, &q);
}

/* A word that is a match would count for the first of our alternatives only. */
static const char *find_match(int n, char **words)
{
    for (int i = 0; i < n; i++)
        if (words[i][0] != '-' && (strchr(words[i], '=') || strcmp(words[i], "+") == 0 ||
                                   strchr(words[i], '/') == words[i]))
            return words[i];
    return NULL;
}

static int check(const Ctl *ctl, int n, char **operands)
{
    const char *match = find_match(n - 1, operands + 1);

    if (config_check_pool_name(operands[0]) < 0)
        ctl_complain("'%s' cannot be the name of a pool", operands[0]);
    else if (match)
        ctl_complain("log: '%s' is a match, expected options of journalctl(1) behind --", match);
    else if (ctl->slow && ctl->access)
        ctl_complain("log: --slow and --access exclude each other");
    else if (ctl->all && (ctl->slow || ctl->access))
        ctl_complain("log: --all shows everything, --slow and --access what can be trusted to be "
                     "that");
    else
        return EXIT_STATUS_OK;
    return EXIT_STATUS_USAGE;
}

/* What a pool that is gone has left is worth reading, a misspelt name is not worth an empty page.
 */
static void warn_of_unknown(const Ctl *ctl, const char *pool)
{
    if (!ask_has_pool(ctl, pool))
        ctl_complain("%s: there is no such pool: no %s.conf in %s; this is what the journal still "
                     "has of one",
                     pool, pool, ctl->config_dir);
}

int verb_log(const Ctl *ctl, int n, char **operands)
{
    _cleanup_log_words_ LogWords words = {0};
    int status = check(ctl, n, operands);

    if (status != EXIT_STATUS_OK)
        return status;
    if (make_words(ctl, &words, n, operands) < 0) {
        ctl_complain("%s", strerror(ENOMEM));
        return EXIT_STATUS_FAILURE;
    }
    warn_of_unknown(ctl, operands[0]);
    fflush(NULL);
    execvp(words.items[0], words.items);
    ctl_complain("%s: %s%s", words.items[0], strerror(errno),
                 errno == ENOENT ? "; without the journal of systemd a pool logs to the standard "
                                   "error of fpmd --foreground"
                                 : "");
    return EXIT_STATUS_FAILURE;
}
