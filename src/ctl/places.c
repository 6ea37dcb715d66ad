#include "ctl/places.h"
#include "base/exit_status.h"
#include "link/control.h"

#include <stdio.h>
#include <string.h>

static const char *from_environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value && *value ? value : otherwise;
}

/* One text of three, which lives as long as the program. */
static const char *join(const char *a, const char *b, const char *c)
{
    static char *kept[4];
    static size_t n;

    if (n == ARRAY_SIZE(kept) || asprintf(&kept[n], "%s%s%s", a, b, c) < 0)
        return NULL;
    return kept[n++];
}

/* systemd's own rules: file-hierarchy(7), systemd.unit(5). */
static int fill_for_user(Ctl *ctl, const char *config_dir, const char *control_dir)
{
    const char *home = from_environment("HOME", NULL);
    const char *config = from_environment("XDG_CONFIG_HOME", NULL);
    const char *runtime = from_environment("XDG_RUNTIME_DIR", NULL);

    if (!config && home)
        config = join(home, "/.config", "");
    if (!config || !(runtime || control_dir)) {
        ctl_complain("--user: neither %s is set, expected a login session of the user",
                     config ? "XDG_RUNTIME_DIR nor FPMD_CONTROL_DIR" : "HOME nor XDG_CONFIG_HOME");
        return EXIT_STATUS_FAILURE;
    }
    ctl->config_dir =
        config_dir ? config_dir
                   : join(config, "/fpmd/conf.d", &FPMD_CONFIG_FOLDERS[strlen(FPMD_CONFIG_DIR)]);
    ctl->control_dir = control_dir ? control_dir : join(runtime, "/fpmd-control", "");
    if (!ctl->unit_dir)
        ctl->unit_dir = join(config, "/systemd/user", "");
    return ctl->config_dir && ctl->control_dir && ctl->unit_dir ? -1 : EXIT_STATUS_FAILURE;
}

int places_fill(Ctl *ctl)
{
    const char *config_dir =
        ctl->config_dir ? ctl->config_dir : from_environment("FPMD_CONFIG_DIR", NULL);
    const char *control_dir =
        ctl->control_dir ? ctl->control_dir : from_environment("FPMD_CONTROL_DIR", NULL);

    if (ctl->user)
        return fill_for_user(ctl, config_dir, control_dir);
    ctl->config_dir = config_dir ? config_dir : FPMD_CONFIG_FOLDERS;
    ctl->control_dir = control_dir ? control_dir : CONTROL_DIR;
    if (!ctl->unit_dir)
        ctl->unit_dir = UNIT_DIR;
    return -1;
}
