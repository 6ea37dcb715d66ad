#include "base/exit_status.h"
#include "conf/verify.h"
#include "ctl/compare.h"
#include "ctl/pools.h"
#include "status/escape.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct Check {
    const Ctl *ctl;
    Units *units; /* NULL: systemd cannot be asked */
    Buffer output;
    Buffer json; /* the same for programs */
    size_t errors, warnings;
} Check;

/* Somebody's own pool file is for a manager that runs as that user. A file from anywhere is taken
 * for one of the system by root. */
static bool is_privileged(const Ctl *ctl, const PoolFile *file)
{
    if (ctl->user)
        return false;
    return geteuid() == 0 || (file->path && strncmp(file->path, FPMD_CONFIG_DIR "/",
                                                    strlen(FPMD_CONFIG_DIR "/")) == 0);
}

/* With User= in its unit a pool is that user's, whatever the file says. */
static int verify_user(const PoolConfig *c, const char *unit_user, ConfigIssues *issues)
{
    if (c->user && strcmp(c->user, unit_user) != 0)
        config_issues_add_at(issues, CONFIG_WARNING, c, "user",
                             "is ignored: the service unit has User=%s", unit_user);
    return 0;
}

static int verify_ids(const Check *k, const PoolFile *file, const PoolConfig *c,
                      ConfigIssues *issues)
{
    _cleanup_free_ char *unit_user = NULL;
    PoolIds ids = {0};
    int r = 0;

    if (k->units && !file->by_path && !k->ctl->user && compare_has_dropins(k->ctl, c->name) &&
        compare_user(k->units, c->name, &unit_user) < 0)
        unit_user = NULL;
    /* In other folders than the manager's own nothing is for it to read. */
    if (geteuid() == 0 && !file->by_path && !k->ctl->user &&
        strcmp(k->ctl->config_dir, FPMD_CONFIG_FOLDERS) == 0) {
        const char *manager = unit_user ? unit_user : FPMD_MANAGER_USER;

        r = readable_check(k->ctl->config_dir, manager, c, issues);
        if (r == 0)
            r = logs_check(manager, c, CONFIG_ERROR, issues);
    }
    if (r < 0)
        return r;
    if (unit_user)
        return verify_user(c, unit_user, issues);
    r = config_resolve_worker_ids(c, is_privileged(k->ctl, file), issues, &ids);
    if (r == 0)
        pool_ids_done(&ids);
    return r == -EINVAL ? 0 : r;
}

/* What needs the machine; only for a file that could be read. 0, or -errno. */
static int verify(const Check *k, const PoolFile *file, const PoolConfig *c, ConfigIssues *issues,
                  ConfigIssues *notes)
{
    int r = config_verify_paths(c, k->ctl->libexec_dir, issues);

    if (r == 0 || r == -EINVAL)
        r = verify_ids(k, file, c, issues);
    if (r == 0)
        r = compare_units(k->ctl, file->by_path ? NULL : k->units, c, issues);
    if (r < 0)
        return r;
    grants_check(c, issues);
    if (!k->ctl->user) {
        sendmail_check(c, issues);
        limits_check(c, issues);
    }
    return fates_tell(k->ctl, file->by_path ? NULL : k->units, c, issues, notes);
}

/* Of the other pools of a file the reader of one says what is wrong in them, too; they get their
 * turn. Only that two have one address is known to nobody else. */
static bool is_of_other_pool(const ConfigIssue *issue)
{
    return issue->severity == CONFIG_WARNING && issue->text &&
           strncmp(issue->text, "in the other pool [", strlen("in the other pool [")) == 0 &&
           !(issue->directive && strcmp(issue->directive, "listen") == 0);
}

/* Whether the output has this line, which ends in a line break. */
static bool is_printed(const Buffer *output, const char *line, size_t n)
{
    const char *start = output->size > 0 ? output->data : "", *p = start, *end = p + output->size;

    while ((p = memmem(p, (size_t)(end - p), line, n))) {
        if (p == start || p[-1] == '\n')
            return true;
        p++;
    }
    return false;
}

/* What is said of [global] is said once for all pools of a file. 1: it was printed. */
static int print_line(Check *k, const PoolFile *file, const char *line, size_t n)
{
    int r;

    if (file->is_one_of_many && is_printed(&k->output, line, n))
        return 0;
    r = buffer_append(&k->output, line, n);
    return r < 0 ? r : 1;
}

/* For programs: an object for each line of those for people. */
static int write_json(Check *k, const PoolFile *file, const ConfigIssue *issue, bool as_note)
{
    Buffer *b = &k->json;
    const char *severity = as_note ? "note" : issue->severity == CONFIG_ERROR ? "error" : "warning";
    int r = buffer_printf(b, "%s\n  {\"pool\": ", b->size > 0 ? "," : "");

    if (r == 0)
        r = escape_json(b, file->name);
    if (r == 0)
        r = buffer_printf(b, ", \"severity\": \"%s\", \"file\": ", severity);
    if (r == 0)
        r = escape_json(b, issue->file ? issue->file : "");
    if (r == 0)
        r = buffer_printf(b, ", \"line\": %u, \"directive\": ", issue->line);
    if (r == 0)
        r = escape_json(b, issue->directive ? issue->directive : "");
    if (r == 0)
        r = buffer_printf(b, ", \"text\": ");
    if (r == 0)
        r = escape_json(b, issue->text ? issue->text : "out of memory");
    return r < 0 ? r : buffer_append(b, "}", 1);
}

/* 1: it was printed. */
static int print_issue(Check *k, const PoolFile *file, const ConfigIssue *issue, bool as_note)
{
    _cleanup_buffer_ Buffer line = {0};
    int r;

    if (!as_note && file->is_one_of_many && is_of_other_pool(issue))
        return 0;
    r = ctl_write_issue(&line, issue, as_note);
    if (r == 0)
        r = print_line(k, file, line.data, line.size);
    if (r == 1 && write_json(k, file, issue, as_note) < 0)
        r = -ENOMEM;
    return r;
}

/* Issues and notes in the order of the files' lines. */
static int print_issues(Check *k, const PoolFile *file, const ConfigIssues *issues,
                        const ConfigIssues *notes)
{
    size_t n_errors = issues->n_errors, n_warnings = 0, i = 0, j = 0;

    while (i < issues->n || j < notes->n) {
        bool as_note = i == issues->n ||
                       (j < notes->n &&
                        config_issue_compare(&notes->items[j], &issues->items[i], file->path) < 0);
        const ConfigIssue *issue = as_note ? &notes->items[j++] : &issues->items[i++];
        bool is_error = issue->severity == CONFIG_ERROR;
        int r = print_issue(k, file, issue, as_note);

        if (r < 0)
            return r;
        n_warnings += r == 1 && !as_note && !is_error;
        n_errors -= r == 0 && is_error;
    }
    k->errors += n_errors;
    k->warnings += n_warnings;
    return 0;
}

static int print_result(Check *k, const PoolFile *file, const ConfigIssues *issues,
                        const ConfigIssues *notes)
{
    size_t before = k->errors + k->warnings;
    int r = print_issues(k, file, issues, notes);

    if (r < 0 || k->errors + k->warnings > before || issues->n_errors > 0)
        return r;
    r = escape_text(&k->output, file->path);
    if (r == 0 && file->is_one_of_many)
        r = buffer_printf(&k->output, ": pool %s", file->name);
    return r < 0 ? r : buffer_printf(&k->output, ": ok\n");
}

/* 0, or -errno for what keeps us from checking at all; what is wrong in the file is printed. */
static int check_file(Check *k, const PoolFile *file)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0}, notes = {0};
    _cleanup_(pool_config_freep) PoolConfig *config = NULL;
    int r = pool_file_load(k->ctl, file, &issues, &config);

    if (r == -ENOMEM)
        return r;
    r = config ? verify(k, file, config, &issues, &notes) : 0;
    if (r < 0)
        return r;
    config_issues_sort(&issues, file->path);
    config_issues_sort(&notes, file->path);
    return print_result(k, file, &issues, &notes);
}

static int add_operand(const Ctl *ctl, PoolFiles *files, const char *word)
{
    int r;

    if (!pool_is_path(word))
        return pool_files_add_pool(files, ctl->config_dir, word);
    r = pool_files_add_path(files, word);
    if (r == -ENODATA)
        ctl_complain("there is no pool file (*.conf) in %s", word);
    else if (r < 0)
        ctl_complain("%s: %s", word, strerror(-r));
    return r;
}

static int collect(const Ctl *ctl, PoolFiles *files, int n, char **operands)
{
    int r = 0;

    if (n == 0) {
        r = pool_files_add_folders(files, ctl->config_dir);
        if (r < 0)
            ctl_complain("folders of pool files %s: %s", ctl->config_dir, strerror(-r));
        else if (files->n == 0)
            ctl_complain("there is no pool file (*.conf) in %s", ctl->config_dir);
        return r;
    }
    for (int i = 0; r == 0 && i < n; i++)
        r = add_operand(ctl, files, operands[i]);
    return r;
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* Units belong to the pools of folders, and nobody has to run systemd. */
static void open_units(Check *k, const PoolFiles *files)
{
    bool any = false;
    int r;

    for (size_t i = 0; i < files->n; i++)
        any |= !files->items[i].by_path;
    r = any ? units_open(&k->units, k->ctl->user) : 0;
    if (r < 0)
        ctl_complain("systemd cannot be asked (%s), ignoring: the files are not compared with "
                     "units",
                     strerror(-r));
}

static int print_json(Check *k, const PoolFiles *files)
{
    _cleanup_buffer_ Buffer b = {0};
    size_t n = k->json.size;
    int r = buffer_printf(&b,
                          "{\n\"pools\": %zu,\n\"errors\": %zu,\n\"warnings\": %zu,\n"
                          "\"issues\": [",
                          files->n, k->errors, k->warnings);

    if (r == 0 && n > 0)
        r = buffer_append(&b, k->json.data, n);
    if (r == 0)
        r = buffer_printf(&b, n > 0 ? "\n]\n}\n" : "]\n}\n");
    if (r == 0)
        return ctl_print(&b);
    ctl_complain("%s", strerror(-r));
    return EXIT_STATUS_FAILURE;
}

static int check_files(Check *k, const PoolFiles *files)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < files->n; i++)
        r = check_file(k, &files->items[i]);
    if (r == 0)
        r = buffer_printf(&k->output,
                          "%zu file%s with %zu pool%s checked: %zu error%s, %zu warning%s\n",
                          files->n_files, plural(files->n_files), files->n, plural(files->n),
                          k->errors, plural(k->errors), k->warnings, plural(k->warnings));
    if (r < 0) {
        ctl_complain("%s", strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    r = k->ctl->json ? print_json(k, files) : ctl_print(&k->output);
    return r == EXIT_STATUS_OK && k->errors > 0 ? EXIT_STATUS_CONFIG : r;
}

int verb_check(const Ctl *ctl, int n, char **operands)
{
    _cleanup_pool_files_ PoolFiles files = {0};
    Check k = {.ctl = ctl};
    int status;

    if (collect(ctl, &files, n, operands) < 0)
        return EXIT_STATUS_CONFIG;
    open_units(&k, &files);
    status = check_files(&k, &files);
    units_close(k.units);
    buffer_done(&k.output);
    buffer_done(&k.json);
    return status;
}
