#include "base/exit_status.h"
#include "base/fd.h"
#include "conf/config.h"
#include "ctl/ask.h"
#include "ctl/compare.h"
#include "ctl/opcache.h"
#include "ctl/pools.h"
#include "ctl/running.h"
#include "status/escape.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is asked of managers, of one after the other: a machine that starts PHP for all its pools at
 * once serves nobody meanwhile. */
typedef struct Command {
    ControlVerb verb;
    const char *usage;
    const char *done;    /* where the manager says nothing more */
    const char *past;    /* of the summary */
    const char *explain; /* printed before; NULL: nothing */
    bool looks_at_units; /* what only the units can change is said besides */
} Command;

static const Command reload_command = {
    .verb = CONTROL_RELOAD,
    .usage = "reload POOL... | --all",
    .done = "reloaded",
    .past = "reloaded",
    .looks_at_units = true,
};

static const Command reexec_command = {
    .verb = CONTROL_REEXEC,
    .usage = "reexec POOL... | --all",
    .done = "runs the program file as it is now",
    .past = "run the program file as it is now",
};

static const Command reopen_command = {
    .verb = CONTROL_REOPEN,
    .usage = "reopen POOL... | --all",
    .done = "files of logs opened anew",
    .past = "opened anew",
};

/* A new generation has a new cache. */
static const Command reset_command = {
    .verb = CONTROL_RELOAD,
    .usage = "opcache POOL... reset | reset --all",
    .done = "reloaded",
    .past = "reloaded",
    .explain = "a pool gets an empty opcode cache with a new generation: reloading",
};

/* What came of it. */
typedef struct Outcome {
    size_t n_done;
    const char **failed; /* names of others */
    size_t n_failed;
    Buffer json; /* for programs: an entry for each */
} Outcome;

/* What was said of a pool, for programs. */
static int note_json(Outcome *outcome, const char *pool, bool done, const char *text)
{
    Buffer *b = &outcome->json;
    int r = buffer_printf(b, "%s\n  {\"pool\": ", b->size > 0 ? "," : "");

    if (r == 0)
        r = escape_json(b, pool);
    if (r == 0)
        r = buffer_printf(b, ", \"done\": %s, \"text\": ", done ? "true" : "false");
    if (r == 0)
        r = escape_json(b, text);
    return r < 0 ? r : buffer_append(b, "}", 1);
}

static void tell(const Ctl *ctl, Outcome *outcome, const char *pool, const char *text)
{
    if (ctl->json) {
        note_json(outcome, pool, true, text);
        return;
    }
    printf("%s: %s\n", pool, text);
    fflush(stdout);
}

/* 0; -ENOENT: nobody listens; another -errno, having said why. */
static int run_one(const Ctl *ctl, const Command *command, const char *pool, Outcome *outcome)
{
    _cleanup_fd_ int fd = ask_connect(ctl, pool);
    _cleanup_answer_ Answer answer = ANSWER_NONE;
    int r = fd < 0 ? fd : ask(ctl, pool, fd, command->verb, 0, &answer);

    if (r < 0)
        return r;
    tell(ctl, outcome, pool, *answer.text ? answer.text : command->done);
    return 0;
}

/* The reload has been done; what only the units could do is said besides. */
static void warn_of_units(const Ctl *ctl, size_t n, char **pools)
{
    _cleanup_(units_closep) Units *units = NULL;

    /* As ExecReload= of a pool it is the manager that looks, and that knows whose the units are. */
    if ((geteuid() != 0 && !ctl->user) || units_open(&units, ctl->user) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        _cleanup_(config_issues_done) ConfigIssues loading = {0}, issues = {0};
        _cleanup_(pool_config_freep) PoolConfig *c = NULL;
        _cleanup_buffer_ Buffer b = {0};
        PoolFile file = {.name = pools[i]};

        if (pool_file_load(ctl, &file, &loading, &c) == 0 &&
            compare_units(ctl, units, c, &issues) == 0 && ctl_write_issues(&b, &issues) == 0 &&
            b.size > 0)
            fwrite(b.data, 1, b.size, stderr);
    }
}

static void print_summary(const Command *command, const Outcome *outcome)
{
    size_t n = outcome->n_done + outcome->n_failed;

    if (n == 0) {
        puts("no pool is running");
        return;
    }
    printf("%zu pool%s: %zu %s", n, n == 1 ? "" : "s", outcome->n_done, command->past);
    if (outcome->n_failed > 0)
        printf(", %zu not", outcome->n_failed);
    for (size_t i = 0; i < outcome->n_failed; i++)
        printf("%s%s", i > 0 ? ", " : ": ", outcome->failed[i]);
    putchar('\n');
}

static void print_json(const Outcome *outcome)
{
    size_t n = outcome->json.size;

    printf("[%.*s%s]\n", (int)n, n > 0 ? outcome->json.data : "", n > 0 ? "\n" : "");
}

static int run_pools(const Ctl *ctl, const Command *command, size_t n, char **pools)
{
    _cleanup_free_ const char **failed = calloc(n + 1, sizeof(*failed));
    Outcome outcome = {.failed = failed};
    int status;

    if (!failed) {
        ctl_complain("%s", strerror(ENOMEM));
        return EXIT_STATUS_FAILURE;
    }
    if (command->explain && !ctl->json) {
        puts(command->explain);
        fflush(stdout);
    }
    for (size_t i = 0; i < n; i++) {
        int r = run_one(ctl, command, pools[i], &outcome);

        /* Of all pools it may have stopped just now. */
        if (r == -ENOENT && ctl->all)
            continue;
        if (r == -ENOENT)
            ask_complain_nobody(ctl, pools[i]);
        if (r < 0) {
            failed[outcome.n_failed++] = pools[i];
            note_json(&outcome, pools[i], false, ctl_complaint());
        } else
            outcome.n_done++;
    }
    if (ctl->json)
        print_json(&outcome);
    else if (ctl->all)
        print_summary(command, &outcome);
    if (command->looks_at_units)
        warn_of_units(ctl, n, pools);
    status = outcome.n_failed == 0 && fflush(stdout) == 0 ? EXIT_STATUS_OK : EXIT_STATUS_FAILURE;
    buffer_done(&outcome.json);
    return status;
}

static int run_all(const Ctl *ctl, const Command *command)
{
    char **pools;
    size_t n;
    int r = running_list(ctl, &pools, &n), status;

    if (r < 0) {
        ctl_complain("%s: %s", ctl->control_dir, strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    status = run_pools(ctl, command, n, pools);
    running_free(pools, n);
    return status;
}

static int run(const Ctl *ctl, const Command *command, int n, char **operands)
{
    if (ctl->all != (n == 0)) {
        ctl_complain("usage: fpmctl %s", command->usage);
        return EXIT_STATUS_USAGE;
    }
    for (int i = 0; i < n; i++)
        if (config_check_pool_name(operands[i]) < 0) {
            ctl_complain("'%s' cannot be the name of a pool", operands[i]);
            return EXIT_STATUS_USAGE;
        }
    return ctl->all ? run_all(ctl, command) : run_pools(ctl, command, (size_t)n, operands);
}

int verb_reload(const Ctl *ctl, int n, char **operands)
{
    return run(ctl, &reload_command, n, operands);
}

int verb_reexec(const Ctl *ctl, int n, char **operands)
{
    return run(ctl, &reexec_command, n, operands);
}

int verb_reopen(const Ctl *ctl, int n, char **operands)
{
    return run(ctl, &reopen_command, n, operands);
}

int opcache_reset(const Ctl *ctl, int n, char **pools)
{
    return run(ctl, &reset_command, n, pools);
}
