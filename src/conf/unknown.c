#include "conf/setting.h"

#include <ctype.h>

/* Behind so many issues nobody reads suggestions, and finding them takes longest. */
#define MAX_SUGGESTIONS 100

/* A name from the file for messages: bounded, and nothing in it that moves a terminal's cursor. */
static const char *printable(Slice name, char ret[static 65])
{
    size_t n = MIN(name.n, (size_t)64);

    for (size_t i = 0; i < n; i++)
        ret[i] = name.p[i] && isprint((unsigned char)name.p[i]) ? name.p[i] : '?';
    ret[n] = 0;
    return ret;
}

void setting_report_unknown(const LexItem *item, const Reporter *r)
{
    const char *near =
        r->issues->n < MAX_SUGGESTIONS ? directive_suggest(item->name.p, item->name.n) : NULL;
    char name[65];

    printable(item->name, name);
    if (near)
        report(r, CONFIG_ERROR, name, "there is no such directive, did you mean '%s'?", near);
    else
        report(r, CONFIG_ERROR, name, "there is no such directive, expected one of fpmd.conf(5)");
}
