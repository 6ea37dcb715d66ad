#include "manager/trace.h"

#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"
#include "manager/manager.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What comes at once when a data base hangs: every worker of a pool. */
#define ORDERS_MAX  256
#define SENT_MAX    16
#define ANSWER_USEC (5 * USEC_PER_SEC)

typedef struct Order {
    struct Order *next;
    Generation *generation;
    TraceArea wish; /* its number is 0 while it waits for its turn */
    int fd;
    uint64_t deadline_usec;
    TraceDone done;
    void *data;
} Order;

/* The oldest first. */
typedef struct Traces {
    Order *orders;
    unsigned n, n_sent;
    sd_event_source *source;
} Traces;

/* Once for a generation: slow requests come in crowds, and have records of their own. */
static void tell_failure(const Order *o, int result)
{
    Generation *g = o->generation;

    if (result == 0 || result == -ESRCH || result == -ESTALE || result == -ECANCELED ||
        result == -EPIPE || result == -EBUSY || g->trace_failure_told)
        return;
    g->trace_failure_told = true;
    log_text(LOG_WARNING, LOG_MESSAGE_TRACE_FAILED,
             "The call stack of worker %d of generation %u could not be read: %s", (int)o->wish.pid,
             g->number, trace_failure(result));
}

/* Ends an order, whose link in the list this is; area NULL: there is no answer. */
static void finish(Manager *m, Order **link, int result, const TraceArea *area, const char *text)
{
    _cleanup_free_ Order *o = *link;
    _cleanup_fd_ int fd = o->fd;

    *link = o->next;
    m->traces->n--;
    m->traces->n_sent -= o->wish.number != 0;
    tell_failure(o, result);
    o->done(m, result, area, text, area ? fd : -1, o->data);
}

/* ---- orders to templates ---- */

static int order_send(Manager *m, Order *o)
{
    Generation *g = o->generation;
    LinkMessage message = {.type = LINK_TRACE, .count = m->last_trace + 1};
    TraceArea wish = o->wish;
    _cleanup_fd_ int fd = -1;
    int r;

    if (g->link_fd < 0 || g->template_pid <= 0)
        return -EPIPE;
    /* 0 is none, also when the numbers begin again. */
    if (message.count == 0)
        message.count = 1;
    wish.number = message.count;
    fd = trace_create(&wish);
    r = fd < 0 ? fd : link_send(g->link_fd, &message, &fd, 1);
    if (r < 0)
        return r;
    m->last_trace = o->wish.number = wish.number;
    m->traces->n_sent++;
    g->n_traces++;
    o->fd = TAKE_FD(fd);
    return 0;
}

static void send_waiting(Manager *m)
{
    Order **link = &m->traces->orders;

    while (*link && m->traces->n_sent < SENT_MAX) {
        int r = (*link)->wish.number == 0 ? order_send(m, *link) : 0;

        if (r < 0)
            finish(m, link, r, NULL, NULL);
        else
            link = &(*link)->next;
    }
}

/* ---- time ---- */

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata);

/* All have the same time: the first is the earliest. */
static void watch_time(Manager *m)
{
    Traces *t = m->traces;

    t->source = sd_event_source_disable_unref(t->source);
    if (!t->orders || sd_event_add_time(m->event, &t->source, CLOCK_MONOTONIC,
                                        t->orders->deadline_usec, 0, on_deadline, m) < 0)
        return;
    sd_event_source_set_priority(t->source, PRIORITY_TIMER);
}

static void go_on(Manager *m)
{
    send_waiting(m);
    watch_time(m);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
    Manager *m = userdata;
    Traces *t = m->traces;
    uint64_t now_usec = clock_monotonic_usec();

    while (t->orders && t->orders->deadline_usec <= now_usec)
        finish(m, &t->orders, -ETIMEDOUT, NULL, NULL);
    go_on(m);
    return 0;
}

/* ---- for others ---- */

static int traces_need(Manager *m)
{
    if (!m->traces)
        m->traces = calloc(1, sizeof(*m->traces));
    return m->traces ? 0 : -ENOMEM;
}

int trace_order(Worker *w, unsigned depth, uint64_t request_usec, TraceDone done, void *data)
{
    Manager *m = w->manager;
    _cleanup_free_ Order *o = NULL;
    Order **end;
    int r = traces_need(m);

    if (r < 0)
        return r;
    if (w->generation->link_fd < 0 || w->generation->template_pid <= 0)
        return -EPIPE;
    if (w->pid <= 0)
        return -ESRCH;
    if (m->traces->n >= ORDERS_MAX)
        return -EBUSY;
    o = malloc(sizeof(*o));
    if (!o)
        return -ENOMEM;
    *o = (Order){
        .generation = w->generation,
        .wish = {.pid = w->pid, .depth = depth, .request_usec = request_usec},
        .fd = -1,
        .deadline_usec = clock_monotonic_usec() + ANSWER_USEC,
        .done = done,
        .data = data,
    };
    r = m->traces->n_sent < SENT_MAX ? order_send(m, o) : 0;
    if (r < 0)
        return r;
    for (end = &m->traces->orders; *end; end = &(*end)->next)
        ;
    *end = TAKE_PTR(o);
    m->traces->n++;
    watch_time(m);
    return 0;
}

static Order **find_number(Traces *t, const Generation *g, unsigned number)
{
    Order **link = &t->orders;

    while (*link && ((*link)->generation != g || (*link)->wish.number != number))
        link = &(*link)->next;
    return link;
}

bool traces_complete(Generation *g, unsigned number)
{
    Manager *m = g->manager;
    _cleanup_free_ char *text = NULL;
    TraceArea area = {0};
    Order **link;
    int r;

    if (g->n_traces == 0)
        return false;
    g->n_traces--;
    link = m->traces && number != 0 ? find_number(m->traces, g, number) : NULL;
    if (!link || !*link)
        return true; /* too late */
    r = trace_read((*link)->fd, &area, &text);
    finish(m, link, r < 0 ? r : area.result, &area, text ? text : "");
    go_on(m);
    return true;
}

void traces_cancel(Manager *m, const Generation *g)
{
    Order **link;

    if (!m->traces)
        return;
    for (link = &m->traces->orders; *link;)
        if (!g || (*link)->generation == g)
            finish(m, link, g ? -EPIPE : -ECANCELED, NULL, NULL);
        else
            link = &(*link)->next;
    go_on(m);
    if (!g)
        free(TAKE_PTR(m->traces));
}

const char *trace_failure(int result)
{
    static const struct {
        int error;
        const char *text;
    } texts[] = {
        {ESRCH, "it runs no script any more"},
        {ESTALE, "its request is another one by now"},
        {EPERM, "this kernel does not let the template read the memory of its workers"},
        {EPIPE, "the template of its generation is gone"},
        {EBUSY, "too many call stacks are being read"},
        {ETIMEDOUT, "the template did not answer in time"},
        {ECANCELED, "the manager is being replaced or stopped"},
        {EIO, "what was read makes no sense, or it is never at rest"},
        {EOPNOTSUPP, "the language of this pool cannot tell it"},
        {EBADMSG, "what the template has written makes no sense"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (texts[i].error == -result)
            return texts[i].text;
    return strerror(-result);
}

void trace_line(const char *line, size_t n, TraceLine *ret)
{
    const char *name = memchr(line, '\t', n), *place;

    *ret = (TraceLine){.address = name ? strtoull(line, NULL, 16) : 0};
    name = name ? name + 1 : line;
    n -= (size_t)(name - line);
    place = memchr(name, '\t', n);
    ret->name = name;
    ret->n_name = place ? (int)(place - name) : (int)n;
    if (!place)
        return;
    ret->place = place + 1;
    ret->n_place = (int)(n - (size_t)(ret->place - name));
}
