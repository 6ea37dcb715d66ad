#include "runtime/php/renew.h"

#include "base/clock.h"
#include "runtime/ask.h"
#include "runtime/php/cache.h"
#include "runtime/php/php.h"

#include <string.h>

#include <zend_modules.h>

/* One look costs some microseconds. */
#define LOOK_USEC  USEC_PER_SEC
#define LOOK_BYTES (2 * 1024 * 1024) /* more than one chunk of PHP's memory cannot be needed */
/* A new generation takes its time, and may be refused: then the wish is told again. */
#define TELL_USEC (10 * USEC_PER_SEC)

static struct {
    zif_handler reset;           /* OPcache's opcache_reset() */
    zend_internal_function look; /* its opcache_get_status(); no handler: there is no OPcache */
    uint64_t looked_usec;
    uint64_t told_usec;
} self;

static void tell(void)
{
    uint64_t now_usec = clock_monotonic_usec();

    if (self.told_usec > 0 && now_usec - self.told_usec < TELL_USEC)
        return;
    if (ask_renew() == 0)
        self.told_usec = now_usec;
}

static void reset(INTERNAL_FUNCTION_PARAMETERS)
{
    self.reset(INTERNAL_FUNCTION_PARAM_PASSTHRU);
    if (Z_TYPE_P(return_value) == IS_TRUE)
        tell();
}

/* Of the module, not of the table of functions: disable_functions takes them from there. */
static zif_handler find(const char *name)
{
    const zend_module_entry *module =
        zend_hash_str_find_ptr(&module_registry, ZEND_STRL("zend opcache"));

    for (const zend_function_entry *f = module ? module->functions : NULL; f && f->fname; f++)
        if (strcmp(f->fname, name) == 0)
            return f->handler;
    return NULL;
}

void renew_init(void)
{
    zend_function *function =
        zend_hash_str_find_ptr(CG(function_table), ZEND_STRL("opcache_reset"));

    self.reset = find("opcache_reset");
    if (self.reset && function && function->type == ZEND_INTERNAL_FUNCTION &&
        function->internal_function.handler == self.reset)
        function->internal_function.handler = reset;
    self.look = (zend_internal_function){
        .type = ZEND_INTERNAL_FUNCTION,
        .function_name = zend_string_init_interned(ZEND_STRL("opcache_get_status"), true),
        .handler = find("opcache_get_status"),
    };
}

/* A figure of the answer or of one of its parts (NULL: of the answer itself). */
static uint64_t figure(const zval *status, const char *part, const char *name)
{
    const zval *array = part ? zend_hash_str_find(Z_ARRVAL_P(status), part, strlen(part)) : status;
    const zval *value = array && Z_TYPE_P(array) == IS_ARRAY
                            ? zend_hash_str_find(Z_ARRVAL_P(array), name, strlen(name))
                            : NULL;

    return value && Z_TYPE_P(value) == IS_LONG && Z_LVAL_P(value) > 0 ? (uint64_t)Z_LVAL_P(value)
                                                                      : 0;
}

/* For the scoreboard. */
static void note_figures(const zval *status, uint64_t now_usec)
{
    static const char memory[] = "memory_usage", strings[] = "interned_strings_usage",
                      use[] = "opcache_statistics";

    request_note_opcache(php_request()->request,
                         &(BoardOpcache){
                             .seen_usec = now_usec,
                             .used_bytes = figure(status, memory, "used_memory"),
                             .free_bytes = figure(status, memory, "free_memory"),
                             .wasted_bytes = figure(status, memory, "wasted_memory"),
                             .strings_used_bytes = figure(status, strings, "used_memory"),
                             .strings_free_bytes = figure(status, strings, "free_memory"),
                             .scripts = figure(status, use, "num_cached_scripts"),
                             .keys = figure(status, use, "num_cached_keys"),
                             .keys_max = figure(status, use, "max_cached_keys"),
                             .hits = figure(status, use, "hits"),
                             .misses = figure(status, use, "misses"),
                             .restarts = figure(status, use, "oom_restarts") +
                                         figure(status, use, "hash_restarts") +
                                         figure(status, use, "manual_restarts"),
                         });
}

static bool is_pending(uint64_t now_usec)
{
    zval scripts, status;
    const zval *pending;
    bool result;

    ZVAL_FALSE(&scripts);
    ZVAL_UNDEF(&status);
    zend_call_known_function((zend_function *)&self.look, NULL, NULL, &status, 1, &scripts, NULL);
    pending = Z_TYPE(status) == IS_ARRAY
                  ? zend_hash_str_find(Z_ARRVAL(status), ZEND_STRL("restart_pending"))
                  : NULL;
    result = pending && Z_TYPE_P(pending) == IS_TRUE;
    if (Z_TYPE(status) == IS_ARRAY)
        note_figures(&status, now_usec);
    zval_ptr_dtor(&status);
    return result;
}

/* The answer must not be what makes a script meet its limit. */
static bool has_memory(void)
{
    return PG(memory_limit) < 0 || zend_memory_usage(true) + LOOK_BYTES < (size_t)PG(memory_limit);
}

void renew_look(void)
{
    uint64_t now_usec = clock_monotonic_usec();
    char *script = SG(request_info).path_translated;
    const char *allowed;
    volatile bool pending = false;

    if (!self.look.handler || now_usec - self.looked_usec < LOOK_USEC || EG(exception) ||
        CG(unclean_shutdown) || !has_memory())
        return;
    self.looked_usec = now_usec;
    /* Scripts elsewhere may not ask; this is no script. */
    allowed = zend_ini_string(ZEND_STRL("opcache.restrict_api"), false);
    if (allowed && *allowed)
        SG(request_info).path_translated = (char *)(uintptr_t)allowed;
    zend_try
    {
        pending = is_pending(now_usec);
    }
    zend_end_try();
    SG(request_info).path_translated = script;
    /* Where nobody else uses the cache, OPcache begins anew with the next request. */
    if (pending && !cache_is_private())
        tell();
}
