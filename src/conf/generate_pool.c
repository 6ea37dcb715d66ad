#include "conf/generate.h"
#include "conf/manual.h"

#include <string.h>

#define WIDTH 100

static const char head[] =
    "; The pool \"www\" of fpmd. The syntax is that of PHP-FPM's pool files.\n"
    ";\n"
    "; One file is one pool. For another one copy this file to NAME.conf, write [NAME] for [www], "
    "and\n"
    "; start fpmd@NAME.socket. What shall differ from a file of a package goes into a file of your "
    "own:\n"
    "; NAME.conf.d/*.conf, whose lines replace those of NAME.conf.\n"
    ";\n"
    "; Each directive stands here with its default, or with an example where it has none. A line "
    "that\n"
    "; begins with \";\" is a comment. $pool is the name of the pool, ${NAME} an environment "
    "variable.\n"
    "; \"fpmctl check\" reads a file and says everything that is wrong in it; \"fpmctl apply\" "
    "gives "
    "the\n"
    "; units of the pool what the file asks of them. See fpmd.conf(5).\n"
    "\n"
    "; Further files may be included; a relative name starts at the folder of this file.\n"
    ";include = common/*.inc\n"
    "\n";

static int write_heading(Buffer *b, const char *text)
{
    int r = buffer_printf(b, ";;; %s ", text);

    for (size_t i = strlen(text) + 5; r == 0 && i < 80; i++)
        r = buffer_append(b, ";", 1);
    return r < 0 ? r : buffer_append(b, "\n\n", 2);
}

/* A comment, broken between words. */
static int write_comment(Buffer *b, const char *text)
{
    size_t column = 1;
    int r = buffer_append(b, ";", 1);

    while (r == 0 && *text) {
        size_t n = strcspn(text, " ");

        if (column > 1 && column + 1 + n > WIDTH) {
            r = buffer_append(b, "\n;", 2);
            column = 1;
        }
        if (r == 0)
            r = buffer_printf(b, " %.*s", (int)n, text);
        column += n + 1;
        text += n;
        text += strspn(text, " ");
    }
    return r < 0 ? r : buffer_append(b, "\n", 1);
}

static int write_fate(Buffer *b, const Directive *d)
{
    _cleanup_buffer_ Buffer text = {0};
    _cleanup_free_ char *sentence = NULL;
    int r;

    if (d->fate == FATE_HONOURED)
        return 0;
    if (d->fate == FATE_SYSTEMD)
        r = buffer_printf(&text, "Has no effect, this is done by %s.", d->instead);
    else
        r = buffer_printf(&text, "%s: %s.", d->is_vital ? "Is refused" : "Has no effect",
                          d->instead);
    if (r == 0)
        sentence = buffer_steal(&text);
    return sentence ? write_comment(b, sentence) : -1;
}

static int write_lines(Buffer *b, const Directive *d)
{
    const Manual *m = manual_find(d);
    const char *mark = m && m->is_active ? "" : ";";
    bool has_example = m && m->examples[0];
    int r = 0;

    if (!has_example)
        return buffer_printf(b, "%s%s = %s\n", mark, d->name, d->fallback ? d->fallback : "");
    for (size_t i = 0; r == 0 && i < MANUAL_EXAMPLES && m->examples[i]; i++)
        r = buffer_printf(b, directive_is_array(d) ? "%s%s%s\n" : "%s%s = %s\n", mark, d->name,
                          m->examples[i]);
    return r;
}

static int write_directive(Buffer *b, const Directive *d)
{
    int r = write_comment(b, d->summary);

    if (r == 0)
        r = write_fate(b, d);
    if (r == 0)
        r = write_lines(b, d);
    return r < 0 ? r : buffer_append(b, "\n", 1);
}

static int write_global(Buffer *b)
{
    size_t n;
    const Directive *d = directives_get(&n);
    int r = write_heading(b, "Global directives: before the first section, or below [global]");

    for (size_t i = 0; r == 0 && i < n; i++)
        if (d[i].scope == SCOPE_GLOBAL)
            r = write_directive(b, &d[i]);
    return r;
}

int generate_pool(Buffer *b)
{
    DirectiveGroup group = _DIRECTIVE_GROUP_MAX;
    size_t n;
    const Directive *d = directives_get(&n);
    int r = buffer_append(b, head, strlen(head));

    if (r == 0)
        r = write_global(b);
    if (r == 0)
        r = buffer_printf(b, "[www]\n\n");
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (d[i].scope == SCOPE_GLOBAL)
            continue;
        if (d[i].group != group)
            r = write_heading(b, directive_group_to_string(d[i].group));
        group = d[i].group;
        if (r == 0)
            r = write_directive(b, &d[i]);
    }
    if (r == 0)
        b->size--; /* the last empty line */
    return r;
}
