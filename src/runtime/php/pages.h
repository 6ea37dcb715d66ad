#pragma once

/*
 * What PHP-FPM answers itself instead of a script: ping.path and pm.status_path; and the same
 * figures for scripts, fpm_get_status().
 */

#include "runtime/php/php.h"

/** Answers a request for one of the two pages, after PHP's start-up of the request. False: it wants
 * a script. */
bool pages_answer(PhpRequest *r);

/** The value of fpm_get_status(): an array, or false when there is no manager to ask. */
void pages_get_status(const PhpRequest *r, zval *ret);

/** The CPU time of this process is taken before a request, when a status page shows it (one system
 * call). */
void pages_measure(const PhpRequest *r);

/** Tells the scoreboard what the request took. memory_peak_bytes: taken before PHP's shutdown of
 * the request forgets it. */
void pages_note_use(const PhpRequest *r, uint64_t memory_peak_bytes);
