#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * shutdown(2) for PHP, its extensions and their libraries, which the linker finds here first. The
 * filter of workers refuses the end of both sides, since that would close a listening socket for
 * good (sandbox/syscalls.c). What is left of it for a connection is the end of the writing
 * side: the peer learns of it, and the rest follows when the socket is closed.
 */
__attribute__((visibility("default"))) int shutdown(int fd, int how)
{
    int saved = errno;
    long r = syscall(SYS_shutdown, fd, how);

    if (r == 0 || errno != EPERM || how != SHUT_RDWR)
        return (int)r;
    errno = saved;
    return (int)syscall(SYS_shutdown, fd, SHUT_WR);
}
