#include "conf/include.h"
#include "conf/value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *include_enter(IncludeStack *stack, const char *path)
{
    struct stat st;

    if (stack->depth >= INCLUDE_DEPTH)
        return "includes are nested too deep, expected at most 5 files";
    if (stack->n_files >= INCLUDE_MAX_FILES)
        return "too many files are included, expected at most 4096";
    /* Reading reports what is missing. */
    if (stat(path, &st) < 0)
        st = (struct stat){0};
    else if (!S_ISREG(st.st_mode))
        return "it is not a regular file";
    for (size_t i = 0; i < stack->depth && st.st_ino; i++)
        if (stack->devices[i] == st.st_dev && stack->inodes[i] == st.st_ino)
            return "the file includes itself";
    stack->devices[stack->depth] = st.st_dev;
    stack->inodes[stack->depth] = st.st_ino;
    stack->depth++;
    stack->n_files++;
    return NULL;
}

void include_leave(IncludeStack *stack)
{
    stack->depth--;
}

void include_list_done(IncludeList *list)
{
    globfree(&list->found);
}

/* The pattern, with the folder of the including file before it unless it is absolute. */
static char *absolute_pattern(const char *pattern, const char *file)
{
    const char *slash = strrchr(file, '/');
    size_t n = slash && pattern[0] != '/' ? (size_t)(slash - file) + 1 : 0;
    char *joined = malloc(n + strlen(pattern) + 1);

    if (joined)
        stpcpy(mempcpy(joined, file, n), pattern);
    return joined;
}

/* glob() marks folders with a slash at the end; they are none of ours. */
static void drop_folders(glob_t *g)
{
    size_t kept = 0;

    for (size_t i = 0; i < g->gl_pathc; i++) {
        size_t n = strlen(g->gl_pathv[i]);

        if (n > 0 && g->gl_pathv[i][n - 1] == '/')
            free(g->gl_pathv[i]);
        else
            g->gl_pathv[kept++] = g->gl_pathv[i];
    }
    for (size_t i = kept; i < g->gl_pathc; i++)
        g->gl_pathv[i] = NULL;
    g->gl_pathc = kept;
}

/* glob() hands its caller's data to nobody: where it stopped, and why. */
static char stopped_at[256];
static int stopped_for;

static int on_glob_error(const char *path, int error)
{
    snprintf(stopped_at, sizeof(stopped_at), "%s", path);
    stopped_for = error;
    return 1;
}

int include_find(Slice pattern, const char *file, const Reporter *r, IncludeList *list)
{
    _cleanup_free_ char *text = NULL, *joined = NULL;
    const char *error;
    int k = value_expand(pattern, &text, &error);

    if (k == -EINVAL)
        report(r, CONFIG_ERROR, "include", "%s", error);
    if (k < 0)
        return k == -EINVAL ? 0 : k;
    if (!text[0]) {
        report(r, CONFIG_ERROR, "include", "the value is empty, expected the name of a file");
        return 0;
    }
    joined = absolute_pattern(text, file);
    if (!joined)
        return -ENOMEM;
    k = glob(joined, GLOB_ERR | GLOB_MARK, on_glob_error, &list->found);
    if (k == GLOB_NOSPACE)
        return -ENOMEM;
    if (k == GLOB_ABORTED)
        report(r, CONFIG_ERROR, "include", "the folder %s of %s cannot be read: %s", stopped_at,
               text, strerror(stopped_for));
    else if (k == GLOB_NOMATCH)
        report(r, CONFIG_WARNING, "include", "no file matches %s", joined);
    else
        drop_folders(&list->found);
    return 0;
}
