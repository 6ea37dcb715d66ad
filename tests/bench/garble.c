#include "garble.h"

#include <errno.h>
#include <string.h>

#define NOISE_MAX 2048

static const char *const names[] = {"sound",   "noise",   "records", "cut",
                                    "lengths", "mutated", "chain"};

_Static_assert(ARRAY_SIZE(names) == _GARBLE_MAX, "every kind has a name");

const char *garble_to_string(Garble kind)
{
    return names[kind];
}

void random_init(Random *r, uint64_t seed)
{
    r->state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    for (unsigned i = 0; i < 8; i++)
        random_draw(r, 1);
}

/* xorshift64*, so that a seed says everything. */
uint64_t random_draw(Random *r, uint64_t max)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return (r->state * UINT64_C(0x2545f4914f6cdd1d) >> 16) % (max + 1);
}

static int add_noise(Random *r, Buffer *b, size_t n)
{
    if (buffer_reserve(b, n) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        b->data[b->size++] = (char)random_draw(r, 255);
    return 0;
}

static int add_records(Random *r, Buffer *b)
{
    int e = 0;

    for (uint64_t n = 1 + random_draw(r, 7); e == 0 && n > 0; n--) {
        uint8_t header[FCGI_HEADER_SIZE];
        size_t content = random_draw(r, 3) ? random_draw(r, 16) : random_draw(r, NOISE_MAX);
        unsigned padding = random_draw(r, 3) ? 0 : (unsigned)random_draw(r, 255);

        fcgi_put_header(header, (unsigned)random_draw(r, 12), (unsigned)random_draw(r, 2), content,
                        padding);
        e = buffer_append(b, header, sizeof(header));
        if (e == 0)
            e = add_noise(r, b, content + padding);
    }
    return e;
}

/* The header of one of the records says something else. */
static void change_length(Random *r, Buffer *b)
{
    uint64_t skip = random_draw(r, 3);

    for (size_t at = 0; at + FCGI_HEADER_SIZE <= b->size; skip--) {
        uint8_t *header = (uint8_t *)b->data + at;

        if (skip == 0) {
            /* Type, number, content and padding are bytes 1 to 6. */
            header[1 + random_draw(r, 5)] ^= (uint8_t)(1 + random_draw(r, 254));
            return;
        }
        at += FCGI_HEADER_SIZE + ((size_t)header[4] << 8 | header[5]) + header[6];
    }
    if (b->size > 24)
        b->data[24 + random_draw(r, MIN(b->size - 25, (size_t)64))] = (char)random_draw(r, 255);
}

static int mutate_once(Random *r, Buffer *b)
{
    size_t at = random_draw(r, b->size - 1);
    size_t n = MIN(1 + random_draw(r, 40), b->size - at);

    switch (random_draw(r, 4)) {
    case 0:
        b->data[at] ^= (char)(1 << random_draw(r, 7));
        return 0;
    case 1:
        b->data[at] = (char)(random_draw(r, 1) ? 0xff : random_draw(r, 255));
        return 0;
    case 2:
        memmove(b->data + at, b->data + at + n, b->size - at - n);
        b->size -= n;
        return 0;
    default: /* n bytes again */
        if (buffer_reserve(b, n) < 0)
            return -ENOMEM;
        memmove(b->data + at + n, b->data + at, b->size - at);
        b->size += n;
        return 0;
    }
}

static int mutate(Random *r, Buffer *b)
{
    int e = 0;

    for (uint64_t n = 1 + random_draw(r, 5); e == 0 && n > 0 && b->size > 1; n--)
        e = mutate_once(r, b);
    return e;
}

static int add_chain(Random *r, const RequestForm *form, Buffer *b)
{
    RequestForm kept = *form;
    int e = 0;

    kept.keep = true;
    for (uint64_t n = 1 + random_draw(r, 2); e == 0 && n > 0; n--)
        e = request_build(&kept, NULL, b);
    if (e == 0)
        e = request_build(form, NULL, b);
    return e == 0 ? mutate(r, b) : e;
}

int garble_build(Random *r, Garble kind, const RequestForm *form, Buffer *b)
{
    RequestForm one = *form;
    int e;

    if (kind == GARBLE_NOISE)
        return add_noise(r, b, 1 + random_draw(r, NOISE_MAX - 1));
    if (kind == GARBLE_RECORDS)
        return add_records(r, b);
    if (kind == GARBLE_CHAIN)
        return add_chain(r, form, b);
    one.keep = kind != GARBLE_SOUND && random_draw(r, 1);
    one.body_size = random_draw(r, 3) ? 0 : random_draw(r, 3000);
    e = request_build(&one, NULL, b);
    if (e < 0)
        return e;
    if (kind == GARBLE_CUT)
        b->size = random_draw(r, b->size - 1);
    if (kind == GARBLE_LENGTHS)
        change_length(r, b);
    return kind == GARBLE_MUTATED ? mutate(r, b) : 0;
}
