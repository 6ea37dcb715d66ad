#include "conf/gathered.h"

#include <errno.h>
#include <string.h>

Gathered *gathered_new(size_t n_directives)
{
    Gathered *g = calloc(1, sizeof(*g));

    if (!g)
        return NULL;
    g->n_entries = calloc(n_directives, sizeof(*g->n_entries));
    return g->n_entries ? g : gathered_free(g);
}

Gathered *gathered_free(Gathered *g)
{
    if (g) {
        free(g->keys);
        free(g->n_entries);
    }
    free(g);
    return NULL;
}

/* FNV-1a */
static size_t hash(KeyClass class, const char *text)
{
    uint64_t h = UINT64_C(14695981039346656037) ^ (uint64_t) class;

    for (const char *p = text; *p; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
    return (size_t)(h ^ h >> 32);
}

/* The place of the key, or the free one where it belongs. There is a free one. */
static Key *place_of(const Gathered *g, KeyClass class, const char *text)
{
    size_t i = hash(class, text) & (g->n_places - 1);

    while (g->keys[i].text && !(g->keys[i].class == class && strcmp(g->keys[i].text, text) == 0))
        i = (i + 1) & (g->n_places - 1);
    return &g->keys[i];
}

ssize_t gathered_find(const Gathered *g, KeyClass class, const char *text)
{
    const Key *key = g->n_places > 0 ? place_of(g, class, text) : NULL;

    return key && key->text ? (ssize_t)key->item : -ENOENT;
}

/* To a power of two that leaves at least half of the places free. */
static int reserve(Gathered *g)
{
    Gathered grown = {.n_places = g->n_places > 0 ? g->n_places * 2 : 16};

    if (g->n_keys * 2 < g->n_places)
        return 0;
    grown.keys = calloc(grown.n_places, sizeof(*grown.keys));
    if (!grown.keys)
        return -ENOMEM;
    for (size_t i = 0; i < g->n_places; i++)
        if (g->keys[i].text)
            *place_of(&grown, g->keys[i].class, g->keys[i].text) = g->keys[i];
    free(g->keys);
    g->keys = grown.keys;
    g->n_places = grown.n_places;
    return 0;
}

int gathered_add(Gathered *g, KeyClass class, const char *text, size_t item)
{
    if (reserve(g) < 0)
        return -ENOMEM;
    *place_of(g, class, text) = (Key){text, class, item};
    g->n_keys++;
    return 0;
}
