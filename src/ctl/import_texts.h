#pragma once

/*
 * Lists of texts that grow, for what an import has to say and has found.
 */

#include "base/buffer.h"

typedef struct Texts {
    char **items;
    size_t n;
} Texts;

void texts_done(Texts *t);
#define _cleanup_texts_ _cleanup_(texts_done)

/** Appends a formatted text. 0 or -ENOMEM. */
int texts_add(Texts *t, const char *format, ...) _printf_(2, 3);

/** Appends a text unless it is there. 0 or -ENOMEM. */
int texts_add_once(Texts *t, const char *text);

bool texts_has(const Texts *t, const char *text);

/** Whether the text has no control characters, which neither pool files nor units can say. */
bool text_is_plain(const char *text);

/** The folder of a path, "." without a slash, and what comes after the last slash. The folder is
 * the caller's, NULL: no memory. */
char *path_folder(const char *path);
const char *path_base(const char *path);
