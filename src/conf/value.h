#pragma once

/*
 * The text of a value: quotes, ${NAME}, $pool.
 */

#include "conf/lexer.h"

/**
 * Removes the quotes of a raw value and puts environment variables in for ${NAME} (outside of
 * single quotes; ${NAME:-text} when the variable is not set). Returns 0 and a text to free;
 * -ENOMEM; -EINVAL and *ret_error, a sentence part that needs no free.
 */
int value_expand(Slice raw, char **ret_text, const char **ret_error);

/** What PHP's scanner makes of a bare word before PHP-FPM sees it: "1" of yes, on, true; "" of no,
 * off, false, none, null. NULL: it is none of them. */
const char *value_bare_word(Slice raw);

/** 0, or -EINVAL and *ret_error for a raw text that PHP's ini parser would not take: an unquoted
 * "=", or brackets without their counterpart. */
int value_check_ini(Slice raw, const char **ret_error);

/** Copies text with the pool's name for each "$pool". NULL: no memory. */
char *value_replace_pool(Slice text, const char *pool);
