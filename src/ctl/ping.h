#pragma once

/*
 * One question to a pool by FastCGI, as a web server would ask it.
 */

#include "conf/setting.h"
#include "ctl/ctl.h"

typedef struct PingQuestion {
    const char *uri;      /* NULL: what FastCGI asks of applications itself (FCGI_GET_VALUES), which
                             a worker answers without a script */
    const char *expected; /* the body; NULL: any */
    uint64_t timeout_usec;
} PingQuestion;

typedef struct PingResult {
    unsigned status; /* of HTTP; 0: none came */
    Buffer body;
    uint64_t usec; /* that it took */
} PingResult;

void ping_result_done(PingResult *result);

/** Where the pool listens, or with --status where its status is answered: of its socket unit, else
 * of its file, else where the unit that comes with fpmd listens. At least one address, freed with
 * listen_free(); 0 or -errno. */
int ping_find(const Ctl *ctl, const PoolConfig *c, ListenAddress **ret, size_t *ret_n);

/** Asks and waits. 0, -ETIMEDOUT, -EBADMSG, -ECONNRESET, another -errno of sockets; usec is set in
 * any case. */
int ping_ask(const ListenAddress *address, const PingQuestion *q, PingResult *ret);
