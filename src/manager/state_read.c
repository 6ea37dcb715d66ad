#include "base/parse.h"
#include "manager/attempts.h"
#include "manager/state_private.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

typedef struct Reader {
    State *state;
    void *objects[_SECTION_MAX]; /* the last one of each section; NULL: none yet */
} Reader;

static int read_number(const char *text, uint64_t max, uint64_t *ret)
{
    return parse_u64(text, 0, max, ret) < 0 ? -EBADMSG : 0;
}

static void set_number(void *p, size_t size, uint64_t number)
{
    const uint8_t one = (uint8_t)number;
    const uint16_t two = (uint16_t)number;
    const uint32_t four = (uint32_t)number;

    memcpy(p,
           size == 1   ? (const void *)&one
           : size == 2 ? (const void *)&two
           : size == 4 ? (const void *)&four
                       : (const void *)&number,
           size);
}

/* At most n numbers with blanks between; a program of another version may have another n, then the
 * rest stays 0, or is left out. */
static int read_numbers(char *text, void *p, size_t size, size_t n, size_t *ret_n)
{
    const uint64_t max = size == 1 ? 1 : size == 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
    char *save = NULL;
    size_t i = 0;

    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        uint64_t number;

        if (read_number(word, max, &number) < 0)
            return -EBADMSG;
        if (i < n)
            set_number((char *)p + i++ * size, size, number);
    }
    *ret_n = i;
    return 0;
}

static int read_int(const char *text, bool negative, int *ret)
{
    const bool minus = negative && text[0] == '-';
    uint64_t number;

    if (read_number(text + minus, INT_MAX, &number) < 0)
        return -EBADMSG;
    *ret = minus ? -(int)number : (int)number;
    return 0;
}

static int read_string(const char *text, char **ret)
{
    char *copy = strdup(text);

    if (!copy)
        return -ENOMEM;
    free(*ret);
    *ret = copy;
    return 0;
}

/* How many words there can be. */
static size_t count_words(const char *text)
{
    size_t n = 1;

    for (; *text; text++)
        n += *text == ' ';
    return n;
}

static int read_groups(char *text, PoolIds *ids)
{
    size_t n = count_words(text);

    free(ids->groups);
    ids->n_groups = 0;
    ids->groups = calloc(n, sizeof(gid_t));
    return ids->groups ? read_numbers(text, ids->groups, sizeof(gid_t), n, &ids->n_groups)
                       : -ENOMEM;
}

static int read_clients(char *text, PoolConfig *c)
{
    const size_t each = STATE_CLIENT_BYTES + 1;
    size_t n = count_words(text);
    _cleanup_free_ uint32_t *numbers = calloc(n, sizeof(uint32_t));

    if (!numbers)
        return -ENOMEM;
    if (read_numbers(text, numbers, sizeof(uint32_t), n, &n) < 0 || n % each != 0)
        return -EBADMSG;
    free(TAKE_PTR(c->allowed_clients));
    c->n_allowed_clients = 0;
    if (n == 0)
        return 0;
    c->allowed_clients = calloc(n / each, sizeof(ClientRange));
    if (!c->allowed_clients)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        ClientRange *range = &c->allowed_clients[i / each];

        if (numbers[i] > (i % each < STATE_CLIENT_BYTES ? UINT8_MAX : 8 * STATE_CLIENT_BYTES))
            return -EBADMSG;
        if (i % each < STATE_CLIENT_BYTES)
            range->address[i % each] = (uint8_t)numbers[i];
        else
            range->n_bits = numbers[i];
    }
    c->n_allowed_clients = n / each;
    return 0;
}

static int read_word(const char *text, WordList *list)
{
    char **grown = reallocarray(list->items, list->n + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    list->items = grown;
    grown[list->n] = strdup(text);
    if (!grown[list->n])
        return -ENOMEM;
    list->n++;
    return 0;
}

static int read_setup(const State *s, const char *text, PoolSetup **ret)
{
    uint64_t i;

    if (s->n_setups == 0 || read_number(text, s->n_setups - 1, &i) < 0)
        return -EBADMSG;
    pool_setup_unref(*ret);
    *ret = pool_setup_ref(s->setups[i]);
    return 0;
}

static int read_generation(const State *s, const char *text, Generation **ret)
{
    uint64_t number;

    if (read_number(text, UINT_MAX, &number) < 0)
        return -EBADMSG;
    for (size_t i = 0; i < s->n_generations; i++)
        if (s->generations[i]->number == number) {
            *ret = s->generations[i];
            return 0;
        }
    return -EBADMSG;
}

static int read_phase(const char *text, WorkerPhase *ret)
{
    for (WorkerPhase phase = 0; phase < _WORKER_PHASE_MAX; phase++)
        if (strcmp(worker_phase_to_string(phase), text) == 0) {
            *ret = phase;
            return 0;
        }
    return -EBADMSG;
}

static int read_value(const State *s, const Field *f, void *object, char *text)
{
    void *p = field_of(f, object);
    size_t n;

    switch (f->kind) {
    case FIELD_NUMBERS:
        return read_numbers(text, p, f->size, f->n, &n);
    case FIELD_SIGNED:
        return read_int(text, true, p);
    case FIELD_PID:
    case FIELD_FD:
        return read_int(text, false, p);
    case FIELD_TEXT:
        memset(p, 0, f->size);
        memcpy(p, text, strnlen(text, f->size - 1));
        return 0;
    case FIELD_STRING:
        return read_string(text, p);
    case FIELD_GROUPS:
        return read_groups(text, object);
    case FIELD_CLIENTS:
        return read_clients(text, object);
    case FIELD_SPEC:
        return buffer_append(p, text, strlen(text) + 1);
    case FIELD_WORDS:
        return read_word(text, p);
    case FIELD_SETUP:
        return read_setup(s, text, p);
    case FIELD_GENERATION:
        return read_generation(s, text, p);
    case FIELD_PHASE:
        return read_phase(text, p);
    }
    return 0;
}

static void close_all(SectionKind kind, void *object)
{
    const Section *section = &state_sections[kind];

    for (size_t i = 0; i < section->n_fields; i++)
        if (section->fields[i].kind == FIELD_FD)
            *(int *)field_of(&section->fields[i], object) = -1;
}

static int begin_setup(Reader *r)
{
    State *s = r->state;
    PoolSetup *setup = state_append(&s->setups, &s->n_setups, sizeof(PoolSetup));

    if (!setup)
        return -ENOMEM;
    setup->n_refs = 1;
    setup->config = pool_config_new(s->manager->options.pool ?: "");
    if (!setup->config)
        return -ENOMEM;
    r->objects[SECTION_SETUP] = setup;
    r->objects[SECTION_CONFIG] = setup->config;
    r->objects[SECTION_IDS] = &setup->ids;
    return 0;
}

static int begin_object(Reader *r, SectionKind kind)
{
    State *s = r->state;
    void *object = NULL;

    if (kind == SECTION_SETUP)
        return begin_setup(r);
    if (kind == SECTION_LISTENER)
        object = state_append(&s->listeners, &s->n_listeners, sizeof(Listener));
    else if (kind == SECTION_GENERATION)
        object = state_append(&s->generations, &s->n_generations, sizeof(Generation));
    else if (kind == SECTION_WORKER)
        object = state_append(&s->workers, &s->n_workers, sizeof(Worker));
    else if (kind == SECTION_PEER)
        object = state_append(&s->peers, &s->n_peers, sizeof(ControlPeer));
    else if (kind == SECTION_ORPHAN)
        object = state_append(&s->orphans, &s->n_orphans, sizeof(Orphan));
    if (!object)
        return -ENOMEM;
    close_all(kind, object);
    r->objects[kind] = object;
    return 0;
}

static int take_entry(Reader *r, const char *key, char *value)
{
    const char *dot = strchrnul(key, '.');

    for (SectionKind kind = 0; kind < _SECTION_MAX; kind++) {
        const Section *section = &state_sections[kind];

        if (strlen(section->name) != (size_t)(dot - key) ||
            strncmp(section->name, key, (size_t)(dot - key)) != 0)
            continue;
        if (*dot == 0)
            return section->repeated ? begin_object(r, kind) : 0;
        if (!r->objects[kind])
            return -EBADMSG;
        for (size_t i = 0; i < section->n_fields; i++)
            if (strcmp(section->fields[i].key, dot + 1) == 0)
                return read_value(r->state, &section->fields[i], r->objects[kind], value);
    }
    return 0;
}

static int read_entries(Reader *r, char *text, size_t n, const char **ret_error)
{
    for (char *p = text; p < text + n;) {
        char *next = p + strlen(p) + 1;
        char *value = strchr(p, '=');
        int k;

        if (!value) {
            *ret_error = "an entry without '='";
            return -EBADMSG;
        }
        *value++ = 0;
        k = take_entry(r, p, value);
        if (k < 0) {
            *ret_error = k == -EBADMSG ? "an entry with a bad value" : "out of memory";
            return k;
        }
        p = next;
    }
    return 0;
}

int state_read(const char *text, size_t n, State *ret, const char **ret_error)
{
    _cleanup_(state_done) State s = {.owned = true};
    Reader reader = {.state = &s};
    _cleanup_free_ char *copy = NULL;
    int r;

    *ret_error = "out of memory";
    if (n < sizeof(STATE_FIRST_ENTRY) ||
        memcmp(text, STATE_FIRST_ENTRY, sizeof(STATE_FIRST_ENTRY)) != 0 || text[n - 1] != 0) {
        *ret_error = "not a state of version " STATE_VERSION;
        return -EBADMSG;
    }
    copy = malloc(n);
    s.manager = calloc(1, sizeof(Manager));
    if (s.manager)
        s.manager->attempts = calloc(1, sizeof(Attempts));
    if (!copy || !s.manager || !s.manager->attempts)
        return -ENOMEM;
    memcpy(copy, text, n);
    reader.objects[SECTION_STATE] = &s;
    reader.objects[SECTION_MANAGER] = s.manager;
    reader.objects[SECTION_ATTEMPTS] = s.manager->attempts;
    reader.objects[SECTION_PORTER] = &s.manager->porter;
    close_all(SECTION_MANAGER, s.manager);
    close_all(SECTION_PORTER, &s.manager->porter);
    r = read_entries(&reader, copy + sizeof(STATE_FIRST_ENTRY), n - sizeof(STATE_FIRST_ENTRY),
                     ret_error);
    if (r == 0)
        r = state_check(&s, ret_error);
    if (r < 0)
        return r;
    *ret = s;
    s = (State){0};
    return 0;
}
