#include "ctl/import_record.h"
#include "base/fd.h"
#include "base/parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD           "fpmctl import 1\n"
#define RECORD_MAX     (16 * 1024 * 1024)
#define COPY_MAX_BYTES (4 * 1024 * 1024)

static const char *const kinds[] = {
    [RECORD_CREATED] = "created",
    [RECORD_REPLACED] = "replaced",
    [RECORD_REMOVED] = "removed",
    [RECORD_POOL] = "pool",
};

void record_done(Record *record)
{
    free(record->base);
    free(record->folder);
    *record = (Record){0};
}

void record_lines_done(RecordLines *lines)
{
    for (size_t i = 0; i < lines->n; i++)
        free(lines->items[i].path);
    free(lines->items);
    *lines = (RecordLines){0};
}

int record_init(Record *record, const char *config_dir)
{
    *record = (Record){0};
    if (asprintf(&record->base, "%s/" RECORD_FOLDER, config_dir) >= 0)
        return 0;
    record->base = NULL;
    return -ENOMEM;
}

/* FNV-1a, 64 bits: tells whether somebody has edited a file, not who. */
static uint64_t hash(const void *data, size_t n)
{
    const unsigned char *p = data;
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(1099511628211);
    return h;
}

/* The highest number of an import; 0: there is none. */
static uint64_t last_number(const char *base)
{
    DIR *dir = opendir(base);
    struct dirent *entry;
    uint64_t last = 0, number;

    while (dir && (entry = readdir(dir)))
        if (parse_u64(entry->d_name, 1, UINT32_MAX, &number) == 0)
            last = MAX(last, number);
    if (dir)
        closedir(dir);
    return last;
}

static int write_all(int fd, const void *data, size_t n)
{
    const char *p = data;

    while (n > 0) {
        ssize_t k = write(fd, p, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -errno;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

static int fsync_folder(const char *path)
{
    _cleanup_free_ char *folder = path_folder(path);
    _cleanup_fd_ int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    return !folder ? -ENOMEM : fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int record_write_file(const char *path, const void *data, size_t n, mode_t mode)
{
    _cleanup_free_ char *folder = path_folder(path), *temporary = NULL;
    _cleanup_fd_ int fd = -1;
    int r;

    if (!folder || asprintf(&temporary, "%s/.%s.XXXXXX", folder, path_base(path)) < 0) {
        temporary = NULL;
        return -ENOMEM;
    }
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = write_all(fd, data, n);
    if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0))
        r = -errno;
    if (r < 0) {
        unlink(temporary);
        return r;
    }
    return fsync_folder(path);
}

static int make_folder(const char *path)
{
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static char *record_path(const Record *record, const char *name)
{
    char *path;

    return asprintf(&path, "%s/%s", record->folder, name) < 0 ? NULL : path;
}

static int append(const Record *record, const char *text, size_t n)
{
    _cleanup_free_ char *path = record_path(record, "record");
    _cleanup_fd_ int fd = -1;
    int r;

    if (!path)
        return -ENOMEM;
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    r = write_all(fd, text, n);
    return r == 0 && fsync(fd) < 0 ? -errno : r;
}

static int begin(Record *record)
{
    int r;

    if (record->folder)
        return 0;
    r = make_folder(record->base);
    if (r == 0 && asprintf(&record->folder, "%s/%04" PRIu64, record->base,
                           last_number(record->base) + 1) < 0) {
        record->folder = NULL;
        return -ENOMEM;
    }
    if (r == 0)
        r = make_folder(record->folder);
    return r == 0 ? append(record, HEAD, strlen(HEAD)) : r;
}

static int write_line(Buffer *b, const RecordLine *line)
{
    /* Paths end with the line; pools have names and folders without control characters. */
    return strchr(line->path, '\n')
               ? -EINVAL
               : buffer_printf(b, "%s %016" PRIx64 " %zu %u %04o %s\n", kinds[line->kind],
                               line->hash, line->size, line->copy, line->mode, line->path);
}

static int append_line(const Record *record, const RecordLine *line)
{
    _cleanup_buffer_ Buffer b = {0};
    int r = write_line(&b, line);

    return r < 0 ? r : append(record, b.data, b.size);
}

int record_add_file(Record *record, const char *path, const void *data, size_t n,
                    const void *earlier, size_t n_earlier)
{
    RecordLine line = {.kind = !data      ? RECORD_REMOVED
                               : !earlier ? RECORD_CREATED
                                          : RECORD_REPLACED,
                       .hash = hash(data, n),
                       .size = n,
                       .path = (char *)(uintptr_t)path};
    _cleanup_free_ char *copy = NULL;
    char name[16];
    struct stat st;
    int r = begin(record);

    if (r == 0 && earlier) {
        line.mode = stat(path, &st) == 0 ? st.st_mode & 0777 : 0644;
        line.copy = ++record->n_copies;
        snprintf(name, sizeof(name), "%u", line.copy);
        copy = record_path(record, name);
        r = copy ? record_write_file(copy, earlier, n_earlier, 0600) : -ENOMEM;
    }
    return r < 0 ? r : append_line(record, &line);
}

int record_add_pool(Record *record, const char *pool)
{
    RecordLine line = {.kind = RECORD_POOL, .path = (char *)(uintptr_t)pool};
    int r = begin(record);

    return r < 0 ? r : append_line(record, &line);
}

int record_open_last(Record *record)
{
    uint64_t number = last_number(record->base);

    if (number == 0)
        return -ENOENT;
    if (asprintf(&record->folder, "%s/%04" PRIu64, record->base, number) >= 0)
        return 0;
    record->folder = NULL;
    return -ENOMEM;
}

static int parse_line(char *text, RecordLine *ret)
{
    RecordLine line = {0};
    char kind[16], *path;
    int n = 0;

    if (sscanf(text, "%15s %" SCNx64 " %zu %u %o%n", kind, &line.hash, &line.size, &line.copy,
               &line.mode, &n) != 5 ||
        text[n] != ' ' || !text[n + 1])
        return -EBADMSG;
    while (line.kind < _RECORD_KIND_MAX && strcmp(kinds[line.kind], kind) != 0)
        line.kind++;
    if (line.kind == _RECORD_KIND_MAX)
        return -EBADMSG;
    path = strdup(text + n + 1);
    if (!path)
        return -ENOMEM;
    line.path = path;
    *ret = line;
    return 0;
}

int record_read(const Record *record, RecordLines *ret)
{
    _cleanup_free_ char *path = record_path(record, "record"), *text = NULL;
    _cleanup_(record_lines_done) RecordLines lines = {0};
    char *state = NULL;
    int r = path ? fd_read_file(path, RECORD_MAX, &text, NULL) : -ENOMEM;

    if (r < 0)
        return r;
    if (strncmp(text, HEAD, strlen(HEAD)) != 0)
        return -EBADMSG;
    for (char *p = strtok_r(text + strlen(HEAD), "\n", &state); p;
         p = strtok_r(NULL, "\n", &state)) {
        RecordLine *grown = reallocarray(lines.items, lines.n + 1, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        lines.items = grown;
        r = parse_line(p, &grown[lines.n]);
        if (r < 0)
            return r;
        lines.n++;
    }
    *ret = lines;
    lines = (RecordLines){0};
    return 0;
}

bool record_is_unchanged(const RecordLine *line)
{
    _cleanup_free_ char *text = NULL;
    size_t n;
    int r = fd_read_file(line->path, COPY_MAX_BYTES, &text, &n);

    r = r == -ENOTDIR ? -ENOENT : r;
    if (line->kind == RECORD_REMOVED || r == -ENOENT)
        return r == -ENOENT && line->kind != RECORD_REPLACED;
    return r == 0 && n == line->size && hash(text, n) == line->hash;
}

int record_read_copy(const Record *record, const RecordLine *line, char **ret, size_t *ret_n)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%u", record->folder, line->copy) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    return fd_read_file(path, COPY_MAX_BYTES, ret, ret_n);
}

static int remove_record(const Record *record)
{
    DIR *dir = opendir(record->folder);
    struct dirent *entry;

    if (!dir)
        return -errno;
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    if (rmdir(record->folder) < 0)
        return -errno;
    rmdir(record->base); /* unless there are earlier imports */
    return 0;
}

int record_finish(const Record *record, const RecordLine *const *kept, size_t n)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_buffer_ Buffer b = {0};
    int r;

    if (n == 0)
        return remove_record(record);
    path = record_path(record, "record");
    r = path ? buffer_append(&b, HEAD, strlen(HEAD)) : -ENOMEM;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = write_line(&b, kept[i]);
    return r < 0 ? r : record_write_file(path, b.data, b.size, 0600);
}
