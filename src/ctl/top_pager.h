#pragma once

/*
 * Lines of text on the screen of curses.
 */

#include "base/buffer.h"

/** Draws valid UTF-8 without control characters at a line, from a column of the text on, and fills
 * the line up. What the terminal cannot show, or what would move others (marks of direction,
 * combining characters), is '?'. */
void pager_draw(int line, const char *text, size_t n, int from_column, int attributes);

/** Shows lines under a title until the user has seen them. */
void pager_run(const char *title, const Buffer *text);
