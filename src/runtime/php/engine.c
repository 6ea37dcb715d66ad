#include "runtime/php/engine.h"

#include "base/exit_status.h"
#include "base/fd.h"
#include "log/log.h"
#include "runtime/php/cache.h"
#include "runtime/php/crash.h"
#include "runtime/php/folder.h"
#include "runtime/php/heap.h"
#include "runtime/php/identity.h"
#include "runtime/php/messages.h"
#include "runtime/php/peek.h"
#include "runtime/php/php.h"
#include "runtime/php/renew.h"
#include "runtime/php/settings.h"
#include "runtime/php/stop.h"
#include "runtime/php/tell.h"
#include "runtime/php/timeout.h"
#include "runtime/php/writers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ext/random/php_random.h>
#include <php_main.h>
#include <zend_signal.h>

#define SCAN_DIR "PHP_INI_SCAN_DIR"
/* PHP takes it instead of php.ini, where it is there: php-SAPI.ini. */
#define SAPI_INI "php-fpm-fcgi.ini"

static const RuntimeSpec *spec;
static sigjmp_buf start_failed;
static bool starting;

/* Where Debian keeps the settings of those of its PHPs that serve: PHP-FPM's before others, since
 * an administrator who comes from there knows them. Those of the command line come last, by PHP's
 * own choice: there a script has no limit of memory. */
#define FOLDER "/etc/php/" FPMD_PHP_VERSION
static const char *const folders[] = {FOLDER "/fpm", FOLDER "/apache2", FOLDER "/cgi",
                                      FOLDER "/embed"};

static int fail(char **ret_reason, int error, const char *format, ...) _printf_(3, 4);

static int fail(char **ret_reason, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vasprintf(ret_reason, format, args) < 0)
        *ret_reason = NULL;
    va_end(args);
    return error;
}

/* One that we may not look for is there, too. */
static bool is_there(const char *folder, const char *name, char *ret_path)
{
    return snprintf(ret_path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX &&
           (access(ret_path, F_OK) == 0 || errno == EACCES);
}

/* The folder with the php.ini to use; without any, PHP-FPM's if it is there, or NULL. */
static const char *find_folder(void)
{
    char path[PATH_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        if (is_there(folders[i], SAPI_INI, path) || is_there(folders[i], "php.ini", path))
            return folders[i];
    return access(folders[0], X_OK) == 0 ? folders[0] : NULL;
}

/* What may not be read is no reason to take another: it is what has the settings. */
static int check_folder(const char *folder, const char *name, int mode, char **ret_reason)
{
    char path[PATH_MAX];

    if (is_there(folder, name, path) && access(path, mode) < 0)
        return fail(ret_reason, -errno, "%s: %s", path, strerror(errno));
    return 0;
}

static int choose_ini(char **ret_reason)
{
    static char folder_scan_dir[PATH_MAX];
    const char *folder = find_folder(), *scan_dir = spec->php_ini_scan_dir;
    const char *ini = spec->php_ini;
    int r = 0;

    if (ini && access(ini, R_OK) < 0)
        return fail(ret_reason, -errno, "php_ini = %s: %s", ini, strerror(errno));
    if (scan_dir && *scan_dir && access(scan_dir, R_OK | X_OK) < 0)
        return fail(ret_reason, -errno, "php_ini_scan_dir = %s: %s", scan_dir, strerror(errno));
    /* PHP looks in the folder, as the PHP whose it is: nothing of another one's, even where it has
     * neither php.ini nor conf.d. */
    if (!ini && folder) {
        r = check_folder(folder, SAPI_INI, R_OK, ret_reason);
        if (r == 0)
            r = check_folder(folder, "php.ini", R_OK, ret_reason);
        ini = folder;
    }
    if (r == 0 && !scan_dir && !getenv(SCAN_DIR) && folder) {
        r = check_folder(folder, "conf.d", R_OK | X_OK, ret_reason);
        snprintf(folder_scan_dir, sizeof(folder_scan_dir), "%s/conf.d", folder);
        scan_dir = folder_scan_dir;
    }
    if (r < 0)
        return r;
    identity_init(folder);
    php_sapi.php_ini_path_override = (char *)(uintptr_t)ini;
    if (scan_dir && setenv(SCAN_DIR, scan_dir, true) < 0)
        return -errno;
    return 0;
}

/* PHP ends the process when it cannot start: OPcache with exit(3) for want of memory, a core error
 * of an extension likewise. The reason has to reach the manager first, so start() gets control
 * back; the process ends soon all the same. */
static void on_fatal_start(void)
{
    if (starting) {
        starting = false;
        siglongjmp(start_failed, 1);
    }
}

static int start_php(char *settings)
{
    static bool watched;

    if (!watched && atexit(on_fatal_start) != 0)
        return -ENOMEM;
    watched = true;
    messages_on_fatal_start(on_fatal_start);
    if (sigsetjmp(start_failed, 0) != 0)
        return -EIO;
    starting = true;
    zend_signal_startup();
    /* Handlers are not set anew for each request: seven system calls less, and nothing here
     * replaces them. */
    SIGG(reset) = 0;
    sapi_startup(&php_sapi);
    php_sapi.ini_entries = settings; /* sapi_startup() forgets them */
    if (php_sapi.startup(&php_sapi) == FAILURE) {
        starting = false;
        return -EIO;
    }
    starting = false;
    return 0;
}

static void restore_environment(char *scan_dir)
{
    if (scan_dir)
        setenv(SCAN_DIR, scan_dir, true);
    else
        unsetenv(SCAN_DIR);
}

/* PHP goes on with half of the settings where an ini text cannot be read to its end: which half
 * is left to chance, and restrictions may be in the other. */
static int check_syntax(char **ret_reason)
{
    static const char nowhere[] = " in Unknown on line ";
    const char *error = messages_syntax_error(), *place = strstr(error, nowhere);

    if (!*error)
        return 0;
    if (!place)
        return fail(ret_reason, -EINVAL, "PHP cannot start: %s", error);
    return fail(ret_reason, -EINVAL, "PHP cannot start: the pool's setting [%s]: %.*s",
                settings_name_of_line((unsigned)strtoul(place + strlen(nowhere), NULL, 10)),
                (int)(place - error), error);
}

static int start_watched(char *settings, char **ret_reason)
{
    int r = messages_capture();

    if (r == 0)
        r = crash_template_start(spec);
    if (r == 0) {
        messages_init(spec);
        r = start_php(settings);
    }
    crash_template_started();
    messages_release(r < 0);
    if (r < 0)
        return fail(ret_reason, r, "PHP cannot start: %s",
                    *messages_reason() ? messages_reason() : strerror(-r));
    return check_syntax(ret_reason);
}

static int engine_start(const RuntimeSpec *pool, EngineReport *ret)
{
    const char *scan_dir = getenv(SCAN_DIR), *unloaded;
    _cleanup_free_ char *saved = scan_dir ? strdup(scan_dir) : NULL;
    _cleanup_buffer_ Buffer settings = {0};
    char *text;
    int r;

    spec = pool;
    r = choose_ini(&ret->reason);
    if (r < 0)
        return r;
    r = settings_write(spec, &settings);
    if (r < 0)
        return r;
    text = buffer_steal(&settings); /* PHP's as long as the process lives */
    if (!text)
        return -ENOMEM;
    r = start_watched(text, &ret->reason);
    restore_environment(saved);
    if (r < 0)
        return r;
    SIGG(reset) = 0;
    SG(options) |= SAPI_OPTION_NO_CHDIR;
    variables_init();
    settings_lock(spec);
    renew_init();
    folder_init();
    r = writers_init();
    if (r < 0)
        return r;
    if (spec->opcache_private) {
        const char *why = NULL;

        r = cache_make_private(&why);
        if (r < 0)
            return fail(&ret->reason, r, "%s", why);
    }
    r = cache_watch_lock();
    if (r < 0)
        log_debug("OPcache's lock stays the kernel's: %s", strerror(-r));
    ret->version = identity_version();
    ret->n_missing = messages_count_unloaded(&unloaded);
    if (ret->n_missing > 0)
        ret->reason = strdup(unloaded);
    return 0;
}

static int engine_worker_part(const RuntimeSpec *pool)
{
    return cache_worker_start();
}

static int engine_worker_start(const RuntimeSpec *pool, BoardSlot *slot)
{
    int r;

    /* Random numbers that something drew at start-up must not be the same in all workers. */
    RANDOM_G(combined_lcg_seeded) = false;
    RANDOM_G(mt19937_seeded) = false;
    timeout_worker_start();
    r = crash_worker_start(slot);
    if (r == 0)
        r = stop_worker_start(pool, slot);
    return r < 0 ? r : folder_worker_start();
}

static int engine_run(Request *request)
{
    return php_request_run(spec, request);
}

static void engine_rest(void)
{
    folder_go_home();
    heap_release();
}

static void engine_worker_stop(void)
{
    php_module_shutdown();
    sapi_shutdown();
}

static int engine_tell(const RuntimeSpec *pool, EngineTopic topic)
{
    EngineReport report = {0};
    int r = engine_start(pool, &report);

    if (r < 0) {
        fprintf(stderr, "%s\n", report.reason ? report.reason : strerror(-r));
        return EXIT_STATUS_RUNTIME;
    }
    return tell(topic);
}

static const char *const paths[] = {
    PHP_EXTENSION_DIR,
    PHP_DATADIR,
    PEAR_INSTALLDIR,
    FOLDER "/fpm/php.ini",
    FOLDER "/fpm/php-fpm-fcgi.ini",
    FOLDER "/fpm/conf.d",
    FOLDER "/apache2",
    FOLDER "/cgi",
    FOLDER "/embed",
    PHP_CONFIG_FILE_PATH,
    PHP_CONFIG_FILE_SCAN_DIR,
    NULL,
};

const Engine php_engine = {
    .name = "php",
    .paths = paths,
    .start = engine_start,
    .worker_part = engine_worker_part,
    .worker_start = engine_worker_start,
    .run = engine_run,
    .rest = engine_rest,
    .worker_stop = engine_worker_stop,
    .tell = engine_tell,
    .trace_flag = peek_flag,
    .trace_peek = peek,
};
