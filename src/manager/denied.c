#include "manager/denied.h"

#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"
#include "manager/manager.h"
#include "sandbox/syscalls.h"
#include "syscall/groups.h"
#include "syscall/numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* More answers in a second are for those who wait for the next one: each costs some ten
 * microseconds of the only thread of the pool's manager. */
#define ANSWERS_MAX 1000

/* ---- the record ---- */

/* Who made the call, for the text; fields of what is known. */
static void describe_caller(const Generation *g, LogRecord *r, pid_t pid, char *text, size_t size)
{
    Worker *w = worker_find(g->manager, pid);
    BoardSlot slot = {0};

    log_record_field(r, "DENIED_PID", "%d", (int)pid);
    if (pid == g->template_pid)
        snprintf(text, size, "the template, process %d", (int)pid);
    else if (w) {
        worker_read_slot(w, clock_monotonic_usec(), &slot);
        log_record_field(r, "WORKER_PID", "%d", (int)pid);
        log_record_field(r, "WORKER_SLOT", "%u", w->slot_number);
        worker_describe_request(r, &slot);
        snprintf(text, size, "worker %d%s%s", (int)pid, slot.script[0] ? ", script " : "",
                 slot.script);
    } else
        snprintf(text, size, "process %d, which a worker has started", (int)pid);
}

/* Known by the group, unless its profile has it: then it is the arguments that are refused, or the
 * call was taken away. */
static const char *find_reason(const Generation *g, const SyscallGroup *group, const char *call,
                               const struct seccomp_data *data)
{
    uint64_t arguments[6];
    const char *reason;

    if (!syscall_group_in_profile(group, (SyscallProfile)g->config->sandbox_seccomp))
        return group->reason;
    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
        arguments[i] = data->args[i];
    reason = argument_find_reason(call, arguments);
    return reason ? reason : group->reason;
}

static void record(const Generation *g, const struct seccomp_notif *asked, const char *call,
                   const SyscallGroup *group, int error)
{
    const char *reason = find_reason(g, group, call, &asked->data);
    char caller[128 + sizeof(((BoardSlot *)0)->script)];
    LogRecord r;

    log_record_begin(&r, LOG_WARNING, LOG_MESSAGE_CALL_DENIED);
    log_record_field(&r, "GENERATION", "%u", g->number);
    log_record_field(&r, "SYSCALL", "%d", asked->data.nr);
    log_record_field(&r, "SYSCALL_NAME", "%s", call);
    log_record_field(&r, "SYSCALL_GROUP", "@%s", group->name);
    log_record_field(
        &r, "SYSCALL_ARGUMENTS", "%#llx %#llx %#llx", (unsigned long long)asked->data.args[0],
        (unsigned long long)asked->data.args[1], (unsigned long long)asked->data.args[2]);
    log_record_field(&r, "ERRNO", "%d", error);
    describe_caller(g, &r, (pid_t)asked->pid, caller, sizeof(caller));
    log_record_send(&r, "System call %s (@%s: %s) was denied to %s", call, group->name, reason,
                    caller);
}

/* ---- the answers ---- */

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
    Generation *g = userdata;

    g->denied.pause_source = sd_event_source_disable_unref(g->denied.pause_source);
    if (g->denied.listener_source)
        sd_event_source_set_enabled(g->denied.listener_source, SD_EVENT_ON);
    return 0;
}

/* Whoever floods us waits; those of other generations do not. */
static void count_answer(Generation *g)
{
    Denied *d = &g->denied;
    uint64_t now_usec = clock_monotonic_usec();

    if (now_usec - d->period_usec >= USEC_PER_SEC) {
        d->period_usec = now_usec;
        d->n_answered = 0;
    }
    if (++d->n_answered < ANSWERS_MAX)
        return;
    if (sd_event_add_time(g->manager->event, &d->pause_source, CLOCK_MONOTONIC,
                          d->period_usec + USEC_PER_SEC, 0, on_pause_over, g) < 0)
        return;
    sd_event_source_set_priority(d->pause_source, PRIORITY_OUTPUT);
    sd_event_source_set_enabled(d->listener_source, SD_EVENT_OFF);
}

/* True the first time. */
static bool note_first(Denied *d, unsigned number)
{
    uint64_t bit = UINT64_C(1) << number % 64;

    if (number >= DENIED_CALLS_MAX || d->seen[number / 64] & bit)
        return false;
    d->seen[number / 64] |= bit;
    return true;
}

static void close_listener(Denied *d)
{
    d->listener_source = sd_event_source_disable_unref(d->listener_source);
    d->pause_source = sd_event_source_disable_unref(d->pause_source);
    d->listener_fd = fd_close(d->listener_fd);
}

static int on_denied(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Generation *g = userdata;
    struct seccomp_notif asked = {0}; /* as the kernel wants it */
    struct seccomp_notif_resp answer = {0};
    const SyscallGroup *group;
    const char *call;

    if (!(events & EPOLLIN)) {
        /* Nobody lives under the filter any more. */
        close_listener(&g->denied);
        return 0;
    }
    /* It does not wait: the kernel counts who asks, dead or alive, and only we read here. */
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
        return 0;
    call = syscall_to_name((unsigned)asked.data.nr);
    group = call ? syscall_group_of(call) : NULL;
    answer.id = asked.id;
    answer.error = !group || group->fate == SYSCALL_ENOSYS ? -ENOSYS : -EPERM;
    /* ENOENT: it is dead, or was interrupted and asks again. */
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0 && group &&
        note_first(&g->denied, (unsigned)asked.data.nr))
        record(g, &asked, call, group, -answer.error);
    count_answer(g);
    return 0;
}

/* ---- the listener ---- */

/* Of the template's own code, before any other. */
static bool is_listener(int fd)
{
    static const char wanted[] = "anon_inode:seccomp notify";
    char path[32], text[64];
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    n = readlink(path, text, sizeof(text));
    return n == (ssize_t)strlen(wanted) && memcmp(text, wanted, strlen(wanted)) == 0;
}

static int watch_listener(Generation *g)
{
    Denied *d = &g->denied;
    int r = sd_event_add_io(g->manager->event, &d->listener_source, d->listener_fd, EPOLLIN,
                            on_denied, g);

    return r < 0 ? r : sd_event_source_set_priority(d->listener_source, PRIORITY_OUTPUT);
}

static void close_line(Denied *d)
{
    d->line_source = sd_event_source_disable_unref(d->line_source);
    d->line_fd = fd_close(d->line_fd);
}

void denied_take(Generation *g)
{
    Denied *d = &g->denied;
    LinkMessage m;
    size_t n = 0;
    int fd = -1, r;

    if (d->line_fd < 0)
        return;
    r = link_receive(d->line_fd, MSG_DONTWAIT, &m, &fd, 1, &n, NULL);
    if (r == -EAGAIN || r == -EINTR)
        return;
    close_line(d);
    if (r != 1 || n != 1)
        return; /* it has died, and its exit status tells why */
    if (!is_listener(fd)) {
        link_close_received(fd);
        return;
    }
    d->listener_fd = fd;
    r = watch_listener(g);
    if (r < 0) {
        log_error("Denied system calls of generation %u cannot be watched, they are not reported: "
                  "%s",
                  g->number, strerror(-r));
        close_listener(d);
    }
}

static int on_line(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    denied_take(userdata);
    return 0;
}

int denied_open(Generation *g, int *ret_peer)
{
    int pair[2], r;

    *ret_peer = -1;
    if (!g->config->sandbox_report || g->config->sandbox_seccomp == SANDBOX_SECCOMP_OFF)
        return 0;
    r = link_pair(pair);
    if (r < 0)
        return r;
    g->denied.line_fd = pair[0];
    *ret_peer = pair[1];
    /* Links refuse descriptors; this one is for one, and closed behind it. */
    return link_admit_fds(pair[0]);
}

int denied_start(Generation *g)
{
    Denied *d = &g->denied;
    int r;

    if (d->listener_fd >= 0)
        return watch_listener(g);
    if (d->line_fd < 0)
        return 0;
    r = sd_event_add_io(g->manager->event, &d->line_source, d->line_fd, EPOLLIN, on_line, g);
    return r < 0 ? r : sd_event_source_set_priority(d->line_source, PRIORITY_LINK);
}

void denied_close(Generation *g)
{
    close_line(&g->denied);
    close_listener(&g->denied);
}
