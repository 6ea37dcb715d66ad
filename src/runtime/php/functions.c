#include "runtime/php/pages.h"
#include "runtime/php/php.h"

#include <ctype.h>
#include <string.h>

#include <ext/standard/head.h>

/* Sends everything and ends the request for the client; the script goes on. */
static ZEND_FUNCTION(fastcgi_finish_request)
{
    PhpRequest *r = php_request();

    ZEND_PARSE_PARAMETERS_NONE();
    if (!r || r->finished)
        RETURN_FALSE;
    php_output_end_all();
    php_header();
    r->finished = true;
    if (r->stopped)
        request_note_stopped(r->request);
    request_finish(r->request, 0);
    RETURN_TRUE;
}

/* HTTP_ACCEPT_LANGUAGE → Accept-Language; the character after a '_' stays as it is. */
static size_t header_name(const char *variable, char *ret_name)
{
    size_t n = 0;

    for (bool first = true; *variable; variable++)
        if (first) {
            ret_name[n++] = *variable;
            first = false;
        } else if (*variable == '_') {
            ret_name[n++] = '-';
            first = true;
        } else
            ret_name[n++] = (char)tolower((unsigned char)*variable);
    return n;
}

/* The part of a variable's name that makes the header's, or NULL. */
static const char *header_part(const char *name)
{
    if (strncmp(name, "HTTP_", 5) == 0)
        return name[5] ? name + 5 : NULL;
    return strcmp(name, "CONTENT_TYPE") == 0 || strcmp(name, "CONTENT_LENGTH") == 0 ? name : NULL;
}

/* The headers of the request, from the CGI variables that the web server made of them; in the order
 * of PHP-FPM, the last variable first. */
static ZEND_FUNCTION(apache_request_headers)
{
    const FcgiParams *params;

    ZEND_PARSE_PARAMETERS_NONE();
    array_init(return_value);
    if (!php_request())
        return;
    params = request_params(php_request()->request);
    for (size_t i = params->n; i-- > 0;) {
        const char *name = fcgi_param_name(params, i), *part = header_part(name);
        const char *value =
            request_param(php_request()->request, name); /* if sent twice, the last */
        char *header;

        if (!part)
            continue;
        header = emalloc(strlen(part) + 1);
        add_assoc_string_ex(return_value, header, header_name(part, header),
                            value ? value : fcgi_param_value(params, i));
        efree(header);
    }
}

static ZEND_FUNCTION(fpm_get_status)
{
    ZEND_PARSE_PARAMETERS_NONE();
    pages_get_status(php_request(), return_value);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(returns_bool, 0, 0, _IS_BOOL, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(returns_array, 0, 0, IS_ARRAY, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_MASK_EX(returns_array_or_false, 0, 0, MAY_BE_ARRAY | MAY_BE_FALSE)
ZEND_END_ARG_INFO()

const zend_function_entry php_sapi_functions[] = {
    ZEND_FE(fastcgi_finish_request, returns_bool) ZEND_FE(apache_request_headers, returns_array)
        ZEND_FALIAS(getallheaders, apache_request_headers, returns_array)
            ZEND_FE(fpm_get_status, returns_array_or_false) ZEND_FE_END};
