#include "conf/generate.h"
#include "conf/manual.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Text of mdoc(7): n bytes of it, with `bold` type. is_start: at the start of a line. */
static int write_escaped(Buffer *b, const char *text, size_t n, bool is_start, bool *is_bold)
{
    int r = 0;

    if (is_start && n > 0 && (text[0] == '.' || text[0] == '\''))
        r = buffer_printf(b, "\\&");
    for (size_t i = 0; r == 0 && i < n; i++)
        switch (text[i]) {
        case '`':
            *is_bold = !*is_bold;
            r = buffer_printf(b, *is_bold ? "\\fB" : "\\fR");
            break;
        case '\\':
            r = buffer_printf(b, "\\e");
            break;
        case '"':
            r = buffer_printf(b, "\\(dq");
            break;
        case '~':
            r = buffer_printf(b, "\\(ti");
            break;
        case '^':
            r = buffer_printf(b, "\\(ha");
            break;
        default:
            r = buffer_append(b, text + i, 1);
        }
    return r;
}

/* Behind the dot that ends a sentence; a dot between blanks does not. */
static size_t sentence_length(const char *text)
{
    const char *dot = text;

    while ((dot = strstr(dot + 1, ". ")))
        if (dot[-1] != ' ')
            return (size_t)(dot - text) + 1;
    return strlen(text);
}

/* Each sentence begins a line. */
static int write_text(Buffer *b, const char *text)
{
    bool is_bold = false;
    int r = 0;

    while (r == 0 && *text) {
        size_t n = sentence_length(text);

        r = write_escaped(b, text, n, true, &is_bold);
        if (r == 0)
            r = buffer_append(b, "\n", 1);
        text += n;
        text += *text == ' ';
    }
    return r;
}

/* .Ql with the words of a value as one argument; the sentence ends behind it. */
static int write_value(Buffer *b, const char *value)
{
    bool unused = false;
    int r = buffer_printf(b, ".Ql \"");

    if (r == 0)
        r = write_escaped(b, value, strlen(value), false, &unused);
    return r < 0 ? r : buffer_printf(b, "\" .\n");
}

static int write_type(Buffer *b, const Directive *d)
{
    const char *type = directive_type_to_string(d->type);
    char text[200];

    if (!type)
        return 0;
    switch (d->type) {
    case TYPE_UNSIGNED:
    case TYPE_COUNT:
    case TYPE_SIGNED:
    case TYPE_FILES:
        if (d->max < INT_MAX)
            snprintf(text, sizeof(text), "Value: %s from %lld to %lld.", type, (long long)d->min,
                     (long long)d->max);
        else
            snprintf(text, sizeof(text), "Value: %s not less than %lld.", type, (long long)d->min);
        break;
    default:
        snprintf(text, sizeof(text), "Value: %s.", type);
    }
    return write_text(b, text);
}

static int write_default(Buffer *b, const Directive *d)
{
    int r;

    if (!d->fallback)
        return 0;
    r = buffer_printf(b, "The default is\n");
    return r < 0 ? r : write_value(b, d->fallback);
}

static int write_scope(Buffer *b, const Directive *d)
{
    if (!(d->scope & SCOPE_GLOBAL))
        return 0;
    return buffer_printf(b, "%s in\n.Ql [global] .\n",
                         d->scope == SCOPE_GLOBAL ? "Is given" : "May also be given");
}

static int write_fate(Buffer *b, const Directive *d)
{
    char text[300];

    if (d->fate == FATE_HONOURED)
        return 0;
    if (d->fate == FATE_SYSTEMD)
        snprintf(text, sizeof(text), "Has no effect, this is done by %s.", d->instead);
    else
        snprintf(text, sizeof(text), "%s: %s.", d->is_vital ? "Is refused" : "Has no effect",
                 d->instead);
    return write_text(b, text);
}

static int write_directive(Buffer *b, const Directive *d)
{
    const Manual *m = manual_find(d);
    const char *key = !directive_is_array(d) ? "" : d->type == TYPE_URIS ? "[]" : "[KEY]";
    int r = buffer_printf(b, ".It Ic %s%s\n", d->name, key);

    if (r == 0)
        r = write_text(b, d->summary);
    if (r == 0 && m && m->text)
        r = write_text(b, m->text);
    if (r == 0)
        r = write_type(b, d);
    if (r == 0)
        r = write_default(b, d);
    if (r == 0)
        r = write_scope(b, d);
    return r < 0 ? r : write_fate(b, d);
}

int generate_manual(Buffer *b)
{
    DirectiveGroup group = _DIRECTIVE_GROUP_MAX;
    size_t n;
    const Directive *d = directives_get(&n);
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        if (d[i].group != group)
            r = buffer_printf(b, "%s.Ss %s\n.Bl -tag -width 4n\n", i > 0 ? ".El\n" : "",
                              directive_group_to_string(d[i].group));
        group = d[i].group;
        if (r == 0)
            r = write_directive(b, &d[i]);
    }
    return r < 0 ? r : buffer_printf(b, ".El\n");
}
