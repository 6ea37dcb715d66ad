#include "conf/loader.h"
#include "conf/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the pool file; what follows is a drop-in, up to the next one. */
static const char separator[] = "\n;;;;\n";

static void check_issues(const ConfigIssues *issues)
{
    for (size_t i = 0; i < issues->n; i++) {
        char *text = config_issue_to_string(&issues->items[i]);

        if (!text)
            abort();
        free(text);
    }
}

/* What holds for every configuration that is handed out without errors. */
static void check_pool_config(const PoolConfig *c)
{
    const ListenAddress *lists[] = {c->listen, c->status_listen};
    const size_t counts[] = {c->n_listen, c->n_status_listen};

    if (c->pm_max_children == 0 || !c->runtime || !c->path || !c->ping_response)
        abort();
    if (c->pm == POOL_MODE_DYNAMIC && (c->pm_min_spare_servers > c->pm_start_servers ||
                                       c->pm_start_servers > c->pm_max_spare_servers))
        abort();
    if ((c->prefix && c->prefix[0] != '/') || (c->chroot && c->chroot[0] != '/') ||
        (c->chdir && c->chdir[0] != '/'))
        abort();
    for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
        for (size_t i = 0; i < counts[k]; i++)
            if (lists[k][i].kind == LISTEN_UNIX
                    ? lists[k][i].path[0] != '/' || strlen(lists[k][i].path) > 107
                    : lists[k][i].port == 0)
                abort();
    for (size_t i = 0; i < c->n_allowed_clients; i++)
        if (c->allowed_clients[i].n_bits > 128)
            abort();
    if (c->n_status_listen > 0 && !c->status_path)
        abort();
}

/* A pool file and its drop-ins from anywhere: no byte of them may harm, and what is refused has its
 * reasons. */
static void fuzz_files(const char *text, size_t n)
{
    ConfigIssues issues = {0};
    PoolConfig *c = NULL;
    int r = 0;

    {
        _cleanup_(loader_done) Loader l = {.issues = &issues, .name = "www", .in_memory = true};

        if (loader_begin(&l, "fuzz.conf") < 0)
            abort();
        do {
            const char *hit = memmem(text, n, separator, sizeof(separator) - 1);
            size_t part = hit ? (size_t)(hit - text) + 1 : n;

            r = loader_add(&l, text, part, "fuzz.conf");
            part = hit ? part + sizeof(separator) - 2 : part;
            text += part;
            n -= part;
        } while (r == 0 && n > 0);
        if (r == 0)
            r = loader_finish(&l, "fuzz.conf", false, &c);
    }
    if ((r == 0) != (c != NULL) || (r == 0) != (issues.n_errors == 0))
        abort();
    check_issues(&issues);
    if (c)
        check_pool_config(c);
    pool_config_free(c);
    config_issues_done(&issues);
}

/* The bytes as the value of each type of directive. */
static void fuzz_values(const char *data, size_t n)
{
    char *text = strndup(data, n), *expanded = NULL;
    const char *error = NULL;
    size_t n_directives, n_ranges;
    const Directive *d = directives_get(&n_directives);
    ClientRange *ranges = NULL;
    int r;

    if (!text)
        abort();
    for (size_t i = 0; i < n_directives; i++) {
        uint64_t number = 0;

        r = setting_check(&d[i], text, &number);
        if (r != 0 && r != -EINVAL && r != -ERANGE)
            abort();
    }
    r = clients_parse(text, &ranges, &n_ranges);
    for (size_t i = 0; r == 0 && i < n_ranges; i++) {
        char network[52];

        client_masked(&ranges[i], network);
        if (!client_in_range(&ranges[i], ranges[i].address))
            abort();
    }
    free(ranges);
    r = value_expand((Slice){data, n}, &expanded, &error);
    if ((r == 0) != (expanded != NULL) || (r < 0 && !error))
        abort();
    if (value_check_ini((Slice){data, n}, &error) < 0 && !error)
        abort();
    value_bare_word((Slice){data, n});
    free(expanded);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_files((const char *)data, size);
    if (size < 512)
        fuzz_values((const char *)data, size);
    return 0;
}
