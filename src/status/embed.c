/*
 * Makes C source of files, at build time: embed NAME=FILE... > dashboard_assets.c. Each becomes the
 * text that dashboard_NAME() returns.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t version = 2166136261; /* FNV-1a of everything */

static int embed(const char *name, const char *path)
{
    FILE *f = fopen(path, "re");
    int c;

    if (!f) {
        perror(path);
        return -1;
    }
    printf("\nconst char *dashboard_%s(size_t *ret_n)\n{\n    static const char text[] = {", name);
    for (size_t n = 0; (c = getc(f)) != EOF; n++) {
        version = (version ^ (uint32_t)c) * 16777619;
        printf("%s%d,", n % 24 == 0 ? "\n        " : "", c);
    }
    printf("0};\n\n    *ret_n = sizeof(text) - 1;\n    return text;\n}\n");
    c = ferror(f);
    fclose(f);
    return c ? -1 : 0;
}

int main(int argc, char **argv)
{
    printf("#include \"status/dashboard_private.h\"\n");
    for (int i = 1; i < argc; i++) {
        char *path = strchr(argv[i], '=');

        if (!path)
            return EXIT_FAILURE;
        *path++ = 0;
        if (embed(argv[i], path) < 0)
            return EXIT_FAILURE;
    }
    printf("\nconst char dashboard_assets_version[] = \"%08" PRIx32 "\";\n", version);
    return ferror(stdout) || fflush(stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
