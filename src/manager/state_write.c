#include "manager/state_private.h"

#include <string.h>

static uint64_t number_at(const void *p, size_t size)
{
    uint8_t one;
    uint16_t two;
    uint32_t four;
    uint64_t eight;

    switch (size) {
    case 1:
        memcpy(&one, p, 1);
        return one;
    case 2:
        memcpy(&two, p, 2);
        return two;
    case 4:
        memcpy(&four, p, 4);
        return four;
    default:
        memcpy(&eight, p, 8);
        return eight;
    }
}

static int end_entry(Buffer *b, int r)
{
    return r < 0 ? r : buffer_append(b, "", 1);
}

static int write_key(Buffer *b, const Section *section, const Field *f)
{
    return buffer_printf(b, "%s.%s=", section->name, f->key);
}

static int write_numbers(Buffer *b, const void *p, size_t size, size_t n)
{
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        r = buffer_printf(b, "%s%llu", i ? " " : "",
                          (unsigned long long)number_at((const char *)p + i * size, size));
    return r;
}

static int write_clients(Buffer *b, const PoolConfig *c)
{
    int r = 0;

    for (size_t i = 0; i < c->n_allowed_clients && r == 0; i++) {
        for (size_t k = 0; k < STATE_CLIENT_BYTES && r == 0; k++)
            r = buffer_printf(b, "%s%u", i || k ? " " : "", c->allowed_clients[i].address[k]);
        if (r == 0)
            r = buffer_printf(b, " %u", c->allowed_clients[i].n_bits);
    }
    return r;
}

static int write_spec(Buffer *b, const Section *section, const Field *f, const Buffer *spec)
{
    int r = 0;

    for (size_t i = 0; i < spec->size && r == 0; i += strlen(spec->data + i) + 1) {
        r = write_key(b, section, f);
        if (r == 0)
            r = end_entry(b, buffer_printf(b, "%s", spec->data + i));
    }
    return r;
}

static int write_words(Buffer *b, const Section *section, const Field *f, const WordList *list)
{
    int r = 0;

    for (size_t i = 0; i < list->n && r == 0; i++) {
        r = write_key(b, section, f);
        if (r == 0)
            r = end_entry(b, buffer_printf(b, "%s", list->items[i]));
    }
    return r;
}

static int write_setup(Buffer *b, const State *s, const PoolSetup *setup)
{
    size_t i = 0;

    while (s->setups[i] != setup)
        i++;
    return buffer_printf(b, "%zu", i);
}

static int write_value(Buffer *b, const State *s, const Field *f, void *object)
{
    void *p = field_of(f, object);

    switch (f->kind) {
    case FIELD_NUMBERS:
        return write_numbers(b, p, f->size, f->n);
    case FIELD_SIGNED:
    case FIELD_PID:
    case FIELD_FD:
        return buffer_printf(b, "%d", *(int *)p);
    case FIELD_TEXT:
        return buffer_printf(b, "%s", (const char *)p);
    case FIELD_STRING:
        return buffer_printf(b, "%s", *(char **)p);
    case FIELD_GROUPS:
        return write_numbers(b, ((PoolIds *)object)->groups, sizeof(gid_t),
                             ((PoolIds *)object)->n_groups);
    case FIELD_CLIENTS:
        return write_clients(b, object);
    case FIELD_SETUP:
        return write_setup(b, s, *(PoolSetup **)p);
    case FIELD_GENERATION:
        return buffer_printf(b, "%u", (*(Generation **)p)->number);
    case FIELD_PHASE:
        return buffer_printf(b, "%s", worker_phase_to_string(*(WorkerPhase *)p));
    case FIELD_SPEC:
    case FIELD_WORDS:
        break;
    }
    return 0;
}

static bool is_absent(const Field *f, void *object)
{
    return (f->kind == FIELD_FD && *(int *)field_of(f, object) < 0) ||
           (f->kind == FIELD_STRING && !*(char **)field_of(f, object));
}

static int write_object(const State *s, SectionKind kind, void *object, void *data)
{
    const Section *section = &state_sections[kind];
    Buffer *b = data;
    int r = section->repeated ? end_entry(b, buffer_printf(b, "%s=", section->name)) : 0;

    for (size_t i = 0; i < section->n_fields && r == 0; i++) {
        const Field *f = &section->fields[i];

        if (f->kind == FIELD_SPEC)
            r = write_spec(b, section, f, field_of(f, object));
        else if (f->kind == FIELD_WORDS)
            r = write_words(b, section, f, field_of(f, object));
        else if (!is_absent(f, object)) {
            r = write_key(b, section, f);
            if (r == 0)
                r = end_entry(b, write_value(b, s, f, object));
        }
    }
    return r;
}

int state_write(Buffer *b, const State *s)
{
    int r = buffer_append(b, STATE_FIRST_ENTRY, sizeof(STATE_FIRST_ENTRY));

    return r < 0 ? r : state_each(s, write_object, b);
}
