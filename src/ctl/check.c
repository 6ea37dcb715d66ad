#include "base/exit_status.h"
#include "conf/config.h"
#include "conf/verify.h"
#include "ctl/ctl.h"
#include "ctl/pools.h"
#include "status/escape.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct Totals {
    size_t errors;
    size_t warnings;
} Totals;

/* A manager of the system's pools may change ids; somebody's own pool file is for a manager that
 * runs as that user. */
static bool is_privileged(const char *path)
{
    return geteuid() == 0 || strncmp(path, FPMD_CONFIG_DIR "/", strlen(FPMD_CONFIG_DIR "/")) == 0;
}

/* What needs the machine; only for a file that could be read. 0, or -ENOMEM. */
static int verify(const Ctl *ctl, const PoolFile *file, const PoolConfig *config,
                  ConfigIssues *issues)
{
    PoolIds ids = {0};
    int r = config_verify_paths(config, ctl->libexec_dir, issues);

    if (r < 0 && r != -EINVAL)
        return r;
    r = config_resolve_ids(config, is_privileged(file->path), issues, &ids);
    if (r == 0)
        pool_ids_done(&ids);
    return r == -EINVAL ? 0 : r;
}

/* The form of compilers' messages, which editors can jump by. */
static int print_issue(Buffer *b, const ConfigIssue *issue)
{
    int r = escape_text(b, issue->file ? issue->file : "-");

    if (r == 0 && issue->line > 0)
        r = buffer_printf(b, ":%u", issue->line);
    if (r == 0)
        r = buffer_printf(b, ": %s: ", issue->severity == CONFIG_ERROR ? "error" : "warning");
    if (r == 0 && issue->directive) {
        r = escape_text(b, issue->directive);
        if (r == 0)
            r = buffer_append(b, ": ", 2);
    }
    if (r == 0)
        r = escape_text(b, issue->text ? issue->text : "out of memory");
    return r < 0 ? r : buffer_append(b, "\n", 1);
}

static int print_issues(Buffer *b, const PoolFile *file, const ConfigIssues *issues)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < issues->n; i++)
        r = print_issue(b, &issues->items[i]);
    if (r == 0 && issues->n == 0 && issues->n_errors == 0) {
        r = escape_text(b, file->path);
        if (r == 0)
            r = buffer_printf(b, ": ok\n");
    }
    return r;
}

/* 0, or -errno for what keeps us from checking at all; what is wrong in the file goes to b. */
static int check_file(const Ctl *ctl, const PoolFile *file, Buffer *b, Totals *totals)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    _cleanup_(pool_config_freep) PoolConfig *config = NULL;
    int r;

    if (config_check_pool_name(file->name) < 0)
        config_issues_add(
            &issues, CONFIG_ERROR, file->path, 0, NULL,
            "'%s' cannot be the name of a pool: 1 to 64 letters, digits, '_', '.' and '-' "
            "are expected, the first none of the last two",
            file->name);
    else {
        config_load_to_check(file->path, file->name, &issues, &config);
        r = !config ? 0 : verify(ctl, file, config, &issues);
        if (r < 0)
            return r;
    }
    totals->errors += issues.n_errors;
    totals->warnings += issues.n - MIN(issues.n, issues.n_errors);
    return print_issues(b, file, &issues);
}

/* A word with a slash, or that ends like a pool file, is a path. */
static int add_operand(const Ctl *ctl, PoolFiles *files, const char *word)
{
    const char *dot = strrchr(word, '.');

    if (strchr(word, '/') || (dot && strcmp(dot, ".conf") == 0))
        return pool_files_add_path(files, word);
    return pool_files_add_pool(files, ctl->config_dir, word);
}

static int collect(const Ctl *ctl, PoolFiles *files, int n, char **operands)
{
    int r = 0;

    if (n == 0) {
        r = pool_files_add_folder(files, ctl->config_dir);
        if (r < 0)
            ctl_complain("folder of pool files %s: %s", ctl->config_dir, strerror(-r));
        else if (files->n == 0)
            ctl_complain("there is no pool file (*.conf) in %s", ctl->config_dir);
        return r;
    }
    for (int i = 0; r == 0 && i < n; i++)
        r = add_operand(ctl, files, operands[i]);
    if (r < 0)
        ctl_complain("%s", strerror(-r));
    return r;
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

int verb_check(const Ctl *ctl, int n, char **operands)
{
    _cleanup_pool_files_ PoolFiles files = {0};
    _cleanup_buffer_ Buffer b = {0};
    Totals totals = {0};
    int r;

    if (collect(ctl, &files, n, operands) < 0)
        return EXIT_STATUS_CONFIG;
    r = 0;
    for (size_t i = 0; r == 0 && i < files.n; i++)
        r = check_file(ctl, &files.items[i], &b, &totals);
    if (r == 0)
        r = buffer_printf(&b, "%zu file%s checked: %zu error%s, %zu warning%s\n", files.n,
                          plural(files.n), totals.errors, plural(totals.errors), totals.warnings,
                          plural(totals.warnings));
    if (r < 0) {
        ctl_complain("%s", strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    r = ctl_print(&b);
    return r == EXIT_STATUS_OK && totals.errors > 0 ? EXIT_STATUS_CONFIG : r;
}
