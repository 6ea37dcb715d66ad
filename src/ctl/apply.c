#include "ctl/apply.h"
#include "base/exit_status.h"
#include "ctl/changed.h"
#include "ctl/compare.h"
#include "ctl/dropin.h"
#include "ctl/orphans.h"
#include "ctl/pools.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct Apply {
    const Ctl *ctl;
    const ApplyOptions *options;
    const char *unit_dir;
    Buffer table;
    Changed changed;
    int status; /* EXIT_STATUS_…, so far */
} Apply;

static const char *const kinds[] = {
    [UNIT_SOCKET] = "socket",
    [UNIT_STATUS_SOCKET] = "status socket",
    [UNIT_SERVICE] = "service",
};

static void apply_done(Apply *a)
{
    buffer_done(&a->table);
    changed_done(&a->changed);
}

static void complain_of_file(Apply *a, const char *unit, int error)
{
    ctl_complain("%s/%s.d/" APPLY_DROPIN ": %s", a->unit_dir, unit, strerror(-error));
    a->status = EXIT_STATUS_FAILURE;
}

static int note_change(Apply *a, const char *pool, UnitKind kind, bool removed)
{
    ChangedPool *changed = changed_get(&a->changed, pool);

    if (!changed)
        return -ENOMEM;
    changed->units[kind] = true;
    changed->lost_status |= kind == UNIT_STATUS_SOCKET && removed;
    a->changed.n_units++;
    return 0;
}

static int tell(const Apply *a, const char *pool, const char *unit, const Buffer *text)
{
    _cleanup_free_ char *path = NULL;

    if (!a->options->note)
        return 0;
    if (asprintf(&path, "%s/%s.d/" APPLY_DROPIN, a->unit_dir, unit) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    return a->options->note(a->options->note_data, pool, path, text);
}

/* 0 or -ENOMEM; what else goes wrong is complained of. */
static int apply_unit(Apply *a, const char *pool, const PoolConfig *c, const UnitSettings *s,
                      UnitKind kind)
{
    _cleanup_buffer_ Buffer text = {0};
    _cleanup_free_ char *was = NULL;
    char name[256];
    int r = unit_write_dropin(&text, c, s, kind);

    if (r == 0 && text.size > 0)
        r = buffer_append(&text, "", 1); /* for the comparison */
    if (r < 0)
        return r;
    unit_name(kind, pool, name);
    r = dropin_read(a->unit_dir, name, &was);
    if (r < 0) {
        complain_of_file(a, name, r);
        return r == -ENOMEM ? r : 0;
    }
    if (text.size > 0)
        text.size--;
    if (text.size > 0 ? was && strcmp(was, text.data) == 0 : !was)
        return 0;
    r = dropin_write_changes(&a->table, pool, kinds[kind], was ? was : "",
                             text.size > 0 ? text.data : "");
    if (r == 0)
        r = note_change(a, pool, kind, text.size == 0);
    if (r < 0 || a->options->dry_run)
        return r;
    r = tell(a, pool, name, &text);
    if (r == 0)
        r = text.size > 0 ? dropin_write(a->unit_dir, name, &text)
                          : dropin_remove(a->unit_dir, name);
    if (r < 0)
        complain_of_file(a, name, r);
    return 0;
}

/* setfacl is what the socket unit will run, along the path that systemd searches. */
static void check_setfacl(const PoolConfig *c, const UnitSettings *s, ConfigIssues *issues)
{
    static const char *const places[] = {"/usr/bin/setfacl", "/usr/local/bin/setfacl",
                                         "/usr/sbin/setfacl", "/usr/local/sbin/setfacl",
                                         "/bin/setfacl"};

    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->items[i].name, "ExecStartPost") != 0)
            continue;
        for (size_t k = 0; k < ARRAY_SIZE(places); k++)
            if (access(places[k], X_OK) == 0)
                return;
        config_issues_add_at(issues, CONFIG_ERROR, c, s->items[i].directive,
                             "the program setfacl is not installed, expected the package acl");
        return;
    }
}

static int print_issues(const ConfigIssues *issues)
{
    _cleanup_buffer_ Buffer b = {0};
    int r = ctl_write_issues(&b, issues);

    if (r == 0 && b.size > 0)
        fwrite(b.data, 1, b.size, stderr);
    return r;
}

/* 0 or -ENOMEM. */
static int apply_pool(Apply *a, const char *pool)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    _cleanup_(pool_config_freep) PoolConfig *c = NULL;
    _cleanup_unit_settings_ UnitSettings s = {0};
    PoolFile file = {.name = (char *)(uintptr_t)pool};
    int r = pool_file_load(a->ctl, &file, &issues, &c);

    if (r == 0)
        r = unit_settings_make(c, a->ctl->user ? UNIT_SCOPE_USER : UNIT_SCOPE_SYSTEM, &issues, &s);
    if (r == 0) {
        check_setfacl(c, &s, &issues);
        links_check(c, &s, &issues);
        r = names_check(c, &s, &issues);
        if (!a->ctl->user)
            limits_check(c, &issues);
    }
    if (r == -ENOMEM || print_issues(&issues) < 0)
        return -ENOMEM;
    if (r < 0 || issues.n_errors > 0) {
        ctl_complain("%s: its file has errors, its units are left as they are", pool);
        a->status = EXIT_STATUS_CONFIG;
        return 0;
    }
    for (int kind = 0; r == 0 && kind < _UNIT_KIND_MAX; kind++)
        r = apply_unit(a, pool, c, &s, (UnitKind)kind);
    /* Unchanged ones may still run with what an earlier apply has replaced. */
    return r < 0 || changed_get(&a->changed, pool) ? r : -ENOMEM;
}

/* 0 or -ENOMEM. */
static int remove_pool(Apply *a, const char *pool)
{
    int r = 0;

    for (int kind = 0; r == 0 && kind < _UNIT_KIND_MAX; kind++) {
        _cleanup_free_ char *was = NULL;
        char name[256];

        unit_name((UnitKind)kind, pool, name);
        if (dropin_read(a->unit_dir, name, &was) < 0 || !was)
            continue;
        r = dropin_write_changes(&a->table, pool, kinds[kind], was, "");
        if (r == 0)
            r = note_change(a, pool, (UnitKind)kind, false);
        if (r < 0)
            break;
        a->changed.items[a->changed.n - 1].is_gone = true;
        if (!a->options->dry_run && (r = dropin_remove(a->unit_dir, name)) < 0) {
            complain_of_file(a, name, r);
            r = 0;
        }
    }
    return r;
}

static int print_table(const Apply *a, size_t n_pools)
{
    _cleanup_buffer_ Buffer b = {0};
    size_t n = a->changed.n_units;
    int r = a->table.size > 0 ? dropin_write_head(&b) : 0;

    if (r == 0)
        r = buffer_append(&b, a->table.data, a->table.size);
    if (r == 0)
        r = buffer_printf(&b, "%zu pool%s: %zu unit%s %s\n", n_pools, n_pools == 1 ? "" : "s", n,
                          n == 1 ? "" : "s", a->options->dry_run ? "would be changed" : "changed");
    if (r < 0)
        return r;
    return ctl_print(&b) == EXIT_STATUS_OK ? 0 : -EIO;
}

int apply_pools(const Ctl *ctl, const ApplyOptions *options, char *const *pools, size_t n)
{
    _cleanup_(apply_done) Apply a = {.ctl = ctl, .options = options};
    int r = 0, status;

    a.unit_dir = options->unit_dir ? options->unit_dir : ctl->unit_dir;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = apply_pool(&a, pools[i]);
    for (size_t i = 0; r == 0 && i < options->n_gone; i++)
        r = remove_pool(&a, options->gone[i]);
    if (r == 0)
        r = print_table(&a, n);
    if (r < 0) {
        if (r == -ENOMEM)
            ctl_complain("%s", strerror(ENOMEM));
        return EXIT_STATUS_FAILURE;
    }
    if (options->dry_run || options->no_reload)
        return a.status;
    status = changed_follow(ctl, a.unit_dir, &a.changed, options->restart);
    return a.status != EXIT_STATUS_OK ? a.status : status;
}

static bool may_write(const Ctl *ctl)
{
    if (ctl->dry_run || access(ctl->unit_dir, W_OK) == 0 || errno == ENOENT)
        return true;
    ctl_complain("%s: %s; drop-ins of the system's units are for root to write, --dry-run shows "
                 "them, and --user is for pools of your own",
                 ctl->unit_dir, strerror(errno));
    return false;
}

/* The names of pools as a list; NULL: no memory. */
static char **names_of(const PoolFiles *files)
{
    char **names = calloc(files->n + 1, sizeof(*names));

    for (size_t i = 0; names && i < files->n; i++)
        names[i] = files->items[i].name;
    return names;
}

static int apply_all(const Ctl *ctl, ApplyOptions options)
{
    _cleanup_pool_files_ PoolFiles files = {0}, orphans = {0};
    _cleanup_free_ char **names = NULL, **gone = NULL;
    int r = pool_files_add_folders(&files, ctl->config_dir);

    if (r < 0) {
        ctl_complain("folders of pool files %s: %s", ctl->config_dir, strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    r = orphans_find(ctl, &files, &orphans);
    names = names_of(&files);
    gone = names_of(&orphans);
    if (r < 0 || !names || !gone) {
        ctl_complain("%s: %s", ctl->unit_dir, strerror(r < 0 ? -r : ENOMEM));
        return EXIT_STATUS_FAILURE;
    }
    options.gone = gone;
    options.n_gone = orphans.n;
    return apply_pools(ctl, &options, names, files.n);
}

int verb_apply(const Ctl *ctl, int n, char **operands)
{
    ApplyOptions options = {.dry_run = ctl->dry_run, .restart = ctl->restart};

    if (ctl->all != (n == 0)) {
        ctl_complain("usage: fpmctl apply POOL... | --all");
        return EXIT_STATUS_USAGE;
    }
    if (!may_write(ctl))
        return EXIT_STATUS_FAILURE;
    return ctl->all ? apply_all(ctl, options) : apply_pools(ctl, &options, operands, (size_t)n);
}
