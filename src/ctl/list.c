#include "base/exit_status.h"
#include "base/fd.h"
#include "ctl/colour.h"
#include "ctl/pools.h"
#include "ctl/running.h"
#include "ctl/units.h"
#include "link/control.h"
#include "status/escape.h"

#include <errno.h>
#include <string.h>

typedef struct Row {
    const PoolFile *file;
    const char *state;  /* for people: what the pool is, all in all */
    const char *config; /* "ok", "errors", "none" */
    UnitState socket, service;
} Row;

/* One column: its head, width and JSON key, and where its text is. */
typedef struct Column {
    const char *head;
    int width; /* 0: the last one */
    const char *key;
    const char *(*get)(const Row *row);
} Column;

static const char *get_pool(const Row *row)
{
    return row->file->name;
}

static const char *get_state(const Row *row)
{
    return row->state;
}

static const char *get_file(const Row *row)
{
    return row->file->path ? row->file->path : "";
}

static const char *get_config(const Row *row)
{
    return row->config;
}

static const char *get_socket(const Row *row)
{
    return row->socket.active;
}

static const char *get_service(const Row *row)
{
    return row->service.active;
}

static const char *get_socket_enabled(const Row *row)
{
    return row->socket.enabled;
}

static const char *get_listen(const Row *row)
{
    return row->socket.listen;
}

/* A pool that waits is "activating" for systemd, and its manager says for what. */
static const char *get_status(const Row *row)
{
    return row->service.text;
}

static const Column columns[] = {
    {"POOL", 20, "pool", get_pool},
    {"STATE", 11, "state", get_state},
    {"CONFIG", 8, "config", get_config},
    {"SOCKET", 10, "socket", get_socket},
    {"ENABLED", 10, "socket_enabled", get_socket_enabled},
    {"SERVICE", 14, "service", get_service},
    {"LISTEN", 28, "listen", get_listen},
    {"FILE", 32, "file", get_file},
    {"STATUS", 0, "status", get_status},
};

/* What the word of a cell deserves; others have no colour. */
static const struct {
    const char *word;
    Colour colour;
} coloured[] = {
    {"running", COLOUR_GREEN}, {"starting", COLOUR_YELLOW}, {"leaving", COLOUR_YELLOW},
    {"failed", COLOUR_RED},    {"errors", COLOUR_RED},      {"none", COLOUR_YELLOW},
    {"POOL", COLOUR_BOLD},
};

static const char *check_file(const Ctl *ctl, const PoolFile *file)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    _cleanup_(pool_config_freep) PoolConfig *config = NULL;

    if (!file->path)
        return "none";
    return pool_file_load(ctl, file, &issues, &config) == 0 ? "ok" : "errors";
}

/* Pools whose manager is there: also those that no systemd has started. */
typedef struct Managers {
    char **names;
    size_t n;
} Managers;

static void managers_done(Managers *m)
{
    running_free(m->names, m->n);
}

/* Without a right to ask it is none of ours to know. 0 or -ENOMEM. */
static int managers_find(const Ctl *ctl, Managers *ret)
{
    size_t n_kept = 0;
    int r = running_list(ctl, &ret->names, &ret->n);

    if (r < 0)
        return r == -ENOMEM ? r : 0;
    for (size_t i = 0; i < ret->n; i++) {
        _cleanup_fd_ int fd = control_connect(ctl->control_dir, ret->names[i]);

        if (fd >= 0)
            ret->names[n_kept++] = ret->names[i];
        else
            free(ret->names[i]);
    }
    ret->n = n_kept;
    return 0;
}

static bool has_manager(const Managers *managers, const char *pool)
{
    for (size_t i = 0; i < managers->n; i++)
        if (strcmp(managers->names[i], pool) == 0)
            return true;
    return false;
}

/* Of what systemd says of both units, the word for people. */
static const char *find_state(const Managers *managers, const Row *row)
{
    static const struct {
        const char *active, *state;
    } words[] = {
        {"active", "running"},       {"reloading", "running"}, {"activating", "starting"},
        {"deactivating", "leaving"}, {"failed", "failed"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(row->service.active, words[i].active) == 0)
            return words[i].state;
    if (has_manager(managers, row->file->name))
        return "running";
    if (strcmp(row->socket.active, "unknown") == 0)
        return "unknown";
    if (strcmp(row->socket.active, "failed") == 0)
        return "failed";
    return strcmp(row->socket.active, "active") == 0 ? "listening" : "stopped";
}

/* units NULL: nobody to ask. */
static Row make_row(const Ctl *ctl, const PoolFile *file, Units *units, const Managers *managers)
{
    Row row = {.file = file, .config = check_file(ctl, file)};

    strcpy(row.socket.active, "unknown");
    strcpy(row.service.active, "unknown");
    if (units && config_check_pool_name(file->name) == 0) {
        units_get(units, file->name, "socket", &row.socket);
        units_get(units, file->name, "service", &row.service);
    }
    row.state = find_state(managers, &row);
    return row;
}

static Colour find_colour(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(coloured); i++)
        if (strcmp(text, coloured[i].word) == 0)
            return coloured[i].colour;
    return COLOUR_NONE;
}

static int print_cell(Buffer *b, const Column *column, const char *text, bool is_head)
{
    Colour colour = find_colour(is_head ? "POOL" : column->get == get_pool ? "" : text);
    size_t start;
    int r = colour ? buffer_printf(b, "%s", colour_sequence(colour)) : 0, width;

    start = b->size;
    if (r == 0)
        r = escape_text(b, *text ? text : "-");
    width = (int)(b->size - start);
    if (r == 0 && colour)
        r = buffer_printf(b, "%s", colour_sequence(COLOUR_NONE));
    if (r < 0)
        return r;
    if (column->width == 0)
        return buffer_append(b, "\n", 1);
    return buffer_printf(b, "%*s", MAX(column->width - width, 1), "");
}

/* row NULL: the heads. */
static int print_row(Buffer *b, const Row *row)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(columns); i++)
        r = print_cell(b, &columns[i], row ? columns[i].get(row) : columns[i].head, !row);
    return r;
}

static int print_json(Buffer *b, const Row *row, bool first)
{
    int r = buffer_printf(b, "%s\n  {", first ? "" : ",");

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(columns); i++) {
        r = buffer_printf(b, "%s\"%s\": ", i > 0 ? ", " : "", columns[i].key);
        if (r == 0)
            r = escape_json(b, columns[i].get(row));
    }
    return r < 0 ? r : buffer_append(b, "}", 1);
}

static int print_all(const Ctl *ctl, Buffer *b, const PoolFiles *files, Units *units,
                     const Managers *managers)
{
    int r = ctl->json ? buffer_append(b, "[", 1) : print_row(b, NULL);

    for (size_t i = 0; r == 0 && i < files->n; i++) {
        Row row = make_row(ctl, &files->items[i], units, managers);

        r = ctl->json ? print_json(b, &row, i == 0) : print_row(b, &row);
    }
    if (r == 0 && ctl->json)
        r = buffer_printf(b, files->n > 0 ? "\n]\n" : "]\n");
    return r;
}

static int add_once(const Ctl *ctl, PoolFiles *files, const char *pool)
{
    for (size_t i = 0; i < files->n; i++)
        if (strcmp(files->items[i].name, pool) == 0)
            return 0;
    return pool_files_add_pool(files, ctl->config_dir, pool);
}

/* The pool of "fpmd@NAME.service" and the like. False: it is no unit of a pool. */
static bool take_pool(char *unit, char **ret)
{
    char *at = strchr(unit, '@'), *dot = strrchr(unit, '.');

    if (!at || !dot || dot < at)
        return false;
    *dot = 0;
    *ret = at + 1;
    return config_check_pool_name(*ret) == 0;
}

/* Pools without a file: those whose units run, or have failed. */
static int add_units(const Ctl *ctl, PoolFiles *files, Units *units)
{
    _cleanup_buffer_ Buffer b = {0};
    char *state = NULL, *pool;
    int r = units_list_loaded(units, &b);

    if (r == 0)
        r = buffer_append(&b, "", 1);
    if (r < 0)
        return r;
    for (char *unit = strtok_r(b.data, "\n", &state); r == 0 && unit;
         unit = strtok_r(NULL, "\n", &state))
        if (take_pool(unit, &pool))
            r = add_once(ctl, files, pool);
    return r;
}

static int compare_files(const void *a, const void *b)
{
    const PoolFile *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static int collect(const Ctl *ctl, PoolFiles *files, Units *units, Managers *managers)
{
    int r = managers_find(ctl, managers);

    for (size_t i = 0; r == 0 && i < managers->n; i++)
        r = add_once(ctl, files, managers->names[i]);
    if (r == 0 && units)
        r = add_units(ctl, files, units);
    if (files->n > 0)
        qsort(files->items, files->n, sizeof(*files->items), compare_files);
    return r;
}

int verb_list(const Ctl *ctl, int n, char **operands)
{
    _cleanup_pool_files_ PoolFiles files = {0};
    _cleanup_(units_closep) Units *units = NULL;
    _cleanup_(managers_done) Managers managers = {0};
    _cleanup_buffer_ Buffer b = {0};
    int r = pool_files_add_folders(&files, ctl->config_dir);

    if (r < 0) {
        ctl_complain("folders of pool files %s: %s", ctl->config_dir, strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    r = units_open(&units, ctl->user);
    if (r < 0)
        ctl_complain("systemd cannot be asked (%s), ignoring: the state of units is unknown",
                     strerror(-r));
    r = collect(ctl, &files, units, &managers);
    if (r == 0)
        r = print_all(ctl, &b, &files, units, &managers);
    if (r < 0) {
        ctl_complain("%s", strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    return ctl_print(&b);
}
