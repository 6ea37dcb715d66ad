#include "runtime/php/frames.h"

#include "runtime/php/frames_line.h"

#include <errno.h>
#include <string.h>

#include <php.h>
#include <zend_generators.h>

#define GENERATORS_MAX  256 /* of one chain of "yield from" */
#define WALK_MAX        100000
#define FRAMES_PER_LOOK 32 /* between two looks at the time */

/* The part of a function that is read: internal ones have no more than the first. */
#define COMMON_BYTES (offsetof(zend_op_array, scope) + sizeof(void *))
#define CODE_BYTES   (offsetof(zend_op_array, line_end) + sizeof(uint32_t))

typedef struct Frame {
    uint64_t address;
    zend_execute_data data;
    zend_op_array function; /* the first CODE_BYTES, of internal ones the first COMMON_BYTES */
} Frame;

typedef struct Walk {
    const FrameMemory *memory;
    const FrameRoots *roots;
    uint32_t depth;
    FrameText *text;
    uint32_t n_walked;
    bool full;
    /* Generators that wait for another one, outermost first; the frames behind them follow from the
     * place-holder. */
    uint64_t generators[GENERATORS_MAX];
    size_t n_generators;
    uint64_t behind;
} Walk;

static uint64_t address_of(const volatile void *p)
{
    return (uint64_t)(uintptr_t)p;
}

static bool get(const Walk *w, uint64_t address, void *to, size_t n)
{
    return w->memory->read(w->memory->context, address, to, n);
}

/* ---- frames ---- */

static bool is_user(const Frame *f)
{
    return f->data.func && ZEND_USER_CODE(f->function.type);
}

static bool has_name(const Frame *f)
{
    return f->data.func && f->function.function_name;
}

/* known: a frame whose function is read already, in a recursion it is the same one; may be ret. */
static bool load(const Walk *w, uint64_t address, const Frame *known, Frame *ret)
{
    const zend_function *known_function = known ? known->data.func : NULL;
    uint64_t function;

    ret->address = address;
    if (address % _Alignof(zend_execute_data) != 0 ||
        !get(w, address, &ret->data, sizeof(ret->data)))
        return false;
    function = address_of(ret->data.func);
    if (!function)
        return true;
    if (ret->data.func == known_function) {
        if (ret != known)
            memcpy(&ret->function, &known->function, CODE_BYTES);
        return true;
    }
    if (!get(w, function, &ret->function, COMMON_BYTES))
        return false;
    return !ZEND_USER_CODE(ret->function.type) ||
           get(w, function + COMMON_BYTES, (char *)&ret->function + COMMON_BYTES,
               CODE_BYTES - COMMON_BYTES);
}

/*
 * A generator that delegates ("yield from") has a place-holder in the chain: in its place belong
 * all generators between it and the one that runs, which comes before it.
 */
static bool expand_generator(Walk *w, const Frame *f)
{
    zend_object object;
    zend_generator generator;
    uint64_t address = address_of(Z_OBJ(f->data.This));

    if (!get(w, address, &object, sizeof(object)) ||
        address_of(object.ce) != w->roots->generator_class)
        return true; /* another frame without a function: PHP's own calls */
    w->behind = address_of(f->data.prev_execute_data);
    while (w->n_generators < GENERATORS_MAX) {
        if (!get(w, address, &generator, sizeof(generator)))
            return false;
        if (!generator.node.parent)
            break; /* the one that runs */
        w->generators[w->n_generators++] = address_of(generator.execute_data);
        address = address_of(generator.node.parent);
    }
    w->n_walked += (uint32_t)w->n_generators;
    return true;
}

static uint64_t next_address(Walk *w, const Frame *f)
{
    uint64_t address = w->behind;

    if (w->n_generators > 0)
        return w->generators[--w->n_generators];
    if (address) {
        w->behind = 0;
        return address;
    }
    return address_of(f->data.prev_execute_data);
}

/* The frame behind f, which may be ret. 1; 0: there is none; -EIO; -ETIME: that is enough. */
static int next(Walk *w, const Frame *f, Frame *ret)
{
    for (;;) {
        uint64_t address = next_address(w, f);

        if (!address)
            return 0;
        if (++w->n_walked > WALK_MAX ||
            (w->n_walked % FRAMES_PER_LOOK == 0 && w->memory->is_over(w->memory->context)))
            return -ETIME;
        if (!load(w, address, f, ret))
            return -EIO;
        if (ret->data.func || Z_TYPE(ret->data.This) != IS_OBJECT || w->n_generators > 0)
            return 1;
        if (!expand_generator(w, ret))
            return -EIO;
        if (w->n_generators == 0)
            return 1;
        f = ret;
    }
}

/* ---- places ---- */

static bool get_instruction(const Walk *w, const Frame *f, zend_op *ret)
{
    uint64_t address = address_of(f->data.opline);

    if (!get(w, address, ret, sizeof(*ret)))
        return false;
    return ret->opcode != ZEND_HANDLE_EXCEPTION ||
           get(w, w->roots->before_exception, ret, sizeof(*ret));
}

/* Where a running function reads and writes its instruction pointer only now and then, the value in
 * memory may be none. */
static bool is_in_code(const Frame *f)
{
    uint64_t at = address_of(f->data.opline), begin = address_of(f->function.opcodes);

    return at >= begin && (at - begin) / sizeof(zend_op) < f->function.last;
}

static bool is_call(uint8_t opcode)
{
    return opcode == ZEND_DO_FCALL || opcode == ZEND_DO_ICALL || opcode == ZEND_DO_UCALL ||
           opcode == ZEND_DO_FCALL_BY_NAME || opcode == ZEND_INCLUDE_OR_EVAL;
}

/* An internal function that PHP code called without saying so, such as a magic method of a built-in
 * class, is left out: the place is that of the PHP code. */
static void pass_over_hidden(const Walk *w, Frame *f)
{
    uint64_t behind = address_of(f->data.prev_execute_data);
    Frame caller;
    zend_op at;

    if (is_user(f) || w->n_generators > 0 || w->behind || !behind)
        return;
    if (load(w, behind, NULL, &caller) && is_user(&caller) && get_instruction(w, &caller, &at) &&
        !is_call(at.opcode))
        *f = caller;
}

/* ---- text ---- */

/* The class of a method; 0: a function. Where the function says none, its object does, as with the
 * functions of FFI. */
static bool get_class(const Walk *w, const Frame *f, uint64_t *ret)
{
    const zend_class_entry *scope = f->function.scope;

    if (!scope && Z_TYPE(f->data.This) == IS_OBJECT &&
        !get(w, address_of(Z_OBJ(f->data.This)) + offsetof(zend_object, ce), &scope, sizeof(scope)))
        return false;
    *ret = address_of(scope);
    return true;
}

static bool put_name(const Walk *w, FrameLine *l, const Frame *f)
{
    const zend_string *class_name;
    uint64_t class_address;

    if (!has_name(f)) {
        line_put(l, "[INCLUDE_OR_EVAL]()");
        return true;
    }
    if (!get_class(w, f, &class_address))
        return false;
    if (class_address) {
        if (!get(w, class_address + offsetof(zend_class_entry, name), &class_name,
                 sizeof(class_name)) ||
            !line_put_string(l, w->memory, address_of(class_name), NAME_MAX_BYTES))
            return false;
        line_put(l, Z_TYPE(f->data.This) == IS_OBJECT ? "->" : "::");
    }
    if (!line_put_string(l, w->memory, address_of(f->function.function_name), NAME_MAX_BYTES))
        return false;
    line_put(l, "()");
    return true;
}

/* Nothing where none is known: PHP calls functions too. */
static void put_place(const Walk *w, FrameLine *l, const Frame *f, bool exact)
{
    size_t begin = l->n;
    zend_op at;

    if (!f || !is_user(f))
        return;
    if (!line_put_string(l, w->memory, address_of(f->function.filename), FILE_MAX_BYTES)) {
        l->n = begin;
        return;
    }
    if ((exact || is_in_code(f)) && get_instruction(w, f, &at)) {
        line_put(l, ":");
        line_put_number(l, at.lineno, 10);
    }
}

/* Whether there is a place for another line; else the frame is counted. */
static bool has_place(Walk *w)
{
    if (!w->full && (w->depth == 0 || w->text->n_frames < w->depth))
        return true;
    w->text->more++;
    return false;
}

static void end_line(Walk *w, FrameLine *l)
{
    FrameText *t = w->text;

    line_put(l, "\n");
    if (l->n > t->size - t->used) {
        w->full = true;
        t->more++;
        return;
    }
    memcpy(t->text + t->used, l->text, l->n);
    t->used += l->n;
    t->n_frames++;
}

static void add_unreadable(Walk *w, uint64_t address)
{
    FrameLine l;

    if (!has_place(w))
        return;
    line_begin(&l, address);
    line_put(&l, "\?\?\?()\t");
    end_line(w, &l);
}

/* f was called at the present place of caller (NULL: not by PHP code). */
static void add_call(Walk *w, const Frame *f, const Frame *caller)
{
    FrameLine l;

    if (!has_place(w))
        return;
    line_begin(&l, f->address);
    if (!put_name(w, &l, f)) {
        add_unreadable(w, f->address);
        return;
    }
    line_put(&l, "\t");
    put_place(w, &l, caller, true);
    end_line(w, &l);
}

static void add_running(Walk *w, const Frame *f)
{
    FrameLine l;

    line_begin(&l, f->address);
    line_put(&l, "[RUNNING]()\t");
    put_place(w, &l, f, false);
    end_line(w, &l);
}

/* ---- the whole ---- */

static bool includes(const Walk *w, const Frame *f)
{
    zend_op at;

    return is_user(f) && get(w, address_of(f->data.opline), &at, sizeof(at)) &&
           at.opcode == ZEND_INCLUDE_OR_EVAL;
}

static void walk(Walk *w, Frame *called)
{
    Frame caller = {0};
    int r;

    while ((r = next(w, called, &caller)) > 0) {
        if (has_name(called)) {
            pass_over_hidden(w, &caller);
            add_call(w, called, &caller);
        } else if (includes(w, &caller))
            add_call(w, called, &caller);
        memcpy(called, &caller, sizeof(caller));
    }
    if (r == -ETIME) {
        w->text->more++;
        return;
    }
    if (has_name(called))
        add_call(w, called, NULL);
    if (r < 0)
        add_unreadable(w, caller.address);
}

int frames_write(const FrameMemory *memory, const FrameRoots *roots, uint32_t depth,
                 FrameText *text)
{
    Walk w = {.memory = memory, .roots = roots, .depth = depth, .text = text};
    Frame first = {0};

    text->used = 0;
    text->n_frames = text->more = 0;
    if (!roots->current)
        return -ESRCH;
    if (!load(&w, roots->current, NULL, &first))
        return -EIO;
    if (is_user(&first))
        add_running(&w, &first);
    walk(&w, &first);
    return 0;
}
