#pragma once

/** Between two requests, when nothing is in PHP's heap: what requests have touched of it goes back
 * to the kernel. The next one gets it anew, as zeros. */
void heap_release(void);
