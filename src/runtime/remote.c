#include "runtime/remote.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#define PAGE_BYTES   4096
#define PAGES        256
#define AHEAD        16                  /* pages of one call */
#define ADDRESS_LAST (UINT64_C(1) << 56) /* beyond it is the kernel, on every architecture */

typedef struct Page {
    uint64_t base; /* 0: empty, no process has anything there */
    bool missing;
} Page;

struct Remote {
    pid_t pid;
    uint64_t last; /* page that was read last */
    unsigned n_calls;
    Page pages[PAGES];
    char bytes[PAGES][PAGE_BYTES];
};

static int result(ssize_t done, size_t n)
{
    if (done < 0)
        return -errno;
    return (size_t)done == n ? 0 : -EFAULT;
}

int remote_copy(pid_t pid, const volatile void *address, void *to, size_t n)
{
    struct iovec here = {.iov_base = to, .iov_len = n};
    struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = n};

    return result(process_vm_readv(pid, &here, 1, &there, 1, 0), n);
}

int remote_store(pid_t pid, volatile void *address, const void *from, size_t n)
{
    struct iovec here = {.iov_base = (void *)(uintptr_t)from, .iov_len = n};
    struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = n};

    return result(process_vm_writev(pid, &here, 1, &there, 1, 0), n);
}

Remote *remote_new(pid_t pid)
{
    /* Untouched pages cost nothing, and nothing of it stays for the workers to inherit. */
    Remote *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (r == MAP_FAILED)
        return NULL;
    r->pid = pid;
    return r;
}

Remote *remote_free(Remote *r)
{
    if (r)
        munmap(r, sizeof(*r));
    return NULL;
}

void remote_forget(Remote *r)
{
    memset(r->pages, 0, sizeof(r->pages));
    r->last = 0;
}

unsigned remote_calls(const Remote *r)
{
    return r->n_calls;
}

static size_t index_of(uint64_t base)
{
    return base / PAGE_BYTES % PAGES;
}

/* Stacks are read downwards: who asks for a page a little below the last one will ask for the next
 * ones too. The kernel stops at the first page that is not there. */
static void look(Remote *r, uint64_t base)
{
    struct iovec here[AHEAD] = {0}, there[AHEAD] = {0};
    size_t n = r->last > base && r->last - base <= AHEAD * PAGE_BYTES ? AHEAD : 1;
    ssize_t done;

    n = MIN(n, (size_t)(base / PAGE_BYTES));
    for (size_t i = 0; i < n; i++) {
        uint64_t address = base - i * PAGE_BYTES;

        here[i] = (struct iovec){r->bytes[index_of(address)], PAGE_BYTES};
        there[i] = (struct iovec){(void *)(uintptr_t)address, PAGE_BYTES};
        r->pages[index_of(address)].base = 0;
    }
    r->n_calls++;
    done = process_vm_readv(r->pid, here, n, there, n, 0);
    r->pages[index_of(base)] = (Page){.base = base, .missing = done < PAGE_BYTES};
    for (size_t i = 1; i < n && done >= (ssize_t)((i + 1) * PAGE_BYTES); i++) {
        uint64_t address = base - i * PAGE_BYTES;

        r->pages[index_of(address)] = (Page){.base = address};
    }
    r->last = base - (n - 1) * PAGE_BYTES;
}

bool remote_read(Remote *r, uint64_t address, void *to, size_t n)
{
    char *p = to;

    if (address >= ADDRESS_LAST || n > ADDRESS_LAST - address)
        return false;
    while (n > 0) {
        uint64_t base = address / PAGE_BYTES * PAGE_BYTES;
        size_t offset = address % PAGE_BYTES, part = MIN(n, PAGE_BYTES - offset);
        const Page *page = &r->pages[index_of(base)];

        if (base == 0)
            return false;
        if (page->base != base)
            look(r, base);
        if (page->missing)
            return false;
        memcpy(p, r->bytes[index_of(base)] + offset, part);
        p += part;
        address += part;
        n -= part;
    }
    return true;
}
