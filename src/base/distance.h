#pragma once

/*
 * How alike two names are, for "did you mean".
 */

#include <stddef.h>

#define TEXT_DISTANCE_MAX 48 /* bytes of a name at most; the longest of ours has 40 */

/** Edit distance with transpositions of neighbours, in which the case of a does not count. n and m
 * are at most TEXT_DISTANCE_MAX. */
unsigned text_distance(const char *a, size_t n, const char *b, size_t m);
