#include "status/generations.h"

#include <inttypes.h>

/* The least number above *number that a worker has and that is not the current one. False: none. */
static bool next_generation(const StatusPool *pool, const StatusWorker *workers, uint32_t *number)
{
    const StatusWorker *least = NULL;

    for (size_t i = 0; i < pool->n_workers; i++)
        if (workers[i].generation > *number && workers[i].generation != pool->generation &&
            !(least && least->generation <= workers[i].generation))
            least = &workers[i];
    if (!least)
        return false;
    *number = least->generation;
    return true;
}

static const char *generation_state(const StatusPool *pool, uint32_t number)
{
    return number < pool->generation ? "leaving" : "starting";
}

/* The pids of its workers, with separator between. */
static int write_pids(Buffer *b, const StatusPool *pool, const StatusWorker *workers,
                      uint32_t number, const char *separator)
{
    bool first = true;
    int r = 0;

    for (size_t i = 0; r == 0 && i < pool->n_workers; i++) {
        if (workers[i].generation != number)
            continue;
        r = buffer_printf(b, "%s%" PRIu32, first ? "" : separator, workers[i].pid);
        first = false;
    }
    return r;
}

int generations_write_json(Buffer *b, const StatusPool *pool, const StatusWorker *workers)
{
    const char *separator = "";
    uint32_t number = 0;
    int r = buffer_printf(b, ",\n  \"other_generations\": [");

    while (r == 0 && next_generation(pool, workers, &number)) {
        r = buffer_printf(b, "%s{\"generation\": %" PRIu32 ", \"state\": \"%s\", \"pids\": [",
                          separator, number, generation_state(pool, number));
        if (r == 0)
            r = write_pids(b, pool, workers, number, ", ");
        if (r == 0)
            r = buffer_printf(b, "]}");
        separator = ", ";
    }
    return r < 0 ? r : buffer_printf(b, "]");
}

int generations_write_text(Buffer *b, const StatusPool *pool, const StatusWorker *workers)
{
    uint32_t number = 0;
    int r = 0;

    while (r == 0 && next_generation(pool, workers, &number)) {
        r = buffer_printf(b, "%20s: %" PRIu32 " (%s): pid ", "generation", number,
                          generation_state(pool, number));
        if (r == 0)
            r = write_pids(b, pool, workers, number, " ");
        if (r == 0)
            r = buffer_append(b, "\n", 1);
    }
    return r;
}
