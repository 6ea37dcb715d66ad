/* A library of its own, whose calls of libc the tests lead elsewhere. */

#include <fcntl.h>
#include <unistd.h>

__attribute__((visibility("default"))) int redirected_ppid(void);
__attribute__((visibility("default"))) pid_t (*redirected_pointer(void))(void);
__attribute__((visibility("default"))) int redirected_fcntl(int fd, int command,
                                                            struct flock *lock);

int redirected_ppid(void)
{
    return getppid();
}

pid_t (*redirected_pointer(void))(void)
{
    return getppid;
}

int redirected_fcntl(int fd, int command, struct flock *lock)
{
    return fcntl(fd, command, lock);
}
