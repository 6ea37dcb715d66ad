/*
 * fpmctl import and its --undo, killed before each call that changes something on disk: --undo
 * brings back what was there, to the byte.
 */

#include "importing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A masked pool, one that only its group may read, and drop-ins of before. */
static void make_earlier(void)
{
    ck_assert_int_eq(symlink("/dev/null", path("a.conf")), 0);
    server_write(&server, "b.conf", "[b]\nenv[SECRET] = x\n");
    if (geteuid() == 0)
        ck_assert_int_eq(chown(path("b.conf"), 12345, 12346), 0);
    ck_assert_int_eq(chmod(path("b.conf"), 0640), 0);
    ck_assert_int_eq(mkdir(path("../units/fpmd@a.socket.d"), 0755), 0);
    server_write(&server, "../units/fpmd@a.socket.d/50-pool-file.conf", "[Socket]\nBacklog=7\n");
    /* That nothing asks for any more. */
    ck_assert_int_eq(mkdir(path("../units/fpmd@b.service.d"), 0755), 0);
    server_write(&server, "../units/fpmd@b.service.d/50-pool-file.conf", "[Service]\nNice=7\n");
    ck_assert_int_eq(mkdir(path("b.conf.d"), 0755), 0);
    ck_assert_int_eq(symlink("/dev/null", path("b.conf.d/50-import.conf")), 0);
}

static void set_up(void)
{
    set_up_folders();
    /* LeakSanitizer refuses to work in a process that is traced. */
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    server_write(&server, "../old/pools.conf",
                 "[a]\nuser = nobody\nlisten = /run/old/a.sock\npm = static\n"
                 "pm.max_children = 2\nruntime = true\n"
                 "[b]\nuser = nobody\nlisten = 127.0.0.1:64999\npm = static\n"
                 "pm.max_children = 1\nruntime = true\n");
    server_write(&server, "../php-fpm.conf", "[global]\nrlimit_files = 4000\n");
    make_earlier();
}

/* Everything below both folders: kinds, permissions, owners, links, content. */
static void take_picture(char *ret, size_t size)
{
    char command[512];
    size_t n;
    FILE *f;

    snprintf(command, sizeof(command),
             "cd %s && find conf units -printf '%%p %%y %%m %%U:%%G %%l\\n' | sort && "
             "find conf units -type f | sort | xargs -d '\\n' tail -n +1 -v",
             server.dir);
    f = popen(command, "re");
    ck_assert_ptr_nonnull(f);
    n = fread(ret, 1, size - 1, f);
    ret[n] = 0;
    ck_assert_int_eq(pclose(f), 0);
}

static bool changes_files(const struct __ptrace_syscall_info *info)
{
    switch (info->entry.nr) {
    case SYS_openat:
        return info->entry.args[2] & O_CREAT;
    case SYS_write:
    case SYS_unlinkat:
    case SYS_mkdirat:
    case SYS_renameat2:
    case SYS_symlinkat:
    case SYS_fchmod:
    case SYS_fchown:
    case SYS_fchownat:
    case SYS_ftruncate:
#ifdef SYS_renameat
    case SYS_renameat:
#endif
#ifdef SYS_unlink
    case SYS_unlink:
    case SYS_mkdir:
    case SYS_rmdir:
    case SYS_rename:
    case SYS_symlink:
#endif
        return true;
    default:
        return false;
    }
}

static void exec_fpmctl(const char *const *words)
{
    const char *argv[16] = {"fpmctl"};
    char conf[128];
    int null = open("/dev/null", O_WRONLY);

    snprintf(conf, sizeof(conf), "%s/conf", server.dir);
    setenv("FPMD_CONFIG_DIR", conf, 1);
    for (size_t i = 0; words[i]; i++)
        argv[i + 1] = words[i];
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
        execv(getenv("FPMCTL"), (char *const *)argv);
    _exit(127);
}

/* Runs fpmctl and kills it before its call number n that changes files. Returns whether it came to
 * that. */
static bool run_killed(const char *const *words, unsigned n)
{
    struct __ptrace_syscall_info info;
    int status, deliver = 0;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        exec_fpmctl(words);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSTOPPED(status), "no ptrace");
    ck_assert_int_eq(
        ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD), 0);
    for (;;) {
        ck_assert_int_eq(ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)deliver), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        if (!WIFSTOPPED(status))
            return false;
        deliver = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
        if (deliver)
            continue;
        ck_assert_int_gt(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info), 0);
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY && changes_files(&info) && n-- == 0) {
            kill(pid, SIGKILL);
            ck_assert_int_eq(waitpid(pid, &status, 0), pid);
            ck_assert(WIFSIGNALED(status));
            return true;
        }
    }
}

#define IMPORT IMPORTING("import", "--force", old)
#define UNDO   IMPORTING("import", "--undo")

static void undo(unsigned n)
{
    int status = server_run(&server, UNDO, output, errors, sizeof(output));

    ck_assert_msg(status == 0 || (status == 1 && strstr(errors, "there is no import")),
                  "before call %u: %d\n%s%s", n, status, output, errors);
    ck_assert_msg(!strstr(errors, "changed since"), "before call %u:\n%s", n, errors);
}

static void compare(const char *was, unsigned n)
{
    static char is[65536];

    take_picture(is, sizeof(is));
    ck_assert_msg(strcmp(was, is) == 0, "killed before call %u: was\n%s\nis\n%s", n, was, is);
}

START_TEST(import_is_killed)
{
    static char was[65536];
    unsigned n = 0;

    take_picture(was, sizeof(was));
    for (; run_killed(IMPORT, n); n++) {
        undo(n);
        compare(was, n);
    }
    /* As many as that, or nothing was tried. */
    ck_assert_uint_gt(n, 50);
    undo(n);
    compare(was, n);
}
END_TEST

START_TEST(undo_is_killed)
{
    static char was[65536];
    bool killed = true;
    unsigned n = 0;

    take_picture(was, sizeof(was));
    for (; killed; n++) {
        ck_assert_int_eq(server_run(&server, IMPORT, output, errors, sizeof(output)), 0);
        killed = run_killed(UNDO, n);
        if (killed)
            undo(n);
        compare(was, n);
    }
    ck_assert_uint_gt(n, 20);
}
END_TEST

static Suite *import_crash_suite(void)
{
    Suite *s = suite_create("ctl/import_crash");
    TCase *tc = tcase_create("import_crash");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 200);
    tcase_add_test(tc, import_is_killed);
    tcase_add_test(tc, undo_is_killed);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(import_crash_suite)
