#include "runtime/php/cache.h"

#include "base/fd.h"
#include "runtime/php/cache_lock.h"
#include "runtime/php/object.h"
#include "runtime/php/unshare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <php.h>
#include <zend_extensions.h>
#include <zend_ini.h>

static struct {
    bool private;
    int lock_fd; /* OPcache's own number for its lock; -1: it has none */
} self = {.lock_fd = -1};

/* ---- where OPcache's memory is: its own variables know ---- */

typedef struct Variables {
    uintptr_t code; /* in the library that is looked for */
    const uintptr_t *words;
    size_t n;
} Variables;

static int find_variables(struct dl_phdr_info *object, size_t size, void *data)
{
    Variables *v = data;

    if (!object_has_address(object, v->code))
        return 0;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + part->p_vaddr, first;

        if (part->p_type != PT_LOAD || !(part->p_flags & PF_W))
            continue;
        first = (start + sizeof(uintptr_t) - 1) & ~(sizeof(uintptr_t) - 1);
        v->words = (const uintptr_t *)first;
        v->n = (start + part->p_memsz - first) / sizeof(uintptr_t);
    }
    return 1;
}

/* ---- its lock ---- */

/* A file that it has removed again, or a memfd: depends on how PHP was built. */
static bool is_lock(const char *target)
{
    const char *name = strrchr(target, '/');

    return name &&
           (strncmp(name, "/.ZendSem.", 10) == 0 || strncmp(name, "/memfd:opcache_lock", 19) == 0);
}

/* Its number, -ENOENT, -errno. */
static int find_lock(void)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    int found = -ENOENT;

    if (!folder)
        return -errno;
    while (found < 0 && (entry = readdir(folder))) {
        char target[4096];
        ssize_t n = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);

        if (n <= 0)
            continue;
        target[n] = 0;
        if (is_lock(target))
            found = atoi(entry->d_name);
    }
    closedir(folder);
    return found;
}

/* ---- */

static bool is_set(const char *name, size_t length)
{
    const char *value = zend_ini_string(name, length, false);

    return value && *value;
}

static const char *unsuitable_setting(void)
{
    const char *model = zend_ini_string(ZEND_STRL("opcache.preferred_memory_model"), false);

    /* Its files are written by one worker and run by the next. */
    if (is_set(ZEND_STRL("opcache.file_cache")))
        return "sandbox.opcache = private does not go with opcache.file_cache, through which "
               "workers can change the code of others";
    if (model && *model && strcmp(model, "mmap") != 0)
        return "sandbox.opcache = private does not go with opcache.preferred_memory_model, "
               "expected "
               "none or mmap";
    return NULL;
}

int cache_make_private(const char **ret_reason)
{
    const zend_extension *extension = zend_get_extension("Zend OPcache");
    Variables variables = {.code = extension ? (uintptr_t)extension->startup : 0};
    int64_t bytes;

    self.private = true;
    if (!extension || !zend_ini_long(ZEND_STRL("opcache.enable"), false))
        return 0;
    *ret_reason = unsuitable_setting();
    if (*ret_reason)
        return -EINVAL;
    dl_iterate_phdr(find_variables, &variables);
    bytes = unshare_memory(variables.words, variables.n);
    if (bytes < zend_ini_long(ZEND_STRL("opcache.memory_consumption"), false) << 20) {
        *ret_reason = "sandbox.opcache = private: the memory of OPcache cannot be made private";
        return bytes < 0 ? (int)bytes : -ENOENT;
    }
    self.lock_fd = find_lock();
    if (self.lock_fd < 0) {
        *ret_reason = "sandbox.opcache = private: the lock of OPcache cannot be found";
        return self.lock_fd;
    }
    return 0;
}

int cache_watch_lock(void)
{
    const zend_extension *extension = zend_get_extension("Zend OPcache");
    int fd;

    if (!extension || !extension->startup || !zend_ini_long(ZEND_STRL("opcache.enable"), false))
        return 0;
    fd = self.private ? self.lock_fd : find_lock();
    return fd < 0 ? 0 : cache_lock_init(fd, (uintptr_t)extension->startup, !self.private);
}

static int replace_lock(void)
{
    _cleanup_fd_ int fd = -1;

    if (self.lock_fd < 0)
        return 0;
    fd = memfd_create("opcache_lock", MFD_CLOEXEC);
    if (fd < 0 || dup3(fd, self.lock_fd, O_CLOEXEC) < 0)
        return -errno;
    return 0;
}

int cache_worker_start(void)
{
    int r = replace_lock();

    if (r == 0)
        cache_lock_worker_start();
    return r;
}

bool cache_is_private(void)
{
    return self.private;
}
