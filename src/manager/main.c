#include "base/exit_status.h"
#include "base/fd.h"
#include "base/parse.h"
#include "log/log.h"
#include "manager/manager.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RING_BYTES 65536

typedef enum Action {
    ACTION_RUN,
    ACTION_TAKE_OVER, /* from the program that ran before in this process */
    ACTION_CHECK_STATE,
    ACTION_SWEEP,
    ACTION_EXIT,
} Action;

static void print_help(void)
{
    printf(
        "Usage: fpmd --pool NAME [OPTION]...\n"
        "Manager of one FastCGI pool. systemd starts it as fpmd@NAME.service.\n"
        "\n"
        "  -p, --pool NAME        the pool; its file is NAME.conf in the configuration folder\n"
        "  -f, --foreground       bind \"listen =\" when systemd passes no socket; log to stderr\n"
        "      --config-dir DIR[:DIR]...  folders of the pool files, the most important first\n"
        "                         (%s; also FPMD_CONFIG_DIR)\n"
        "      --libexec-dir DIR  folder of the runtime programs (%s)\n"
        "      --control-dir DIR  the control socket is DIR/NAME/control (also FPMD_CONTROL_DIR)\n"
        "      --sweep            end what a timed-out stop has left in the unit's cgroup\n"
        "  -h, --help             this text\n"
        "      --version          version\n"
        "\n"
        "See fpmd(8), fpmd.conf(5), fpmctl(1).\n",
        FPMD_CONFIG_FOLDERS, FPMD_LIBEXEC_DIR);
}

static int parse_fd(const char *text, int *ret)
{
    uint64_t number;

    if (parse_u64(text, STDERR_FILENO + 1, INT_MAX, &number) < 0) {
        fprintf(stderr, "fpmd: \"%s\" is no number of a descriptor\n", text);
        return EXIT_STATUS_USAGE;
    }
    *ret = (int)number;
    return 0;
}

enum {
    OPTION_CONFIG_DIR = 256,
    OPTION_LIBEXEC_DIR,
    OPTION_CONTROL_DIR,
    OPTION_SWEEP,
    OPTION_STATE,
    OPTION_CHECK_STATE,
    OPTION_VERSION
};
static const struct option long_options[] = {
    {"pool", required_argument, NULL, 'p'},
    {"foreground", no_argument, NULL, 'f'},
    {"config-dir", required_argument, NULL, OPTION_CONFIG_DIR},
    {"libexec-dir", required_argument, NULL, OPTION_LIBEXEC_DIR},
    {"control-dir", required_argument, NULL, OPTION_CONTROL_DIR},
    {"sweep", no_argument, NULL, OPTION_SWEEP},
    /* Between programs: not for people. */
    {"state", required_argument, NULL, OPTION_STATE},
    {"check-state", required_argument, NULL, OPTION_CHECK_STATE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

static int check_pool(const char *pool)
{
    if (!pool) {
        fprintf(stderr, "fpmd: --pool NAME is needed; see fpmd --help\n");
        return EXIT_STATUS_USAGE;
    }
    if (config_check_pool_name(pool) < 0) {
        fprintf(stderr,
                "fpmd: \"%s\" cannot be the name of a pool: up to 64 of A-Z a-z 0-9 _ . - are "
                "possible, not beginning with . or -\n",
                pool);
        return EXIT_STATUS_USAGE;
    }
    return 0;
}

/* *ret_fd: of the state, for the two actions that have one. */
static int parse_arguments(int argc, char **argv, ManagerOptions *o, Action *ret_action,
                           int *ret_fd)
{
    int c;

    *ret_action = ACTION_RUN;
    while ((c = getopt_long(argc, argv, "p:fh", long_options, NULL)) >= 0)
        switch (c) {
        case 'p':
            o->pool = optarg;
            break;
        case 'f':
            o->foreground = true;
            break;
        case OPTION_CONFIG_DIR:
            o->config_folders = optarg;
            break;
        case OPTION_LIBEXEC_DIR:
            o->libexec_dir = optarg;
            break;
        case OPTION_CONTROL_DIR:
            o->control_dir = optarg;
            break;
        case OPTION_SWEEP:
            *ret_action = ACTION_SWEEP;
            return 0;
        case OPTION_CHECK_STATE:
            *ret_action = ACTION_CHECK_STATE;
            return parse_fd(optarg, ret_fd);
        case OPTION_STATE:
            *ret_action = ACTION_TAKE_OVER;
            if (parse_fd(optarg, ret_fd) != 0)
                return EXIT_STATUS_USAGE;
            break;
        case 'h':
            print_help();
            *ret_action = ACTION_EXIT;
            return 0;
        case OPTION_VERSION:
            puts("fpmd " FPMD_VERSION);
            *ret_action = ACTION_EXIT;
            return 0;
        default:
            return EXIT_STATUS_USAGE;
        }
    if (optind < argc) {
        fprintf(stderr, "fpmd: unexpected argument \"%s\"; see fpmd --help\n", argv[optind]);
        return EXIT_STATUS_USAGE;
    }
    return check_pool(o->pool);
}

/* ExecStopPost=: when the stop took longer than TimeoutStopSec= the manager was killed and its
 * workers are still there. After a crash they finish their requests, so only this one result counts
 * (systemd.exec(5), $SERVICE_RESULT). */
static int run_sweep(void)
{
    const char *result = getenv("SERVICE_RESULT");
    pid_t pids[ORPHANS_MAX];
    _cleanup_free_ char *folder = cgroup_folder();
    size_t n;

    if (folder)
        worker_cgroups_release(folder);
    if (!result || strcmp(result, "timeout") != 0)
        return EXIT_STATUS_OK;
    n = cgroup_list(pids, ARRAY_SIZE(pids));
    if (n == 0)
        return EXIT_STATUS_OK;
    /* Who still waits for an answer gets one. */
    cgroup_end_requests(503);
    cgroup_sweep();
    log_text(LOG_WARNING, LOG_MESSAGE_DRAIN_LIMIT,
             "%zu processes were ended: TimeoutStopSec= has passed", n);
    return EXIT_STATUS_OK;
}

int main(int argc, char **argv)
{
    ManagerOptions options = {
        .argc = argc,
        .argv = argv,
        .config_folders = getenv("FPMD_CONFIG_DIR") ?: FPMD_CONFIG_FOLDERS,
        .libexec_dir = FPMD_LIBEXEC_DIR,
        .control_dir = getenv("FPMD_CONTROL_DIR"),
    };
    _cleanup_(manager_freep) Manager *m = NULL;
    Privileges privileges = {0};
    Action action;
    int r, state_fd = -1;

    /* First of all: nothing is parsed with more than the manager needs. */
    r = privileges_reduce(&privileges);
    if (r < 0) {
        fprintf(stderr, "fpmd: capabilities cannot be reduced: %s\n", strerror(-r));
        return EXIT_STATUS_CAPABILITIES;
    }
    r = parse_arguments(argc, argv, &options, &action, &state_fd);
    if (r != 0 || action == ACTION_EXIT)
        return r;
    if (action == ACTION_CHECK_STATE)
        return reexec_check(state_fd);

    log_open(&(LogOptions){
        .identifier = "fpmd",
        .pool = options.pool,
        .max_priority = LOG_INFO,
        .journal_fd = -1,
        .ring_bytes = RING_BYTES,
    });
    if (action == ACTION_SWEEP)
        return run_sweep();
    if (action == ACTION_TAKE_OVER)
        r = manager_restore(&options, &privileges, state_fd, &m);
    else
        r = manager_new(&options, &privileges, &m);
    if (r < 0)
        return action == ACTION_TAKE_OVER ? EXIT_STATUS_STATE : EXIT_STATUS_FAILURE;
    r = manager_run(m);
    m = manager_free(m);
    log_flush();
    log_close();
    return r;
}
