#include "manager/chroot.h"

#include "base/exit_status.h"
#include "base/fd.h"
#include "sandbox/capabilities.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The changer says microseconds after its fork that the template is there. */
#define CLONE_LIMIT_SEC 10

/* ---- the changer's side ---- */

void chroot_tell(int fd, const ChrootAnswer *answer)
{
    /* Nobody reads it: the manager is gone or has changed its mind, and we end in any case. */
    if (send(fd, answer, sizeof(*answer), MSG_NOSIGNAL) < 0)
        _exit(EXIT_STATUS_LINK);
}

_noreturn_ static void finish(int fd, ChrootStep step, int error, ExitStatus status)
{
    chroot_tell(fd, &(ChrootAnswer){.step = step, .error = error});
    _exit(error ? status : EXIT_STATUS_OK);
}

_noreturn_ void chroot_serve(int fd, const Confinement *pool, const char *root,
                             const char *directory)
{
    Confinement own = *pool;
    char word;
    int status;

    own.rlimit_files = own.rlimit_core = RLIMIT_KEEP;
    own.keep_capabilities = CAP_BIT(CAP_SYS_CHROOT);
    status = confine_for_exec(&own);
    if (status != 0)
        finish(fd, CHROOT_CONFINE, errno, (ExitStatus)status);
    if (recv(fd, &word, sizeof(word), 0) != sizeof(word))
        _exit(EXIT_STATUS_OK);
    if (chroot(root) < 0)
        finish(fd, CHROOT_ROOT, errno, EXIT_STATUS_CHROOT);
    if (chdir(directory) < 0)
        finish(fd, CHROOT_DIRECTORY, errno, EXIT_STATUS_CHDIR);
    finish(fd, CHROOT_DIRECTORY, 0, EXIT_STATUS_OK);
}

/* ---- the manager's side ---- */

int chroot_open(Changer *c, int *ret_peer)
{
    static const struct timeval limit = {.tv_sec = CLONE_LIMIT_SEC};
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    if (setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0) {
        int r = -errno;

        fd_close(pair[0]);
        fd_close(pair[1]);
        return r;
    }
    c->fd = pair[0];
    *ret_peer = pair[1];
    return 0;
}

static int receive(const Changer *c, int flags, ChrootAnswer *ret)
{
    ChrootAnswer answer;
    ssize_t n;

    do
        n = recv(c->fd, &answer, sizeof(answer), flags);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (n != (ssize_t)sizeof(answer))
        return -EPIPE;
    *ret = answer;
    return 0;
}

pid_t chroot_wait_template(const Changer *c)
{
    ChrootAnswer answer = {0};
    int r = receive(c, 0, &answer);

    if (r < 0)
        return r;
    return answer.error ? -answer.error : answer.template_pid;
}

int chroot_order(Changer *c, sd_event *event, sd_event_io_handler_t on_answer, void *userdata)
{
    static const char word = 1;
    int r = sd_event_add_io(event, &c->source, c->fd, EPOLLIN, on_answer, userdata);

    if (r < 0)
        return r;
    /* One that has failed already has left its answer in the socket. */
    if (send(c->fd, &word, sizeof(word), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EPIPE)
        return -errno;
    return 0;
}

int chroot_read(const Changer *c, ChrootAnswer *ret)
{
    return receive(c, MSG_DONTWAIT, ret);
}

void chroot_reason(const PoolConfig *pool, const ChrootAnswer *answer, char *text, size_t size)
{
    const char *directive = answer->step == CHROOT_DIRECTORY && pool->chdir ? "chdir" : "chroot";
    ConfigOrigin origin = pool_config_origin(pool, directive);
    const char *error = strerror(answer->error);
    int n =
        snprintf(text, size, "%s:%u: %s: ", origin.file ? origin.file : "", origin.line, directive);

    if (n < 0 || (size_t)n >= size)
        return;
    text += n;
    size -= (size_t)n;
    if (answer->step == CHROOT_ROOT && answer->error == EPERM)
        snprintf(text, size,
                 "%s: %s; the service has to allow the system call (SystemCallFilter=chroot): "
                 "'fpmctl apply %s' writes a drop-in for it",
                 pool->chroot, error, pool->name);
    else if (answer->step == CHROOT_ROOT)
        snprintf(text, size, "the user of the pool cannot make %s its root: %s", pool->chroot,
                 error);
    else if (answer->step == CHROOT_DIRECTORY)
        snprintf(text, size, "the user of the pool cannot enter %s below %s: %s",
                 pool->chdir ? pool->chdir : "/", pool->chroot, error);
    else
        snprintf(text, size, "the process that changes the root could not be confined: %s", error);
}

void chroot_done(Changer *c)
{
    c->source = sd_event_source_disable_unref(c->source);
    c->fd = fd_close(c->fd);
    /* It ends by itself, unless it waits for a file system that does not answer. */
    if (c->pid > 0)
        kill(c->pid, SIGKILL);
    c->pid = 0;
}
