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
    request_finish(r->request, 0);
    RETURN_TRUE;
}

/* HTTP_ACCEPT_LANGUAGE → Accept-Language */
static size_t header_name(const char *variable, char *ret_name, size_t room)
{
    size_t n = 0;
    bool first = true;

    for (; *variable && n + 1 < room; variable++) {
        ret_name[n++] = *variable == '_' ? '-'
                        : first          ? *variable
                                         : (char)tolower((unsigned char)*variable);
        first = *variable == '_';
    }
    return n;
}

/* The headers of the request, from the CGI variables that the web server made of them. */
static ZEND_FUNCTION(apache_request_headers)
{
    const FcgiParams *params;
    char header[1024];

    ZEND_PARSE_PARAMETERS_NONE();
    array_init(return_value);
    if (!php_request())
        return;
    params = request_params(php_request()->request);
    for (size_t i = 0; i < params->n; i++) {
        const char *name = fcgi_param_name(params, i);
        size_t n;

        /* Of the two headers that have variables of their own, the variables are the truth. */
        if (strcmp(name, "CONTENT_TYPE") == 0 || strcmp(name, "CONTENT_LENGTH") == 0)
            n = header_name(name, header, sizeof(header));
        else if (strncmp(name, "HTTP_", 5) == 0 && strcmp(name, "HTTP_CONTENT_TYPE") != 0 &&
                 strcmp(name, "HTTP_CONTENT_LENGTH") != 0)
            n = header_name(name + 5, header, sizeof(header));
        else
            continue;
        add_assoc_string_ex(return_value, header, n, fcgi_param_value(params, i));
    }
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(returns_bool, 0, 0, _IS_BOOL, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(returns_array, 0, 0, IS_ARRAY, 0)
ZEND_END_ARG_INFO()

const zend_function_entry php_sapi_functions[] = {
    ZEND_FE(fastcgi_finish_request, returns_bool) ZEND_FE(apache_request_headers, returns_array)
        ZEND_FALIAS(getallheaders, apache_request_headers, returns_array) ZEND_FE_END};
