#include "base/trim.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Entries of /proc/self/pagemap, see the kernel's Documentation/admin-guide/mm/pagemap.rst. */
#define PAGE_PRESENT (UINT64_C(1) << 63)
#define PAGE_SWAPPED (UINT64_C(1) << 62)
#define PAGE_OF_FILE (UINT64_C(1) << 61)

/* Less than the gap that the kernel keeps free below a stack (256 pages): what does not belong to
 * it is never reached. */
#define STACK_STEP (256 * 1024)
/* Calls that may run below, and the red zone of the x86-64 ABI. */
#define STACK_KEPT 16384

int trim_open(void)
{
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* Breakpoints, loaders that decrypt code, live patches: such pages exist in memory alone. */
static bool is_as_in_file(int fd, uintptr_t start, uintptr_t end, size_t page)
{
    uint64_t entries[512];

    while (start < end) {
        size_t n = MIN((end - start) / page, ARRAY_SIZE(entries));
        ssize_t got =
            pread(fd, entries, n * sizeof(entries[0]), (off_t)(start / page * sizeof(entries[0])));

        if (got != (ssize_t)(n * sizeof(entries[0])))
            return false;
        for (size_t i = 0; i < n; i++)
            if (entries[i] & (PAGE_PRESENT | PAGE_SWAPPED) && !(entries[i] & PAGE_OF_FILE))
                return false;
        start += n * page;
    }
    return true;
}

static int trim_object(struct dl_phdr_info *object, size_t size, void *data)
{
    const int *fd = data;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + part->p_vaddr, end = start + part->p_memsz;

        if (part->p_type != PT_LOAD || part->p_flags & PF_W)
            continue;
        start &= ~(page - 1);
        end = (end + page - 1) & ~(page - 1);
        if (is_as_in_file(*fd, start, end, page))
            (void)madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void trim_code(int fd)
{
    if (fd >= 0)
        dl_iterate_phdr(trim_object, &fd);
}

void trim_heap(void)
{
    malloc_trim(0);
}

void trim_stack(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t end = ((uintptr_t)__builtin_frame_address(0) - STACK_KEPT) & ~(page - 1);

    /* ENOMEM: the stack begins within this step. */
    do
        end -= STACK_STEP;
    while (madvise((void *)end, STACK_STEP, MADV_DONTNEED) == 0);
}
