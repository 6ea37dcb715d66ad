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

/** The PARAMS; valid until the request ends. */
const FcgiParams *request_params(const Request *r);

/** The value of a parameter, NUL-terminated, or NULL. */
const char *request_param(const Request *r, const char *name);

/**
 * Reads the next bytes of STDIN, at most n. Returns how many; 0 at the end of the stream; -EPIPE
 * when the peer closed or aborted before it; -EBADMSG for broken records.
 */
ssize_t request_read(Request *r, void *buffer, size_t n);

/** The same without a copy: *ret stays as it is until the next call that reads. At most the rest of
 * one record. */
ssize_t request_next(Request *r, const uint8_t **ret, size_t n);

/** Takes a descriptor that is closed when the answer has gone out: a file without a name may take
 * milliseconds for that. */
void request_close_later(Request *r, int fd);

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

/** The same at the end of the program, unless it was done: so that connection_end() finds the
 * answer sent. */
void request_answer(Request *r, uint32_t app_status);

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
/** Its program was ended by request_terminate_timeout. */
void request_note_stopped(Request *r);
/** A header of the answer: "Name: value". */
void request_note_header(Request *r, const char *line, size_t n);
/** The opcode cache as the program has seen it. */
void request_note_opcache(Request *r, const BoardOpcache *opcache);

/* What there is to say about a request once its program has ended. */
typedef struct RequestFacts {
    const char *script, *name, *user; /* NULL: none, or the notes are not kept */
    const char *remote;               /* address of the web server, NULL: not TCP */
    unsigned status;                  /* HTTP, 0: there was no answer */
    bool stopped;
    uint64_t begun_usec;
    uint64_t bytes_out;
    uint64_t cpu_usec, memory_peak_bytes;
} RequestFacts;

/** Texts are valid until connection_end(). remote: whether that is asked for, a system call for
 * each connection. */
void request_facts(const Request *r, bool remote, RequestFacts *ret);

/** The value of a header of the answer, NULL: it has none, or headers are not kept. */
const char *request_header(const Request *r, const char *name);

/** What the scoreboard says about this worker; see board_read(). */
int request_read_slot(const Request *r, uint64_t now_usec, BoardSlot *ret);
