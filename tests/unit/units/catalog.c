#include "base/fd.h"
#include "log/messages.h"
#include "../run.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *id, *subject;
} messages[] = {
#define X(name, id, subject) {id, subject},
    LOG_MESSAGES(X)
#undef X
};

static char *read_catalog(void)
{
    const char *path = getenv("CATALOG");
    char *text = NULL;

    ck_assert_ptr_nonnull(path);
    ck_assert_int_eq(fd_read_file(path, 1024 * 1024, &text, NULL), 0);
    return text;
}

/* Each message has one block, with its subject first and a text of its own. */
START_TEST(block)
{
    _cleanup_free_ char *text = read_catalog();
    char head[256];
    const char *p, *end;

    snprintf(head, sizeof(head),
             "\n-- %s\nSubject: %s\nDefined-By: fpmd\nDocumentation: man:", messages[_i].id,
             messages[_i].subject);
    p = strstr(text, head);
    ck_assert_msg(p != NULL, "no block for:%s", head);
    ck_assert_msg(!strstr(p + 1, head), "two blocks for:%s", head);
    p = strstr(p, "\n\n");
    ck_assert_ptr_nonnull(p);
    end = strstr(p, "\n-- ");
    ck_assert_msg((end ? (size_t)(end - p) : strlen(p)) > 80, "no text for:%s", head);
}
END_TEST

/* No block is left over. */
START_TEST(count)
{
    _cleanup_free_ char *text = read_catalog();
    size_t n = 0;

    for (const char *p = text; (p = strstr(p, "\n-- ")); p++)
        n++;
    ck_assert_uint_eq(n, ARRAY_SIZE(messages));
}
END_TEST

/* journalctl knows only names of upper-case letters and '_' between two '@'. */
START_TEST(fields)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    _cleanup_free_ char *text = read_catalog();

    for (const char *p = text; (p = strchr(p, '@')); p++) {
        size_t n;

        if (strncmp(p, "@@", 2) == 0) /* fpmd@@POOL@: the first one is itself */
            p++;
        n = strspn(p + 1, letters);
        ck_assert_msg(n > 0 && p[n + 1] == '@', "'%.20s'", p);
        p += n + 1;
    }
}
END_TEST

static Suite *catalog_suite(void)
{
    Suite *s = suite_create("units/catalog");
    TCase *tc = tcase_create("catalog");

    tcase_add_loop_test(tc, block, 0, ARRAY_SIZE(messages));
    tcase_add_test(tc, count);
    tcase_add_test(tc, fields);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(catalog_suite)
