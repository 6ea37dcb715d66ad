#pragma once

/*
 * Colours of our output, where it goes to a terminal that has any: not with NO_COLOR (no-color.org)
 * and not with TERM=dumb.
 */

#include "base/buffer.h"

typedef enum Colour {
    COLOUR_NONE,
    COLOUR_RED,
    COLOUR_GREEN,
    COLOUR_YELLOW,
    COLOUR_BOLD,
    COLOUR_DIM,
    _COLOUR_MAX,
} Colour;

/** Whether what is written there may have colours: fd is STDOUT_FILENO or STDERR_FILENO. */
bool colour_wanted(int fd);

/** The sequence that begins the colour, "" unless stdout has colours; COLOUR_NONE ends it. */
const char *colour_sequence(Colour colour);
