#pragma once

/*
 * The status line of a response as CGI says it (RFC 3875, section 6.3.3), by the rules of PHP-FPM.
 * No PHP here.
 */

#include "base/macro.h"

/* A longer line is cut, as PHP-FPM does. */
#define RESPONSE_STATUS_MAX 1023

typedef struct ResponseStatus {
    int code;           /* what PHP knows */
    const char *reason; /* the standard phrase of that code, or NULL */
    const char *line;   /* the line that the script gave, "HTTP/1.1 418 Teapot", or NULL */
    const char *header; /* the value of a header "Status:" of the script's own, or NULL */
    bool always;        /* cgi.nph: say it for 200 too */
    bool full_line;     /* cgi.rfc2616_headers: send the script's line as it is */
} ResponseStatus;

/**
 * Writes the status line without its line end. "": there is none to be sent before the headers, and
 * the script's own "Status:" header, if any, goes out with the others; else that one is left out.
 * *ret_code: the status that the web server will see. Returns the length.
 */
size_t response_status_line(const ResponseStatus *s, char ret_line[RESPONSE_STATUS_MAX + 1],
                            int *ret_code);
