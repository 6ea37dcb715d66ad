#include "runtime/php/children.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define DEPTH_MAX 12 /* of children of children */
/* So often a list is read again, since it may have been longer than the room for it. */
#define ROUNDS_MAX 64

/* As getdents64(2) has it. */
typedef struct Entry {
    uint64_t inode;
    int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[];
} Entry;

static char *put_text(char *to, const char *text)
{
    while (*text)
        *to++ = *text++;
    *to = 0;
    return to;
}

static char *put_number(char *to, unsigned long number)
{
    char digits[24];
    size_t n = sizeof(digits) - 1;

    digits[n] = 0;
    do
        digits[--n] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return put_text(to, digits + n);
}

static void kill_children(unsigned long pid, unsigned depth);

static void kill_tree(pid_t pid, unsigned depth)
{
    kill(pid, SIGSTOP);
    if (depth < DEPTH_MAX)
        kill_children((unsigned long)pid, depth + 1);
    kill(pid, SIGKILL);
}

/* The pids in a text of numbers with blanks between; one that the end cuts off is left out. */
static void kill_listed(const char *list, size_t n, bool complete, unsigned depth)
{
    pid_t pid = 0;

    for (size_t i = 0; i < n; i++)
        if (list[i] >= '0' && list[i] <= '9')
            pid = pid * 10 + (list[i] - '0');
        else {
            if (pid > 1)
                kill_tree(pid, depth);
            pid = 0;
        }
    if (complete && pid > 1)
        kill_tree(pid, depth);
}

/* path: of the folder of one thread. */
static void kill_children_of_thread(char *path, char *end, unsigned depth)
{
    char list[512];
    off_t at = 0;
    int fd;

    put_text(end, "/children");
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    /* Those that were killed stay listed until somebody waits for them. */
    for (int i = 0; i < ROUNDS_MAX; i++) {
        ssize_t n = pread(fd, list, sizeof(list), at), whole;

        if (n <= 0)
            break;
        whole = n;
        while (whole > 0 && list[whole - 1] != ' ')
            whole--;
        if (whole == 0)
            whole = n;
        kill_listed(list, (size_t)whole, (size_t)n < sizeof(list), depth);
        at += whole;
    }
    close(fd);
}

static void kill_children(unsigned long pid, unsigned depth)
{
    _Alignas(Entry) char entries[512];
    char path[96], *end;
    int fd;
    long n;

    end = put_text(put_number(put_text(path, "/proc/"), pid), "/task");
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    while ((n = syscall(SYS_getdents64, fd, entries, sizeof(entries))) > 0)
        for (long at = 0; at < n;) {
            const Entry *entry = (const Entry *)(const void *)(entries + at);

            at += entry->size;
            if (entry->name[0] >= '0' && entry->name[0] <= '9' && strlen(entry->name) < 24) {
                char *thread = put_text(put_text(end, "/"), entry->name);

                kill_children_of_thread(path, thread, depth);
                *end = 0;
            }
        }
    close(fd);
}

void children_kill(void)
{
    kill_children((unsigned long)getpid(), 0);
}
