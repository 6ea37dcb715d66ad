#pragma once

/*
 * The PARAMS of one request: name-value pairs in one arena, decoded from any split of bytes.
 * Names and values are NUL-terminated copies; embedded NUL bytes stay inside the given sizes. The
 * arena is kept between requests (params_clear), so that a steady worker allocates nothing.
 */

#include "base/macro.h"

#define FCGI_PARAMS_MAX_BYTES                                                                      \
    (1024 * 1024) /* all names and values of one request, each with a NUL */
#define FCGI_PARAMS_MAX_PAIRS 4096

typedef struct FcgiParam {
    uint32_t name_offset, name_size;
    uint32_t value_offset, value_size;
} FcgiParam;

typedef struct FcgiParams {
    char *arena;
    size_t arena_size, arena_room;
    FcgiParam *items;
    size_t n, room;
    /* decoder: a pair that is not complete yet */
    uint8_t lengths[8];
    unsigned n_lengths;
    uint32_t name_left, value_left;
    bool in_pair;
    /* 0: FCGI_PARAMS_MAX_…; whoever fills it may set others, fcgi_params_done() forgets them */
    uint32_t max_bytes, max_pairs;
} FcgiParams;

void fcgi_params_done(FcgiParams *p);
void fcgi_params_clear(FcgiParams *p);

/** Takes the next bytes of the PARAMS stream. 0, -E2BIG beyond the limits, -ENOMEM. */
int fcgi_params_push(FcgiParams *p, const uint8_t *data, size_t n);

/** At the end of the stream: 0, or -EBADMSG when a pair is incomplete. */
int fcgi_params_end(const FcgiParams *p);

/** The value of a name (the last one, if sent twice) or NULL. */
const char *fcgi_params_get(const FcgiParams *p, const char *name, size_t *ret_size);

static inline const char *fcgi_param_name(const FcgiParams *p, size_t i)
{
    return p->arena + p->items[i].name_offset;
}

static inline const char *fcgi_param_value(const FcgiParams *p, size_t i)
{
    return p->arena + p->items[i].value_offset;
}
