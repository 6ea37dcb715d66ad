#pragma once

/*
 * Memory that a process at rest does not need goes back to the kernel. What is asked for again
 * comes back: code from the page cache, heap and stack as zeros. For processes of one thread.
 */

/** For trim_code(), since later nothing may be opened: a descriptor that the caller closes, or
 * -errno. */
int trim_open(void);

/** Code and constants of the program and its libraries, of which a start needs far more than what
 * comes after it. What was changed in memory stays: only pages that are as in their files go. */
void trim_code(int fd);

/** What free(3) has left. */
void trim_heap(void);

/** What deep calls have left below the caller. */
void trim_stack(void);
