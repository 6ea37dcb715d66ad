#include "manager/environment.h"
#include "../run.h"

#include <string.h>

#define TEXT(t) ((char *)(uintptr_t)(t))

static bool has(char **env, const char *setting)
{
    for (; *env; env++)
        if (strcmp(*env, setting) == 0)
            return true;
    return false;
}

static bool has_name(char **env, const char *name)
{
    for (; *env; env++)
        if (strncmp(*env, name, strlen(name)) == 0 && (*env)[strlen(name)] == '=')
            return true;
    return false;
}

static unsigned count(char **env)
{
    unsigned n = 0;

    while (env[n])
        n++;
    return n;
}

START_TEST(cleared)
{
    EnvSetting settings[] = {{TEXT("A"), TEXT("1")}, {TEXT("HOME"), TEXT("/elsewhere")}};
    PoolConfig c = {.clear_env = true, .env = settings, .n_env = 2};
    PoolIds ids = {.user_name = TEXT("www-data"), .home = TEXT("/var/www")};
    char **env;

    setenv("INHERITED", "x", 1);
    env = environment_make(&c, &ids);
    ck_assert_ptr_nonnull(env);
    ck_assert_uint_eq(count(env), 3);
    ck_assert(has(env, "USER=www-data"));
    ck_assert(has(env, "A=1"));
    /* The pool file has the last word. */
    ck_assert(has(env, "HOME=/elsewhere"));
    environment_free(env);
}
END_TEST

/* As under PHP-FPM. */
START_TEST(users_by_number_have_no_names)
{
    PoolConfig c = {.clear_env = true, .user = TEXT("33")};
    PoolIds ids = {.user_name = TEXT("www-data"), .home = TEXT("/var/www")};
    char **env = environment_make(&c, &ids);

    ck_assert_ptr_nonnull(env);
    ck_assert_uint_eq(count(env), 0);
    environment_free(env);

    /* Who cannot change ids is who it is, whatever the file says. */
    ids.keep = true;
    env = environment_make(&c, &ids);
    ck_assert_ptr_nonnull(env);
    ck_assert(has(env, "USER=www-data"));
    ck_assert(has(env, "HOME=/var/www"));
    environment_free(env);

    ids.keep = false;
    c.user = TEXT("33data");
    env = environment_make(&c, &ids);
    ck_assert_ptr_nonnull(env);
    ck_assert(has(env, "USER=www-data"));
    environment_free(env);
}
END_TEST

START_TEST(inherited)
{
    static const char *const hidden[] = {"NOTIFY_SOCKET",    "LISTEN_FDS",     "LISTEN_PID",
                                         "WATCHDOG_USEC",    "JOURNAL_STREAM", "INVOCATION_ID",
                                         "RUNTIME_DIRECTORY"};
    EnvSetting settings[] = {{TEXT("INHERITED"), TEXT("changed")}};
    PoolConfig c = {.clear_env = false, .env = settings, .n_env = 1};
    PoolIds ids = {.keep = true};
    char **env;

    setenv("INHERITED", "x", 1);
    setenv("LISTEN_FDS_OF_MINE", "kept", 1);
    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
        setenv(hidden[i], "secret", 1);
    env = environment_make(&c, &ids);
    ck_assert_ptr_nonnull(env);
    ck_assert(has(env, "INHERITED=changed"));
    ck_assert(!has(env, "INHERITED=x"));
    ck_assert(has(env, "LISTEN_FDS_OF_MINE=kept"));
    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
        ck_assert_msg(!has_name(env, hidden[i]), "%s reaches the workers", hidden[i]);
    environment_free(env);
}
END_TEST

static Suite *environment_suite(void)
{
    Suite *s = suite_create("manager/environment");
    TCase *t = tcase_create("all");

    tcase_add_test(t, cleared);
    tcase_add_test(t, users_by_number_have_no_names);
    tcase_add_test(t, inherited);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(environment_suite)
