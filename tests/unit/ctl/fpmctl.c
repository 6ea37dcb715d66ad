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
        const char *words[5];
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
        {{"opcache"}, 64, "opcache POOL status"},
        {{"opcache", "reset"}, 64, "opcache POOL... reset"},
        {{"opcache", "clear", "www"}, 64, "opcache POOL status"},
        {{"opcache", "www", "other", "status"}, 64, "opcache POOL status"},
        {{"reopen"}, 64, "reopen POOL... | --all"},
        {{"metrics", "a/b"}, 64, "'a/b'"},
        {{"trace", "www"}, 64, "trace POOL PID"},
        {{"trace", "www", "-1"}, 64, "invalid option"},
        {{"trace", "www", "1x"}, 64, "'1x' is no process id"},
        {{"php", "www"}, 64, "php POOL -i|-m|-v"},
        {{"php", "www", "-i", "-m"}, 64, "php POOL -i|-m|-v"},
        {{"php", "none", "-i"}, 78, "none: there is no such pool: no none.conf in "},
        {{"log"}, 64, "log POOL"},
        {{"log", "a/b"}, 64, "'a/b'"},
        {{"log", "www", "--slow", "--access"}, 64, "exclude each other"},
        {{"log", "www", "--slow", "--all"}, 64, "--all shows everything"},
        {{"log", "www", "--", "_UID=0"}, 64, "'_UID=0' is a match"},
        {{"ping", "none"}, 78, "none: there is no such pool: no none.conf in "},
        {{"ping", "--timeout=0", "www"}, 64, "above 0"},
        {{"ping", "--timeout=soon", "www"}, 64, "--timeout=soon: a time"},
        {{"status", "-f", "www"}, 64, "status has no option --follow"},
        {{"drain"}, 64, "drain POOL"},
        {{"drain", "a", "b"}, 64, "drain POOL"},
        {{"drain", "a/b"}, 64, "'a/b'"},
        {{"drain", "--quiet=soon", "a"}, 64, "--quiet=soon: a time"},
        {{"status", "--all", "a"}, 64, "no option --all"},
        {{"reload", "--quiet=1s", "a"}, 64, "no option --quiet"},
        {{"reload", "--keep-socket", "a"}, 64, "no option --keep-socket"},
        {{"reload", "a/b"}, 64, "'a/b'"},
        {{"list", "-o", "xml"}, 64, "xml"},
        {{"drain", "-o", "json", "a"}, 64, "drain has no option --output=json"},
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

/* The row of a pool has the word behind its state, which is systemd's matter. */
static void assert_row(const char *pool, const char *config)
{
    char name[65], state[32], word[32];
    const char *p = output;

    while ((p = strchr(p, '\n')) && *++p)
        if (sscanf(p, "%64s %31s %31s", name, state, word) == 3 && strcmp(name, pool) == 0) {
            ck_assert_str_eq(word, config);
            return;
        }
    ck_abort_msg("no row of %s in:\n%s", pool, output);
}

START_TEST(list)
{
    server_write(&server, "good.conf", good_file());
    server_write(&server, "bad.conf", "bogus\n");
    server_write(&server, "other.txt", "bogus\n");
    server_write(&server, ".hidden.conf", "bogus\n");
    ck_assert_int_eq(run(WORDS("list")), 0);
    assert_row("bad", "errors");
    assert_row("good", "ok");
    ck_assert_ptr_null(strstr(output, "\033"));
    ck_assert_ptr_null(strstr(output, "other"));
    ck_assert_ptr_null(strstr(output, "hidden"));
    ck_assert_int_eq(run(WORDS("list", "-o", "json")), 0);
    assert_has(output, "[\n  {\"pool\": \"bad\", \"state\": \"");
    assert_has(output, "\"config\": \"errors\", ");
    assert_has(output, "},\n  {\"pool\": \"good\", \"state\": \"");
    assert_has(output, "\"config\": \"ok\", ");
    ck_assert_int_eq(run(WORDS("list", "--config-dir=/nowhere")), 1);
    assert_has(errors, "/nowhere");
}
END_TEST

/* A pool that runs without a file and without systemd. */
START_TEST(list_without_file)
{
    ControlReply reply = {.version = CONTROL_VERSION};

    server_write(&server, "www.conf", good_file());
    server_start(&server, "alone", CONTROL_STATUS, &reply, NULL, 0);
    server_start(&server, "gone", CONTROL_STATUS, &reply, NULL, 0);
    server_stop(&server);
    ck_assert_int_eq(run(WORDS("list")), 0);
    assert_has(output, "\nalone               running    none    ");
    assert_has(output, "\nwww                 ");
    ck_assert_ptr_null(strstr(output, "gone"));
}
END_TEST

START_TEST(check_for_programs)
{
    server_write(&server, "bad.conf", "[bad]\npm = \"x\\y\"\n");
    ck_assert_int_eq(run(WORDS("check", "-o", "json")), 78);
    assert_has(output, "\"pools\": 1,\n");
    assert_has(output, "{\"pool\": \"bad\", \"severity\": \"error\", \"file\": \"");
    assert_has(output,
               "/conf/bad.conf\", \"line\": 2, \"directive\": \"pm\", \"text\": \"'x\\\\y' ");
}
END_TEST

static Suite *fpmctl_suite(void)
{
    Suite *s = suite_create("ctl/fpmctl");
    TCase *tc = tcase_create("fpmctl");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, usage, 0, 44);
    tcase_add_test(tc, check_good);
    tcase_add_test(tc, check_bad);
    tcase_add_test(tc, check_missing);
    tcase_add_test(tc, check_other_names);
    tcase_add_test(tc, check_includes);
    tcase_add_test(tc, check_notes);
    tcase_add_test(tc, check_for_programs);
    tcase_add_test(tc, list);
    tcase_add_test(tc, list_without_file);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(fpmctl_suite)
