#pragma once

/*
 * Time limits of scripts without system calls.
 *
 * PHP sets a timer of CPU time three times per request and takes it back, and installs its signal
 * handler each time. Here setitimer(), sigaction() and sigprocmask() of the C library are ours for
 * PHP: the limit is noted, the timer is set only when none is running, and our handler stays where
 * it is in front of PHP's. When the timer fires and the limit is still there, it is set again for
 * what is left, and only at the end does PHP's handler get the signal. Other timers and signals,
 * and what is asked back, are the kernel's.
 *
 * A limit therefore ends a script at the limit or up to one second of CPU time later, never before.
 */

/** In a worker after the fork: timers are not inherited. */
void timeout_worker_start(void);
