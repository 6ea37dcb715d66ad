#pragma once

/*
 * One FastCGI request as a language runtime sees it. Writing is buffered and goes out with as few
 * system calls as possible; a peer that is gone makes writes fail with -EPIPE. All calls block as
 * long as the peer makes them wait.
 */

#include "base/macro.h"
#include "board/slot.h"
#include "fcgi/params.h"

typedef struct Request Request;

/** FCGI_RESPONDER, FCGI_AUTHORIZER or FCGI_FILTER. */
unsigned request_role(const Request *r);

/** Whether it came on a socket of pm.status_listen, where only status and ping are answered. */
bool request_is_for_status(const Request *r);

/** The PARAMS; valid until the request ends. */
const FcgiParams *request_params(const Request *r);

/** The value of a parameter, NUL-terminated, or NULL. */
const char *request_param(const Request *r, const char *name);

/**
 * Reads the next bytes of STDIN, at most n. Returns how many; 0 at the end of the stream; -EPIPE
 * when the peer closed or aborted before it; -EBADMSG for broken records.
 */
ssize_t request_read(Request *r, void *buffer, size_t n);

/** The same for DATA, the file of a FILTER; passes over what is left of STDIN. Other roles: 0. */
ssize_t request_read_data(Request *r, void *buffer, size_t n);

/** Appends to STDOUT. 0; -EPIPE when the peer is gone, aborted, or the request is finished. */
int request_write(Request *r, const void *data, size_t n);

/** Appends to STDERR; the order of the two streams is kept. */
int request_write_error(Request *r, const void *data, size_t n);

/** Sends what is buffered. 0 or -EPIPE. */
int request_flush(Request *r);

/** Ends the request for the peer (END_REQUEST with this status); the caller may go on working.
 * Later writes give -EPIPE. */
int request_finish(Request *r, uint32_t app_status);

/** True once the peer is known to be gone or has sent ABORT_REQUEST. Makes no system call. */
bool request_aborted(const Request *r);

/** True when the peer sent nothing for request_read_timeout while its body was read. It has got a
 * 408 if nothing had been sent before; request_aborted() is true as well. */
bool request_timed_out(const Request *r);

/** True after any byte of STDOUT or STDERR has been handed over. */
bool request_started_output(const Request *r);

/** True once bytes have left the process (or are about to) since the request began: it can no
 * longer get another answer. Async-signal-safe. */
bool request_sent_output(const Request *r);

/** Drops what was handed over and has not been sent, to put another answer in its place. */
void request_discard_output(Request *r);

/* What the request tells the scoreboard. */
void request_note_script(Request *r, const char *script);
/** name: of the program in the URI; user: who authenticated. NULL: none. */
void request_note_name(Request *r, const char *name, const char *user);
/** What the request took; shown once it has ended. */
void request_note_use(Request *r, uint64_t cpu_usec, uint64_t memory_peak_bytes);
/** It asks for the ping page, not for work. */
void request_note_ping(Request *r);
void request_note_status(Request *r, unsigned http_status);

/** What the scoreboard says about this worker; see board_read(). */
int request_read_slot(const Request *r, uint64_t now_usec, BoardSlot *ret);
