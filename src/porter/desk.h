#pragma once

/*
 * The sockets of pm.status_listen: who asks there how the pool fares gets it from the porter, also
 * while all workers are busy or the pool has none. Nothing but the status page and the ping is
 * answered.
 *
 * Whoever connects there (a visitor) may be slow or hostile: heads, bodies, answers and the time
 * that one request takes are bounded, and one who has been at the same thing for longest makes room
 * for the next. They are in the lists RACK_CALLING and RACK_CALM of the rack.
 */

#include "base/buffer.h"
#include "fcgi/params.h"
#include "fcgi/parser.h"
#include "link/spec.h"
#include "status/history.h"

typedef struct Lodge Lodge;

#define DESK_VISITORS_MAX 64

/* Of answers that nobody reads; with more of them on their way nobody gets a page. */
#define DESK_UNSENT_MAX (32 * 1024 * 1024)

/* Of one visitor that are read and not parsed yet. */
#define VISITOR_INPUT_SIZE 4096

typedef struct Visitor {
    int fd;
    uint32_t watched; /* EPOLL… events */
    bool wants_news;  /* its question is read, and waits for a snapshot */
    bool ends;        /* closed when the answer is out */
    bool has_asked;   /* a question has begun at least once */
    FcgiParser parser;
    FcgiParams params, values;
    size_t n_head; /* bytes of params or values so far */
    Buffer out;
    size_t n_sent;
    size_t n_input, input_pos;
    uint8_t input[VISITOR_INPUT_SIZE];
} Visitor;

/* How the pool fares: the last snapshot that the manager has sent. */
typedef struct News {
    const StatusPool *pool; /* NULL: none yet */
    const StatusWorker *workers;
    size_t size; /* of the mapping */
    uint64_t taken_usec;
    uint64_t asked_usec; /* the manager was asked, and has not answered yet; 0: nothing is open */
    uint64_t tried_usec; /* the last question was sent */
    uint64_t second_usec;
    unsigned n_asked; /* since then */
    History *history; /* NULL: none */
    StatusPool earlier;
    bool has_earlier, sample_due;
    uint64_t sample_usec; /* of the next sample */
} News;

typedef enum NewsOutcome {
    NEWS_FRESH,  /* use what is there */
    NEWS_WAIT,   /* an answer is on its way */
    NEWS_SILENT, /* the manager does not answer: what is there, if anything, is old */
} NewsOutcome;

typedef struct Desk {
    Visitor *visitors[DESK_VISITORS_MAX];
    bool watching;       /* the listeners */
    bool leaving;        /* no more visitors */
    bool draining;       /* the ping answers 503 */
    uint64_t retry_usec; /* accept(2) has failed, and is tried again at; 0: it has not */
    size_t n_unsent;     /* bytes of answers that are not out yet, of all visitors */
    News news;
} Desk;

/* ---- desk.c ---- */

/** Does nothing where the spec has no such sockets. 0 or -errno. */
int desk_init(Lodge *l);
void desk_done(Lodge *l);

/** Connections wait at the sockets. */
void desk_accept(Lodge *l, uint64_t now_usec);

/** Something has happened to the connection of a visitor. */
void desk_on_event(Lodge *l, int fd, uint32_t events, uint64_t now_usec);

/** The manager has sent a snapshot; takes fd. */
void desk_take_news(Lodge *l, int fd, uint64_t now_usec);

/** Does what is due. */
void desk_look(Lodge *l, uint64_t now_usec);

/** When desk_look() is; USEC_INFINITY: never. */
uint64_t desk_next_usec(const Lodge *l, uint64_t now_usec);

/** The end: who has asked is answered from what there is. Who has not yet since it came is about
 * to, and waited for; the others are let go. */
void desk_leave(Lodge *l, uint64_t now_usec);

/* ---- visitor.c ---- */

Visitor *visitor_new(int fd);
Visitor *visitor_free(Visitor *v);

/** Goes as far as that is possible without waiting. False: its connection is to be closed. */
bool visitor_advance(Lodge *l, Visitor *v, uint64_t now_usec);

/** The same for one that wants news, when there are some or none will come. */
bool visitor_tell(Lodge *l, Visitor *v, bool silent, uint64_t now_usec);

/** Whether it has neither asked for anything nor an answer to come. */
bool visitor_is_calm(const Visitor *v);

/* ---- reply.c: what is answered, as FastCGI ---- */

/** Whether the question, whose parameters are complete, is one for a snapshot. */
bool reply_needs_news(const Lodge *l, const FcgiParams *params);

/** Appends the answer. old_usec: the age of the snapshot when the manager does not answer, else 0.
 * 0 or -ENOMEM. */
int reply_put(const Lodge *l, Buffer *b, unsigned request_id, const FcgiParams *params,
              uint64_t old_usec, bool silent);

/* ---- news.c ---- */

/** Takes over the history of the spec. 0 or -errno. */
int news_init(News *n, const RuntimeSpec *spec);
void news_done(News *n);

/** Somebody wants news: asks the manager if need be. */
NewsOutcome news_ask(Lodge *l, uint64_t now_usec);

/** The answer; takes fd. */
void news_take(News *n, int fd, uint64_t now_usec);

/** Asks if a sample of the history is due. */
void news_look(Lodge *l, uint64_t now_usec);
bool news_is_silent(const Lodge *l, uint64_t now_usec);

/** When news_look() is due, or the manager is known to be silent; USEC_INFINITY: never. */
uint64_t news_next_usec(const Lodge *l, uint64_t now_usec);
