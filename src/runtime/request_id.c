#include "runtime/connection_private.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define PARAM    "REQUEST_ID"
#define ID_BYTES 16

/* Drawn for many requests at once, since each draw is a system call. 0 or -errno. */
static int draw(ConnectionShared *s)
{
    ssize_t n;

    do
        n = getrandom(s->random, sizeof(s->random), 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    s->n_random = (size_t)n; /* a signal may make it less */
    return n < ID_BYTES ? -EAGAIN : 0;
}

static int make_id(ConnectionShared *s, char ret[static 2 * ID_BYTES + 1])
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes;

    int r = s->n_random < ID_BYTES ? draw(s) : 0;

    if (r < 0)
        return r;
    s->n_random -= ID_BYTES;
    bytes = s->random + s->n_random;
    for (size_t i = 0; i < ID_BYTES; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * ID_BYTES] = 0;
    return 0;
}

const char *request_id_of_head(Connection *c, size_t *ret_n)
{
    char *id = c->shared->request_id;
    const char *sent = fcgi_params_get(&c->params, PARAM, ret_n);

    if (sent && *sent)
        return sent;
    if (make_id(c->shared, id) < 0)
        return NULL;
    /* At the limits of the PARAMS there is no room for it: the request goes without. */
    if (fcgi_params_add(&c->params, PARAM, strlen(PARAM), id, 2 * ID_BYTES) < 0)
        return NULL;
    *ret_n = 2 * ID_BYTES;
    return id;
}
