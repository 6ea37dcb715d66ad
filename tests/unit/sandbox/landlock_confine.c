/* What a process that is under the lists of a pool file still reaches, by every way in. */
#include "base/fd.h"
#include "board/slot.h"
#include "sandbox/landlock.h"
#include "sandbox/needs.h"
#include "tree.h"
#include "../run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

#define ABI_MAX 6

static int abi;            /* of the kernel */
static int outside_fd;     /* out/file, open before */
static int outside_folder; /* out, O_PATH */
static char abstract[32];  /* name of a socket of the parent's */
static in_port_t allowed_port, other_port;

/* read = in, write = work, exec = bin, tcp = allowed_port */
static char paths[3][PATH_MAX], port_text[8];
static const char *const read_list[] = {paths[0]}, *const write_list[] = {paths[1]},
                         *const exec_list[] = {paths[2]}, *const port_list[] = {port_text},
                         *const none[] = {"none"};
static const LandlockWish everything = {.read = {read_list, 1},
                                        .write = {write_list, 1},
                                        .exec = {exec_list, 1},
                                        .tcp = {port_list, 1}};

static in_port_t listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    return ntohs(address.sin_port);
}

static socklen_t abstract_address(struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path + 1, abstract, strlen(abstract));
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(abstract));
}

static void listen_abstract(void)
{
    struct sockaddr_un address;
    socklen_t n;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(abstract, sizeof(abstract), "fpmd-test-%d", (int)getpid());
    n = abstract_address(&address);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, n), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
}

static void copy_program(const char *to)
{
    _cleanup_fd_ int in = open("/bin/true", O_RDONLY | O_CLOEXEC);
    _cleanup_fd_ int out = open(tree_path(to), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    char buffer[4096];
    ssize_t n;

    while ((n = read(in, buffer, sizeof(buffer))) > 0)
        ck_assert_int_eq(write(out, buffer, (size_t)n), n);
}

static void make_tree(void)
{
    static const char *const folders[] = {
        "in",      "in/sub", "work", "work/a",   "work/b",    "work/dir",     "out",
        "out/sub", "bin",    "jail", "jail/out", "jail/data", "jail/data/sub"};
    static const char *const files[] = {"in/file",       "in/sub/file",   "work/file",
                                        "work/a/file",   "out/file",      "out/other",
                                        "jail/out/file", "jail/data/file"};

    tree_begin();
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        tree_folder(folders[i]);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        tree_file(files[i]);
    copy_program("bin/true");
    copy_program("in/true");
    copy_program("out/true");
    tree_link("../out/file", "in/link");
    tree_link("../out", "in/folder-link");
    tree_link("in", "current");
}

static void setup(void)
{
    static const char *const names[] = {"in", "work", "bin"};

    abi = landlock_find_abi();
    make_tree();
    tree_drop();
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        snprintf(paths[i], sizeof(paths[i]), "%s", tree_path(names[i]));
    outside_fd = open(tree_path("out/file"), O_RDWR | O_CLOEXEC);
    outside_folder = open(tree_path("out"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(outside_fd, 0);
    allowed_port = listen_somewhere();
    other_port = listen_somewhere();
    snprintf(port_text, sizeof(port_text), "%u", allowed_port);
    listen_abstract();
}

static int result(long r)
{
    return r < 0 ? errno : 0;
}

static int try_open(const char *path, int flags)
{
    _cleanup_fd_ int fd = open(path, flags | O_CLOEXEC, 0644);

    return result(fd);
}

/* ---- reading ---- */

static int read_inside(void)
{
    return try_open(tree_path("in/sub/file"), O_RDONLY);
}

static int read_outside(void)
{
    return try_open(tree_path("out/file"), O_RDONLY);
}

static int read_by_link(void)
{
    return try_open(tree_path("in/link"), O_RDONLY);
}

static int read_by_folder_link(void)
{
    return try_open(tree_path("in/folder-link/file"), O_RDONLY);
}

static int read_by_parent(void)
{
    return try_open(tree_path("in/../out/file"), O_RDONLY);
}

static int read_from_folder(void)
{
    _cleanup_fd_ int fd = openat(outside_folder, "file", O_RDONLY | O_CLOEXEC);

    return result(fd);
}

static int read_by_proc_root(void)
{
    char path[PATH_MAX + 32];

    snprintf(path, sizeof(path), "/proc/self/root%s", tree_path("out/file"));
    return try_open(path, O_RDONLY);
}

static int read_by_proc_cwd(void)
{
    return chdir(tree_path("out")) < 0 ? errno : try_open("/proc/self/cwd/file", O_RDONLY);
}

/* A path descriptor is given to everybody; it is not opened by that. */
static int read_by_proc_fd(void)
{
    _cleanup_fd_ int fd = open(tree_path("out/other"), O_PATH | O_CLOEXEC);
    char path[64];

    if (fd < 0)
        return 255;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return try_open(path, O_RDONLY);
}

/* Open already, and once more with more rights. */
static int read_open_one_again(void)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", outside_fd);
    return try_open(path, O_RDONLY);
}

static int read_open_one(void)
{
    char byte;

    return result(pread(outside_fd, &byte, 1, 0));
}

static int map_open_one(void)
{
    void *p = mmap(NULL, 8, PROT_READ, MAP_SHARED, outside_fd, 0);

    return p == MAP_FAILED ? errno : 0;
}

static int list_inside(void)
{
    return try_open(tree_path("in"), O_RDONLY | O_DIRECTORY);
}

static int list_outside(void)
{
    return try_open(tree_path("out"), O_RDONLY | O_DIRECTORY);
}

static int read_work(void)
{
    return try_open(tree_path("work/file"), O_RDONLY);
}

/* ---- changing ---- */

static int write_work(void)
{
    return try_open(tree_path("work/file"), O_WRONLY | O_TRUNC);
}

static int make_in_work(void)
{
    return try_open(tree_path("work/new"), O_WRONLY | O_CREAT | O_EXCL);
}

static int write_inside(void)
{
    return try_open(tree_path("in/file"), O_WRONLY);
}

static int make_inside(void)
{
    return try_open(tree_path("in/new"), O_WRONLY | O_CREAT);
}

static int make_unnamed_outside(void)
{
    return try_open(tree_path("out"), O_RDWR | O_TMPFILE);
}

static int write_outside(void)
{
    return try_open(tree_path("out/file"), O_WRONLY | O_APPEND);
}

static int truncate_outside(void)
{
    return result(truncate(tree_path("out/file"), 0));
}

static int truncate_by_open(void)
{
    return try_open(tree_path("in/file"), O_RDONLY | O_TRUNC);
}

static int unlink_work(void)
{
    return result(unlink(tree_path("work/file")));
}

static int unlink_inside(void)
{
    return result(unlink(tree_path("in/file")));
}

static int unlink_outside(void)
{
    return result(unlinkat(outside_folder, "file", 0));
}

static int make_folders(void)
{
    return mkdir(tree_path("work/made"), 0755) < 0 || rmdir(tree_path("work/made")) < 0 ||
                   symlink("file", tree_path("work/link")) < 0 ||
                   mkfifo(tree_path("work/fifo"), 0600) < 0
               ? errno
               : 0;
}

static int make_folder_outside(void)
{
    return result(mkdir(tree_path("out/made"), 0755));
}

static int remove_folder_outside(void)
{
    return result(rmdir(tree_path("out/sub")));
}

static int make_link_outside(void)
{
    return result(symlink("file", tree_path("out/link")));
}

static int make_socket_outside(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", tree_path("out/socket"));
    return result(
        bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof(address)));
}

static int make_device(void)
{
    return result(mknod(tree_path("work/device"), S_IFCHR | 0600, 0));
}

static int rename_within(void)
{
    return result(rename(tree_path("work/a/file"), tree_path("work/b/file")));
}

static int rename_folder_within(void)
{
    return result(rename(tree_path("work/dir"), tree_path("work/a/dir")));
}

static int rename_to_read(void)
{
    return result(rename(tree_path("out/file"), tree_path("in/stolen")));
}

static int link_to_read(void)
{
    return result(link(tree_path("out/file"), tree_path("in/stolen")));
}

/* Into a folder that may be read: a way to read what may not. */
static int rename_in(void)
{
    return result(rename(tree_path("out/file"), tree_path("work/stolen")));
}

static int rename_out(void)
{
    return result(rename(tree_path("work/file"), tree_path("out/planted")));
}

static int exchange(void)
{
    return result(syscall(SYS_renameat2, AT_FDCWD, tree_path("work/file"), AT_FDCWD,
                          tree_path("out/file"), 2U /* RENAME_EXCHANGE */));
}

static int link_in(void)
{
    return result(link(tree_path("out/file"), tree_path("work/stolen")));
}

static int link_by_descriptor(void)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", outside_fd);
    return result(linkat(AT_FDCWD, path, AT_FDCWD, tree_path("work/stolen"), AT_SYMLINK_FOLLOW));
}

/* ---- executing ---- */

static int run(const char *path, const char *argument)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        execl(path, path, argument, (char *)NULL);
        _exit(errno);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 254;
}

static int execute_listed(void)
{
    return run(tree_path("bin/true"), NULL);
}

static int execute_inside(void)
{
    return run(tree_path("in/true"), NULL);
}

static int execute_system(void)
{
    return run("/bin/true", NULL);
}

/* fexecve(3) of a file that was open; of one in memory, which is no path's. */
static int execute_memory(void)
{
    static char *const argv[] = {(char *)(uintptr_t) "true", NULL}, *const env[] = {NULL};
    _cleanup_fd_ int in = open(tree_path("bin/true"), O_RDONLY | O_CLOEXEC);
    int fd = memfd_create("true", MFD_CLOEXEC), status;
    char buffer[4096];
    ssize_t n;
    pid_t pid;

    while ((n = read(in, buffer, sizeof(buffer))) > 0)
        if (write(fd, buffer, (size_t)n) != n)
            return 255;
    pid = fork();
    if (pid == 0) {
        fexecve(fd, argv, env);
        _exit(errno);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 254;
}

/* What is started is inside as well: cat of a file outside fails with 1, sh is not listed. */
static int program_reads_outside(void)
{
    return run("/bin/cat", tree_path("out/file"));
}

/* ---- what every pool needs ---- */

static int use_null(void)
{
    struct termios t;
    _cleanup_fd_ int fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_TRUNC);

    if (fd < 0)
        return errno;
    return ioctl(fd, TCGETS, &t) < 0 && errno == ENOTTY ? 0 : EACCES;
}

static int use_scratch(void)
{
    char path[] = "/tmp/fpmd-test.XXXXXX";
    _cleanup_fd_ int fd = mkostemp(path, O_CLOEXEC);

    return fd < 0 || unlink(path) < 0 ? errno : 0;
}

static int read_own_proc(void)
{
    return try_open("/proc/self/statm", O_RDONLY);
}

static int read_zones(void)
{
    return try_open("/usr/share", O_RDONLY | O_DIRECTORY);
}

static int read_users(void)
{
    return try_open("/etc/passwd", O_RDONLY);
}

static int read_fstab(void)
{
    return try_open("/etc/fstab", O_RDONLY);
}

static int list_etc(void)
{
    return try_open("/etc", O_RDONLY | O_DIRECTORY);
}

static int use_memory_by_path(void)
{
    _cleanup_fd_ int fd = memfd_create("test", MFD_CLOEXEC);
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return try_open(path, O_RDWR);
}

static int use_pipe_by_path(void)
{
    int pipe_fds[2];
    char path[64];

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", pipe_fds[1]);
    return try_open(path, O_WRONLY);
}

/* ---- others ---- */

static int connect_to(in_port_t port, int family)
{
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    _cleanup_fd_ int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (family == AF_INET)
        return result(connect(fd, (struct sockaddr *)&v4, sizeof(v4)));
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &v6.sin6_addr);
    return result(connect(fd, (struct sockaddr *)&v6, sizeof(v6)));
}

static int connect_allowed(void)
{
    return connect_to(allowed_port, AF_INET);
}

static int connect_other(void)
{
    return connect_to(other_port, AF_INET);
}

static int connect_other_mapped(void)
{
    return connect_to(other_port, AF_INET6);
}

static int connect_abstract(void)
{
    struct sockaddr_un address;
    socklen_t n = abstract_address(&address);
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return result(connect(fd, (struct sockaddr *)&address, n));
}

static int signal_parent(void)
{
    return result(kill(getppid(), 0));
}

static int mount_something(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return EPERM;
    return result(mount("/", tree_path("in/sub"), NULL, MS_BIND, NULL));
}

/* What Landlock does not ask for: documented, and a newer kernel that does will say so here. */
static int look_at_outside(void)
{
    struct stat st;
    char target[64];

    return stat(tree_path("out/file"), &st) < 0 || access(tree_path("out/file"), R_OK) < 0 ||
                   readlink(tree_path("in/link"), target, sizeof(target)) < 0
               ? errno
               : 0;
}

static int enter_outside(void)
{
    return result(chdir(tree_path("out")));
}

static int change_mode_outside(void)
{
    return chmod(tree_path("out/file"), 0600) < 0 || utimes(tree_path("out/file"), NULL) < 0 ? errno
                                                                                             : 0;
}

static int write_open_one(void)
{
    return result(pwrite(outside_fd, "x", 1, 0));
}

static const struct {
    const char *name;
    int (*attempt)(void);
    int error; /* expected under the lists */
    int abi;   /* from which on */
} attempts[] = {
    {"read inside", read_inside, 0, 1},
    {"read outside", read_outside, EACCES, 1},
    {"read by a link", read_by_link, EACCES, 1},
    {"read by a link to a folder", read_by_folder_link, EACCES, 1},
    {"read by ..", read_by_parent, EACCES, 1},
    {"read from a folder descriptor", read_from_folder, EACCES, 1},
    {"read by /proc/self/root", read_by_proc_root, EACCES, 1},
    {"read by /proc/self/cwd", read_by_proc_cwd, EACCES, 1},
    {"read by /proc/self/fd", read_by_proc_fd, EACCES, 1},
    {"open an open file again", read_open_one_again, EACCES, 1},
    {"read an open file", read_open_one, 0, 1},
    {"map an open file", map_open_one, 0, 1},
    {"list inside", list_inside, 0, 1},
    {"list outside", list_outside, EACCES, 1},
    {"read where it may write", read_work, 0, 1},

    {"write work", write_work, 0, 1},
    {"make in work", make_in_work, 0, 1},
    {"write inside", write_inside, EACCES, 1},
    {"make inside", make_inside, EACCES, 1},
    {"make unnamed outside", make_unnamed_outside, EACCES, 1},
    {"write outside", write_outside, EACCES, 1},
    {"truncate outside", truncate_outside, EACCES, 3},
    {"truncate by open", truncate_by_open, EACCES, 3},
    {"unlink work", unlink_work, 0, 1},
    {"unlink inside", unlink_inside, EACCES, 1},
    {"unlink outside", unlink_outside, EACCES, 1},
    {"make folders", make_folders, 0, 1},
    {"make a folder outside", make_folder_outside, EACCES, 1},
    {"remove a folder outside", remove_folder_outside, EACCES, 1},
    {"make a link outside", make_link_outside, EACCES, 1},
    {"make a socket outside", make_socket_outside, EACCES, 1},
    {"make a device", make_device, EACCES, 1},
    {"rename within", rename_within, 0, 2},
    {"rename a folder within", rename_folder_within, 0, 2},
    {"rename in", rename_in, EACCES, 2},
    {"rename out", rename_out, EACCES, 2},
    {"exchange", exchange, EACCES, 2},
    {"link in", link_in, EXDEV, 2},
    {"link by descriptor", link_by_descriptor, EXDEV, 2},

    {"execute what is listed", execute_listed, 0, 1},
    {"execute inside", execute_inside, EACCES, 1},
    {"execute /bin/true", execute_system, EACCES, 1},
    {"execute memory", execute_memory, 0, 1},
    {"a program reads outside", program_reads_outside, EACCES, 1},

    {"/dev/null", use_null, 0, 1},
    {"/tmp", use_scratch, 0, 1},
    {"/proc/self", read_own_proc, 0, 1},
    {"/usr/share", read_zones, 0, 1},
    {"/etc/passwd", read_users, 0, 1},
    {"/etc/fstab", read_fstab, EACCES, 1},
    {"list /etc", list_etc, EACCES, 1},
    {"memory by its path", use_memory_by_path, 0, 1},
    {"pipe by its path", use_pipe_by_path, 0, 1},

    {"connect to a port of the list", connect_allowed, 0, 4},
    {"connect to another", connect_other, EACCES, 4},
    {"connect to another, IPv6", connect_other_mapped, EACCES, 4},
    {"connect to an abstract socket", connect_abstract, EPERM, 6},
    {"signal another", signal_parent, EPERM, 6},
    {"mount", mount_something, EPERM, 1},

    {"not covered: stat, access, readlink", look_at_outside, 0, 1},
    {"not covered: chdir", enter_outside, 0, 1},
    {"not covered: chmod, utimes", change_mode_outside, 0, 1},
    {"not covered: open before", write_open_one, 0, 1},
};

/* In a child: confines it and tries. 253: it could not be confined. */
static int attempt(const LandlockWish *wish, int version, int (*f)(void))
{
    LandlockOutcome outcome;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        /* Nor has it root's id kept anywhere: others may read its memory only then. */
        if (tree_was_root && setresuid(TREE_USER, TREE_USER, TREE_USER) < 0)
            _exit(252);
        if (wish && landlock_confine(wish, version, &outcome) < 0) {
            fprintf(stderr, "%s\n", outcome.text);
            _exit(253);
        }
        _exit(f());
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(under_all_lists)
{
    int r;

    if (abi < attempts[_i].abi) {
        fprintf(stderr, "%s: skipped, Landlock ABI %d\n", attempts[_i].name, abi);
        return;
    }
    r = attempt(&everything, abi, attempts[_i].attempt);
    ck_assert_msg(r == attempts[_i].error, "%s: %s", attempts[_i].name, strerror(r));
}
END_TEST

/* What is denied above succeeds without the layer (mounts and devices nobody may make). */
START_TEST(without_lists)
{
    int r;

    if (attempts[_i].error == 0 || attempts[_i].attempt == mount_something ||
        attempts[_i].attempt == make_device)
        return;
    r = attempt(NULL, abi, attempts[_i].attempt);
    ck_assert_msg(r == 0, "%s: %s", attempts[_i].name, strerror(r));
}
END_TEST

/* ---- one list at a time ---- */

#define ONLY(member, list, name) static const LandlockWish name = {.member = {list, 1}}
ONLY(read, read_list, only_read);
ONLY(write, write_list, only_write);
ONLY(exec, exec_list, only_exec);
ONLY(tcp, port_list, only_tcp);
ONLY(read, none, read_nothing);
ONLY(write, none, write_nothing);
ONLY(exec, none, execute_nothing);
ONLY(tcp, none, connect_nowhere);
static const LandlockWish nothing_asked = {0}, open_abstract = {.abstract_sockets = true};

static const LandlockWish *const on_top[] = {&nothing_asked, &only_read, &only_write, &only_exec,
                                             &only_tcp};

/* The worker's own layer on top takes nothing of that away. */
static int isolate_and_try(void)
{
    int r = landlock_isolate(abi, false);

    return r < 0 ? 252 : rename_within() + rename_folder_within() + use_null() + use_scratch();
}

static int isolate_and_rename(void)
{
    int r = landlock_isolate(abi, false);

    return r < 0 ? 252 : rename_within() + rename_folder_within();
}

START_TEST(a_layer_on_top)
{
    if (abi >= 2)
        ck_assert_int_eq(attempt(&everything, abi, isolate_and_try), 0);
}
END_TEST

/* Of each list alone, too: a layer that says nothing of files denies renames between folders as
 * soon as another one says something of them (seen with Linux 6.18), so that all of ours allow
 * them. */
START_TEST(renames_under_two_layers)
{
    if (abi >= 2)
        ck_assert_int_eq(attempt(on_top[_i], abi, isolate_and_rename), 0);
}
END_TEST

/* As a template does: it stays an ancestor of its workers, and reads and signals them. */
static int read_own_child(void)
{
    static char secret[] = "secret";
    char copy[sizeof(secret)] = "", byte;
    struct iovec to = {copy, sizeof(copy)}, from = {secret, sizeof(secret)};
    int ready[2], r;
    pid_t pid;

    if (pipe2(ready, O_CLOEXEC) < 0)
        return errno;
    pid = fork();
    if (pid == 0) {
        if (landlock_isolate(abi, false) < 0 || write(ready[1], "y", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1)
        return 251;
    r = result(process_vm_readv(pid, &to, 1, &from, 1, 0));
    if (r == 0)
        r = result(kill(pid, SIGKILL));
    return r;
}

START_TEST(an_ancestor_reads_and_signals)
{
    ck_assert_int_eq(attempt(&everything, abi, read_own_child), 0);
}
END_TEST

static const struct {
    const LandlockWish *wish;
    int (*attempt)(void);
    int error, abi;
} single[] = {
    {&only_read, read_outside, EACCES, 1},
    {&only_read, write_outside, 0, 1}, /* not restricted */
    {&only_read, rename_within, 0, 2},
    {&only_read, rename_folder_within, 0, 2},
    {&only_read, rename_to_read, EXDEV, 2}, /* it would be readable then */
    {&only_read, link_to_read, EXDEV, 2},
    {&only_read, execute_listed, EACCES, 1}, /* to be executed it has to be read */
    {&only_read, execute_system, 0, 1},
    {&only_read, connect_other, 0, 1},
    {&only_write, read_outside, 0, 1},
    {&only_write, write_outside, EACCES, 1},
    {&only_write, rename_within, 0, 2},
    {&only_write, execute_system, 0, 1},
    {&only_exec, read_outside, 0, 1},
    {&only_exec, write_outside, 0, 1},
    {&only_exec, execute_listed, 0, 1},
    {&only_exec, execute_system, EACCES, 1},
    {&only_exec, rename_within, 0, 2},
    {&only_tcp, connect_allowed, 0, 4},
    {&only_tcp, connect_other, EACCES, 4},
    {&only_tcp, read_outside, 0, 1},
    {&only_tcp, rename_within, 0, 4},
    {&read_nothing, read_inside, EACCES, 1},
    {&read_nothing, read_zones, 0, 1},
    {&write_nothing, write_work, EACCES, 1},
    {&write_nothing, use_null, 0, 1},
    {&write_nothing, use_scratch, 0, 1},
    {&execute_nothing, execute_listed, EACCES, 1},
    {&execute_nothing, execute_system, EACCES, 1},
    {&connect_nowhere, connect_allowed, EACCES, 4},
    {&nothing_asked, rename_within, 0, 6},
    {&nothing_asked, write_outside, 0, 1},
    {&nothing_asked, connect_other, 0, 1},
    {&nothing_asked, connect_abstract, EPERM, 6},
    {&nothing_asked, signal_parent, EPERM, 6},
    {&open_abstract, connect_abstract, 0, 1},
};

START_TEST(one_list)
{
    int r;

    if (abi < single[_i].abi)
        return;
    r = attempt(single[_i].wish, abi, single[_i].attempt);
    ck_assert_msg(r == single[_i].error, "row %d: %s", _i, strerror(r));
}
END_TEST

/* ---- kernels that know less ---- */

START_TEST(older_kernels)
{
    int version = _i;
    LandlockWish wish = everything;

    wish.optional = true;
    if (version > abi)
        return;
    ck_assert_int_eq(attempt(&wish, version, read_inside), 0);
    ck_assert_int_eq(attempt(&wish, version, read_outside), version >= 1 ? EACCES : 0);
    ck_assert_int_eq(attempt(&wish, version, truncate_outside), version >= 3 ? EACCES : 0);
    ck_assert_int_eq(attempt(&wish, version, rename_in), version >= 1 ? EACCES : 0);
    ck_assert_int_eq(attempt(&wish, version, rename_folder_within), version == 1 ? EXDEV : 0);
    ck_assert_int_eq(attempt(&wish, version, connect_other), version >= 4 ? EACCES : 0);
    ck_assert_int_eq(attempt(&wish, version, signal_parent), version >= 6 ? EPERM : 0);
}
END_TEST

static LandlockOutcome outcome_of(const LandlockWish *wish, int version, int error)
{
    static LandlockOutcome *shared;
    pid_t pid;
    int status;

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    pid = fork();
    if (pid == 0)
        _exit(-landlock_confine(wish, version, shared));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WEXITSTATUS(status), error);
    return *shared;
}

START_TEST(what_is_lacking_is_told)
{
    LandlockWish wish = everything;
    LandlockOutcome o = outcome_of(&wish, 0, ENOSYS);

    ck_assert_str_eq(o.text, "sandbox.read needs Landlock, which this kernel does not have, or "
                             "which is switched off (lsm= of its command line) or denied to this "
                             "container; expected Linux 5.13 or later, or sandbox.landlock = "
                             "if-available");
    ck_assert_ptr_nonnull(strstr(outcome_of(&only_exec, 0, ENOSYS).text, "sandbox.exec_paths "));
    ck_assert_ptr_nonnull(strstr(outcome_of(&only_tcp, 0, ENOSYS).text, "sandbox.tcp_connect "));
    if (abi >= 3) {
        o = outcome_of(&wish, 3, ENOSYS);
        ck_assert_str_eq(o.text, "sandbox.tcp_connect needs version 4 of Landlock and this kernel "
                                 "has 3; expected Linux 6.7 or later, or sandbox.landlock = "
                                 "if-available");
    }
    wish.optional = true;
    o = outcome_of(&wish, 0, 0);
    ck_assert_uint_eq(o.moot, BOARD_MOOT_PATHS | BOARD_MOOT_TCP | BOARD_MOOT_SCOPES);
    ck_assert_uint_eq(o.n_rules, 0);
    if (abi >= 3)
        ck_assert_uint_eq(outcome_of(&wish, 3, 0).moot, BOARD_MOOT_TCP | BOARD_MOOT_SCOPES);
    if (abi >= 6)
        ck_assert_uint_eq(outcome_of(&wish, abi, 0).moot, 0);
    /* Scopes are never asked for by name. */
    ck_assert_uint_eq(outcome_of(&nothing_asked, 0, 0).moot, BOARD_MOOT_SCOPES);
    ck_assert_ptr_nonnull(strstr(outcome_of(&nothing_asked, -EPERM, EPERM).text, "version"));
}
END_TEST

/* ---- paths ---- */

static LandlockOutcome outcome_of_path(const char *path, int error)
{
    const char *list[] = {path};
    LandlockWish wish = {.read = {list, 1}};

    return outcome_of(&wish, abi, error);
}

START_TEST(missing_paths)
{
    char text[PATH_MAX], minus[PATH_MAX];
    LandlockOutcome o;

    if (abi < 1)
        return;
    o = outcome_of_path(tree_path("nothing"), ENOENT);
    snprintf(text, sizeof(text),
             "sandbox.read: %s: No such file or directory, expected a folder or a file, or -%s for "
             "one that may be missing",
             tree_path("nothing"), tree_path("nothing"));
    ck_assert_str_eq(o.text, text);
    snprintf(minus, sizeof(minus), "-%s", tree_path("nothing"));
    outcome_of_path(minus, 0);
    snprintf(minus, sizeof(minus), "-%s", tree_path("in/file/below"));
    outcome_of_path(minus, 0);
}
END_TEST

START_TEST(a_link_of_our_own_is_no_promise)
{
    char link[PATH_MAX];
    LandlockOutcome o;

    if (abi < 1)
        return;
    snprintf(link, sizeof(link), "%s", tree_path("work/current"));
    ck_assert_int_eq(symlink("../out", link), 0);
    o = outcome_of_path(link, EKEYREJECTED);
    ck_assert_ptr_nonnull(
        strstr(o.text, "work/current: it is a link that the user of the pool can"));
    unlink(link);
}
END_TEST

START_TEST(a_link_of_another)
{
    const char *list[] = {tree_path("current"), tree_path("current"),
                          tree_path("in/../current/sub"), "/etc/hostname"};
    LandlockWish wish = {.read = {list, ARRAY_SIZE(list)}};

    if (abi < 1 || !tree_was_root)
        return;
    ck_assert_int_eq(attempt(&wish, abi, read_inside), 0);
    ck_assert_int_eq(attempt(&wish, abi, read_outside), EACCES);
}
END_TEST

START_TEST(everything_below_the_root)
{
    const char *list[] = {"/"};
    LandlockWish wish = {.read = {list, 1}, .write = {list, 1}, .exec = {list, 1}};

    if (abi < 2)
        return;
    ck_assert_int_eq(attempt(&wish, abi, read_outside), 0);
    ck_assert_int_eq(attempt(&wish, abi, write_outside), 0);
    ck_assert_int_eq(attempt(&wish, abi, rename_in), 0);
    ck_assert_int_eq(attempt(&wish, abi, execute_system), 0);
}
END_TEST

static int read_in_jail(void)
{
    return try_open(tree_path("jail/data/file"), O_RDONLY);
}

static int read_beside_jail(void)
{
    return try_open(tree_path("jail/out/file"), O_RDONLY);
}

/* The lists are about what is below the root that is changed to. */
START_TEST(below_another_root)
{
    char jail[PATH_MAX];
    const char *list[] = {"/data", "-/nothing", "/../data/sub"}, *bad[] = {"/nothing"};
    LandlockWish wish = {.read = {list, ARRAY_SIZE(list)}, .root = jail};
    LandlockOutcome o;

    snprintf(jail, sizeof(jail), "%s", tree_path("jail"));
    if (abi < 1)
        return;
    ck_assert_int_eq(attempt(&wish, abi, read_in_jail), 0);
    ck_assert_int_eq(attempt(&wish, abi, read_beside_jail), EACCES);
    ck_assert_int_eq(attempt(&wish, abi, read_outside), EACCES);
    ck_assert_int_eq(attempt(&wish, abi, read_zones), 0);
    wish.read = (LandlockList){bad, 1};
    o = outcome_of(&wish, abi, ENOENT);
    ck_assert_ptr_nonnull(strstr(o.text, "sandbox.read: /nothing below chroot = "));
    snprintf(jail, sizeof(jail), "%s", tree_path("nothing"));
    o = outcome_of(&wish, abi, ENOENT);
    ck_assert_ptr_nonnull(strstr(o.text, "chroot: "));
}
END_TEST

/* What the language reads, and what links in its folders lead to. */
START_TEST(the_language)
{
    char folder[PATH_MAX], missing[PATH_MAX];
    const char *language[] = {missing, "", folder, NULL};
    LandlockWish wish = {.read = {none, 1}, .language = language};

    snprintf(folder, sizeof(folder), "%s", tree_path("in"));
    snprintf(missing, sizeof(missing), "%s", tree_path("nothing"));
    if (abi < 1)
        return;
    ck_assert_int_eq(attempt(&wish, abi, read_inside), 0);
    ck_assert_int_eq(attempt(&wish, abi, read_work), EACCES);
    /* in/link and in/folder-link lead there, in a folder that is writable for this user. */
    ck_assert_int_eq(attempt(&wish, abi, read_outside), EACCES);
}
END_TEST

START_TEST(needs_are_a_table)
{
    size_t n;
    const Need *table = needs(&n);

    ck_assert_uint_gt(n, 20);
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(table[i].path[0] == '/' && table[i].path[1], "%s", table[i].path);
        ck_assert_msg(table[i].reason && *table[i].reason, "%s", table[i].path);
        ck_assert_str_ne(need_right_to_string(table[i].right), "unknown");
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(table[i].path, table[k].path);
    }
}
END_TEST

static Suite *landlock_suite(void)
{
    Suite *s = suite_create("sandbox/landlock_confine");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, tree_end);
    tcase_add_loop_test(t, under_all_lists, 0, ARRAY_SIZE(attempts));
    tcase_add_loop_test(t, without_lists, 0, ARRAY_SIZE(attempts));
    tcase_add_test(t, a_layer_on_top);
    tcase_add_loop_test(t, renames_under_two_layers, 0, ARRAY_SIZE(on_top));
    tcase_add_test(t, an_ancestor_reads_and_signals);
    tcase_add_loop_test(t, one_list, 0, ARRAY_SIZE(single));
    tcase_add_loop_test(t, older_kernels, 0, ABI_MAX + 1);
    tcase_add_test(t, what_is_lacking_is_told);
    tcase_add_test(t, missing_paths);
    tcase_add_test(t, a_link_of_our_own_is_no_promise);
    tcase_add_test(t, a_link_of_another);
    tcase_add_test(t, everything_below_the_root);
    tcase_add_test(t, below_another_root);
    tcase_add_test(t, the_language);
    tcase_add_test(t, needs_are_a_table);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(landlock_suite)
