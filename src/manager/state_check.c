#include "manager/state_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What has to hold before anything is done with a state that was read. Its bytes are trusted, the
 * program that wrote them may be of another version. */

#define SLOT_NUMBERS (1u << 20)

typedef struct Numbers {
    uint64_t *items;
    size_t n, room;
} Numbers;

static int numbers_add(Numbers *numbers, uint64_t number)
{
    if (numbers->n == numbers->room) {
        size_t room = numbers->room ? numbers->room * 2 : 64;
        uint64_t *grown = reallocarray(numbers->items, room, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        numbers->items = grown;
        numbers->room = room;
    }
    numbers->items[numbers->n++] = number;
    return 0;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void numbers_done(Numbers *numbers)
{
    free(numbers->items);
}

static bool are_unique(Numbers *numbers)
{
    if (numbers->n > 0)
        qsort(numbers->items, numbers->n, sizeof(*numbers->items), compare_numbers);
    for (size_t i = 1; i < numbers->n; i++)
        if (numbers->items[i] == numbers->items[i - 1])
            return false;
    return true;
}

static int on_fd(int fd, void *userdata)
{
    return fd <= STDERR_FILENO ? -EBADMSG : numbers_add(userdata, (uint64_t)fd);
}

static int check_fds(const State *s)
{
    _cleanup_(numbers_done) Numbers numbers = {0};
    const Porter *p = &s->manager->porter;
    int r = state_each_fd(s, on_fd, &numbers);

    if (r < 0)
        return r;
    return are_unique(&numbers) && p->handover[0] >= 0 && p->handover[1] >= 0 && p->park[0] >= 0 &&
                   p->park[1] >= 0 && (p->link_fd < 0 || p->slot_fd >= 0)
               ? 0
               : -EBADMSG;
}

static int check_listeners(const State *s)
{
    size_t n_requests = 0;

    if (s->n_listeners > LISTENERS_MAX)
        return -EBADMSG;
    for (size_t i = 0; i < s->n_listeners; i++) {
        const Listener *l = s->listeners[i];

        if (l->fd < 0 || !l->text || (unsigned)l->kind >= _LISTENER_KIND_MAX)
            return -EBADMSG;
        n_requests += l->kind == LISTENER_REQUESTS;
    }
    return n_requests > 0 ? 0 : -EBADMSG;
}

static int check_generations(const State *s)
{
    _cleanup_(numbers_done) Numbers numbers = {0};
    size_t n_current = 0;

    for (size_t i = 0; i < s->n_setups; i++) {
        const PoolConfig *c = s->setups[i]->config;

        if ((unsigned)c->pm >= _POOL_MODE_MAX || c->pm_max_children == 0 || !c->runtime)
            return -EBADMSG;
    }
    for (size_t i = 0; i < s->n_generations; i++) {
        const Generation *g = s->generations[i];

        if (!g->setup || g->number == 0 || g->number > s->manager->last_number ||
            (g->state != GENERATION_CURRENT && g->state != GENERATION_LEAVING) ||
            (g->link_fd >= 0 && g->template_pid == 0))
            return -EBADMSG;
        n_current += g->state == GENERATION_CURRENT;
        if (numbers_add(&numbers, g->number) < 0)
            return -ENOMEM;
    }
    return n_current == 1 && are_unique(&numbers) ? 0 : -EBADMSG;
}

static int check_workers(const State *s)
{
    _cleanup_(numbers_done) Numbers slots = {0}, pids = {0};

    for (size_t i = 0; i < s->n_workers; i++) {
        const Worker *w = s->workers[i];
        const bool unheard = w->phase == WORKER_ORDERED || w->phase == WORKER_UNWANTED;

        if (!w->generation || w->slot_fd < 0 || w->slot_number >= SLOT_NUMBERS ||
            w->phase == WORKER_DEAD || unheard != (w->pid == 0) || (unheard && w->life_line < 0))
            return -EBADMSG;
        if (numbers_add(&slots, w->slot_number) < 0 ||
            (w->pid > 0 && numbers_add(&pids, (uint64_t)w->pid) < 0))
            return -ENOMEM;
    }
    return are_unique(&slots) && are_unique(&pids) ? 0 : -EBADMSG;
}

static bool is_sound_clock(const QueueClock *q)
{
    return q->first < QUEUE_SAMPLES && q->n <= QUEUE_SAMPLES;
}

static int check_manager(const State *s)
{
    const Manager *m = s->manager;

    if (!is_sound_clock(&m->queue_clock) || !is_sound_clock(&m->wait_clock) ||
        (m->control_fd >= 0 && !m->control_path))
        return -EBADMSG;
    for (size_t i = 0; i < s->n_peers; i++)
        if (s->peers[i]->fd < 0)
            return -EBADMSG;
    for (size_t i = 0; i < s->n_orphans; i++)
        if (s->orphans[i]->pidfd < 0)
            return -EBADMSG;
    return 0;
}

int state_check(const State *s, const char **ret_error)
{
    static const struct {
        int (*check)(const State *s);
        const char *error;
    } checks[] = {
        {check_fds, "descriptors are missing, or there twice"},
        {check_listeners, "the listeners make no sense"},
        {check_generations, "the generations make no sense"},
        {check_workers, "the workers make no sense"},
        {check_manager, "the manager makes no sense"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
        int r = checks[i].check(s);

        if (r < 0) {
            *ret_error = r == -ENOMEM ? "out of memory" : checks[i].error;
            return r;
        }
    }
    return 0;
}
