/*
 * The way of a small request through a worker without a language, so many times as the argument
 * says: what tests/lib/count.py counts the instructions of. What a web server sends, what the
 * SAPI of PHP asks, and a small answer.
 */

#include "base/buffer.h"
#include "base/parse.h"
#include "fcgi/client.h"
#include "runtime/connection.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As nginx has them in fastcgi.conf. */
static const char *const sent[] = {
    "SCRIPT_FILENAME",
    "/srv/www/hello.php",
    "QUERY_STRING",
    "a=b&c=d",
    "REQUEST_METHOD",
    "GET",
    "CONTENT_TYPE",
    "",
    "CONTENT_LENGTH",
    "",
    "SCRIPT_NAME",
    "/hello.php",
    "REQUEST_URI",
    "/hello.php?a=b&c=d",
    "DOCUMENT_URI",
    "/hello.php",
    "DOCUMENT_ROOT",
    "/srv/www",
    "SERVER_PROTOCOL",
    "HTTP/1.1",
    "REQUEST_SCHEME",
    "https",
    "HTTPS",
    "on",
    "GATEWAY_INTERFACE",
    "CGI/1.1",
    "SERVER_SOFTWARE",
    "nginx/1.22.1",
    "REMOTE_ADDR",
    "192.0.2.7",
    "REMOTE_PORT",
    "51820",
    "SERVER_ADDR",
    "198.51.100.4",
    "SERVER_PORT",
    "443",
    "SERVER_NAME",
    "www.example.org",
    "REDIRECT_STATUS",
    "200",
    "HTTP_HOST",
    "www.example.org",
    "HTTP_USER_AGENT",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "HTTP_ACCEPT",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_ACCEPT_LANGUAGE",
    "en-GB,en;q=0.5",
    "HTTP_ACCEPT_ENCODING",
    "gzip, deflate, br",
    "HTTP_COOKIE",
    "session=0123456789abcdef0123456789abcdef",
    NULL};

/* In the order in which runtime/php asks; most of them are not there. */
static const char *const asked[] = {"SCRIPT_FILENAME",
                                    "PATH_TRANSLATED",
                                    "PATH_INFO",
                                    "SCRIPT_NAME",
                                    "SERVER_SOFTWARE",
                                    "REDIRECT_URL",
                                    "DOCUMENT_ROOT",
                                    "ORIG_SCRIPT_FILENAME",
                                    "ORIG_PATH_TRANSLATED",
                                    "ORIG_PATH_INFO",
                                    "ORIG_SCRIPT_NAME",
                                    "CONTENT_LENGTH",
                                    "CONTENT_TYPE",
                                    "REQUEST_METHOD",
                                    "QUERY_STRING",
                                    "HTTP_AUTHORIZATION",
                                    "PHP_VALUE",
                                    "PHP_ADMIN_VALUE",
                                    "PHP_VALUE",
                                    "PHP_ADMIN_VALUE",
                                    "HTTP_COOKIE",
                                    "REDIRECT_STATUS"};

static const char *const answer[] = {"X-Powered-By: PHP/8.2.36",
                                     "\r\n",
                                     "Content-type: text/html; charset=UTF-8",
                                     "\r\n",
                                     "\r\n",
                                     "Hello World\n"};

static bool serve_one(Connection *c, uint64_t now_usec)
{
    Request *r;

    if (connection_receive(c, now_usec) != CONNECTION_REQUEST)
        return false;
    r = connection_request(c, now_usec);
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
        request_param(r, asked[i]);
    for (size_t i = 0; i < ARRAY_SIZE(answer); i++)
        request_write(r, answer[i], strlen(answer[i]));
    request_note_status(r, 200);
    return connection_end(c, 0, true, now_usec + 20) == CONNECTION_WAIT;
}

static bool run(uint64_t n)
{
    static BoardSlot slot;
    _cleanup_buffer_ Buffer request = {0};
    ConnectionShared *shared = connection_shared_new(&slot, 8, 1);
    bool good = true;
    Connection *c;
    int fds[2];

    fcgi_client_begin(&request, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    fcgi_client_params(&request, 1, sent);
    fcgi_client_stream_end(&request, FCGI_STDIN, 1);
    if (!shared || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return false;
    c = connection_new(shared, fds[0], 1);
    for (uint64_t i = 0; c && good && i < n; i++) {
        uint8_t bytes[1024];

        good = send(fds[1], request.data, request.size, 0) == (ssize_t)request.size &&
               serve_one(c, 1000 + i * 100) && recv(fds[1], bytes, sizeof(bytes), 0) > 0;
    }
    good &= c && slot.answered == n;
    connection_free(c);
    connection_shared_free(shared);
    close(fds[1]);
    return good;
}

int main(int argc, char **argv)
{
    uint64_t n = 0;

    if (argc != 2 || parse_u64(argv[1], 1, 1000000, &n) < 0) {
        fputs("usage: fpmd-path REQUESTS\n", stderr);
        return 64;
    }
    if (run(n))
        return 0;
    fputs("fpmd-path: a request was not answered\n", stderr);
    return 1;
}
