#include "fcgi/client.h"

#include <errno.h>
#include <string.h>

/* Records of a multiple of eight bytes keep both sides aligned (section 3.3). */
#define STREAM_RECORD_MAX 65528

int fcgi_client_begin(Buffer *b, unsigned request_id, unsigned role, unsigned flags)
{
    uint8_t record[2 * FCGI_HEADER_SIZE];

    fcgi_put_begin_request(record, request_id, role, flags);
    return buffer_append(b, record, sizeof(record));
}

int fcgi_client_params(Buffer *b, unsigned request_id, const char *const *pairs)
{
    _cleanup_buffer_ Buffer stream = {0};
    int r;

    for (; pairs && pairs[0]; pairs += 2) {
        size_t name_size = strlen(pairs[0]), value_size = strlen(pairs[1]);

        r = buffer_reserve(&stream, fcgi_pair_size(name_size, value_size));
        if (r < 0)
            return r;
        stream.size = (size_t)((char *)fcgi_put_pair((uint8_t *)stream.data + stream.size, pairs[0],
                                                     name_size, pairs[1], value_size) -
                               stream.data);
    }
    r = fcgi_client_stream(b, FCGI_PARAMS, request_id, stream.data, stream.size);
    return r < 0 ? r : fcgi_client_stream_end(b, FCGI_PARAMS, request_id);
}

int fcgi_client_stream(Buffer *b, unsigned type, unsigned request_id, const void *data, size_t n)
{
    const char *p = data;

    while (n > 0) {
        size_t k = MIN(n, (size_t)STREAM_RECORD_MAX);
        uint8_t header[FCGI_HEADER_SIZE];
        int r = buffer_reserve(b, sizeof(header) + k);

        if (r < 0)
            return r;
        fcgi_put_header(header, type, request_id, k, 0);
        buffer_append(b, header, sizeof(header));
        buffer_append(b, p, k);
        p += k;
        n -= k;
    }
    return 0;
}

int fcgi_client_stream_end(Buffer *b, unsigned type, unsigned request_id)
{
    uint8_t header[FCGI_HEADER_SIZE];

    fcgi_put_header(header, type, request_id, 0, 0);
    return buffer_append(b, header, sizeof(header));
}

void fcgi_response_done(FcgiResponse *r)
{
    buffer_done(&r->out);
    buffer_done(&r->err);
    *r = (FcgiResponse){0};
}

void fcgi_response_reset(FcgiResponse *r)
{
    Buffer out = r->out, err = r->err;

    out.size = err.size = 0;
    *r = (FcgiResponse){.out = out, .err = err};
}

static int start_record(FcgiResponse *r)
{
    const uint8_t *h = r->header;

    if (h[0] != FCGI_VERSION)
        return -EBADMSG;
    r->content_left = (uint32_t)h[4] << 8 | h[5];
    r->padding_left = h[6];
    if (h[1] == FCGI_END_REQUEST && r->content_left < sizeof(r->end_body))
        return -EBADMSG;
    return 0;
}

static int take_content(FcgiResponse *r, const uint8_t *data, size_t n)
{
    size_t k;

    r->content_left -= (uint32_t)n;
    switch (r->header[1]) {
    case FCGI_STDOUT:
        return buffer_append(&r->out, data, n);
    case FCGI_STDERR:
        return buffer_append(&r->err, data, n);
    case FCGI_END_REQUEST:
        k = MIN(n, sizeof(r->end_body) - r->n_end_body);
        memcpy(r->end_body + r->n_end_body, data, k);
        r->n_end_body += (unsigned)k;
        return 0;
    default:
        return 0;
    }
}

static void end_record(FcgiResponse *r)
{
    const uint8_t *e = r->end_body;

    r->n_header = 0;
    if (r->header[1] != FCGI_END_REQUEST)
        return;
    r->ended = true;
    r->app_status =
        (uint32_t)e[0] << 24 | (uint32_t)e[1] << 16 | (uint32_t)e[2] << 8 | (uint32_t)e[3];
    r->protocol_status = e[4];
}

int fcgi_response_push(FcgiResponse *r, const uint8_t *data, size_t n, size_t *ret_used)
{
    size_t used = 0, k;
    int error;

    while (!r->ended && used < n) {
        if (r->n_header < FCGI_HEADER_SIZE) {
            r->header[r->n_header++] = data[used++];
            if (r->n_header < FCGI_HEADER_SIZE)
                continue;
            error = start_record(r);
            if (error < 0)
                return error;
        } else if (r->content_left > 0) {
            k = MIN((size_t)r->content_left, n - used);
            error = take_content(r, data + used, k);
            if (error < 0)
                return error;
            used += k;
        } else {
            k = MIN((size_t)r->padding_left, n - used);
            r->padding_left -= (uint32_t)k;
            used += k;
        }
        if (r->content_left == 0 && r->padding_left == 0)
            end_record(r);
    }
    *ret_used = used;
    return r->ended;
}
