#include "runtime/php/script.h"
#include "../run.h"

#include <string.h>

/* The disk of these tests has one file and the folders above it. */
static bool exists(const char *path)
{
    return strcmp(path, "/www/info.php") == 0 || strcmp(path, "/www") == 0 ||
           strcmp(path, "/www/") == 0;
}

static bool is_file(const char *path)
{
    return strcmp(path, "/www/info.php") == 0;
}

typedef struct Case {
    const char *given[_SCRIPT_VARIABLE_MAX];
    const char *path, *uri;
    const char *seen[_SCRIPT_VARIABLE_MAX];
    bool no_fix, discard;
    const char *doc_root;
} Case;

#define FILENAME(x)   [SCRIPT_FILENAME] = x
#define NAME(x)       [SCRIPT_NAME] = x
#define INFO(x)       [SCRIPT_PATH_INFO] = x
#define TRANSLATED(x) [SCRIPT_PATH_TRANSLATED] = x
#define ROOT(x)       [SCRIPT_DOCUMENT_ROOT] = x
#define REDIRECT(x)   [SCRIPT_REDIRECT_URL] = x
#define SOFTWARE(x)   [SCRIPT_SERVER_SOFTWARE] = x
#define O_FILENAME(x) [SCRIPT_ORIG_FILENAME] = x
#define O_NAME(x)     [SCRIPT_ORIG_NAME] = x
#define O_INFO(x)     [SCRIPT_ORIG_PATH_INFO] = x
#define O_TRANSL(x)   [SCRIPT_ORIG_PATH_TRANSLATED] = x
#define GIVEN(...)    .given = {__VA_ARGS__}
#define SEEN(...)     .seen = {__VA_ARGS__}

static const Case cases[] = {
    /* the ordinary request: nothing changes */
    {GIVEN(FILENAME("/www/info.php"), NAME("/info.php"), ROOT("/www")), .path = "/www/info.php",
     .uri = "/info.php", SEEN(FILENAME("/www/info.php"), NAME("/info.php"), ROOT("/www"))},
    {GIVEN(NAME("/info.php")), .path = NULL, .uri = NULL, SEEN(NAME("/info.php"))},
    {GIVEN(TRANSLATED("/www/info.php"), NAME("/info.php")), .path = "/www/info.php",
     .uri = "/info.php",
     SEEN(FILENAME("/www/info.php"), TRANSLATED("/www/info.php"), NAME("/info.php"))},
    /* nginx: the location's whole path as PATH_INFO */
    {GIVEN(FILENAME("/www/info.php/a/b"), NAME("/info.php/a/b"), INFO("/info.php/a/b"),
           ROOT("/www")),
     .path = "/www/info.php", .uri = "/info.php",
     SEEN(FILENAME("/www/info.php"), O_FILENAME("/www/info.php/a/b"), NAME("/info.php"),
          O_NAME("/info.php/a/b"), INFO("/a/b"), O_INFO("/info.php/a/b"), ROOT("/www"),
          TRANSLATED("/www/a/b"))},
    /* PATH_INFO no longer than the tail: nothing is invented, and nothing before its start is
     * touched (CVE-2019-11043 sent an empty one) */
    {GIVEN(FILENAME("/www/info.php/a/b"), NAME("/info.php/a/b"), INFO(""), ROOT("/www")),
     .path = "/www/info.php", .uri = "/info.php/a/b",
     SEEN(FILENAME("/www/info.php"), O_FILENAME("/www/info.php/a/b"), NAME("/info.php/a/b"),
          INFO(""), ROOT("/www"), TRANSLATED("/www"))},
    {GIVEN(FILENAME("/www/info.php/a\nb/cccccccccccccccccccccccccccccccc"),
           NAME("/info.php/a\nb/cccccccccccccccccccccccccccccccc"), INFO("/b"), ROOT("/www/")),
     .path = "/www/info.php", .uri = "/info.php/a\nb/cccccccccccccccccccccccccccccccc",
     SEEN(FILENAME("/www/info.php"),
          O_FILENAME("/www/info.php/a\nb/cccccccccccccccccccccccccccccccc"),
          NAME("/info.php/a\nb/cccccccccccccccccccccccccccccccc"), INFO("/b"), ROOT("/www/"),
          TRANSLATED("/www/b"))},
    {GIVEN(FILENAME("/www/info.php/"), NAME("/info.php/"), INFO("/"), ROOT("/www")),
     .path = "/www/info.php", .uri = "/info.php/",
     SEEN(FILENAME("/www/info.php"), O_FILENAME("/www/info.php/"), NAME("/info.php/"), INFO("/"),
          ROOT("/www"), TRANSLATED("/www/"))},
    /* not there at all, also not step by step up to the root */
    {GIVEN(FILENAME("/www/none.php/a"), NAME("/none.php/a")), .path = NULL, .uri = "/none.php/a",
     SEEN(O_FILENAME("/www/none.php/a"), NAME("/none.php/a"))},
    {GIVEN(FILENAME("/"), NAME("/")), .path = NULL, .uri = "/", SEEN(O_FILENAME("/"), NAME("/"))},
    {GIVEN(FILENAME("none"), NAME("/")), .path = NULL, .uri = "/",
     SEEN(O_FILENAME("none"), NAME("/"))},
    /* no way up */
    {GIVEN(FILENAME("/www/../www/info.php/x"), NAME("/x")), .path = NULL, .uri = "/x",
     SEEN(O_FILENAME("/www/../www/info.php/x"), NAME("/x"))},
    {GIVEN(FILENAME("/www/../etc/info.php"), NAME("/x")), .path = NULL, .uri = "/x", .no_fix = true,
     SEEN(FILENAME("/www/../etc/info.php"), NAME("/x"))},
    {GIVEN(FILENAME("../info.php"), NAME("/x")), .path = NULL, .uri = "/x", .no_fix = true,
     SEEN(FILENAME("../info.php"), NAME("/x"))},
    {GIVEN(FILENAME("/www/.."), NAME("/x")), .path = NULL, .uri = "/x", .no_fix = true,
     SEEN(FILENAME("/www/.."), NAME("/x"))},
    {GIVEN(FILENAME("/www/..info.php"), NAME("/x")), .path = "/www/..info.php", .uri = "/x",
     .no_fix = true, SEEN(FILENAME("/www/..info.php"), NAME("/x"))},
    /* Apache's mod_proxy_fcgi */
    {GIVEN(FILENAME("proxy:fcgi://localhost:9000/www/info.php?a=b"), NAME("/info.php")),
     .path = "/www/info.php", .uri = "/info.php",
     SEEN(FILENAME("/www/info.php"), NAME("/info.php"))},
    {GIVEN(FILENAME("PROXY:balancer://x/www/info.php/a%20b"), NAME("/info.php/a b"), ROOT("/www")),
     .path = "/www/info.php", .uri = "/info.php",
     SEEN(FILENAME("/www/info.php"), O_FILENAME("/www/info.php/a%20b"), NAME("/info.php"),
          O_NAME("/info.php/a b"), INFO("/a%20b"), ROOT("/www"), TRANSLATED("/www/a%20b"))},
    {GIVEN(FILENAME("proxy:fcgi://localhost"), NAME("/x")), .path = NULL, .uri = "/x",
     SEEN(O_FILENAME("proxy:fcgi://localhost"), NAME("/x"))},
    /* without a document root, PATH_TRANSLATED comes from the name that is left */
    {GIVEN(FILENAME("proxy:fcgi://localhost/www/info.php/a"), NAME("/info.php/a"),
           TRANSLATED("/x/a")),
     .path = "/www/info.php", .uri = "/info.php",
     SEEN(FILENAME("/www/info.php"), O_FILENAME("/www/info.php/a"), NAME("/info.php"),
          O_NAME("/info.php/a"), INFO("/a"), TRANSLATED("/www/a"), O_TRANSL("/x/a"))},
    /* Apache's Action: the handler is not the script */
    {GIVEN(FILENAME("/usr/bin/php"), NAME("/cgi-bin/php"), TRANSLATED("/www/info.php"),
           REDIRECT("/info.php"), INFO("/info.php")),
     .path = "/www/info.php", .uri = "/info.php",
     SEEN(FILENAME("/www/info.php"), O_FILENAME("/usr/bin/php"), NAME("/info.php"),
          O_NAME("/cgi-bin/php"), O_INFO("/info.php"), O_TRANSL("/www/info.php"),
          REDIRECT("/info.php"))},
    /* IIS */
    {GIVEN(FILENAME("/www/info.php"), NAME("/info.php"), INFO("/info.php/a"),
           SOFTWARE("Microsoft-IIS/10")),
     .path = "/www/info.php", .uri = "/info.php",
     SEEN(FILENAME("/www/info.php"), NAME("/info.php"), INFO("/a"), O_INFO("/info.php/a"),
          SOFTWARE("Microsoft-IIS/10"))},
    /* cgi.fix_pathinfo = 0 */
    {GIVEN(FILENAME("/www/info.php/a"), NAME("/info.php"), INFO("/a"), TRANSLATED("/www/x.php")),
     .path = "/www/x.php", .uri = "/a", .no_fix = true,
     SEEN(FILENAME("/www/info.php/a"), NAME("/info.php"), INFO("/a"), TRANSLATED("/www/x.php"))},
    {GIVEN(FILENAME("/www/info.php"), NAME("/info.php"), TRANSLATED("/www/x.php")),
     .path = "/www/info.php", .uri = "/info.php", .no_fix = true, .discard = true,
     SEEN(FILENAME("/www/info.php"), NAME("/info.php"), TRANSLATED("/www/x.php"))},
    /* doc_root of php.ini */
    {GIVEN(FILENAME("/www/info.php"), NAME("/info.php")), .path = "/www/info.php",
     .uri = "/info.php", .doc_root = "/www",
     SEEN(FILENAME("/www/info.php"), NAME("/info.php"), ROOT("/www"))},
};

static void assert_same(const char *got, const char *wanted, const char *what)
{
    if (!wanted)
        ck_assert_msg(!got, "%s is '%s' and should not be there", what, got);
    else
        ck_assert_msg(got && strcmp(got, wanted) == 0, "%s is '%s', not '%s'", what, got, wanted);
}

START_TEST(each_case)
{
    const Case *c = &cases[_i];
    ScriptRules rules = {.fix_pathinfo = !c->no_fix,
                         .discard_path = c->discard,
                         .doc_root = c->doc_root,
                         .exists = exists,
                         .is_file = is_file};
    Script s;

    ck_assert_int_eq(script_resolve(&s, c->given, &rules), 0);
    assert_same(s.path, c->path, "the script");
    assert_same(s.uri, c->uri, "the URI");
    for (int v = 0; v < _SCRIPT_VARIABLE_MAX; v++) {
        assert_same(s.values[v], c->seen[v], script_variable_to_string((ScriptVariable)v));
        if (!(s.changed & 1u << v))
            ck_assert_ptr_eq(s.values[v], c->given[v]);
    }
    script_done(&s);
}
END_TEST

START_TEST(order_of_changes)
{
    static const ScriptVariable wanted[] = {
        SCRIPT_ORIG_PATH_INFO, SCRIPT_ORIG_NAME, SCRIPT_NAME,           SCRIPT_PATH_INFO,
        SCRIPT_ORIG_FILENAME,  SCRIPT_FILENAME,  SCRIPT_PATH_TRANSLATED};
    static const char *const given[_SCRIPT_VARIABLE_MAX] = {
        FILENAME("/www/info.php/a"), NAME("/info.php/a"), INFO("/info.php/a"), ROOT("/www")};
    ScriptRules rules = {.fix_pathinfo = true, .exists = exists, .is_file = is_file};
    Script s;

    ck_assert_int_eq(script_resolve(&s, given, &rules), 0);
    ck_assert_uint_eq(s.n_order, ARRAY_SIZE(wanted));
    for (size_t i = 0; i < s.n_order; i++)
        ck_assert_str_eq(script_variable_to_string(s.order[i]),
                         script_variable_to_string(wanted[i]));
    script_done(&s);
}
END_TEST

START_TEST(extensions)
{
    static const char *const list[] = {".php", ".phar"};

    ck_assert(script_extension_allowed("/www/a.php", list, 2));
    ck_assert(script_extension_allowed("/www/a.phar", list, 2));
    ck_assert(!script_extension_allowed("/www/a.php.txt", list, 2));
    ck_assert(!script_extension_allowed("php", list, 2));
    ck_assert(!script_extension_allowed("", list, 2));
    ck_assert(script_extension_allowed("/www/a.txt", NULL, 0));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("runtime/php_script");
    TCase *t = tcase_create("rules");

    tcase_add_loop_test(t, each_case, 0, ARRAY_SIZE(cases));
    tcase_add_test(t, order_of_changes);
    tcase_add_test(t, extensions);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
