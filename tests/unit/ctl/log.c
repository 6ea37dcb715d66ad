/*
 * Which records "fpmctl log" asks journalctl for.
 */

#include "ctl/log.h"
#include "../run.h"

#include <string.h>

static LogQuery query(void)
{
    return (LogQuery){
        .pool = "www",
        .manager_uid = 990,
        .manager = "/usr/sbin/fpmd",
        .runtime = "/usr/libexec/fpmd/php8.2",
        .porter = "/usr/libexec/fpmd/fpmd-porter",
    };
}

/* The words with blanks between. */
static void assert_words(const LogQuery *q, const char *expected)
{
    _cleanup_log_words_ LogWords words = {0};
    char text[4096] = "";

    ck_assert_int_eq(log_words_add_matches(&words, q), 0);
    for (size_t i = 0; i < words.n; i++) {
        strcat(text, i > 0 ? " " : "");
        strcat(text, words.items[i]);
    }
    ck_assert_ptr_null(words.items[words.n]);
    ck_assert_str_eq(text, expected);
}

#define UNIT       "_SYSTEMD_UNIT=fpmd@www.service "
#define EXE(path)  "_EXE=" path " _EXE=" path " (deleted)"
#define BY_MANAGER UNIT EXE("/usr/sbin/fpmd")
#define BY_RUNTIME UNIT EXE("/usr/libexec/fpmd/php8.2") " SYSLOG_IDENTIFIER=fpmd-php"
#define BY_PORTER  UNIT EXE("/usr/libexec/fpmd/fpmd-porter") " SYSLOG_IDENTIFIER=fpmd-porter"
#define SLOW_ID    "fe8066a3af3342ddb2c72e5ea2d2e07a"
#define OF_SYSTEMD                                                                                 \
    " + UNIT=fpmd@www.service UNIT=fpmd@www.socket UNIT=fpmd-status@www.socket _PID=1"             \
    " + COREDUMP_UNIT=fpmd@www.service _UID=0"

START_TEST(everything_that_can_be_trusted)
{
    LogQuery q = query();

    assert_words(&q, BY_MANAGER " _UID=990 + " BY_RUNTIME " + " BY_PORTER OF_SYSTEMD);
    q.manager_uid = (uid_t)-1;
    assert_words(&q, BY_MANAGER " + " BY_RUNTIME " + " BY_PORTER OF_SYSTEMD);
}
END_TEST

/* A worker can send a record with any MESSAGE_ID: what the manager alone sends is asked of it
 * alone. */
START_TEST(of_one_kind)
{
    LogQuery q = query();

    q.message_id = SLOW_ID;
    q.by_manager = true;
    assert_words(&q, BY_MANAGER " MESSAGE_ID=" SLOW_ID " _UID=990");
    q.by_manager = false;
    q.by_runtime = true;
    assert_words(&q, BY_RUNTIME " MESSAGE_ID=" SLOW_ID);
}
END_TEST

START_TEST(of_one_request)
{
    LogQuery q = query();

    q.request = "a b";
    assert_words(&q, BY_MANAGER " REQUEST_ID=a b _UID=990 + " BY_RUNTIME " REQUEST_ID=a b");
    q.everything = true;
    assert_words(&q, UNIT "REQUEST_ID=a b");
}
END_TEST

START_TEST(all_programs)
{
    LogQuery q = query();

    q.everything = true;
    assert_words(&q, "_SYSTEMD_UNIT=fpmd@www.service" OF_SYSTEMD);
}
END_TEST

START_TEST(of_a_user)
{
    LogQuery q = query();

    q.user_unit = q.everything = true;
    assert_words(&q, "_SYSTEMD_USER_UNIT=fpmd@www.service + USER_UNIT=fpmd@www.service "
                     "USER_UNIT=fpmd@www.socket USER_UNIT=fpmd-status@www.socket "
                     "_SYSTEMD_USER_UNIT=init.scope + COREDUMP_USER_UNIT=fpmd@www.service _UID=0");
}
END_TEST

static Suite *log_suite(void)
{
    Suite *s = suite_create("ctl/log");
    TCase *tc = tcase_create("log");

    tcase_add_test(tc, everything_that_can_be_trusted);
    tcase_add_test(tc, of_one_kind);
    tcase_add_test(tc, of_one_request);
    tcase_add_test(tc, all_programs);
    tcase_add_test(tc, of_a_user);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(log_suite)
