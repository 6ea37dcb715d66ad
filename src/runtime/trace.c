#include "runtime/trace.h"

#include "base/clock.h"
#include "link/message.h"
#include "log/log.h"
#include "runtime/remote.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#define ORDERS_MAX      32
#define ROUNDS_MAX      3 /* of asking and reading, for one that is never at rest */
#define LOOK_EVERY_MSEC 1
#define KEEP_BYTES      (64 * 1024) /* of a text, for the next one */

/* Whose it is. */
typedef struct MailboxOwner {
    /* Another process may have got the pid of a worker that has ended: only one of ours has the
     * same random bytes here, and only the one that is meant its own pid. */
    uint8_t nonce[16];
    pid_t pid; /* 0: a template's, or of a worker that has not begun */
    const BoardSlot *slot;
} MailboxOwner;

/* One in each process of a generation, at the same address. A worker may write anything into its
 * own. */
typedef struct Mailbox {
    MailboxOwner owner;
    /* From the template. A ticket is never 0, and hardly used again. */
    uint32_t depth;
    uint64_t request_usec;
    volatile uint32_t wanted; /* ticket, 0: nothing */
    /* From the worker. */
    volatile uint32_t answered; /* ticket */
    TraceArea area;
    _Alignas(4096) char text[TRACE_TEXT_SIZE];
} Mailbox;

static Mailbox mailbox;

typedef struct Order {
    TraceArea *area; /* NULL: this place is free */
    uint32_t ticket; /* 0: not begun, since the worker has another one */
    uint64_t asked_usec;
    unsigned n_rounds;
    bool is_blocked; /* the worker, as another order has just found out */
} Order;

static Order orders[ORDERS_MAX];
static size_t n_orders;
static uint32_t last_ticket;
static pid_t template_pid;
static const Engine *engine;

/* ---- in a worker ---- */

void trace_worker_start(const BoardSlot *slot)
{
    mailbox.owner.slot = slot;
    mailbox.wanted = mailbox.answered = 0;
    mailbox.owner.pid = getpid();
    /* Yama lets only ancestors read, and the template is none. Without Yama: EINVAL, and no need.
     */
    prctl(PR_SET_PTRACER, template_pid, 0, 0, 0);
}

bool trace_is_wanted(void)
{
    return mailbox.wanted != 0;
}

TraceArea *trace_begin(char **ret_text)
{
    uint32_t wanted = mailbox.wanted;

    /* A child of a script has the mailbox of its parent. */
    if (wanted == 0 || mailbox.owner.pid != getpid())
        return NULL;
    mailbox.wanted = 0;
    mailbox.area = (TraceArea){
        .number = wanted,
        .depth = mailbox.depth,
        .request_usec = mailbox.request_usec,
    };
    if (mailbox.request_usec != 0 &&
        mailbox.request_usec != mailbox.owner.slot->request_started_usec) {
        trace_commit(&mailbox.area, -ESTALE);
        return NULL;
    }
    *ret_text = mailbox.text;
    return &mailbox.area;
}

void trace_commit(TraceArea *area, int result)
{
    area->result = result;
    __atomic_store_n(&mailbox.answered, area->number, __ATOMIC_RELEASE);
}

void trace_forget(void)
{
    if (mailbox.area.size <= KEEP_BYTES)
        return;
    mailbox.answered = 0;
    mailbox.area.size = 0;
    madvise(mailbox.text, sizeof(mailbox.text), MADV_DONTNEED);
}

/* ---- in the template: one worker ---- */

/* Whether the process is the worker that is meant, and at the request that is meant. */
static int check_worker(const TraceArea *wish)
{
    MailboxOwner owner;
    BoardSlot head; /* the first fields */
    int r = -ESRCH;

    if (wish->pid > 0 && wish->pid != template_pid)
        r = remote_copy(wish->pid, &mailbox.owner, &owner, sizeof(owner));
    if (r < 0)
        return r == -EFAULT ? -ESRCH : r;
    if (memcmp(owner.nonce, mailbox.owner.nonce, sizeof(mailbox.owner.nonce)) != 0 ||
        owner.pid != wish->pid)
        return -ESRCH;
    r = remote_copy(wish->pid, owner.slot, &head, offsetof(BoardSlot, last_active_usec));
    if (r < 0)
        return r == -EFAULT ? -EIO : r;
    if (wish->request_usec != 0 && head.request_started_usec != wish->request_usec)
        return -ESTALE;
    return head.state == WORKER_STATE_RUNNING || head.state == WORKER_STATE_FINISHING ? 0 : -ESRCH;
}

static int want(pid_t pid, uint32_t ticket)
{
    return remote_store(pid, &mailbox.wanted, &ticket, sizeof(ticket));
}

static int ask(const TraceArea *wish, uint32_t ticket)
{
    static const uint8_t raised = 1;
    int r = remote_store(wish->pid, &mailbox.depth, &wish->depth, sizeof(wish->depth));

    if (r == 0)
        r = remote_store(wish->pid, &mailbox.request_usec, &wish->request_usec,
                         sizeof(wish->request_usec));
    if (r == 0)
        r = want(wish->pid, ticket);
    if (r == 0)
        r = remote_store(wish->pid, engine->trace_flag(), &raised, sizeof(raised));
    return r;
}

/* 1: its answer is in the area; 0: there is none yet; -errno. */
static int fetch(const Order *o)
{
    TraceArea *area = o->area, answer;
    uint32_t answered;
    int r = remote_copy(area->pid, &mailbox.answered, &answered, sizeof(answered));

    if (r < 0 || answered != o->ticket)
        return r < 0 ? r : 0;
    r = remote_copy(area->pid, &mailbox.area, &answer, sizeof(answer));
    if (r == 0 && (answer.size > TRACE_TEXT_SIZE || answer.result > 0))
        r = -EIO;
    if (r == 0 && answer.size > 0)
        r = remote_copy(area->pid, mailbox.text, (char *)area + TRACE_TEXT_AT, answer.size);
    if (r == 0)
        r = remote_copy(area->pid, &mailbox.answered, &answered, sizeof(answered));
    if (r < 0)
        return r;
    if (answered != o->ticket)
        return -ESTALE; /* the next request has begun, see trace_forget() */
    if (answer.result < 0)
        return answer.result;
    area->method = TRACE_METHOD_INTERRUPT;
    area->n_frames = answer.n_frames;
    area->more = answer.more;
    area->cost_usec = answer.cost_usec;
    area->size = answer.size;
    return 1;
}

/* From outside. 1; -EAGAIN: it was not at rest; -errno. */
static int peek(TraceArea *area)
{
    int r = engine->trace_peek(area->pid, area, (char *)area + TRACE_TEXT_AT);
    /* Else what was read is of a request that nobody asked for, or of none. */
    int now = check_worker(area);

    if (r < 0 || now < 0)
        return now < 0 ? now : r;
    area->method = TRACE_METHOD_READ;
    return 1;
}

/* ---- in the template: the orders ---- */

static void finish(Order *o, int result, int link_fd)
{
    LinkMessage m = {.type = LINK_TRACED, .count = o->area->number};
    int r;

    if (result < 0)
        o->area->n_frames = o->area->more = o->area->size = 0;
    o->area->result = result < 0 ? result : 0;
    munmap(o->area, TRACE_AREA_SIZE);
    *o = (Order){0};
    n_orders--;
    r = link_send(link_fd, &m, NULL, 0);
    if (r < 0)
        log_error("The call stack of a worker cannot be handed over: %s", strerror(-r));
}

static bool is_asked(pid_t pid)
{
    for (size_t i = 0; i < ORDERS_MAX; i++)
        if (orders[i].area && orders[i].ticket != 0 && orders[i].area->pid == pid)
            return true;
    return false;
}

static void begin(Order *o, int link_fd, uint64_t now_usec)
{
    int r = check_worker(o->area);

    if (r == 0 && o->is_blocked) {
        o->is_blocked = false;
        r = peek(o->area);
        if (r != -EAGAIN) {
            finish(o, r, link_fd);
            return;
        }
        r = 0;
    }
    if (++last_ticket == 0)
        last_ticket = 1;
    o->ticket = last_ticket;
    o->asked_usec = now_usec;
    o->n_rounds++;
    if (r == 0)
        r = ask(o->area, o->ticket);
    if (r < 0)
        finish(o, r == -EFAULT ? -EIO : r, link_fd);
}

/* Who waits for the same worker need not find out again. */
static void note_blocked(pid_t pid)
{
    for (size_t i = 0; i < ORDERS_MAX; i++)
        if (orders[i].area && orders[i].ticket == 0 && orders[i].area->pid == pid)
            orders[i].is_blocked = true;
}

static void look(Order *o, int link_fd, uint64_t now_usec)
{
    int r = fetch(o);

    if (r == 0 && now_usec < o->asked_usec + TRACE_PATIENCE_USEC)
        return;
    if (r == 0) {
        r = want(o->area->pid, 0);
        if (r == 0)
            r = fetch(o); /* just now, perhaps */
        if (r == 0)
            r = peek(o->area);
        if (r > 0 && o->area->method == TRACE_METHOD_READ)
            note_blocked(o->area->pid);
        if (r == -EAGAIN && o->n_rounds < ROUNDS_MAX) {
            begin(o, link_fd, now_usec);
            return;
        }
    }
    finish(o, r == -EAGAIN || r == -EFAULT ? -EIO : r, link_fd);
}

int trace_template_start(const Engine *language)
{
    engine = language;
    template_pid = getpid();
    return getrandom(mailbox.owner.nonce, sizeof(mailbox.owner.nonce), 0) ==
                   (ssize_t)sizeof(mailbox.owner.nonce)
               ? 0
               : -errno;
}

void trace_take_order(int fd, int link_fd, uint64_t now_usec)
{
    TraceArea *area = NULL;
    Order *o = NULL;
    int r = trace_attach(fd, &area);

    if (r < 0) {
        log_error("Ignoring an order for a call stack: %s", strerror(-r));
        return;
    }
    for (size_t i = 0; i < ORDERS_MAX && !o; i++)
        if (!orders[i].area)
            o = &orders[i];
    if (!o) {
        LinkMessage m = {.type = LINK_TRACED, .count = area->number};

        area->result = -EBUSY;
        munmap(area, TRACE_AREA_SIZE);
        link_send(link_fd, &m, NULL, 0);
        return;
    }
    /* Not for the workers that are forked meanwhile. */
    madvise(area, TRACE_AREA_SIZE, MADV_DONTFORK);
    *o = (Order){.area = area};
    n_orders++;
    if (!engine->trace_flag || !engine->trace_peek)
        finish(o, -EOPNOTSUPP, link_fd);
    else if (!is_asked(area->pid))
        begin(o, link_fd, now_usec);
}

int trace_timeout_msec(void)
{
    return n_orders > 0 ? LOOK_EVERY_MSEC : -1;
}

void trace_look(int link_fd, uint64_t now_usec)
{
    for (size_t i = 0; n_orders > 0 && i < ORDERS_MAX; i++)
        if (orders[i].area && orders[i].ticket != 0)
            look(&orders[i], link_fd, now_usec);
    for (size_t i = 0; n_orders > 0 && i < ORDERS_MAX; i++)
        if (orders[i].area && orders[i].ticket == 0 && !is_asked(orders[i].area->pid))
            begin(&orders[i], link_fd, now_usec);
}
