#include "unit/private.h"

#include <string.h>

int unit_escape(Buffer *b, const char *word, const char *special)
{
    int r = 0;

    for (const char *p = word; *p && r == 0; p++) {
        if (*p == '%')
            r = buffer_append(b, "%", 1);
        else if (strchr(special, *p))
            r = buffer_append(b, "\\", 1);
        if (r == 0)
            r = buffer_append(b, p, 1);
    }
    return r;
}

int unit_escape_path(Buffer *b, const char *path)
{
    return unit_escape(b, path, SPECIAL_PATHS);
}

bool unit_can_say(const char *text)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}
