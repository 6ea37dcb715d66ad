#include "status/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Without these seals the pages could change, or go away, while they are read. */
#define NEEDED_SEALS   (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

#define HAS_END(field) (memchr(field, 0, sizeof(field)) != NULL)

static bool texts_end(const StatusPool *pool, const StatusWorker *workers)
{
    if (!HAS_END(pool->name) || !HAS_END(pool->runtime) || !HAS_END(pool->runtime_version) ||
        !HAS_END(pool->state) || !HAS_END(pool->status_text))
        return false;
    for (size_t i = 0; i < pool->n_workers; i++) {
        const BoardSlot *slot = &workers[i].board;

        if (!HAS_END(slot->method) || !HAS_END(slot->uri) || !HAS_END(slot->script) ||
            !HAS_END(slot->user) || !HAS_END(slot->name) || !HAS_END(slot->query))
            return false;
    }
    return true;
}

/* size: of the whole file, at least that of a StatusPool. */
static bool is_ours(const StatusPool *pool, size_t size)
{
    size_t rest = size - sizeof(*pool);

    return pool->version == STATUS_VERSION && pool->size == sizeof(*pool) &&
           pool->worker_size == sizeof(StatusWorker) && rest % sizeof(StatusWorker) == 0 &&
           rest / sizeof(StatusWorker) == pool->n_workers;
}

int status_open(int fd, const StatusPool **ret_pool, const StatusWorker **ret_workers,
                size_t *ret_size)
{
    const StatusWorker *workers;
    struct stat st;
    size_t size;
    void *p;
    int seals;

    seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return errno == EINVAL ? -EBADMSG : -errno;
    if ((seals & NEEDED_SEALS) != NEEDED_SEALS)
        return -EBADMSG;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size < (off_t)sizeof(StatusPool))
        return -EBADMSG;
    size = (size_t)st.st_size;
    p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    workers = (const StatusWorker *)((const StatusPool *)p + 1);
    if (!is_ours(p, size) || !texts_end(p, workers)) {
        munmap(p, size);
        return -EBADMSG;
    }
    *ret_pool = p;
    *ret_workers = workers;
    *ret_size = size;
    return 0;
}
