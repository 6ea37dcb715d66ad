#include "base/buffer.h"
#include "conf/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A file of garbage has an error on each line; nobody reads on after so many. */
#define ISSUES_MAX 1000

static void issue_done(ConfigIssue *issue)
{
    free(issue->file);
    free(issue->directive);
    free(issue->text);
}

void config_issues_done(ConfigIssues *issues)
{
    for (size_t i = 0; i < issues->n; i++)
        issue_done(&issues->items[i]);
    free(issues->items);
    *issues = (ConfigIssues){0};
}

/* The array doubles: its room is the next power of two. */
static int issues_reserve(ConfigIssues *issues)
{
    ConfigIssue *grown;

    if (issues->n & (issues->n - 1))
        return 0;
    grown = realloc(issues->items, (issues->n ? issues->n * 2 : 1) * sizeof(*grown));
    if (!grown)
        return -1;
    issues->items = grown;
    return 0;
}

static void issues_vadd(ConfigIssues *issues, ConfigSeverity severity, const char *file,
                        unsigned line, const char *directive, const char *format, va_list args)
    __attribute__((format(printf, 6, 0)));
static void issues_vadd(ConfigIssues *issues, ConfigSeverity severity, const char *file,
                        unsigned line, const char *directive, const char *format, va_list args)
{
    ConfigIssue issue = {.severity = severity, .line = line};
    int n;

    if (severity == CONFIG_ERROR)
        issues->n_errors++;
    if (issues->n >= ISSUES_MAX || issues_reserve(issues) < 0)
        return;
    n = vasprintf(&issue.text, format, args);
    if (n < 0)
        issue.text = NULL;
    if (file)
        issue.file = strdup(file);
    if (directive)
        issue.directive = strdup(directive);
    if (!issue.text || (file && !issue.file) || (directive && !issue.directive)) {
        issue_done(&issue);
        return;
    }
    issues->items[issues->n++] = issue;
}

void config_issues_add(ConfigIssues *issues, ConfigSeverity severity, const char *file,
                       unsigned line, const char *directive, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    issues_vadd(issues, severity, file, line, directive, format, args);
    va_end(args);
}

void config_issues_add_at(ConfigIssues *issues, ConfigSeverity severity, const PoolConfig *c,
                          const char *directive, const char *format, ...)
{
    ConfigOrigin origin = pool_config_origin(c, directive);
    va_list args;

    if (origin.line == 0)
        origin = c->section;

    va_start(args, format);
    issues_vadd(issues, severity, origin.file ? origin.file : c->path, origin.line, directive,
                format, args);
    va_end(args);
}

int config_issue_compare(const ConfigIssue *a, const ConfigIssue *b, const char *first)
{
    const char *of_a = a->file ? a->file : "", *of_b = b->file ? b->file : "";
    int order = strcmp(of_a, of_b);

    if (order != 0 && first && strcmp(of_a, first) == 0)
        return -1;
    if (order != 0 && first && strcmp(of_b, first) == 0)
        return 1;
    if (order == 0)
        order = (a->line > b->line) - (a->line < b->line);
    return order;
}

/* They are few, and mostly in order. */
void config_issues_sort(ConfigIssues *issues, const char *first)
{
    for (size_t i = 1; i < issues->n; i++) {
        ConfigIssue issue = issues->items[i];
        size_t k = i;

        for (; k > 0 && config_issue_compare(&issues->items[k - 1], &issue, first) > 0; k--)
            issues->items[k] = issues->items[k - 1];
        issues->items[k] = issue;
    }
}

char *config_issue_to_string(const ConfigIssue *issue)
{
    _cleanup_buffer_ Buffer b = {0};

    if (issue->file && buffer_printf(&b, "%s:", issue->file) < 0)
        return NULL;
    if (issue->line > 0 && buffer_printf(&b, "%u:", issue->line) < 0)
        return NULL;
    if (b.size > 0 && buffer_append(&b, " ", 1) < 0)
        return NULL;
    if (issue->directive && buffer_printf(&b, "%s: ", issue->directive) < 0)
        return NULL;
    if (buffer_append(&b, issue->text, strlen(issue->text)) < 0)
        return NULL;
    return buffer_steal(&b);
}
