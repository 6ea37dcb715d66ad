#include "ctl/top.h"
#include "base/clock.h"
#include "base/exit_status.h"
#include "ctl/ask.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int once(const Ctl *ctl, Top *top)
{
    _cleanup_buffer_ Buffer b = {0};
    int r = top_refresh(top, clock_monotonic_usec()), status = EXIT_STATUS_OK;

    if (r == 0)
        r = ctl->json ? top_write_json(&b, top) : top_write_text(&b, top);
    if (r < 0) {
        ctl_complain("%s", strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    /* ask() has said what it is. */
    for (size_t i = 0; i < top->n_pools; i++)
        if (top->pools[i].problem)
            status = EXIT_STATUS_FAILURE;
    r = ctl_print(&b);
    return r == EXIT_STATUS_OK ? status : r;
}

/* A misspelt name is told before the screen is taken. */
static int check_names(const Ctl *ctl, int n, char **names)
{
    for (int i = 0; i < n; i++) {
        int status = EXIT_STATUS_OK, fd = ask_open(ctl, names[i], &status);

        if (fd < 0)
            return status;
        close(fd);
    }
    return EXIT_STATUS_OK;
}

int verb_top(const Ctl *ctl, int n, char **operands)
{
    _cleanup_(top_done) Top top = {.ctl = ctl, .names = operands, .n_names = (size_t)n};
    int status = check_names(ctl, n, operands);

    if (status != EXIT_STATUS_OK)
        return status;
    if (ctl->once || ctl->json)
        return once(ctl, &top);
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        ctl_complain("top: this is no terminal; --once prints one picture, -o json for programs");
        return EXIT_STATUS_USAGE;
    }
    return top_run(&top);
}
