#include "log/ring.h"

#include <errno.h>
#include <string.h>

typedef uint32_t Length;

int ring_init(Ring *ring, size_t room)
{
    char *data = NULL;

    if (room > 0) {
        data = malloc(room);
        if (!data)
            return -ENOMEM;
    }
    *ring = (Ring){.data = data, .room = room};
    return 0;
}

void ring_done(Ring *ring)
{
    free(ring->data);
    *ring = (Ring){0};
}

int ring_push(Ring *ring, const void *record, size_t n)
{
    Length length = (Length)n;
    size_t used = ring->end - ring->start;

    if (n > UINT32_MAX || ring->room < used || ring->room - used < sizeof(length) ||
        ring->room - used - sizeof(length) < n)
        return -ENOBUFS;
    /* Records stay in one piece, so the used part moves down when the end is reached. */
    if (ring->room - ring->end < sizeof(length) + n) {
        memmove(ring->data, ring->data + ring->start, used);
        ring->start = 0;
        ring->end = used;
    }
    memcpy(ring->data + ring->end, &length, sizeof(length));
    memcpy(ring->data + ring->end + sizeof(length), record, n);
    ring->end += sizeof(length) + n;
    return 0;
}

const void *ring_first(const Ring *ring, size_t *ret_n)
{
    Length length;

    if (ring_is_empty(ring))
        return NULL;
    memcpy(&length, ring->data + ring->start, sizeof(length));
    *ret_n = length;
    return ring->data + ring->start + sizeof(length);
}

void ring_pop(Ring *ring)
{
    size_t n;

    if (!ring_first(ring, &n))
        return;
    ring->start += sizeof(Length) + n;
    if (ring_is_empty(ring))
        ring_clear(ring);
}
