#include "fpmctl.h"

#include <stdio.h>
#include <unistd.h>

static void set_up(void)
{
    server_init(&server);
}

static void tear_down(void)
{
    server_done(&server);
}

START_TEST(usage)
{
    static const struct {
        const char *words[4];
        int status;
        const char *says;
    } cases[] = {
        {{NULL}, 64, "verb is missing"},
        {{"frob"}, 64, "unknown verb 'frob'"},
        {{"--frob"}, 64, "--frob"},
        {{"status"}, 64, "status POOL"},
        {{"status", "a", "b"}, 64, "status POOL"},
        {{"status", "../etc"}, 64, "'../etc'"},
        {{"list", "a"}, 64, "usage"},
        {{"reload"}, 64, "reload POOL... | --all"},
        {{"reload", "--all", "www"}, 64, "reload POOL... | --all"},
        {{"reexec"}, 64, "reexec POOL... | --all"},
        {{"opcache"}, 64, "opcache reset POOL..."},
        {{"opcache", "reset"}, 64, "opcache reset POOL..."},
        {{"opcache", "clear", "www"}, 64, "'clear' is not known, expected reset"},
        {{"drain"}, 64, "drain POOL"},
        {{"drain", "a", "b"}, 64, "drain POOL"},
        {{"drain", "a/b"}, 64, "'a/b'"},
        {{"drain", "--quiet=soon", "a"}, 64, "--quiet=soon: a time"},
        {{"status", "--all", "a"}, 64, "no option --all"},
        {{"reload", "--quiet=1s", "a"}, 64, "no option --quiet"},
        {{"reload", "--keep-socket", "a"}, 64, "no option --keep-socket"},
        {{"reload", "a/b"}, 64, "'a/b'"},
        {{"list", "-o", "xml"}, 64, "xml"},
        {{"check", "-o", "json"}, 64, "--output"},
        {{"list", "--full"}, 64, "--full"},
        {{"--version"}, 0, NULL},
        {{"--help"}, 0, NULL},
    };

    ck_assert_int_eq(run(cases[_i].words), cases[_i].status);
    if (cases[_i].says)
        assert_has(errors, cases[_i].says);
    else
        ck_assert_str_eq(errors, "");
}
END_TEST

START_TEST(check_good)
{
    server_write(&server, "good.conf", good_file());
    ck_assert_int_eq(run(WORDS("check", "--libexec-dir=/bin", "good")), 0);
    assert_has(output, "/conf/good.conf: ok\n1 file with 1 pool checked: 0 errors, 0 warnings\n");
    /* the folder */
    ck_assert_int_eq(run(WORDS("check", "--libexec-dir=/bin")), 0);
    assert_has(output, "1 file with 1 pool checked: 0 errors, 0 warnings\n");
}
END_TEST

START_TEST(check_bad)
{
    char path[128];

    server_write(&server, "good.conf", good_file());
    server_write(&server, "bad.conf", "[bad]\npm = sometimes\n\nbogus = 1\n");
    snprintf(path, sizeof(path), "%s/conf/bad.conf", server.dir);
    ck_assert_int_eq(run(WORDS("check", "--libexec-dir=/bin")), 78);
    assert_has(output, "/conf/bad.conf:2: error: pm: ");
    assert_has(output, "/conf/bad.conf:4: error: bogus: ");
    assert_has(output, "/conf/good.conf: ok\n");
    assert_has(output, "2 files with 2 pools checked: ");
    /* the same by its path */
    ck_assert_int_eq(run(WORDS("check", path)), 78);
    assert_has(output, "/conf/bad.conf:4: error: bogus: ");
    assert_has(output, "1 file with 1 pool checked: ");
}
END_TEST

START_TEST(check_missing)
{
    ck_assert_int_eq(run(WORDS("check", "nothere")), 78);
    assert_has(output, "/conf/nothere.conf: error: ");
    ck_assert_int_eq(run(WORDS("check", "--libexec-dir=/nowhere", "a+b")), 78);
    assert_has(output, "'a+b' cannot be the name of a pool");
    ck_assert_int_eq(run(WORDS("check", "--config-dir=/nowhere")), 78);
    assert_has(errors, "/nowhere: No such file");
    ck_assert_int_eq(run(WORDS("check")), 0);
    assert_has(errors, "there is no pool file");
}
END_TEST

/* A file of PHP-FPM need not be called like its pools. */
START_TEST(check_other_names)
{
    char path[192], folder[128], text[512];

    snprintf(text, sizeof(text), "%s[bad]\npm = sometimes\n", good_file());
    server_write(&server, "site-of-good.conf", good_file());
    server_write(&server, "several.conf", text);
    snprintf(folder, sizeof(folder), "%s/conf/", server.dir);
    snprintf(path, sizeof(path), "%ssite-of-good.conf", folder);
    ck_assert_int_eq(run(WORDS("check", "--libexec-dir=/bin", path)), 0);
    assert_has(output, "site-of-good.conf: ok\n1 file with 1 pool checked: 0 errors");
    ck_assert_int_eq(run(WORDS("show", path)), 0);
    assert_has(output, "\n[good]\n");
    ck_assert_int_eq(run(WORDS("check", "--libexec-dir=/bin", folder)), 78);
    assert_has(output, "several.conf: pool good: ok\n");
    assert_has(output, ": error: pm: 'sometimes'");
    ck_assert_ptr_null(strstr(output, "in the other pool"));
    assert_has(output, "2 files with 3 pools checked: ");
    snprintf(path, sizeof(path), "%sseveral.conf", folder);
    ck_assert_int_eq(run(WORDS("show", path)), 78);
    assert_has(errors, "several pools, expected one: [good], [bad]; fpmctl import --dry-run ");
}
END_TEST

START_TEST(check_includes)
{
    char path[128], text[256];

    server_write(&server, "good.inc", good_file());
    server_write(&server, "other.inc", "[other]\npm = sometimes\n");
    snprintf(text, sizeof(text), "[global]\npid = /run/x\ninclude = %s/conf/*.inc\n", server.dir);
    server_write(&server, "php-fpm.conf", text);
    snprintf(path, sizeof(path), "%s/conf/php-fpm.conf", server.dir);
    ck_assert_int_eq(run(WORDS("check", "--libexec-dir=/bin", path)), 78);
    assert_has(output, "/other.inc:2: error: pm: ");
    assert_has(output, "/php-fpm.conf:2: warning: pid: ");
    /* what the pools share is said once */
    ck_assert_ptr_null(strstr(strstr(output, "warning: pid: ") + 1, "warning: pid: "));
    assert_has(output, "3 files with 2 pools checked: ");
}
END_TEST

START_TEST(check_notes)
{
    char path[128], text[512];
    const char *note;

    snprintf(text, sizeof(text), "%slisten.mode = 0660\nlisten.backlog = 7\n", good_file());
    server_write(&server, "good.conf", text);
    snprintf(path, sizeof(path), "%s/conf/good.conf", server.dir);
    ck_assert_int_eq(run(WORDS("check", "-v", "--libexec-dir=/bin", path)), 0);
    assert_has(output, "note: listen.mode: done by systemd: SocketMode=0660 of fpmd@good.socket; "
                       "units were not asked\n");
    assert_has(output, "note: listen.backlog: done by systemd: Backlog=7 of fpmd@good.socket; ");
    assert_has(output, "note: pm.max_children: honoured\n");
    note = strstr(output, "note: listen.mode: ");
    ck_assert_ptr_null(strstr(note + 1, "note: listen.mode: "));
}
END_TEST

START_TEST(list)
{
    server_write(&server, "good.conf", good_file());
    server_write(&server, "bad.conf", "bogus\n");
    server_write(&server, "other.txt", "bogus\n");
    server_write(&server, ".hidden.conf", "bogus\n");
    ck_assert_int_eq(run(WORDS("list")), 0);
    assert_has(output, "\nbad                 errors  ");
    assert_has(output, "\ngood                ok      ");
    ck_assert_ptr_null(strstr(output, "other"));
    ck_assert_ptr_null(strstr(output, "hidden"));
    ck_assert_int_eq(run(WORDS("list", "-o", "json")), 0);
    assert_has(output, "[\n  {\"pool\": \"bad\", \"config\": \"errors\", ");
    assert_has(output, "},\n  {\"pool\": \"good\", \"config\": \"ok\", ");
    ck_assert_int_eq(run(WORDS("list", "--config-dir=/nowhere")), 1);
    assert_has(errors, "/nowhere");
}
END_TEST

static Suite *fpmctl_suite(void)
{
    Suite *s = suite_create("ctl/fpmctl");
    TCase *tc = tcase_create("fpmctl");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, usage, 0, 26);
    tcase_add_test(tc, check_good);
    tcase_add_test(tc, check_bad);
    tcase_add_test(tc, check_missing);
    tcase_add_test(tc, check_other_names);
    tcase_add_test(tc, check_includes);
    tcase_add_test(tc, check_notes);
    tcase_add_test(tc, list);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(fpmctl_suite)
