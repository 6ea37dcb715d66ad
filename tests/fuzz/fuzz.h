#pragma once

/*
 * What the fuzzers share: their input piece by piece, patches of it over sound data, and sealed
 * memory.
 */

#include "base/fd.h"
#include "base/utf8.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void check_that(bool holds)
{
    if (!holds)
        abort();
}

/* What is left of the input. */
typedef struct Input {
    const uint8_t *data;
    size_t size;
} Input;

/* The next byte; 0 at the end. */
static inline unsigned input_byte(Input *in)
{
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->data++;
}

static inline unsigned input_word(Input *in)
{
    unsigned low = input_byte(in);

    return low | input_byte(in) << 8;
}

/* The next n bytes, or as many as are left. */
static inline const uint8_t *input_bytes(Input *in, size_t n, size_t *ret_n)
{
    const uint8_t *p = in->data;

    *ret_n = MIN(n, in->size);
    in->data += *ret_n;
    in->size -= *ret_n;
    return p;
}

/* The rest up to a line end, as text that the caller frees. */
static inline char *input_line(Input *in)
{
    const uint8_t *end = in->size > 0 ? memchr(in->data, '\n', in->size) : NULL;
    size_t n = end ? (size_t)(end - in->data) : in->size;
    char *line = malloc(n + 1);

    check_that(line);
    if (n > 0)
        memcpy(line, in->data, n);
    line[n] = 0;
    in->data += n + (end != NULL);
    in->size -= n + (end != NULL);
    return line;
}

/* One patch of the input: an offset of two bytes, a size of one, and the bytes. */
static inline void input_patch(Input *in, void *object, size_t size)
{
    size_t at = input_word(in) % size, n;
    const uint8_t *bytes = input_bytes(in, input_byte(in), &n);

    if (n > 0)
        memcpy((char *)object + at, bytes, MIN(n, size - at));
}

/* Memory with these seals. The caller closes it. */
static inline int sealed_memory(const void *data, size_t n, int seals)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    check_that(fd >= 0 && write(fd, data, n) == (ssize_t)n && fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

/* The lowest number that is free: equal before and after, no descriptor was lost. */
static inline int free_descriptor(void)
{
    int fd = fcntl(STDIN_FILENO, F_DUPFD, 3);

    check_that(fd >= 0);
    close(fd);
    return fd;
}

/* UTF-8 that can be shown, with the further characters of extra; NULL: any. */
static inline void check_printable(const char *text, size_t n, const char *extra)
{
    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t length = utf8_decode(text + i, n - i, &code);

        check_that(length > 0);
        check_that(!extra || utf8_is_printable(code) ||
                   (code < 128 && code > 0 && strchr(extra, (int)code)));
        i += length;
    }
}
