#include "example.h"
#include "base/fd.h"
#include "../run.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static int open_example(const Example *e, size_t size)
{
    _cleanup_fd_ int fd = fd_make_sealed("status", e, size);
    const StatusPool *pool = NULL;
    const StatusWorker *workers = NULL;
    size_t mapped = 0;
    int r;

    ck_assert_int_ge(fd, 0);
    r = status_open(fd, &pool, &workers, &mapped);
    if (r < 0) {
        ck_assert_ptr_null(pool);
        return r;
    }
    ck_assert_uint_eq(mapped, size);
    ck_assert_str_eq(pool->name, "www");
    ck_assert_ptr_eq(workers, pool + 1);
    munmap((void *)pool, mapped);
    return r;
}

START_TEST(good)
{
    Example e = example_make();

    ck_assert_int_eq(open_example(&e, sizeof(e)), 0);
    e.pool.n_workers = 0;
    ck_assert_int_eq(open_example(&e, sizeof(e.pool)), 0);
}
END_TEST

static void break_version(Example *e)
{
    e->pool.version++;
}

static void break_size(Example *e)
{
    e->pool.size -= 8;
}

static void break_worker_size(Example *e)
{
    e->pool.worker_size += 8;
}

static void break_count_more(Example *e)
{
    e->pool.n_workers++;
}

static void break_count_less(Example *e)
{
    e->pool.n_workers--;
}

/* Such that n_workers * size would overflow 32 bits and fit again. */
static void break_count_huge(Example *e)
{
    e->pool.n_workers = UINT32_MAX;
}

static void break_name(Example *e)
{
    memset(e->pool.name, 'x', sizeof(e->pool.name));
}

static void break_status(Example *e)
{
    memset(e->pool.status_text, 'x', sizeof(e->pool.status_text));
}

static void break_uri(Example *e)
{
    memset(e->workers[1].board.uri, 'x', sizeof(e->workers[1].board.uri));
}

static void break_script(Example *e)
{
    memset(e->workers[0].board.script, 'x', sizeof(e->workers[0].board.script));
}

static void break_user(Example *e)
{
    memset(e->workers[0].board.user, 'x', sizeof(e->workers[0].board.user));
}

static void break_program(Example *e)
{
    memset(e->workers[0].board.name, 'x', sizeof(e->workers[0].board.name));
}

static void break_query(Example *e)
{
    memset(e->workers[0].board.query, 'x', sizeof(e->workers[0].board.query));
}

static void (*const breakers[])(Example *) = {
    break_version,    break_size,    break_worker_size, break_count_more, break_count_less,
    break_count_huge, break_name,    break_status,      break_uri,        break_script,
    break_user,       break_program, break_query,
};

START_TEST(broken)
{
    Example e = example_make();

    breakers[_i](&e);
    ck_assert_int_eq(open_example(&e, sizeof(e)), -EBADMSG);
}
END_TEST

/* A field more or less at the end of each part, as builds before and after this one have it. */
static void open_other_build(int pool_more, int worker_more)
{
    Example e = example_make();
    size_t pool_size = (size_t)((int)sizeof(e.pool) + pool_more);
    size_t worker_size = (size_t)((int)sizeof(e.workers[0]) + worker_more);
    char *bytes = calloc(1, pool_size + EXAMPLE_WORKERS * worker_size);
    uint64_t seven = 7, eight = 8, last;
    const StatusPool *pool;
    const StatusWorker *workers;
    size_t size;
    int fd;

    memset(bytes, 'x', pool_size + EXAMPLE_WORKERS * worker_size);
    e.pool.size = (uint32_t)pool_size;
    e.pool.worker_size = (uint32_t)worker_size;
    memcpy((char *)(&e.pool + 1) - 8, &seven, 8);
    memcpy((char *)(&e.workers[1] + 1) - 8, &eight, 8);
    memcpy(bytes, &e.pool, MIN(pool_size, sizeof(e.pool)));
    for (size_t i = 0; i < EXAMPLE_WORKERS; i++)
        memcpy(bytes + pool_size + i * worker_size, &e.workers[i],
               MIN(worker_size, sizeof(e.workers[0])));
    fd = fd_make_sealed("status", bytes, pool_size + EXAMPLE_WORKERS * worker_size);
    free(bytes);
    ck_assert_int_eq(status_open(fd, &pool, &workers, &size), 0);
    fd_close(fd);
    ck_assert_str_eq(pool->name, "www");
    ck_assert_uint_eq(pool->size, sizeof(*pool));
    memcpy(&last, (const char *)(pool + 1) - 8, 8);
    ck_assert_uint_eq(last, pool_more < 0 ? 0 : 7);
    ck_assert_uint_eq(workers[1].pid, 101);
    memcpy(&last, (const char *)(&workers[1] + 1) - 8, 8);
    ck_assert_uint_eq(last, worker_more < 0 ? 0 : 8);
    munmap((void *)pool, size);
}

START_TEST(other_builds)
{
    for (int pool_more = -8; pool_more <= 8; pool_more += 8)
        for (int worker_more = -8; worker_more <= 8; worker_more += 8)
            open_other_build(pool_more, worker_more);
}
END_TEST

START_TEST(cut)
{
    Example e = example_make();

    ck_assert_int_eq(open_example(&e, sizeof(e) - 1), -EBADMSG);
    ck_assert_int_eq(open_example(&e, sizeof(e.pool) - 1), -EBADMSG);
    ck_assert_int_eq(open_example(&e, 1), -EBADMSG);
}
END_TEST

START_TEST(seals)
{
    Example e = example_make();
    const StatusPool *pool;
    const StatusWorker *workers;
    size_t size;
    _cleanup_fd_ int fd = memfd_create("status", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    _cleanup_fd_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(write(fd, &e, sizeof(e)), sizeof(e));
    ck_assert_int_eq(status_open(fd, &pool, &workers, &size), -EBADMSG);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    ck_assert_int_eq(status_open(fd, &pool, &workers, &size), -EBADMSG);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    ck_assert_int_eq(status_open(fd, &pool, &workers, &size), 0);
    munmap((void *)pool, size);
    ck_assert_int_eq(status_open(null, &pool, &workers, &size), -EBADMSG);
    ck_assert_int_eq(status_open(-1, &pool, &workers, &size), -EBADF);
}
END_TEST

static Suite *snapshot_suite(void)
{
    Suite *s = suite_create("status/snapshot");
    TCase *tc = tcase_create("snapshot");

    tcase_add_test(tc, good);
    tcase_add_loop_test(tc, broken, 0, ARRAY_SIZE(breakers));
    tcase_add_test(tc, other_builds);
    tcase_add_test(tc, cut);
    tcase_add_test(tc, seals);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(snapshot_suite)
