#include "runtime/php/writers.h"

#include "runtime/mark.h"
#include "runtime/php/php.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <ext/standard/php_fopen_wrappers.h>

static void mark(void)
{
    const PhpRequest *r = php_request();

    if (r)
        mark_request(request_param(r->request, "REQUEST_ID"),
                     request_param(r->request, "REQUEST_URI"));
}

/* ---- php:// ---- */

static php_stream_wrapper_ops operations;
static php_stream_wrapper wrapper;

static bool leads_out(const char *url)
{
    if (strncasecmp(url, "php://", 6) == 0)
        url += 6;
    return strcasecmp(url, "stdout") == 0 || strcasecmp(url, "stderr") == 0;
}

static php_stream *open_stream(php_stream_wrapper *self, const char *url, const char *mode,
                               int options, zend_string **opened_path,
                               php_stream_context *context STREAMS_DC)
{
    if (leads_out(url))
        mark();
    return php_stream_php_wrapper.wops->stream_opener(self, url, mode, options, opened_path,
                                                      context STREAMS_REL_CC);
}

/* In its place: the order of the wrappers is visible (stream_get_wrappers()). */
static int replace_wrapper(void)
{
    operations = *php_stream_php_wrapper.wops;
    operations.stream_opener = open_stream;
    wrapper = php_stream_php_wrapper;
    wrapper.wops = &operations;
    return zend_hash_str_update_ptr(php_stream_get_url_stream_wrappers_hash_global(),
                                    ZEND_STRL("php"), &wrapper)
               ? 0
               : -ENOMEM;
}

/* ---- programs, which inherit the pipes ---- */

#define STARTERS(X)                                                                                \
    X(exec) X(shell_exec) X(system) X(passthru) X(popen) X(proc_open) X(mail) X(mb_send_mail)

#define X(name)                                                                                    \
    static zif_handler name##_handler;                                                             \
    static void start_by_##name(INTERNAL_FUNCTION_PARAMETERS)                                      \
    {                                                                                              \
        mark();                                                                                    \
        name##_handler(INTERNAL_FUNCTION_PARAM_PASSTHRU);                                          \
    }
STARTERS(X)
#undef X

static const struct {
    const char *name;
    zif_handler *handler; /* PHP's */
    zif_handler ours;
} starters[] = {
#define X(name) {#name, &name##_handler, start_by_##name},
    STARTERS(X)
#undef X
};

/* disable_functions has taken some away. */
static void replace_starters(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(starters); i++) {
        zend_function *function =
            zend_hash_str_find_ptr(CG(function_table), starters[i].name, strlen(starters[i].name));

        if (!function || function->type != ZEND_INTERNAL_FUNCTION)
            continue;
        *starters[i].handler = function->internal_function.handler;
        function->internal_function.handler = starters[i].ours;
    }
}

int writers_init(void)
{
    replace_starters();
    return replace_wrapper();
}
