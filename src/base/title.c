#include "base/title.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

static char *room;
static size_t room_size;

/* execve(2) lays the arguments out one behind the other (Linux; checked all the same). The kernel
 * shows this memory as /proc/PID/cmdline as long as its last byte stays 0. */
void title_init(int argc, char **argv)
{
    static char first[256];
    char *end;

    if (argc < 1)
        return;
    end = argv[0];
    for (int i = 0; i < argc && argv[i] == end; i++)
        end += strlen(argv[i]) + 1;
    snprintf(first, sizeof(first), "%s", argv[0]);
    room = argv[0];
    room_size = (size_t)(end - room);
    argv[0] = first;
}

void title_set(const char *name, const char *format, ...)
{
    va_list args;
    int n;

    prctl(PR_SET_NAME, name);
    if (room_size < 2)
        return;
    va_start(args, format);
    n = vsnprintf(room, room_size, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n < room_size)
        memset(room + n, 0, room_size - (size_t)n);
}
