#include "manager/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Entries are separated by newlines in the corpus, which people can read. */
static void separate(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\n')
            text[i] = 0;
}

/* What is taken over is written as it was read: the text of the second reading is that of the
 * first. */
static void check_round_trip(const State *s)
{
    _cleanup_buffer_ Buffer first = {0}, second = {0};
    _cleanup_(state_done) State again = {0};
    const char *error;

    if (state_write(&first, s) < 0 || state_read(first.data, first.size, &again, &error) < 0 ||
        state_write(&second, &again) < 0 || first.size != second.size ||
        memcmp(first.data, second.data, first.size) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(state_done) State s = {0};
    char *text = malloc(size ? size : 1);
    const char *error = NULL;
    int r;

    if (!text)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    separate(text, size);
    r = state_read(text, size, &s, &error);
    free(text);
    if (r == 0)
        check_round_trip(&s);
    else if (!error || s.manager)
        abort();
    return 0;
}
