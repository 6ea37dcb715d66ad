#include "runtime/php/post.h"

#include "base/fd.h"
#include "runtime/php/body.h"
#include "runtime/php/php.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <php_open_temporary_file.h>

/*
 * Bodies that no extension parses: what scripts read from php://input. PHP keeps those of more than
 * a block in a temporary file, and so do we, but write whole records of the web server into it
 * instead of blocks of 16 KB, read it by more than 8 KB, and leave giving its pages back for when
 * the answer has gone out. What the web server has in a file already is read from there.
 */

#define AHEAD_SIZE (64 * 1024)

/* A body as a stream of PHP's. Nobody but php://input and extensions sees it. */
typedef struct Body {
    int fd;
    zend_off_t size, position;
    zend_off_t ahead_at; /* where in the file ahead[] begins */
    size_t n_ahead;
    char ahead[AHEAD_SIZE];
} Body;

static ssize_t read_at(int fd, char *buffer, size_t n, zend_off_t at)
{
    ssize_t got;

    do
        got = pread(fd, buffer, n, at);
    while (got < 0 && errno == EINTR);
    return got;
}

static ssize_t body_read(php_stream *stream, char *buffer, size_t n)
{
    Body *b = stream->abstract;
    zend_off_t left = MAX(b->size - b->position, 0), offset;
    ssize_t got;

    n = MIN(n, (size_t)left);
    if (n == 0) {
        stream->eof = 1;
        return 0;
    }
    offset = b->position - b->ahead_at;
    if (offset < 0 || offset >= (zend_off_t)b->n_ahead) {
        b->n_ahead = 0;
        got = read_at(b->fd, b->ahead, MIN(sizeof(b->ahead), (size_t)left), b->position);
        if (got <= 0) {
            stream->eof = 1; /* somebody made the web server's file shorter */
            return got;
        }
        b->ahead_at = b->position;
        b->n_ahead = (size_t)got;
        offset = 0;
    }
    n = MIN(n, b->n_ahead - (size_t)offset);
    memcpy(buffer, b->ahead + offset, n);
    b->position += (zend_off_t)n;
    return (ssize_t)n;
}

static ssize_t body_write(php_stream *stream, const char *data, size_t n)
{
    (void)stream, (void)data, (void)n;
    return -1;
}

/* To any place, as in a file: behind the end is nothing. */
static int body_seek(php_stream *stream, zend_off_t offset, int whence, zend_off_t *ret_position)
{
    Body *b = stream->abstract;

    if (whence == SEEK_CUR)
        offset += b->position;
    else if (whence == SEEK_END)
        offset += b->size;
    *ret_position = b->position;
    if (offset < 0)
        return -1;
    *ret_position = b->position = offset;
    stream->eof = 0;
    return 0;
}

static int body_close(php_stream *stream, int close_handle)
{
    Body *b = stream->abstract;

    (void)close_handle;
    if (php_request())
        request_close_later(php_request()->request, b->fd);
    else
        fd_close(b->fd);
    efree(b);
    return 0;
}

static int body_flush(php_stream *stream)
{
    (void)stream;
    return 0;
}

static const php_stream_ops body_ops = {
    .write = body_write,
    .read = body_read,
    .close = body_close,
    .flush = body_flush,
    .label = "BODY",
    .seek = body_seek,
};

/* Takes the descriptor. */
static void give_to_php(int fd, zend_off_t size)
{
    Body *b = emalloc(sizeof(*b));

    b->fd = fd;
    b->size = size;
    b->position = b->ahead_at = 0;
    b->n_ahead = 0;
    SG(request_info).request_body = php_stream_alloc(&body_ops, b, NULL, "rb");
    SG(request_info).request_body->flags |= PHP_STREAM_FLAG_NO_BUFFER;
}

/* It has no name from the beginning: nothing is left of it, whatever ends the worker. */
static int make_file(void)
{
    zend_string *path = NULL;
    int fd = php_open_temporary_fd(PG(upload_tmp_dir), "php", &path);

    if (fd >= 0)
        unlink(ZSTR_VAL(path));
    if (path)
        zend_string_release(path);
    return fd;
}

static int write_all(int fd, const uint8_t *data, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, data, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        data += done;
        n -= (size_t)done;
    }
    return 0;
}

/* What has been read is lost for the script, as with PHP's own: it sees an empty body. */
static void say_full(int error)
{
    php_error_docref(NULL, E_NOTICE, "Write of the body failed with errno=%d %s", -error,
                     strerror(-error));
    php_error_docref(NULL, E_WARNING, "POST data can't be buffered; all data discarded");
}

/* From the connection into the file. */
static void spool(PhpRequest *r, int fd)
{
    zend_off_t size = 0, length = SG(request_info).content_length;

    while (size < length) {
        const uint8_t *piece;
        ssize_t n = request_next(r->request, &piece, (size_t)(length - size));
        int error;

        if (n <= 0) {
            r->input_over = true;
            break;
        }
        SG(read_post_bytes) += n;
        error = write_all(fd, piece, (size_t)n);
        if (error < 0) {
            say_full(error);
            r->input_over = true;
            size = 0;
            break;
        }
        size += (zend_off_t)n;
    }
    give_to_php(fd, size);
}

static void open_body_file(PhpRequest *r, const char *path)
{
    int fd = body_open(path, r->spec->body_file_paths, r->spec->n_body_file_paths);

    if (fd >= 0)
        r->body_fd = fd;
    else if (fd == -EPERM)
        php_error(E_WARNING,
                  "REQUEST_BODY_FILE: '%s' is not below a directory of security.body_file_paths, "
                  "or a link leads there",
                  path);
    else
        php_error(E_WARNING, "REQUEST_BODY_FILE: open('%s') failed: %s (%d)", path, strerror(-fd),
                  -fd);
}

bool post_is_in_file(PhpRequest *r)
{
    const char *path = request_param(r->request, "REQUEST_BODY_FILE");

    if (!path || !*path)
        return false;
    if (r->body_fd == -1)
        open_body_file(r, path);
    return true;
}

/* From the file in which the web server has it. */
static void lend(PhpRequest *r)
{
    int fd = TAKE_FD(r->body_fd);
    zend_off_t size = 0;
    struct stat st;

    if (fstat(fd, &st) == 0)
        size = MIN((zend_off_t)st.st_size, SG(request_info).content_length);
    SG(read_post_bytes) = size;
    give_to_php(fd, size);
}

static void read_post(void)
{
    zend_long length = SG(request_info).content_length, limit = SG(post_max_size);
    PhpRequest *r = php_request();
    int fd;

    /* Small ones stay in memory, and PHP says it when one is too large. */
    if (!r || !r->has_length || length <= SAPI_POST_BLOCK_SIZE || (limit > 0 && length > limit) ||
        SG(request_info).post_entry || strcmp(SG(request_info).request_method, "POST") != 0) {
        php_default_post_reader();
        return;
    }
    if (post_is_in_file(r)) {
        r->input_over = true; /* after a complaint it is an empty one */
        if (r->body_fd < 0) {
            php_default_post_reader();
            return;
        }
        lend(r);
    } else {
        fd = make_file();
        if (fd < 0) {
            php_default_post_reader();
            return;
        }
        spool(r, fd);
    }
    SG(post_read) = 1;
}

void post_init(void)
{
    sapi_register_default_post_reader(read_post);
}
