#include "base/exit_status.h"
#include "base/parse.h"
#include "ctl/capabilities.h"
#include "ctl/ctl.h"
#include "ctl/places.h"
#include "link/control.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Options that only some verbs have. */
enum {
    TAKES_JSON = 1 << 0,
    TAKES_FULL = 1 << 1,
    TAKES_VERBOSE = 1 << 2,
    TAKES_ALL = 1 << 3,
    TAKES_DRY_RUN = 1 << 4,
    TAKES_RESTART = 1 << 5,
    TAKES_FORCE = 1 << 6,
    TAKES_UNDO = 1 << 7,
    TAKES_QUIET = 1 << 8,
    TAKES_KEEP_SOCKET = 1 << 9,
};

static const char *const taken_names[] = {"--output=json", "--full",       "--verbose", "--all",
                                          "--dry-run",     "--restart",    "--force",   "--undo",
                                          "--quiet",       "--keep-socket"};

typedef struct Verb {
    const char *name;
    const char *operands;
    const char *help;
    int min, max;   /* operands; max -1: any number */
    unsigned takes; /* TAKES_… */
    int (*run)(const Ctl *ctl, int n, char **operands);
} Verb;

static const Verb verbs[] = {
    {"apply", "POOL... | --all", "Give the units of pools what their files ask for", 0, -1,
     TAKES_ALL | TAKES_DRY_RUN | TAKES_RESTART, verb_apply},
    {"check", "[POOL|FILE]...", "Print what is wrong in pool files, or between them and units", 0,
     -1, TAKES_VERBOSE, verb_check},
    {"drain", "POOL", "Tell load balancers by the ping, finish the requests and stop the pool", 1,
     1, TAKES_QUIET | TAKES_KEEP_SOCKET, verb_drain},
    {"import", "PATH... | --undo", "Take over pool files of PHP-FPM", 0, -1,
     TAKES_DRY_RUN | TAKES_FORCE | TAKES_UNDO, verb_import},
    {"list", "", "List the pools and the state of their units", 0, 0, TAKES_JSON, verb_list},
    {"opcache", "reset POOL... | --all", "Empty opcode caches, by a new generation", 1, -1,
     TAKES_ALL, verb_opcache},
    {"reexec", "POOL... | --all", "Make managers run the program file that is there now", 0, -1,
     TAKES_ALL, verb_reexec},
    {"reload", "POOL... | --all", "Make pools read their files again; waits for the outcome", 0, -1,
     TAKES_ALL, verb_reload},
    {"show", "POOL|FILE", "Print what is in force, and where it was said", 1, 1, TAKES_JSON,
     verb_show},
    {"status", "POOL", "Show what a running pool is doing", 1, 1, TAKES_JSON | TAKES_FULL,
     verb_status},
};

enum {
    OPTION_CONFIG_DIR = 256,
    OPTION_CONTROL_DIR,
    OPTION_LIBEXEC_DIR,
    OPTION_UNIT_DIR,
    OPTION_FULL,
    OPTION_ALL,
    OPTION_DRY_RUN,
    OPTION_RESTART,
    OPTION_FORCE,
    OPTION_UNDO,
    OPTION_QUIET,
    OPTION_KEEP_SOCKET,
    OPTION_USER,
};

static const struct option options[] = {
    {"config-dir", required_argument, NULL, OPTION_CONFIG_DIR},
    {"control-dir", required_argument, NULL, OPTION_CONTROL_DIR},
    {"libexec-dir", required_argument, NULL, OPTION_LIBEXEC_DIR},
    {"unit-dir", required_argument, NULL, OPTION_UNIT_DIR},
    {"output", required_argument, NULL, 'o'},
    {"full", no_argument, NULL, OPTION_FULL},
    {"verbose", no_argument, NULL, 'v'},
    {"all", no_argument, NULL, OPTION_ALL},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"restart", no_argument, NULL, OPTION_RESTART},
    {"force", no_argument, NULL, OPTION_FORCE},
    {"undo", no_argument, NULL, OPTION_UNDO},
    {"quiet", required_argument, NULL, OPTION_QUIET},
    {"keep-socket", no_argument, NULL, OPTION_KEEP_SOCKET},
    {"user", no_argument, NULL, OPTION_USER},
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
        printf("  %-8s%-22s%s\n", verbs[i].name, verbs[i].operands, verbs[i].help);
    puts(
        "\n"
        "      --user               the pools of your own, under systemctl --user\n"
        "  -o, --output=text|json   of list, show and status\n"
        "  -v, --verbose            check: say what becomes of every directive\n"
        "      --full               status: the workers, too\n"
        "      --all                apply: every pool that has a file; opcache, reexec, reload: "
        "every\n"
        "                           pool that runs\n"
        "      --dry-run            apply, import: only say what would be changed\n"
        "      --restart            apply: restart running pools whose units have changed\n"
        "      --force              import: replace files that are there already\n"
        "      --undo               import: take back the last one\n"
        "      --quiet=TIME         drain: how long no request may have come (10s)\n"
        "      --keep-socket        drain: leave the sockets; the next connection starts the pool\n"
        "      --config-dir=DIR[:DIR]  folders of the pool files, the most important first\n"
        "                           (" FPMD_CONFIG_FOLDERS ")\n"
        "      --control-dir=DIR    folder of the control sockets (" CONTROL_DIR ")\n"
        "      --libexec-dir=DIR    folder of the runtimes (" FPMD_LIBEXEC_DIR ")\n"
        "      --unit-dir=DIR       folder for drop-ins of units (" UNIT_DIR ")\n"
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

static int take_output(const char *word, unsigned *given)
{
    if (strcmp(word, "json") == 0)
        *given |= TAKES_JSON;
    else if (strcmp(word, "text") == 0)
        *given &= ~(unsigned)TAKES_JSON;
    else {
        ctl_complain("--output=%s: text or json is expected", word);
        return EXIT_STATUS_USAGE;
    }
    return -1;
}

static int take_quiet(Ctl *ctl, const char *word, unsigned *given)
{
    if (parse_usec(word, &ctl->quiet_usec) < 0) {
        ctl_complain("--quiet=%s: a time like 10s or 5m is expected", word);
        return EXIT_STATUS_USAGE;
    }
    *given |= TAKES_QUIET;
    return -1;
}

/* One option. Returns -1 to go on, else the exit status. */
static int take_option(Ctl *ctl, int c, unsigned *given)
{
    switch (c) {
    case OPTION_CONFIG_DIR:
        ctl->config_dir = optarg;
        return -1;
    case OPTION_CONTROL_DIR:
        ctl->control_dir = optarg;
        return -1;
    case OPTION_LIBEXEC_DIR:
        ctl->libexec_dir = optarg;
        return -1;
    case OPTION_UNIT_DIR:
        ctl->unit_dir = optarg;
        return -1;
    case OPTION_FULL:
        *given |= TAKES_FULL;
        return -1;
    case OPTION_ALL:
        *given |= TAKES_ALL;
        return -1;
    case OPTION_DRY_RUN:
        *given |= TAKES_DRY_RUN;
        return -1;
    case OPTION_RESTART:
        *given |= TAKES_RESTART;
        return -1;
    case OPTION_FORCE:
        *given |= TAKES_FORCE;
        return -1;
    case OPTION_UNDO:
        *given |= TAKES_UNDO;
        return -1;
    case OPTION_QUIET:
        return take_quiet(ctl, optarg, given);
    case OPTION_KEEP_SOCKET:
        *given |= TAKES_KEEP_SOCKET;
        return -1;
    case OPTION_USER:
        ctl->user = true;
        return -1;
    case 'v':
        *given |= TAKES_VERBOSE;
        return -1;
    case 'o':
        return take_output(optarg, given);
    case 'h':
        return print_help();
    case 'V':
        return print_version();
    default:
        return EXIT_STATUS_USAGE;
    }
}

/* Returns -1 when a verb is to run, else the exit status. */
static int parse_options(Ctl *ctl, int argc, char **argv, unsigned *ret_given)
{
    unsigned given = 0;
    int c, status;

    while ((c = getopt_long(argc, argv, "o:vh", options, NULL)) >= 0) {
        status = take_option(ctl, c, &given);
        if (status >= 0)
            return status;
    }
    ctl->json = given & TAKES_JSON;
    ctl->full = given & TAKES_FULL;
    ctl->verbose = given & TAKES_VERBOSE;
    ctl->all = given & TAKES_ALL;
    ctl->dry_run = given & TAKES_DRY_RUN;
    ctl->restart = given & TAKES_RESTART;
    ctl->force = given & TAKES_FORCE;
    ctl->undo = given & TAKES_UNDO;
    ctl->quiet = given & TAKES_QUIET;
    ctl->keep_socket = given & TAKES_KEEP_SOCKET;
    *ret_given = given;
    return -1;
}

static const Verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int run_verb(const Ctl *ctl, unsigned given, int n, char **words)
{
    const Verb *verb;

    if (n == 0) {
        ctl_complain("a verb is missing: apply, check, drain, import, list, opcache, reexec, "
                     "reload, show or "
                     "status; --help tells more");
        return EXIT_STATUS_USAGE;
    }
    verb = find_verb(words[0]);
    if (!verb) {
        ctl_complain("unknown verb '%s'; --help lists them", words[0]);
        return EXIT_STATUS_USAGE;
    }
    given &= ~verb->takes;
    if (given) {
        ctl_complain("%s has no option %s", verb->name, taken_names[__builtin_ctz(given)]);
        return EXIT_STATUS_USAGE;
    }
    if (n - 1 < verb->min || (verb->max >= 0 && n - 1 > verb->max)) {
        ctl_complain("usage: fpmctl %s%s%s", verb->name, *verb->operands ? " " : "",
                     verb->operands);
        return EXIT_STATUS_USAGE;
    }
    if (verb->run != verb_import && capabilities_drop(false) < 0) {
        ctl_complain("cannot give up capabilities");
        return EXIT_STATUS_CAPABILITIES;
    }
    return verb->run(ctl, n - 1, words + 1);
}

int main(int argc, char **argv)
{
    Ctl ctl = {.libexec_dir = FPMD_LIBEXEC_DIR};
    unsigned given = 0;
    int r = capabilities_drop(true); /* import needs CHOWN, which is known only later */

    if (r < 0) {
        ctl_complain("cannot give up capabilities: %s", strerror(-r));
        return EXIT_STATUS_CAPABILITIES;
    }
    r = parse_options(&ctl, argc, argv, &given);
    if (r >= 0)
        return r;
    r = places_fill(&ctl);
    return r >= 0 ? r : run_verb(&ctl, given, argc - optind, argv + optind);
}
