#include "conf/lexer.h"
#include "../run.h"

#include <string.h>

/* One line, and the item that it is. NULL: the field is not compared. */
static const struct {
    const char *text;
    LexKind kind;
    const char *name, *key, *value;
} cases[] = {
    {"", LEX_END, NULL, NULL, NULL},
    {"\n\n  \t\r\n", LEX_END, NULL, NULL, NULL},
    {"; all = comment", LEX_END, NULL, NULL, NULL},
    {"  ; all = comment", LEX_END, NULL, NULL, NULL},
    {"[www]", LEX_SECTION, "www", NULL, NULL},
    {" [ www ] ; text", LEX_SECTION, "www", NULL, NULL},
    {"\xef\xbb\xbf[www]", LEX_SECTION, "www", NULL, NULL},
    {"[www", LEX_ERROR, NULL, NULL, NULL},
    {"[]", LEX_ERROR, NULL, NULL, NULL},
    {"[www] x", LEX_ERROR, NULL, NULL, NULL},
    {"a=b", LEX_ENTRY, "a", NULL, "b"},
    {"  a.b_c \t=\t b  c \t", LEX_ENTRY, "a.b_c", NULL, "b  c"},
    {"a = b\r\n", LEX_ENTRY, "a", NULL, "b"},
    {"a = ", LEX_ENTRY, "a", NULL, ""},
    {"a = ; b", LEX_ENTRY, "a", NULL, ""},
    {"a = 10s;", LEX_ENTRY, "a", NULL, "10s"},
    {"a = b ; c = d", LEX_ENTRY, "a", NULL, "b"},
    {"a = \"b ; c\" ; d", LEX_ENTRY, "a", NULL, "\"b ; c\""},
    {"a = 'b ; c' ; d", LEX_ENTRY, "a", NULL, "'b ; c'"},
    {"a = \"b \\\" ; c\" ; d", LEX_ENTRY, "a", NULL, "\"b \\\" ; c\""},
    {"a = '\\' ; c", LEX_ENTRY, "a", NULL, "'\\'"},
    {"a = \"b", LEX_ERROR, NULL, NULL, NULL},
    {"a = b'", LEX_ERROR, NULL, NULL, NULL},
    {"env[A] = b", LEX_ENTRY, "env", "A", "b"},
    {"env[\"A\"] = b", LEX_ENTRY, "env", "A", "b"},
    {"env['A'] = b", LEX_ENTRY, "env", "A", "b"},
    {"env [ A ] = b", LEX_ENTRY, "env", "A", "b"},
    {"p[] = /x", LEX_ENTRY, "p", "", "/x"},
    {"env[A = b", LEX_ERROR, NULL, NULL, NULL},
    {"env[A]x = b", LEX_ERROR, NULL, NULL, NULL},
    {"[A] = b", LEX_ERROR, NULL, NULL, NULL},
    {"# comment", LEX_ERROR, NULL, NULL, NULL},
    {"a", LEX_ERROR, NULL, NULL, NULL},
    {"= b", LEX_ERROR, NULL, NULL, NULL},
    {"a = b = c", LEX_ENTRY, "a", NULL, "b = c"},
};

static void assert_slice(Slice s, const char *text)
{
    if (!text)
        return;
    ck_assert_uint_eq(s.n, strlen(text));
    ck_assert_int_eq(memcmp(s.p, text, s.n), 0);
}

START_TEST(items)
{
    Lexer l;
    LexItem item;

    lexer_init(&l, cases[_i].text, strlen(cases[_i].text));
    lexer_next(&l, &item);
    ck_assert_int_eq(item.kind, cases[_i].kind);
    ck_assert_int_eq(item.kind == LEX_ERROR, item.error != NULL);
    if (item.kind == LEX_ENTRY)
        ck_assert_int_eq(item.has_key, cases[_i].key != NULL);
    assert_slice(item.name, cases[_i].name);
    assert_slice(item.key, cases[_i].key);
    assert_slice(item.value, cases[_i].value);
    if (item.kind != LEX_END)
        lexer_next(&l, &item);
    ck_assert_int_eq(item.kind, LEX_END);
}
END_TEST

START_TEST(lines_are_counted)
{
    static const char text[] = "; one\n\na = b\n\"\n\r\n[www]\nc = d";
    static const unsigned lines[] = {3, 4, 6, 7};
    Lexer l;
    LexItem item;

    lexer_init(&l, text, sizeof(text) - 1);
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        lexer_next(&l, &item);
        ck_assert_int_ne(item.kind, LEX_END);
        ck_assert_uint_eq(l.line, lines[i]);
    }
    lexer_next(&l, &item);
    ck_assert_int_eq(item.kind, LEX_END);
}
END_TEST

START_TEST(nul_is_an_error)
{
    Lexer l;
    LexItem item;

    lexer_init(&l, "a = b\0c\nd = e", 13);
    lexer_next(&l, &item);
    ck_assert_int_eq(item.kind, LEX_ERROR);
    lexer_next(&l, &item);
    ck_assert_int_eq(item.kind, LEX_ENTRY);
}
END_TEST

static Suite *lexer_suite(void)
{
    Suite *s = suite_create("conf/lexer");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, items, 0, ARRAY_SIZE(cases));
    tcase_add_test(t, lines_are_counted);
    tcase_add_test(t, nul_is_an_error);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(lexer_suite)
