#include "fcgi/params.h"

#include <errno.h>

#define ARENA_FIRST_ROOM 2048
#define ITEMS_FIRST_ROOM 64

void fcgi_params_done(FcgiParams *p)
{
    free(p->arena);
    free(p->items);
    free(p->chains);
    *p = (FcgiParams){0};
}

void fcgi_params_clear(FcgiParams *p)
{
    if (p->n > 0)
        memset(p->chains, 0, FCGI_PARAMS_CHAINS * sizeof(p->chains[0]));
    p->arena_size = 0;
    p->n = 0;
    p->n_outside = 0;
    p->bytes = 0;
    p->n_lengths = 0;
    p->in_pair = false;
}

static bool is_in_arena(const FcgiParams *p, const FcgiParam *item)
{
    uintptr_t start = (uintptr_t)p->arena;

    return (uintptr_t)item->name >= start && (uintptr_t)item->name < start + p->arena_size;
}

/* Gives the arena another room, and copies what is outside to its front on the way if that is
 * wanted: a pair that is open is at its end. */
static int arena_move(FcgiParams *p, size_t room, bool keep)
{
    char *moved = malloc(room), *at = moved, *rest;

    if (!moved)
        return -ENOMEM;
    for (size_t i = 0; keep && i < p->n; i++) {
        FcgiParam *item = &p->items[i];

        if (is_in_arena(p, item))
            continue;
        memcpy(at, item->name, item->name_size + 1);
        at += item->name_size + 1;
        memcpy(at, item->value, item->value_size + 1);
        at += item->value_size + 1;
    }
    rest = at;
    if (p->arena_size > 0)
        memcpy(rest, p->arena, p->arena_size);
    at = moved;
    for (size_t i = 0; i < p->n + p->in_pair; i++) {
        FcgiParam *item = &p->items[i];

        if (i == p->n || is_in_arena(p, item)) {
            item->name = rest + (item->name - p->arena);
            if (i < p->n || p->in_value)
                item->value = rest + (item->value - p->arena);
        } else if (keep) {
            item->name = at;
            item->value = at + item->name_size + 1;
            at += item->name_size + 1 + item->value_size + 1;
        }
    }
    p->arena_size += (size_t)(rest - moved);
    free(p->arena);
    p->arena = moved;
    p->arena_room = room;
    return 0;
}

/* Room comes with the bytes, not with the lengths that a peer claims. */
static int arena_reserve(FcgiParams *p, size_t n)
{
    size_t wanted = p->arena_size + n;
    size_t room = p->arena_room ? p->arena_room : ARENA_FIRST_ROOM;

    if (wanted <= p->arena_room)
        return 0;
    while (room < wanted)
        room *= 2;
    return arena_move(p, room, false);
}

int fcgi_params_keep(FcgiParams *p)
{
    size_t wanted = p->arena_size, room = ARENA_FIRST_ROOM;
    int r;

    if (p->n_outside == 0)
        return 0;
    for (size_t i = 0; i < p->n; i++)
        if (!is_in_arena(p, &p->items[i]))
            wanted += p->items[i].name_size + 1 + p->items[i].value_size + 1;
    while (room < wanted)
        room *= 2;
    r = arena_move(p, room, true);
    if (r == 0)
        p->n_outside = 0;
    return r;
}

static int items_grow(FcgiParams *p)
{
    size_t room = p->room ? p->room * 2 : ITEMS_FIRST_ROOM;
    FcgiParam *grown;

    if (!p->chains)
        p->chains = calloc(FCGI_PARAMS_CHAINS, sizeof(p->chains[0]));
    if (!p->chains)
        return -ENOMEM;
    grown = reallocarray(p->items, room, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    p->items = grown;
    p->room = room;
    return 0;
}

/* Decodes one length at p of which n bytes are known. Returns its size, 0 when bytes are missing.
 */
static inline size_t decode_length(const uint8_t *p, size_t n, uint32_t *ret)
{
    if (n == 0)
        return 0;
    if (!(p[0] & 0x80)) {
        *ret = p[0];
        return 1;
    }
    if (n < 4)
        return 0;
    *ret = (uint32_t)(p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    return 4;
}

/* Both lengths of a pair. Returns their size, 0 when bytes are missing. */
static inline size_t decode_lengths(const uint8_t *p, size_t n, uint32_t *ret_name,
                                    uint32_t *ret_value)
{
    size_t k = decode_length(p, n, ret_name);
    size_t l = k > 0 ? decode_length(p + k, n - k, ret_value) : 0;

    return l > 0 ? k + l : 0;
}

/* Opens items[n], which counts with its last byte; the texts follow. */
static inline int open_item(FcgiParams *p, uint32_t name_size, uint32_t value_size)
{
    uint64_t bytes = p->bytes + name_size + 1 + value_size + 1;
    int r = 0;

    if (bytes > (p->max_bytes ? p->max_bytes : FCGI_PARAMS_MAX_BYTES) ||
        p->n >= (p->max_pairs ? p->max_pairs : FCGI_PARAMS_MAX_PAIRS))
        return -E2BIG;
    if (p->n == p->room)
        r = items_grow(p);
    if (r < 0)
        return r;
    p->items[p->n].name_size = name_size;
    p->items[p->n].value_size = value_size;
    p->bytes = bytes;
    return 0;
}

static inline void close_item(FcgiParams *p)
{
    FcgiParam *item = &p->items[p->n];
    uint32_t *chain = &p->chains[fcgi_params_chain(item->name, item->name_size)];

    item->earlier = *chain;
    *chain = (uint32_t)++p->n;
}

static int pair_start(FcgiParams *p, uint32_t name_size, uint32_t value_size)
{
    int r = open_item(p, name_size, value_size);

    if (r == 0)
        r = arena_reserve(p, 1);
    if (r < 0)
        return r;
    p->items[p->n].name = p->arena + p->arena_size;
    p->name_left = name_size;
    p->value_left = value_size;
    p->n_lengths = 0;
    p->in_pair = true;
    p->in_value = false;
    return 0;
}

/* Takes bytes of one text and ends it with NUL at its end. The room for the NUL is the caller's. */
static size_t take_text(FcgiParams *p, uint32_t *left, const uint8_t *data, size_t n)
{
    size_t k = MIN((size_t)*left, n);

    if (k > 0)
        memcpy(p->arena + p->arena_size, data, k);
    p->arena_size += k;
    *left -= (uint32_t)k;
    if (*left == 0)
        p->arena[p->arena_size++] = 0;
    return k;
}

/* Takes bytes of the open pair; returns how many or -errno. */
static ssize_t pair_take(FcgiParams *p, const uint8_t *data, size_t n)
{
    size_t used = 0;
    int r = arena_reserve(p, MIN(n, (size_t)p->name_left + p->value_left) + 2);

    if (r < 0)
        return r;
    if (!p->in_value) {
        used = take_text(p, &p->name_left, data, n);
        if (p->name_left > 0)
            return (ssize_t)used;
        p->items[p->n].value = p->arena + p->arena_size;
        p->in_value = true;
    }
    if (used == n && p->value_left > 0)
        return (ssize_t)used;
    used += take_text(p, &p->value_left, data + used, n - used);
    if (p->value_left == 0) {
        p->in_pair = false;
        close_item(p);
    }
    return (ssize_t)used;
}

int fcgi_params_push(FcgiParams *p, const uint8_t *data, size_t n)
{
    while (n > 0) {
        uint32_t name_size = 0, value_size = 0;
        ssize_t used;
        int r;

        if (!p->in_pair) {
            p->lengths[p->n_lengths++] = *data++;
            n--;
            if (decode_lengths(p->lengths, p->n_lengths, &name_size, &value_size) == 0)
                continue;
            r = pair_start(p, name_size, value_size);
            if (r < 0)
                return r;
        }
        /* Also without bytes left: a pair of two empty texts is complete by its lengths. */
        used = pair_take(p, data, n);
        if (used < 0)
            return (int)used;
        data += used;
        n -= (size_t)used;
    }
    return 0;
}

int fcgi_params_place(FcgiParams *p, uint8_t *data, size_t n)
{
    uint8_t *at = data, *end = data + n;
    size_t first = p->n, placed;
    int r = 0;

    for (;;) {
        uint32_t name_size = 0, value_size = 0;
        size_t k = decode_lengths(at, (size_t)(end - at), &name_size, &value_size);
        FcgiParam *item;

        /* The value of the last pair has no byte behind it for its NUL. */
        if (k == 0 || (uint64_t)(end - at) - k <= (uint64_t)name_size + value_size)
            break;
        r = open_item(p, name_size, value_size);
        if (r < 0)
            break;
        /* One byte to the left, onto the lengths: behind it is room for its NUL then. The NUL of
         * the value before it takes the first of these lengths, which are known by now. */
        if (p->n > first)
            *at = 0;
        item = &p->items[p->n];
        item->name = memmove(at + k - 1, at + k, name_size);
        at += k + name_size;
        at[-1] = 0;
        item->value = (char *)at;
        at += value_size;
        close_item(p);
    }
    placed = p->n - first;
    p->n_outside += placed;
    if (r == 0)
        r = fcgi_params_push(p, at, (size_t)(end - at));
    if (placed > 0)
        *at = 0;
    return r;
}

int fcgi_params_add(FcgiParams *p, const char *name, uint32_t name_size, const char *value,
                    uint32_t value_size)
{
    int r = open_item(p, name_size, value_size);

    if (r < 0)
        return r;
    p->items[p->n].name = name;
    p->items[p->n].value = value;
    close_item(p);
    p->n_outside++;
    return 0;
}

int fcgi_params_end(const FcgiParams *p)
{
    return p->in_pair || p->n_lengths > 0 ? -EBADMSG : 0;
}
