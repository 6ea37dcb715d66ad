/*
 * Holds the table of the dialect against PHP-FPM itself: a value of each line that it takes has to
 * be what php-fpm -tt prints, and each line that it refuses has to be refused.
 */

#include "base/buffer.h"
#include "base/fd.h"
#include "dialect.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "/usr/sbin/php-fpm" FPMD_PHP_VERSION
#define SKIP    77

static char folder[] = "/tmp/fpmd-dialect-XXXXXX";

/* Runs php-fpm -tt on a file of this text. Returns whether it takes it, and what it says. */
static bool run(const Buffer *text, Buffer *output)
{
    char path[64], command[300];
    size_t n;
    FILE *f;

    snprintf(path, sizeof(path), "%s/fpm.conf", folder);
    f = fopen(path, "w");
    if (!f || fwrite(text->data, 1, text->size, f) != text->size || fclose(f) != 0)
        abort();
    snprintf(command, sizeof(command), PROGRAM " -n -d memory_limit=128M -tt -y %s </dev/null 2>&1",
             path);
    f = popen(command, "r");
    if (!f)
        abort();
    do {
        if (buffer_reserve(output, 4096) < 0)
            abort();
        n = fread(output->data + output->size, 1, 4095, f);
        output->size += n;
    } while (n > 0);
    output->data[output->size] = 0;
    return pclose(f) == 0;
}

static void begin(Buffer *text)
{
    if (buffer_printf(text, "[global]\nerror_log = %s/log\n", folder) < 0)
        abort();
}

/* Other addresses than those of the lines. */
static void add_pool(Buffer *text, size_t i)
{
    char name[32];

    snprintf(name, sizeof(name), "p%zu", i);
    if (buffer_printf(text, DIALECT_SECTION, name, (unsigned)(20000 + i), dialect_cases[i].line) <
        0)
        abort();
}

/* The name as PHP-FPM prints it: small letters but for the key of an array, without quotes. */
static void directive_of(const char *line, char ret[static 64])
{
    size_t n = 0;
    bool in_key = false;

    line += strspn(line, " \t\xef\xbb\xbf");
    for (; *line && n < 63 && (in_key || !strchr(" \t=", *line)); line++) {
        in_key = *line == '[' || (in_key && *line != ']');
        if (!strchr("\"'", *line))
            ret[n++] = !in_key && *line >= 'A' && *line <= 'Z' ? (char)(*line + 32) : *line;
    }
    ret[n] = 0;
}

/* What is expected of pool pI, where the table has www. */
static void expected_of(size_t i, char ret[static 200])
{
    const char *text = dialect_cases[i].php_fpm, *hit = strstr(text, "www");

    if (hit && strstr(dialect_cases[i].line, "$pool"))
        snprintf(ret, 200, "%.*sp%zu%s", (int)(hit - text), text, i, hit + 3);
    else
        snprintf(ret, 200, "%s", text);
}

static bool check_value(size_t i, const char *output)
{
    char section[32], directive[64], value[200], line[300];
    const char *start, *end, *hit;

    snprintf(section, sizeof(section), " [p%zu]\n", i);
    directive_of(dialect_cases[i].line, directive);
    expected_of(i, value);
    snprintf(line, sizeof(line), "\t%s = %s\n", directive, value);
    start = strstr(output, section);
    if (!start) {
        fprintf(stderr, "no section:%s", section);
        return false;
    }
    end = strstr(start + 1, " \n");
    hit = strstr(start, line);
    if (hit && (!end || hit < end))
        return true;
    snprintf(line, sizeof(line), "\t%s = ", directive);
    hit = strstr(start, line);
    fprintf(stderr, "%s\n  expected: %s\n  found:    %.*s\n", dialect_cases[i].line, value,
            hit ? (int)strcspn(hit, "\n") : 0, hit ? hit : "");
    return false;
}

/* All lines that it takes, each in a pool of its own. */
static size_t check_taken(void)
{
    _cleanup_buffer_ Buffer text = {0}, output = {0};
    size_t wrong = 0;

    begin(&text);
    for (size_t i = 0; i < n_dialect_cases; i++)
        if (dialect_cases[i].php_fpm)
            add_pool(&text, i);
    if (!run(&text, &output)) {
        fprintf(stderr, "all that should be taken:\n%s\n", output.data);
        return 1;
    }
    for (size_t i = 0; i < n_dialect_cases; i++)
        if (dialect_cases[i].php_fpm)
            wrong += !check_value(i, output.data);
    return wrong;
}

static size_t check_refused(void)
{
    size_t wrong = 0;

    for (size_t i = 0; i < n_dialect_cases; i++) {
        _cleanup_buffer_ Buffer text = {0}, output = {0};

        if (dialect_cases[i].php_fpm)
            continue;
        begin(&text);
        add_pool(&text, i);
        if (run(&text, &output)) {
            fprintf(stderr, "%s\n  is taken\n", dialect_cases[i].line);
            wrong++;
        }
    }
    return wrong;
}

int main(void)
{
    char command[64];
    size_t wrong;

    if (access(PROGRAM, X_OK) < 0) {
        fprintf(stderr, "there is no " PROGRAM " to compare with\n");
        return SKIP;
    }
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    dialect_set_environment();
    wrong = check_taken() + check_refused();
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    printf("%zu lines, %zu wrong\n", n_dialect_cases, wrong);
    return system(command) == 0 && wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
