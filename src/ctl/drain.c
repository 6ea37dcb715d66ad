#include "base/exit_status.h"
#include "base/fd.h"
#include "ctl/ask.h"
#include "ctl/peer.h"
#include "ctl/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As long as a load balancer takes to look at the ping a few times. */
#define QUIET_DEFAULT_USEC (10 * USEC_PER_SEC)

/* The units of a pool that are stopped: the sockets that are active, the service behind them. */
typedef struct Stopped {
    char names[3][256];
    size_t n_sockets;
} Stopped;

static bool is_active(Units *units, const char *unit)
{
    _cleanup_buffer_ Buffer b = {0};

    return units_read(units, unit, "ActiveState", &b) >= 0 && b.size == strlen("active") &&
           memcmp(b.data, "active", b.size) == 0;
}

/* 0 or -errno. */
static int find_units(const Ctl *ctl, const char *pool, Stopped *ret)
{
    static const char *const templates[] = {"fpmd", "fpmd-status"};
    _cleanup_(units_closep) Units *units = NULL;
    Stopped s = {0};
    int r = units_open(&units, ctl->user);

    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(templates); i++) {
        char *name = s.names[s.n_sockets];

        snprintf(name, sizeof(s.names[0]), "%s@%s.socket", templates[i], pool);
        s.n_sockets += is_active(units, name);
    }
    snprintf(s.names[s.n_sockets], sizeof(s.names[0]), "fpmd@%s.service", pool);
    *ret = s;
    return 0;
}

/* The sockets first: with them nobody starts the service again. systemd itself stops them in the
 * other order, and takes no connection meanwhile. */
static int stop_units(const Ctl *ctl, const char *pool, Stopped *s)
{
    char *words[5] = {(char *)(uintptr_t) "stop"};
    int r;

    for (size_t i = 0; i <= s->n_sockets; i++)
        words[1 + i] = s->names[i];
    r = ctl_systemctl(ctl, words);
    if (r < 0) {
        ctl_complain("%s: drained, but its units could not be stopped%s%s: the next connection "
                     "starts the pool again",
                     pool, r == -EIO ? "" : ": systemctl: ", r == -EIO ? "" : strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    printf("%s: drained and stopped; it comes back with: systemctl%s start", pool,
           ctl->user ? " --user" : "");
    for (size_t i = 0; i < MAX(s->n_sockets, (size_t)1); i++)
        printf(" %s", s->names[i]);
    putchar('\n');
    return fflush(stdout) == 0 ? EXIT_STATUS_OK : EXIT_STATUS_FAILURE;
}

static void tell_quiet(const char *pool, uint64_t quiet_usec)
{
    printf("%s: draining: pings are answered 503 and requests are served, until none has come for "
           "%" PRIu64 ".%01us\n",
           pool, quiet_usec / USEC_PER_SEC,
           (unsigned)(quiet_usec % USEC_PER_SEC / (USEC_PER_SEC / 10)));
    fflush(stdout);
}

/* Whether what follows can be done, since the pool leaves in any case. */
static bool may_stop(const Ctl *ctl, const char *pool)
{
    if (geteuid() == 0 || ctl->user)
        return true;
    ctl_complain("%s: only root may stop units; --keep-socket drains without that, and the next "
                 "connection starts the pool again",
                 pool);
    return false;
}

int verb_drain(const Ctl *ctl, int n, char **operands)
{
    const char *pool = operands[0];
    uint64_t quiet_usec = ctl->quiet ? ctl->quiet_usec : QUIET_DEFAULT_USEC;
    _cleanup_fd_ int fd = -1;
    _cleanup_answer_ Answer answer = ANSWER_NONE;
    Stopped stopped;
    bool has_units;
    int r;

    if (config_check_pool_name(pool) < 0) {
        ctl_complain("'%s' cannot be the name of a pool", pool);
        return EXIT_STATUS_USAGE;
    }
    fd = ask_connect(ctl, pool);
    if (fd == -ENOENT)
        ask_complain_nobody(ctl, pool);
    if (fd < 0)
        return EXIT_STATUS_FAILURE;
    has_units = !ctl->keep_socket && peer_is_of_unit(ctl, pool, fd);
    if (has_units && !may_stop(ctl, pool))
        return EXIT_STATUS_FAILURE;
    /* Before, since a service that has left is not active any more. */
    r = has_units ? find_units(ctl, pool, &stopped) : 0;
    if (r < 0) {
        ctl_complain("systemd cannot be asked: %s", strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    tell_quiet(pool, quiet_usec);
    /* 0 would be the manager's own choice. */
    if (ask(ctl, pool, fd, CONTROL_DRAIN, MAX(quiet_usec, UINT64_C(1)), &answer) < 0)
        return EXIT_STATUS_FAILURE;
    if (has_units)
        return stop_units(ctl, pool, &stopped);
    printf("%s: drained%s\n", pool,
           ctl->keep_socket ? "; the next connection starts it again" : ", and about to end");
    return fflush(stdout) == 0 ? EXIT_STATUS_OK : EXIT_STATUS_FAILURE;
}
