#include "runtime/complain.h"

#include "base/clock.h"
#include "log/log.h"

#include <stdio.h>
#include <unistd.h>

typedef struct Complaints {
    uint64_t told_usec; /* 0: never */
    uint64_t unsaid;    /* since then */
} Complaints;

/* Begins a record when it is time for one. more: how the text ends. */
static bool complain_begin(Complaints *c, LogRecord *r, int priority, LogMessage message,
                           char more[static 64])
{
    uint64_t now_usec = clock_monotonic_usec();

    if (c->told_usec > 0 && now_usec - c->told_usec < USEC_PER_SEC) {
        c->unsaid++;
        return false;
    }
    log_record_begin(r, priority, message);
    log_record_field(r, "WORKER_PID", "%d", (int)getpid());
    log_record_field(r, "UNSAID", "%llu", (unsigned long long)c->unsaid);
    more[0] = 0;
    if (c->unsaid > 0)
        snprintf(more, 64, "; %llu more since the last such record", (unsigned long long)c->unsaid);
    *c = (Complaints){.told_usec = now_usec};
    return true;
}

void complain_broken(const char *error)
{
    static Complaints complaints;
    char more[64];
    LogRecord r;

    if (!complain_begin(&complaints, &r, LOG_NOTICE, LOG_MESSAGE_PROTOCOL_ERROR, more))
        return;
    log_record_field(&r, "REASON", "%s", error);
    log_record_send(&r, "Connection closed, what came cannot be served: %s%s", error, more);
}

/* The words are PHP-FPM's: tools look for them. */
void complain_refused(const char *address)
{
    static Complaints complaints;
    char more[64];
    LogRecord r;

    if (!complain_begin(&complaints, &r, LOG_ERR, LOG_MESSAGE_CLIENT_REFUSED, more))
        return;
    log_record_field(&r, "CLIENT", "%s", address);
    log_record_send(&r, "Connection disallowed: IP address '%s' has been dropped.%s", address,
                    more);
}
