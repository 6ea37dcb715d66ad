/*
 * access.format from anywhere, and requests from anywhere: a format is refused with a reason or
 * writes one line, which no value can end, and in which no value has a control character or a
 * quote.
 */

#include "access/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_that(bool holds)
{
    if (!holds)
        abort();
}

/* The value of every parameter and header. */
static const char *find(void *userdata, const char *name)
{
    check_that(*name);
    return userdata;
}

/* What the format itself says may have any byte; values may not. */
static void check_line(const Buffer *b, bool plain)
{
    check_that(b->size > 0 && b->data[b->size - 1] == '\n');
    for (size_t i = 0; plain && i + 1 < b->size; i++)
        check_that((uint8_t)b->data[i] >= ' ' && b->data[i] != 0x7f && b->data[i] != '"');
}

static bool is_plain(const char *text)
{
    /* strftime(3) has %n and %t for itself. */
    for (; *text; text++)
        if ((uint8_t)*text < ' ' || *text == 0x7f || *text == '"' || *text == '{')
            return false;
    return true;
}

static void write_line(const AccessFormat *f, const char *format, const char *value)
{
    _cleanup_buffer_ Buffer b = {0};
    size_t n = strlen(value);
    AccessValues v = {
        .pool = "www",
        .pid = 1,
        .manager_pid = (pid_t)n,
        .method = value,
        .uri = value,
        .query = n % 2 ? value : NULL,
        .script = value,
        .user = value,
        .remote = n % 3 ? value : NULL,
        .status = (unsigned)n,
        .content_length = UINT64_MAX - n,
        .begun_realtime_usec = n << (n % 50),
        .ended_realtime_usec = UINT64_MAX - n,
        .duration_usec = n,
        .cpu_user_usec = n * n,
        .memory_peak_bytes = n << 20,
        .param = find,
        .header = n % 2 ? find : NULL,
        .userdata = (void *)(uintptr_t)value,
    };

    check_that(access_format_write(f, &v, &b) == 0);
    check_line(&b, is_plain(format));
}

/* A format, a newline, a value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = malloc(size + 1);
    _cleanup_(access_format_freep) AccessFormat *f = NULL;
    char error[128] = "", *value;
    int r;

    check_that(text);
    memcpy(text, data, size);
    text[size] = 0;
    value = strchr(text, '\n');
    if (value)
        *value++ = 0;
    r = access_format_new(text, &f, error, sizeof(error));
    check_that(r == 0 ? f && !*error : r == -EINVAL && !f && *error);
    if (r == 0) {
        write_line(f, text, "");
        write_line(f, text, value ? value : text);
    }
    return 0;
}
