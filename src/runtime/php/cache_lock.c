#include "runtime/php/cache_lock.h"

#include "runtime/php/redirect.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/mman.h>

/* Of OPcache: the byte that users of its memory lock. The bytes beside it are for other locks. */
#define USE_BYTE 1
/* Ours: a byte for the life of each worker. With more workers than marks, those without one lock as
 * ever. */
#define LIFE_BYTES 4096
#define MARKS      1024

typedef struct Mark {
    _Alignas(64) bool used; /* in a line of the processor's cache of its own */
    bool taken;             /* by a worker that lived at some time */
} Mark;

/* The two names that libc has for one call where off_t has 64 bit. */
static const char *const names[] = {"fcntl", "fcntl64", NULL};

static struct {
    int fd;      /* -1: not ours to look at */
    Mark *marks; /* of the workers of this generation; NULL: each has memory of its own */
    Mark *own;   /* of this worker, or NULL: its locks are the kernel's */
    bool others; /* it holds other locks of the kernel on that file, or may */
} self = {.fd = -1};

static Mark alone;

static int lock(int command, short type, off_t start, off_t size, struct flock *ret)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = size};
    int r = fcntl(self.fd, command, &l);

    if (ret)
        *ret = l;
    return r;
}

static bool is_of_byte(const struct flock *l, off_t start)
{
    return l->l_whence == SEEK_SET && l->l_start == start && l->l_len == 1;
}

/* What unlocks everything must leave the lock of our life alone. */
static int unlock_all(void)
{
    int r = 0;

    __atomic_store_n(&self.own->used, false, __ATOMIC_RELEASE);
    if (self.others)
        r = lock(F_SETLK, F_UNLCK, 0, LIFE_BYTES, NULL);
    if (r == 0)
        self.others = false;
    return r;
}

/* Somebody else who uses the memory, as F_GETLK says it. */
static int find_user(struct flock *l)
{
    int r;

    /* What its caller has written before is there for whoever sets a mark after this. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    r = fcntl(self.fd, F_GETLK, l);
    if (r < 0 || l->l_type != F_UNLCK)
        return r;
    for (size_t i = 0; i < MARKS; i++) {
        struct flock life;

        if (&self.marks[i] == self.own || !__atomic_load_n(&self.marks[i].used, __ATOMIC_ACQUIRE))
            continue;
        /* A worker that has died holds no lock, and its mark is nobody's. */
        if (lock(F_GETLK, F_WRLCK, LIFE_BYTES + (off_t)i, 1, &life) < 0)
            return -1;
        if (life.l_type == F_UNLCK)
            continue;
        *l = (struct flock){.l_type = F_RDLCK,
                            .l_whence = SEEK_SET,
                            .l_start = USE_BYTE,
                            .l_len = 1,
                            .l_pid = life.l_pid};
        return 0;
    }
    return 0;
}

/* 1: it is not for us. */
static int answer(int command, struct flock *l)
{
    if (command == F_GETLK)
        return self.marks && l->l_type == F_WRLCK && is_of_byte(l, USE_BYTE) ? find_user(l) : 1;
    if (command != F_SETLK && command != F_SETLKW)
        return 1;
    if (l->l_type == F_RDLCK && is_of_byte(l, USE_BYTE)) {
        /* As with the lock, nothing of the memory is read before others can see this. */
        __atomic_store_n(&self.own->used, true, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return 0;
    }
    if (l->l_type != F_UNLCK) {
        self.others = true;
        return 1;
    }
    if (l->l_whence == SEEK_SET && l->l_start == 0 && l->l_len == 0)
        return unlock_all();
    if (is_of_byte(l, USE_BYTE))
        __atomic_store_n(&self.own->used, false, __ATOMIC_RELEASE);
    return 1;
}

int cache_lock_fcntl(int fd, int command, ...)
{
    va_list args;
    void *argument;
    int r = 1;

    va_start(args, command);
    argument = va_arg(args, void *);
    va_end(args);
    if (fd == self.fd && (self.own || command == F_GETLK))
        r = answer(command, argument);
    return r <= 0 ? r : fcntl(fd, command, argument);
}

/* The lock of the worker's life is not its child's: the child asks the kernel. */
static void on_fork_child(void)
{
    self.own = NULL;
}

int cache_lock_init(int fd, uintptr_t code, bool shared)
{
    void *marks = NULL;
    int r;

    /* Elsewhere the two names have two forms of what they are asked. */
    if (sizeof(off_t) != sizeof(long))
        return 0;
    if (shared)
        marks = mmap(NULL, MARKS * sizeof(Mark), PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_SHARED,
                     -1, 0);
    if (marks == MAP_FAILED)
        return -errno;
    r = -pthread_atfork(NULL, NULL, on_fork_child);
    if (r == 0)
        r = redirect_calls(code, names, (uintptr_t)cache_lock_fcntl);
    if (r <= 0) {
        if (marks)
            munmap(marks, MARKS * sizeof(Mark));
        return r;
    }
    self.marks = marks;
    self.fd = fd;
    return 0;
}

/* The kernel gives it to one worker only. */
static bool take(size_t i)
{
    if (lock(F_SETLK, F_WRLCK, LIFE_BYTES + (off_t)i, 1, NULL) < 0)
        return false;
    self.own = &self.marks[i];
    self.own->taken = true;
    self.own->used = false;
    return true;
}

void cache_lock_worker_start(void)
{
    if (self.fd < 0)
        return;
    self.others = false;
    if (!self.marks) {
        self.own = &alone;
        return;
    }
    for (size_t i = 0; i < MARKS; i++)
        if (!self.marks[i].taken && take(i))
            return;
    for (size_t i = 0; i < MARKS; i++)
        if (take(i)) /* of one that has died */
            return;
}
