#include "dialect.h"
#include "conf/setting.h"
#include "load.h"
#include "../run.h"

#include <stdio.h>

/* A value as php-fpm -tt prints those of its type. */
static void print_typed(const Directive *d, const char *text, char ret[static 200])
{
    uint64_t number = 0;

    ck_assert_int_eq(setting_check(d, text, &number), 0);
    switch (d->type) {
    case TYPE_TIME:
        snprintf(ret, 200, "%llu%s", (unsigned long long)(number / USEC_PER_SEC),
                 strcmp(d->name, "pm.process_idle_timeout") == 0 ? "" : "s");
        break;
    case TYPE_BOOL:
        snprintf(ret, 200, "%s", number ? "yes" : "no");
        break;
    case TYPE_PM:
        snprintf(ret, 200, "%s", pool_mode_to_string((PoolMode)number));
        break;
    case TYPE_RLIMIT:
        snprintf(ret, 200, "%lld", number == RLIMIT_UNLIMITED ? -1 : (long long)number);
        break;
    case TYPE_UNSIGNED:
    case TYPE_COUNT:
    case TYPE_SIGNED:
    case TYPE_FILES:
        snprintf(ret, 200, "%lld", (long long)number);
        break;
    default:
        snprintf(ret, 200, "%s", text);
    }
}

/* The value of the directive of a line in what was made of it. */
static void print_value(const PoolConfig *c, const char *line, char ret[static 200])
{
    const char *name = line + strspn(line, " \t\xef\xbb\xbf");
    const Directive *d = directive_find(name, strcspn(name, " \t=["));

    ck_assert_msg(d != NULL, "%s", line);
    if (strcmp(d->name, "env") == 0)
        snprintf(ret, 200, "%s", c->n_env > 0 ? c->env[0].value : "");
    else if (strcmp(d->name, "chroot") == 0)
        snprintf(ret, 200, "%s", c->chroot);
    else if (strcmp(d->name, "chdir") == 0)
        snprintf(ret, 200, "%s", c->chdir);
    else if (strcmp(d->name, "listen") == 0)
        snprintf(ret, 200, "%s", c->listen[0].path ? c->listen[0].path : c->listen[0].text);
    else
        print_typed(d, pool_config_text(c, d->name), ret);
}

START_TEST(lines)
{
    const DialectCase *k = &dialect_cases[_i];
    char text[400], value[200];
    _cleanup_loaded_ Loaded l = {0};

    dialect_set_environment();
    snprintf(text, sizeof(text), DIALECT_SECTION, "www", 9000, k->line);
    l = parse(text);
    ck_assert_msg((l.r == 0) == (k->fpmd != NULL), "%s", k->line);
    if (!k->fpmd)
        return;
    print_value(l.c, k->line, value);
    ck_assert_msg(strcmp(value, k->fpmd) == 0, "%s: '%s' is not '%s'", k->line, value, k->fpmd);
}
END_TEST

/* Whoever is different says why. */
START_TEST(differences_have_reasons)
{
    for (size_t i = 0; i < n_dialect_cases; i++) {
        const DialectCase *k = &dialect_cases[i];
        bool same =
            k->fpmd && k->php_fpm ? strcmp(k->fpmd, k->php_fpm) == 0 : k->fpmd == k->php_fpm;

        ck_assert_msg(same == (k->why == NULL), "%s", k->line);
    }
}
END_TEST

static Suite *dialect_suite(void)
{
    Suite *s = suite_create("conf/dialect");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, lines, 0, (int)n_dialect_cases);
    tcase_add_test(t, differences_have_reasons);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(dialect_suite)
