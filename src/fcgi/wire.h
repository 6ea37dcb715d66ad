#pragma once

/*
 * FastCGI 1.0 wire format: constants and the encoding of single records. Bytes only, no I/O.
 * Source of every number: FastCGI specification, sections 3.3 to 3.5 and 8.
 */

#include "base/macro.h"

#define FCGI_VERSION          1
#define FCGI_HEADER_SIZE      8
#define FCGI_MAX_CONTENT      65535
#define FCGI_NULL_REQUEST_ID  0
#define FCGI_KEEP_CONN        1 /* flag of BEGIN_REQUEST */
#define FCGI_END_REQUEST_SIZE (FCGI_HEADER_SIZE + 8)

typedef enum FcgiType {
    FCGI_BEGIN_REQUEST = 1,
    FCGI_ABORT_REQUEST = 2,
    FCGI_END_REQUEST = 3,
    FCGI_PARAMS = 4,
    FCGI_STDIN = 5,
    FCGI_STDOUT = 6,
    FCGI_STDERR = 7,
    FCGI_DATA = 8,
    FCGI_GET_VALUES = 9,
    FCGI_GET_VALUES_RESULT = 10,
    FCGI_UNKNOWN_TYPE = 11,
} FcgiType;

typedef enum FcgiRole {
    FCGI_RESPONDER = 1,
    FCGI_AUTHORIZER = 2,
    FCGI_FILTER = 3,
} FcgiRole;

typedef enum FcgiProtocolStatus {
    FCGI_REQUEST_COMPLETE = 0,
    FCGI_CANT_MPX_CONN = 1,
    FCGI_OVERLOADED = 2,
    FCGI_UNKNOWN_ROLE = 3,
} FcgiProtocolStatus;

/** "RESPONDER", "AUTHORIZER", "FILTER", or NULL. */
const char *fcgi_role_to_string(unsigned role);

/** Writes the 8 bytes of a record header. */
void fcgi_put_header(uint8_t *p, unsigned type, unsigned request_id, size_t content,
                     unsigned padding);

/** Writes a whole END_REQUEST record (FCGI_END_REQUEST_SIZE bytes). */
void fcgi_put_end_request(uint8_t *p, unsigned request_id, uint32_t app_status,
                          unsigned protocol_status);

/** Writes a whole BEGIN_REQUEST record (16 bytes). */
void fcgi_put_begin_request(uint8_t *p, unsigned request_id, unsigned role, unsigned flags);

/** Writes a whole UNKNOWN_TYPE record (16 bytes). */
void fcgi_put_unknown_type(uint8_t *p, unsigned type);

/** Bytes that fcgi_put_pair() needs for this pair. */
size_t fcgi_pair_size(size_t name_size, size_t value_size);

/** Writes one name-value pair (section 3.4); returns the end. */
uint8_t *fcgi_put_pair(uint8_t *p, const void *name, size_t name_size, const void *value,
                       size_t value_size);
