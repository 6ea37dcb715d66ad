#include "runtime/php/unshare.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of one memory: OPcache's has two parts, data and the code of the JIT compiler. */
#define PARTS_MAX 64

typedef struct Part {
    uintptr_t start, end;
    int protection;
    char memory[48]; /* device and inode: one for each piece of shared memory */
    bool swapped;    /* some of it is not in memory, and mincore(2) would not tell */
    bool chosen;
} Part;

typedef struct Parts {
    Part items[PARTS_MAX];
    size_t n;
} Parts;

static int parse_protection(const char *text)
{
    return (text[0] == 'r' ? PROT_READ : 0) | (text[1] == 'w' ? PROT_WRITE : 0) |
           (text[2] == 'x' ? PROT_EXEC : 0);
}

/* A line of smaps that begins a mapping. True: it is one, of whatever kind. */
static bool parse_mapping(const char *line, Part *ret, bool *ret_shared)
{
    char rights[5], device[16];
    uint64_t inode;

    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %15s %" SCNu64, &ret->start, &ret->end,
               rights, device, &inode) != 5)
        return false;
    ret->protection = parse_protection(rights);
    ret->swapped = ret->chosen = false;
    *ret_shared = rights[3] == 's';
    snprintf(ret->memory, sizeof(ret->memory), "%s %" PRIu64, device, inode);
    return true;
}

/* The shared mappings of this process. 0 or -errno. */
static int read_parts(Parts *ret)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    _cleanup_free_ char *line = NULL;
    size_t size = 0;
    bool shared = false;
    uint64_t kb;
    int r = 0;

    if (!file)
        return -errno;
    ret->n = 0;
    while (r == 0 && getline(&line, &size, file) > 0) {
        Part part;

        if (parse_mapping(line, &part, &shared)) {
            if (shared && ret->n == PARTS_MAX)
                r = -E2BIG;
            else if (shared)
                ret->items[ret->n++] = part;
        } else if (shared && sscanf(line, "Swap: %" SCNu64, &kb) == 1 && kb > 0)
            ret->items[ret->n - 1].swapped = true;
    }
    if (r == 0 && ferror(file))
        r = -EIO;
    fclose(file);
    return r;
}

static void choose(Parts *parts, const uintptr_t *words, size_t n)
{
    for (size_t i = 0; i < parts->n; i++) {
        Part *part = &parts->items[i];

        for (size_t k = 0; k < n && !part->chosen; k++)
            part->chosen = words[k] >= part->start && words[k] < part->end;
    }
    for (size_t i = 0; i < parts->n; i++)
        for (size_t k = 0; k < parts->n; k++)
            if (parts->items[k].chosen &&
                strcmp(parts->items[i].memory, parts->items[k].memory) == 0)
                parts->items[i].chosen = true;
}

/* Copies what was ever touched: what was not reads as zeros in both. */
static int copy(const Part *part, char *to)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = part->end - part->start;
    const char *from = (const char *)part->start;
    _cleanup_free_ unsigned char *resident = malloc(size / page);

    if (!resident)
        return -ENOMEM;
    if (part->swapped)
        memset(resident, 1, size / page);
    else if (mincore((void *)part->start, size, resident) < 0)
        return -errno;
    for (size_t i = 0; i < size / page; i++)
        if (resident[i] & 1)
            memcpy(to + i * page, from + i * page, page);
    return 0;
}

static int replace(const Part *part)
{
    size_t size = part->end - part->start;
    char *own;
    int r;

    if (!(part->protection & PROT_READ) &&
        mprotect((void *)part->start, size, part->protection | PROT_READ) < 0)
        return -errno;
    own = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
               0);
    if (own == MAP_FAILED)
        return -errno;
    /* As shared memory has it: processes would hold megabytes for each page that they touch.
     * Kernels without huge pages refuse that. */
    (void)madvise(own, size, MADV_NOHUGEPAGE);
    r = copy(part, own);
    if (r == 0 &&
        (mprotect(own, size, part->protection) < 0 ||
         mremap(own, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)part->start) == MAP_FAILED))
        r = -errno;
    if (r < 0)
        munmap(own, size);
    return r;
}

int64_t unshare_memory(const uintptr_t *words, size_t n)
{
    _cleanup_free_ Parts *parts = malloc(sizeof(*parts));
    int64_t total = 0;
    int r;

    if (!parts)
        return -ENOMEM;
    r = read_parts(parts);
    if (r < 0)
        return r;
    choose(parts, words, n);
    for (size_t i = 0; i < parts->n; i++) {
        const Part *part = &parts->items[i];

        if (!part->chosen)
            continue;
        r = replace(part);
        if (r < 0)
            return r;
        total += (int64_t)(part->end - part->start);
    }
    return total;
}
