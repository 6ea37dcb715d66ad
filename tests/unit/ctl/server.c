#include "server.h"
#include "base/fd.h"
#include "../run.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void make_dir(const Server *s, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

void server_init(Server *s)
{
    strcpy(s->dir, "/tmp/fpmctl-test-XXXXXX");
    s->n_pids = 0;
    s->argument = 0;
    s->also = 0;
    ck_assert_ptr_nonnull(mkdtemp(s->dir));
    make_dir(s, "conf");
    make_dir(s, "control");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    return remove(path);
}

void server_stop(Server *s)
{
    pid_t pid = s->pids[--s->n_pids];

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

void server_done(Server *s)
{
    while (s->n_pids > 0)
        server_stop(s);
    nftw(s->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void server_write(const Server *s, const char *name, const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/conf/%s", s->dir, name);
    f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

static void send_reply(int fd, const ControlReply *reply, int snapshot)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {(void *)reply, sizeof(*reply)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (snapshot >= 0) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control);
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &snapshot, sizeof(int));
    }
    sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static void serve(const Server *s, int listener, ControlVerb verb, const ControlReply *reply,
                  int snapshot)
{
    int fd = accept(listener, NULL, NULL);
    ControlRequest request;

    while (recv(fd, &request, sizeof(request), 0) == sizeof(request)) {
        if (!reply)
            return;
        if (request.version == CONTROL_VERSION && request.verb == verb &&
            request.argument == s->argument)
            send_reply(fd, reply, snapshot);
        else if (s->also && request.verb == s->also)
            send_reply(fd, &s->also_reply, s->also_fd);
    }
}

void server_start(Server *s, const char *pool, ControlVerb verb, const ControlReply *reply,
                  const void *snapshot, size_t n)
{
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[32];
    pid_t pid;

    snprintf(name, sizeof(name), "control/%s", pool);
    make_dir(s, name);
    snprintf(address.sun_path, sizeof(address.sun_path), "%.40s/%s/control", s->dir, name);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_uint_lt(s->n_pids, SERVER_POOLS);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        serve(s, fd, verb, reply, n > 0 ? fd_make_sealed("status", snapshot, n) : -1);
        _exit(0);
    }
    s->pids[s->n_pids++] = pid;
}

static void read_all(int fd, char *ret, size_t size)
{
    size_t used = 0;
    ssize_t n;

    while (used < size - 1 && (n = read(fd, ret + used, size - 1 - used)) > 0)
        used += (size_t)n;
    ret[used] = 0;
}

int server_run(const Server *s, const char *const *words, char *output, char *errors, size_t size)
{
    const char *program = getenv("FPMCTL"), *argv[16] = {"fpmctl"};
    char conf[128], control[128];
    int out, err, status;
    pid_t pid;

    ck_assert_ptr_nonnull(program);
    snprintf(conf, sizeof(conf), "%s/conf", s->dir);
    snprintf(control, sizeof(control), "%s/control", s->dir);
    for (size_t i = 0; words[i]; i++)
        argv[i + 1] = words[i];
    out = memfd_create("out", MFD_CLOEXEC);
    err = memfd_create("err", MFD_CLOEXEC);
    pid = fork();
    if (pid == 0) {
        setenv("FPMD_CONFIG_DIR", conf, 1);
        setenv("FPMD_CONTROL_DIR", control, 1);
        dup2(out, STDOUT_FILENO);
        dup2(err, STDERR_FILENO);
        execv(program, (char *const *)argv);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    lseek(out, 0, SEEK_SET);
    lseek(err, 0, SEEK_SET);
    read_all(out, output, size);
    read_all(err, errors, size);
    close(out);
    close(err);
    ck_assert_msg(WIFEXITED(status), "fpmctl: signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}
