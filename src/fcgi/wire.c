#include "fcgi/wire.h"

#include <string.h>

/* Name-value lengths above this take four bytes with the highest bit set (section 3.4). */
#define SHORT_LENGTH_MAX 127

static const char *const role_names[] = {
    [FCGI_RESPONDER] = "RESPONDER",
    [FCGI_AUTHORIZER] = "AUTHORIZER",
    [FCGI_FILTER] = "FILTER",
};

const char *fcgi_role_to_string(unsigned role)
{
    return role < ARRAY_SIZE(role_names) ? role_names[role] : NULL;
}

void fcgi_put_header(uint8_t *p, unsigned type, unsigned request_id, size_t content,
                     unsigned padding)
{
    p[0] = FCGI_VERSION;
    p[1] = (uint8_t)type;
    p[2] = (uint8_t)(request_id >> 8);
    p[3] = (uint8_t)request_id;
    p[4] = (uint8_t)(content >> 8);
    p[5] = (uint8_t)content;
    p[6] = (uint8_t)padding;
    p[7] = 0;
}

static void put_u32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

void fcgi_put_end_request(uint8_t *p, unsigned request_id, uint32_t app_status,
                          unsigned protocol_status)
{
    fcgi_put_header(p, FCGI_END_REQUEST, request_id, 8, 0);
    p += FCGI_HEADER_SIZE;
    put_u32(p, app_status);
    put_u32(p + 4, 0);
    p[4] = (uint8_t)protocol_status;
}

void fcgi_put_begin_request(uint8_t *p, unsigned request_id, unsigned role, unsigned flags)
{
    fcgi_put_header(p, FCGI_BEGIN_REQUEST, request_id, 8, 0);
    p += FCGI_HEADER_SIZE;
    memset(p, 0, 8);
    p[0] = (uint8_t)(role >> 8);
    p[1] = (uint8_t)role;
    p[2] = (uint8_t)flags;
}

void fcgi_put_unknown_type(uint8_t *p, unsigned type)
{
    fcgi_put_header(p, FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, 8, 0);
    p += FCGI_HEADER_SIZE;
    memset(p, 0, 8);
    p[0] = (uint8_t)type;
}

static size_t length_size(size_t n)
{
    return n > SHORT_LENGTH_MAX ? 4 : 1;
}

size_t fcgi_pair_size(size_t name_size, size_t value_size)
{
    return length_size(name_size) + length_size(value_size) + name_size + value_size;
}

static uint8_t *put_length(uint8_t *p, size_t n)
{
    if (n > SHORT_LENGTH_MAX) {
        put_u32(p, (uint32_t)n | UINT32_C(0x80000000));
        return p + 4;
    }
    *p = (uint8_t)n;
    return p + 1;
}

static uint8_t *put_bytes(uint8_t *p, const void *data, size_t n)
{
    if (n > 0)
        memcpy(p, data, n);
    return p + n;
}

uint8_t *fcgi_put_pair(uint8_t *p, const void *name, size_t name_size, const void *value,
                       size_t value_size)
{
    p = put_length(p, name_size);
    p = put_length(p, value_size);
    p = put_bytes(p, name, name_size);
    return put_bytes(p, value, value_size);
}
