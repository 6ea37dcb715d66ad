#pragma once

/*
 * Streams of bytes for a FastCGI socket, as no web server would send them: from noise to a request
 * with one bit changed, and sound requests between them.
 */

#include "request.h"

typedef struct Random {
    uint64_t state;
} Random;

void random_init(Random *r, uint64_t seed);

/** From 0 to max. */
uint64_t random_draw(Random *r, uint64_t max);

typedef enum Garble {
    GARBLE_SOUND,   /* a whole request, which has to be answered */
    GARBLE_NOISE,   /* bytes of any value */
    GARBLE_RECORDS, /* records of any type, number and content */
    GARBLE_CUT,     /* a request up to any of its bytes */
    GARBLE_LENGTHS, /* one whose records or pairs are longer or shorter than they say */
    GARBLE_MUTATED, /* one with bytes changed, lost, added or repeated */
    GARBLE_CHAIN,   /* several on one connection, the last one mutated */
    _GARBLE_MAX,
} Garble;

const char *garble_to_string(Garble kind);

/** Fills the buffer, which is empty. 0 or -ENOMEM. */
int garble_build(Random *r, Garble kind, const RequestForm *form, Buffer *b);
