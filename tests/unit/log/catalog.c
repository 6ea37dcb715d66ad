/* Every message id stands in the journal catalogue with the same subject, and no other does. */
#include "base/fd.h"
#include "log/log.h"
#include "../run.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static char *catalog;

static void setup(void)
{
    int r = fd_read_file(CATALOG_FILE, 1 << 20, &catalog, NULL);

    ck_assert_msg(r == 0, "%s: %s", CATALOG_FILE, strerror(-r));
}

static void teardown(void)
{
    free(catalog);
}

/* The line "-- ID" of a message, without a language behind it. */
static const char *find_entry(const char *id)
{
    char line[64];
    const char *found;

    snprintf(line, sizeof(line), "-- %s\n", id);
    found = strstr(catalog, line);
    return found && (found == catalog || found[-1] == '\n') ? found + strlen(line) : NULL;
}

START_TEST(id_is_well_formed)
{
    const char *id = log_message_id((LogMessage)_i);

    ck_assert_uint_eq(strlen(id), 32);
    for (int i = 0; i < 32; i++)
        ck_assert(isdigit((unsigned char)id[i]) || (id[i] >= 'a' && id[i] <= 'f'));
    for (int other = LOG_MESSAGE_NONE; other < _i; other++)
        ck_assert_str_ne(id, log_message_id((LogMessage)other));
}
END_TEST

START_TEST(message_is_in_the_catalog)
{
    const char *entry = find_entry(log_message_id((LogMessage)_i));
    const char *subject = log_message_subject((LogMessage)_i);
    char line[256];

    ck_assert_msg(entry != NULL, "no entry for \"%s\"", subject);
    snprintf(line, sizeof(line), "Subject: %s\n", subject);
    ck_assert_msg(strncmp(entry, line, strlen(line)) == 0, "wrong subject for \"%s\"", subject);
    /* Header lines, an empty line, a text. */
    entry = strstr(entry, "\n\n");
    ck_assert_ptr_nonnull(entry);
    ck_assert_int_ne(entry[2], '\n');
    ck_assert(strncmp(entry + 2, "-- ", 3) != 0);
}
END_TEST

START_TEST(catalog_has_nothing_else)
{
    int entries = 0;

    for (const char *p = catalog; p; p = strstr(p, "\n-- ")) {
        const char *id = p == catalog ? p + 3 : p + 4;
        bool known = false;

        if (p == catalog && strncmp(p, "-- ", 3) != 0) {
            p++;
            continue;
        }
        for (int i = LOG_MESSAGE_NONE + 1; i < _LOG_MESSAGE_MAX; i++)
            known = known || strncmp(id, log_message_id((LogMessage)i), 32) == 0;
        ck_assert_msg(known, "unknown id %.32s", id);
        entries++;
        p++;
    }
    ck_assert_int_eq(entries, _LOG_MESSAGE_MAX - 1);
}
END_TEST

START_TEST(unknown_messages_have_no_id)
{
    ck_assert_str_eq(log_message_id(LOG_MESSAGE_NONE), "");
    ck_assert_str_eq(log_message_id(_LOG_MESSAGE_MAX), "");
    ck_assert_str_eq(log_message_subject((LogMessage)-1), "");
}
END_TEST

static Suite *catalog_suite(void)
{
    Suite *s = suite_create("log/catalog");
    TCase *ids = tcase_create("ids"), *file = tcase_create("file");

    tcase_add_loop_test(ids, id_is_well_formed, LOG_MESSAGE_NONE + 1, _LOG_MESSAGE_MAX);
    tcase_add_test(ids, unknown_messages_have_no_id);
    suite_add_tcase(s, ids);
    tcase_add_checked_fixture(file, setup, teardown);
    tcase_add_loop_test(file, message_is_in_the_catalog, LOG_MESSAGE_NONE + 1, _LOG_MESSAGE_MAX);
    tcase_add_test(file, catalog_has_nothing_else);
    suite_add_tcase(s, file);
    return s;
}

TEST_MAIN(catalog_suite)
