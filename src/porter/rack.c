#include "porter/rack.h"

#include <errno.h>
#include <string.h>

void rack_init(Rack *r)
{
    *r = (Rack){0};
    for (size_t i = 0; i < _RACK_LIST_MAX; i++)
        r->lists[i].first = r->lists[i].last = -1;
}

void rack_done(Rack *r)
{
    free(r->places);
    rack_init(r);
}

static int rack_grow(Rack *r, size_t wanted)
{
    size_t n = MAX(r->n_places, (size_t)64);
    RackPlace *grown;

    while (n < wanted)
        n *= 2;
    grown = reallocarray(r->places, n, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    memset(grown + r->n_places, 0, (n - r->n_places) * sizeof(*grown));
    r->places = grown;
    r->n_places = n;
    return 0;
}

int rack_put(Rack *r, int fd, RackList list, unsigned flags, uint64_t now_usec)
{
    if ((size_t)fd >= r->n_places) {
        int error = rack_grow(r, (size_t)fd + 1);

        if (error < 0)
            return error;
    }
    rack_drop(r, fd);
    r->places[fd] = (RackPlace){.since_usec = now_usec,
                                .prev = r->lists[list].last,
                                .next = -1,
                                .list = (uint8_t)list,
                                .flags = (uint8_t)flags};
    if (r->lists[list].last >= 0)
        r->places[r->lists[list].last].next = fd;
    else
        r->lists[list].first = fd;
    r->lists[list].last = fd;
    r->lists[list].n++;
    return 0;
}

void rack_drop(Rack *r, int fd)
{
    RackPlace place = *rack_place(r, fd);

    if (place.list == RACK_NONE)
        return;
    if (place.prev >= 0)
        r->places[place.prev].next = place.next;
    else
        r->lists[place.list].first = place.next;
    if (place.next >= 0)
        r->places[place.next].prev = place.prev;
    else
        r->lists[place.list].last = place.prev;
    r->lists[place.list].n--;
    r->places[fd].list = RACK_NONE;
}

const RackPlace *rack_place(const Rack *r, int fd)
{
    static const RackPlace nowhere = {.prev = -1, .next = -1};

    return fd >= 0 && (size_t)fd < r->n_places ? &r->places[fd] : &nowhere;
}

int rack_first(const Rack *r, RackList list)
{
    return r->lists[list].first;
}

unsigned rack_count(const Rack *r, RackList list)
{
    return r->lists[list].n;
}
