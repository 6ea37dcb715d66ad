#include "ctl/ping.h"

#include "base/exit_status.h"
#include "ctl/pools.h"
#include "status/escape.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_DEFAULT_USEC (3 * USEC_PER_SEC)
#define ANSWER_SHOWN         200 /* bytes at most, for people */

/* Which question shows that the pool is well. */
static int choose(const Ctl *ctl, const PoolConfig *c, PingQuestion *q)
{
    q->uri = c->ping_path;
    q->expected = c->ping_path ? c->ping_response : NULL;
    if (q->uri || !ctl->status)
        return 0;
    q->uri = c->status_path;
    if (q->uri)
        return 0;
    ctl_complain("%s: on its status socket nothing is answered: neither ping.path nor "
                 "pm.status_path is set in %s",
                 c->name, c->path ? c->path : "its file");
    return -EINVAL;
}

static int write_json(Buffer *b, const char *pool, const char *address, const PingResult *result,
                      bool ok, const char *text)
{
    int r = buffer_printf(b, "{\n  \"pool\": ");

    if (r == 0)
        r = escape_json(b, pool);
    if (r == 0)
        r = buffer_printf(b, ",\n  \"ok\": %s,\n  \"address\": ", ok ? "true" : "false");
    if (r == 0)
        r = escape_json(b, address);
    if (r == 0)
        r = buffer_printf(b, ",\n  \"status\": %u,\n  \"usec\": %" PRIu64 ",\n  \"text\": ",
                          result->status, result->usec);
    if (r == 0)
        r = escape_json(b, text);
    return r < 0 ? r : buffer_printf(b, "\n}\n");
}

static int write_text(Buffer *b, const char *pool, const PingResult *result, const char *text)
{
    int r = escape_text(b, pool);

    if (r == 0)
        r = buffer_printf(b, ": ");
    if (r == 0)
        r = escape_text(b, text);
    return r < 0 ? r
                 : buffer_printf(b, " (%" PRIu64 ".%" PRIu64 " ms)\n", result->usec / USEC_PER_MSEC,
                                 result->usec % USEC_PER_MSEC / 100);
}

/* What is wrong, for people; NULL: nothing is. The caller frees. -ENOMEM: no memory. */
static int judge(const PingQuestion *q, const PingResult *result, int error, char **ret)
{
    const char *body = result->body.size > 0 ? result->body.data : "";
    int size = (int)MIN(result->body.size, (size_t)ANSWER_SHOWN), n = 0;

    *ret = NULL;
    if (error == -ETIMEDOUT)
        n = asprintf(ret, "no answer in %" PRIu64 ".%" PRIu64 " s", q->timeout_usec / USEC_PER_SEC,
                     q->timeout_usec % USEC_PER_SEC / 100000);
    else if (error == -ENOENT || error == -ECONNREFUSED)
        n = asprintf(ret, "nobody listens there");
    else if (error == -EACCES || error == -EPERM)
        n = asprintf(ret, "not permitted to connect");
    else if (error == -ECONNRESET || error == -EPIPE)
        n = asprintf(ret, "the connection was closed without an answer (listen.allowed_clients "
                          "may be why, or a crash)");
    else if (error == -EBADMSG)
        n = asprintf(ret, "the answer is no FastCGI");
    else if (error < 0)
        n = asprintf(ret, "%s", strerror(-error));
    else if (result->status == 503)
        n = asprintf(ret, "answered 503: it is being drained, or overloaded");
    else if (result->status != 200)
        n = asprintf(ret, "answered %u", result->status);
    else if (q->expected && (result->body.size != strlen(q->expected) ||
                             memcmp(body, q->expected, result->body.size) != 0))
        n = asprintf(ret, "answered '%.*s', expected '%s'", size, body, q->expected);
    return n < 0 ? -ENOMEM : 0;
}

static int tell(const Ctl *ctl, const PingQuestion *q, const char *pool, const char *address,
                const PingResult *result, const char *wrong)
{
    _cleanup_buffer_ Buffer b = {0}, text = {0};
    const char *said = q->expected ? q->expected : "answers";
    int r;

    if (wrong) {
        r = escape_text(&text, wrong);
        if (r == 0)
            ctl_complain("%s: %s: %.*s", pool, address, (int)text.size, text.data);
        if (!ctl->json)
            return EXIT_STATUS_FAILURE;
    }
    r = ctl->json ? write_json(&b, pool, address, result, !wrong, wrong ? wrong : said)
                  : write_text(&b, pool, result, said);
    if (r == 0 && ctl_print(&b) == EXIT_STATUS_OK)
        return wrong ? EXIT_STATUS_FAILURE : EXIT_STATUS_OK;
    return EXIT_STATUS_FAILURE;
}

static int ping(const Ctl *ctl, const PoolConfig *c, PingQuestion *q)
{
    _cleanup_(ping_result_done) PingResult result = {0};
    _cleanup_free_ char *wrong = NULL, *name = NULL;
    ListenAddress *addresses = NULL;
    size_t n = 0;
    int r = ping_find(ctl, c, &addresses, &n), status = EXIT_STATUS_FAILURE;

    if (r == 0) {
        name = strdup(addresses[0].text);
        r = name ? judge(q, &result, ping_ask(&addresses[0], q, &result), &wrong) : -ENOMEM;
    }
    if (r == 0)
        status = tell(ctl, q, c->name, name, &result, wrong);
    else
        ctl_complain("%s: %s", c->name, strerror(-r));
    listen_free(addresses, n);
    return status;
}

int verb_ping(const Ctl *ctl, int n, char **operands)
{
    _cleanup_(pool_config_freep) PoolConfig *c = NULL;
    PingQuestion q = {.timeout_usec = ctl->timeout ? ctl->timeout_usec : TIMEOUT_DEFAULT_USEC};
    int status;

    if (q.timeout_usec == 0) {
        ctl_complain("--timeout: a time above 0 is expected");
        return EXIT_STATUS_USAGE;
    }
    status = pool_file_require(ctl, operands[0], &c);
    if (status == 0 && choose(ctl, c, &q) < 0)
        status = EXIT_STATUS_CONFIG;
    return status != 0 ? status : ping(ctl, c, &q);
}
