#pragma once

/*
 * Figures for people: short texts in ASCII, the same on a page and on a terminal.
 */

#include "base/macro.h"

#define HUMAN_SIZE 32

/** "1,234,567" */
void human_count(uint64_t n, char ret[static HUMAN_SIZE]);

/** "512 B", "12.3 MiB" */
void human_bytes(uint64_t n, char ret[static HUMAN_SIZE]);

/** Three digits or the two largest units: "0.25 ms", "12 ms", "1.50 s", "4m 5s", "2d 3h". */
void human_span(uint64_t usec, char ret[static HUMAN_SIZE]);

/** Thousandths: "0.25", "12.5", "1,234". */
void human_milli(uint64_t thousandths, char ret[static HUMAN_SIZE]);

/** part of whole: "0 %", "0.02 %", "12.5 %"; of nothing 0. */
void human_percent(uint64_t part, uint64_t whole, char ret[static HUMAN_SIZE]);
