#include "ctl/import_record.h"
#include "base/fd.h"
#include "base/parse.h"
#include "ctl/import_texts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD       "fpmctl import 2\n"
#define RECORD_MAX (16 * 1024 * 1024)

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

static int make_folder(const char *path)
{
    return mkdir(path, 0700) < 0 ? -errno : file_sync_folder(path);
}

static int make_base(const char *path)
{
    struct stat st;
    int r = make_folder(path);

    if (r == -EEXIST)
        r = lstat(path, &st) < 0 ? -errno : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
    return r;
}

static char *record_path(const Record *record, const char *name)
{
    char *path;

    return asprintf(&path, "%s/%s", record->folder, name) < 0 ? NULL : path;
}

/* What cannot be written as a whole, on a full disk, is no part of the file. */
static int append(const Record *record, const char *text, size_t n)
{
    _cleanup_free_ char *path = record_path(record, "record");
    _cleanup_fd_ int fd = -1;
    struct stat st;
    int r;

    if (!path)
        return -ENOMEM;
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    r = file_write_all(fd, text, n);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (r < 0 && ftruncate(fd, st.st_size) < 0)
        return -errno;
    return r < 0 || st.st_size > 0 ? r : file_sync_folder(path);
}

/* The record itself first: without it, the copies are of no import. */
static int remove_record(const Record *record)
{
    DIR *dir = opendir(record->folder);
    struct dirent *entry;

    if (!dir)
        return -errno;
    if (unlinkat(dirfd(dir), "record", 0) == 0)
        fsync(dirfd(dir));
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    if (rmdir(record->folder) < 0)
        return -errno;
    rmdir(record->base); /* unless there are earlier imports */
    return 0;
}

static int begin(Record *record)
{
    int r;

    if (record->folder)
        return 0;
    r = make_base(record->base);
    if (r == 0 && asprintf(&record->folder, "%s/%04" PRIu64, record->base,
                           last_number(record->base) + 1) < 0) {
        record->folder = NULL;
        return -ENOMEM;
    }
    if (r == 0)
        r = make_folder(record->folder);
    if (r == 0)
        r = append(record, HEAD, strlen(HEAD));
    if (r < 0 && record->folder) {
        remove_record(record);
        free(record->folder);
        record->folder = NULL;
    }
    return r;
}

static int write_line(Buffer *b, const RecordLine *line)
{
    /* Paths end with the line; pools have names and folders without control characters. */
    return strchr(line->path, '\n')
               ? -EINVAL
               : buffer_printf(b, "%s %016" PRIx64 " %zu %u %06o %u %u %s\n", kinds[line->kind],
                               line->hash, line->size, line->copy, line->mode, line->uid, line->gid,
                               line->path);
}

static int append_line(const Record *record, const RecordLine *line)
{
    _cleanup_buffer_ Buffer b = {0};
    int r = write_line(&b, line);

    return r < 0 ? r : append(record, b.data, b.size);
}

static int write_copy(Record *record, RecordLine *line, const FileState *earlier)
{
    FileState copy = {FILE_REGULAR, earlier->data, earlier->n, 0600, (uid_t)-1, (gid_t)-1};
    _cleanup_free_ char *path = NULL;
    char name[16];

    line->mode = earlier->mode | (earlier->kind == FILE_LINK ? S_IFLNK : S_IFREG);
    line->uid = earlier->uid;
    line->gid = earlier->gid;
    line->copy = ++record->n_copies;
    snprintf(name, sizeof(name), "%u", line->copy);
    path = record_path(record, name);
    return path ? file_state_write(path, &copy) : -ENOMEM;
}

int record_add_file(Record *record, const char *path, const void *data, size_t n,
                    const FileState *earlier)
{
    RecordLine line = {.kind = !data                        ? RECORD_REMOVED
                               : earlier->kind == FILE_NONE ? RECORD_CREATED
                                                            : RECORD_REPLACED,
                       .hash = hash(data, n),
                       .size = n,
                       .path = (char *)(uintptr_t)path};
    int r = begin(record);

    if (r == 0 && earlier->kind != FILE_NONE)
        r = write_copy(record, &line, earlier);
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

    if (number == 0) {
        rmdir(record->base); /* of an import that was cut off at once */
        return -ENOENT;
    }
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

    if (sscanf(text, "%15s %" SCNx64 " %zu %u %o %u %u%n", kind, &line.hash, &line.size, &line.copy,
               &line.mode, &line.uid, &line.gid, &n) != 7 ||
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

static int read_lines(char *text, RecordLines *ret)
{
    _cleanup_(record_lines_done) RecordLines lines = {0};
    char *state = NULL;

    for (char *p = strtok_r(text, "\n", &state); p; p = strtok_r(NULL, "\n", &state)) {
        RecordLine *grown = reallocarray(lines.items, lines.n + 1, sizeof(*grown));
        int r;

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

int record_read(const Record *record, RecordLines *ret)
{
    _cleanup_free_ char *path = record_path(record, "record"), *text = NULL;
    size_t n = 0;
    int r = path ? fd_read_file(path, RECORD_MAX, &text, &n) : -ENOMEM;

    if (r == -ENOENT || (r == 0 && n < strlen(HEAD) && strncmp(text, HEAD, n) == 0)) {
        *ret = (RecordLines){0};
        return 0;
    }
    if (r < 0)
        return r;
    if (strncmp(text, HEAD, strlen(HEAD)) != 0)
        return -EBADMSG;
    *(strrchr(text, '\n') + 1) = 0;
    return read_lines(text + strlen(HEAD), ret);
}

bool record_is_ours(const RecordLine *line, const FileState *now)
{
    if (line->kind == RECORD_REMOVED)
        return now->kind == FILE_NONE;
    return now->kind == FILE_REGULAR && now->n == line->size &&
           hash(now->data, now->n) == line->hash;
}

int record_read_earlier(const Record *record, const RecordLine *line, FileState *ret)
{
    _cleanup_file_state_ FileState copy = {0};
    _cleanup_free_ char *path = NULL;
    int r;

    if (line->copy == 0) {
        *ret = (FileState){.kind = FILE_NONE};
        return 0;
    }
    if (asprintf(&path, "%s/%u", record->folder, line->copy) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    r = file_state_read(path, &copy);
    if (r < 0 || copy.kind != FILE_REGULAR)
        return r < 0 ? r : -ENOENT;
    *ret = copy;
    ret->kind = S_ISLNK(line->mode) ? FILE_LINK : FILE_REGULAR;
    ret->mode = line->mode & 07777;
    ret->uid = line->uid;
    ret->gid = line->gid;
    copy = (FileState){0};
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
    return r < 0 ? r
                 : file_state_write(path, &(FileState){FILE_REGULAR, b.data, b.size, 0600,
                                                       (uid_t)-1, (gid_t)-1});
}
