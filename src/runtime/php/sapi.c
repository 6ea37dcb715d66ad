#include "runtime/php/folder.h"
#include "runtime/php/identity.h"
#include "runtime/php/messages.h"
#include "runtime/php/php.h"
#include "runtime/php/post.h"
#include "runtime/php/response.h"
#include "runtime/php/settings.h"
#include "runtime/php/stop.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <ext/standard/info.h>
#include <http_status_codes.h>
#include <php_main.h>

/* ---- output ---- */

static size_t write_output(const char *text, size_t n)
{
    PhpRequest *r = php_request();

    /* After fastcgi_finish_request() output goes nowhere, and is no reason to end the script. */
    if (!r || r->finished)
        return n;
    if (request_write(r->request, text, n) < 0)
        php_handle_aborted_connection();
    return n;
}

static void flush_output(void *context)
{
    PhpRequest *r = context;

    if (!r || r->finished)
        return;
    if (request_flush(r->request) < 0)
        php_handle_aborted_connection();
}

static const char *reason_of(int code)
{
    for (const http_response_status_code_pair *p = http_status_map; p->code; p++)
        if (p->code == code)
            return p->str;
    return NULL;
}

/* The value of a header when it has that name, else NULL. */
static const char *header_value(const sapi_header_struct *h, const char *name)
{
    size_t n = strlen(name);

    return h->header_len > n && strncasecmp(h->header, name, n) == 0 ? h->header + n : NULL;
}

static int send_headers(sapi_headers_struct *headers)
{
    ResponseStatus status = {.code = headers->http_response_code,
                             .reason = reason_of(headers->http_response_code),
                             .line = headers->http_status_line,
                             .always = php_settings.nph,
                             .full_line = php_settings.rfc2616_headers};
    char line[RESPONSE_STATUS_MAX + 1];
    Request *request = php_request()->request;
    zend_llist_position position;
    sapi_header_struct *h;
    size_t n_line;
    bool own_status = true, not_modified;
    int code;

    if (SG(request_info).no_headers)
        return SAPI_HEADER_SENT_SUCCESSFULLY;
    for (h = zend_llist_get_first_ex(&headers->headers, &position); h && !status.header;
         h = zend_llist_get_next_ex(&headers->headers, &position))
        status.header = header_value(h, "Status:");
    /* It ended the script's answer, whatever a shutdown function makes of it. */
    if (php_request()->status > 0)
        status = (ResponseStatus){.code = php_request()->status,
                                  .reason = reason_of(php_request()->status)};
    n_line = response_status_line(&status, line, &code);
    /* As under PHP-FPM, a script's own "Status: 304" leaves its other headers alone. */
    not_modified = (n_line > 0 ? code : headers->http_response_code) == 304;
    if (n_line > 0) {
        request_write(request, line, n_line);
        request_write(request, "\r\n", 2);
        own_status = false;
    }
    for (h = zend_llist_get_first_ex(&headers->headers, &position); h;
         h = zend_llist_get_next_ex(&headers->headers, &position)) {
        if (h->header_len == 0) /* an empty line would end the headers */
            continue;
        if (header_value(h, "Status:")) {
            if (!own_status || php_request()->status > 0)
                continue;
            own_status = false;
        } else if (not_modified && header_value(h, "Content-Type:"))
            continue;
        request_write(request, h->header, h->header_len);
        request_write(request, "\r\n", 2);
        request_note_header(request, h->header, h->header_len);
    }
    request_write(request, "\r\n", 2);
    request_note_status(request, (unsigned)code);
    return SAPI_HEADER_SENT_SUCCESSFULLY;
}

/* ---- input ---- */

/* The client has gone, aborted, or stalled for too long in the middle of its body. A script that
 * reads it itself ends as at a failed write; before a script runs php_request_run() sees to it. */
static void end_without_body(const PhpRequest *r)
{
    if (request_aborted(r->request) && !PG(during_request_startup))
        php_handle_aborted_connection();
}

/* A return of less than n is the end of the body for PHP. */
static size_t read_body(char *buffer, size_t n)
{
    PhpRequest *r = php_request();
    size_t done = 0;
    bool in_file;

    if (!r || r->input_over)
        return 0;
    if (r->has_length) {
        int64_t left = (int64_t)SG(request_info).content_length - SG(read_post_bytes);

        n = left > 0 ? MIN(n, (size_t)left) : 0;
    }
    in_file = n > 0 && post_is_in_file(r);
    while (done < n) {
        ssize_t got = !in_file         ? request_read(r->request, buffer + done, n - done)
                      : r->body_fd < 0 ? 0
                                       : read(r->body_fd, buffer + done, n - done);

        if (got < 0 && in_file && errno == EINTR)
            continue;
        if (got <= 0) {
            r->input_over = true;
            end_without_body(r);
            break;
        }
        done += (size_t)got;
    }
    return done;
}

static char *read_cookies(void)
{
    return (char *)(uintptr_t)request_param(php_request()->request, "HTTP_COOKIE");
}

/* PHP looks here before the environment. */
static char *get_variable(const char *name, size_t n)
{
    if (!php_request())
        return getenv(name);
    return (char *)(uintptr_t)variables_get(php_request(), name);
}

/* ---- module ---- */

static PHP_MINIT_FUNCTION(cgi)
{
    identity_set_constants();
    identity_set_functions();
    settings_register(type, module_number);
    return SUCCESS;
}

static PHP_MSHUTDOWN_FUNCTION(cgi)
{
    UNREGISTER_INI_ENTRIES();
    return SUCCESS;
}

/* The script is over and nobody asks for the body any more. PHP would now read and throw away what
 * has not come yet, however long the client takes; the connection does that without us. */
static PHP_RSHUTDOWN_FUNCTION(cgi)
{
    if (php_request())
        php_request()->input_over = true;
    return SUCCESS;
}

static PHP_MINFO_FUNCTION(cgi)
{
    php_info_print_table_start();
    php_info_print_table_row(2, "php-fpm", "active");
    php_info_print_table_row(2, "fpmd", FPMD_VERSION);
    php_info_print_table_end();
    DISPLAY_INI_ENTRIES();
}

/* Named as in php-cgi and PHP-FPM, since the settings are documented under that name. */
zend_module_entry php_sapi_module = {
    STANDARD_MODULE_HEADER,
    .name = "cgi-fcgi",
    .functions = php_sapi_functions,
    .module_startup_func = PHP_MINIT(cgi),
    .module_shutdown_func = PHP_MSHUTDOWN(cgi),
    .request_shutdown_func = PHP_RSHUTDOWN(cgi),
    .info_func = PHP_MINFO(cgi),
    .version = PHP_VERSION,
    STANDARD_MODULE_PROPERTIES,
};

static int activate(void)
{
    int r = settings_activate();

    folder_settle(NULL);
    return r;
}

static int start_module(sapi_module_struct *module)
{
    int r = php_module_startup(module, &php_sapi_module);

    post_init();
    return r;
}

/* PHP calls it after its core is there and before it loads extensions: they may fail, and OPcache's
 * JIT compiler takes the interrupt function as it finds it then. */
static void watch_start(HashTable *configuration)
{
    messages_watch();
    stop_init();
}

/* OPcache starts only under names that it knows, and applications test php_sapi_name(). */
static char name[] = "fpm-fcgi", pretty_name[] = "FPM/FastCGI";

sapi_module_struct php_sapi = {
    .name = name,
    .pretty_name = pretty_name,
    .startup = start_module,
    .ini_defaults = watch_start,
    .shutdown = php_module_shutdown_wrapper,
    .activate = activate,
    .ub_write = write_output,
    .flush = flush_output,
    .getenv = get_variable,
    .sapi_error = php_error,
    .send_headers = send_headers,
    .read_post = read_body,
    .read_cookies = read_cookies,
    .register_server_variables = variables_register,
    .log_message = messages_log,
    .php_ini_ignore_cwd = 1,
};
