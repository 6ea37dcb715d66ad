#include "base/exit_status.h"
#include "ctl/apply.h"
#include "ctl/import.h"

#include <errno.h>
#include <string.h>

typedef struct Noted {
    Import *import;
    Record *record;
    bool any;
} Noted;

int import_record_pool(ImportPool *pool, Record *record)
{
    int r = pool->is_recorded ? 0 : record_add_pool(record, pool->source->name);

    pool->is_recorded |= r == 0;
    return r;
}

/* The record comes before the drop-in. */
static int note(void *data, const char *name, const char *path, const Buffer *text)
{
    _cleanup_file_state_ FileState earlier = {0};
    Noted *noted = data;
    int r = file_state_read(path, &earlier);

    for (size_t i = 0; r == 0 && i < noted->import->n_pools; i++) {
        ImportPool *pool = &noted->import->pools[i];

        if (!import_is_refused(pool) && strcmp(pool->source->name, name) == 0)
            r = import_record_pool(pool, noted->record);
    }
    if (r == 0)
        r = record_add_file(noted->record, path, text->size > 0 ? text->data : NULL, text->size,
                            &earlier);
    noted->any |= r == 0;
    return r;
}

static bool wrote_units(const Import *import)
{
    for (size_t i = 0; i < import->n_pools; i++)
        if (import->pools[i].aliases.n > 0)
            return true;
    return false;
}

int import_apply(Import *import, Record *record)
{
    static char *const reload[] = {(char *)(uintptr_t) "daemon-reload", NULL};
    _cleanup_free_ char **names = calloc(import->n_pools, sizeof(*names));
    Noted noted = {.import = import, .record = record, .any = wrote_units(import)};
    /* What to start, and when, is said by our own commands: PHP-FPM may still listen there. */
    ApplyOptions options = {.no_reload = true, .note = note, .note_data = &noted};
    int status = EXIT_STATUS_OK;
    size_t n = 0;

    if (!names)
        return -ENOMEM;
    /* Of unchanged ones, too: their units may have been changed. */
    for (size_t i = 0; i < import->n_pools; i++)
        if (!import_is_refused(&import->pools[i]))
            names[n++] = import->pools[i].source->name;
    if (n > 0)
        status = apply_pools(import->ctl, &options, names, n);
    if (noted.any && ctl_systemctl(import->ctl, reload) < 0)
        status = EXIT_STATUS_FAILURE;
    return status;
}
