#include "runtime/mark.h"

#include "link/mark.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const int fds[] = {STDOUT_FILENO, STDERR_FILENO};

static struct {
    uint64_t key; /* 0: no marks */
    struct stat pipes[ARRAY_SIZE(fds)];
    bool marked;
} self;

uint64_t mark_start(int out, int err)
{
    self.key = 0;
    if (fstat(out, &self.pipes[0]) < 0 || !S_ISFIFO(self.pipes[0].st_mode) ||
        fstat(err, &self.pipes[1]) < 0 || !S_ISFIFO(self.pipes[1].st_mode))
        return 0;
    if (getrandom(&self.key, sizeof(self.key), 0) != sizeof(self.key))
        self.key = 0;
    return self.key;
}

/* Whether it is the pipe yet: code in libraries may have closed it, and the number is another file
 * then, somebody's data or connection. */
static bool is_pipe(size_t i)
{
    struct stat now;

    return fstat(fds[i], &now) == 0 && now.st_dev == self.pipes[i].st_dev &&
           now.st_ino == self.pipes[i].st_ino;
}

static void write_mark(const char *id, const char *uri)
{
    char mark[MARK_MAX];
    size_t n = mark_format(self.key, id, uri, mark);

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        while (is_pipe(i) && write(fds[i], mark, n) < 0 && errno == EINTR)
            ;
}

void mark_request(const char *id, const char *uri)
{
    if (self.key == 0 || self.marked)
        return;
    self.marked = true;
    write_mark(id ?: "", uri ?: "");
}

void mark_end(void)
{
    if (!self.marked)
        return;
    self.marked = false;
    write_mark(NULL, NULL);
}
