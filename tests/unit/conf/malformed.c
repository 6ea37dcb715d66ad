#include "load.h"
#include "../run.h"

#include <errno.h>
#include <stdio.h>

/* A malformed line, and a piece of what is said of it. Each is tried at several places. */
static const struct {
    const char *line, *piece;
} lines[] = {
    /* Form */
    {"user", "there is no '='"},
    {"user www-data", "there is no '='"},
    {"user: www-data", "there is no '='"},
    {"# user = x", "'#' does not begin a comment"},
    {"#", "'#' does not begin a comment"},
    {"// x", "there is no '='"},
    {"=", "there is no name before '='"},
    {"= x", "there is no name before '='"},
    {"[]", "the section has no name"},
    {"[ ]", "the section has no name"},
    {"[www", "']' is missing, expected a section header"},
    {"[www;]x", "text after a section header"},
    {"[www] user = x", "text after a section header"},
    {"[[www]]", "text after a section header"},
    {"]", "there is no '='"},
    {"env[A = x", "']' is missing, expected name[key]"},
    {"env[A]B = x", "']' is missing, expected name[key]"},
    {"[A] = x", "text after a section header"},
    {"user = \"x", "a quote is not closed"},
    {"user = 'x", "a quote is not closed"},
    {"user = x\"", "a quote is not closed"},
    {"user = \"x\\\"", "a quote is not closed"},
    {"user = \"x' ; y", "a quote is not closed"},
    {"user = ${", "'}' is missing"},
    {"user = ${X", "'}' is missing"},
    {"user = \"${X\"", "'}' is missing"},
    {"user = ${}", "the name is missing"},
    {"user = ${ }", "the name is missing"},
    {"user = ${:-x}", "the name is missing"},
    {"user = a=b", "outside of quotes"},
    {"user == a", "outside of quotes"},
    {"user = a|b", "outside of quotes"},
    {"user = a & b", "outside of quotes"},
    {"user = !a", "outside of quotes"},
    {"user = ~a", "outside of quotes"},
    {"user = (a)", "outside of quotes"},
    {"user = ^", "outside of quotes"},
    {"include", "there is no '='"},
    {"include = x", "cannot be followed"},
    {"include[] = x", "has a key"},
    /* Names */
    {"usr = x", "did you mean 'user'?"},
    {"max_childen = 1", "did you mean 'pm.max_children'?"},
    {"pm.max_childs = 1", "did you mean 'pm.max_children'?"},
    {"pm_max_children = 1", "did you mean 'pm.max_children'?"},
    {"php_admin_values[x] = 1", "did you mean 'php_admin_value'?"},
    {"listen.alowed_clients = ::1", "did you mean 'listen.allowed_clients'?"},
    {"php_value.x = 1", "there is no such directive"},
    {"x = 1", "there is no such directive"},
    {"\x01\x02 = 1", "there is no such directive"},
    {"us er = x", "there is no such directive"},
    {"\"user\" = x", "there is no such directive"},
    {"user[] = x", "has a key"},
    {"user[x] = x", "has a key"},
    {"env = x", "has no key"},
    {"env[] = x", "has no key"},
    {"env[\"\"] = x", "has no key"},
    {"php_value = x", "has no key"},
    {"php_flag[] = on", "has no key"},
    {"access.suppress_path = /x", "has no key"},
    {"daemonize = no", "is not a directive of a pool"},
    {"pid = /x", "is not a directive of a pool"},
    {"process.max = 3", "is not a directive of a pool"},
    /* Numbers */
    {"pm.max_children = 0", "'0' is out of range"},
    {"pm.max_children = -1", "'-1' is not valid"},
    {"pm.max_children = 65536", "'65536' is out of range"},
    {"pm.max_children = 5.0", "'5.0' is not valid"},
    {"pm.max_children = 0x10", "'0x10' is not valid"},
    {"pm.max_children = 1e3", "'1e3' is not valid"},
    {"pm.max_children = five", "'five' is not valid"},
    {"pm.max_children = 1,000", "'1,000' is not valid"},
    {"pm.max_children = 5 6", "'5 6' is not valid"},
    {"pm.max_children =", "'' is not valid"},
    {"pm.max_children = \"\"", "'' is not valid"},
    {"pm.max_children = ; 5", "'' is not valid"},
    {"pm.max_children = on", "'on' is not valid"},
    {"pm.max_children = 18446744073709551616", "is out of range"},
    {"pm.max_requests = 18446744073709551617", "is out of range"},
    {"pm.max_requests = 10k", "'10k' is not valid"},
    {"listen.backlog = --1", "'--1' is not valid"},
    {"listen.backlog = -", "'-' is not valid"},
    {"listen.backlog = 2147483648", "is out of range"},
    {"process.priority = -20", "'-20' is out of range"},
    {"process.priority = high", "'high' is not valid"},
    {"rlimit_files = -1", "'-1' is not valid"},
    {"rlimit_files = unlimited", "'unlimited' is not valid"},
    {"rlimit_core = 1G", "'1G' is not valid"},
    {"rlimit_core = 9223372036854775808", "is out of range"},
    {"request_slowlog_trace_depth = 0", "'0' is out of range"},
    /* Times, modes, words */
    {"pm.process_idle_timeout =", "'' is not valid"},
    {"pm.process_idle_timeout = s", "'s' is not valid"},
    {"pm.process_idle_timeout = 1w", "'1w' is not valid"},
    {"pm.process_idle_timeout = 1.5s", "'1.5s' is not valid"},
    {"pm.process_idle_timeout = 1m30s", "'1m30s' is not valid"},
    {"pm.process_idle_timeout = -5", "'-5' is not valid"},
    {"pm.process_idle_timeout = 99999999999999999999", "is out of range"},
    {"process_control_timeout = 999999999999d", "is out of range"},
    {"idle_exit = soon", "'soon' is not valid"},
    {"idle_exit = 1ms", "'1ms' is too short"},
    {"queue_timeout = -1", "'-1' is not valid"},
    {"request_terminate_grace = 5 x", "'5 x' is not valid"},
    {"pm.start_timeout = 10ms", "'10ms' is out of range"},
    {"pm.max_memory = 1T", "'1T' is not valid"},
    {"pm.max_memory = -1", "'-1' is not valid"},
    {"pm.max_memory = 128 M", "'128 M' is not valid"},
    {"pm.max_memory = 9999999999G", "is out of range"},
    {"emergency_restart_threshold = 2147483648", "is out of range"},
    {"listen.mode = 999", "'999' is not valid"},
    {"listen.mode = 0x1b0", "'0x1b0' is not valid"},
    {"listen.mode = rw-rw----", "is not valid"},
    {"listen.mode = 70000", "is out of range"},
    {"listen.mode =", "'' is not valid"},
    {"clear_env = 2", "'2' is not valid"},
    {"clear_env = ja", "'ja' is not valid"},
    {"clear_env = yes no", "'yes no' is not valid"},
    {"pm = always", "'always' is not valid"},
    {"pm =", "'' is not valid"},
    {"log_level = info", "'info' is not valid"},
    /* Names, paths, addresses */
    {"user = a b", "'a b' is not valid"},
    {"user = a:b", "'a:b' is not valid"},
    {"group = -x", "'-x' is not valid"},
    {"supplementary_groups = a -b", "'a -b' is not valid"},
    {"listen.acl_users = a/b", "'a/b' is not valid"},
    {"runtime = ../php", "'../php' is not valid"},
    {"runtime = .php", "'.php' is not valid"},
    {"php_ini = php.ini", "'php.ini' is not valid"},
    {"php_ini_scan_dir = /a:b", "'/a:b' is not valid"},
    {"unit.read_write_paths = /a b", "'/a b' is not valid"},
    {"security.body_file_paths = tmp", "'tmp' is not valid"},
    {"chroot = a$prefix", "has $prefix in its midst"},
    {"listen = 0", "'0' is not valid"},
    {"listen = 65536", "'65536' is not valid"},
    {"listen = 127.0.0.1:", "'127.0.0.1:' is not valid"},
    {"listen = :x", "':x' is not valid"},
    {"listen = 127.0.0.1:99999", "is not valid"},
    {"listen = []:1", "'[]:1' is not valid"},
    {"listen = [::1:1", "'[::1:1' is not valid"},
    {"listen = /a /a", "'/a' cannot be bound besides '/a'"},
    {"listen = a:1 b:2 a:1", "'a:1' cannot be bound besides 'a:1'"},
    {"listen.allowed_clients = any", "'any' is not valid"},
    {"listen.allowed_clients = 10.0.0.0/33", "is not valid"},
    {"listen.allowed_clients = ::/129", "is not valid"},
    {"listen.allowed_clients = ,", "',' is not valid"},
    {"listen.allowed_clients =", "the value is empty"},
    {"pm.status_path = status", "'status' is not valid"},
    {"pm.status_path = /a?b", "'/a?b' is not valid"},
    {"pm.status_path = /", "'/' is too short"},
    {"ping.path = /a b", "'/a b' is not valid"},
    {"ping.path = /", "'/' is too short"},
    {"ping.response =", "the value is empty"},
    /* Arrays */
    {"env[A] =", "the value is empty"},
    {"env[A] = no", "the value is empty"},
    {"env[A] = ${FPMD_UNSET}", "the value is empty"},
    {"env[A=B] = x", "']' is missing"},
    {"php_flag[x] = 2", "'2' is not valid"},
    {"php_flag[x] = maybe", "'maybe' is not valid"},
    {"php_value[x] = a=b", "has '=' outside of quotes"},
    {"php_value[x] = (1", "has a bracket"},
    {"php_value[x] = 1)", "has a bracket"},
    {"php_value[x] = \"1", "a quote is not closed"},
    {"php_value[a b;] = 1", "the key has a character"},
    {"php_admin_value[x{] = 1", "the key has a character"},
    {"access.suppress_path[] = x", "'x' is not valid"},
    {"access.suppress_path[x] = /x", "has a key"},
    {"apparmor_hat = x", "is refused"},
};

/* Where the line stands, and which line of the file that is. */
static const struct {
    const char *before, *after;
    unsigned line;
    bool is_other; /* of another pool: only a warning */
} places[] = {
    {MINIMAL, "\n", 4, false},
    {"\xef\xbb\xbf; a comment\r\n\r\n[WWW]\r\n", "\r\npm = static\r\npm.max_children = 2\r\n", 4,
     false},
    {MINIMAL "[other]\npm = static\npm.max_children = 1\n\n", "", 8, true},
};

static bool is_about(const ConfigIssue *issue, unsigned line, const char *piece)
{
    return issue->line == line && strstr(issue->text, piece);
}

static void print_found(const char *text, const ConfigIssues *issues)
{
    fprintf(stderr, "%s\n", text);
    for (size_t i = 0; i < issues->n; i++) {
        _cleanup_free_ char *s = config_issue_to_string(&issues->items[i]);

        fprintf(stderr, "  found: %s\n", s);
    }
}

START_TEST(line_is_named)
{
    unsetenv("FPMD_UNSET");
    for (size_t k = 0; k < ARRAY_SIZE(places); k++) {
        char text[400];
        _cleanup_loaded_ Loaded l = {0};
        size_t n_about = 0, n_wrong_line = 0;

        snprintf(text, sizeof(text), "%s%s%s", places[k].before, lines[_i].line, places[k].after);
        l = parse(text);
        for (size_t i = 0; i < l.issues.n; i++) {
            n_about += is_about(&l.issues.items[i], places[k].line, lines[_i].piece);
            n_wrong_line += l.issues.items[i].severity == CONFIG_ERROR &&
                            l.issues.items[i].line != places[k].line &&
                            /* What was not valid is missing. */
                            strncmp(lines[_i].line, "pm", 2) != 0;
        }
        if (n_about != 1 || n_wrong_line > 0)
            print_found(text, &l.issues);
        ck_assert_uint_eq(n_about, 1);
        ck_assert_uint_eq(n_wrong_line, 0);
        ck_assert_int_eq(l.r, places[k].is_other ? 0 : -EINVAL);
        ck_assert_int_eq(l.c != NULL, places[k].is_other);
    }
}
END_TEST

/* Files that are wrong as a whole. */
static const struct {
    const char *text;
    unsigned line; /* 0: none */
    const char *piece;
} files[] = {
    {"", 0, "there is no section for this pool"},
    {"\n\n\n", 0, "there is no section for this pool"},
    {"\xef\xbb\xbf", 0, "there is no section for this pool"},
    {"; only a comment", 0, "there is no section for this pool"},
    {"[global]\nlog_level = error\n", 0, "there is no section for this pool"},
    {"[w w w]\npm = static\npm.max_children = 1\n", 0, "the first section is [w w w]"},
    {"[www]", 1, "pm: is missing"},
    {"\n\n[www]\n", 3, "pm.max_children: is missing"},
    {"[www]\npm = static\n\n[www]\n", 1, "pm.max_children: is missing"},
    {"[www]\npm = dynamic\npm.max_children = 3\n", 1, "pm.min_spare_servers: is missing"},
    {"[www]\npm = dynamic\npm.max_children = 3\n", 1, "pm.max_spare_servers: is missing"},
    {"user = x\n" MINIMAL, 1, "no section has begun"},
    {"; x\n\nlisten = 9000", 3, "no section has begun"},
    {"[global]\nuser = x\n" MINIMAL, 2, "expected it below the section header [www]"},
    {"[GLOBAL]\npm = static\n" MINIMAL, 2, "expected it below the section header [www]"},
    {"[global]\nphp_value[a] = b\n" MINIMAL, 2, "expected it below the section header [www]"},
    {"[global]\nerror_log = /x/$pool\n" MINIMAL, 2, "'$pool' has no meaning"},
    {"log_level = loud\n" MINIMAL, 1, "'loud' is not valid"},
    {"systemd_interval = often\n" MINIMAL, 1, "'often' is not valid"},
    {"[global]\nlog_limit = 100\n" MINIMAL, 2, "'100' is out of range"},
    {MINIMAL "user = a\nuser = \"b\n", 5, "a quote is not closed"},
    {MINIMAL "pm.status_path = /s\nping.path = /s\n", 5, "is pm.status_path too"},
    {MINIMAL "listen = 1\npm.status_listen = 1\n", 5, "'1' cannot be bound besides '1' of listen"},
    {"[www]\npm = dynamic\npm.max_children = 3\npm.min_spare_servers = 4\n"
     "pm.max_spare_servers = 5\n",
     5, "5 is more than all workers"},
    {"[www]\npm = dynamic\npm.max_children = 3\npm.min_spare_servers = 2\n"
     "pm.max_spare_servers = 1\n",
     5, "1 is too few"},
    {"[www]\npm = dynamic\npm.max_children = 3\npm.min_spare_servers = 1\n"
     "pm.max_spare_servers = 2\npm.start_servers = 3\n",
     6, "3 is not between the limits"},
    {"<?xml version=\"1.0\"?>\n<pool/>\n", 1, "there is no such directive"},
    {"{\n  \"user\": \"x\"\n}\n", 1, "there is no '='"},
    {"\x7f"
     "ELF\x02\x01\x01",
     1, "there is no '='"},
    {"\xff\xfe[\n", 1, "there is no '='"},
};

START_TEST(file_is_refused)
{
    _cleanup_loaded_ Loaded l = parse(files[_i].text);
    bool found = false;

    for (size_t i = 0; i < l.issues.n; i++) {
        char text[500];

        snprintf(text, sizeof(text), "%s: %s",
                 l.issues.items[i].directive ? l.issues.items[i].directive : "",
                 l.issues.items[i].text);
        found |= l.issues.items[i].line == files[_i].line && strstr(text, files[_i].piece);
    }
    if (!found)
        print_found(files[_i].text, &l.issues);
    ck_assert(found);
    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_ptr_null(l.c);
}
END_TEST

static Suite *malformed_suite(void)
{
    Suite *s = suite_create("conf/malformed");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, line_is_named, 0, ARRAY_SIZE(lines));
    tcase_add_loop_test(t, file_is_refused, 0, ARRAY_SIZE(files));
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(malformed_suite)
