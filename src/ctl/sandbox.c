#include "ctl/sandbox.h"

#include "base/exit_status.h"

#include <errno.h>
#include <string.h>

static int finish(const Buffer *b, int r)
{
    if (r == 0)
        return ctl_print(b);
    ctl_complain("%s", strerror(-r));
    return EXIT_STATUS_FAILURE;
}

/* The groups of calls alone; v NULL: of no pool. */
static int print_calls(const Ctl *ctl, const SandboxView *v)
{
    _cleanup_buffer_ Buffer b = {0};
    int r = ctl->json ? sandbox_print_calls_json(&b, v) : sandbox_print_calls(&b, v);

    if (r == 0 && ctl->json)
        r = buffer_append(&b, "\n", 1);
    return finish(&b, r);
}

static int print_pool(const Ctl *ctl, const SandboxView *v)
{
    _cleanup_(sandbox_report_done) SandboxReport report = {0};
    _cleanup_buffer_ Buffer b = {0};
    int r = sandbox_report_make(v, &report);

    if (r == 0)
        r = ctl->json ? sandbox_print_json(&b, v, &report)
                      : sandbox_print_text(&b, v, &report, ctl->verbose);
    return finish(&b, r);
}

int verb_sandbox(const Ctl *ctl, int n, char **operands)
{
    _cleanup_(sandbox_view_done) SandboxView view = {0};
    int r;

    if (n == 0 && ctl->calls)
        return print_calls(ctl, NULL);
    if (n == 0) {
        ctl_complain("sandbox needs the name of a pool, or --calls for the table of system calls");
        return EXIT_STATUS_USAGE;
    }
    if (config_check_pool_name(operands[0]) < 0) {
        ctl_complain("'%s' cannot be the name of a pool", operands[0]);
        return EXIT_STATUS_USAGE;
    }
    r = sandbox_view_make(ctl, operands[0], &view);
    if (r != EXIT_STATUS_OK)
        return r;
    return ctl->calls ? print_calls(ctl, &view) : print_pool(ctl, &view);
}
