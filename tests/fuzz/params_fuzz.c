/*
 * The PARAMS of a request in every split, with limits small and large: the outcome is that of the
 * whole, and what is kept stays within the limits. Left where they are, and kept later, they are
 * the same.
 */

#include "fuzz.h"

#include "fcgi/params.h"

#include <errno.h>
#include <string.h>

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
        check_that(name[item->name_size] == 0 && value[item->value_size] == 0);
        check_that(memchr(name, 0, item->name_size) ||
                   (fcgi_params_get(p, name, &size) && size < p->bytes));
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

static void check_same(const FcgiParams *a, const FcgiParams *b)
{
    check_that(a->n == b->n && a->bytes == b->bytes);
    for (size_t i = 0; i < a->n; i++) {
        const FcgiParam *x = &a->items[i], *y = &b->items[i];

        check_that(x->name_size == y->name_size && x->value_size == y->value_size);
        check_that(memcmp(x->name, y->name, x->name_size + 1) == 0);
        check_that(memcmp(x->value, y->value, x->value_size + 1) == 0);
    }
}

/* In a copy, since they change it; its first part in place, and the rest after that. */
static void check_placed(const FcgiParams *whole, int r, const uint8_t *data, size_t n,
                         size_t first)
{
    FcgiParams p = {.max_bytes = whole->max_bytes, .max_pairs = whole->max_pairs};
    _cleanup_free_ uint8_t *copy = malloc(n + 1);
    int q;

    check_that(copy != NULL);
    first = MIN(first, n);
    memcpy(copy, data, n);
    q = fcgi_params_place(&p, copy, first);
    if (q == 0 && first == n && r == 0) {
        check_same(whole, &p);
        check_that(p.n <= 1 || p.n_outside == p.n - 1);
    }
    check_pairs(&p, p.max_bytes, p.max_pairs);
    if (q == 0)
        check_that(fcgi_params_keep(&p) == 0 && p.n_outside == 0);
    memset(copy, 0xa5, first);
    if (q == 0)
        q = take(&p, data + first, n - first, 7);
    check_that(q == r);
    if (r == 0)
        check_same(whole, &p);
    fcgi_params_done(&p);
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
    if (r == 0)
        check_same(&whole, &parts);
    check_placed(&whole, r, in.data, in.size, in.size);
    check_placed(&whole, r, in.data, in.size, piece);
    /* The next request finds nothing of this one. */
    fcgi_params_clear(&parts);
    check_that(parts.n == 0 && !fcgi_params_get(&parts, "A", NULL) && fcgi_params_end(&parts) == 0);
    fcgi_params_done(&whole);
    fcgi_params_done(&parts);
    return 0;
}
