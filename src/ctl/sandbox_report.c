#include "ctl/sandbox.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static const struct {
    const char *name, *title;
} topics[_SANDBOX_TOPIC_MAX] = {
    [TOPIC_IDENTITY] = {"identity", "Who it is"},
    [TOPIC_FILES] = {"files", "Files"},
    [TOPIC_NETWORK] = {"network", "Network"},
    [TOPIC_PROGRAMS] = {"programs", "Programs"},
    [TOPIC_CALLS] = {"calls", "System calls"},
    [TOPIC_PROCESSES] = {"processes", "Other processes"},
    [TOPIC_LIMITS] = {"limits", "Limits"},
    [TOPIC_OPCACHE] = {"opcache", "OPcache"},
    [TOPIC_KERNEL] = {"kernel", "This kernel"},
    [TOPIC_RUNNING] = {"running", "What runs"},
    [TOPIC_DIFFERENCES] = {"differences", "Where the file differs from what runs"},
};

const char *sandbox_topic_name(SandboxTopic topic)
{
    return topics[topic].name;
}

const char *sandbox_topic_title(SandboxTopic topic)
{
    return topics[topic].title;
}

void sandbox_report_done(SandboxReport *r)
{
    for (size_t i = 0; i < r->n_facts; i++) {
        free(r->facts[i].text);
        free(r->facts[i].source);
    }
    free(r->facts);
    free(r->weaknesses);
    *r = (SandboxReport){0};
}

void report_fact(SandboxReport *r, SandboxTopic topic, const char *name, const char *source,
                 const char *format, ...)
{
    SandboxFact fact = {.topic = topic, .name = name}, *grown;
    va_list args;

    if (r->error < 0)
        return;
    va_start(args, format);
    if (vasprintf(&fact.text, format, args) < 0)
        fact.text = NULL;
    va_end(args);
    fact.source = source && *source ? strdup(source) : NULL;
    grown = reallocarray(r->facts, r->n_facts + 1, sizeof(*grown));
    if (grown)
        r->facts = grown;
    if (!grown || !fact.text || (source && *source && !fact.source)) {
        free(fact.text);
        free(fact.source);
        r->error = -ENOMEM;
        return;
    }
    grown[r->n_facts++] = fact;
}

void report_weakness(SandboxReport *r, SandboxWeakness weakness)
{
    SandboxWeakness *grown =
        r->error < 0 ? NULL : reallocarray(r->weaknesses, r->n_weaknesses + 1, sizeof(*grown));

    if (!grown) {
        r->error = -ENOMEM;
        return;
    }
    r->weaknesses = grown;
    grown[r->n_weaknesses++] = weakness;
}

/* Those of a topic stay in their order. */
static void sort(SandboxReport *r)
{
    for (size_t i = 1; i < r->n_facts; i++)
        for (size_t k = i; k > 0 && r->facts[k - 1].topic > r->facts[k].topic; k--) {
            SandboxFact fact = r->facts[k];

            r->facts[k] = r->facts[k - 1];
            r->facts[k - 1] = fact;
        }
}

int sandbox_report_make(const SandboxView *v, SandboxReport *ret)
{
    SandboxReport r = {0};

    sandbox_tell_facts(v, &r);
    sandbox_tell_files(v, &r);
    sandbox_tell_unit(v, &r);
    sandbox_tell_running(v, &r);
    sandbox_tell_weaknesses(v, &r);
    if (r.error < 0) {
        int error = r.error;

        sandbox_report_done(&r);
        return error;
    }
    sort(&r);
    *ret = r;
    return 0;
}

void report_put(SandboxReport *r, Buffer *b, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    if (!text || buffer_append(b, text, strlen(text)) < 0)
        r->error = -ENOMEM;
}

void report_put_list(SandboxReport *r, Buffer *b, char *const *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        report_put(r, b, "%s%s", i > 0 ? ", " : "", items[i]);
}

/* "sandbox.read, /etc/fpmd/conf.d/www.conf:7", "ProtectHome= of fpmd@www.service". */
static void put_source(SandboxReport *r, const SandboxView *v, const FactRow *row, Buffer *b)
{
    ConfigOrigin origin =
        row->directive ? pool_config_origin(v->config, row->directive) : (ConfigOrigin){0};

    if (row->directive && origin.line > 0)
        report_put(r, b, "%s, %s:%u", row->directive, origin.file, origin.line);
    else if (row->directive)
        report_put(r, b, "%s, default", row->directive);
    else if (row->property)
        report_put(r, b, "%s= of %s", unit_property_name(row->property), v->unit_name);
}

void report_rows(SandboxReport *r, const SandboxView *v, const FactRow *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_buffer_ Buffer text = {0}, source = {0};

        rows[i].tell(v, r, &text);
        if (text.size == 0)
            continue;
        put_source(r, v, &rows[i], &source);
        report_fact(r, rows[i].topic, rows[i].name, NULL, "%.*s", (int)text.size, text.data);
        if (r->error == 0 && source.size > 0) {
            r->facts[r->n_facts - 1].source = buffer_steal(&source);
            if (!r->facts[r->n_facts - 1].source)
                r->error = -ENOMEM;
        }
    }
}

void sandbox_view_done(SandboxView *v)
{
    for (size_t i = 0; i < _UNIT_PROPERTY_MAX; i++)
        free(v->properties[i]);
    free(v->user);
    free(v->groups);
    free(v->neighbours);
    free(v->status_reason);
    free(v->unit_reason);
    config_issues_done(&v->file_issues);
    config_issues_done(&v->unit_issues);
    if (v->figures.pool)
        munmap((void *)(uintptr_t)v->figures.pool, v->figures.size);
    pool_config_free(v->owned_config);
    *v = (SandboxView){0};
}

bool view_property_is(const SandboxView *v, UnitProperty p, const char *value)
{
    return v->properties[p] && strcmp(v->properties[p], value) == 0;
}

bool view_property_given(const SandboxView *v, UnitProperty p)
{
    const char *value = v->properties[p];

    return value && *value && strcmp(value, "0") != 0;
}

bool view_unit_refuses(const SandboxView *v, const char *call)
{
    const char *list = v->properties[PROPERTY_SYSTEM_CALL_FILTER], *p;
    size_t n = strlen(call);

    /* "0 a\nb": these are denied; "1 a\nb": these are allowed; "0 ": no filter. */
    if (!list || (*list != '0' && *list != '1') || list[1] != ' ' || !list[2])
        return false;
    for (p = list + 1; (p = strstr(p, call)); p++)
        /* "name:EACCES" has an error of its own. */
        if (strchr(" \n", p[-1]) && strchr("\n:", p[n]))
            return *list == '0';
    return *list == '1';
}
