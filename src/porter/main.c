#include "base/exit_status.h"
#include "base/fd.h"
#include "base/title.h"
#include "base/trim.h"
#include "log/log.h"
#include "porter/lodge.h"
#include "sandbox/sandbox.h"
#include "sandbox/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* More than a pool can want; each costs the kernel about a kilobyte. */
#define CAPACITY_MAX 65536
/* Descriptors that are no connections, and one on its way in. */
#define RESERVED_FDS 32

static int usage(const char *program)
{
    fprintf(stderr,
            "%s holds idle connections of a pool of fpmd %s. It is started by the manager, see "
            "fpmd(8).\n",
            program, FPMD_VERSION);
    return EXIT_STATUS_USAGE;
}

static unsigned find_capacity(const RuntimeSpec *spec)
{
    struct rlimit limit;
    uint64_t others = RESERVED_FDS + spec->n_listen_fds + spec->n_status_fds +
                      (spec->n_status_fds > 0 ? DESK_VISITORS_MAX : 0);

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= others)
        return 1;
    return (unsigned)MIN(limit.rlim_cur - others, (rlim_t)CAPACITY_MAX);
}

/* All that has to be opened is. 0 or an exit status. */
static int confine(void)
{
    _cleanup_(seccomp_filter_freep) SeccompFilter *filter = NULL;
    _cleanup_fd_ int trim_fd = trim_open();
    int r = landlock_renounce();

    if (r < 0) {
        log_error("The porter cannot be set up, step landlock: %s", strerror(-r));
        return EXIT_STATUS_LANDLOCK;
    }
    r = seccomp_filter_new(SECCOMP_PORTER, NULL, &filter);
    trim_code(trim_fd);
    if (r == 0)
        r = seccomp_filter_install(filter, NULL);
    if (r < 0) {
        log_error("The porter cannot be set up, step seccomp: %s", strerror(-r));
        return EXIT_STATUS_SECCOMP;
    }
    return 0;
}

static int run(const RuntimeSpec *spec)
{
    LinkMessage ready = {.type = LINK_READY};
    BoardSlot *slot = NULL;
    Lodge lodge;
    int r, status;

    r = board_attach(spec->slot_fd, &slot);
    if (r < 0) {
        log_error("The porter cannot be set up, step scoreboard: %s", strerror(-r));
        return EXIT_STATUS_SCOREBOARD;
    }
    fd_close(spec->slot_fd);
    r = lodge_init(&lodge, spec, slot, find_capacity(spec));
    if (r < 0) {
        log_error("The porter cannot be set up, step events: %s", strerror(-r));
        return EXIT_STATUS_EVENTS;
    }
    status = confine();
    if (status != 0)
        return status;
    /* What building the filter took. */
    trim_heap();
    trim_stack();
    /* A manager that has gone meanwhile is seen as the end of the link. */
    link_send(spec->link_fd, &ready, NULL, 0);
    lodge_run(&lodge);
    lodge_done(&lodge);
    return EXIT_STATUS_OK;
}

int main(int argc, char **argv)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    RuntimeSpec spec;
    const char *error = NULL;
    int r, status;

    /* The second argument is room for titles. */
    if (argc > 2 || fcntl(SPEC_FD, F_GETFD) < 0)
        return usage(argc > 0 ? argv[0] : "fpmd-porter");
    r = spec_read(SPEC_FD, &spec, &error);
    if (r == 0 && (spec.park_fd < 0 || spec.repark_fd < 0 || spec.slot_fd < 0)) {
        error = "park, repark or slot is missing";
        r = -EBADMSG;
    }
    if (r < 0) {
        fprintf(stderr, "%s: %s: %s\n", argv[0], error ? error : "spec", strerror(-r));
        return EXIT_STATUS_SPEC;
    }
    fd_close(SPEC_FD);
    title_init(argc, argv);
    title_set("fpmd-porter", "fpmd: porter of pool %s", spec.pool);
    sigaction(SIGPIPE, &ignore, NULL);
    log_open(&(LogOptions){
        .identifier = "fpmd-porter",
        .pool = spec.pool,
        .max_priority = spec.log_level,
        .journal_fd = spec.journal_fd,
        .text_fd = MAX(spec.log_fd, 0),
    });
    if (chdir("/") < 0) {
        log_error("The porter cannot be set up, step chdir: %s", strerror(errno));
        return EXIT_STATUS_CHDIR;
    }
    status = run(&spec);
    log_close();
    /* What handlers of exit(3) would do, the filter denies. */
    _exit(status);
}
