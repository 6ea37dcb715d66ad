/*
 * The directives of the sandbox and the limits of input: what is taken, what is refused and with
 * which words, what is in force when nothing is said.
 */

#include "load.h"
#include "../run.h"

#include <stdio.h>

static Loaded parse_lines(const char *lines)
{
    char text[1024];

    snprintf(text, sizeof(text), MINIMAL "%s\n", lines);
    return parse(text);
}

START_TEST(defaults)
{
    _cleanup_loaded_ Loaded l = parse(MINIMAL);

    ck_assert_int_eq(l.r, 0);
    ck_assert_int_eq(l.c->sandbox_seccomp, SANDBOX_SECCOMP_DEFAULT);
    ck_assert(l.c->sandbox_exec);
    ck_assert(!l.c->sandbox_report);
    ck_assert(!l.c->sandbox_landlock_optional);
    ck_assert_uint_eq(l.c->sandbox_syscalls.n + l.c->sandbox_read.n + l.c->sandbox_write.n +
                          l.c->sandbox_exec_paths.n + l.c->sandbox_tcp_connect.n,
                      0);
    ck_assert(!l.c->sandbox_abstract_sockets);
    ck_assert(!l.c->sandbox_opcache_private);
    ck_assert(!l.c->sandbox_retire_on_crash);
    ck_assert_uint_eq(l.c->pm_worker_memory_max_bytes, 0);
    ck_assert_uint_eq(l.c->pm_worker_tasks_max, 0);
    ck_assert_uint_eq(l.c->max_params_bytes, 1024 * 1024);
    ck_assert_uint_eq(l.c->max_params, 4096);
    ck_assert_uint_eq(l.c->first_byte_timeout_usec, 60 * USEC_PER_SEC);
}
END_TEST

START_TEST(values)
{
    _cleanup_loaded_ Loaded l = parse_lines(
        "sandbox.seccomp = strict\nsandbox.syscalls = +@namespaces -memfd_create\n"
        "sandbox.exec = no\nsandbox.report = yes\nsandbox.landlock = if-available\n"
        "sandbox.read = /srv/a -/srv/b\nsandbox.write = none\nsandbox.exec_paths = /bin/sh\n"
        "sandbox.tcp_connect = 443, 3306\nsandbox.abstract_sockets = yes\n"
        "sandbox.opcache = private\nsandbox.retire_on_crash = yes\npm.worker_memory_max = 256M\n"
        "pm.worker_tasks_max = 7\nsecurity.max_params_size = 4K\nsecurity.max_params = 16\n"
        "request_first_byte_timeout = 0");
    PoolConfig *c = l.c;

    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.issues.n, 0);
    ck_assert_int_eq(c->sandbox_seccomp, SANDBOX_SECCOMP_STRICT);
    ck_assert_uint_eq(c->sandbox_syscalls.n, 2);
    ck_assert_str_eq(c->sandbox_syscalls.items[0], "+@namespaces");
    ck_assert_str_eq(c->sandbox_syscalls.items[1], "-memfd_create");
    ck_assert(!c->sandbox_exec);
    ck_assert(c->sandbox_report);
    ck_assert(c->sandbox_landlock_optional);
    ck_assert_uint_eq(c->sandbox_read.n, 2);
    ck_assert_str_eq(c->sandbox_read.items[1], "-/srv/b");
    ck_assert(config_list_is_none(&c->sandbox_write));
    ck_assert(!config_list_is_none(&c->sandbox_exec_paths));
    ck_assert_uint_eq(c->sandbox_tcp_connect.n, 2);
    ck_assert_str_eq(c->sandbox_tcp_connect.items[1], "3306");
    ck_assert(c->sandbox_abstract_sockets);
    ck_assert(c->sandbox_opcache_private);
    ck_assert(c->sandbox_retire_on_crash);
    ck_assert_uint_eq(c->pm_worker_memory_max_bytes, 256 * 1024 * 1024);
    ck_assert_uint_eq(c->pm_worker_tasks_max, 7);
    ck_assert_uint_eq(c->max_params_bytes, 4096);
    ck_assert_uint_eq(c->max_params, 16);
    ck_assert_uint_eq(c->first_byte_timeout_usec, 0);
}
END_TEST

/* Of lists nothing must come out as "not restricted" that was meant to restrict. */
START_TEST(none_is_no_empty_list)
{
    static const char *const directives[] = {"sandbox.read", "sandbox.write", "sandbox.exec_paths",
                                             "sandbox.tcp_connect"};
    static const char *const words[] = {"none", "\"none\""};
    static const char *const wrong[] = {"off",   "no",    "null",      "false", "\"off\"",
                                        "NONE",  "None",  "none none", "-none", "yes",
                                        "none,", "-none", "on"};

    for (size_t i = 0; i < ARRAY_SIZE(directives); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(words) + ARRAY_SIZE(wrong); k++) {
            bool good = k < ARRAY_SIZE(words);
            const char *word = good ? words[k] : wrong[k - ARRAY_SIZE(words)];
            char line[100];
            _cleanup_loaded_ Loaded l = {0};

            snprintf(line, sizeof(line), "%s = %s", directives[i], word);
            l = parse_lines(line);
            ck_assert_msg((l.r == 0) == good, "%s: %d", line, l.r);
            if (!good)
                continue;
            ck_assert(config_list_is_none(i == 0   ? &l.c->sandbox_read
                                          : i == 1 ? &l.c->sandbox_write
                                          : i == 2 ? &l.c->sandbox_exec_paths
                                                   : &l.c->sandbox_tcp_connect));
        }
    }
}
END_TEST

#define PATHS                                                                                      \
    "expected absolute paths with blanks between ('-' before one that may be missing), or none"
#define PORTS "expected numbers of ports from 1 to 65535 with blanks or commas between, or none"
#define CALLS                                                                                      \
    "expected names of system calls or @groups, each with + or - before it and blanks between"

/* Each is one line, the fourth of the file, with one error. */
START_TEST(refused)
{
    static const struct {
        const char *line, *text;
    } cases[] = {
        {"sandbox.seccomp = of", "'of' is not valid, expected strict, default or off"},
        {"sandbox.seccomp = no", "'no' is not valid, expected strict, default or off"},
        {"sandbox.seccomp =", "'' is not valid, expected strict, default or off"},
        {"sandbox.syscalls = mount", "'mount' is not valid, " CALLS},
        {"sandbox.syscalls = +", "'+' is not valid, " CALLS},
        {"sandbox.syscalls = +@", "'+@' is not valid, " CALLS},
        {"sandbox.syscalls = none", "'none' is not valid, " CALLS},
        {"sandbox.syscalls = +moutn", "'+moutn': there is no such system call, did you mean "
                                      "'+mount'?"},
        {"sandbox.syscalls = -@moun", "'-@moun': there is no such group of system calls, did you "
                                      "mean '-@mount'?"},
        {"sandbox.syscalls = +qqqqqqqq", "'+qqqqqqqq': there is no such system call, expected one "
                                         "of 'fpmctl sandbox --calls'"},
        {"sandbox.syscalls = -read", "'-read': workers cannot serve without it, expected another "
                                     "call or group"},
        {"sandbox.syscalls = -@memory", "'-@memory': workers cannot serve without it, expected "
                                        "another call or group"},
        {"sandbox.syscalls = +clone3", "'+clone3': a filter cannot look at what it does, expected "
                                       "another call; programs use clone instead"},
        {"sandbox.exec = maybe", "'maybe' is not valid, expected yes or no"},
        {"sandbox.report = 2", "'2' is not valid, expected yes or no"},
        {"sandbox.landlock = optional",
         "'optional' is not valid, expected required or if-available"},
        {"sandbox.read = srv", "'srv' is not valid, " PATHS},
        {"sandbox.read = /srv none", "'/srv none' is not valid, " PATHS},
        {"sandbox.write = -", "'-' is not valid, " PATHS},
        {"sandbox.write = - /srv", "'- /srv' is not valid, " PATHS},
        {"sandbox.exec_paths = sendmail", "'sendmail' is not valid, " PATHS},
        {"sandbox.tcp_connect = 0", "'0' is not valid, " PORTS},
        {"sandbox.tcp_connect = 65536", "'65536' is not valid, " PORTS},
        {"sandbox.tcp_connect = http", "'http' is not valid, " PORTS},
        {"sandbox.tcp_connect = none 80", "'none 80' is not valid, " PORTS},
        {"sandbox.tcp_connect = -80", "'-80' is not valid, " PORTS},
        {"sandbox.opcache = yes", "'yes' is not valid, expected shared or private"},
        {"sandbox.retire_on_crash = often", "'often' is not valid, expected yes or no"},
        {"pm.worker_memory_max = 1M",
         "'1M' is less than PHP needs to start, expected 0 or at least 16M"},
        {"pm.worker_memory_max = -1",
         "'-1' is not valid, expected a number of bytes, with K, M or G if wanted"},
        {"pm.worker_tasks_max = x", "'x' is not valid, expected a number not less than 0"},
        {"security.max_params_size = 4095",
         "'4095' is out of range, expected a size from 4K to 16M"},
        {"security.max_params_size = 17M", "'17M' is out of range, expected a size from 4K to 16M"},
        {"security.max_params = 15", "'15' is out of range, expected a number from 16 to 65536"},
        {"security.max_params = 65537",
         "'65537' is out of range, expected a number from 16 to 65536"},
        {"request_first_byte_timeout = soon",
         "'soon' is not valid, expected a time like 10, 10s, 5m, 2h, 1d"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_loaded_ Loaded l = parse_lines(cases[i].line);
        char expected[400];

        snprintf(expected, sizeof(expected), "t.conf:4: %.*s: %s", (int)strcspn(cases[i].line, " "),
                 cases[i].line, cases[i].text);
        ck_assert_msg(l.r < 0 && l.issues.n_errors == 1, "%s: %d", cases[i].line, l.r);
        ck_assert_msg(has_issue(&l.issues, expected), "%s: '%s'", cases[i].line,
                      l.issues.items[0].text);
    }
}
END_TEST

START_TEST(edges)
{
    static const char *const lines[] = {
        "sandbox.tcp_connect = 1 65535",
        "sandbox.tcp_connect = 443,80",
        "sandbox.read = /",
        "sandbox.read = -/a  \t/b",
        "sandbox.syscalls = +@mount -mount +mount",
        "pm.worker_memory_max = 16M",
        "pm.worker_memory_max = 0",
        "pm.worker_tasks_max = 1",
        "security.max_params_size = 4096",
        "security.max_params_size = 16M",
        "security.max_params = 65536",
        "sandbox.seccomp = STRICT",
    };

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        _cleanup_loaded_ Loaded l = parse_lines(lines[i]);

        ck_assert_msg(l.r == 0 && l.issues.n == 0, "%s", lines[i]);
    }
}
END_TEST

START_TEST(what_needs_a_filter)
{
    static const struct {
        const char *lines, *text;
        int r;
    } cases[] = {
        {"sandbox.seccomp = off\nsandbox.exec = no",
         "t.conf:5: sandbox.exec: 'no' needs the filter of system calls, expected sandbox.seccomp "
         "= default or strict",
         -1},
        {"sandbox.seccomp = off\nsandbox.syscalls = +mount",
         "t.conf:5: sandbox.syscalls: changes nothing with sandbox.seccomp = off, expected default "
         "or strict there",
         -1},
        {"sandbox.seccomp = off\nsandbox.report = yes",
         "t.conf:5: sandbox.report: has no effect with sandbox.seccomp = off, expected default or "
         "strict there",
         0},
        {"sandbox.seccomp = off\nsandbox.exec = yes\nsandbox.report = no",
         "t.conf:4: sandbox.seccomp: 'off': workers may make every system call that the service "
         "unit leaves, and signal each other and the template on kernels before Linux 6.12; "
         "expected default or strict",
         0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_loaded_ Loaded l = parse_lines(cases[i].lines);

        ck_assert_msg((l.r < 0) == (cases[i].r < 0), "%s", cases[i].lines);
        if (cases[i].text)
            ck_assert_msg(has_issue(&l.issues, cases[i].text), "%s", cases[i].lines);
    }
}
END_TEST

START_TEST(what_does_not_do_what_it_seems_to)
{
    static const struct {
        const char *lines, *text;
    } cases[] = {
        {"sandbox.read =", "t.conf:4: sandbox.read: is empty, which restricts nothing; expected "
                           "paths, / for all, none, or no such line"},
        {"sandbox.write = \"\"", "t.conf:4: sandbox.write: is empty, which restricts nothing; "
                                 "expected paths, / for all, none, or no such line"},
        {"sandbox.exec_paths = ${NO_SUCH_VARIABLE}",
         "t.conf:4: sandbox.exec_paths: is empty, which restricts nothing; expected paths, / for "
         "all, none, or no such line"},
        {"sandbox.tcp_connect =", "t.conf:4: sandbox.tcp_connect: is empty, which restricts "
                                  "nothing; expected ports, none, or no such line"},
        {"sandbox.exec = no\nsandbox.syscalls = -@aio +@exec",
         "t.conf:5: sandbox.syscalls: '+@exec' does not let programs start with sandbox.exec = no, "
         "expected yes there, or not this word"},
        {"sandbox.exec = no\nsandbox.syscalls = +vfork",
         "t.conf:5: sandbox.syscalls: '+vfork' does not let programs start with sandbox.exec = no, "
         "expected yes there, or not this word"},
    };
    _cleanup_loaded_ Loaded fine =
        parse_lines("sandbox.exec = no\nsandbox.syscalls = -@fork +mincore\nsandbox.read = /");

    ck_assert_uint_eq(fine.issues.n, 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_loaded_ Loaded l = parse_lines(cases[i].lines);

        ck_assert_msg(l.r == 0 && l.issues.n == 1, "%s", cases[i].lines);
        ck_assert_msg(has_issue(&l.issues, cases[i].text), "%s", cases[i].lines);
    }
}
END_TEST

START_TEST(texts_of_others_get_their_place)
{
    _cleanup_loaded_ Loaded l = parse_lines("sandbox.read = /srv");
    char text[64];

    pool_config_place(l.c, "sandbox.read: /srv: gone", text, sizeof(text));
    ck_assert_str_eq(text, "t.conf:4: sandbox.read: /srv: gone");
    pool_config_place(l.c, "sandbox.read needs more", text, sizeof(text));
    ck_assert_str_eq(text, "t.conf:4: sandbox.read needs more");
    pool_config_place(l.c, "sandbox.write: not given", text, sizeof(text));
    ck_assert_str_eq(text, "sandbox.write: not given");
    pool_config_place(l.c, "PHP cannot start", text, sizeof(text));
    ck_assert_str_eq(text, "PHP cannot start");
    pool_config_place(l.c, "sandbox.read: /srv: gone", text, 12);
    ck_assert_str_eq(text, "t.conf:4: s");
}
END_TEST

static Suite *sandbox_suite(void)
{
    Suite *s = suite_create("conf/sandbox");
    TCase *tc = tcase_create("sandbox");

    tcase_add_test(tc, defaults);
    tcase_add_test(tc, values);
    tcase_add_test(tc, none_is_no_empty_list);
    tcase_add_test(tc, refused);
    tcase_add_test(tc, edges);
    tcase_add_test(tc, what_needs_a_filter);
    tcase_add_test(tc, what_does_not_do_what_it_seems_to);
    tcase_add_test(tc, texts_of_others_get_their_place);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(sandbox_suite)
