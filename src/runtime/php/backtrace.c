#include "runtime/php/backtrace.h"

#include "runtime/php/php.h"

#include <setjmp.h>
#include <string.h>

/* Of a long chain of calls the two ends are shown: where it stands, and where it came from. */
#define HEAD_FRAMES    30
#define TAIL_FRAMES    5
#define TAIL_BYTES     700     /* room that the head leaves */
#define FRAMES_MAX     1000000 /* a damaged chain may be a ring */

#define NAME_MAX_BYTES 160
#define FILE_MAX_BYTES 512

/* Everything that must survive a jump out of a fault. */
static struct {
    sigjmp_buf fault;
    volatile sig_atomic_t reading;
    char *text;
    size_t size, used;
    size_t line; /* where the present one begins */
    bool full;
} self;

/* ---- text ---- */

static void put(const char *text, size_t n)
{
    if (self.full || n >= self.size - self.used) {
        self.full = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)text[i];

        self.text[self.used + i] = byte < 0x20 || byte == 0x7f ? '?' : (char)byte;
    }
    self.used += n;
}

static void put_text(const char *text)
{
    put(text, strlen(text));
}

static void put_number(unsigned long number)
{
    char digits[24];
    size_t n = sizeof(digits);

    do
        digits[--n] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    put(digits + n, sizeof(digits) - n);
}

static void put_string(const zend_string *s, size_t max)
{
    put(ZSTR_VAL(s), MIN(ZSTR_LEN(s), max));
}

/* Back to the begin of a line that could not be written whole. */
static void drop_line(void)
{
    self.used = self.line;
    self.full = false;
}

/* False when there was no room for it, or less than reserve bytes would be left. */
static bool end_line(size_t reserve)
{
    if (self.full || self.size - self.used < reserve + 2) {
        drop_line();
        self.text[self.used] = 0;
        return false;
    }
    self.text[self.used++] = '\n';
    self.text[self.used] = 0;
    self.line = self.used;
    return true;
}

/* ---- frames ---- */

/* 0: the instruction is none of this function's. */
static uint32_t line_of(const zend_execute_data *frame)
{
    const zend_op_array *code = &frame->func->op_array;
    const zend_op *at = frame->opline;

    if (EG(exception) && at == EG(exception_op))
        at = EG(opline_before_exception);
    return at >= code->opcodes && at < code->opcodes + code->last ? at->lineno : 0;
}

static void put_name(const zend_execute_data *frame)
{
    const zend_function *function = frame->func;
    const zend_class_entry *scope = function->common.scope;

    if (!function->common.function_name) {
        put_text(frame->prev_execute_data ? "include" : "{main}");
        return;
    }
    if (scope) {
        put_string(scope->name, NAME_MAX_BYTES);
        put_text(function->common.fn_flags & ZEND_ACC_STATIC ? "::" : "->");
    }
    put_string(function->common.function_name, NAME_MAX_BYTES);
    put_text("()");
}

static bool put_frame(const zend_execute_data *frame, unsigned long number, size_t reserve)
{
    put_text("#");
    put_number(number);
    put_text(" ");
    put_name(frame);
    if (!ZEND_USER_CODE(frame->func->type))
        put_text(" [internal]");
    else {
        uint32_t line = line_of(frame);

        put_text(" ");
        if (frame->func->op_array.filename)
            put_string(frame->func->op_array.filename, FILE_MAX_BYTES);
        if (line > 0) {
            put_text(":");
            put_number(line);
        }
    }
    return end_line(reserve);
}

static void walk(void)
{
    const zend_execute_data *tail[TAIL_FRAMES];
    unsigned long n = 0, n_shown = 0, first;
    bool room = true;

    for (const zend_execute_data *frame = EG(current_execute_data); frame && n < FRAMES_MAX;
         frame = frame->prev_execute_data) {
        if (!frame->func) /* a place-holder of PHP's own calls */
            continue;
        room = room && n < HEAD_FRAMES && put_frame(frame, n, TAIL_BYTES);
        n_shown += room;
        tail[n++ % TAIL_FRAMES] = frame;
    }
    first = MAX(n_shown, n > TAIL_FRAMES ? n - TAIL_FRAMES : 0);
    if (first > n_shown) {
        put_text("… ");
        put_number(first - n_shown);
        put_text(" more");
        end_line(0);
    }
    for (unsigned long i = first; i < n; i++)
        put_frame(tail[i % TAIL_FRAMES], i, 0);
}

void backtrace_write(char *text, size_t size)
{
    if (self.reading || size == 0)
        return;
    self.text = text;
    self.size = size;
    self.used = self.line = 0;
    self.full = false;
    text[0] = 0;
    if (sigsetjmp(self.fault, true) == 0) {
        self.reading = true;
        walk();
    } else {
        drop_line();
        put_text("(unreadable from here)");
        end_line(0);
    }
    self.reading = false;
}

void backtrace_on_fault(void)
{
    if (self.reading)
        siglongjmp(self.fault, 1);
}
