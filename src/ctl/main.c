#include "base/exit_status.h"
#include "ctl/capabilities.h"
#include "ctl/ctl.h"
#include "link/control.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct Verb {
    const char *name;
    const char *operands;
    const char *help;
    int min, max; /* operands; max -1: any number */
    bool json, full;
    int (*run)(const Ctl *ctl, int n, char **operands);
} Verb;

static const Verb verbs[] = {
    {"check", "[POOL|FILE]...", "Read pool files and print what is wrong in them", 0, -1, false,
     false, verb_check},
    {"list", "", "List the pools and the state of their units", 0, 0, true, false, verb_list},
    {"status", "POOL", "Show what a running pool is doing", 1, 1, true, true, verb_status},
    {"reload", "POOL...", "Make pools read their files again; waits for the outcome", 1, -1, false,
     false, verb_reload},
};

enum { OPTION_CONFIG_DIR = 256, OPTION_CONTROL_DIR, OPTION_LIBEXEC_DIR, OPTION_FULL };

static const struct option options[] = {
    {"config-dir", required_argument, NULL, OPTION_CONFIG_DIR},
    {"control-dir", required_argument, NULL, OPTION_CONTROL_DIR},
    {"libexec-dir", required_argument, NULL, OPTION_LIBEXEC_DIR},
    {"output", required_argument, NULL, 'o'},
    {"full", no_argument, NULL, OPTION_FULL},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

void ctl_complain(const char *format, ...)
{
    va_list args;

    fputs("fpmctl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
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
    puts("Usage: fpmctl [OPTION]... VERB [OPERAND]...\n\nLook after FastCGI pools of fpmd.\n");
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        printf("  %-7s%-17s%s\n", verbs[i].name, verbs[i].operands, verbs[i].help);
    puts("\n"
         "  -o, --output=text|json   of list and status\n"
         "      --full               status: the workers, too\n"
         "      --config-dir=DIR     folder of the pool files (" FPMD_CONFIG_DIR ")\n"
         "      --control-dir=DIR    folder of the control sockets (" CONTROL_DIR ")\n"
         "      --libexec-dir=DIR    folder of the runtimes (" FPMD_LIBEXEC_DIR ")\n"
         "  -h, --help\n"
         "      --version\n"
         "\n"
         "FPMD_CONFIG_DIR and FPMD_CONTROL_DIR in the environment are defaults of the options.");
    return EXIT_STATUS_OK;
}

static int print_version(void)
{
    puts("fpmctl " FPMD_VERSION);
    return EXIT_STATUS_OK;
}

static const char *from_environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value && *value ? value : otherwise;
}

/* Returns -1 when a verb is to run, else the exit status. */
static int parse_options(Ctl *ctl, int argc, char **argv)
{
    int c;

    while ((c = getopt_long(argc, argv, "o:h", options, NULL)) >= 0) {
        switch (c) {
        case OPTION_CONFIG_DIR:
            ctl->config_dir = optarg;
            break;
        case OPTION_CONTROL_DIR:
            ctl->control_dir = optarg;
            break;
        case OPTION_LIBEXEC_DIR:
            ctl->libexec_dir = optarg;
            break;
        case OPTION_FULL:
            ctl->full = true;
            break;
        case 'o':
            ctl->json = strcmp(optarg, "json") == 0;
            if (!ctl->json && strcmp(optarg, "text") != 0) {
                ctl_complain("--output=%s: text or json is expected", optarg);
                return EXIT_STATUS_USAGE;
            }
            break;
        case 'h':
            return print_help();
        case 'V':
            return print_version();
        default:
            return EXIT_STATUS_USAGE;
        }
    }
    return -1;
}

static const Verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int run_verb(const Ctl *ctl, int n, char **words)
{
    const Verb *verb;

    if (n == 0) {
        ctl_complain("a verb is missing: check, list, status or reload; --help tells more");
        return EXIT_STATUS_USAGE;
    }
    verb = find_verb(words[0]);
    if (!verb) {
        ctl_complain("unknown verb '%s'; --help lists them", words[0]);
        return EXIT_STATUS_USAGE;
    }
    if ((ctl->json && !verb->json) || (ctl->full && !verb->full)) {
        ctl_complain("%s has no option %s", verb->name,
                     ctl->json && !verb->json ? "--output=json" : "--full");
        return EXIT_STATUS_USAGE;
    }
    if (n - 1 < verb->min || (verb->max >= 0 && n - 1 > verb->max)) {
        ctl_complain("usage: fpmctl %s%s%s", verb->name, *verb->operands ? " " : "",
                     verb->operands);
        return EXIT_STATUS_USAGE;
    }
    return verb->run(ctl, n - 1, words + 1);
}

int main(int argc, char **argv)
{
    Ctl ctl = {
        .config_dir = from_environment("FPMD_CONFIG_DIR", FPMD_CONFIG_DIR),
        .control_dir = from_environment("FPMD_CONTROL_DIR", CONTROL_DIR),
        .libexec_dir = FPMD_LIBEXEC_DIR,
    };
    int r = capabilities_drop();

    if (r < 0) {
        ctl_complain("cannot give up capabilities: %s", strerror(-r));
        return EXIT_STATUS_CAPABILITIES;
    }
    r = parse_options(&ctl, argc, argv);
    return r >= 0 ? r : run_verb(&ctl, argc - optind, argv + optind);
}
