#include "unit/private.h"

#include <string.h>

/* The name of a file for a comment, which ends with its line. */
static int write_comment_text(Buffer *b, const char *text)
{
    int r = 0;

    for (const char *p = text; *p && r == 0; p++)
        r = buffer_append(b, (unsigned char)*p < 0x20 || *p == 0x7f ? "?" : p, 1);
    return r;
}

static int write_head(Buffer *b, const PoolConfig *c, UnitKind kind)
{
    char name[256];
    int r;

    unit_name(kind, c->name, name);
    r = buffer_printf(b, "# Written by fpmctl apply from ");
    if (r == 0)
        r = write_comment_text(b, c->path ? c->path : c->name);
    if (r == 0)
        r = buffer_printf(b,
                          "\n# and replaced by it. Settings of your own belong into another file:\n"
                          "#   systemctl edit %s\n",
                          name);
    return r;
}

static int write_section(Buffer *b, const UnitSettings *s, UnitKind kind, const char *section)
{
    bool begun = false;
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->n; i++) {
        const UnitSetting *setting = &s->items[i];

        if (setting->unit != kind || strcmp(setting->section, section) != 0)
            continue;
        if (!begun)
            r = buffer_printf(b, "\n[%s]\n", section);
        begun = true;
        if (r == 0)
            r = buffer_printf(b, "%s=%s\n", setting->name, setting->value);
    }
    return r;
}

int unit_write_dropin(Buffer *b, const PoolConfig *c, const UnitSettings *s, UnitKind kind)
{
    static const char *const sections[] = {"Unit", "Socket", "Service"};
    int r;

    if (!unit_settings_has(s, kind))
        return 0;
    r = write_head(b, c, kind);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sections); i++)
        r = write_section(b, s, kind, sections[i]);
    return r;
}
