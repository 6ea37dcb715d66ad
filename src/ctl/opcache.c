#include "ctl/opcache.h"
#include "base/exit_status.h"
#include "ctl/figures.h"
#include "status/escape.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

/* One figure of the cache; both forms are loops over these. */
typedef struct OpcacheField {
    const char *key, *label;
    size_t offset;
    bool is_bytes;
} OpcacheField;

#define FIELD(key, label, member, is_bytes)                                                        \
    {                                                                                              \
        key, label, offsetof(BoardOpcache, member), is_bytes                                       \
    }

static const OpcacheField fields[] = {
    FIELD("used_bytes", "memory used", used_bytes, true),
    FIELD("free_bytes", "memory free", free_bytes, true),
    FIELD("wasted_bytes", "memory wasted", wasted_bytes, true),
    FIELD("strings_used_bytes", "strings used", strings_used_bytes, true),
    FIELD("strings_free_bytes", "strings free", strings_free_bytes, true),
    FIELD("scripts", "scripts", scripts, false),
    FIELD("keys", "keys", keys, false),
    FIELD("keys_max", "keys at most", keys_max, false),
    FIELD("hits", "hits", hits, false),
    FIELD("misses", "misses", misses, false),
    FIELD("restarts", "restarts", restarts, false),
};

static uint64_t get(const BoardOpcache *cache, const OpcacheField *f)
{
    uint64_t v;

    memcpy(&v, (const char *)cache + f->offset, sizeof(v));
    return v;
}

/* Of all look-ups those that found a script, in thousandths. */
static unsigned hit_permille(const BoardOpcache *c)
{
    double all = (double)c->hits + (double)c->misses;

    return all > 0 ? (unsigned)(1000.0 * (double)c->hits / all) : 0;
}

static int write_json(Buffer *b, const StatusPool *pool)
{
    const BoardOpcache *c = &pool->opcache;
    int r = buffer_printf(b, "{\n  \"pool\": ");

    if (r == 0)
        r = escape_json(b, pool->name);
    if (r == 0)
        r = buffer_printf(b, ",\n  \"generation\": %" PRIu32 ",\n  \"known\": %s", pool->generation,
                          c->seen_usec ? "true" : "false");
    for (size_t i = 0; r == 0 && c->seen_usec && i < ARRAY_SIZE(fields); i++)
        r = buffer_printf(b, ",\n  \"%s\": %" PRIu64, fields[i].key, get(c, &fields[i]));
    if (r == 0 && c->seen_usec)
        r = buffer_printf(b, ",\n  \"hit_rate\": %u.%03u", hit_permille(c) / 1000,
                          hit_permille(c) % 1000);
    return r < 0 ? r : buffer_printf(b, "\n}\n");
}

static int write_text(Buffer *b, const StatusPool *pool)
{
    const BoardOpcache *c = &pool->opcache;
    int r = buffer_printf(b, "%20s: ", "pool");

    if (r == 0)
        r = escape_text(b, pool->name);
    if (r == 0)
        r = buffer_printf(b, "\n%20s: %" PRIu32 "\n", "generation", pool->generation);
    if (r == 0 && c->seen_usec == 0)
        return buffer_printf(b, "%20s: not known: there is none, or no worker has looked yet\n",
                             "opcode cache");
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fields); i++) {
        uint64_t v = get(c, &fields[i]);

        r = buffer_printf(b, "%20s: ", fields[i].label);
        if (r == 0)
            r = fields[i].is_bytes ? buffer_printf(b, "%" PRIu64 ".%u MB\n", v >> 20,
                                                   (unsigned)((v & 0xfffff) * 10 >> 20))
                                   : buffer_printf(b, "%" PRIu64 "\n", v);
    }
    return r < 0 ? r
                 : buffer_printf(b, "%20s: %u.%u %%\n", "hit rate", hit_permille(c) / 10,
                                 hit_permille(c) % 10);
}

int opcache_write(Buffer *b, const StatusPool *pool, bool json)
{
    return json ? write_json(b, pool) : write_text(b, pool);
}

static int show(const Ctl *ctl, const char *pool)
{
    _cleanup_figures_ Figures f = {0};
    _cleanup_buffer_ Buffer b = {0};
    int status;

    if (figures_of(ctl, pool, &f, &status) < 0)
        return status;
    if (opcache_write(&b, f.pool, ctl->json) < 0) {
        ctl_complain("%s: %s", pool, strerror(ENOMEM));
        return EXIT_STATUS_FAILURE;
    }
    return ctl_print(&b);
}

/* The word may stand before the pools or behind them. */
int verb_opcache(const Ctl *ctl, int n, char **operands)
{
    static const char usage[] = "usage: fpmctl opcache POOL status | POOL... reset | reset --all";
    const char *word = operands[0];
    char **pools = operands + 1;

    if (strcmp(word, "status") != 0 && strcmp(word, "reset") != 0) {
        word = operands[n - 1];
        pools = operands;
    }
    if (strcmp(word, "status") == 0) {
        if (n == 2 && !ctl->all)
            return show(ctl, pools[0]);
    } else if (strcmp(word, "reset") == 0)
        return opcache_reset(ctl, n - 1, pools);
    ctl_complain("%s", usage);
    return EXIT_STATUS_USAGE;
}
