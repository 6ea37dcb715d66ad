#pragma once

/*
 * The PARAMS of one request: name-value pairs, decoded from any split of bytes. Names and values
 * are NUL-terminated; embedded NUL bytes stay inside the given sizes. They lie where the caller has
 * them (fcgi_params_place()) or are copied into one arena (fcgi_params_push()). Arena and table are
 * kept between requests (fcgi_params_clear), so that a steady worker allocates nothing.
 */

#include "base/macro.h"

#include <string.h>

#define FCGI_PARAMS_MAX_BYTES                                                                      \
    (1024 * 1024) /* all names and values of one request, each with a NUL */
#define FCGI_PARAMS_MAX_PAIRS 4096
#define FCGI_PARAMS_CHAINS    64

typedef struct FcgiParam {
    const char *name, *value;
    uint32_t name_size, value_size;
    uint32_t earlier; /* the pair before it in its chain, plus one; 0: none */
} FcgiParam;

typedef struct FcgiParams {
    char *arena;
    size_t arena_size, arena_room;
    FcgiParam *items;
    uint32_t *chains; /* by what names look like: the last pair of each chain, plus one */
    size_t n, room;
    size_t n_outside; /* pairs that are not in the arena */
    uint64_t bytes;   /* names and values with their NULs, of what is open too */
    /* decoder: a pair that is not complete yet */
    uint8_t lengths[8];
    unsigned n_lengths;
    uint32_t name_left, value_left;
    bool in_pair, in_value;
    /* 0: FCGI_PARAMS_MAX_…; whoever fills it may set others, fcgi_params_done() forgets them */
    uint32_t max_bytes, max_pairs;
} FcgiParams;

void fcgi_params_done(FcgiParams *p);
void fcgi_params_clear(FcgiParams *p);

/** Takes the next bytes of the PARAMS stream. 0, -E2BIG beyond the limits, -ENOMEM. */
int fcgi_params_push(FcgiParams *p, const uint8_t *data, size_t n);

/**
 * Like fcgi_params_push(), between pairs of a stream: complete ones stay where they are, but for
 * the last one. The bytes are changed for it, and must be there until fcgi_params_clear() or
 * fcgi_params_keep().
 */
int fcgi_params_place(FcgiParams *p, uint8_t *data, size_t n);

/** Copies what is the caller's into the arena. 0 or -ENOMEM. */
int fcgi_params_keep(FcgiParams *p);

/** Adds a pair after the last one, between two calls of push that end with a whole one. Both texts
 * are the caller's and end with a NUL behind their size. 0, -E2BIG, -ENOMEM. */
int fcgi_params_add(FcgiParams *p, const char *name, uint32_t name_size, const char *value,
                    uint32_t value_size);

/** At the end of the stream: 0, or -EBADMSG when a pair is incomplete. */
int fcgi_params_end(const FcgiParams *p);

static inline size_t fcgi_params_chain(const char *name, size_t n)
{
    return n == 0 ? 0
                  : (n * 7 + (unsigned char)name[n / 2] * 5 + (unsigned char)name[n - 1] * 3 +
                     (unsigned char)name[0]) %
                        FCGI_PARAMS_CHAINS;
}

/** The value of a name (the last one, if sent twice) or NULL. */
static inline const char *fcgi_params_get(const FcgiParams *p, const char *name, size_t *ret_size)
{
    size_t n = strlen(name);

    if (p->n == 0)
        return NULL;
    for (uint32_t i = p->chains[fcgi_params_chain(name, n)]; i > 0; i = p->items[i - 1].earlier) {
        const FcgiParam *item = &p->items[i - 1];

        if (item->name_size != n || memcmp(item->name, name, n) != 0)
            continue;
        if (ret_size)
            *ret_size = item->value_size;
        return item->value;
    }
    return NULL;
}

static inline const char *fcgi_param_name(const FcgiParams *p, size_t i)
{
    return p->items[i].name;
}

static inline const char *fcgi_param_value(const FcgiParams *p, size_t i)
{
    return p->items[i].value;
}
