#pragma once

/*
 * Push parser of one FastCGI connection, seen by the application: bytes in any split → events. No
 * I/O, no allocation, no copies: data events point into the caller's bytes. Hostile input is
 * expected.
 *
 * One request at a time (no multiplexing): a BEGIN_REQUEST for a second id while one runs gives
 * FCGI_EVENT_SECOND_REQUEST, which the caller answers with CANT_MPX_CONN; records of ids that are
 * not active are skipped (section 3.3). A record of id 0 is a management record whatever its type.
 *
 * -EBADMSG: a version other than 1, a BEGIN_REQUEST that is not of 8 bytes or is for the running
 * id, STDIN or DATA before the end of PARAMS, DATA before the end of STDIN. Skipped: repeated ends
 * of streams, PARAMS after their end, DATA for other roles than FILTER, record types that only an
 * application sends.
 */

#include "fcgi/wire.h"

typedef enum FcgiEventKind {
    FCGI_EVENT_NONE,   /* all bytes taken, more are needed */
    FCGI_EVENT_BEGIN,  /* request_id, role, keep */
    FCGI_EVENT_PARAMS, /* data, size: the next piece of the PARAMS stream */
    FCGI_EVENT_PARAMS_END,
    FCGI_EVENT_STDIN, /* data, size */
    FCGI_EVENT_STDIN_END,
    FCGI_EVENT_DATA, /* data, size; role FILTER */
    FCGI_EVENT_DATA_END,
    FCGI_EVENT_ABORT,      /* the web server gave up the request */
    FCGI_EVENT_GET_VALUES, /* data, size: a piece of the pairs */
    FCGI_EVENT_GET_VALUES_END,
    FCGI_EVENT_UNKNOWN_TYPE, /* type: answer with fcgi_put_unknown_type() */
    FCGI_EVENT_UNKNOWN_ROLE, /* request_id: answer END_REQUEST(UNKNOWN_ROLE); keep tells whether to
                                close */
    FCGI_EVENT_SECOND_REQUEST, /* request_id: answer END_REQUEST(CANT_MPX_CONN) */
    _FCGI_EVENT_MAX,
} FcgiEventKind;

typedef struct FcgiEvent {
    FcgiEventKind kind;
    unsigned request_id;
    unsigned role;
    unsigned type;
    bool keep;
    const uint8_t *data;
    size_t size;
} FcgiEvent;

typedef enum FcgiParserPhase {
    FCGI_PHASE_IDLE, /* between requests */
    FCGI_PHASE_PARAMS,
    FCGI_PHASE_BODY, /* STDIN and DATA */
} FcgiParserPhase;

typedef struct FcgiParser {
    FcgiParserPhase phase;
    uint8_t header[FCGI_HEADER_SIZE];
    unsigned n_header; /* header bytes seen */
    uint8_t body[8];   /* of BEGIN_REQUEST */
    unsigned n_body;
    unsigned type, record_id;
    uint32_t content_left, padding_left;
    bool in_content; /* a header is complete and its content or padding is awaited */
    unsigned request_id;
    unsigned role;
    bool keep;
    bool values_end_due;          /* GET_VALUES_END is the next event */
    bool stdin_ended, data_ended; /* followed beyond the end of the request, until the next BEGIN */
    const char *error;            /* static text of the first error */
} FcgiParser;

void fcgi_parser_init(FcgiParser *p);

/**
 * Takes bytes up to and including the next event. *ret_used counts the bytes taken, which may be
 * fewer than n: call again with the rest until the event is FCGI_EVENT_NONE.
 *
 * Returns 0, or -EBADMSG for bytes that are not FastCGI (p->error says why): close the connection.
 * The parser stays in that state.
 */
int fcgi_parser_next(FcgiParser *p, const uint8_t *data, size_t n, size_t *ret_used,
                     FcgiEvent *ret_event);

/** The caller has ended the request (END_REQUEST sent): what is left of its streams is skipped, a
 * new BEGIN may follow. */
void fcgi_parser_end_request(FcgiParser *p);

/**
 * True when STDIN (and DATA for role FILTER) has been read to its end or the web server aborted, so
 * no byte of the request is outstanding. Stays right after fcgi_parser_end_request(), while the
 * rest is skipped. True before the first request.
 */
bool fcgi_parser_request_read(const FcgiParser *p);

/** True between requests with no byte of the next one seen and none of the last one outstanding. */
bool fcgi_parser_is_idle(const FcgiParser *p);
