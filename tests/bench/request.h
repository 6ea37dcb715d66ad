#pragma once

/*
 * The requests of fpmd-load and the answers that they must get. With an id, the query is
 * "id=ID&QUERY", the body is made of the id, and the answer of the script
 * (tests/system/www/load.php) is "ID LENGTH HASH\n", length and hash (FNV-1a, 64 bits) being those
 * of the body that it got, and then the id as often as it takes for answer_size bytes. No answer
 * can be mistaken for another.
 */

#include "base/buffer.h"
#include "fcgi/client.h"

#define REQUEST_ID_SIZE 17 /* 16 hexadecimal digits and NUL */

typedef struct RequestForm {
    const char *script, *uri, *query;
    const char *expect; /* without ids: the body of every answer; NULL: any */
    bool keep, with_ids;
    uint64_t body_size, answer_size;
} RequestForm;

/** Appends the whole request; id is NULL without ids. 0 or -ENOMEM. */
int request_build(const RequestForm *form, const char *id, Buffer *b);

/** The HTTP status of an answer: 200 when it names none, 0 when it has no headers. */
unsigned request_status(const FcgiResponse *r);

bool request_answer_is_right(const RequestForm *form, const char *id, const FcgiResponse *r);
