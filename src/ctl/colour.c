#include "ctl/colour.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ECMA-48, 8.3.117 (SGR). */
static const char *const sequences[] = {
    [COLOUR_NONE] = "\033[0m",    [COLOUR_RED] = "\033[31m", [COLOUR_GREEN] = "\033[32m",
    [COLOUR_YELLOW] = "\033[33m", [COLOUR_BOLD] = "\033[1m", [COLOUR_DIM] = "\033[2m",
};

bool colour_wanted(int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fd) && !(no && *no) && term && *term && strcmp(term, "dumb") != 0;
}

const char *colour_sequence(Colour colour)
{
    static int wanted = -1;

    if (wanted < 0)
        wanted = colour_wanted(STDOUT_FILENO);
    return wanted ? sequences[colour] : "";
}
