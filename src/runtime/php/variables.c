#include "runtime/php/php.h"

#include "fcgi/wire.h"

#include <php_variables.h>
#include <string.h>

#define KIND_NONE (-1)

static void (*import_environment)(zval *array);

/* Which of the script's variables a parameter is, or -1. Their names all have an S, P, R, D or O in
 * front. */
static int script_variable(const char *name)
{
    if (!strchr("SPRDO", name[0]))
        return -1;
    for (int i = 0; i < _SCRIPT_VARIABLE_MAX; i++)
        if (strcmp(name, script_variable_to_string((ScriptVariable)i)) == 0)
            return i;
    return -1;
}

const char *variables_get(const PhpRequest *r, const char *name)
{
    int v = script_variable(name);
    const char *value;

    if (v >= 0)
        return r->script.values[v];
    value = request_param(r->request, name);
    if (!value && strcmp(name, "FCGI_ROLE") == 0)
        return fcgi_role_to_string(request_role(r->request));
    return value;
}

/* Names that PHP takes as they are: no array brackets, nothing that it turns into '_', no number.
 */
static bool is_plain(const char *name, size_t n)
{
    return n > 0 && (name[0] < '0' || name[0] > '9') && name[0] != '-' && !strpbrk(name, " .[");
}

/* What the input filter has to do with an array: it puts filtered values into $_SERVER and $_ENV
 * itself, and knows no other. */
static int filter_kind(const zval *array)
{
    if (Z_ARR_P(array) == Z_ARR(PG(http_globals)[TRACK_VARS_ENV]))
        return PARSE_ENV;
    return Z_ARR_P(array) == Z_ARR(PG(http_globals)[TRACK_VARS_SERVER]) ? PARSE_SERVER : KIND_NONE;
}

static void register_variable(zval *array, int kind, const char *name, const char *value)
{
    size_t n_name = strlen(name), n_value = strlen(value);
    char *filtered = (char *)(uintptr_t)value; /* the filter replaces the pointer, not the text */
    zval text;

    if (kind != KIND_NONE && !sapi_module.input_filter(kind, name, &filtered, n_value, &n_value))
        return;
    if (!is_plain(name, n_name)) {
        php_register_variable_safe(name, filtered, n_value, array);
        return;
    }
    ZVAL_STRINGL_FAST(&text, filtered, n_value);
    zend_hash_str_update(Z_ARRVAL_P(array), name, n_name, &text);
}

static const char *parameter(const PhpRequest *r, size_t i)
{
    const FcgiParams *params = request_params(r->request);
    int v = r->script.changed ? script_variable(fcgi_param_name(params, i)) : -1;

    if (v >= 0 && r->script.changed & 1u << v)
        return r->script.values[v];
    return fcgi_param_value(params, i);
}

/* What the rules of scripts add, the last one first. */
static void import_added(const PhpRequest *r, zval *array, int kind)
{
    const Script *script = &r->script;
    unsigned left = script->changed;

    for (size_t i = 0; left && i < request_params(r->request)->n; i++) {
        int v = script_variable(fcgi_param_name(request_params(r->request), i));

        if (v >= 0)
            left &= ~(1u << v);
    }
    for (size_t i = script->n_order; left && i-- > 0;) {
        ScriptVariable v = script->order[i];

        if (left & 1u << v && script->values[v])
            register_variable(array, kind, script_variable_to_string(v), script->values[v]);
    }
}

/* From the last parameter to the first, as under PHP-FPM. Of one that was sent twice the last value
 * counts; only when names met does a second round see to that. */
static void import_sent(const PhpRequest *r, zval *array, int kind)
{
    const FcgiParams *params = request_params(r->request);
    size_t due = zend_hash_num_elements(Z_ARRVAL_P(array)) + params->n;
    const char *value;

    for (size_t i = params->n; i-- > 0;)
        if ((value = parameter(r, i)))
            register_variable(array, kind, fcgi_param_name(params, i), value);
        else
            due--;
    if (zend_hash_num_elements(Z_ARRVAL_P(array)) == due)
        return;
    for (size_t i = 0; i < params->n; i++) {
        const char *name = fcgi_param_name(params, i);

        if (is_plain(name, strlen(name)) && (value = parameter(r, i)))
            register_variable(array, kind, name, value);
    }
}

static void import_parameters(const PhpRequest *r, zval *array)
{
    const char *role = fcgi_role_to_string(request_role(r->request));
    int kind = filter_kind(array);

    import_added(r, array, kind);
    import_sent(r, array, kind);
    if (role && !request_param(r->request, "FCGI_ROLE"))
        register_variable(array, kind, "FCGI_ROLE", role);
}

/* PHP calls this for $_SERVER and $_ENV; the one that is there already is copied. */
static void import_variables(zval *array)
{
    static const int tracks[] = {TRACK_VARS_ENV, TRACK_VARS_SERVER};

    for (size_t i = 0; i < ARRAY_SIZE(tracks); i++) {
        zval *known = &PG(http_globals)[tracks[i]];

        if (Z_TYPE_P(known) != IS_ARRAY || Z_ARR_P(array) == Z_ARR_P(known) ||
            zend_hash_num_elements(Z_ARRVAL_P(known)) == 0)
            continue;
        zend_array_destroy(Z_ARR_P(array));
        Z_ARR_P(array) = zend_array_dup(Z_ARR_P(known));
        return;
    }
    import_environment(array);
    if (php_request())
        import_parameters(php_request(), array);
}

/* getenv() without a name: the environment as it is now, with what putenv() has changed, and the
 * parameters. */
static void load_variables(zval *array)
{
    import_environment(array);
    if (php_request())
        import_parameters(php_request(), array);
}

void variables_register(zval *array)
{
    const char *uri = SG(request_info).request_uri, *info = NULL;
    char *self;
    size_t n, n_filtered;

    import_variables(array);
    if (php_settings.fix_pathinfo)
        info = php_request()->script.values[SCRIPT_PATH_INFO];
    n = spprintf(&self, 0, "%s%s", uri ? uri : "", info ? info : "");
    if (sapi_module.input_filter(PARSE_SERVER, "PHP_SELF", &self, n, &n_filtered))
        php_register_variable_safe("PHP_SELF", self, n_filtered, array);
    efree(self);
}

void variables_init(void)
{
    import_environment = php_import_environment_variables;
    php_import_environment_variables = import_variables;
    php_load_environment_variables = load_variables;
}
