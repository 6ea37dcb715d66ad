#include "pool/policy.h"

PolicyLimits policy_limits(const PoolConfig *c)
{
    return (PolicyLimits){
        .mode = c->pm,
        .max_children = c->pm_max_children,
        .start_servers = c->pm_start_servers,
        .min_spare = c->pm_min_spare_servers,
        .max_spare = c->pm_max_spare_servers,
        .max_spawn_rate = c->pm_max_spawn_rate,
        .idle_timeout_usec = c->pm_process_idle_timeout_usec,
    };
}

/* How many workers the pool keeps when nothing happens. */
static unsigned policy_floor(const PolicyLimits *l)
{
    switch (l->mode) {
    case POOL_MODE_STATIC:
        return l->max_children;
    case POOL_MODE_DYNAMIC:
        return MIN(l->min_spare, l->max_children);
    default:
        return 0;
    }
}

unsigned policy_initial(const PolicyLimits *l, unsigned queued)
{
    switch (l->mode) {
    case POOL_MODE_STATIC:
        return l->max_children;
    case POOL_MODE_DYNAMIC:
        queued = MAX(l->start_servers, queued);
        return MIN(queued, l->max_children);
    default:
        return MIN(queued, l->max_children);
    }
}

/* How many idle workers the pool wants on top of those that the queue needs at once. */
static unsigned policy_wanted_spare(const PolicyLimits *l)
{
    return l->mode == POOL_MODE_DYNAMIC ? l->min_spare : 0;
}

static unsigned policy_spawn(const PolicyLimits *l, const PolicySample *s, bool *ret_at_limit)
{
    unsigned total = s->starting + s->idle + s->active;
    /* An idle worker takes a connection within microseconds; one that does not (it waits for the
     * bytes of another, or hangs) must not keep the pool from growing. */
    unsigned coming = s->starting + (s->stalled ? 0 : s->idle);
    unsigned room = total < l->max_children ? l->max_children - total : 0;
    unsigned wanted;

    *ret_at_limit = false;
    if (l->mode == POOL_MODE_STATIC)
        return room;

    /* Every waiting connection gets a worker; those that are idle or starting will take some of
     * them. */
    wanted = s->queued + policy_wanted_spare(l);
    wanted = wanted > coming ? wanted - coming : 0;
    *ret_at_limit = s->queued > coming && s->queued - coming > room;
    wanted = MIN(wanted, room);
    return MIN(wanted, l->max_spawn_rate > s->starting ? l->max_spawn_rate - s->starting : 0);
}

static unsigned policy_retire(const PolicyLimits *l, const PolicySample *s)
{
    unsigned total = s->starting + s->idle + s->active;
    unsigned floor = policy_floor(l);
    unsigned keep = l->mode == POOL_MODE_DYNAMIC ? l->max_spare : 0;
    unsigned surplus;

    if (total > l->max_children) /* a reload lowered the limit */
        return MIN(s->idle, total - l->max_children);
    if (l->mode == POOL_MODE_STATIC || s->idle_unused <= keep || total <= floor)
        return 0;
    surplus = s->idle_unused - keep;
    return MIN(surplus, total - floor);
}

PolicyDecision policy_decide(const PolicyLimits *l, const PolicySample *s, uint64_t now_usec)
{
    unsigned total = s->starting + s->idle + s->active;
    unsigned keep = l->mode == POOL_MODE_DYNAMIC ? l->max_spare : 0;
    PolicyDecision d = {.look_again_usec = USEC_INFINITY};

    d.spawn = policy_spawn(l, s, &d.at_limit);
    d.retire = d.spawn > 0 ? 0 : policy_retire(l, s);
    /* At the limit nobody can be added, so being woken by every waiting connection would be for
     * nothing. */
    d.watch = l->mode != POOL_MODE_STATIC && total + d.spawn < l->max_children;

    if (l->mode == POOL_MODE_STATIC)
        return d;
    if (s->queued > 0 && total + d.spawn < l->max_children)
        d.look_again_usec = now_usec + POLICY_QUEUE_LOOK_USEC;
    else if (s->active > 0 || s->queued > 0)
        d.look_again_usec = now_usec + MIN(l->idle_timeout_usec, USEC_PER_SEC);
    else if (s->idle > keep && total > policy_floor(l))
        d.look_again_usec = MAX(s->next_unused_usec, now_usec);
    return d;
}
