/*
 * The PARAMS of a request in every split, with limits small and large: the outcome is that of the
 * whole, and what is kept stays within the limits.
 */

#include "fuzz.h"

#include "fcgi/params.h"

#include <errno.h>

static const struct {
    uint32_t bytes, pairs;
} limits[] = {{0, 0}, {1, 1}, {64, 4}, {300, 4096}, {70000, 2}};

static void check_pairs(const FcgiParams *p, uint32_t max_bytes, uint32_t max_pairs)
{
    size_t total = 0;

    check_that(p->n <= (max_pairs ? max_pairs : FCGI_PARAMS_MAX_PAIRS));
    for (size_t i = 0; i < p->n; i++) {
        const FcgiParam *item = &p->items[i];
        const char *name = fcgi_param_name(p, i), *value = fcgi_param_value(p, i);
        size_t size = 0;

        /* The last pair may be incomplete. */
        if (i + 1 == p->n && p->in_pair)
            break;
        check_that(item->value_offset + item->value_size < p->arena_size);
        check_that(name[item->name_size] == 0 && value[item->value_size] == 0);
        check_that(memchr(name, 0, item->name_size) ||
                   (fcgi_params_get(p, name, &size) && size < p->arena_size));
        total += item->name_size + item->value_size + 2;
    }
    check_that(total <= (max_bytes ? max_bytes : FCGI_PARAMS_MAX_BYTES));
}

static int take(FcgiParams *p, const uint8_t *data, size_t n, size_t piece)
{
    for (size_t at = 0; at < n; at += piece) {
        int r = fcgi_params_push(p, data + at, MIN(piece, n - at));

        if (r < 0)
            return r;
    }
    return fcgi_params_end(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = {data, size};
    unsigned choice = input_byte(&in) % ARRAY_SIZE(limits);
    size_t piece = 1 + input_byte(&in) % 31;
    FcgiParams whole = {.max_bytes = limits[choice].bytes, .max_pairs = limits[choice].pairs};
    FcgiParams parts = whole;
    int r = take(&whole, in.data, in.size, in.size + 1), q = take(&parts, in.data, in.size, piece);

    check_that(r == q && (r == 0 || r == -E2BIG || r == -EBADMSG));
    check_pairs(&whole, limits[choice].bytes, limits[choice].pairs);
    check_pairs(&parts, limits[choice].bytes, limits[choice].pairs);
    if (r == 0) {
        check_that(whole.n == parts.n && whole.arena_size == parts.arena_size);
        check_that(whole.arena_size == 0 ||
                   memcmp(whole.arena, parts.arena, whole.arena_size) == 0);
    }
    /* The next request finds nothing of this one. */
    fcgi_params_clear(&parts);
    check_that(parts.n == 0 && !fcgi_params_get(&parts, "A", NULL) && fcgi_params_end(&parts) == 0);
    fcgi_params_done(&whole);
    fcgi_params_done(&parts);
    return 0;
}
