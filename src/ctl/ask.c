#include "ctl/ask.h"

#include "base/exit_status.h"
#include "base/fd.h"
#include "conf/config.h"
#include "conf/folders.h"
#include "ctl/peer.h"
#include "status/escape.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void answer_done(Answer *answer)
{
    free(answer->text);
    fd_close(answer->fd);
    *answer = ANSWER_NONE;
}

int ask_connect(const Ctl *ctl, const char *pool)
{
    _cleanup_fd_ int fd = control_connect(ctl->control_dir, pool);

    if (fd == -ENOENT || fd == -ECONNREFUSED)
        return -ENOENT;
    if (fd < 0) {
        ctl_complain_control(ctl, pool, fd);
        return fd;
    }
    return peer_is_manager(ctl, pool, fd) ? TAKE_FD(fd) : -EACCES;
}

bool ask_has_pool(const Ctl *ctl, const char *pool)
{
    _cleanup_free_ char *path = NULL;

    return config_find_pool(ctl->config_dir, pool, &path) != -ENOENT;
}

void ask_complain_nobody(const Ctl *ctl, const char *pool)
{
    if (ask_has_pool(ctl, pool))
        ctl_complain("%s: not running (nobody listens at %s/%s/control)", pool, ctl->control_dir,
                     pool);
    else
        ctl_complain("%s: there is no such pool: no %s.conf in %s, and nobody listens at "
                     "%s/%s/control",
                     pool, pool, ctl->config_dir, ctl->control_dir, pool);
}

int ask_open(const Ctl *ctl, const char *pool, int *ret_status)
{
    int fd;

    if (config_check_pool_name(pool) < 0) {
        ctl_complain("'%s' cannot be the name of a pool", pool);
        *ret_status = EXIT_STATUS_USAGE;
        return -EINVAL;
    }
    fd = ask_connect(ctl, pool);
    if (fd == -ENOENT)
        ask_complain_nobody(ctl, pool);
    if (fd < 0)
        *ret_status =
            fd == -ENOENT && ask_has_pool(ctl, pool) ? CTL_EXIT_NOT_RUNNING : CTL_EXIT_UNKNOWN;
    return fd;
}

/* The connection has failed, or the answer was not one. */
static void complain_call(const Ctl *ctl, const char *pool, int error)
{
    if (error == -EBADMSG)
        ctl_complain("%s: its manager is of another version than this fpmctl: systemctl restart "
                     "fpmd@%s",
                     pool, pool);
    else if (error == -ECONNRESET || error == -EPIPE)
        ctl_complain("%s: the manager has gone without an answer; journalctl -u fpmd@%s tells more",
                     pool, pool);
    else
        ctl_complain_control(ctl, pool, error);
}

static void complain_refusal(const char *pool, int error, const char *text)
{
    if (error == -EOPNOTSUPP)
        ctl_complain("%s: its manager is of another version and does not know this request: "
                     "systemctl restart fpmd@%s",
                     pool, pool);
    else
        ctl_complain("%s: %s: %s", pool, error == -EPERM ? "not permitted" : "refused",
                     *text ? text : strerror(-error));
}

int ask(const Ctl *ctl, const char *pool, int fd, ControlVerb verb, uint64_t argument,
        Answer *ret_answer)
{
    _cleanup_answer_ Answer answer = ANSWER_NONE;
    _cleanup_buffer_ Buffer text = {0};
    ControlReply reply;
    int r = control_call(fd, verb, argument, &reply, &answer.fd);

    if (r == 0)
        r = escape_text(&text, reply.text);
    if (r == 0) {
        answer.text = buffer_steal(&text);
        r = answer.text ? 0 : -ENOMEM;
    }
    if (r < 0) {
        complain_call(ctl, pool, r);
        return r;
    }
    if (reply.result < 0) {
        complain_refusal(pool, reply.result, answer.text);
        return reply.result;
    }
    *ret_answer = answer;
    answer = ANSWER_NONE;
    return 0;
}
