#include "conf/setting.h"
#include "conf/value.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void report(const Reporter *r, ConfigSeverity severity, const char *directive, const char *format,
            ...)
{
    _cleanup_free_ char *text = NULL;
    va_list args;
    int n;

    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0)
        text = NULL;
    if (r->other_pool)
        config_issues_add(r->issues, CONFIG_WARNING, r->file, r->line, directive,
                          "in the other pool [%s]: %s", r->other_pool, text ? text : "no memory");
    else
        config_issues_add(r->issues, severity, r->file, r->line, directive, "%s",
                          text ? text : "no memory");
}

Reporter reporter_at(const Reporter *r, const PoolConfig *c, const char *directive)
{
    ConfigOrigin origin = pool_config_origin(c, directive);
    Reporter there = *r;

    if (origin.line > 0) {
        there.file = origin.file;
        there.line = origin.line;
    }
    return there;
}

const char *setting_intern(PoolConfig *c, const char *file)
{
    char **grown, *copy;

    for (size_t i = c->n_files; i > 0; i--)
        if (strcmp(c->files[i - 1], file) == 0)
            return c->files[i - 1];
    grown = reallocarray(c->files, c->n_files + 1, sizeof(*grown));
    if (!grown)
        return NULL;
    c->files = grown;
    copy = strdup(file);
    if (copy)
        c->files[c->n_files++] = copy;
    return copy;
}

static int store_text(char **field, const char *text)
{
    char *copy = NULL;

    if (text[0]) {
        copy = strdup(text);
        if (!copy)
            return -ENOMEM;
    }
    free(*field);
    *field = copy;
    return 0;
}

static void words_free(char **words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(words[i]);
    free(words);
}

static int split_words(const char *text, const char *separators, char ***ret, size_t *ret_n)
{
    _cleanup_free_ char *copy = strdup(text);
    char **words = NULL, *state = NULL;
    size_t n = 0;

    if (!copy)
        return -ENOMEM;
    for (char *w = strtok_r(copy, separators, &state); w; w = strtok_r(NULL, separators, &state)) {
        char **grown = reallocarray(words, n + 1, sizeof(*grown));

        if (grown)
            words = grown;
        if (!grown || !(words[n] = strdup(w))) {
            words_free(words, n);
            return -ENOMEM;
        }
        n++;
    }
    *ret = words;
    *ret_n = n;
    return 0;
}

static int store_extensions(PoolConfig *c, const char *text)
{
    char **words;
    size_t n;
    int r = split_words(text, " \t", &words, &n);

    if (r < 0)
        return r;
    words_free(c->limit_extensions, c->n_limit_extensions);
    c->limit_extensions = words;
    c->n_limit_extensions = n;
    return 0;
}

static int store_words(WordList *field, const char *text, const char *separators)
{
    WordList list;
    int r = split_words(text, separators, &list.items, &list.n);

    if (r < 0)
        return r;
    words_free(field->items, field->n);
    *field = list;
    return 0;
}

static int store_addresses(PoolConfig *c, const Directive *d, const char *text)
{
    bool status = d->field == offsetof(PoolConfig, status_listen);
    ListenAddress **list = status ? &c->status_listen : &c->listen;
    size_t *count = status ? &c->n_status_listen : &c->n_listen;
    ListenAddress *addresses;
    size_t n;
    int r = listen_parse(text, &addresses, &n);

    if (r < 0)
        return r;
    listen_free(*list, *count);
    *list = addresses;
    *count = n;
    return 0;
}

static int store_clients(PoolConfig *c, const char *text)
{
    ClientRange *ranges = NULL;
    size_t n = 0;
    int r = text[0] ? clients_parse(text, &ranges, &n) : 0;

    if (r < 0)
        return r;
    free(c->allowed_clients);
    c->allowed_clients = ranges;
    c->n_allowed_clients = n;
    return 0;
}

/* Numbers have been checked against the directive's range, which the field holds. */
static int store(PoolConfig *c, const Directive *d, const char *text, uint64_t number)
{
    void *field = (char *)c + d->field;

    switch (d->type) {
    case TYPE_UNSIGNED:
    case TYPE_MODE:
        *(unsigned *)field = (unsigned)number;
        return 0;
    case TYPE_COUNT:
    case TYPE_TIME:
    case TYPE_SIZE:
    case TYPE_RLIMIT:
    case TYPE_FILES:
        *(uint64_t *)field = number;
        return 0;
    case TYPE_SIGNED:
    case TYPE_LOG_LEVEL:
        *(int *)field = (int)(int64_t)number;
        return 0;
    case TYPE_BOOL:
    case TYPE_LANDLOCK:
    case TYPE_SHARING:
        *(bool *)field = number;
        return 0;
    case TYPE_PM:
        *(PoolMode *)field = (PoolMode)number;
        return 0;
    case TYPE_SECCOMP:
        *(SandboxSeccomp *)field = (SandboxSeccomp)number;
        return 0;
    case TYPE_EXTENSIONS:
        return store_extensions(c, text);
    case TYPE_ADDRESSES:
        return store_addresses(c, d, text);
    case TYPE_CLIENTS:
        return store_clients(c, text);
    case TYPE_NAMES:
    case TYPE_PORTS:
        return store_words(field, text, " \t,");
    case TYPE_PATHS:
    case TYPE_GRANTS:
    case TYPE_SYSCALLS:
        return store_words(field, text, " \t");
    default:
        return store_text(field, text);
    }
}

int setting_apply_default(PoolConfig *c, const Directive *d)
{
    uint64_t number = 0;
    int r;

    if (d->field == DIRECTIVE_NO_FIELD || !d->fallback)
        return 0;
    r = setting_check(d, d->fallback, &number);
    return r < 0 ? r : store(c, d, d->fallback, number);
}

static bool is_ranged(DirectiveType type)
{
    return type == TYPE_UNSIGNED || type == TYPE_COUNT || type == TYPE_SIGNED || type == TYPE_FILES;
}

static void report_value(const Reporter *r, const Directive *d, const char *text, int error)
{
    char word[64], meant[32];

    if (error == -EDOM && clients_find_mapped(text, word, meant))
        report(r, CONFIG_ERROR, d->name,
               "'%s' would let in all of IPv4, because the prefix counts from the start of the "
               "IPv6 address, expected %s",
               word, meant);
    else if (is_ranged(d->type) && d->max < INT_MAX)
        report(r, CONFIG_ERROR, d->name, "'%.100s' is %s, expected a number from %lld to %lld",
               text, error == -ERANGE ? "out of range" : "not valid", (long long)d->min,
               (long long)d->max);
    else if (is_ranged(d->type))
        report(r, CONFIG_ERROR, d->name, "'%.100s' is %s, expected a number not less than %lld",
               text, error == -ERANGE ? "out of range" : "not valid", (long long)d->min);
    else if (error == -ERANGE && d->type == TYPE_SIZE && d->min > 0)
        report(r, CONFIG_ERROR, d->name,
               "'%.100s' is out of range, expected a size from %lldK to %lldM", text,
               (long long)d->min >> 10, (long long)d->max >> 20);
    else if (error == -ERANGE && d->type == TYPE_TIME && d->min > 0)
        report(r, CONFIG_ERROR, d->name, "'%s' is out of range, expected at least %llds", text,
               (long long)(d->min / (int64_t)USEC_PER_SEC));
    else
        report(r, CONFIG_ERROR, d->name, "'%.100s' is %s, expected %s", text,
               error == -ERANGE ? "out of range" : "not valid", directive_type_to_string(d->type));
}

/* Whether a value says no more than its absence would: then there is nothing to warn of. */
static bool says_nothing(const Directive *d, const char *text, uint64_t number)
{
    uint64_t fallback = 0;

    if (!d->fallback)
        return !text[0];
    if (strcmp(text, d->fallback) == 0)
        return true;
    return d->type != TYPE_TEXT && setting_check(d, d->fallback, &fallback) == 0 &&
           number == fallback;
}

static void report_fate(const Reporter *r, const Directive *d, const char *text, uint64_t number)
{
    if (d->fate == FATE_HONOURED || says_nothing(d, text, number))
        return;
    if (d->fate == FATE_SYSTEMD)
        report(r, CONFIG_WARNING, d->name, "has no effect, this is done by %s", d->instead);
    else
        report(r, d->is_vital ? CONFIG_ERROR : CONFIG_WARNING, d->name, "%s: %s%s",
               d->is_vital ? "is refused" : "has no effect", d->instead,
               d->is_vital ? "; expected no such line" : "");
}

static void note_origin(PoolConfig *c, const Directive *d, const Reporter *r, const char *file)
{
    ConfigOrigin *origin = &c->origins[directive_index(d)];

    if (origin->line > 0 && strcmp(origin->file, file) == 0)
        report(r, CONFIG_WARNING, d->name, "is given again, which replaces line %u", origin->line);
    *origin = (ConfigOrigin){file, r->line};
}

static int keep_text(PoolConfig *c, const Directive *d, const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        return -ENOMEM;
    free(c->texts[directive_index(d)]);
    c->texts[directive_index(d)] = copy;
    return 0;
}

static int apply_value(PoolConfig *c, const Directive *d, const char *text, const Reporter *r)
{
    /* An empty text takes a value back, where that means something. */
    bool is_text = d->type < TYPE_UNSIGNED && d->type != TYPE_PROGRAM;
    uint64_t number = 0;
    int error = text[0] || !is_text ? setting_check(d, text, &number) : 0;

    if (!text[0] && d->type == TYPE_PROGRAM)
        error = -EINVAL;
    if (error == -ENOMEM)
        return error;
    if (error < 0) {
        report_value(r, d, text, error);
        return 0;
    }
    report_fate(r, d, text, number);
    if (keep_text(c, d, text) < 0)
        return -ENOMEM;
    return d->field == DIRECTIVE_NO_FIELD ? 0 : store(c, d, text, number);
}

int setting_apply(PoolConfig *c, const Directive *d, const LexItem *item, const char *pool,
                  const Reporter *r)
{
    /* For PHP-FPM bare words are "1" or nothing everywhere; as numbers they are no values of ours,
     * nor in lists that it does not know, where none is a word. */
    bool is_text = d->type < TYPE_UNSIGNED && d->type != TYPE_PROGRAM && d->type != TYPE_SYSCALLS &&
                   d->type != TYPE_GRANTS && d->type != TYPE_PORTS;
    const char *word = is_text ? value_bare_word(item->value) : NULL;
    _cleanup_free_ char *expanded = NULL, *text = NULL;
    const char *error, *file = setting_intern(c, r->file);
    int k;

    if (!file)
        return -ENOMEM;
    note_origin(c, d, r, file);
    if (word)
        return apply_value(c, d, word, r);
    k = value_expand(item->value, &expanded, &error);
    if (k == -EINVAL)
        report(r, CONFIG_ERROR, d->name, "%s", error);
    if (k < 0)
        return k == -EINVAL ? 0 : k;
    if (!pool && strstr(expanded, "$pool")) {
        report(r, CONFIG_ERROR, d->name,
               "'$pool' has no meaning in the global section, expected a text without it");
        return 0;
    }
    text = value_replace_pool((Slice){expanded, strlen(expanded)}, pool ? pool : "");
    return text ? apply_value(c, d, text, r) : -ENOMEM;
}

/* Of the field of a directive that may be global: only numbers are. */
static size_t number_size(DirectiveType type)
{
    switch (type) {
    case TYPE_LOG_LEVEL:
    case TYPE_SIGNED:
        return sizeof(int);
    case TYPE_UNSIGNED:
        return sizeof(unsigned);
    default:
        return sizeof(uint64_t);
    }
}

int setting_inherit(PoolConfig *c, const PoolConfig *global)
{
    size_t n;
    const Directive *d = directives_get(&n);

    for (size_t i = 0; i < n; i++) {
        const char *file;

        if (directive_is_array(d + i) || c->origins[i].line > 0 || global->origins[i].line == 0)
            continue;
        file = setting_intern(c, global->origins[i].file);
        if (!file || (global->texts[i] && keep_text(c, d + i, global->texts[i]) < 0))
            return -ENOMEM;
        c->origins[i] = (ConfigOrigin){file, global->origins[i].line};
        if (d[i].field == DIRECTIVE_NO_FIELD)
            continue;
        memcpy((char *)c + d[i].field, (const char *)global + d[i].field, number_size(d[i].type));
    }
    return 0;
}
