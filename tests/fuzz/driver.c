/*
 * Runs a fuzzer's function on stored inputs, without libFuzzer: each argument is a file, or a
 * folder whose files are run. Exit status 0 when at least one input ran and none ended the process.
 */

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX_BYTES (16 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_free_ uint8_t *exact = NULL;
    size_t n = 0;
    int r = fd_read_file(path, INPUT_MAX_BYTES, &text, &n);

    if (r < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(-r));
        return r;
    }
    /* Without the NUL behind it, so that a sanitizer sees every step too far. */
    exact = malloc(n > 0 ? n : 1);
    if (!exact)
        return -ENOMEM;
    memcpy(exact, text, n);
    /* If it does not come back, this line names the input. */
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(exact, n);
    return 1;
}

/* Returns how many inputs ran, or -errno. */
static int run(const char *path)
{
    struct dirent **entries = NULL;
    struct stat st;
    int n, total = 0;

    if (stat(path, &st) < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -errno;
    }
    if (!S_ISDIR(st.st_mode))
        return run_file(path);
    n = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        _cleanup_free_ char *name = NULL;
        int r = 0;

        if (entries[i]->d_name[0] != '.' && total >= 0)
            r = asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0 ? -ENOMEM : run(name);
        total = r < 0 ? r : total + r;
        free(entries[i]);
    }
    free(entries);
    return total;
}

int main(int argc, char **argv)
{
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int r = run(argv[i]);

        if (r < 0)
            return EXIT_FAILURE;
        total += r;
    }
    printf("%d inputs\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
