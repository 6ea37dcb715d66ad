#include "log/journal.h"

#include "base/fd.h"
#include "base/utf8.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ELLIPSIS      "\xe2\x80\xa6"
#define ELLIPSIS_SIZE (sizeof(ELLIPSIS) - 1)

static const struct sockaddr_un journal_address = {
    .sun_family = AF_UNIX,
    .sun_path = "/run/systemd/journal/socket",
};

/* JOURNAL_STREAM= is "device:inode" of the stream that systemd made; a stderr that was redirected
 * since is another file (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    char end;

    return stream && sscanf(stream, "%llu:%llu%c", &device, &inode, &end) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

int journal_reconnect(int fd)
{
    if (connect(fd, (const struct sockaddr *)&journal_address, sizeof(journal_address)) < 0)
        return -errno;
    return 0;
}

int journal_connect(void)
{
    _cleanup_fd_ int fd = -1;
    int r;

    if (!stderr_is_journal())
        return -ENOTCONN;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    r = journal_reconnect(fd);
    return r < 0 ? r : TAKE_FD(fd);
}

int journal_open(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    /* One that is away now is looked for again with each record. */
    journal_reconnect(fd);
    return fd;
}

/* Large records go as a sealed file in an empty datagram. Beyond the socket's send buffer they have
 * to; below it two or three of them would fill it, and the next ones were dropped. */
#define DATAGRAM_MAX 32768

static int send_as_file(int fd, const void *record, size_t n)
{
    _cleanup_fd_ int file = fd_make_sealed("journal-record", record, n);
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);

    if (file < 0)
        return file;
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &file, sizeof(file));
    if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return 0;
    /* ETOOMANYREFS: too many files are on their way, to a journal that does not read. */
    return errno == ENOBUFS || errno == ETOOMANYREFS ? -EAGAIN : -errno;
}

int journal_send(int fd, const void *record, size_t n)
{
    ssize_t sent;

    if (n > DATAGRAM_MAX)
        return send_as_file(fd, record, n);
    do {
        sent = send(fd, record, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return 0;
    if (errno == EMSGSIZE)
        return send_as_file(fd, record, n);
    /* ENOBUFS: no memory for the datagram just now. */
    return errno == ENOBUFS ? -EAGAIN : -errno;
}

/* Writes the value at p, which has room for avail bytes and a NUL. */
static size_t format_value(char *p, size_t avail, size_t *ret_whole, const char *format, va_list ap)
    __attribute__((format(printf, 4, 0)));
static size_t format_value(char *p, size_t avail, size_t *ret_whole, const char *format, va_list ap)
{
    int wanted = vsnprintf(p, avail + 1, format, ap);
    size_t n = wanted < 0 ? 0 : (size_t)wanted;

    *ret_whole = n;
    if (n > avail) {
        n = avail > ELLIPSIS_SIZE ? utf8_cut(p, avail - ELLIPSIS_SIZE) : 0;
        if (avail >= ELLIPSIS_SIZE) {
            memcpy(p + n, ELLIPSIS, ELLIPSIS_SIZE);
            n += ELLIPSIS_SIZE;
        }
    }
    while (n > 0 && p[n - 1] == '\n')
        n--;
    return n;
}

int journal_append(char *record, size_t *size, size_t room, const char *key, JournalValue *ret,
                   const char *format, va_list ap)
{
    const size_t key_size = strlen(key);
    /* Key, '=' or newline, the length of the binary form, the newline at the end. */
    const size_t frame = key_size + 1 + sizeof(uint64_t) + 1;
    char *p = record + *size;
    char *value = p + key_size + 1;
    size_t n, whole, avail;

    if (*size > room || room - *size < frame)
        return -ENOBUFS;
    avail = room - *size - frame;
    n = format_value(value, avail, &whole, format, ap);
    memcpy(p, key, key_size);
    if (memchr(value, '\n', n)) {
        const uint64_t length = htole64(n);

        memmove(value + sizeof(length), value, n);
        memcpy(value, &length, sizeof(length));
        p[key_size] = '\n';
        value += sizeof(length);
    } else {
        p[key_size] = '=';
    }
    value[n] = '\n';
    *ret = (JournalValue){
        .offset = (size_t)(value - record), .size = n, .whole = whole, .cut = whole > avail};
    *size = ret->offset + n + 1;
    return 0;
}
