#include "manager/attempts.h"
#include "manager/state_private.h"

#include <errno.h>
#include <string.h>

int state_each(const State *s, int (*f)(const State *s, SectionKind kind, void *object, void *data),
               void *data)
{
    int r = f(s, SECTION_STATE, (void *)s, data);

    if (r == 0)
        r = f(s, SECTION_MANAGER, s->manager, data);
    if (r == 0 && s->manager->attempts)
        r = f(s, SECTION_ATTEMPTS, s->manager->attempts, data);
    if (r == 0)
        r = f(s, SECTION_PORTER, &s->manager->porter, data);
    for (size_t i = 0; i < s->n_listeners && r == 0; i++)
        r = f(s, SECTION_LISTENER, s->listeners[i], data);
    for (size_t i = 0; i < s->n_setups && r == 0; i++) {
        r = f(s, SECTION_SETUP, s->setups[i], data);
        if (r == 0)
            r = f(s, SECTION_CONFIG, s->setups[i]->config, data);
        if (r == 0)
            r = f(s, SECTION_IDS, &s->setups[i]->ids, data);
    }
    for (size_t i = 0; i < s->n_generations && r == 0; i++)
        r = f(s, SECTION_GENERATION, s->generations[i], data);
    for (size_t i = 0; i < s->n_workers && r == 0; i++)
        r = f(s, SECTION_WORKER, s->workers[i], data);
    for (size_t i = 0; i < s->n_peers && r == 0; i++)
        r = f(s, SECTION_PEER, s->peers[i], data);
    for (size_t i = 0; i < s->n_orphans && r == 0; i++)
        r = f(s, SECTION_ORPHAN, s->orphans[i], data);
    return r;
}

typedef struct EachFd {
    int (*f)(int fd, void *userdata);
    void *userdata;
} EachFd;

static int on_object_fds(const State *s, SectionKind kind, void *object, void *data)
{
    const Section *section = &state_sections[kind];
    const EachFd *each = data;
    int r = 0;

    for (size_t i = 0; i < section->n_fields && r == 0; i++) {
        const Field *field = &section->fields[i];

        if (field->kind == FIELD_FD && *(int *)field_of(field, object) >= 0)
            r = each->f(*(int *)field_of(field, object), each->userdata);
    }
    return r;
}

int state_each_fd(const State *s, int (*f)(int fd, void *userdata), void *userdata)
{
    EachFd each = {f, userdata};

    return state_each(s, on_object_fds, &each);
}

/* ---- from a manager ---- */

static int add(void *array, size_t *n, void *object)
{
    void ***list = array;
    void **grown;

    if ((*n & (*n - 1)) == 0) {
        grown = reallocarray(*list, *n ? *n * 2 : 1, sizeof(void *));
        if (!grown)
            return -ENOMEM;
        *list = grown;
    }
    (*list)[(*n)++] = object;
    return 0;
}

void *state_append(void *array, size_t *n, size_t size)
{
    void *object = *n < STATE_OBJECTS_MAX ? calloc(1, size) : NULL;

    if (object && add(array, n, object) < 0) {
        free(object);
        return NULL;
    }
    return object;
}

static int add_setup(State *s, PoolSetup *setup)
{
    for (size_t i = 0; i < s->n_setups; i++)
        if (s->setups[i] == setup)
            return 0;
    return add(&s->setups, &s->n_setups, setup);
}

int state_of(Manager *m, State *ret)
{
    _cleanup_(state_done) State s = {.manager = m};
    int r = 0;

    for (Generation *g = m->generations; g && r == 0; g = g->next) {
        r = add_setup(&s, g->setup);
        if (r == 0)
            r = add(&s.generations, &s.n_generations, g);
    }
    for (Worker *w = m->workers; w && r == 0; w = w->next)
        if (w->phase != WORKER_DEAD)
            r = add(&s.workers, &s.n_workers, w);
    for (ControlPeer *p = m->peers; p && r == 0; p = p->next)
        r = add(&s.peers, &s.n_peers, p);
    for (size_t i = 0; i < m->listeners.n && r == 0; i++)
        r = add(&s.listeners, &s.n_listeners, &m->listeners.items[i]);
    for (size_t i = 0; i < m->orphans.n && r == 0; i++)
        if (m->orphans.items[i].pidfd >= 0)
            r = add(&s.orphans, &s.n_orphans, &m->orphans.items[i]);
    if (r < 0)
        return r;
    *ret = s;
    s = (State){0};
    return 0;
}

static void free_owned(State *s)
{
    for (size_t i = 0; i < s->n_workers; i++)
        free(s->workers[i]);
    for (size_t i = 0; i < s->n_generations; i++) {
        pool_setup_unref(s->generations[i]->setup);
        free(s->generations[i]);
    }
    for (size_t i = 0; i < s->n_setups; i++)
        pool_setup_unref(s->setups[i]);
    for (size_t i = 0; i < s->n_peers; i++)
        free(s->peers[i]);
    for (size_t i = 0; i < s->n_listeners; i++) {
        free(s->listeners[i]->text);
        free(s->listeners[i]->unlink);
        free(s->listeners[i]);
    }
    for (size_t i = 0; i < s->n_orphans; i++)
        free(s->orphans[i]);
    if (s->manager) {
        free(s->manager->control_path);
        free(s->manager->attempts);
    }
    free(s->manager);
    free(s->notify_path);
    free(s->version);
}

void state_done(State *s)
{
    if (s->owned)
        free_owned(s);
    free(s->setups);
    free(s->generations);
    free(s->workers);
    free(s->peers);
    free(s->listeners);
    free(s->orphans);
    *s = (State){0};
}

/* ---- to a manager ---- */

static void move_fields(SectionKind kind, void *from, void *to)
{
    const Section *section = &state_sections[kind];

    for (size_t i = 0; i < section->n_fields; i++) {
        const Field *f = &section->fields[i];

        if (f->kind == FIELD_STRING) {
            free(*(char **)field_of(f, to));
            *(char **)field_of(f, to) = TAKE_PTR(*(char **)field_of(f, from));
        } else if (f->kind != FIELD_GENERATION)
            memcpy(field_of(f, to), field_of(f, from), f->size * f->n);
    }
}

void state_move_manager(State *s, Manager *m)
{
    unsigned moot = m->moot;

    move_fields(SECTION_MANAGER, s->manager, m);
    move_fields(SECTION_PORTER, &s->manager->porter, &m->porter);
    m->moot |= moot;
    m->attempts = TAKE_PTR(s->manager->attempts);
    /* The numbers of messages are not those of another version. */
    if (m->attempts->replace_why != LOG_MESSAGE_EMERGENCY_RESTART)
        m->attempts->replace_why = LOG_MESSAGE_CACHE_RENEWED;
}
