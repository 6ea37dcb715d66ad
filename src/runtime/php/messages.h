#pragma once

/*
 * Where PHP's messages go: to the journal as records, and to the STDERR stream of the request that
 * runs. While PHP starts, what it writes to stdout and stderr is a message too.
 */

#include "link/spec.h"

/** What the records say about us; spec is borrowed. */
void messages_init(const RuntimeSpec *spec);

/** Watches errors for their level and place. Before extensions are loaded. */
void messages_watch(void);

/** The sapi_module's log_message: severity is a syslog priority. */
void messages_log(const char *message, int severity);

/** A text of the SAPI itself, on STDERR without a prefix. */
void messages_note(int priority, const char *format, ...) _printf_(2, 3);

/** From here on stdout and stderr are kept, until messages_release() logs what was written. 0 or
 * -errno. When the start has failed the reason is left out: the manager tells it. */
int messages_capture(void);
void messages_release(bool failed);

/** What PHP said last, worst priority first, since the capture; "" if nothing. Valid until the next
 * message. */
const char *messages_reason(void);

/** The first complaint about the syntax of an ini text since the capture, "… in FILE on line N"; ""
 * if there was none. PHP goes on with what it had read by then. */
const char *messages_syntax_error(void);

/** How many extensions could not be loaded since the capture, and what PHP said of the first. */
unsigned messages_count_unloaded(const char **ret_first);

/**
 * The process dies while PHP starts: what was kept goes to where it would have gone. Returns the
 * last line of it, "" if there is none. Async-signal-safe.
 */
const char *messages_last_words(void);

/** Called when PHP meets an error at start-up after which it would exit(3). */
void messages_on_fatal_start(void (*handler)(void));
