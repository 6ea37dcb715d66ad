#include "runtime/php/identity.h"

#include "runtime/php/messages.h"
#include "runtime/php/php.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include <php.h>
#include <ext/standard/info.h>
#include <zend_constants.h>

/* The label of phpinfo() whose value is fixed in PHP's code. */
#define INFO_PATH "Configuration File (php.ini) Path"

static struct {
    const char *folder;
    int (*register_extensions)(void);
    zif_handler phpinfo;
    char built_for[PATH_MAX]; /* what PHP takes for the folder */
} self;

/* pcntl is built into PHP's programs, and not into PHP-FPM: a script that forks or takes the
 * signals of a worker takes the worker apart. It goes before it is started, so there are only
 * functions to undo, and the numbers of modules to close up: the next one gets their count. */
static void remove_module(zend_module_entry *module)
{
    int number = module->module_number;
    zend_module_entry *other;

    zend_unregister_functions(module->functions, -1, NULL);
    zend_hash_str_del(&module_registry, module->name, strlen(module->name));
    ZEND_HASH_MAP_FOREACH_PTR(&module_registry, other)
    {
        if (other->module_number > number)
            other->module_number--;
    }
    ZEND_HASH_FOREACH_END();
}

static zend_constant *find_constant(const char *name)
{
    return zend_hash_str_find_ptr(EG(zend_constants), name, strlen(name));
}

/* The version of the PHP that runs, which may be newer than that of its headers. */
static const char *php_version(void)
{
    const zend_constant *version = find_constant("PHP_VERSION");

    return version ? Z_STRVAL(version->value) : PHP_VERSION;
}

/* As PHP asks of its extensions: the structures are those of its headers. */
static bool is_of_our_kind(void)
{
    const zend_module_entry *m = zend_hash_str_find_ptr(&module_registry, ZEND_STRL("standard"));
    char text[160];

    if (!m ||
        (m->zend_api == ZEND_MODULE_API_NO && m->zend_debug == ZEND_DEBUG && m->zts == USING_ZTS))
        return true;
    snprintf(text, sizeof(text),
             "this runtime is built for PHP " PHP_VERSION " (API %d) and cannot be part of PHP %s "
             "(API %u%s)",
             ZEND_MODULE_API_NO, php_version(), m->zend_api, m->zend_debug ? ", debug" : "");
    messages_log(text, LOG_CRIT);
    return false;
}

static int register_extensions(void)
{
    int result = self.register_extensions();
    zend_module_entry *pcntl = zend_hash_str_find_ptr(&module_registry, ZEND_STRL("pcntl"));

    if (result == SUCCESS && !is_of_our_kind())
        return FAILURE;
    php_sapi_module.version = php_version();
    if (pcntl)
        remove_module(pcntl);
    return result;
}

void identity_init(const char *folder)
{
    self.folder = folder;
    if (self.register_extensions)
        return;
    self.register_extensions = php_register_internal_extensions_func;
    php_register_internal_extensions_func = register_extensions;
}

const char *identity_version(void)
{
    static char version[64];

    snprintf(version, sizeof(version), "PHP %s", php_version());
    return version;
}

static void set_constant(const char *name, const char *value)
{
    zend_constant *constant = find_constant(name);

    if (constant)
        ZVAL_STR(&constant->value,
                 zend_new_interned_string(zend_string_init(value, strlen(value), true)));
}

void identity_set_constants(void)
{
    zend_constant *path = find_constant("PHP_CONFIG_FILE_PATH");
    char scan_dir[PATH_MAX];

    if (!self.folder)
        return;
    if (path)
        snprintf(self.built_for, sizeof(self.built_for), "%s", Z_STRVAL(path->value));
    snprintf(scan_dir, sizeof(scan_dir), "%s/conf.d", self.folder);
    set_constant("PHP_CONFIG_FILE_PATH", self.folder);
    set_constant("PHP_CONFIG_FILE_SCAN_DIR", scan_dir);
}

/* ---- phpinfo() ---- */

/* The part of a page that names the folder PHP was built for, or NULL. */
static char *find_path(const char *page)
{
    const char *label = strstr(page, INFO_PATH), *end = label ? strchr(label, '\n') : NULL;
    char *path = label && *self.built_for ? strstr(label, self.built_for) : NULL;

    return path && (!end || path < end) ? path : NULL;
}

/* Output that was caught goes on its way, with the right folder. */
static void print_page(const char *page, size_t n)
{
    const char *path = find_path(page), *rest;

    if (!path || !self.folder) {
        PHPWRITE(page, n);
        return;
    }
    rest = path + strlen(self.built_for);
    PHPWRITE(page, (size_t)(path - page));
    PHPWRITE(self.folder, strlen(self.folder));
    PHPWRITE(rest, n - (size_t)(rest - page));
}

static bool catch_output(void)
{
    return php_output_start_default() == SUCCESS;
}

static void release_output(void)
{
    zval page;

    if (php_output_get_contents(&page) == FAILURE)
        return;
    php_output_discard();
    print_page(Z_STRVAL(page), Z_STRLEN(page));
    zval_ptr_dtor(&page);
}

static ZEND_FUNCTION(corrected_phpinfo)
{
    bool caught = catch_output();

    self.phpinfo(INTERNAL_FUNCTION_PARAM_PASSTHRU);
    if (caught)
        release_output();
}

void identity_print_info(void)
{
    bool caught = catch_output();

    php_print_info(PHP_INFO_ALL);
    if (caught)
        release_output();
}

/* ---- functions ---- */

static void correct_phpinfo(void)
{
    zend_function *function = zend_hash_str_find_ptr(CG(function_table), ZEND_STRL("phpinfo"));

    if (!function)
        return;
    self.phpinfo = function->internal_function.handler;
    function->internal_function.handler = zif_corrected_phpinfo;
}

/* chroot() is there for command lines only. */
void identity_set_functions(void)
{
    zend_disable_functions("chroot");
    correct_phpinfo();
}
