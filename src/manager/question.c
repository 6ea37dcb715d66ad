#include "manager/manager.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* Twice of what a worker or porter of sound mind asks in a second, since its seconds are not ours.
 */
#define MESSAGES_PER_SEC 200

static bool may_speak(uint64_t *second_usec, unsigned *n)
{
    uint64_t now_usec = clock_monotonic_usec();

    if (now_usec - *second_usec >= USEC_PER_SEC) {
        *second_usec = now_usec;
        *n = 0;
    }
    return ++*n <= MESSAGES_PER_SEC;
}

bool worker_may_speak(Worker *w)
{
    return may_speak(&w->asked_second_usec, &w->n_asked);
}

bool porter_may_speak(Porter *p)
{
    return may_speak(&p->asked_second_usec, &p->n_asked);
}

/* A worker could write to what it gets for writing. -1: there is none. */
static int history_for_readers(Manager *m)
{
    char path[64];

    if (m->history_read_fd < 0 && m->history_fd >= 0) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", m->history_fd);
        m->history_read_fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    return m->history_read_fd;
}

/* Not sent: who asks gives up after a second. */
static void answer(Manager *m, int fd, bool with_history)
{
    LinkMessage message = {.type = LINK_STATUS};
    int unread = 0, fds[2];

    /* One that does not read its answers gets no more of them: descriptors in flight and their
     * memory would pile up. unix(7) sockets: SIOCOUTQ is what was sent and not received. */
    if (ioctl(fd, SIOCOUTQ, &unread) == 0 && unread > 0)
        return;
    fds[0] = snapshot_share(m);
    fds[1] = with_history ? history_for_readers(m) : -1;
    if (fds[0] >= 0)
        link_send(fd, &message, fds, fds[1] >= 0 ? 2 : 1);
}

int worker_answer(Worker *w)
{
    if (w->life_line < 0)
        return -EPROTO;
    answer(w->manager, w->life_line, true);
    return 0;
}

void porter_answer(Manager *m)
{
    if (m->porter.link_fd >= 0)
        answer(m, m->porter.link_fd, false);
}
