#include "request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* Of an answer whose body is only counted: the headers are within it. */
#define HEAD_KEPT 65536

static char body_byte(const char *id, uint64_t i)
{
    return id ? id[i % (REQUEST_ID_SIZE - 1)] : 'x';
}

static int append_body(const RequestForm *form, const char *id, Buffer *b)
{
    _cleanup_free_ char *body = malloc(form->body_size + 1);
    int r;

    if (!body)
        return -ENOMEM;
    for (uint64_t i = 0; i < form->body_size; i++)
        body[i] = body_byte(id, i);
    r = fcgi_client_stream(b, FCGI_STDIN, 1, body, form->body_size);
    return r < 0 ? r : fcgi_client_stream_end(b, FCGI_STDIN, 1);
}

/* Replaces or appends the parameters that the form has besides; text has room for the names. The
 * pairs end with NULL. */
static int put_extras(const RequestForm *form, const char **pairs, char *text, size_t size)
{
    for (unsigned i = 0; i < form->n_extras; i++) {
        const char *equals = strchr(form->extras[i], '=');
        const char **at = pairs;
        size_t n;

        if (!equals)
            return -EINVAL;
        n = (size_t)(equals - form->extras[i]);
        if (n >= size)
            return -E2BIG;
        memcpy(text, form->extras[i], n);
        text[n] = 0;
        while (at[0] && strcmp(at[0], text) != 0)
            at += 2;
        if (!at[0])
            at[2] = NULL;
        at[0] = text;
        at[1] = equals + 1;
        text += n + 1;
        size -= n + 1;
    }
    return 0;
}

int request_build(const RequestForm *form, const char *id, Buffer *b)
{
    char length[24], query[512], uri[768], names[512];
    const char *pairs[40 + 2 * EXTRAS_MAX] = {"GATEWAY_INTERFACE",
                                              "CGI/1.1",
                                              "SERVER_SOFTWARE",
                                              "fpmd-load",
                                              "SERVER_PROTOCOL",
                                              "HTTP/1.1",
                                              "SERVER_NAME",
                                              "localhost",
                                              "SERVER_PORT",
                                              "80",
                                              "REMOTE_ADDR",
                                              "127.0.0.1",
                                              "REMOTE_PORT",
                                              "1",
                                              "SERVER_ADDR",
                                              "127.0.0.1",
                                              "REQUEST_METHOD",
                                              form->body_size > 0 ? "POST" : "GET",
                                              "QUERY_STRING",
                                              query,
                                              "REQUEST_URI",
                                              uri,
                                              "SCRIPT_NAME",
                                              form->uri,
                                              "SCRIPT_FILENAME",
                                              form->script,
                                              "DOCUMENT_ROOT",
                                              "/",
                                              "CONTENT_TYPE",
                                              form->body_size > 0 ? "application/octet-stream" : "",
                                              "CONTENT_LENGTH",
                                              length,
                                              "HTTP_HOST",
                                              "localhost",
                                              NULL};
    int r;

    snprintf(length, sizeof(length), "%" PRIu64, form->body_size);
    snprintf(query, sizeof(query), "%s%s%s%s", id ? "id=" : "", id ? id : "",
             id && *form->query ? "&" : "", form->query);
    snprintf(uri, sizeof(uri), "%s%s%s", form->uri, *query ? "?" : "", query);
    r = put_extras(form, pairs, names, sizeof(names));
    if (r < 0)
        return r;
    r = fcgi_client_begin(b, 1, FCGI_RESPONDER, form->keep ? FCGI_KEEP_CONN : 0);
    if (r >= 0)
        r = fcgi_client_params(b, 1, pairs);
    return r < 0 ? r : append_body(form, id, b);
}

/* Where the headers end and the body begins; NULL: nowhere. */
static const char *find_body(const FcgiResponse *r)
{
    const char *end = memmem(r->out.data ? r->out.data : "", r->out.size, "\r\n\r\n", 4);

    return end ? end + 4 : NULL;
}

unsigned request_status(const FcgiResponse *r)
{
    const char *end = find_body(r);

    if (!end)
        return 0;
    for (const char *line = r->out.data; line < end;) {
        if (end - line > 12 && strncasecmp(line, "Status: ", 8) == 0)
            return (unsigned)strtoul(line + 8, NULL, 10); /* a line end stops it */
        line = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
    }
    return 200;
}

static bool is_answer_to(const RequestForm *form, const char *id, const char *body, size_t n)
{
    uint64_t hash = FNV_BASIS;
    char head[64];
    size_t n_head;

    for (uint64_t i = 0; i < form->body_size; i++)
        hash = (hash ^ (uint8_t)body_byte(id, i)) * FNV_PRIME;
    n_head = (size_t)snprintf(head, sizeof(head), "%s %" PRIu64 " %016" PRIx64 "\n", id,
                              form->body_size, hash);
    if (n != MAX(n_head, (size_t)form->answer_size) || memcmp(body, head, n_head) != 0)
        return false;
    for (size_t i = n_head; i < n; i++)
        if (body[i] != body_byte(id, i - n_head))
            return false;
    return true;
}

void request_drop_body(const RequestForm *form, FcgiResponse *r, uint64_t *dropped)
{
    if (form->expect_size == 0 || r->out.size <= HEAD_KEPT)
        return;
    *dropped += r->out.size - HEAD_KEPT;
    r->out.size = HEAD_KEPT;
}

bool request_answer_is_right(const RequestForm *form, const char *id, const FcgiResponse *r,
                             uint64_t dropped)
{
    const char *body = find_body(r);
    size_t n;

    if (!id && !form->expect && form->expect_size == 0)
        return true;
    if (!body)
        return false;
    n = (size_t)(r->out.data + r->out.size - body);
    if (id)
        return is_answer_to(form, id, body, n);
    if (form->expect_size > 0)
        return n + dropped == form->expect_size;
    return n == strlen(form->expect) && memcmp(body, form->expect, n) == 0;
}
