#pragma once

/*
 * The scoreboard: one sealed memfd of two pages per worker. The worker is the only writer; the
 * manager copies the page, then bounds and validates everything. Nobody follows an offset or
 * pointer from it.
 *
 * A page of its own per worker, because a mapping of one page of a larger memfd can be grown over
 * its neighbours with mremap(2). Sealed against shrinking, since reading beyond the end of a shrunk
 * file would be SIGBUS in the manager.
 */

#include "base/macro.h"

#include <sys/types.h>

#define BOARD_SLOT_SIZE    8192
#define BOARD_SLOT_VERSION 2

/* The second page: what a dying worker leaves behind. */
#define BOARD_TRACE_OFFSET 4096
#define BOARD_TRACE_SIZE   4096

/* How the requests of a worker ended. A request that was stopped for its time is TIMED_OUT and
 * nothing else; one whose worker crashed is counted by the manager. */
typedef enum BoardOutcome {
    BOARD_OUTCOME_OK,           /* 1xx, 2xx, 3xx */
    BOARD_OUTCOME_CLIENT_ERROR, /* 4xx */
    BOARD_OUTCOME_SERVER_ERROR, /* 5xx */
    BOARD_OUTCOME_TIMED_OUT,    /* request_terminate_timeout */
    _BOARD_OUTCOME_MAX,
} BoardOutcome;

/* Upper bounds of the buckets of durations, in microseconds; the last bucket has none. */
#define BOARD_LATENCY_BOUNDS                                                                       \
    {                                                                                              \
        250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, \
            5000000, 10000000, 30000000, 60000000                                                  \
    }
#define BOARD_LATENCY_BUCKETS 18

/* Numbers of system calls are below this one; x32 has a bit above. */
#define BOARD_CALL_MAX 4096

/* The opcode cache of the generation, as a worker saw it last. */
typedef struct BoardOpcache {
    uint64_t seen_usec; /* CLOCK_MONOTONIC; 0: there is none, or nobody has looked yet */
    uint64_t used_bytes, free_bytes, wasted_bytes;
    uint64_t strings_used_bytes, strings_free_bytes;
    uint64_t scripts, keys, keys_max;
    uint64_t hits, misses;
    uint64_t restarts; /* for whatever reason */
} BoardOpcache;

typedef enum WorkerState {
    WORKER_STATE_STARTING, /* forked, not registered yet */
    WORKER_STATE_IDLE,
    WORKER_STATE_READING, /* reading the head of a request */
    WORKER_STATE_RUNNING,
    WORKER_STATE_FINISHING, /* the script has ended: shutdown functions, flushing, after
                               fastcgi_finish_request() */
    WORKER_STATE_DRAINING,  /* takes no more requests */
    _WORKER_STATE_MAX,
} WorkerState;

/** "starting", "idle", … */
const char *worker_state_to_string(WorkerState state);

/* What a worker tells about itself; both the shared page and the manager's checked copy have this
 * form. */
typedef struct BoardSlot {
    uint32_t version;
    uint32_t sequence;             /* odd while the worker writes */
    uint32_t state;                /* WorkerState */
    uint32_t connections;          /* held, idle ones too */
    uint64_t requests;             /* begun */
    uint64_t request_started_usec; /* CLOCK_MONOTONIC; of the running or last request */
    uint64_t last_active_usec;    /* CLOCK_MONOTONIC: begin or end of the last request, whichever is
                                     later */
    uint64_t bytes_in, bytes_out; /* bodies, all requests */
    uint64_t content_length;      /* of the running or last request */
    uint64_t protocol_errors;
    uint64_t moot;       /* bits of enum BoardMoot */
    uint32_t status;     /* HTTP status of the last response, 0: none yet */
    uint32_t fatal_call; /* number of the system call for which its filter ended it, plus one */
    char method[16];
    char uri[1024];    /* as the web server sent it, cut */
    char script[1024]; /* cut */
    uint64_t cpu_usec; /* of the last request and the children it waited for; 0: not measured */
    uint64_t memory_peak_bytes; /* of the last request, as the language counts */
    char user[32];              /* who authenticated with the request; "": nobody */
    char name[256];             /* of the program in the URI: SCRIPT_NAME or the like; cut */
    char query[512];            /* of the URI, cut */
    uint64_t accepted;          /* connections taken from listeners */
    uint64_t abandoned;         /* requests not run, since their client had gone or aborted them */
    uint64_t read_timeouts;     /* requests answered 408 */
    uint64_t stopped;           /* scripts that were stopped after request_terminate_timeout */
    uint64_t pings;             /* answers of ping.path; among the requests */
    char request_id[64];        /* REQUEST_ID of the running or last request; cut */
    uint64_t answered;          /* requests whose answer is complete */
    uint64_t outcomes[_BOARD_OUTCOME_MAX];
    uint64_t latency[BOARD_LATENCY_BUCKETS]; /* requests by the time from their first byte to the
                                                end of their answer; not cumulative */
    uint64_t latency_sum_usec;
    uint64_t resident_bytes;  /* at the last look, at most one a second; 0: none yet */
    uint64_t records_dropped; /* journal records of its own, and lines of access.log */
    BoardOpcache opcache;
    /* Not of the worker: the manager fills them in in the copies that it publishes. */
    uint64_t cpu_total_usec; /* of the process so far; 0: not known */
    uint64_t cpu_permille;   /* of one processor, over some seconds */
} BoardSlot;

_Static_assert(sizeof(BoardSlot) <= BOARD_TRACE_OFFSET, "a slot fits into its page");
_Static_assert(offsetof(BoardSlot, requests) == 16 && offsetof(BoardSlot, status) == 80 &&
                   offsetof(BoardSlot, method) == 88 && offsetof(BoardSlot, uri) == 104 &&
                   offsetof(BoardSlot, script) == 1128 && offsetof(BoardSlot, cpu_usec) == 2152 &&
                   offsetof(BoardSlot, user) == 2168 && offsetof(BoardSlot, name) == 2200 &&
                   offsetof(BoardSlot, query) == 2456 && offsetof(BoardSlot, accepted) == 2968,
               "docs/runtime-protocol.md has these offsets");

/* Steps of the sandbox that this kernel or these privileges make moot. */
typedef enum BoardMoot {
    BOARD_MOOT_BOUNDING_SET = 1 << 0, /* nobody may empty it; no_new_privs makes it harmless */
    BOARD_MOOT_LANDLOCK = 1 << 1,     /* the kernel has none: the worker is not dumpable instead */
    BOARD_MOOT_SECUREBITS = 1 << 2,
    BOARD_MOOT_PATHS = 1 << 3,   /* sandbox.read, write, exec_paths: the kernel has no Landlock */
    BOARD_MOOT_TCP = 1 << 4,     /* sandbox.tcp_connect: its Landlock is too old (ABI 4) */
    BOARD_MOOT_SCOPES = 1 << 5,  /* signals and abstract sockets: too old (ABI 6) */
    BOARD_MOOT_SECCOMP = 1 << 6, /* sandbox.seccomp = off */
} BoardMoot;

/* Those that a generation tells, not the manager. */
#define BOARD_MOOT_OF_GENERATION                                                                   \
    (BOARD_MOOT_LANDLOCK | BOARD_MOOT_PATHS | BOARD_MOOT_TCP | BOARD_MOOT_SCOPES |                 \
     BOARD_MOOT_SECCOMP)

/** The bits one by one: a word and *ret_bit for i = 0, 1, …; NULL after the last. */
const char *board_moot_word(size_t i, uint32_t *ret_bit);

/** Makes a sealed page (SHRINK, GROW, SEAL) and maps it for reading. Returns the fd or -errno;
 * *ret_slot is unmapped with board_unmap(). */
int board_create(const volatile BoardSlot **ret_slot);

/** Maps the page of fd for reading, as board_create() has done. 0 or -errno. */
int board_map(int fd, const volatile BoardSlot **ret_slot);

/** Maps the page of fd for writing, in the worker. 0 or -errno. */
int board_attach(int fd, BoardSlot **ret_slot);

void board_unmap(const volatile BoardSlot *slot);

/** The bucket of a duration: an index of BoardSlot.latency. */
unsigned board_latency_bucket(uint64_t usec);

/** Brackets of a write; everything between is seen whole or not at all by board_read(). */
void board_begin(BoardSlot *slot);
void board_commit(BoardSlot *slot);

/** Copies at most size-1 bytes and ends with NUL. NULL is "". */
void board_set_text(char *field, size_t size, const char *text, size_t n);

/**
 * The room for the trace, in the worker: lines of text, ended by NUL. Written once, by a process
 * that is dying: without brackets.
 */
char *board_trace(BoardSlot *slot);

/** Copies the trace of a worker that has ended: lines of printable UTF-8. "": it left none. */
void board_read_trace(const volatile BoardSlot *slot, char ret[static BOARD_TRACE_SIZE]);

/**
 * Copies and validates: now_usec bounds the times, the state is one of the enum, texts are
 * NUL-terminated printable UTF-8 (other bytes become '?'). Returns 0; -EAGAIN when the writer never
 * came to rest (the copy is valid but may be torn); -EBADMSG when the version is not ours.
 */
int board_read(const volatile BoardSlot *slot, uint64_t now_usec, BoardSlot *ret);
