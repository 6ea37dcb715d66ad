/*
 * What fpmctl sandbox tells: views of every kind, and the program itself.
 */

#include "fpmctl.h"
#include "../status/example.h"
#include "ctl/sandbox.h"

#include <stdio.h>

static SandboxView view;
static SandboxReport report;

static void set_up(void)
{
    server_init(&server);
}

static void tear_down(void)
{
    sandbox_report_done(&report);
    sandbox_view_done(&view);
    server_done(&server);
}

/* A view of the pool that these lines make, of a machine that lacks nothing, and its report. */
static void look(const char *lines)
{
    ConfigIssues issues = {0};
    const char *bad;
    char text[2048];
    int n = snprintf(text, sizeof(text), "[www]\nuser = site\npm = static\npm.max_children = 1\n%s",
                     lines);

    view = (SandboxView){.uid = 1000, .landlock_abi = 7};
    strcpy(view.unit_name, "fpmd@www.service");
    view.user = strdup("site");
    ck_assert_int_eq(config_parse(text, (size_t)n, "www.conf", "www", &issues, &view.owned_config),
                     0);
    config_issues_done(&issues);
    view.config = view.owned_config;
    view.calls_known = true;
    if (view.config->sandbox_seccomp != SANDBOX_SECCOMP_OFF)
        ck_assert_int_eq(syscall_set_build((SyscallProfile)view.config->sandbox_seccomp,
                                           (const char *const *)view.config->sandbox_syscalls.items,
                                           view.config->sandbox_syscalls.n,
                                           view.config->sandbox_exec, &view.calls, &bad),
                         0);
}

static void set(UnitProperty property, const char *value)
{
    free(view.properties[property]);
    view.properties[property] = strdup(value);
    view.unit_known = true;
}

static void make(void)
{
    sandbox_report_done(&report);
    ck_assert_int_eq(sandbox_report_make(&view, &report), 0);
}

/* "" for a fact that there is not. */
static const char *fact(SandboxTopic topic, const char *name)
{
    for (size_t i = 0; i < report.n_facts; i++)
        if (report.facts[i].topic == topic && strcmp(report.facts[i].name, name) == 0)
            return report.facts[i].text;
    return "";
}

static bool is_weak(const char *name)
{
    for (size_t i = 0; i < report.n_weaknesses; i++)
        if (strcmp(report.weaknesses[i].name, name) == 0)
            return true;
    return false;
}

/* As the shipped unit. */
static void set_shipped(void)
{
    set(PROPERTY_USER, FPMD_MANAGER_USER);
    set(PROPERTY_PROTECT_SYSTEM, "strict");
    set(PROPERTY_READ_WRITE_PATHS, "-/var\n-/srv");
    set(PROPERTY_PROTECT_HOME, "yes");
    set(PROPERTY_PRIVATE_TMP, "1");
    set(PROPERTY_PRIVATE_DEVICES, "1");
    set(PROPERTY_PRIVATE_IPC, "1");
    set(PROPERTY_PROTECT_PROC, "invisible");
    set(PROPERTY_NO_NEW_PRIVILEGES, "1");
    set(PROPERTY_NAMESPACES, "0");
    set(PROPERTY_TEMPORARY_FILE_SYSTEM, "/run/fpmd ro,mode=0755\n/run/php ro,mode=0755");
    set(PROPERTY_BIND_READ_ONLY_PATHS, "/run/fpmd/www.sock /run/fpmd/www.sock 1 0");
    set(PROPERTY_SYSTEM_CALL_FILTER, "0 mount\nreboot:13\nbpf");
    set(PROPERTY_MEMORY_MAX, "18446744073709551615");
    set(PROPERTY_TASKS_MAX, "4915");
}

/* Everything that a pool file can close is closed. */
#define TIGHT                                                                                      \
    "sandbox.read = /srv/site\nsandbox.write = /srv/site/upload\nsandbox.exec = no\n"              \
    "sandbox.tcp_connect = 443 3306\nsandbox.opcache = private\nrequest_terminate_timeout = 30s\n" \
    "security.allow_php_value = no\npm.worker_memory_max = 256M\npm.worker_tasks_max = 20\n"

START_TEST(topics_have_names)
{
    for (int i = 0; i < _SANDBOX_TOPIC_MAX; i++) {
        ck_assert_ptr_nonnull(sandbox_topic_name((SandboxTopic)i));
        ck_assert_ptr_nonnull(sandbox_topic_title((SandboxTopic)i));
    }
    for (int i = PROPERTY_NONE + 1; i < _UNIT_PROPERTY_MAX; i++)
        ck_assert_ptr_nonnull(unit_property_name((UnitProperty)i));
}
END_TEST

START_TEST(an_ordinary_pool_has_weaknesses_with_cures)
{
    static const char *const expected[] = {"opcache", "survives-crash", "reads",
                                           "writes",  "programs",       "connections",
                                           "memory",  "time",           "settings"};

    look("");
    set_shipped();
    make();
    ck_assert_uint_eq(report.n_weaknesses, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        ck_assert_str_eq(report.weaknesses[i].name, expected[i]);
        ck_assert_uint_gt(strlen(report.weaknesses[i].text), 0);
        ck_assert_uint_gt(strlen(report.weaknesses[i].cure), 0);
    }
}
END_TEST

START_TEST(a_tight_pool_has_none_but_udp)
{
    look(TIGHT);
    set_shipped();
    make();
    ck_assert_uint_eq(report.n_weaknesses, 1);
    ck_assert(is_weak("udp"));
    set(PROPERTY_IP_DENY, "2 0.0.0.0 0");
    make();
    ck_assert_uint_eq(report.n_weaknesses, 0);
}
END_TEST

START_TEST(each_opening_is_told)
{
    static const struct {
        const char *lines;
        UnitProperty property;
        const char *value;
        const char *weakness;
    } cases[] = {
        {"sandbox.seccomp = off\n", 0, NULL, "no-filter"},
        {"sandbox.syscalls = +bpf\n", 0, NULL, "dangerous-calls"},
        {"sandbox.syscalls = +@namespaces\n", 0, NULL, "dangerous-calls"},
        {"sandbox.abstract_sockets = yes\n", 0, NULL, "abstract-sockets"},
        {"sandbox.exec_paths = /bin/sh\n", 0, NULL, "loader"},
        {"listen = 9000\n", 0, NULL, "tcp-listener"},
        {"security.limit_extensions =\n", 0, NULL, "any-file"},
        {"rlimit_core = unlimited\nprocess.dumpable = yes\n", 0, NULL, "core-dumps"},
        {"", PROPERTY_USER, "site", "manager-user"},
        {"", PROPERTY_PROTECT_SYSTEM, "full", "system"},
        {"", PROPERTY_PROTECT_HOME, "no", "homes"},
        {"", PROPERTY_PROTECT_HOME, "read-only", "homes"},
        {"", PROPERTY_PRIVATE_TMP, "0", "tmp"},
        {"", PROPERTY_PRIVATE_DEVICES, "0", "devices"},
        {"", PROPERTY_PRIVATE_IPC, "0", "ipc"},
        {"", PROPERTY_PROTECT_PROC, "default", "processes"},
        {"", PROPERTY_NO_NEW_PRIVILEGES, "0", "no-new-privs"},
        {"", PROPERTY_TEMPORARY_FILE_SYSTEM, "", "sockets"},
        {"", PROPERTY_TASKS_MAX, "18446744073709551615", "tasks"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        look("");
        set_shipped();
        make();
        ck_assert_msg(!is_weak(cases[i].weakness), "%s: always", cases[i].weakness);
        sandbox_view_done(&view);
        look(cases[i].lines);
        set_shipped();
        if (cases[i].value)
            set(cases[i].property, cases[i].value);
        make();
        ck_assert_msg(is_weak(cases[i].weakness), "%s: not told", cases[i].weakness);
        sandbox_view_done(&view);
    }
}
END_TEST

START_TEST(what_one_setting_closes_is_not_told)
{
    look("sandbox.retire_on_crash = yes\nsandbox.exec_paths = none\nlisten = 9000\n"
         "listen.allowed_clients = 10.0.0.1\n");
    set_shipped();
    set(PROPERTY_MEMORY_MAX, "1073741824");
    set(PROPERTY_PRIVATE_NETWORK, "1");
    make();
    ck_assert(is_weak("opcache"));
    ck_assert(!is_weak("survives-crash"));
    ck_assert(!is_weak("programs"));
    ck_assert(!is_weak("loader"));
    ck_assert(!is_weak("tcp-listener"));
    ck_assert(!is_weak("memory"));
    ck_assert(!is_weak("connections"));
}
END_TEST

START_TEST(old_kernels)
{
    static const struct {
        int abi;
        const char *has, *has_not;
    } cases[] = {
        {1, "renaming", "nothing is missing"},   {2, "truncate()", "renaming"},
        {3, "Linux 6.7", "truncate()"},          {4, "ioctl() on devices", "Linux 6.7"},
        {5, "Linux 6.12", "ioctl() on devices"}, {6, "version 6: nothing is missing", "lacks"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        look("");
        view.landlock_abi = cases[i].abi;
        make();
        assert_has(fact(TOPIC_KERNEL, "Landlock"), cases[i].has);
        ck_assert_ptr_null(strstr(fact(TOPIC_KERNEL, "Landlock"), cases[i].has_not));
        ck_assert_int_eq(is_weak("kernel"), cases[i].abi < 6);
        sandbox_view_done(&view);
    }
}
END_TEST

START_TEST(no_landlock)
{
    look("sandbox.read = /srv\nsandbox.tcp_connect = 443\n");
    view.landlock_abi = 0;
    make();
    assert_has(fact(TOPIC_KERNEL, "Landlock"), "cannot be done");
    assert_has(fact(TOPIC_FILES, "reading"), "so the pool does not start");
    assert_has(fact(TOPIC_NETWORK, "TCP connections"), "so the pool does not start");
    assert_has(fact(TOPIC_PROCESSES, "workers"), "not dumpable");
    ck_assert(!is_weak("passed-over"));
    sandbox_view_done(&view);
    look("sandbox.read = /srv\nsandbox.tcp_connect = 443\nsandbox.landlock = if-available\n");
    view.landlock_abi = 3;
    make();
    assert_has(fact(TOPIC_FILES, "reading"), "only /srv, and what every pool needs");
    ck_assert_ptr_null(strstr(fact(TOPIC_FILES, "reading"), "passed over"));
    assert_has(fact(TOPIC_NETWORK, "TCP connections"), "passed over");
    ck_assert(is_weak("passed-over"));
}
END_TEST

START_TEST(lists)
{
    look("sandbox.read = none\nsandbox.write = /srv/a -/srv/b\nsandbox.tcp_connect = none\n"
         "sandbox.exec_paths = /bin/sh\n");
    make();
    assert_has(fact(TOPIC_FILES, "reading"), "only what every pool needs");
    assert_has(fact(TOPIC_FILES, "reading"), "sandbox.write implies it");
    assert_has(fact(TOPIC_FILES, "writing"), "only /srv/a, -/srv/b, and");
    assert_has(fact(TOPIC_NETWORK, "TCP connections"), "to nobody");
    assert_has(fact(TOPIC_PROGRAMS, "programs"), "those in /bin/sh, and by way of the dynamic");
}
END_TEST

START_TEST(places_are_told)
{
    bool seen = false;

    look("sandbox.read = /srv\n");
    set_shipped();
    make();
    for (size_t i = 0; i < report.n_facts; i++) {
        const SandboxFact *f = &report.facts[i];

        if (strcmp(f->name, "reading") == 0)
            ck_assert_str_eq(f->source, "sandbox.read, www.conf:5");
        if (strcmp(f->name, "writing") == 0)
            ck_assert_str_eq(f->source, "sandbox.write, default");
        if (strcmp(f->name, "homes") == 0)
            ck_assert_str_eq(f->source, "ProtectHome= of fpmd@www.service");
        seen |= strcmp(f->name, "homes") == 0;
        if (i > 0)
            ck_assert_int_ge(f->topic, f[-1].topic);
    }
    ck_assert(seen);
}
END_TEST

START_TEST(the_unit)
{
    look("");
    set_shipped();
    set(PROPERTY_BIND_PATHS, "/home/a/x /home/a/y 0 16384");
    make();
    ck_assert_str_eq(fact(TOPIC_FILES, "writable"),
                     "/var, /srv, /tmp, /var/tmp, /home/a/y: there permissions decide");
    ck_assert_str_eq(fact(TOPIC_FILES, "shown"), "/run/fpmd/www.sock");
    assert_has(fact(TOPIC_FILES, "empty"), "/run/fpmd, /run/php: what others have there");
    assert_has(fact(TOPIC_PROCESSES, "shared memory"), "the pool's own");
    ck_assert_str_eq(fact(TOPIC_LIMITS, "memory of the pool"), "no limit");
    ck_assert_str_eq(fact(TOPIC_LIMITS, "tasks of the pool"), "4,915");
    ck_assert_str_eq(fact(TOPIC_CALLS, "the unit"), "refuses 3 besides, to the manager too");
}
END_TEST

START_TEST(the_filter_of_the_unit)
{
    look("");
    set(PROPERTY_SYSTEM_CALL_FILTER, "0 mount\nreboot:13\nbpf");
    ck_assert(view_unit_refuses(&view, "mount"));
    ck_assert(view_unit_refuses(&view, "reboot"));
    ck_assert(view_unit_refuses(&view, "bpf"));
    ck_assert(!view_unit_refuses(&view, "umount2"));
    ck_assert(!view_unit_refuses(&view, "moun"));
    set(PROPERTY_SYSTEM_CALL_FILTER, "1 read\nwrite");
    ck_assert(!view_unit_refuses(&view, "read"));
    ck_assert(view_unit_refuses(&view, "mount"));
    set(PROPERTY_SYSTEM_CALL_FILTER, "0 ");
    ck_assert(!view_unit_refuses(&view, "mount"));
}
END_TEST

START_TEST(without_a_unit)
{
    look("");
    view.unit_reason = strdup("systemd cannot be asked");
    make();
    ck_assert_str_eq(fact(TOPIC_FILES, "the unit"), "systemd cannot be asked");
    ck_assert_str_eq(fact(TOPIC_FILES, "homes"), "");
    ck_assert(!is_weak("system"));
    ck_assert(!is_weak("memory"));
}
END_TEST

static StatusPool running(const char *sandbox)
{
    StatusPool s = {.generation = 4, .manager_pid = 17, .generation_usec = 1000};

    strcpy(s.state, "ready");
    strcpy(s.runtime, "php8.2");
    strcpy(s.request_user, "site");
    snprintf(s.sandbox, sizeof(s.sandbox), "%s", sandbox);
    return s;
}

START_TEST(what_runs_is_as_the_file_says)
{
    StatusPool s = running("no-new-privs capabilities seccomp landlock-7 user");

    look("");
    view.status = &s;
    view.runtime_told = true;
    view.file_usec = 999;
    make();
    assert_has(fact(TOPIC_RUNNING, "state"), "ready, generation 4, php8.2, manager 17");
    ck_assert_str_eq(fact(TOPIC_RUNNING, "moot"), "nothing: all steps were done");
    for (size_t i = 0; i < report.n_facts; i++)
        ck_assert_int_ne(report.facts[i].topic, TOPIC_DIFFERENCES);
}
END_TEST

START_TEST(what_never_served_is_confined_by_nothing)
{
    StatusPool s = running("no-new-privs capabilities seccomp user");

    look("");
    strcpy(s.state, "waiting");
    strcpy(s.status_text, "Cannot start: no such user");
    s.generation = 0;
    view.status = &s;
    make();
    ck_assert_str_eq(fact(TOPIC_RUNNING, "state"),
                     "waiting, no generation serves, manager 17: Cannot start: no such user");
    ck_assert_str_eq(fact(TOPIC_RUNNING, "confinement"), "");
    ck_assert_str_eq(fact(TOPIC_RUNNING, "moot"), "");
}
END_TEST

START_TEST(machines_without_controllers)
{
    look("pm.worker_memory_max = 256M\npm.worker_tasks_max = 20\n");
    make();
    ck_assert_str_eq(fact(TOPIC_KERNEL, "cgroups"), "");
    ck_assert_ptr_null(strstr(fact(TOPIC_LIMITS, "memory"), "does not start"));
    view.cgroups_known = view.limits_tasks = true;
    make();
    ck_assert_str_eq(fact(TOPIC_KERNEL, "cgroups"),
                     "no controller memory, so pm.worker_memory_max cannot be done");
    assert_has(fact(TOPIC_LIMITS, "memory"), "so the pool does not start");
    ck_assert_str_eq(fact(TOPIC_LIMITS, "tasks"), "20 processes and threads");
    view.limits_memory = true;
    make();
    assert_has(fact(TOPIC_KERNEL, "cgroups"), "nothing is missing");
    ck_assert_ptr_null(strstr(fact(TOPIC_LIMITS, "memory"), "does not start"));
}
END_TEST

START_TEST(what_runs_differs)
{
    StatusPool s = running("no-new-privs capabilities landlock-7 paths");

    look("sandbox.tcp_connect = 443\n");
    strcpy(s.request_user, "other");
    s.moot = BOARD_MOOT_BOUNDING_SET;
    view.status = &s;
    view.runtime_told = true;
    view.file_usec = 1001;
    make();
    assert_has(fact(TOPIC_DIFFERENCES, "age"), "systemctl reload fpmd@www.service");
    assert_has(fact(TOPIC_DIFFERENCES, "user"), "run as other, the file says site");
    assert_has(fact(TOPIC_DIFFERENCES, "paths"), "what runs has");
    assert_has(fact(TOPIC_DIFFERENCES, "TCP connections"), "the file has");
    assert_has(fact(TOPIC_DIFFERENCES, "filter"), "the file has");
    assert_has(fact(TOPIC_RUNNING, "moot"), "bounding set");
    ck_assert_str_eq(fact(TOPIC_DIFFERENCES, "chroot"), "");
}
END_TEST

START_TEST(what_is_moot_is_no_difference)
{
    StatusPool s = running("no-new-privs capabilities seccomp landlock-3");

    look("sandbox.tcp_connect = 443\nsandbox.landlock = if-available\n");
    s.moot = BOARD_MOOT_TCP;
    view.status = &s;
    view.runtime_told = true;
    make();
    ck_assert_str_eq(fact(TOPIC_DIFFERENCES, "TCP connections"), "");
    assert_has(fact(TOPIC_RUNNING, "moot"), "sandbox.tcp_connect is passed over");
}
END_TEST

START_TEST(a_half_confined_process_is_told_first)
{
    static const SandboxProcess bad[] = {
        {.pid = 5, .uid = 1000, .capabilities = 1, .no_new_privs = true, .filtered = true},
        {.pid = 5, .uid = 1000, .no_new_privs = false, .filtered = true},
        {.pid = 5, .uid = 1000, .no_new_privs = true, .filtered = false},
    };

    look("");
    view.process = (SandboxProcess){.pid = 5, .no_new_privs = true, .filtered = true};
    make();
    ck_assert(!is_weak("half-confined"));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        view.process = bad[i];
        make();
        ck_assert_str_eq(report.weaknesses[0].name, "half-confined");
    }
}
END_TEST

START_TEST(neighbours)
{
    look("");
    view.neighbours = strdup("blog, shop");
    make();
    assert_has(fact(TOPIC_PROCESSES, "others"), "those of pools blog, shop have the same user");
    ck_assert(is_weak("neighbours"));
}
END_TEST

START_TEST(wrapping)
{
    _cleanup_buffer_ Buffer b = {0};

    ck_assert_int_eq(sandbox_wrap(&b, "a \x1b b", 0, 4), 0);
    ck_assert_int_eq(sandbox_wrap(&b,
                                  "0123456789 0123456789 0123456789 0123456789 0123456789 "
                                  "0123456789 0123456789 0123456789 0123456789",
                                  4, 4),
                     0);
    ck_assert_int_eq(buffer_append(&b, "", 1), 0);
    ck_assert_str_eq(b.data,
                     "a ? b\n0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 "
                     "0123456789 0123456789\n    0123456789\n");
}
END_TEST

/* ---- the program ---- */

START_TEST(program_stopped)
{
    server_write(&server, "good.conf", good_file());
    ck_assert_int_eq(run(WORDS("sandbox", "good")), 0);
    assert_has(output, "Pool good: what its workers may touch");
    assert_has(output, "it does not run");
    assert_has(output, "=> sandbox.opcache = private");
    ck_assert_ptr_null(strstr(output, "@io"));
    ck_assert_int_eq(run(WORDS("sandbox", "good", "-v")), 0);
    assert_has(output, "  @io: allowed\n");
    assert_has(output, "  @bpf: ends the process\n");
    assert_has(output, "/etc/resolv.conf");
    ck_assert_int_eq(run(WORDS("sandbox", "good", "--calls")), 0);
    assert_has(output, "  @io: allowed\n");
    ck_assert_ptr_null(strstr(output, "OPcache"));
}
END_TEST

START_TEST(program_running)
{
    Example e = example_make();
    ControlReply reply = {.version = CONTROL_VERSION};
    char file[512];

    snprintf(file, sizeof(file), "%ssandbox.write = none\n", good_file());
    memcpy(strstr(file, "good"), "xxxx", 4);
    server_write(&server, "xxxx.conf", file);
    e.pool.generation_usec = 1;
    server_start(&server, "xxxx", CONTROL_STATUS, &reply, &e, sizeof(e));
    ck_assert_int_eq(run(WORDS("sandbox", "xxxx")), 0);
    assert_has(output, "ready, generation 3, PHP 8.2.36");
    assert_has(output, "layers between workers");
    assert_has(output, "were written after the running generation began");
    assert_has(output, "the file has sandbox.read, write or exec_paths, what runs");
}
END_TEST

START_TEST(program_json)
{
    server_write(&server, "good.conf", good_file());
    ck_assert_int_eq(run(WORDS("sandbox", "good", "-o", "json")), 0);
    assert_has(output, "\"pool\": \"good\"");
    assert_has(output, "\"state\": null");
    assert_has(output, "\"topic\": \"files\", \"name\": \"reading\"");
    assert_has(output, "\"weaknesses\": [\n    {\"name\": ");
    assert_has(output, "\"group\": \"io\"");
    ck_assert_int_eq(run(WORDS("sandbox", "--calls", "-o", "json")), 0);
    assert_has(output, "\"calls\": [\"close\"");
}
END_TEST

START_TEST(program_wrong)
{
    ck_assert_int_eq(run(WORDS("sandbox")), 64);
    assert_has(errors, "needs the name of a pool");
    ck_assert_int_eq(run(WORDS("sandbox", "a/b")), 64);
    ck_assert_int_eq(run(WORDS("sandbox", "none")), 78);
    assert_has(errors, "none.conf");
    ck_assert_int_eq(run(WORDS("sandbox", "--calls")), 0);
    assert_has(output, "  @namespaces: in profiles: none; elsewhere: EPERM");
}
END_TEST

START_TEST(program_broken_file)
{
    char file[512];

    snprintf(file, sizeof(file), "%ssandbox.reed = /srv\n", good_file());
    server_write(&server, "good.conf", file);
    ck_assert_int_eq(run(WORDS("sandbox", "good")), 0);
    assert_has(output, "error in the file");
    assert_has(output, "sandbox.reed");
}
END_TEST

static Suite *sandbox_suite(void)
{
    Suite *suite = suite_create("ctl/sandbox");
    TCase *views = tcase_create("views"), *program = tcase_create("program");

    tcase_add_checked_fixture(views, set_up, tear_down);
    tcase_add_test(views, topics_have_names);
    tcase_add_test(views, an_ordinary_pool_has_weaknesses_with_cures);
    tcase_add_test(views, a_tight_pool_has_none_but_udp);
    tcase_add_test(views, each_opening_is_told);
    tcase_add_test(views, what_one_setting_closes_is_not_told);
    tcase_add_test(views, old_kernels);
    tcase_add_test(views, no_landlock);
    tcase_add_test(views, lists);
    tcase_add_test(views, places_are_told);
    tcase_add_test(views, the_unit);
    tcase_add_test(views, the_filter_of_the_unit);
    tcase_add_test(views, without_a_unit);
    tcase_add_test(views, what_runs_is_as_the_file_says);
    tcase_add_test(views, what_runs_differs);
    tcase_add_test(views, what_never_served_is_confined_by_nothing);
    tcase_add_test(views, machines_without_controllers);
    tcase_add_test(views, what_is_moot_is_no_difference);
    tcase_add_test(views, a_half_confined_process_is_told_first);
    tcase_add_test(views, neighbours);
    tcase_add_test(views, wrapping);
    tcase_add_checked_fixture(program, set_up, tear_down);
    tcase_add_test(program, program_stopped);
    tcase_add_test(program, program_running);
    tcase_add_test(program, program_json);
    tcase_add_test(program, program_wrong);
    tcase_add_test(program, program_broken_file);
    suite_add_tcase(suite, views);
    suite_add_tcase(suite, program);
    return suite;
}

TEST_MAIN(sandbox_suite)
