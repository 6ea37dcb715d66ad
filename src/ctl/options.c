#include "ctl/options.h"
#include "base/exit_status.h"
#include "base/parse.h"
#include "ctl/places.h"
#include "link/control.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef enum OptionKind {
    KIND_FLAG, /* bool */
    KIND_TEXT, /* const char * */
    KIND_TIME, /* uint64_t, microseconds */
    KIND_OUTPUT,
    KIND_HELP,
    KIND_VERSION,
} OptionKind;

/* One option; what it sets is at an offset of Ctl. */
typedef struct Option {
    const char *name;
    int letter; /* 0: none */
    OptionKind kind;
    size_t offset;
    unsigned takes;       /* TAKES_…; 0: all verbs have it */
    const char *argument; /* as --help names it */
    const char *help;     /* NULL: told by the option above */
} Option;

#define AT(member) offsetof(Ctl, member)

static const Option options[] = {
    {"user", 0, KIND_FLAG, AT(user), 0, NULL, "the pools of your own, under systemctl --user"},
    {"output", 'o', KIND_OUTPUT, AT(json), TAKES_JSON, "text|json", "for people, or for programs"},
    {"verbose", 'v', KIND_FLAG, AT(verbose), TAKES_VERBOSE, NULL,
     "check: say what becomes of every directive; php: the version;\n"
     "sandbox: also system calls and what every pool needs"},
    {"full", 0, KIND_FLAG, AT(full), TAKES_FULL, NULL, "metrics, status: the workers, too"},
    {"all", 0, KIND_FLAG, AT(all), TAKES_ALL, NULL,
     "apply: every pool that has a file; opcache reset, reexec,\n"
     "reload, reopen: every pool that runs; log: also programs that\n"
     "scripts have started"},
    {"dry-run", 0, KIND_FLAG, AT(dry_run), TAKES_DRY_RUN, NULL,
     "apply, import: only say what would be changed"},
    {"restart", 0, KIND_FLAG, AT(restart), TAKES_RESTART, NULL,
     "apply: restart running pools whose units have changed"},
    {"force", 0, KIND_FLAG, AT(force), TAKES_FORCE, NULL,
     "import: replace files that are there already"},
    {"undo", 0, KIND_FLAG, AT(undo), TAKES_UNDO, NULL, "import: take back the last one"},
    {"quiet", 0, KIND_TIME, AT(quiet_usec), TAKES_QUIET, "TIME",
     "drain: how long no request may have come (10s)"},
    {"keep-socket", 0, KIND_FLAG, AT(keep_socket), TAKES_KEEP_SOCKET, NULL,
     "drain: leave the sockets; the next connection starts the pool"},
    {"once", 0, KIND_FLAG, AT(once), TAKES_ONCE, NULL, "top: print one picture and end"},
    {"follow", 'f', KIND_FLAG, AT(follow), TAKES_FOLLOW, NULL, "log: go on with what comes"},
    {"lines", 'n', KIND_TEXT, AT(lines), TAKES_LINES, "N", "log: the last N records, or 'all'"},
    {"since", 0, KIND_TEXT, AT(since), TAKES_SINCE, "TIME",
     "log: from a time on, as journalctl(1) takes it"},
    {"slow", 0, KIND_FLAG, AT(slow), TAKES_SLOW, NULL, "log: slow requests"},
    {"access", 0, KIND_FLAG, AT(access), TAKES_ACCESS, NULL,
     "log: access records (access.log = journal)"},
    {"request", 0, KIND_TEXT, AT(request), TAKES_REQUEST, "ID", "log: records of one request"},
    {"timeout", 0, KIND_TIME, AT(timeout_usec), TAKES_TIMEOUT, "TIME",
     "ping: how long the answer may take (3s)"},
    {"status", 0, KIND_FLAG, AT(status), TAKES_STATUS, NULL,
     "ping: ask the status socket, not the workers"},
    {"info", 'i', KIND_FLAG, AT(info), TAKES_INFO, NULL, "php: phpinfo() of the pool"},
    {"modules", 'm', KIND_FLAG, AT(modules), TAKES_MODULES, NULL, "php: its extensions"},
    {"calls", 0, KIND_FLAG, AT(calls), TAKES_CALLS, NULL,
     "sandbox: only the system calls, by group, with reasons"},
    {"config-dir", 0, KIND_TEXT, AT(config_dir), 0, "DIR[:DIR]",
     "folders of the pool files, the most important first\n(" FPMD_CONFIG_FOLDERS ")"},
    {"control-dir", 0, KIND_TEXT, AT(control_dir), 0, "DIR",
     "folder of the control sockets (" CONTROL_DIR ")"},
    {"libexec-dir", 0, KIND_TEXT, AT(libexec_dir), 0, "DIR",
     "folder of the runtimes (" FPMD_LIBEXEC_DIR ")"},
    {"unit-dir", 0, KIND_TEXT, AT(unit_dir), 0, "DIR",
     "folder for drop-ins of units (" UNIT_DIR ")"},
    {"help", 'h', KIND_HELP, 0, 0, NULL, ""},
    {"version", 0, KIND_VERSION, 0, 0, NULL, ""},
};

/* What getopt_long() returns for the option at an index. */
#define CODE_BASE 256

static void *member(Ctl *ctl, const Option *o)
{
    return (char *)ctl + o->offset;
}

static int take_output(Ctl *ctl, unsigned *given)
{
    ctl->json = strcmp(optarg, "json") == 0;
    *given = ctl->json ? *given | TAKES_JSON : *given & ~(unsigned)TAKES_JSON;
    if (ctl->json || strcmp(optarg, "text") == 0)
        return -1;
    ctl_complain("--output=%s: text or json is expected", optarg);
    return EXIT_STATUS_USAGE;
}

/* Returns as options_parse(). */
static int take(Ctl *ctl, const Option *o, unsigned *given)
{
    *given |= o->takes;
    switch (o->kind) {
    case KIND_FLAG:
        memcpy(member(ctl, o), &(bool){true}, sizeof(bool));
        return -1;
    case KIND_TEXT:
        memcpy(member(ctl, o), &optarg, sizeof(optarg));
        return -1;
    case KIND_TIME:
        if (parse_usec(optarg, member(ctl, o)) == 0)
            return -1;
        ctl_complain("--%s=%s: a time like 10s or 5m is expected", o->name, optarg);
        return EXIT_STATUS_USAGE;
    case KIND_OUTPUT:
        return take_output(ctl, given);
    case KIND_HELP:
        return -2;
    case KIND_VERSION:
        puts("fpmctl " FPMD_VERSION);
        return EXIT_STATUS_OK;
    }
    return EXIT_STATUS_SOFTWARE;
}

static const Option *find(int code)
{
    if (code >= CODE_BASE)
        return &options[code - CODE_BASE];
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (options[i].letter == code)
            return &options[i];
    return NULL;
}

int options_parse(Ctl *ctl, int argc, char **argv, unsigned *ret_given)
{
    struct option table[ARRAY_SIZE(options) + 1] = {0};
    char letters[2 * ARRAY_SIZE(options) + 1], *p = letters;
    unsigned given = 0;
    int c, r;

    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        const Option *o = &options[i];
        bool has_argument = o->argument != NULL;

        table[i] = (struct option){o->name, has_argument ? required_argument : no_argument, NULL,
                                   CODE_BASE + (int)i};
        if (o->letter) {
            *p++ = (char)o->letter;
            if (has_argument)
                *p++ = ':';
        }
    }
    *p = 0;
    while ((c = getopt_long(argc, argv, letters, table, NULL)) >= 0) {
        const Option *o = c == '?' ? NULL : find(c);

        if (!o)
            return EXIT_STATUS_USAGE; /* getopt_long() has said why */
        r = take(ctl, o, &given);
        if (r != -1)
            return r;
    }
    *ret_given = given;
    return -1;
}

const char *options_name(unsigned bits)
{
    static char text[32];

    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (options[i].takes & bits & -bits) {
            snprintf(text, sizeof(text), "--%s%s", options[i].name,
                     options[i].kind == KIND_OUTPUT ? "=json" : "");
            return text;
        }
    return "";
}

void options_print(void)
{
    enum { WIDTH = 29 };

    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        const Option *o = &options[i];
        char head[64];
        int n = snprintf(head, sizeof(head), o->letter ? "  -%c, " : "      ", o->letter);

        snprintf(head + n, sizeof(head) - (size_t)n, "--%s%s%s", o->name, o->argument ? "=" : "",
                 o->argument ? o->argument : "");
        if (!*o->help)
            printf("%s\n", head);
        for (const char *line = o->help; *line; line += strspn(line, "\n")) {
            size_t size = strcspn(line, "\n");

            printf("%-*s %.*s\n", WIDTH, line == o->help ? head : "", (int)size, line);
            line += size;
        }
    }
}
