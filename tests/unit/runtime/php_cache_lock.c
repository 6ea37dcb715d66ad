#include "runtime/php/cache_lock.h"
#include "../run.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int Fcntl(int fd, int command, struct flock *lock);

/* OPcache, as far as its lock goes. */
static Fcntl *opcache_fcntl;
static int lock_fd;

typedef struct Worker {
    pid_t pid;
    int to, from;
} Worker;

typedef struct Answer {
    int result;
    struct flock lock;
} Answer;

static struct flock make(short type, off_t start, off_t size)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = size};
}

/* What OPcache does with its lock. */
static Answer act(char what)
{
    Answer a = {0};
    int status;
    pid_t pid;

    switch (what) {
    case 'u': /* uses the memory */
        a.lock = make(F_RDLCK, 1, 1);
        a.result = opcache_fcntl(lock_fd, F_SETLK, &a.lock);
        break;
    case 'e': /* ends its use */
        a.lock = make(F_UNLCK, 1, 1);
        a.result = opcache_fcntl(lock_fd, F_SETLK, &a.lock);
        break;
    case 'a': /* the end of a request: unlocks everything */
        a.lock = make(F_UNLCK, 0, 0);
        a.result = opcache_fcntl(lock_fd, F_SETLK, &a.lock);
        break;
    case 'w': /* writes */
        a.lock = make(F_WRLCK, 0, 1);
        a.result = opcache_fcntl(lock_fd, F_SETLK, &a.lock);
        break;
    case 'q': /* asks whether somebody else uses it */
        a.lock = make(F_WRLCK, 1, 1);
        a.result = opcache_fcntl(lock_fd, F_GETLK, &a.lock);
        break;
    case 'f': /* a script forks; the child ends as after a request */
        pid = fork();
        if (pid == 0) {
            a.lock = make(F_UNLCK, 0, 0);
            _exit(opcache_fcntl(lock_fd, F_SETLK, &a.lock) != 0);
        }
        a.result = pid < 0 || waitpid(pid, &status, 0) != pid ? -1 : status;
        break;
    default:
        _exit(0);
    }
    return a;
}

static Worker start_worker(bool with_mark)
{
    int to[2], from[2];
    Worker w;

    ck_assert_int_eq(pipe2(to, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(from, O_CLOEXEC), 0);
    w.pid = fork();
    ck_assert_int_ge(w.pid, 0);
    if (w.pid == 0) {
        char what;

        if (with_mark)
            cache_lock_worker_start();
        close(to[1]);
        while (read(to[0], &what, 1) == 1) {
            Answer a = act(what);

            if (write(from[1], &a, sizeof(a)) != sizeof(a))
                break;
        }
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    w.to = to[1];
    w.from = from[0];
    return w;
}

static Answer tell(const Worker *w, char what)
{
    Answer a;

    ck_assert_int_eq(write(w->to, &what, 1), 1);
    ck_assert_int_eq(read(w->from, &a, sizeof(a)), sizeof(a));
    ck_assert_int_eq(a.result, 0);
    return a;
}

static void end_worker(Worker *w, int signal_number)
{
    if (signal_number)
        kill(w->pid, signal_number);
    else
        ck_assert_int_eq(write(w->to, "x", 1), 1);
    close(w->to);
    close(w->from);
    ck_assert_int_eq(waitpid(w->pid, NULL, 0), w->pid);
}

static void check_user(const Worker *asker, pid_t pid)
{
    struct flock lock = tell(asker, 'q').lock;

    ck_assert_int_eq(lock.l_type, pid ? F_RDLCK : F_UNLCK);
    if (pid) {
        ck_assert_int_eq(lock.l_pid, pid);
        ck_assert_int_eq(lock.l_start, 1);
    }
}

/* What the kernel knows of a byte. */
static struct flock ask_kernel(off_t start)
{
    struct flock lock = make(F_WRLCK, start, 1);

    ck_assert_int_eq(fcntl(lock_fd, F_GETLK, &lock), 0);
    return lock;
}

static void set_up(bool shared)
{
    void *library = dlopen(REDIRECTED, RTLD_NOW | RTLD_LOCAL);

    ck_assert_msg(library, "%s", dlerror());
    *(void **)&opcache_fcntl = dlsym(library, "redirected_fcntl");
    ck_assert_ptr_nonnull(opcache_fcntl);
    lock_fd = memfd_create("opcache_lock", MFD_CLOEXEC);
    ck_assert_int_ge(lock_fd, 0);
    ck_assert_int_eq(cache_lock_init(lock_fd, (uintptr_t)opcache_fcntl, shared), 0);
}

START_TEST(a_user_is_seen)
{
    Worker a, b, c;

    set_up(true);
    a = start_worker(true);
    b = start_worker(true);
    c = start_worker(false);
    check_user(&b, 0);
    tell(&a, 'u');
    check_user(&b, a.pid);
    check_user(&c, a.pid); /* one without a mark sees those of others */
    check_user(&a, 0);     /* itself is nobody else */
    /* The kernel has not been asked for that. */
    ck_assert_int_eq(ask_kernel(1).l_type, F_UNLCK);
    tell(&a, 'a');
    check_user(&b, 0);
    tell(&a, 'u');
    tell(&a, 'e');
    check_user(&b, 0);
    tell(&c, 'u');
    check_user(&b, c.pid);
    ck_assert_int_eq(ask_kernel(1).l_pid, c.pid);
    end_worker(&a, 0);
    end_worker(&b, 0);
    end_worker(&c, 0);
}
END_TEST

START_TEST(the_dead_use_nothing)
{
    Worker a, b, d;
    pid_t former;

    set_up(true);
    a = start_worker(true);
    tell(&a, 'u');
    b = start_worker(true);
    check_user(&b, a.pid);
    former = a.pid;
    end_worker(&a, SIGKILL);
    check_user(&b, 0);
    /* Nor does one that comes after. */
    d = start_worker(true);
    ck_assert_int_ne(d.pid, former);
    check_user(&b, 0);
    tell(&d, 'u');
    check_user(&b, d.pid);
    end_worker(&b, 0);
    end_worker(&d, 0);
}
END_TEST

START_TEST(unlocking_everything_leaves_the_life_line)
{
    Worker a, b;

    set_up(true);
    a = start_worker(true);
    b = start_worker(true);
    tell(&a, 'w');
    ck_assert_int_eq(ask_kernel(0).l_pid, a.pid);
    tell(&a, 'u');
    tell(&a, 'a');
    ck_assert_int_eq(ask_kernel(0).l_type, F_UNLCK);
    tell(&a, 'u');
    check_user(&b, a.pid);
    end_worker(&a, 0);
    end_worker(&b, 0);
}
END_TEST

START_TEST(a_child_of_a_script_ends_nothing)
{
    Worker a, b;

    set_up(true);
    a = start_worker(true);
    b = start_worker(true);
    tell(&a, 'u');
    tell(&a, 'f');
    check_user(&b, a.pid);
    end_worker(&a, 0);
    end_worker(&b, 0);
}
END_TEST

START_TEST(marks_are_taken_again)
{
    Worker last, asker;

    set_up(true);
    for (int i = 0; i < 1100; i++) {
        Worker w = start_worker(true);

        tell(&w, 'u');
        end_worker(&w, 0);
    }
    asker = start_worker(true);
    last = start_worker(true);
    check_user(&asker, 0);
    tell(&last, 'u');
    check_user(&asker, last.pid);
    ck_assert_int_eq(ask_kernel(1).l_type, F_UNLCK);
    end_worker(&asker, 0);
    end_worker(&last, 0);
}
END_TEST

START_TEST(memory_of_its_own)
{
    Worker a;

    set_up(false);
    a = start_worker(true);
    tell(&a, 'u');
    check_user(&a, 0);
    tell(&a, 'a');
    ck_assert_int_eq(ask_kernel(1).l_type, F_UNLCK);
    end_worker(&a, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("runtime/php_cache_lock");
    TCase *t = tcase_create("cache_lock");

    tcase_add_test(t, a_user_is_seen);
    tcase_add_test(t, the_dead_use_nothing);
    tcase_add_test(t, unlocking_everything_leaves_the_life_line);
    tcase_add_test(t, a_child_of_a_script_ends_nothing);
    tcase_add_test(t, marks_are_taken_again);
    tcase_add_test(t, memory_of_its_own);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
