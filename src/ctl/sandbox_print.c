#include "ctl/sandbox.h"

#include "sandbox/needs.h"
#include "status/escape.h"

#include <string.h>

#define WIDTH 96

/* Names of facts begin behind two blanks, their texts in this column. */
#define TEXT_COLUMN 22

int sandbox_wrap(Buffer *b, const char *text, size_t column, size_t indent)
{
    _cleanup_buffer_ Buffer clean = {0};
    size_t at = column;
    int r = escape_text(&clean, text);

    if (r == 0)
        r = buffer_append(&clean, "", 1);
    for (const char *p = r == 0 ? clean.data : ""; r == 0 && *p;) {
        size_t n = strcspn(p, " "), blanks;
        bool is_first = at == column && p == clean.data;

        if (!is_first && at + 1 + n > WIDTH) {
            r = buffer_printf(b, "\n%*s", (int)indent, "");
            at = indent;
        } else if (!is_first) {
            r = buffer_append(b, " ", 1);
            at++;
        }
        if (r == 0)
            r = buffer_append(b, p, n);
        at += n;
        blanks = strspn(p + n, " ");
        p += n + blanks;
    }
    return r < 0 ? r : buffer_append(b, "\n", 1);
}

static int print_fact(Buffer *b, const SandboxFact *f)
{
    _cleanup_buffer_ Buffer text = {0};
    int r = buffer_printf(b, "  %-*s ", TEXT_COLUMN - 3, f->name);

    if (r == 0)
        r = buffer_printf(&text, "%s%s%s%s", f->text, f->source ? " [" : "",
                          f->source ? f->source : "", f->source ? "]" : "");
    if (r == 0)
        r = buffer_append(&text, "", 1);
    return r < 0 ? r : sandbox_wrap(b, text.data, TEXT_COLUMN, TEXT_COLUMN);
}

static int print_facts(Buffer *b, const SandboxReport *report)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < report->n_facts; i++) {
        const SandboxFact *f = &report->facts[i];

        if (i == 0 || f[-1].topic != f->topic)
            r = buffer_printf(b, "\n%s\n", sandbox_topic_title(f->topic));
        if (r == 0)
            r = print_fact(b, f);
    }
    return r;
}

static int print_weaknesses(Buffer *b, const SandboxReport *report)
{
    int r = buffer_printf(b, report->n_weaknesses > 0
                                 ? "\nWhat is open, and how to close it\n"
                                 : "\nNothing is open that a directive or the unit could close.\n");

    for (size_t i = 0; r == 0 && i < report->n_weaknesses; i++) {
        const SandboxWeakness *w = &report->weaknesses[i];

        r = buffer_printf(b, "  - ");
        if (r == 0)
            r = sandbox_wrap(b, w->text, 4, 4);
        if (r == 0)
            r = buffer_printf(b, "    => ");
        if (r == 0)
            r = sandbox_wrap(b, w->cure, 7, 7);
    }
    return r;
}

int sandbox_print_text(Buffer *b, const SandboxView *v, const SandboxReport *report, bool calls)
{
    int r = buffer_printf(b, "Pool %s: what its workers may touch\n", v->config->name);

    if (r == 0)
        r = print_facts(b, report);
    if (r == 0)
        r = print_weaknesses(b, report);
    if (r == 0 && calls && v->calls_known)
        r = sandbox_print_calls(b, v);
    return r < 0 || !calls ? r : sandbox_print_needs(b);
}

/* ---- JSON ---- */

static int put_member(Buffer *b, const char *before, const char *key, const char *text)
{
    int r = buffer_printf(b, "%s\"%s\": ", before, key);

    if (r < 0)
        return r;
    return text ? escape_json(b, text) : buffer_append(b, "null", 4);
}

static int json_fact(Buffer *b, const SandboxFact *f, bool first)
{
    int r = put_member(b, first ? "\n    {" : ",\n    {", "topic", sandbox_topic_name(f->topic));

    if (r == 0)
        r = put_member(b, ", ", "name", f->name);
    if (r == 0)
        r = put_member(b, ", ", "text", f->text);
    if (r == 0)
        r = put_member(b, ", ", "source", f->source);
    return r < 0 ? r : buffer_append(b, "}", 1);
}

static int json_weakness(Buffer *b, const SandboxWeakness *w, bool first)
{
    int r = put_member(b, first ? "\n    {" : ",\n    {", "name", w->name);

    if (r == 0)
        r = put_member(b, ", ", "text", w->text);
    if (r == 0)
        r = put_member(b, ", ", "cure", w->cure);
    return r < 0 ? r : buffer_append(b, "}", 1);
}

/* The values that programs compare, beside the words for people. */
static int json_head(Buffer *b, const SandboxView *v)
{
    int r = put_member(b, "{\n  ", "pool", v->config->name);

    if (r == 0)
        r = put_member(b, ",\n  ", "user", v->user);
    if (r == 0)
        r = put_member(b, ",\n  ", "state", v->status ? v->status->state : NULL);
    if (r == 0)
        r = put_member(b, ",\n  ", "seccomp",
                       sandbox_seccomp_to_string(v->config->sandbox_seccomp));
    if (r == 0)
        r = put_member(b, ",\n  ", "sandbox", v->status ? v->status->sandbox : NULL);
    return r < 0 ? r : buffer_printf(b, ",\n  \"landlock_abi\": %d", v->landlock_abi);
}

int sandbox_print_json(Buffer *b, const SandboxView *v, const SandboxReport *report)
{
    int r = json_head(b, v);

    if (r == 0)
        r = buffer_printf(b, ",\n  \"facts\": [");
    for (size_t i = 0; r == 0 && i < report->n_facts; i++)
        r = json_fact(b, &report->facts[i], i == 0);
    if (r == 0)
        r = buffer_printf(b, "\n  ],\n  \"weaknesses\": [");
    for (size_t i = 0; r == 0 && i < report->n_weaknesses; i++)
        r = json_weakness(b, &report->weaknesses[i], i == 0);
    if (r == 0)
        r = buffer_printf(b, "\n  ],\n  \"needs\": ");
    if (r == 0)
        r = sandbox_print_needs_json(b);
    if (r == 0)
        r = buffer_printf(b, ",\n  \"calls\": ");
    if (r == 0)
        r = sandbox_print_calls_json(b, v);
    return r < 0 ? r : buffer_printf(b, "\n}\n");
}

/* ---- what every pool may do to files ---- */

int sandbox_print_needs(Buffer *b)
{
    size_t n;
    const Need *table = needs(&n);
    int r = buffer_printf(b, "\nFiles that every pool needs, whatever its lists say\n");

    for (size_t i = 0; r == 0 && i < n; i++) {
        _cleanup_buffer_ Buffer text = {0};

        r = buffer_printf(&text, "%s: %s", need_right_to_string(table[i].right), table[i].reason);
        if (r == 0)
            r = buffer_append(&text, "", 1);
        if (r == 0)
            r = buffer_printf(b, "  %-36s ", table[i].path);
        if (r == 0)
            r = sandbox_wrap(b, text.data, 39, 39);
    }
    return r;
}

int sandbox_print_needs_json(Buffer *b)
{
    size_t n;
    const Need *table = needs(&n);
    int r = buffer_append(b, "[", 1);

    for (size_t i = 0; r == 0 && i < n; i++) {
        r = put_member(b, i == 0 ? "\n    {" : ",\n    {", "path", table[i].path);
        if (r == 0)
            r = put_member(b, ", ", "right", need_right_to_string(table[i].right));
        if (r == 0)
            r = put_member(b, ", ", "reason", table[i].reason);
        if (r == 0)
            r = buffer_append(b, "}", 1);
    }
    return r < 0 ? r : buffer_printf(b, "\n  ]");
}
