#include "sandbox/landlock.h"

#include "base/fd.h"
#include "base/parse.h"
#include "board/slot.h"
#include "sandbox/needs.h"
#include "sandbox/resolve.h"
#include "sandbox/ruleset.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RIGHTS_TO_READ (ACCESS_FS_READ_FILE | ACCESS_FS_READ_DIR)
/* Nobody makes devices; they are handled and never allowed. */
#define RIGHTS_TO_MAKE_DEVICES (ACCESS_FS_MAKE_CHAR | ACCESS_FS_MAKE_BLOCK)
#define RIGHTS_TO_CHANGE                                                                           \
    (ACCESS_FS_WRITE_FILE | ACCESS_FS_REMOVE_DIR | ACCESS_FS_REMOVE_FILE | ACCESS_FS_MAKE_DIR |    \
     ACCESS_FS_MAKE_REG | ACCESS_FS_MAKE_SOCK | ACCESS_FS_MAKE_FIFO | ACCESS_FS_MAKE_SYM |         \
     ACCESS_FS_REFER | ACCESS_FS_TRUNCATE | ACCESS_FS_IOCTL_DEV)
/* Executing a file opens it for reading. */
#define RIGHTS_TO_EXECUTE (ACCESS_FS_EXECUTE | ACCESS_FS_READ_FILE)

/* A layer that is being made. */
typedef struct Layer {
    const LandlockWish *wish;
    LandlockOutcome *outcome;
    RulesetHandled known;
    uint64_t asked; /* rights to files that the lists restrict */
    int ruleset;
    int host, root; /* "/" and where the lists begin, O_PATH; root -1: the same */
} Layer;

static void layer_done(Layer *l)
{
    fd_close(l->ruleset);
    fd_close(l->host);
    fd_close(l->root);
}

static int fail(LandlockOutcome *o, int error, const char *format, ...) _printf_(3, 4);

static int fail(LandlockOutcome *o, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(o->text, sizeof(o->text), format, args);
    va_end(args);
    return error;
}

static int allow(Layer *l, int fd, uint64_t rights)
{
    int r = ruleset_allow_path(l->ruleset, &l->known, fd, rights);

    if (r < 0)
        return fail(l->outcome, r, "a rule of Landlock cannot be added: %s", strerror(-r));
    l->outcome->n_rules++;
    return 0;
}

/* ---- the lists of the pool file ---- */

static bool list_is_none(const LandlockList *list)
{
    return list->n == 1 && strcmp(list->items[0], "none") == 0;
}

static int explain_path(Layer *l, const char *directive, const char *path, int error,
                        const char *link)
{
    const char *below = l->wish->root ? " below chroot = " : "";
    const char *root = l->wish->root ? l->wish->root : "";

    if (error == -EKEYREJECTED)
        return fail(l->outcome, error,
                    "%s: %s%s%s: %s is a link that the user of the pool can change, so that a "
                    "hacked script could make it mean any file; expected a path without it, or a "
                    "link of another user in a folder of another user",
                    directive, path, below, root, strcmp(link, path) == 0 ? "it" : link);
    if (error == -ENOENT || error == -ENOTDIR)
        return fail(l->outcome, error,
                    "%s: %s%s%s: %s, expected a folder or a file, or -%s for one that may be "
                    "missing",
                    directive, path, below, root, strerror(-error), path);
    return fail(l->outcome, error, "%s: %s%s%s: the user of the pool cannot get there: %s",
                directive, path, below, root, strerror(-error));
}

static int allow_list(Layer *l, const char *directive, const LandlockList *list, uint64_t rights)
{
    for (size_t i = 0; i < list->n && !list_is_none(list); i++) {
        bool may_miss = list->items[i][0] == '-';
        const char *path = list->items[i] + may_miss;
        char link[PATH_MAX] = "";
        _cleanup_fd_ int fd =
            resolve_path(l->root >= 0 ? l->root : l->host, path, link, sizeof(link));
        int r;

        if (fd < 0 && may_miss && (fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES))
            continue;
        if (fd < 0)
            return explain_path(l, directive, path, fd, link);
        r = allow(l, fd, rights);
        if (r < 0)
            return r;
    }
    return 0;
}

static int allow_ports(Layer *l)
{
    const LandlockList *list = &l->wish->tcp;

    for (size_t i = 0; i < list->n && !list_is_none(list); i++) {
        uint64_t port;
        int r = parse_u64(list->items[i], 0, UINT16_MAX, &port);

        if (r == 0)
            r = ruleset_allow_port(l->ruleset, port, ACCESS_NET_CONNECT_TCP);
        if (r < 0)
            return fail(l->outcome, r, "sandbox.tcp_connect: %s: %s", list->items[i], strerror(-r));
        l->outcome->n_rules++;
    }
    return 0;
}

/* ---- what every pool needs ---- */

static uint64_t rights_of_need(const LandlockWish *w, NeedRight right)
{
    switch (right) {
    case NEED_READ:
        return RIGHTS_TO_READ;
    case NEED_DEVICE:
        /* stdio asks a device whether it is a terminal. */
        return ACCESS_FS_READ_FILE | ACCESS_FS_WRITE_FILE | ACCESS_FS_TRUNCATE |
               ACCESS_FS_IOCTL_DEV;
    case NEED_SCRATCH:
        return RIGHTS_TO_READ | (RIGHTS_TO_CHANGE & ~ACCESS_FS_IOCTL_DEV);
    case NEED_LOADER:
        return w->exec.n > 0 && list_is_none(&w->exec) ? 0 : RIGHTS_TO_EXECUTE;
    default:
        return 0;
    }
}

static int allow_needs(Layer *l, int root)
{
    size_t n;
    const Need *table = needs(&n);

    for (size_t i = 0; i < n; i++) {
        uint64_t rights = rights_of_need(l->wish, table[i].right) & l->asked;
        _cleanup_fd_ int fd = -1;
        int r;

        if (rights == 0)
            continue;
        fd = resolve_path(root, table[i].path, NULL, 0);
        r = fd < 0 ? 0 : allow(l, fd, rights);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Folders of settings are made of links. */
static int allow_links(Layer *l, const char *folder)
{
    _cleanup_fd_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    int r = 0;

    if (!d)
        return 0;
    (void)TAKE_FD(fd);
    for (const struct dirent *e; r == 0 && (e = readdir(d));) {
        char path[PATH_MAX];
        _cleanup_fd_ int target = -1;

        if (e->d_type != DT_LNK ||
            (size_t)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name) >= sizeof(path))
            continue;
        target = resolve_path(l->host, path, NULL, 0);
        r = target < 0 ? 0 : allow(l, target, RIGHTS_TO_READ);
    }
    closedir(d);
    return r;
}

static int allow_language(Layer *l)
{
    int r = 0;

    for (const char *const *p = l->wish->language; r == 0 && p && *p; p++) {
        _cleanup_fd_ int fd = resolve_path(l->host, *p, NULL, 0);

        r = fd < 0 ? 0 : allow(l, fd, RIGHTS_TO_READ);
        if (r == 0 && fd >= 0)
            r = allow_links(l, *p);
    }
    return r;
}

/* ---- the layer ---- */

static RulesetHandled wanted(const LandlockWish *w)
{
    RulesetHandled h = {
        .net = w->tcp.n > 0 ? ACCESS_NET_CONNECT_TCP : 0,
        .scoped = SCOPE_SIGNAL | (w->abstract_sockets ? 0 : SCOPE_ABSTRACT_SOCKET),
    };

    if (w->read.n > 0)
        h.files |= RIGHTS_TO_READ;
    if (w->write.n > 0)
        h.files |= RIGHTS_TO_CHANGE | RIGHTS_TO_MAKE_DEVICES;
    if (w->exec.n > 0)
        h.files |= ACCESS_FS_EXECUTE;
    return h;
}

static const char *first_directive(const LandlockWish *w)
{
    return w->read.n > 0    ? "sandbox.read"
           : w->write.n > 0 ? "sandbox.write"
           : w->exec.n > 0  ? "sandbox.exec_paths"
                            : "sandbox.tcp_connect";
}

/* What the kernel lacks: an error, or noted. */
static int compare(const RulesetHandled *h, int abi, const LandlockWish *w, LandlockOutcome *o)
{
    if (abi == 0 && (h->files || h->net) && !w->optional)
        return fail(o, -ENOSYS,
                    "%s needs Landlock, which this kernel does not have, or which is switched off "
                    "(lsm= of its command line) or denied to this container; expected Linux 5.13 "
                    "or later, or sandbox.landlock = if-available",
                    first_directive(w));
    if (abi < ABI_WITH_NET && h->net && !w->optional)
        return fail(o, -ENOSYS,
                    "sandbox.tcp_connect needs version %d of Landlock and this kernel has %d; "
                    "expected Linux 6.7 or later, or sandbox.landlock = if-available",
                    ABI_WITH_NET, abi);
    if (h->files && abi < ABI_WITH_FILES)
        o->moot |= BOARD_MOOT_PATHS;
    if (h->net && abi < ABI_WITH_NET)
        o->moot |= BOARD_MOOT_TCP;
    if (abi < ABI_WITH_SCOPES)
        o->moot |= BOARD_MOOT_SCOPES;
    return 0;
}

static int open_roots(Layer *l)
{
    const char *root = l->wish->root;
    char link[PATH_MAX] = "";
    int r;

    l->host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (l->host < 0)
        return fail(l->outcome, -errno, "the root directory cannot be opened: %s", strerror(errno));
    if (!root)
        return 0;
    r = resolve_path(l->host, root, link, sizeof(link));
    if (r == -EKEYREJECTED)
        return fail(l->outcome, r, "chroot: %s: %s is a link that the user of the pool can change",
                    root, link);
    if (r < 0)
        return fail(l->outcome, r, "chroot: %s: %s", root, strerror(-r));
    l->root = r;
    return 0;
}

static int fill(Layer *l)
{
    const LandlockWish *w = l->wish;
    int r = open_roots(l);

    if (r == 0 && w->write.n == 0)
        r = allow(l, l->host, ACCESS_FS_REFER);
    if (r < 0 || l->asked == 0)
        return r;
    r = allow_needs(l, l->host);
    if (r == 0 && l->root >= 0)
        r = allow_needs(l, l->root);
    if (r == 0)
        r = allow_language(l);
    if (r == 0)
        r = allow_list(l, "sandbox.read", &w->read, RIGHTS_TO_READ);
    if (r == 0)
        r = allow_list(l, "sandbox.write", &w->write, RIGHTS_TO_READ | RIGHTS_TO_CHANGE);
    if (r == 0)
        r = allow_list(l, "sandbox.exec_paths", &w->exec, RIGHTS_TO_EXECUTE);
    return r;
}

int landlock_confine(const LandlockWish *w, int abi, LandlockOutcome *ret)
{
    _cleanup_(layer_done)
        Layer l = {.wish = w, .outcome = ret, .ruleset = -1, .host = -1, .root = -1};
    /* Handled in any case, see sandbox/ruleset.h; granted everywhere unless writing is restricted.
     */
    static const RulesetHandled refer = {.files = ACCESS_FS_REFER};
    RulesetHandled h = wanted(w);
    int r;

    *ret = (LandlockOutcome){0};
    if (abi < 0)
        return fail(ret, abi, "Landlock cannot be asked for its version: %s", strerror(-abi));
    r = compare(&h, abi, w, ret);
    if (r < 0)
        return r;
    l.known = ruleset_known(&h, abi);
    if (!l.known.files && !l.known.net && !l.known.scoped)
        return 0;
    l.asked = l.known.files;
    l.known.files |= ruleset_known(&refer, abi).files;
    l.ruleset = ruleset_create(&l.known, abi);
    if (l.ruleset < 0)
        return fail(ret, l.ruleset, "a ruleset of Landlock cannot be made: %s",
                    strerror(-l.ruleset));
    if (l.known.files)
        r = fill(&l);
    if (r == 0 && l.known.net)
        r = allow_ports(&l);
    if (r < 0)
        return r;
    r = ruleset_enforce(l.ruleset);
    return r < 0 ? fail(ret, r, "Landlock cannot be put into force: %s", strerror(-r)) : 0;
}
