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
        !HAS_END(pool->state) || !HAS_END(pool->status_text) || !HAS_END(pool->sandbox) ||
        !HAS_END(pool->request_user))
        return false;
    for (size_t i = 0; i < pool->n_workers; i++) {
        const BoardSlot *slot = &workers[i].board;

        if (!HAS_END(slot->method) || !HAS_END(slot->uri) || !HAS_END(slot->script) ||
            !HAS_END(slot->user) || !HAS_END(slot->name) || !HAS_END(slot->query) ||
            !HAS_END(slot->request_id))
            return false;
    }
    return true;
}

/* size: of the whole file, at least that of the head. The pool's name is the first field that a
 * build may lack. The bound of worker_size is one of the copy, too. */
static bool is_sound(const StatusPool *pool, size_t size)
{
    size_t rest;

    if (pool->version != STATUS_VERSION || pool->size < offsetof(StatusPool, name) ||
        pool->size > size || pool->worker_size < sizeof(StatusWorker) / 2)
        return false;
    rest = size - pool->size;
    return rest % pool->worker_size == 0 && rest / pool->worker_size == pool->n_workers;
}

/* A copy in our layout. The mapping to read from, and its size, are replaced. 0 or -errno. */
static int convert(void **map, size_t *map_size)
{
    const StatusPool *from = *map;
    const char *worker = (const char *)from + from->size;
    size_t size = sizeof(StatusPool) + from->n_workers * sizeof(StatusWorker);
    StatusPool *pool = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    StatusWorker *workers = (StatusWorker *)(pool + 1);

    if (pool == MAP_FAILED)
        return -errno;
    memcpy(pool, from, MIN(from->size, sizeof(StatusPool)));
    pool->size = sizeof(StatusPool);
    pool->worker_size = sizeof(StatusWorker);
    for (size_t i = 0; i < from->n_workers; i++, worker += from->worker_size)
        memcpy(&workers[i], worker, MIN(from->worker_size, sizeof(StatusWorker)));
    munmap(*map, *map_size);
    *map = pool;
    *map_size = size;
    return 0;
}

static bool is_of_this_build(const StatusPool *pool)
{
    return pool->size == sizeof(StatusPool) && pool->worker_size == sizeof(StatusWorker);
}

int status_open(int fd, const StatusPool **ret_pool, const StatusWorker **ret_workers,
                size_t *ret_size)
{
    const StatusWorker *workers;
    struct stat st;
    size_t size;
    void *p;
    int seals, r;

    seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return errno == EINVAL ? -EBADMSG : -errno;
    if ((seals & NEEDED_SEALS) != NEEDED_SEALS)
        return -EBADMSG;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size < (off_t)offsetof(StatusPool, name))
        return -EBADMSG;
    size = (size_t)st.st_size;
    p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    r = is_sound(p, size) ? 0 : -EBADMSG;
    if (r == 0 && !is_of_this_build(p))
        r = convert(&p, &size);
    workers = (const StatusWorker *)((const StatusPool *)p + 1);
    if (r == 0 && !texts_end(p, workers))
        r = -EBADMSG;
    if (r < 0) {
        munmap(p, size);
        return r;
    }
    *ret_pool = p;
    *ret_workers = workers;
    *ret_size = size;
    return 0;
}
