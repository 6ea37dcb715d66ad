#pragma once

/*
 * A request for the status page → the answer, for whoever serves it: a worker on the pool's own
 * socket (runtime/php/pages.c), the porter on the socket of fpmd-status@POOL.socket. No I/O and no
 * clock here.
 *
 * Query: "full"; "html", "xml", "json", "openmetrics" in this order of precedence, else plain, as
 * in PHP-FPM. The dashboard (html) has its style sheet and its script below the same path
 * ("?style", "?script"), so that it works under Content-Security-Policy: default-src 'self'.
 */

#include "base/buffer.h"
#include "status/history.h"
#include "status/page.h"

#include <time.h>

typedef struct StatusQuestion {
    const char *query;  /* QUERY_STRING, NULL: none */
    const char *accept; /* HTTP_ACCEPT, NULL: none: application/openmetrics-text chooses the strict
                           form of the metrics */
    bool head;          /* a HEAD: headers alone */
} StatusQuestion;

typedef struct StatusAnswer {
    int code;
    const char *content_type; /* static */
    const char *headers[8];   /* further lines "Name: value", NULL ends; static */
    Buffer body;              /* buffer_done() */
} StatusAnswer;

/** Whether the answer needs a snapshot; style sheet and script do not. */
bool status_question_needs_snapshot(const StatusQuestion *q);

/** pool, workers: NULL where none is needed; history: NULL: there is none. local_time as that of
 * page_render(). 0 or -ENOMEM. */
int status_answer_make(const StatusQuestion *q, const StatusPool *pool, const StatusWorker *workers,
                       const History *history,
                       struct tm *(*local_time)(const time_t *time, struct tm *ret),
                       StatusAnswer *ret);
