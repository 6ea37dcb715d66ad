#include "runtime/php/heap.h"

#include "base/macro.h"

#include <sys/mman.h>

#include <php.h>
#include <zend_alloc_sizes.h>

/*
 * PHP's heap consists of chunks of 2 MB, each at a multiple of that. After a request it keeps as
 * many as requests needed on average. The first page of a chunk says what of it is in use; that of
 * the first chunk holds the heap's own figures as well, among them a pointer to that chunk and next
 * to it the list of those that are kept. Their pages are zero but for the second word, the next of
 * the list.
 */
#define CHUNK       ((uintptr_t)ZEND_MM_CHUNK_SIZE)
#define HEAD        ((uintptr_t)ZEND_MM_FIRST_PAGE * ZEND_MM_PAGE_SIZE)

#define WORDS(size) ((size) / sizeof(uintptr_t))
#define NEXT        1

static void release(uintptr_t chunk)
{
    (void)madvise((void *)(chunk + HEAD), CHUNK - HEAD, MADV_DONTNEED);
}

/* The list of PHP's own, or 0. */
static uintptr_t find_kept(uintptr_t first, const zend_mm_heap *heap)
{
    const uintptr_t *words = (const uintptr_t *)heap;
    size_t n = WORDS(first + HEAD - (uintptr_t)heap);

    for (size_t i = 0; i + 1 < n; i++)
        if (words[i] == first)
            return words[i + 1];
    return 0;
}

/* Whether it may be read, and looks as it should. */
static bool is_kept_chunk(uintptr_t address)
{
    const uintptr_t *words = (const uintptr_t *)address;
    unsigned char resident[HEAD / ZEND_MM_PAGE_SIZE];

    if (address == 0 || address % CHUNK != 0 || mincore((void *)address, HEAD, resident) < 0)
        return false;
    for (size_t i = 0; i < WORDS(HEAD); i++)
        if (i != NEXT && words[i] != 0)
            return false;
    return true;
}

void heap_release(void)
{
    zend_mm_heap *heap = zend_mm_get_heap();
    uintptr_t first = (uintptr_t)heap & ~(CHUNK - 1), at;
    size_t n = zend_memory_usage(true) / CHUNK;

    /* USE_ZEND_ALLOC=0, heaps of extensions, and a request that is not over. */
    if (zend_mm_is_custom_heap(heap) || (uintptr_t)heap - first >= HEAD ||
        *(zend_mm_heap *const *)first != heap || zend_memory_usage(false) > 0)
        return;
    release(first);
    at = find_kept(first, heap);
    for (; n > 1 && is_kept_chunk(at); n--) {
        release(at);
        at = ((const uintptr_t *)at)[NEXT];
    }
}
