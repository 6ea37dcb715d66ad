#include "runtime/php/folder.h"

#include "base/clock.h"
#include "base/fd.h"
#include "runtime/php/messages.h"
#include "runtime/php/php.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <ext/standard/basic_functions.h>
#include <zend_virtual_cwd.h>

static struct {
    int home_fd;
    char path[PATH_MAX]; /* as a script named it; empty: at home, or it is not known where */
    bool away;           /* or perhaps */
    uint64_t entered_usec;
    bool never_stays;
    zif_handler chdir; /* PHP's */
} self = {.home_fd = -1};

static void on_chdir(INTERNAL_FUNCTION_PARAMETERS)
{
    self.path[0] = 0;
    self.chdir(INTERNAL_FUNCTION_PARAM_PASSTHRU);
}

/* Each part of a list, as of open_basedir. */
static bool is_relative(const char *paths)
{
    for (const char *p = paths; p && *p; p = strchr(p, ':')) {
        p += *p == ':';
        if (*p && *p != '/')
            return true;
    }
    return false;
}

/* What the administrator's settings name by relative paths is looked for before a script runs, too,
 * and begins where the worker then is. So does a session that begins before the script. Functions
 * of preloaded scripts are there without being seen below. */
static bool needs_home(void)
{
    static const char *const names[] = {"error_log",    "opcache.error_log", "upload_tmp_dir",
                                        "sys_temp_dir", "open_basedir",      "doc_root",
                                        "user_dir"};
    const char *preload = zend_ini_string(ZEND_STRL("opcache.preload"), false);

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *value = zend_ini_string(names[i], strlen(names[i]), false);

        if (value && strcmp(value, "syslog") != 0 && is_relative(value))
            return true;
    }
    return zend_ini_long(ZEND_STRL("session.auto_start"), false) || (preload && *preload);
}

void folder_init(void)
{
    zend_function *function = zend_hash_str_find_ptr(CG(function_table), ZEND_STRL("chdir"));

    if (function && function->type == ZEND_INTERNAL_FUNCTION) {
        self.chdir = function->internal_function.handler;
        function->internal_function.handler = on_chdir;
    }
    self.never_stays = needs_home();
}

int folder_worker_start(void)
{
    self.home_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return self.home_fd < 0 ? -errno : 0;
}

void folder_go_home(void)
{
    self.path[0] = 0;
    if (!self.away)
        return;
    if (fchdir(self.home_fd) < 0)
        messages_note(LOG_WARNING, "Cannot leave the script's directory: %s", strerror(errno));
    else
        self.away = false;
}

void folder_settle(const char *script)
{
    if (EG(modified_ini_directives) || (script && *script != '/'))
        folder_go_home();
}

/* realpath_cache_lookup(): a path that PHP has resolved, and still knows. */
static bool is_there(const char *script, size_t n, uint64_t now_usec)
{
    return strncmp(self.path, script, n) == 0 && !self.path[n] &&
           now_usec - self.entered_usec < FOLDER_TRUST_USEC &&
           realpath_cache_lookup(script, strlen(script), time(NULL));
}

/* One chdir there and one fchdir back instead of php_execute_script()'s getcwd and two chdir. */
void folder_enter(const char *script)
{
    const char *slash = strrchr(script, '/');
    size_t n = slash == script ? 1 : slash ? (size_t)(slash - script) : 0;
    uint64_t now_usec = clock_monotonic_usec();

    if (n > 0 && is_there(script, n, now_usec))
        return;
    if (n > 0 && n < sizeof(self.path)) {
        memcpy(self.path, script, n);
        self.path[n] = 0;
        if (chdir(self.path) == 0) {
            self.away = true;
            self.entered_usec = now_usec;
            return;
        }
        messages_note(LOG_DEBUG, "Cannot change to the script's directory %s, ignoring: %s",
                      self.path, strerror(errno));
    }
    folder_go_home();
    self.away = true; /* it may go elsewhere by itself */
}

static bool has_output_handler(void)
{
    /* PHP's own buffer (output_buffering) calls nobody. */
    for (int i = 0; i < zend_stack_count(&OG(handlers)); i++) {
        php_output_handler *const *handler =
            (php_output_handler *const *)zend_stack_base(&OG(handlers)) + i;

        if ((*handler)->flags & PHP_OUTPUT_HANDLER_USER)
            return true;
    }
    return false;
}

/* Without functions, classes and objects of its own a script leaves nothing that could run, but for
 * functions of PHP that it has named to be called; settings of its own may name files. */
static bool is_over(void)
{
    return EG(function_table)->nNumUsed == EG(persistent_functions_count) &&
           EG(class_table)->nNumUsed == EG(persistent_classes_count) &&
           EG(objects_store).top <= 1 && !EG(modified_ini_directives) &&
           !BG(user_shutdown_function_names) && Z_TYPE(EG(user_error_handler)) == IS_UNDEF &&
           Z_TYPE(EG(user_exception_handler)) == IS_UNDEF &&
           Z_TYPE(SG(callback_func)) == IS_UNDEF && !has_output_handler();
}

void folder_leave(void)
{
    if (self.never_stays || !self.path[0] || !is_over())
        folder_go_home();
}
