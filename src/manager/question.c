#include "manager/manager.h"

#include "base/clock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

/* Twice of what a worker of sound mind asks in a second, since its seconds are not ours. */
#define MESSAGES_PER_SEC 200

bool worker_may_speak(Worker *w)
{
    uint64_t now_usec = clock_monotonic_usec();

    if (now_usec - w->asked_second_usec >= USEC_PER_SEC) {
        w->asked_second_usec = now_usec;
        w->n_asked = 0;
    }
    return ++w->n_asked <= MESSAGES_PER_SEC;
}

int worker_answer(Worker *w)
{
    LinkMessage answer = {.type = LINK_STATUS};
    int unread = 0, fd;

    if (w->life_line < 0)
        return -EPROTO;
    /* One that does not read its answers gets no more of them: descriptors in flight and their
     * memory would pile up. unix(7) sockets: SIOCOUTQ is what was sent and not received. */
    if (ioctl(w->life_line, SIOCOUTQ, &unread) == 0 && unread > 0)
        return 0;
    fd = snapshot_share(w->manager);
    /* Not sent: the worker gives up after a second. */
    if (fd >= 0)
        link_send(w->life_line, &answer, &fd, 1);
    return 0;
}
