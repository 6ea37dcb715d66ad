#include "base/exit_status.h"
#include "ctl/capabilities.h"
#include "ctl/places.h"
#include "ctl/verbs.h"
#include "link/control.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* It is longer than any control reply. */
static char complaint[2 * CONTROL_TEXT_SIZE];
static bool is_quiet;

void ctl_complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(complaint, sizeof(complaint), format, args);
    va_end(args);
    if (!is_quiet)
        fprintf(stderr, "fpmctl: %s\n", complaint);
}

void ctl_complain_quietly(bool quiet)
{
    is_quiet = quiet;
}

const char *ctl_complaint(void)
{
    return complaint;
}

int ctl_print(const Buffer *b)
{
    if (fwrite(b->data, 1, b->size, stdout) == b->size && fflush(stdout) == 0)
        return EXIT_STATUS_OK;
    ctl_complain("standard output: %s", strerror(errno));
    return EXIT_STATUS_FAILURE;
}

void ctl_complain_control(const Ctl *ctl, const char *pool, int error)
{
    if (error == -EACCES || error == -EPERM)
        ctl_complain("%s: not permitted to use %s/%s/control: that is for root, the user of the "
                     "manager and, to read, for members of group %s",
                     pool, ctl->control_dir, pool, FPMD_MANAGER_USER);
    else
        ctl_complain("%s: control socket %s/%s/control: %s", pool, ctl->control_dir, pool,
                     strerror(-error));
}

static int print_help(void)
{
    size_t n;
    const Verb *verbs = verbs_get(&n);

    puts("Usage: fpmctl [OPTION]... VERB [OPERAND]...\n\nLook after FastCGI pools of fpmd.\n");
    for (size_t i = 0; i < n; i++)
        printf("  %-8s %-28s %s\n", verbs[i].name, verbs[i].operands, verbs[i].help);
    puts("");
    options_print();
    puts("\nFPMD_CONFIG_DIR and FPMD_CONTROL_DIR in the environment are defaults of the options.");
    return EXIT_STATUS_OK;
}

static void complain_verb_missing(void)
{
    _cleanup_buffer_ Buffer b = {0};
    size_t n;
    const Verb *verbs = verbs_get(&n);

    for (size_t i = 0; i < n; i++)
        if (buffer_printf(&b, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", verbs[i].name) < 0)
            return;
    ctl_complain("a verb is missing: %.*s; --help tells more", (int)b.size, b.data);
}

static int run_verb(const Ctl *ctl, unsigned given, int n, char **words)
{
    const Verb *verb;

    if (n == 0) {
        complain_verb_missing();
        return EXIT_STATUS_USAGE;
    }
    verb = verbs_find(words[0]);
    if (!verb) {
        ctl_complain("unknown verb '%s'; --help lists them", words[0]);
        return EXIT_STATUS_USAGE;
    }
    given &= ~verb->takes;
    if (given) {
        ctl_complain("%s has no option %s", verb->name, options_name(given));
        return EXIT_STATUS_USAGE;
    }
    if (n - 1 < verb->min || (verb->max >= 0 && n - 1 > verb->max)) {
        ctl_complain("usage: fpmctl %s%s%s", verb->name, *verb->operands ? " " : "",
                     verb->operands);
        return EXIT_STATUS_USAGE;
    }
    if (capabilities_drop(verb->keeps) < 0) {
        ctl_complain("cannot give up capabilities");
        return EXIT_STATUS_CAPABILITIES;
    }
    return verb->run(ctl, n - 1, words + 1);
}

int main(int argc, char **argv)
{
    Ctl ctl = {.libexec_dir = FPMD_LIBEXEC_DIR};
    unsigned given = 0;
    /* What one verb or another needs: which one it is, is known only later. */
    int r = capabilities_drop(CAPABILITIES_KEEP_CHOWN | CAPABILITIES_KEEP_IDS);

    if (r < 0) {
        ctl_complain("cannot give up capabilities: %s", strerror(-r));
        return EXIT_STATUS_CAPABILITIES;
    }
    r = options_parse(&ctl, argc, argv, &given);
    if (r == -2)
        return print_help();
    if (r >= 0)
        return r;
    ctl.quiet = given & TAKES_QUIET;
    ctl.timeout = given & TAKES_TIMEOUT;
    r = places_fill(&ctl);
    return r >= 0 ? r : run_verb(&ctl, given, argc - optind, argv + optind);
}
