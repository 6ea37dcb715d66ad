#include "ctl/ctl.h"
#include "status/escape.h"

int ctl_write_issue(Buffer *b, const ConfigIssue *issue, bool as_note)
{
    const char *severity = as_note ? "note" : issue->severity == CONFIG_ERROR ? "error" : "warning";
    int r = escape_text(b, issue->file ? issue->file : "-");

    if (r == 0 && issue->line > 0)
        r = buffer_printf(b, ":%u", issue->line);
    if (r == 0)
        r = buffer_printf(b, ": %s: ", severity);
    if (r == 0 && issue->directive) {
        r = escape_text(b, issue->directive);
        if (r == 0)
            r = buffer_append(b, ": ", 2);
    }
    if (r == 0)
        r = escape_text(b, issue->text ? issue->text : "out of memory");
    return r < 0 ? r : buffer_append(b, "\n", 1);
}

int ctl_write_issues(Buffer *b, const ConfigIssues *issues)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < issues->n; i++)
        r = ctl_write_issue(b, &issues->items[i], false);
    return r;
}
