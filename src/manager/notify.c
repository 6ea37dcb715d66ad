#include "manager/notify.h"

#include "base/fd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int notifier_set(Notifier *n, const char *path)
{
    size_t size = strlen(path);

    *n = (Notifier){.fd = -1, .address = {.sun_family = AF_UNIX}};
    if ((path[0] != '/' && path[0] != '@') || size < 2 || size >= sizeof(n->address.sun_path))
        return -EINVAL;
    memcpy(n->address.sun_path, path, size + 1);
    n->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    if (path[0] == '@')
        n->address.sun_path[0] = 0;
    else
        n->address_size++;
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return n->fd < 0 ? -errno : 0;
}

int notifier_init(Notifier *n)
{
    const char *path = getenv("NOTIFY_SOCKET");
    int r;

    *n = (Notifier){.fd = -1};
    if (!path)
        return 0;
    r = notifier_set(n, path);
    if (r == 0)
        unsetenv("NOTIFY_SOCKET");
    return r;
}

char *notifier_path(const Notifier *n)
{
    char *path = n->fd < 0 ? NULL
                           : strndup(n->address.sun_path + !n->address.sun_path[0],
                                     sizeof(n->address.sun_path) - 1);
    char *abstract = NULL;

    if (!path || n->address.sun_path[0])
        return path;
    if (asprintf(&abstract, "@%s", path) < 0)
        abstract = NULL;
    free(path);
    return abstract;
}

void notifier_done(Notifier *n)
{
    n->fd = fd_close(n->fd);
}

int notifier_send(const Notifier *n, const char *format, ...)
{
    char text[4096]; /* PID 1 takes no more (systemd 252, manager_dispatch_notify_fd) */
    va_list args;
    int size;

    if (n->fd < 0)
        return 0;
    va_start(args, format);
    size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (size < 0)
        return -EINVAL;
    size = MIN(size, (int)sizeof(text) - 1);
    return sendto(n->fd, text, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL,
                  (const struct sockaddr *)&n->address, n->address_size) < 0
               ? -errno
               : 0;
}

int notifier_status(const Notifier *n, const char *format, ...)
{
    char text[4000]; /* with "STATUS=" what notifier_send() sends */
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (size < 0)
        return -EINVAL;
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    return notifier_send(n, "STATUS=%s", text);
}
