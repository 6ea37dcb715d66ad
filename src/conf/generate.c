/*
 * Makes from the table of directives what is written about them for people:
 *
 *   generate-conf manual TEMPLATE    fpmd.conf(5): TEMPLATE with the directives at its line
 *                                    "@DIRECTIVES@"
 *   generate-conf pool               conf.d/www.conf
 *   generate-conf update FILE        the same into FILE
 *   generate-conf compare FILE       whether FILE is the same; says how to mend it
 */

#include "base/buffer.h"
#include "base/fd.h"
#include "conf/generate.h"

#include <stdio.h>
#include <string.h>

static int write_file(const char *path, const Buffer *b)
{
    FILE *f = fopen(path, "w");
    bool ok;

    if (!f)
        return -1;
    ok = fwrite(b->data, 1, b->size, f) == b->size;
    return fclose(f) == 0 && ok ? 0 : -1;
}

static int compare(const char *path, const Buffer *b)
{
    _cleanup_free_ char *text = NULL;
    size_t n;

    if (fd_read_file(path, 1024 * 1024, &text, &n) == 0 && n == b->size &&
        memcmp(text, b->data, n) == 0)
        return 0;
    fprintf(stderr,
            "%s is not what the table of directives makes.\n"
            "To bring it up to date: ninja -C BUILD-FOLDER update-www.conf\n",
            path);
    return -1;
}

static int manual(const char *path, Buffer *b)
{
    static const char mark[] = "@DIRECTIVES@\n";
    _cleanup_free_ char *text = NULL;
    const char *hit;
    int r = fd_read_file(path, 1024 * 1024, &text, NULL);

    if (r < 0)
        return r;
    hit = strstr(text, mark);
    if (!hit)
        return -1;
    r = buffer_append(b, text, (size_t)(hit - text));
    if (r == 0)
        r = generate_manual(b);
    hit += strlen(mark);
    return r < 0 ? r : buffer_append(b, hit, strlen(hit));
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "", *path = argc > 2 ? argv[2] : NULL;
    _cleanup_buffer_ Buffer b = {0};
    int r = -1;

    if (strcmp(verb, "manual") == 0 && path)
        r = manual(path, &b);
    else if (strcmp(verb, "pool") == 0 || path)
        r = generate_pool(&b);
    if (r == 0 && strcmp(verb, "update") == 0)
        r = write_file(path, &b);
    else if (r == 0 && strcmp(verb, "compare") == 0)
        r = compare(path, &b);
    else if (r == 0)
        r = fwrite(b.data, 1, b.size, stdout) == b.size && fflush(stdout) == 0 ? 0 : -1;
    if (r < 0)
        fprintf(stderr, "%s %s: failed\n", argv[0], verb);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
