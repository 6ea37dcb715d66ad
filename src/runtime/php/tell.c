#include "runtime/php/tell.h"

#include "base/exit_status.h"
#include "runtime/php/identity.h"
#include "runtime/php/php.h"

#include <stdio.h>

#include <php_main.h>
#include <php_variables.h>
#include <zend_extensions.h>

/* ---- a request without a client: output goes to stdout ---- */

static size_t write_output(const char *text, size_t n)
{
    return fwrite(text, 1, n, stdout);
}

static void flush_output(void *context)
{
}

static int send_no_headers(sapi_headers_struct *headers)
{
    return SAPI_HEADER_SENT_SUCCESSFULLY;
}

static char *read_no_cookies(void)
{
    return NULL;
}

static void register_environment(zval *array)
{
    php_import_environment_variables(array);
}

static int tell_settings(void)
{
    sapi_module.ub_write = write_output;
    sapi_module.flush = flush_output;
    sapi_module.send_headers = send_no_headers;
    sapi_module.read_cookies = read_no_cookies;
    sapi_module.register_server_variables = register_environment;
    sapi_module.phpinfo_as_text = 1;
    if (php_request_startup() == FAILURE)
        return EXIT_STATUS_RUNTIME;
    SG(headers_sent) = 1;
    SG(request_info).no_headers = 1;
    identity_print_info();
    php_output_end_all();
    php_request_shutdown(NULL);
    return EXIT_STATUS_OK;
}

/* ---- the list of extensions ---- */

static int compare_names(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcasecmp(*x, *y);
}

static int tell_modules(void)
{
    size_t n = 0, n_zend = zend_llist_count(&zend_extensions);
    _cleanup_free_ const char **names =
        calloc(zend_hash_num_elements(&module_registry) + n_zend + 1, sizeof(*names));
    zend_llist_position position;
    zend_module_entry *module;

    if (!names)
        return EXIT_STATUS_FAILURE;
    ZEND_HASH_MAP_FOREACH_PTR(&module_registry, module)
    {
        names[n++] = module->name;
    }
    ZEND_HASH_FOREACH_END();
    qsort(names, n, sizeof(*names), compare_names);
    puts("[PHP Modules]");
    for (size_t i = 0; i < n; i++)
        puts(names[i]);
    n = 0;
    for (zend_extension *e = zend_llist_get_first_ex(&zend_extensions, &position); e;
         e = zend_llist_get_next_ex(&zend_extensions, &position))
        names[n++] = e->name;
    qsort(names, n, sizeof(*names), compare_names);
    puts("\n[Zend Modules]");
    for (size_t i = 0; i < n; i++)
        puts(names[i]);
    puts("");
    return EXIT_STATUS_OK;
}

static int tell_version(void)
{
    printf("%s (%s) (fpmd %s)\nCopyright (c) The PHP Group\n%s", identity_version(),
           sapi_module.name, FPMD_VERSION, get_zend_version());
    return EXIT_STATUS_OK;
}

int tell(EngineTopic topic)
{
    int status = EXIT_STATUS_USAGE;

    switch (topic) {
    case ENGINE_TOPIC_VERSION:
        status = tell_version();
        break;
    case ENGINE_TOPIC_MODULES:
        status = tell_modules();
        break;
    case ENGINE_TOPIC_SETTINGS:
        status = tell_settings();
        break;
    case _ENGINE_TOPIC_MAX:
        break;
    }
    return fflush(stdout) == 0 ? status : EXIT_STATUS_FAILURE;
}
