#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"
#include "porter/lodge.h"

#include <poll.h>
#include <string.h>
#include <sys/mman.h>

/* Who asks waits for so long before it is shown what there is. */
#define ANSWER_LIMIT_USEC (1 * USEC_PER_SEC)

/* The manager ignores who asks much more often. Beyond it the last snapshot, which is of this
 * second, is shown again. */
#define ASK_PER_SEC 100

int news_init(News *n, const RuntimeSpec *spec)
{
    *n = (News){.sample_usec = USEC_INFINITY};
    if (spec->history_fd < 0)
        return 0;
    n->sample_usec = 0; /* the one that the first sample is reckoned from */
    return history_attach(spec->history_fd, &n->history);
}

static void forget_snapshot(News *n)
{
    if (n->pool)
        munmap((void *)(uintptr_t)n->pool, n->size);
    n->pool = NULL;
}

void news_done(News *n)
{
    forget_snapshot(n);
    if (n->history)
        munmap(n->history, HISTORY_SIZE);
    *n = (News){0};
}

bool news_is_silent(const Lodge *l, uint64_t now_usec)
{
    const News *n = &l->desk.news;

    return l->link_fd < 0 || (n->asked_usec > 0 && now_usec - n->asked_usec >= ANSWER_LIMIT_USEC);
}

/* Without waiting: a manager that has stopped does not read, and its link may be full. */
static void send_question(Lodge *l, uint64_t now_usec)
{
    LinkMessage question = {.type = LINK_STATUS};
    struct pollfd p = {.fd = l->link_fd, .events = POLLOUT};
    News *n = &l->desk.news;

    n->tried_usec = now_usec;
    if (n->asked_usec == 0)
        n->asked_usec = now_usec;
    n->n_asked++;
    if (poll(&p, 1, 0) > 0 && p.revents & POLLOUT)
        link_send(l->link_fd, &question, NULL, 0);
}

static bool may_ask(News *n, uint64_t now_usec)
{
    if (now_usec - n->second_usec >= USEC_PER_SEC) {
        n->second_usec = now_usec;
        n->n_asked = 0;
    }
    return n->n_asked < ASK_PER_SEC || !n->pool;
}

NewsOutcome news_ask(Lodge *l, uint64_t now_usec)
{
    News *n = &l->desk.news;

    if (l->link_fd < 0)
        return NEWS_SILENT;
    if (n->asked_usec == 0 && !may_ask(n, now_usec))
        return NEWS_FRESH;
    /* A question may have been lost: it is put again once in a while. */
    if (n->asked_usec == 0 || now_usec - n->tried_usec >= ANSWER_LIMIT_USEC)
        send_question(l, now_usec);
    return news_is_silent(l, now_usec) ? NEWS_SILENT : NEWS_WAIT;
}

static void sample(News *n, uint64_t now_usec)
{
    if (!n->sample_due || !n->history)
        return;
    n->sample_due = false;
    history_add(n->history, n->has_earlier ? &n->earlier : NULL, n->pool,
                clock_realtime_usec() / USEC_PER_SEC);
    n->earlier = *n->pool;
    n->has_earlier = true;
    n->sample_usec = now_usec + HISTORY_STEP_SEC * USEC_PER_SEC;
}

void news_take(News *n, int fd, uint64_t now_usec)
{
    const StatusPool *pool;
    const StatusWorker *workers;
    size_t size;
    int r = status_open(fd, &pool, &workers, &size);

    fd_close(fd);
    n->asked_usec = 0;
    if (r < 0) {
        log_error("A snapshot of the manager cannot be read, ignoring: %s", strerror(-r));
        return;
    }
    forget_snapshot(n);
    n->pool = pool;
    n->workers = workers;
    n->size = size;
    n->taken_usec = now_usec;
    sample(n, now_usec);
}

void news_look(Lodge *l, uint64_t now_usec)
{
    News *n = &l->desk.news;

    if (now_usec < n->sample_usec || l->link_fd < 0)
        return;
    n->sample_due = true;
    n->sample_usec = now_usec + HISTORY_STEP_SEC * USEC_PER_SEC;
    news_ask(l, now_usec);
}

uint64_t news_next_usec(const Lodge *l, uint64_t now_usec)
{
    const News *n = &l->desk.news;
    uint64_t next_usec = l->link_fd >= 0 ? n->sample_usec : USEC_INFINITY;

    if (n->asked_usec > 0 && !news_is_silent(l, now_usec))
        next_usec = MIN(next_usec, n->asked_usec + ANSWER_LIMIT_USEC);
    return next_usec;
}
