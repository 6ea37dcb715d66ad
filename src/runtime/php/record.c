#include "runtime/php/record.h"

#include "base/clock.h"
#include "runtime/php/frames.h"
#include "runtime/trace.h"

#include <string.h>

#include <php.h>
#include <zend_generators.h>

/* Between two instructions PHP's own structures are whole: their pointers are good, or PHP would
 * follow the same ones a moment later. */
static bool read_own(void *context, uint64_t address, void *to, size_t n)
{
    if (address < 65536)
        return false;
    memcpy(to, (const void *)(uintptr_t)address, n);
    return true;
}

/* Of the processor, not of the clock on the wall: others may run in between. */
static uint64_t cpu_usec(void)
{
    return clock_usec(CLOCK_THREAD_CPUTIME_ID);
}

static bool is_over(void *context)
{
    const uint64_t *begun_usec = context;

    return cpu_usec() - *begun_usec >= TRACE_COST_USEC;
}

void record_if_wanted(void)
{
    uint64_t begun_usec;
    FrameMemory memory = {.read = read_own, .is_over = is_over, .context = &begun_usec};
    FrameRoots roots;
    FrameText text = {.size = TRACE_TEXT_SIZE};
    TraceArea *area;
    int r;

    if (!trace_is_wanted())
        return;
    begun_usec = cpu_usec();
    area = trace_begin(&text.text);
    if (!area)
        return;
    roots = (FrameRoots){
        .current = (uintptr_t)EG(current_execute_data),
        .before_exception = (uintptr_t)EG(opline_before_exception),
        .generator_class = (uintptr_t)zend_ce_generator,
    };
    r = frames_write(&memory, &roots, area->depth, &text);
    area->n_frames = text.n_frames;
    area->more = text.more;
    area->size = (uint32_t)text.used;
    area->cost_usec = cpu_usec() - begun_usec;
    trace_commit(area, r);
}
