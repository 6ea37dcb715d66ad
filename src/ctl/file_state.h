#pragma once

/*
 * What is at a path, so that it can be put back: a file, a link, or nothing. A link in the last
 * component is never followed, and a file is there as a whole or not at all, also after a crash:
 * each is made beside its place, under a name of its own, and then gets its name.
 */

#include "base/macro.h"

#include <sys/types.h>

typedef enum FileKind {
    FILE_NONE, /* nothing is there */
    FILE_REGULAR,
    FILE_LINK,
} FileKind;

typedef struct FileState {
    FileKind kind;
    char *data; /* the content, or where the link leads; ends with a NUL that does not count */
    size_t n;
    mode_t mode; /* permissions of a file */
    uid_t uid;   /* -1: of whoever writes it */
    gid_t gid;   /* likewise */
} FileState;

void file_state_done(FileState *s);
#define _cleanup_file_state_ _cleanup_(file_state_done)

/** 0; -EFBIG above 4 MiB, -EINVAL for what is neither a file nor a link, or another -errno. */
int file_state_read(const char *path, FileState *ret);

/** Whether both are of the same kind and content. */
bool file_state_is_same(const FileState *a, const FileState *b);

/**
 * Makes the path what the state says: content, permissions, owner. Nobody but the owner gets the
 * permission to write. Synchronises with the disk. 0 or -errno; -EPERM also when the owner cannot
 * be given, and then nothing has changed.
 */
int file_state_write(const char *path, const FileState *s);

/** Removes what a writer left beside the path that was cut off. */
void file_state_sweep(const char *path);

/** Synchronises the folder of the path with the disk. 0 or -errno. */
int file_sync_folder(const char *path);

/** Writes all of it. 0 or -errno. */
int file_write_all(int fd, const void *data, size_t n);
