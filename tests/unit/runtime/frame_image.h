#pragma once

/*
 * Memory of a PHP that never ran: functions, classes and frames at addresses that only the image
 * knows. For tests of runtime/php/frames.h.
 */

#include "base/clock.h"
#include "runtime/php/frames.h"

#include <string.h>

#include <php.h>
#include <zend_generators.h>

#define IMAGE_BASE UINT64_C(0x7f0000100000)
#define IMAGE_SIZE (512 * 1024)

typedef struct Image {
    _Alignas(16) uint8_t bytes[IMAGE_SIZE];
    size_t used;
    FrameRoots roots;
    unsigned n_reads;
} Image;

static inline void *image_at(Image *i, uint64_t address)
{
    return i->bytes + (address - IMAGE_BASE);
}

static inline uint64_t image_add(Image *i, const void *data, size_t n)
{
    uint64_t address = IMAGE_BASE + i->used;

    memcpy(i->bytes + i->used, data, n);
    i->used += (n + 15) / 16 * 16;
    return address;
}

static inline void *image_pointer(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

static inline uint64_t image_string_n(Image *i, const char *text, size_t n)
{
    uint64_t address = IMAGE_BASE + i->used;
    zend_string *s = image_at(i, address);

    s->len = n;
    memcpy(s->val, text, n);
    i->used += (offsetof(zend_string, val) + n + 16) / 16 * 16;
    return address;
}

static inline uint64_t image_string(Image *i, const char *text)
{
    return text ? image_string_n(i, text, strlen(text)) : 0;
}

static inline uint64_t image_class(Image *i, const char *name)
{
    zend_class_entry c = {0};

    c.name = image_pointer(image_string(i, name));
    return image_add(i, &c, sizeof(c));
}

/* file NULL: an internal one. Its instructions have the lines 1, 2, 3, …; the third is an include,
 * the others are calls. */
#define IMAGE_OPS 8
static inline uint64_t image_function(Image *i, const char *name, uint64_t class_address,
                                      const char *file)
{
    zend_op ops[IMAGE_OPS] = {0};
    zend_op_array f = {0};
    zend_internal_function internal = {0};

    f.type = file ? ZEND_USER_FUNCTION : ZEND_INTERNAL_FUNCTION;
    f.function_name = image_pointer(image_string(i, name));
    f.scope = image_pointer(class_address);
    if (!file) {
        memcpy(&internal, &f, offsetof(zend_op_array, cache_size));
        return image_add(i, &internal, sizeof(internal));
    }
    for (unsigned k = 0; k < IMAGE_OPS; k++) {
        ops[k].lineno = k + 1;
        ops[k].opcode = k == 2 ? ZEND_INCLUDE_OR_EVAL : ZEND_DO_FCALL;
    }
    f.opcodes = image_pointer(image_add(i, ops, sizeof(ops)));
    f.last = IMAGE_OPS;
    f.filename = image_pointer(image_string(i, file));
    f.line_end = 99;
    return image_add(i, &f, sizeof(f));
}

/* line 0: its instruction pointer is NULL. */
static inline uint64_t image_frame(Image *i, uint64_t function, unsigned line, bool has_this,
                                   uint64_t prev)
{
    zend_execute_data f = {0};

    f.func = image_pointer(function);
    f.prev_execute_data = image_pointer(prev);
    if (line > 0)
        f.opline =
            image_pointer((uint64_t)(uintptr_t)((zend_op_array *)image_at(i, function))->opcodes +
                          (line - 1) * sizeof(zend_op));
    Z_TYPE_INFO(f.This) = has_this ? IS_OBJECT : IS_UNDEF;
    return image_add(i, &f, sizeof(f));
}

static inline bool image_read(void *context, uint64_t address, void *to, size_t n)
{
    Image *i = context;

    i->n_reads++;
    if (address < IMAGE_BASE || address - IMAGE_BASE > i->used ||
        n > i->used - (address - IMAGE_BASE))
        return false;
    memcpy(to, i->bytes + (address - IMAGE_BASE), n);
    return true;
}

static inline bool image_is_over(void *context)
{
    return false;
}

static inline FrameMemory image_memory(Image *i)
{
    return (FrameMemory){.read = image_read, .is_over = image_is_over, .context = i};
}
