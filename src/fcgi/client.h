#pragma once

/*
 * The web server's side of FastCGI, for our tools and tests: builds requests, decodes answers. No
 * I/O.
 */

#include "base/buffer.h"
#include "fcgi/wire.h"

/** Appends BEGIN_REQUEST. 0 or -ENOMEM. */
int fcgi_client_begin(Buffer *b, unsigned request_id, unsigned role, unsigned flags);

/** Appends a PARAMS record with these pairs (names and values alternate, NULL ends) and the empty
 * PARAMS record. */
int fcgi_client_params(Buffer *b, unsigned request_id, const char *const *pairs);

/** Appends a stream of the given type cut into records of at most FCGI_MAX_CONTENT bytes; without
 * the end marker. */
int fcgi_client_stream(Buffer *b, unsigned type, unsigned request_id, const void *data, size_t n);

/** Appends the empty record that ends a stream. */
int fcgi_client_stream_end(Buffer *b, unsigned type, unsigned request_id);

typedef struct FcgiResponse {
    Buffer out; /* STDOUT */
    Buffer err; /* STDERR */
    bool ended; /* END_REQUEST seen */
    uint32_t app_status;
    unsigned protocol_status;
    /* decoder */
    uint8_t header[FCGI_HEADER_SIZE];
    unsigned n_header;
    uint32_t content_left, padding_left;
    uint8_t end_body[8];
    unsigned n_end_body;
} FcgiResponse;

void fcgi_response_done(FcgiResponse *r);

/** Makes it ready for the next answer; the buffers keep their room. */
void fcgi_response_reset(FcgiResponse *r);

/** Takes bytes of an answer. 1 when END_REQUEST is complete (*ret_used bytes were needed), 0 for
 * more, -EBADMSG, -ENOMEM. */
int fcgi_response_push(FcgiResponse *r, const uint8_t *data, size_t n, size_t *ret_used);
