#include "fpmctl.h"

#include "base/fd.h"
#include "base/macro.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Pools of a user's own, of whose systemd nobody answers: nothing outside of the folder is touched,
 * whoever runs the tests. */
static char unit_dir[128];

#define DROPIN "50-pool-file.conf"

static void set_up(void)
{
    char option[96];

    server_init(&server);
    snprintf(option, sizeof(option), "unix:path=%s/no-bus", server.dir);
    ck_assert_int_eq(setenv("DBUS_SESSION_BUS_ADDRESS", option, 1), 0);
    ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", server.dir, 1), 0);
    ck_assert_int_eq(setenv("HOME", server.dir, 1), 0);
    ck_assert_int_eq(unsetenv("XDG_CONFIG_HOME"), 0);
    snprintf(unit_dir, sizeof(unit_dir), "--unit-dir=%s/units", server.dir);
}

static void tear_down(void)
{
    server_done(&server);
}

static int run_as_user(const char *a, const char *b, const char *c)
{
    return run((const char *[]){"--user", unit_dir, a, b, c, NULL});
}

static char *dropin_path(const char *unit)
{
    static char path[256];

    snprintf(path, sizeof(path), "%.64s/units/%.64s.d/" DROPIN, server.dir, unit);
    return path;
}

static void write_pool(const char *name, const char *lines)
{
    char file[80], text[2048];

    snprintf(file, sizeof(file), "%.60s.conf", name);
    snprintf(text, sizeof(text), "[%s]\npm = static\npm.max_children = 1\n%s", name, lines);
    server_write(&server, file, text);
}

START_TEST(writes_once)
{
    _cleanup_free_ char *text = NULL;
    struct stat first, second;

    write_pool("a-b.c", "listen = /run/a.sock 9000\nlisten.mode = 0600\n");
    ck_assert_int_eq(run_as_user("apply", "a-b.c", NULL), 0);
    assert_has(output,
               "\na-b.c                socket         ListenStream           (of the unit) -> "
               "/run/a.sock [::]:9000\n");
    assert_has(output, "1 pool: 1 unit changed\n");
    assert_has(errors, "systemctl --user daemon-reload");
    ck_assert_int_eq(fd_read_file(dropin_path("fpmd@a-b.c.socket"), 4096, &text, NULL), 0);
    assert_has(text, "/conf/a-b.c.conf\n");
    assert_has(text, "systemctl edit fpmd@a-b.c.socket\n");
    assert_has(text, "\n[Socket]\nListenStream=\nListenStream=/run/a.sock\nListenStream=[::]:9000\n"
                     "BindIPv6Only=both\nSocketMode=0600\n");
    ck_assert_int_eq(stat(dropin_path("fpmd@a-b.c.socket"), &first), 0);
    ck_assert_int_eq(first.st_mode & 07777, 0644);
    ck_assert_int_eq(run_as_user("apply", "a-b.c", NULL), 0);
    ck_assert_str_eq(output, "1 pool: 0 units changed\n");
    ck_assert_int_eq(stat(dropin_path("fpmd@a-b.c.socket"), &second), 0);
    ck_assert_uint_eq(first.st_ino, second.st_ino);
}
END_TEST

/* Nothing changes, and what runs cannot be seen: who asks for a restart is told so. */
START_TEST(restarts_without_systemd)
{
    write_pool("w", "listen = 9000\n");
    ck_assert_int_eq(run_as_user("apply", "--restart", "w"), 0);
    assert_has(errors, "systemctl --user daemon-reload");
    ck_assert_int_eq(run_as_user("apply", "w", NULL), 0);
    ck_assert_str_eq(errors, "");
    ck_assert_int_eq(run_as_user("apply", "--restart", "w"), 0);
    ck_assert_str_eq(output, "1 pool: 0 units changed\n");
    assert_has(errors, "nothing is restarted\n");
}
END_TEST

START_TEST(tells_was_and_is)
{
    write_pool("w", "listen = 9000\nlisten.backlog = 5\n");
    ck_assert_int_eq(run_as_user("apply", "w", NULL), 0);
    write_pool("w", "listen = 9001\n");
    ck_assert_int_eq(run_as_user("apply", "--dry-run", "w"), 0);
    assert_has(output, "ListenStream           [::]:9000 -> [::]:9001\n");
    assert_has(output, "Backlog                5 -> (of the unit)\n");
    ck_assert_ptr_null(strstr(output, "BindIPv6Only"));
    assert_has(output, "1 unit would be changed\n");
    /* nothing was changed yet */
    ck_assert_int_eq(run_as_user("apply", "--all", NULL), 0);
    assert_has(output, "1 pool: 1 unit changed\n");
}
END_TEST

START_TEST(removes_only_its_own)
{
    char path[256], *folder;
    FILE *f;

    write_pool("w", "listen = 9000\n");
    write_pool("v", "listen = 9001\n");
    ck_assert_int_eq(run_as_user("apply", "w", "v"), 0);
    assert_has(output, "2 pools: 2 units changed\n");
    snprintf(path, sizeof(path), "%s/units/fpmd@w.socket.d/mine.conf", server.dir);
    f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fclose(f), 0);
    write_pool("w", "");
    write_pool("v", "");
    ck_assert_int_eq(run_as_user("apply", "--all", NULL), 0);
    assert_has(output, "ListenStream           [::]:9000 -> (of the unit)\n");
    ck_assert_int_lt(access(dropin_path("fpmd@w.socket"), F_OK), 0);
    ck_assert_int_eq(access(path, F_OK), 0);
    folder = dropin_path("fpmd@v.socket");
    *strrchr(folder, '/') = 0;
    ck_assert_int_lt(access(folder, F_OK), 0);
}
END_TEST

/* The drop-ins of a pool whose file has gone go with --all. */
START_TEST(removes_orphans)
{
    char path[128];

    write_pool("w", "listen = 9000\n");
    write_pool("v", "listen = 9001\n");
    ck_assert_int_eq(run_as_user("apply", "--all", NULL), 0);
    snprintf(path, sizeof(path), "%s/conf/v.conf", server.dir);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(run_as_user("apply", "w", NULL), 0);
    ck_assert_int_eq(access(dropin_path("fpmd@v.socket"), F_OK), 0);
    ck_assert_int_eq(run_as_user("apply", "--all", NULL), 0);
    assert_has(output,
               "v                    socket         ListenStream           [::]:9001 -> (of "
               "the unit)\n");
    ck_assert_int_lt(access(dropin_path("fpmd@v.socket"), F_OK), 0);
    ck_assert_int_eq(access(dropin_path("fpmd@w.socket"), F_OK), 0);
}
END_TEST

START_TEST(passes_over_errors)
{
    write_pool("bad", "listen = php.example:9000\n");
    write_pool("good", "listen = 9000\n");
    write_pool("worse", "bogus = 1\n");
    ck_assert_int_eq(run_as_user("apply", "--all", NULL), 78);
    assert_has(errors, "bad.conf:4: error: listen: 'php.example:9000' has a host name");
    assert_has(errors, "fpmctl: bad: its file has errors, its units are left as they are\n");
    assert_has(errors, "worse.conf:4: error: bogus: ");
    assert_has(output, "3 pools: 1 unit changed\n");
    ck_assert_int_eq(run_as_user("apply", "nothere", NULL), 78);
    assert_has(errors, "nothere.conf: error: ");
    ck_assert_int_eq(run_as_user("apply", "a/b", NULL), 78);
    assert_has(errors, "cannot be the name of a pool");
}
END_TEST

START_TEST(usage)
{
    static const struct {
        const char *words[3], *says;
    } cases[] = {
        {{"apply"}, "apply POOL... | --all"},
        {{"apply", "--all", "w"}, "apply POOL... | --all"},
        {{"check", "--restart"}, "--restart"},
        {{"show"}, "show POOL"},
        {{"show", "w", "--dry-run"}, "--dry-run"},
        {{
             "apply",
             "w",
             "-o",
         },
         "'o'"},
        {{"apply", "w", "-v"}, "--verbose"},
    };

    ck_assert_int_eq(run_as_user(cases[_i].words[0], cases[_i].words[1], cases[_i].words[2]), 64);
    assert_has(errors, cases[_i].says);
}
END_TEST

START_TEST(cannot_write)
{
    char path[128];
    FILE *f;

    write_pool("w", "listen = 9000\n");
    /* a file where the folder should be */
    snprintf(path, sizeof(path), "%s/units", server.dir);
    f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(run_as_user("apply", "w", NULL), 1);
    assert_has(errors, "fpmd@w.socket.d/" DROPIN ": Not a directory");
}
END_TEST

START_TEST(show_reads_back)
{
    _cleanup_free_ char *first = NULL;
    char path[128];

    write_pool("w", "listen = 9000\npm.max_requests = 7\nenv[A] = \"x;$y\\\\\"\n"
                    "php_value[error_reporting] = E_ALL & ~E_NOTICE\nphp_flag[log_errors] = on\n"
                    "ping.response = \"a b ; c\"\n");
    ck_assert_int_eq(run_as_user("show", "w", NULL), 0);
    assert_has(output, "\npm.max_requests = 7  ");
    assert_has(output, "w.conf:5\n");
    assert_has(output, "\npm.max_spawn_rate = 32                       ; default\n");
    assert_has(output, "\nphp_flag[log_errors] = on ");
    assert_has(output, "[Socket] ListenStream=[::]:9000 (listen)\n");
    first = strdup(strstr(output, "\n[w]\n"));
    ck_assert_ptr_nonnull(first);
    server_write(&server, "../w.conf", strstr(output, "; Files read"));
    snprintf(path, sizeof(path), "%s/w.conf", server.dir);
    ck_assert_int_eq(run_as_user("show", path, NULL), 0);
    ck_assert_str_eq(errors, "");
    for (char *line = strtok(first, "\n"); line; line = strtok(NULL, "\n")) {
        line[strcspn(line, ";")] = 0;
        if (*line)
            assert_has(output, line);
    }
}
END_TEST

START_TEST(show_as_json)
{
    write_pool("w", "listen = 9000\nenv[A] = \"x\\\"y\"\n");
    ck_assert_int_eq(run_as_user("show", "-ojson", "w"), 0);
    assert_has(output, "{\n  \"pool\": \"w\",\n  \"files\": [\"");
    assert_has(output, "{\"directive\": \"env\", \"key\": \"A\", \"value\": \"x\\\"y\", ");
    assert_has(output, "{\"directive\": \"chroot\", \"value\": null, \"fate\": \"honoured\", "
                       "\"file\": null}");
    assert_has(output, "\"setting\": \"ListenStream\", \"value\": \"[::]:9000\", \"directive\": "
                       "\"listen\"}");
    ck_assert_int_eq(run_as_user("show", "nothere", NULL), 78);
    assert_has(errors, "nothere.conf: error: ");
    ck_assert_str_eq(output, "");
}
END_TEST

START_TEST(check_tells_fates)
{
    server_write(&server, "w.conf",
                 "log_limit = 2048\n[w]\npm = static\npm.max_children = 1\n"
                 "listen.setfib = 2\nruntime = true\n");
    ck_assert_int_eq(run_as_user("check", "-v", "--libexec-dir=/bin"), 0);
    assert_has(output, "w.conf:1: warning: log_limit: has no effect, this is done by ");
    assert_has(output, "w.conf:5: warning: listen.setfib: has no effect: ");
    assert_has(output, "w.conf:3: note: pm: honoured\n");
    assert_has(errors, "the files are not compared with units");
}
END_TEST

/* sendmail that works by its set-id bit, of Debian's mailers. */
START_TEST(check_looks_at_sendmail)
{
    char path[128], lines[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/mailer", server.dir);
    f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(path, 02755), 0);
    snprintf(lines, sizeof(lines),
             "user = nobody\nruntime = true\nphp_admin_value[sendmail_path] = \"%s -t\"\n", path);
    write_pool("w", lines);
    snprintf(lines, sizeof(lines), "%s/conf/w.conf", server.dir);
    const char *words[] = {"check", "--libexec-dir=/bin", lines, NULL};

    server_run(&server, words, output, errors, sizeof(errors));
    assert_has(output, "w.conf:6: warning: sendmail_path: mail() of this pool will fail: ");
    ck_assert_int_eq(chmod(path, 0755), 0);
    server_run(&server, words, output, errors, sizeof(errors));
    ck_assert_ptr_null(strstr(output, "sendmail_path"));
}
END_TEST

/* Paths of settings that the lists of the sandbox leave out. */
static const struct {
    const char *lines;
    const char *words; /* NULL: there is no such warning */
} grant_rows[] = {
    {"php_value[session.save_path] = /srv/s\n", NULL},
    {"php_value[session.save_path] = /srv/s\nsandbox.write = -/srv/s\n", NULL},
    {"php_value[session.save_path] = \"2;0600;/srv/s/x\"\nsandbox.write = -/srv/s\n", NULL},
    {"php_value[session.save_path] = \"2;0600;/srv/x\"\nsandbox.write = -/srv/s\n",
     "w.conf:4: warning: session.save_path: /srv/x is outside of sandbox.write, so PHP will be "
     "denied to write it; expected it in that list\n"},
    {"php_value[session.save_path] = /srv/x\nphp_value[session.save_handler] = redis\n"
     "sandbox.write = none\n",
     NULL},
    {"php_value[session.save_path] = tcp://x\nsandbox.write = none\n", NULL},
    {"php_value[upload_tmp_dir] = /tmp/x\nsandbox.write = none\n", NULL},
    {"php_admin_value[upload_tmp_dir] = /tmpx\nsandbox.write = none\n",
     "w.conf:4: warning: upload_tmp_dir: /tmpx is outside of sandbox.write"},
    {"php_admin_value[error_log] = /srv/e\nsandbox.write = none\nsandbox.read = /srv\n",
     "w.conf:4: warning: error_log: /srv/e is outside of sandbox.write"},
    {"php_admin_value[error_log] = syslog\nsandbox.write = none\n", NULL},
    {"php_value[auto_prepend_file] = /srv/p\nsandbox.write = -/srv\n", NULL},
    {"php_value[auto_prepend_file] = /srv/p\nsandbox.read = -/srv/q\n",
     "w.conf:4: warning: auto_prepend_file: /srv/p is outside of sandbox.read, so PHP will be "
     "denied to read it; expected it in that list\n"},
    {"php_value[auto_prepend_file] = /srv/p\nsandbox.read = none\nsandbox.write = -/srv/\n", NULL},
    {"chdir = /\nsandbox.read = -/srv\n", "w.conf:4: warning: chdir: / is outside of sandbox.read"},
    {"chdir = /\nsandbox.read = /\n", NULL},
    {"sandbox.exec_paths = -/opt\n",
     "w.conf:4: warning: sandbox.exec_paths: exec(), system(), popen() and mail() start programs "
     "by /bin/sh, which is not in the list; expected it there, or none\n"},
    {"sandbox.exec_paths = /bin/sh\n", NULL},
    {"sandbox.exec_paths = /usr/bin\n", NULL}, /* where links lead */
    {"sandbox.exec_paths = none\n", NULL},
};

START_TEST(check_looks_at_grants)
{
    char lines[512];

    snprintf(lines, sizeof(lines), "%s/conf/w.conf", server.dir);
    const char *words[] = {"check", "--libexec-dir=/bin", lines, NULL};
    char text[1024];

    snprintf(text, sizeof(text), "%suser = nobody\nruntime = true\n", grant_rows[_i].lines);
    write_pool("w", text);
    server_run(&server, words, output, errors, sizeof(errors));
    if (grant_rows[_i].words)
        assert_has(output, grant_rows[_i].words);
    else
        ck_assert_msg(!strstr(output, "sandbox."), "%s", output);
}
END_TEST

static Suite *apply_suite(void)
{
    Suite *s = suite_create("ctl/apply");
    TCase *tc = tcase_create("apply");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, writes_once);
    tcase_add_test(tc, restarts_without_systemd);
    tcase_add_test(tc, tells_was_and_is);
    tcase_add_test(tc, removes_only_its_own);
    tcase_add_test(tc, removes_orphans);
    tcase_add_test(tc, passes_over_errors);
    tcase_add_loop_test(tc, usage, 0, 7);
    tcase_add_test(tc, cannot_write);
    tcase_add_test(tc, show_reads_back);
    tcase_add_test(tc, show_as_json);
    tcase_add_test(tc, check_tells_fates);
    tcase_add_test(tc, check_looks_at_sendmail);
    tcase_add_loop_test(tc, check_looks_at_grants, 0, ARRAY_SIZE(grant_rows));
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(apply_suite)
