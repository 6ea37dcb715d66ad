#pragma once

/*
 * What connection.c, head.c, exchange.c, answer.c, request.c and output.c share. Several
 * connections are held by one worker but one request runs at a time, so the large buffers, the
 * Request and the PARAMS arena exist once; a connection at rest costs a few hundred bytes.
 */

#include "base/buffer.h"
#include "fcgi/parser.h"
#include "runtime/connection.h"

#include <netinet/in.h>
#include <sys/uio.h>

/* The head of a request lies in front of the buffer while it runs, if it is not larger than that;
 * one read(2) of a body has at least 64 KiB behind it. */
#define HEAD_MAX        (16 * 1024)
#define INPUT_SIZE      (HEAD_MAX + 64 * 1024)
#define OUTPUT_SIZE     (32 * 1024)
#define RANDOM_SIZE     4096 /* drawn at once, for many REQUEST_IDs */
#define REQUEST_ID_SIZE 33

/* Kept free for the ends of STDOUT and STDERR and for END_REQUEST, which so never need a send of
 * their own. */
#define OUTPUT_TAIL (2 * FCGI_HEADER_SIZE + FCGI_END_REQUEST_SIZE)

/* Records on their way out. Whole records only are sent: between two calls the peer is never in
 * the middle of one. */
typedef struct Output {
    size_t used;
    size_t open; /* offset of the header of the record that still grows, or OUTPUT_NONE_OPEN */
    unsigned open_type;
    uint8_t data[OUTPUT_SIZE];
} Output;

#define OUTPUT_NONE_OPEN SIZE_MAX

void output_reset(Output *o);

/** Appends stream content, at least one byte; sends what does not fit, without copying it. 0 or a
 * negative errno of the socket. */
int output_stream(Output *o, int fd, unsigned type, unsigned request_id, const void *data,
                  size_t n);

/** Appends whole records of at most OUTPUT_TAIL bytes after what is buffered. The tail is for the
 * end of a request. */
void output_tail(Output *o, const uint8_t *records, size_t n);

/** Appends a whole small record. flags: of output_flush(). 0 or a negative errno of the socket. */
int output_record(Output *o, int fd, int flags, const uint8_t *record, size_t n);

/** Sends everything. flags: 0, or MSG_DONTWAIT: what the socket does not take at once is -EAGAIN,
 * and the stream is broken then. */
int output_flush(Output *o, int fd, int flags);

struct Request {
    ConnectionShared *shared;
    Connection *connection;
    const uint8_t *body; /* the rest of the last piece, in the input buffer */
    size_t body_size;
    unsigned body_type;
    bool aborted;   /* ABORT_REQUEST came */
    bool gone;      /* the peer is not there any more */
    bool timed_out; /* it sends no more of the body, and has its answer */
    bool finished;
    bool used_stdout, used_stderr;
    bool stopped;  /* request_terminate_timeout ended its program */
    bool answered; /* the whole answer has gone out */
    bool counted;  /* the slot knows of that */
    uint32_t status;
    uint64_t begun_usec;
    uint64_t bytes_in, bytes_out;         /* not yet in the slot */
    uint64_t cpu_usec, memory_peak_bytes; /* for the slot, at its end */
    uint64_t body_out;                    /* all bytes of STDOUT */
    char *script, *name, *user;           /* only while notes are kept */
    int spent_fd;                         /* of request_close_later(), or -1 */
};

struct ConnectionShared {
    BoardSlot *slot;
    unsigned max_connections, max_requests;
    uint64_t read_timeout_usec; /* 0: none */
    uint32_t max_params_bytes, max_params;
    uint64_t accepted;       /* for the slot, with the next connection */
    unsigned n_reading;      /* connections with an incomplete head */
    Connection *input_owner; /* whose bytes are in input[], or NULL */
    size_t input_pos, input_end;
    size_t head_size; /* bytes at the front of input[] where PARAMS of its owner are */
    FcgiParams spare; /* room that waits for the next head */
    Connection *spare_connection;
    bool keeps_notes, keeps_headers;
    Buffer headers; /* of the answer, each line ended by a NUL */
    size_t n_random;
    Request request;
    Output output;
    uint8_t input[INPUT_SIZE];
    uint8_t random[RANDOM_SIZE];      /* n_random of them are left, the first ones */
    char request_id[REQUEST_ID_SIZE]; /* of the request that runs, if the web server sent none */
};

struct Connection {
    ConnectionShared *shared;
    int fd;
    bool head_ready; /* CONNECTION_REQUEST was returned */
    bool served;     /* a request was run on it */
    bool knows_remote;
    char remote[INET6_ADDRSTRLEN]; /* "": not TCP */
    bool reading;                  /* counted in n_reading */
    bool shut;                     /* shutdown(SHUT_WR) was done */
    bool lingering;
    uint64_t last_active_usec;
    const char *error;
    FcgiParser parser;
    FcgiParams params; /* of the head being read or the request that runs */
    FcgiParams values; /* names of a GET_VALUES being read */
    Buffer stash; /* unread bytes of a complete head's request, while another one has input[] */
};

/** What the slot says when no request runs. */
uint32_t connection_resting_state(const ConnectionShared *s);

/** A head has begun or is no longer read; the slot follows at the next commit. */
void connection_set_reading(Connection *c, bool on);

/** The PARAMS are not needed any more; a small arena is kept for the next head. */
void connection_give_back_params(Connection *c);

/** Goes through the bytes in input[] as far as the end of a head. */
ConnectionOutcome connection_process(Connection *c);

/**
 * Says the end and waits for the peer's: an answer must not be lost by our close(2) while bytes of
 * the peer's own are unread (unix(7) and TCP reset the connection then).
 */
ConnectionOutcome connection_linger(Connection *c);

/** Makes input[] this connection's; what another one has in it is moved away. */
void connection_claim_input(Connection *c);

/** One recv(2) into the empty input[], behind the head of the request that runs: > 0 bytes, 0 at
 * the end, or -errno. flags: 0 or MSG_DONTWAIT. */
ssize_t connection_fill(Connection *c, int flags);

/** The next event of the bytes in input[]. 0 or -EBADMSG, which is noted and counted. */
int connection_next_event(Connection *c, FcgiEvent *ret_event);

/** Answers GET_VALUES, UNKNOWN_TYPE, UNKNOWN_ROLE and SECOND_REQUEST into the output buffer; leaves
 * other events alone. flags: of output_flush(). 0 or -errno. */
int connection_answer(Connection *c, const FcgiEvent *event, int flags);

/** Notes broken bytes: the text, and the counter in the slot. -EBADMSG. */
int connection_fail(Connection *c, const char *error);

/** Ends both streams and the request for the peer and sends everything. 0 or -EPIPE. */
int request_end_output(Request *r, uint32_t app_status);

/** Adds the body bytes since the last time; between board_begin() and board_commit(). */
void request_count_bytes(Request *r);

/** Counts the answer, once it is complete and once only; between board_begin() and board_commit().
 */
void request_count_answer(Request *r, uint64_t now_usec);

/** Frees what was kept of the notes. */
void request_forget_notes(Request *r);

/** The id of a head: the web server's REQUEST_ID, or one that is made and added to the PARAMS. */
const char *request_id_of_head(Connection *c, size_t *ret_n);
