#pragma once

/*
 * What an import wrote, so that it can be taken back: CONFIG_DIR/.import/NUMBER/record, and copies
 * of what it replaced beside it. For root alone. Each import that writes anything has a number of
 * its own; the highest is the last.
 *
 * The record says first what is about to be done, so that also an import that was cut off can be
 * taken back.
 */

#include "ctl/file_state.h"

#define RECORD_FOLDER ".import"

typedef struct Record {
    char *base;   /* CONFIG_DIR/.import */
    char *folder; /* of this import, NULL: not begun */
    unsigned n_copies;
} Record;

typedef enum RecordKind {
    RECORD_CREATED,  /* a file that was not there */
    RECORD_REPLACED, /* a file or link; a copy of it is beside the record */
    RECORD_REMOVED,  /* likewise */
    RECORD_POOL,     /* path is the name of a pool */
    _RECORD_KIND_MAX,
} RecordKind;

typedef struct RecordLine {
    RecordKind kind;
    uint64_t hash; /* of what was written */
    size_t size;
    unsigned copy; /* 0: none */
    mode_t mode;   /* of what was there before, with its type */
    uid_t uid;     /* likewise */
    gid_t gid;
    char *path;
} RecordLine;

typedef struct RecordLines {
    RecordLine *items;
    size_t n;
} RecordLines;

void record_done(Record *record);
void record_lines_done(RecordLines *lines);

/** For config_dir; nothing is written yet. 0 or -ENOMEM. */
int record_init(Record *record, const char *config_dir);

/** Adds a line and sees to it that it is on disk. The first call makes the folder. data is what the
 * file will have (NULL: it will be removed), earlier what is there. 0 or -errno. */
int record_add_file(Record *record, const char *path, const void *data, size_t n,
                    const FileState *earlier);
int record_add_pool(Record *record, const char *pool);

/** Opens the last import. 0, -ENOENT: there is none, or another -errno. */
int record_open_last(Record *record);

/** Its lines in order; none of an import that was cut off before it began. A last line that is not
 * whole was never acted upon, others that cannot be read end the reading with -EBADMSG. */
int record_read(const Record *record, RecordLines *ret);

/** Whether this is what the import made of the file. */
bool record_is_ours(const RecordLine *line, const FileState *now);

/** What was there before the import. 0 or -errno. */
int record_read_earlier(const Record *record, const RecordLine *line, FileState *ret);

/** Replaces the record by the lines that are still to be taken back; none: removes it. 0 or
 * -errno. */
int record_finish(const Record *record, const RecordLine *const *kept, size_t n);
