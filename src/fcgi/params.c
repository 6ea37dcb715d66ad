#include "fcgi/params.h"

#include <errno.h>
#include <string.h>

#define ARENA_FIRST_ROOM 2048
#define ITEMS_FIRST_ROOM 64

void fcgi_params_done(FcgiParams *p)
{
    free(p->arena);
    free(p->items);
    *p = (FcgiParams){0};
}

void fcgi_params_clear(FcgiParams *p)
{
    p->arena_size = 0;
    p->n = 0;
    p->n_lengths = 0;
    p->in_pair = false;
}

/* Room comes with the bytes, not with the lengths that a peer claims. */
static int arena_reserve(FcgiParams *p, size_t n)
{
    size_t wanted = p->arena_size + n;
    size_t room = p->arena_room ? p->arena_room : ARENA_FIRST_ROOM;
    char *grown;

    if (wanted <= p->arena_room)
        return 0;
    while (room < wanted)
        room *= 2;
    grown = realloc(p->arena, room);
    if (!grown)
        return -ENOMEM;
    p->arena = grown;
    p->arena_room = room;
    return 0;
}

static int items_reserve(FcgiParams *p)
{
    size_t room = p->room ? p->room * 2 : ITEMS_FIRST_ROOM;
    FcgiParam *grown;

    if (p->n < p->room)
        return 0;
    grown = reallocarray(p->items, room, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    p->items = grown;
    p->room = room;
    return 0;
}

/* Decodes one length at p of which n bytes are known. Returns its size, 0 when bytes are missing.
 */
static unsigned decode_length(const uint8_t *p, unsigned n, uint32_t *ret)
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

static bool decode_lengths(const FcgiParams *p, uint32_t *ret_name, uint32_t *ret_value)
{
    unsigned n = decode_length(p->lengths, p->n_lengths, ret_name);

    return n > 0 && decode_length(p->lengths + n, p->n_lengths - n, ret_value) > 0;
}

/* Opens items[n]; it counts when its last byte has come. */
static int pair_start(FcgiParams *p, uint32_t name_size, uint32_t value_size)
{
    uint64_t end = (uint64_t)p->arena_size + name_size + 1 + value_size + 1;
    int r;

    if (end > (p->max_bytes ? p->max_bytes : FCGI_PARAMS_MAX_BYTES) ||
        p->n >= (p->max_pairs ? p->max_pairs : FCGI_PARAMS_MAX_PAIRS))
        return -E2BIG;
    r = items_reserve(p);
    if (r < 0)
        return r;
    p->items[p->n] = (FcgiParam){
        .name_offset = (uint32_t)p->arena_size,
        .name_size = name_size,
        .value_offset = (uint32_t)p->arena_size + name_size + 1,
        .value_size = value_size,
    };
    p->name_left = name_size;
    p->value_left = value_size;
    p->n_lengths = 0;
    p->in_pair = true;
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
    const FcgiParam *item = &p->items[p->n];
    size_t used = 0;
    int r = arena_reserve(p, MIN(n, (size_t)p->name_left + p->value_left) + 2);

    if (r < 0)
        return r;
    if (p->arena_size < item->value_offset) {
        used = take_text(p, &p->name_left, data, n);
        if (p->arena_size < item->value_offset)
            return (ssize_t)used;
    }
    if (used == n && p->value_left > 0)
        return (ssize_t)used;
    used += take_text(p, &p->value_left, data + used, n - used);
    if (p->value_left == 0) {
        p->in_pair = false;
        p->n++;
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
            if (!decode_lengths(p, &name_size, &value_size))
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

int fcgi_params_end(const FcgiParams *p)
{
    return p->in_pair || p->n_lengths > 0 ? -EBADMSG : 0;
}

const char *fcgi_params_get(const FcgiParams *p, const char *name, size_t *ret_size)
{
    size_t size = strlen(name);

    for (size_t i = p->n; i-- > 0;) {
        const FcgiParam *item = &p->items[i];

        if (item->name_size != size || memcmp(p->arena + item->name_offset, name, size) != 0)
            continue;
        if (ret_size)
            *ret_size = item->value_size;
        return p->arena + item->value_offset;
    }
    return NULL;
}
