#include "ctl/import_source.h"
#include "ctl/import_web.h"
#include "base/fd.h"
#include "folder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_file(const char *name, const char *format, ...) _printf_(2, 3);

static void write_file(const char *name, const char *format, ...)
{
    char folder[160];
    va_list args;
    FILE *f;

    snprintf(folder, sizeof(folder), "%s", in(name));
    for (char *p = strchr(folder + strlen(dir) + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = 0;
        mkdir(folder, 0755);
        *p = '/';
    }
    f = fopen(in(name), "we");
    ck_assert_ptr_nonnull(f);
    va_start(args, format);
    vfprintf(f, format, args);
    va_end(args);
    ck_assert_int_eq(fclose(f), 0);
}

static SourcePool *pool(Sources *s, const char *name)
{
    for (size_t i = 0; i < s->n_pools; i++)
        if (strcmp(s->pools[i].name, name) == 0)
            return &s->pools[i];
    ck_abort_msg("no pool %s", name);
}

static void assert_text(const Sources *s, const SourcePool *p, const char *text)
{
    _cleanup_buffer_ Buffer b = {0};

    ck_assert_int_eq(source_write(s, p, &b), 0);
    ck_assert_int_eq(buffer_append(&b, "", 1), 0);
    ck_assert_str_eq(b.data, text);
}

START_TEST(whole_file)
{
    _cleanup_(sources_done) Sources s = {0};
    static const char text[] = "; first\n\n[www]\r\nlisten = /a ; b\n\n; last without an end";

    write_file("www.conf", "%s", text);
    ck_assert_int_eq(sources_add(&s, in("www.conf")), 0);
    ck_assert_uint_eq(s.n_pools, 1);
    ck_assert(source_is_whole(&s, &s.pools[0]));
    ck_assert_uint_eq(s.pools[0].line, 3);
    assert_text(&s, &s.pools[0], text);
}
END_TEST

START_TEST(other_stem)
{
    _cleanup_(sources_done) Sources s = {0};

    write_file(
        "site.conf",
        "; of nobody\n\n; above\n[www]\na = b\n; inside\n\n; above global\n[global]\nlog_level = "
        "debug\n[WWW]\nc = d");
    ck_assert_int_eq(sources_add(&s, in("site.conf")), 0);
    ck_assert_uint_eq(s.n_pools, 1);
    ck_assert(!source_is_whole(&s, &s.pools[0]));
    assert_text(&s, &s.pools[0], "; above\n[www]\na = b\n; inside\n\n[WWW]\nc = d\n");
    ck_assert_uint_eq(s.n_globals, 1);
    ck_assert_str_eq(s.globals[0].name, "log_level");
    ck_assert_str_eq(s.globals[0].value, "debug");
    ck_assert_uint_eq(s.globals[0].line, 10);
}
END_TEST

START_TEST(several_pools)
{
    _cleanup_(sources_done) Sources s = {0};

    write_file("pools.conf", "[a]\nx = 1\n\n; of b\n; too\n[b]\ny = 2\n[bad name]\nz = 3\n");
    ck_assert_int_eq(sources_add(&s, in("pools.conf")), 0);
    ck_assert_uint_eq(s.n_pools, 3);
    assert_text(&s, pool(&s, "a"), "[a]\nx = 1\n\n");
    assert_text(&s, pool(&s, "b"), "; of b\n; too\n[b]\ny = 2\n");
    ck_assert_ptr_null(pool(&s, "b")->problem);
    ck_assert(source_has_line(pool(&s, "b"), 4));
    ck_assert(source_has_line(pool(&s, "b"), 7));
    ck_assert(!source_has_line(pool(&s, "b"), 3));
    ck_assert(!source_has_line(pool(&s, "b"), 8));
    ck_assert_ptr_nonnull(strstr(pool(&s, "bad name")->problem, "instance of a unit"));
}
END_TEST

START_TEST(php_fpm_conf)
{
    _cleanup_(sources_done) Sources s = {0};

    write_file("php-fpm.conf", "pid = /x\n[global]\nrlimit_files = 1\ninclude = %s\ninclude = %s\n",
               in("pool.d/*.conf"), in("absent/*.conf"));
    write_file("pool.d/b.conf", "[b]\nx = 1\n");
    write_file("pool.d/a.conf", "[a]\ninclude = %s\nx = 1\n", in("part.inc"));
    write_file("pool.d/.c.conf", "[c]\n");
    write_file("pool.d/d.off", "[d]\n");
    write_file("pool.d/e.conf", "[B]\nx = 2\n");
    write_file("part.inc", "y = 2\n");
    ck_assert_int_eq(sources_add(&s, in("php-fpm.conf")), 0);
    ck_assert_uint_eq(s.n_pools, 2);
    ck_assert_uint_eq(s.n_globals, 2);
    ck_assert(source_is_whole(&s, pool(&s, "a")));
    assert_text(&s, pool(&s, "b"), "[b]\nx = 1\n");
    ck_assert_uint_eq(s.problems.n, 2);
    ck_assert_ptr_nonnull(strstr(s.problems.items[0], "e.conf:1: pool 'B' is in "));
    ck_assert_ptr_nonnull(strstr(s.problems.items[1], "php-fpm.conf:5: include: no file matches"));
}
END_TEST

/* The folder alone: php-fpm.conf above it is read for its globals only. */
START_TEST(folder)
{
    _cleanup_(sources_done) Sources s = {0};

    write_file("php-fpm.conf", "[global]\nprocess_control_timeout = 5\n[own]\nx = 1\n");
    write_file("pool.d/a.conf", "[a]\nx = 1\n");
    ck_assert_int_eq(sources_add(&s, in("pool.d/")), 0);
    ck_assert_uint_eq(s.n_pools, 1);
    ck_assert_uint_eq(s.n_globals, 1);
    ck_assert_str_eq(s.globals[0].name, "process_control_timeout");
    /* and now the file itself, too */
    ck_assert_int_eq(sources_add(&s, in("php-fpm.conf")), 0);
    ck_assert_uint_eq(s.n_pools, 2);
    ck_assert_int_eq(sources_add(&s, in("nothing")), -ENOENT);
}
END_TEST

START_TEST(includes_in_pools)
{
    _cleanup_(sources_done) Sources s = {0};

    write_file("a.conf", "[a]\nx = 1\ninclude = %s\ny = 2\n", in("more.inc"));
    write_file("more.inc", "[more]\nz = 3\n");
    write_file("r.conf", "[r]\ninclude = etc/part.inc\n");
    ck_assert_int_eq(sources_add(&s, in("a.conf")), 0);
    ck_assert_int_eq(sources_add(&s, in("r.conf")), 0);
    ck_assert_uint_eq(s.n_pools, 3);
    assert_text(&s, pool(&s, "a"), "[a]\nx = 1\ny = 2\n");
    assert_text(&s, pool(&s, "more"), "[more]\nz = 3\n");
    ck_assert_ptr_nonnull(strstr(pool(&s, "r")->problem, "PHP-FPM reads /usr/etc/part.inc"));
}
END_TEST

START_TEST(php_version)
{
    static const struct {
        const char *path, *version;
    } cases[] = {
        {"/etc/php/8.2/fpm/pool.d/www.conf", "8.2"},
        {"/etc/php/10.11/fpm/php-fpm.conf", "10.11"},
        {"/etc/php/8/fpm/www.conf", NULL},
        {"/etc/php/8./fpm/www.conf", NULL},
        {"/etc/php/8.2.1/fpm/www.conf", NULL},
        {"/etc/php/../../x", NULL},
        {"/etc/php/.8/x", NULL},
        {"/etc/php-fpm.d/www.conf", NULL},
        {"/etc/php/123456789.123456789/x", NULL},
    };
    char version[16] = "";

    ck_assert_int_eq(source_version(cases[_i].path, version), cases[_i].version != NULL);
    ck_assert_str_eq(version, cases[_i].version ? cases[_i].version : "");
}
END_TEST

/* The roots of the sites that reach an address, each with a blank after it. */
static const char *roots(const WebSites *w, const char *path, unsigned port)
{
    static char text[512];

    text[0] = 0;
    for (size_t i = 0; i < w->n; i++)
        for (size_t k = 0; web_site_reaches(w, &w->items[i], path, port) && k < w->items[i].roots.n;
             k++)
            sprintf(text + strlen(text), "%s ", w->items[i].roots.items[k]);
    return text;
}

START_TEST(nginx)
{
    _cleanup_(web_sites_done) WebSites w = {0};

    write_file("nginx.conf",
               "events { worker_connections 1; }\nhttp {\n root /srv/default;\n"
               " upstream php { server unix:/run/up.sock weight=2; server 10.0.0.1:9002; }\n"
               " include sites/*; include %s;\n map $a $b { default \"x { y\"; }\n}\n",
               in("nginx.conf"));
    write_file("sites/a", "# server { root /commented; fastcgi_pass unix:/run/a.sock; }\n"
                          "server {\n listen 80; root \"/srv/with space\";\n"
                          " location ~ \\.php$ { include part; fastcgi_pass unix:/run/a.sock; }\n"
                          " location /x/ { alias /home/x/; }\n}\n");
    write_file("part", "fastcgi_param A ${b}c; root /srv/part;\n");
    write_file("sites/b", "server { set $p unix:/run/b.sock; location / { fastcgi_pass $p; } }\n"
                          "server { root /srv/c; fastcgi_pass php; }\n"
                          "server { root /srv/d; location / { fastcgi_pass 127.0.0.1:9000; } ");
    ck_assert_int_eq(web_read_nginx(&w, dir), 0);
    ck_assert_str_eq(roots(&w, "/run/a.sock", 0), "/srv/with space /srv/part /home/x/ ");
    ck_assert_str_eq(roots(&w, "/run/b.sock", 0), "/srv/default ");
    ck_assert_str_eq(roots(&w, "/run/up.sock", 0), "/srv/c ");
    ck_assert_str_eq(roots(&w, NULL, 9002), "/srv/c ");
    ck_assert_str_eq(roots(&w, NULL, 9000), "/srv/d ");
    ck_assert_str_eq(roots(&w, "/run/a.soc", 900), "");
    ck_assert_ptr_nonnull(strstr(w.items[0].file, "/sites/a"));
    ck_assert_uint_eq(w.items[0].line, 2);
}
END_TEST

START_TEST(nginx_without_a_main_file)
{
    _cleanup_(web_sites_done) WebSites w = {0};

    ck_assert_int_eq(web_read_nginx(&w, dir), 0);
    ck_assert_uint_eq(w.n, 0);
    write_file("sites-enabled/a", "server { root /a; fastcgi_pass unix:/a; } }}}} ; \"");
    ck_assert_int_eq(web_read_nginx(&w, dir), 0);
    ck_assert_str_eq(roots(&w, "/a", 0), "/a ");
}
END_TEST

START_TEST(apache)
{
    _cleanup_(web_sites_done) WebSites w = {0};
    size_t everywhere = 0;

    write_file("apache2.conf", "Define where /home/one\nIncludeOptional sites/*.conf\n"
                               "<FilesMatch \"\\.php$\">\n SetHandler "
                               "\"proxy:unix:/run/all.sock|fcgi://localhost\"\n</FilesMatch>\n"
                               "<Proxy balancer://php>\n BalancerMember fcgi://127.0.0.1:9005\n"
                               "</Proxy>\nDocumentRoot /srv/outside\n");
    write_file("sites/1.conf", "<VirtualHost *:80>\r\n  DocumentRoot \"${where}/htdocs\"\r\n"
                               "  # DocumentRoot /no\n  Alias /x \\\n   /home/x\n"
                               "  ProxyPassMatch \"^/(.*\\.php)$\" "
                               "unix:/run/one.sock|fcgi://localhost/srv/\n</VirtualHost>\n"
                               "<virtualhost *:81>\n documentroot /srv/two\n ProxyPass / "
                               "fcgi://127.0.0.1:9000/srv/$1\n</virtualhost>\n");
    write_file("sites/2.conf",
               "<VirtualHost *>\nDocumentRoot /srv/three\nSetHandler "
               "proxy:balancer://php\n</VirtualHost>\nInclude %s\n",
               in("sites"));
    ck_assert_int_eq(web_read_apache(&w, dir), 0);
    ck_assert_str_eq(roots(&w, NULL, 9000), "/srv/two ");
    ck_assert_ptr_eq(strstr(roots(&w, "/run/one.sock", 0), "/home/one/htdocs /home/x "),
                     roots(&w, "/run/one.sock", 0));
    ck_assert_ptr_nonnull(strstr(roots(&w, NULL, 9005), "/srv/three "));
    ck_assert_str_eq(roots(&w, "/run/all.sock", 0), "/srv/outside ");
    for (size_t i = 0; i < w.n; i++)
        everywhere += w.items[i].everywhere;
    ck_assert_uint_eq(everywhere, 1);
}
END_TEST

START_TEST(target_paths)
{
    static const struct {
        const char *word, *path;
    } cases[] = {
        {"unix:/run/a.sock", "/run/a.sock"},
        {"proxy:unix:/run/a.sock|fcgi://localhost", "/run/a.sock"},
        {"unix:relative", NULL},
        {"127.0.0.1:9000", NULL},
        {"unix:", NULL},
    };
    _cleanup_free_ char *path = web_target_path(cases[_i].word);

    if (cases[_i].path)
        ck_assert_str_eq(path, cases[_i].path);
    else
        ck_assert_ptr_null(path);
}
END_TEST

/* Each names the other, a hundred times. */
START_TEST(nginx_files_multiply)
{
    _cleanup_(web_sites_done) WebSites w = {0};
    _cleanup_buffer_ Buffer b = {0};

    for (unsigned i = 0; i < 100; i++)
        ck_assert_int_eq(buffer_printf(&b, "include nginx.conf;\ninclude other.conf;\n"), 0);
    write_file("nginx.conf", "%.*s", (int)b.size, b.data);
    write_file("other.conf", "%.*s", (int)b.size, b.data);
    ck_assert_int_eq(web_read_nginx(&w, dir), 0);
    ck_assert(!web_may_include(&w));
    ck_assert_uint_le(w.n_files, 65536);
}
END_TEST

START_TEST(apache_files_multiply)
{
    _cleanup_(web_sites_done) WebSites w = {0};
    _cleanup_buffer_ Buffer b = {0};

    for (unsigned i = 0; i < 100; i++)
        ck_assert_int_eq(buffer_printf(&b, "Include apache2.conf\nInclude other.conf\n"), 0);
    write_file("apache2.conf", "%.*s", (int)b.size, b.data);
    write_file("other.conf", "%.*s", (int)b.size, b.data);
    ck_assert_int_eq(web_read_apache(&w, dir), 0);
    ck_assert(!web_may_include(&w));
    ck_assert_uint_le(w.n_files, 65536);
}
END_TEST

START_TEST(big_files)
{
    _cleanup_(web_sites_done) WebSites w = {0};
    _cleanup_buffer_ Buffer b = {0};

    for (unsigned i = 0; i < 9; i++)
        ck_assert_int_eq(buffer_printf(&b, "include big.conf;\n"), 0);
    write_file("nginx.conf", "include big.conf;\n");
    write_file("big.conf", "%.*s#%-1000000s\n", (int)b.size, b.data, "");
    ck_assert_int_eq(web_read_nginx(&w, dir), 0);
    ck_assert(!web_may_include(&w));
    ck_assert_uint_lt(w.n_files, 200);
}
END_TEST

static Suite *import_suite(void)
{
    Suite *s = suite_create("ctl/import");
    TCase *tc = tcase_create("import");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, whole_file);
    tcase_add_test(tc, other_stem);
    tcase_add_test(tc, several_pools);
    tcase_add_test(tc, php_fpm_conf);
    tcase_add_test(tc, folder);
    tcase_add_test(tc, includes_in_pools);
    tcase_add_loop_test(tc, php_version, 0, 9);
    tcase_add_test(tc, nginx);
    tcase_add_test(tc, nginx_without_a_main_file);
    tcase_add_test(tc, apache);
    tcase_add_loop_test(tc, target_paths, 0, 5);
    tcase_add_test(tc, nginx_files_multiply);
    tcase_add_test(tc, apache_files_multiply);
    tcase_add_test(tc, big_files);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(import_suite)
