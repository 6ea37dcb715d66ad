#include "runtime/php/frames_line.h"

#include <string.h>

#include <php.h>

void line_begin(FrameLine *l, uint64_t address)
{
    l->n = 0;
    line_put(l, "0x");
    line_put_number(l, address, 16);
    line_put(l, "\t");
}

void line_put(FrameLine *l, const char *text)
{
    size_t n = strlen(text);

    memcpy(l->text + l->n, text, n);
    l->n += n;
}

void line_put_number(FrameLine *l, uint64_t number, unsigned base)
{
    char digits[24];
    size_t n = sizeof(digits);

    do
        digits[--n] = "0123456789abcdef"[number % base];
    while ((number /= base) > 0);
    memcpy(l->text + l->n, digits + n, sizeof(digits) - n);
    l->n += sizeof(digits) - n;
}

bool line_put_string(FrameLine *l, const FrameMemory *memory, uint64_t address, size_t max)
{
    char *to = l->text + l->n;
    size_t n;

    if (!memory->read(memory->context, address + offsetof(zend_string, len), &n, sizeof(n)))
        return false;
    n = MIN(n, max);
    if (!memory->read(memory->context, address + offsetof(zend_string, val), to, n))
        return false;
    for (size_t i = 0; i < n && to[i]; i++, l->n++)
        if ((uint8_t)to[i] < 0x20 || to[i] == 0x7f)
            to[i] = '?';
    return true;
}
