#include "runtime/php/identity.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <php.h>
#include <ext/standard/info.h>
#include <zend_constants.h>

/* The label of phpinfo() whose value is fixed in the library. */
#define INFO_PATH   "Configuration File (php.ini) Path"
#define COLUMNS_MAX 8

static struct {
    const char *folder;
    int (*register_extensions)(void);
    void (*print_row)(int columns, ...); /* libphp's */
} self;

/* pcntl is built into the library, and not into PHP-FPM: a script that forks or takes the signals
 * of a worker takes the worker apart. It goes before it is started, so there are only functions to
 * undo, and the numbers of modules to close up: the next one gets their count. */
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

static int register_extensions(void)
{
    int result = self.register_extensions();
    zend_module_entry *pcntl = zend_hash_str_find_ptr(&module_registry, ZEND_STRL("pcntl"));

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

static void set_constant(const char *name, const char *value)
{
    zend_constant *constant = zend_hash_str_find_ptr(EG(zend_constants), name, strlen(name));

    if (constant)
        ZVAL_STR(&constant->value,
                 zend_new_interned_string(zend_string_init(value, strlen(value), true)));
}

void identity_set_constants(void)
{
    char scan_dir[PATH_MAX];

    if (!self.folder)
        return;
    snprintf(scan_dir, sizeof(scan_dir), "%s/conf.d", self.folder);
    set_constant("PHP_CONFIG_FILE_PATH", self.folder);
    set_constant("PHP_CONFIG_FILE_SCAN_DIR", scan_dir);
}

/* chroot() is there for command lines only. */
void identity_remove_functions(void)
{
    zend_disable_functions("chroot");
}

/* Stands in front of the library's function of that name: all rows of phpinfo() come by. */
__attribute__((visibility("default"))) void php_info_print_table_row(int columns, ...)
{
    const char *cells[COLUMNS_MAX] = {0};
    va_list args;

    if (!self.print_row)
        *(void **)&self.print_row = dlsym(RTLD_NEXT, "php_info_print_table_row");
    columns = MIN(columns, COLUMNS_MAX);
    va_start(args, columns);
    for (int i = 0; i < columns; i++)
        cells[i] = va_arg(args, const char *);
    va_end(args);
    if (columns == 2 && self.folder && strcmp(cells[0], INFO_PATH) == 0)
        cells[1] = self.folder;
    self.print_row(columns, cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6],
                   cells[7]);
}
