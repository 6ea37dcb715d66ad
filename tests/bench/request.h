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
#define EXTRAS_MAX      8

typedef struct RequestForm {
    const char *script, *uri, *query;
    const char *expect; /* without ids: the body of every answer; NULL: any */
    bool keep, with_ids;
    uint64_t body_size, answer_size;
    uint64_t expect_size;           /* without ids: of the body of every answer; 0: any */
    const char *extras[EXTRAS_MAX]; /* NAME=VALUE: parameters, in place of ours of that name */
    unsigned n_extras;
} RequestForm;

/** Appends the whole request; id is NULL without ids. 0 or -ENOMEM. */
int request_build(const RequestForm *form, const char *id, Buffer *b);

/** The HTTP status of an answer: 200 when it names none, 0 when it has no headers. */
unsigned request_status(const FcgiResponse *r);

/** With expect_size, answers may be of any length: keeps their first bytes and counts the rest in
 * *dropped, which starts at 0. To be called whenever something was pushed. */
void request_drop_body(const RequestForm *form, FcgiResponse *r, uint64_t *dropped);

bool request_answer_is_right(const RequestForm *form, const char *id, const FcgiResponse *r,
                             uint64_t dropped);
