#include "runtime/php/peek.h"

#include "base/clock.h"
#include "runtime/php/frames.h"
#include "runtime/remote.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <php.h>
#include <zend_generators.h>

#define TRIES     3
#define COST_USEC 4000 /* of one reading: workers are not forked meanwhile */

typedef struct Reading {
    Remote *remote;
    uint64_t begun_usec;
} Reading;

static bool read_remote(void *context, uint64_t address, void *to, size_t n)
{
    const Reading *r = context;

    return remote_read(r->remote, address, to, n);
}

static bool is_over(void *context)
{
    const Reading *r = context;

    return clock_usec(CLOCK_THREAD_CPUTIME_ID) - r->begun_usec >= COST_USEC;
}

void *peek_flag(void)
{
    return &EG(vm_interrupt);
}

/* As the worker is now. 0; -ESRCH; -EIO. */
static int read_once(Remote *remote, uint32_t depth, FrameText *text)
{
    Reading reading = {.remote = remote, .begun_usec = clock_usec(CLOCK_THREAD_CPUTIME_ID)};
    FrameMemory memory = {.read = read_remote, .is_over = is_over, .context = &reading};
    FrameRoots roots = {.generator_class = (uintptr_t)zend_ce_generator};

    remote_forget(remote);
    if (!remote_read(remote, (uintptr_t)&EG(current_execute_data), &roots.current,
                     sizeof(roots.current)) ||
        !remote_read(remote, (uintptr_t)&EG(opline_before_exception), &roots.before_exception,
                     sizeof(roots.before_exception)))
        return -EIO;
    return frames_write(&memory, &roots, depth, text);
}

/* One of them may have been cut for its time: at its outer end. */
static bool is_same(const FrameText *a, const FrameText *b)
{
    return memcmp(a->text, b->text, MIN(a->used, b->used)) == 0 &&
           (a->used == b->used || a->more > 0 || b->more > 0);
}

/* Reads until two readings in a row say the same: nothing has moved in between. */
static int read_stable(Remote *remote, uint32_t depth, FrameText *text, FrameText *other)
{
    int before = read_once(remote, depth, other);

    for (int i = 0; i < TRIES; i++) {
        int r = read_once(remote, depth, text);

        if (r == before && (r < 0 || is_same(text, other)))
            return r;
        before = r;
        memcpy(other->text, text->text, text->used);
        other->used = text->used;
        other->more = text->more;
    }
    return -EAGAIN;
}

int peek(pid_t pid, TraceArea *area, char *text)
{
    _cleanup_(remote_freep) Remote *remote = remote_new(pid);
    FrameText first = {.text = text, .size = TRACE_TEXT_SIZE}, second = {.size = TRACE_TEXT_SIZE};
    int r;

    if (!remote)
        return -ENOMEM;
    second.text =
        mmap(NULL, TRACE_TEXT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (second.text == MAP_FAILED)
        return -ENOMEM;
    r = read_stable(remote, area->depth, &first, &second);
    munmap(second.text, TRACE_TEXT_SIZE);
    if (r < 0)
        return r;
    area->n_frames = first.n_frames;
    area->more = first.more;
    area->size = (uint32_t)first.used;
    return 0;
}
