#include "conf/setting.h"
#include "../run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* A list, and a peer as the kernel names it on a dual stack socket. */
static const struct {
    const char *list, *peer;
    bool is_in;
} cases[] = {
    {"127.0.0.1", "::ffff:127.0.0.1", true},
    {"127.0.0.1", "::ffff:127.0.0.2", false},
    {"127.0.0.1/32", "::ffff:127.0.0.1", true},
    {"127.0.0.1/32", "::ffff:127.0.0.0", false},
    {"127.0.0.0/31", "::ffff:127.0.0.1", true},
    {"127.0.0.0/31", "::ffff:127.0.0.2", false},
    {"10.0.0.0/8", "::ffff:10.255.255.255", true},
    {"10.0.0.0/8", "::ffff:11.0.0.0", false},
    {"10.1.2.3/8", "::ffff:10.9.9.9", true},
    {"10.0.0.0/9", "::ffff:10.127.0.1", true},
    {"10.0.0.0/9", "::ffff:10.128.0.1", false},
    {"0.0.0.0/0", "::ffff:203.0.113.7", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"0.0.0.0/0", "::1", false},
    {"255.255.255.255", "::ffff:255.255.255.255", true},
    {"::1", "::1", true},
    {"::1", "::2", false},
    {"::1/128", "::1", true},
    {"::1/128", "::", false},
    {"::1/127", "::", true},
    {"::/0", "2001:db8::1", true},
    {"::/0", "::ffff:10.0.0.1", true},
    {"2001:db8::/32", "2001:db8:ffff::1", true},
    {"2001:db8::/32", "2001:db9::1", false},
    {"2001:db8::/33", "2001:db8:7fff::1", true},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    /* All 16 bytes count: PHP-FPM compared 12 of them (CVE-2026-91768). */
    {"2001:db8::aaaa:1", "2001:db8::aaaa:1", true},
    {"2001:db8::aaaa:1", "2001:db8::aaaa:2", false},
    {"2001:db8::aaaa:1", "2001:db8::bbbb:1", false},
    {"::ffff:10.0.0.1", "::ffff:10.0.0.1", true},
    {"::ffff:10.0.0.0/104", "::ffff:10.200.0.1", true},
    {"::ffff:10.0.0.0/104", "::ffff:11.0.0.1", false},
    {"::10.0.0.1", "::ffff:10.0.0.1", false},
    {"192.0.2.1, 198.51.100.0/24\t::1", "::ffff:198.51.100.77", true},
    {"192.0.2.1,198.51.100.0/24,::1", "::1", true},
    {"192.0.2.1,198.51.100.0/24,::1", "::ffff:192.0.2.2", false},
    {",, 192.0.2.1 ,", "::ffff:192.0.2.1", true},
};

START_TEST(peers)
{
    _cleanup_free_ ClientRange *ranges = NULL;
    uint8_t peer[16];
    bool is_in = false;
    size_t n;

    ck_assert_int_eq(inet_pton(AF_INET6, cases[_i].peer, peer), 1);
    ck_assert_int_eq(clients_parse(cases[_i].list, &ranges, &n), 0);
    ck_assert_uint_gt(n, 0);
    for (size_t i = 0; i < n; i++)
        is_in |= client_in_range(&ranges[i], peer);
    ck_assert_msg(is_in == cases[_i].is_in, "%s in %s", cases[_i].peer, cases[_i].list);
}
END_TEST

START_TEST(what_is_no_list)
{
    static const char *const texts[] = {
        "",
        " ",
        ",",
        "localhost",
        "10.0.0",
        "10.0.0.256",
        "010.0.0.1",
        "10.0.0.1/",
        "10.0.0.1/33",
        "10.0.0.1/-1",
        "10.0.0.1/+8",
        "10.0.0.1/8x",
        "10.0.0.1/ 8",
        "10.0.0.1/255.0.0.0",
        "10.0.0.1/99999999999999999999",
        "10.0.0.1/8/8",
        "::1/129",
        "::1/",
        "[::1]",
        "::1%lo",
        "fe80::1%eth0/64",
        ":::",
        "10.0.0.1:80",
        "10.0.0.1 x",
        "10.0.0.1;",
        "*",
        "/8",
        "any",
    };
    ClientRange *ranges = NULL;
    size_t n = 7;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        ck_assert_msg(clients_parse(texts[i], &ranges, &n) == -EINVAL, "'%s'", texts[i]);
    ck_assert_ptr_null(ranges);
    ck_assert_uint_eq(n, 7);
}
END_TEST

/* Nobody means all of IPv4 by it. */
START_TEST(mapped_networks_are_of_ipv4)
{
    static const struct {
        const char *text, *word, *meant;
    } wrong[] = {
        {"::ffff:10.0.0.0/8", "::ffff:10.0.0.0/8", "10.0.0.0/8"},
        {"10.0.0.1 , ::FFFF:c000:201/24", "::FFFF:c000:201/24", "192.0.2.1/24"},
        {"::ffff:0:0/0", "::ffff:0:0/0", "0.0.0.0/0"},
        {"::1,::ffff:10.0.0.1/95,::1", "::ffff:10.0.0.1/95", "10.0.0.1/32"},
    };
    ClientRange *ranges = NULL;
    char word[64], meant[32];
    size_t n;

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        ck_assert_int_eq(clients_parse(wrong[i].text, &ranges, &n), -EDOM);
        ck_assert(clients_find_mapped(wrong[i].text, word, meant));
        ck_assert_str_eq(word, wrong[i].word);
        ck_assert_str_eq(meant, wrong[i].meant);
    }
    ck_assert(!clients_find_mapped("::ffff:10.0.0.0/104, ::/0 ::ffff:10.0.0.1", word, meant));
    ck_assert_int_eq(clients_parse("::ffff:0.0.0.0/96", &ranges, &n), 0);
    free(ranges);
}
END_TEST

START_TEST(bits_behind_the_prefix)
{
    static const char *const networks[][2] = {
        {"10.0.0.1/8", "10.0.0.0/8"},
        {"10.0.0.0/8", NULL},
        {"10.0.0.1", NULL},
        {"10.0.0.1/0", "0.0.0.0/0"},
        {"0.0.0.0/0", NULL},
        {"10.0.0.3/31", "10.0.0.2/31"},
        {"2001:db8::1/32", "2001:db8::/32"},
        {"2001:db8::/32", NULL},
        {"::1", NULL},
        {"::1/0", "::/0"},
        {"::fffe:10.0.0.1/8", "::/8"},
        {"::ffff:10.0.0.1/104", "10.0.0.0/8"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
        _cleanup_free_ ClientRange *ranges = NULL;
        char network[52];
        size_t n;

        ck_assert_int_eq(clients_parse(networks[i][0], &ranges, &n), 0);
        ck_assert_uint_eq(n, 1);
        ck_assert_int_eq(client_masked(ranges, network), networks[i][1] != NULL);
        if (networks[i][1])
            ck_assert_str_eq(network, networks[i][1]);
    }
}
END_TEST

static Suite *clients_suite(void)
{
    Suite *s = suite_create("conf/clients");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, peers, 0, ARRAY_SIZE(cases));
    tcase_add_test(t, what_is_no_list);
    tcase_add_test(t, mapped_networks_are_of_ipv4);
    tcase_add_test(t, bits_behind_the_prefix);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(clients_suite)
