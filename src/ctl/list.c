#include "base/exit_status.h"
#include "conf/config.h"
#include "ctl/ctl.h"
#include "ctl/pools.h"
#include "ctl/units.h"
#include "status/escape.h"

#include <string.h>

typedef struct Row {
    const PoolFile *file;
    bool file_ok;
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

static const char *get_file(const Row *row)
{
    return row->file->path ? row->file->path : "";
}

static const char *get_file_state(const Row *row)
{
    return row->file_ok ? "ok" : "errors";
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
    {"POOL", 20, "pool", get_pool},          {"CONFIG", 8, "config", get_file_state},
    {"SOCKET", 12, "socket", get_socket},    {"ENABLED", 10, "socket_enabled", get_socket_enabled},
    {"SERVICE", 14, "service", get_service}, {"LISTEN", 28, "listen", get_listen},
    {"FILE", 32, "file", get_file},          {"STATUS", 0, "status", get_status},
};

static bool is_file_ok(const Ctl *ctl, const PoolFile *file)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    _cleanup_(pool_config_freep) PoolConfig *config = NULL;

    return pool_file_load(ctl, file, &issues, &config) == 0;
}

/* units NULL: nobody to ask. */
static Row make_row(const Ctl *ctl, const PoolFile *file, Units *units)
{
    Row row = {.file = file, .file_ok = is_file_ok(ctl, file)};

    strcpy(row.socket.active, "unknown");
    strcpy(row.service.active, "unknown");
    if (units && config_check_pool_name(file->name) == 0) {
        units_get(units, file->name, "socket", &row.socket);
        units_get(units, file->name, "service", &row.service);
    }
    return row;
}

static int print_cell(Buffer *b, const Column *column, const char *text)
{
    size_t start = b->size;
    int r = escape_text(b, *text ? text : "-");

    if (r < 0)
        return r;
    if (column->width == 0)
        return buffer_append(b, "\n", 1);
    return buffer_printf(b, "%*s", MAX(column->width - (int)(b->size - start), 1), "");
}

/* row NULL: the heads. */
static int print_row(Buffer *b, const Row *row)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(columns); i++)
        r = print_cell(b, &columns[i], row ? columns[i].get(row) : columns[i].head);
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

static int print_all(const Ctl *ctl, Buffer *b, const PoolFiles *files, Units *units)
{
    int r = ctl->json ? buffer_append(b, "[", 1) : print_row(b, NULL);

    for (size_t i = 0; r == 0 && i < files->n; i++) {
        Row row = make_row(ctl, &files->items[i], units);

        r = ctl->json ? print_json(b, &row, i == 0) : print_row(b, &row);
    }
    if (r == 0 && ctl->json)
        r = buffer_printf(b, files->n > 0 ? "\n]\n" : "]\n");
    return r;
}

int verb_list(const Ctl *ctl, int n, char **operands)
{
    _cleanup_pool_files_ PoolFiles files = {0};
    _cleanup_(units_closep) Units *units = NULL;
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
    r = print_all(ctl, &b, &files, units);
    if (r < 0) {
        ctl_complain("%s", strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    return ctl_print(&b);
}
