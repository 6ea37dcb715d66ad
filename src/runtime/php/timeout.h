#pragma once

/*
 * Time limits of scripts without system calls.
 *
 * libphp sets a timer of CPU time three times per request and takes it back, and installs its
 * signal handler each time. Here zend_set_timeout() and zend_unset_timeout() of the program take
 * the place of libphp's own (its calls go through the dynamic linker): they note the limit, and the
 * timer is set only when none is running. When it fires and the limit is still there, it is set
 * again for what is left, and only at the end does Zend's handler get the signal.
 *
 * A limit therefore ends a script at the limit or up to one second of CPU time later, never before.
 */

/** In a worker after the fork: timers are not inherited. */
void timeout_worker_start(void);
