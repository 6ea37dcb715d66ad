#include "runtime/php/settings.h"

#include "runtime/php/messages.h"
#include "runtime/php/php.h"

#include <string.h>
#include <strings.h>
#include <syslog.h>

#include <ext/standard/php_string.h>
#include <php_ini.h>
#include <zend_ini_scanner.h>

PhpSettings php_settings;

static bool is_admin(IniKind kind)
{
    return kind == INI_ADMIN_VALUE || kind == INI_ADMIN_FLAG;
}

/* Lists that a later value lengthens: what is disabled stays so. Scripts see the last value only.
 */
static bool is_disable_list(const char *key)
{
    return strcmp(key, "disable_functions") == 0 || strcmp(key, "disable_classes") == 0;
}

/* They are orders to load something, not settings. */
static bool is_extension(const char *key)
{
    return strcmp(key, "extension") == 0 || strcmp(key, "zend_extension") == 0;
}

static const RuntimeSpec *pool;
static const char *unreadable; /* of the lists */

int settings_write(const RuntimeSpec *spec, Buffer *b)
{
    int r = 0;

    pool = spec;
    for (size_t i = 0; r == 0 && i < spec->n_ini; i++) {
        const char *key = spec->ini_keys[i], *text = spec->ini_texts[i];

        if (spec->ini_kinds[i] == INI_FLAG || spec->ini_kinds[i] == INI_ADMIN_FLAG)
            r = buffer_printf(b, "%s=\"%s\"\n", key, text);
        else if (!is_disable_list(key))
            r = buffer_printf(b, "%s=%s\n", key, text);
    }
    return r;
}

const char *settings_name_of_line(unsigned line)
{
    for (size_t i = 0; i < pool->n_ini && !unreadable; i++) {
        const char *key = pool->ini_keys[i];
        bool is_flag = pool->ini_kinds[i] == INI_FLAG || pool->ini_kinds[i] == INI_ADMIN_FLAG;

        if ((is_flag || !is_disable_list(key)) && --line == 0)
            return key;
    }
    return unreadable ? unreadable : "?";
}

/* The entry takes the text, after what it has when there is something before. */
static void set_text(zend_ini_entry *entry, const zend_string *before, const char *text)
{
    const char *head = before ? ZSTR_VAL(before) : "", *comma = *head ? "," : "";
    size_t n = strlen(head) + strlen(comma) + strlen(text);
    zend_string *value = zend_string_alloc(n, true);

    snprintf(ZSTR_VAL(value), n + 1, "%s%s%s", head, comma, text);
    entry->value = value;
}

typedef struct ListTarget {
    zend_ini_entry *entry;
    bool lengthen;
} ListTarget;

static void on_list(zval *key, zval *value, zval *index, int type, void *argument)
{
    ListTarget *target = argument;

    if (type == ZEND_INI_PARSER_ENTRY && value && Z_TYPE_P(value) == IS_STRING)
        set_text(target->entry, target->lengthen ? target->entry->value : NULL, Z_STRVAL_P(value));
}

/* The pool's lists of what is disabled, as PHP's ini syntax has them, become the settings' values;
 * or are added to what php.ini disables. */
static void set_disable_lists(bool lengthen)
{
    for (size_t i = 0; i < pool->n_ini; i++) {
        const char *key = pool->ini_keys[i];
        ListTarget target = {.lengthen = lengthen};
        _cleanup_buffer_ Buffer line = {0};

        if (is_disable_list(key))
            target.entry = zend_hash_str_find_ptr(EG(ini_directives), key, strlen(key));
        if (target.entry && buffer_printf(&line, "%s=%s\n", key, pool->ini_texts[i]) == 0 &&
            buffer_append(&line, "", 1) == 0 &&
            zend_parse_ini_string(line.data, true, ZEND_INI_SCANNER_NORMAL, on_list, &target) ==
                FAILURE)
            unreadable = key;
    }
}

static bool is_locked(const char *key)
{
    for (size_t i = 0; pool && i < pool->n_ini; i++)
        if (is_admin(pool->ini_kinds[i]) && strcmp(pool->ini_keys[i], key) == 0)
            return true;
    return false;
}

void settings_lock(const RuntimeSpec *spec)
{
    set_disable_lists(false);
    for (size_t i = 0; i < spec->n_ini; i++) {
        const char *key = spec->ini_keys[i];
        zend_ini_entry *entry = zend_hash_str_find_ptr(EG(ini_directives), key, strlen(key));

        if (!entry && !is_extension(key))
            messages_note(LOG_WARNING, "Ignoring %s[%s] of the pool: PHP has no such setting",
                          ini_kind_to_string(spec->ini_kinds[i]), key);
        if (entry && is_admin(spec->ini_kinds[i]))
            entry->modifiable = ZEND_INI_SYSTEM;
    }
}

/* ---- with the request ---- */

static void disable_classes(char *list)
{
    char *rest = NULL;

    for (char *name = strtok_r(list, " ,", &rest); name; name = strtok_r(NULL, " ,", &rest))
        zend_disable_class(name, strlen(name));
}

static void disable(const char *key, const char *list)
{
    _cleanup_free_ char *copy = strdup(list);

    if (!copy)
        return;
    if (strcmp(key, "disable_functions") == 0)
        zend_disable_functions(copy);
    else
        disable_classes(copy);
}

/* Settings that PHP does not undo: the cache's memory would stay read-only, and texts are kept by
 * pointers to what is freed with the request. */
static bool is_lasting(const char *key)
{
    static const char *const keys[] = {"opcache.protect_memory", "opcache.preload",
                                       "opcache.preload_user", "opcache.preferred_memory_model"};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

static void apply(zend_string *key, zend_string *value, bool admin)
{
    const char *name = ZSTR_VAL(key);
    bool disables = is_disable_list(name) && ZSTR_LEN(value) > 0;

    if (is_extension(name)) {
        messages_note(LOG_ERR,
                      "Passing INI directive through FastCGI: unable to set '%s': an extension "
                      "cannot be unloaded again, load it in the pool file",
                      name);
        return;
    }
    if (disables)
        disable(name, ZSTR_VAL(value));
    /* The worker ends with this request, so that the next one gets what it should have. */
    if (disables || is_lasting(name))
        php_request()->retire = true;
    /* The web server may set what scripts may not (upload_max_filesize), but not what the pool
     * locks. */
    if ((!admin && is_locked(name)) ||
        zend_alter_ini_entry(key, value, admin ? ZEND_INI_SYSTEM : ZEND_INI_ALL,
                             ZEND_INI_STAGE_ACTIVATE) == FAILURE)
        messages_note(LOG_ERR, "Passing INI directive through FastCGI: unable to set '%s'", name);
}

static void on_entry(zval *key, zval *value, zval *index, int type, void *admin)
{
    if (!key || Z_TYPE_P(key) != IS_STRING)
        return;
    if (type != ZEND_INI_PARSER_ENTRY)
        messages_note(LOG_ERR, "Passing INI directive through FastCGI: only classic entries are "
                               "allowed");
    else if (Z_STRLEN_P(key) == 0)
        messages_note(LOG_ERR, "Passing INI directive through FastCGI: empty key");
    else if (!value || Z_TYPE_P(value) != IS_STRING)
        messages_note(LOG_ERR, "Passing INI directive through FastCGI: empty value for key '%s'",
                      Z_STRVAL_P(key));
    else
        apply(Z_STR_P(key), Z_STR_P(value), *(bool *)admin);
}

/* The line end is for a key without a value, which is nothing without it. What is wrong with the
 * text goes to stderr: a warning would be in the script's error_get_last(). */
static void apply_parameter(const char *name, bool admin)
{
    const char *text = request_param(php_request()->request, name);
    char *lines;

    if (!text || !*text)
        return;
    spprintf(&lines, 0, "%s\n", text);
    zend_parse_ini_string(lines, true, ZEND_INI_SCANNER_NORMAL, on_entry, &admin);
    efree(lines);
}

/* Whether the request brings settings that this pool does not take. */
static bool are_refused(void)
{
    const Request *request = php_request()->request;
    const char *value = request_param(request, "PHP_VALUE");
    const char *admin = request_param(request, "PHP_ADMIN_VALUE");

    if (php_request()->spec->allow_php_value || !((value && *value) || (admin && *admin)))
        return false;
    messages_note(LOG_WARNING, "Ignoring PHP_VALUE and PHP_ADMIN_VALUE of the web server (see "
                               "security.allow_php_value)");
    return true;
}

void settings_apply_request(void)
{
    if (are_refused())
        return;
    apply_parameter("PHP_VALUE", false);
    apply_parameter("PHP_ADMIN_VALUE", true);
}

/* ---- folders and hosts ---- */

/* What the .user.ini files on the way to one folder say, for user_ini.cache_ttl seconds. */
typedef struct FolderSettings {
    double expires; /* Unix time */
    HashTable *values;
} FolderSettings;

static HashTable *folders; /* path → FolderSettings, as long as the process */

static HashTable *new_table(void)
{
    HashTable *table = pemalloc(sizeof(HashTable), 1);

    zend_hash_init(table, 8, NULL, config_zval_dtor, 1);
    return table;
}

/* Reads the files of the folder (path ends in '/') and, inside the document root, of those above
 * it. */
static void read_user_ini(char *path, size_t n_path, const char *root, size_t n_root,
                          HashTable *values)
{
    bool inside = n_root < n_path && strncmp(path, root, n_root) == 0 && path[n_root] == '/';
    char *slash = inside ? path + n_root : path + n_path - 1;

    for (; slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        php_parse_user_ini_file(*path ? path : "/", PG(user_ini_filename), values);
        *slash = '/';
    }
}

/* path: of the script, its folder is the first n_path bytes. */
static void activate_user_ini(const char *path, size_t n_path)
{
    const char *root = php_request()->script.values[SCRIPT_DOCUMENT_ROOT];
    size_t n_root;
    FolderSettings *folder;

    if (!root)
        return;
    n_root = strlen(root);
    if (n_root > 0 && root[n_root - 1] == '/')
        n_root--;
    if (!folders) {
        folders = pemalloc(sizeof(HashTable), 1);
        zend_hash_init(folders, 8, NULL, NULL, 1);
    }
    folder = zend_hash_str_find_ptr(folders, path, n_path);
    if (!folder) {
        FolderSettings fresh = {.values = new_table()};

        folder = zend_hash_str_update_mem(folders, path, n_path, &fresh, sizeof(fresh));
    }
    if (sapi_get_request_time() > folder->expires) {
        char *copy = estrndup(path, n_path);

        zend_hash_clean(folder->values);
        read_user_ini(copy, n_path, root, n_root, folder->values);
        efree(copy);
        folder->expires = sapi_get_request_time() + (double)PG(user_ini_cache_ttl);
    }
    if (zend_hash_num_elements(folder->values) > 0)
        php_ini_activate_config(folder->values, PHP_INI_PERDIR, PHP_INI_STAGE_HTACCESS);
}

static void activate_host(void)
{
    const char *name = request_param(php_request()->request, "SERVER_NAME");
    char *host;

    if (!name)
        return;
    host = estrdup(name);
    zend_str_tolower(host, strlen(host));
    php_ini_activate_per_host_config(host, strlen(host));
    efree(host);
}

int settings_activate(void)
{
    bool user_ini = PG(user_ini_filename) && *PG(user_ini_filename);
    const char *script = SG(request_info).path_translated, *slash;
    size_t n;

    if (!script || !php_request())
        return SUCCESS;
    if (php_ini_has_per_host_config())
        activate_host();
    slash = strrchr(script, '/');
    if (!slash)
        return SUCCESS;
    n = (size_t)(slash - script) + 1;
    if (php_ini_has_per_dir_config()) {
        char *path = estrndup(script, n);

        php_ini_activate_per_dir_config(path, n);
        efree(path);
    }
    if (user_ini)
        activate_user_ini(script, n);
    return SUCCESS;
}

/* ---- our own ---- */

#define TEXT(name, value, scope, field)                                                            \
    STD_PHP_INI_ENTRY(name, value, scope, OnUpdateString, field, PhpSettings, php_settings)
#define FLAG(name, value, scope, field)                                                            \
    STD_PHP_INI_BOOLEAN(name, value, scope, OnUpdateBool, field, PhpSettings, php_settings)

PHP_INI_BEGIN()
FLAG("cgi.rfc2616_headers", "0", PHP_INI_ALL, rfc2616_headers)
FLAG("cgi.nph", "0", PHP_INI_ALL, nph)
FLAG("cgi.force_redirect", "1", PHP_INI_SYSTEM, force_redirect)
TEXT("cgi.redirect_status_env", NULL, PHP_INI_SYSTEM, redirect_status_env)
FLAG("cgi.fix_pathinfo", "1", PHP_INI_SYSTEM, fix_pathinfo)
FLAG("cgi.discard_path", "0", PHP_INI_SYSTEM, discard_path)
FLAG("fastcgi.logging", "1", PHP_INI_SYSTEM, logging)
TEXT("fastcgi.error_header", NULL, PHP_INI_SYSTEM, error_header)
TEXT("fpm.config", NULL, PHP_INI_SYSTEM, fpm_config)
PHP_INI_END()

void settings_register(int type, int module_number)
{
    REGISTER_INI_ENTRIES();
    /* PHP disables what the settings say when all modules have been started. */
    set_disable_lists(true);
}
