#include "runtime/php/response.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* "HTTP/1.1 418 Teapot" → " 418 Teapot", or NULL when it is not such a line. */
static const char *after_protocol(const char *line)
{
    const char *blank = line ? strchr(line, ' ') : NULL;

    return blank && blank - line >= 5 && strncasecmp(line, "HTTP/", 5) == 0 ? blank : NULL;
}

size_t response_status_line(const ResponseStatus *s, char ret_line[RESPONSE_STATUS_MAX + 1],
                            int *ret_code)
{
    const char *rest = after_protocol(s->line);
    size_t room = RESPONSE_STATUS_MAX + 1;
    int code = s->code, n = 0;

    *ret_line = 0;
    if (s->code == 200 && !s->always) {
        if (s->header)
            code = atoi(s->header);
    } else if (s->full_line && s->line) {
        const char *blank = strchr(s->line, ' ');

        n = snprintf(ret_line, room, "%s", s->line);
        code = blank ? atoi(blank) : code;
    } else if (rest) {
        n = snprintf(ret_line, room, "Status:%s", rest);
        code = atoi(rest);
    } else if (s->header)
        code = atoi(s->header);
    else
        n = snprintf(ret_line, room, "Status: %d%s%s", s->code, s->reason ? " " : "",
                     s->reason ? s->reason : "");
    *ret_code = code;
    return n < 0 ? 0 : MIN((size_t)n, (size_t)RESPONSE_STATUS_MAX);
}
