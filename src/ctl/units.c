#include "ctl/units.h"
#include "ctl/units_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* systemd's own socket, where root needs no message bus (systemctl goes the same way). */
#define PRIVATE "unix:path=/run/systemd/private"

static int open_private(const char *address, sd_bus **ret)
{
    sd_bus *bus = NULL;
    int r = sd_bus_new(&bus);

    if (r >= 0)
        r = sd_bus_set_address(bus, address);
    if (r >= 0)
        r = sd_bus_start(bus);
    if (r < 0) {
        sd_bus_unref(bus);
        return r;
    }
    *ret = bus;
    return 0;
}

static int open_user(sd_bus **ret)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    _cleanup_free_ char *address = NULL;
    int r = -ENOENT;

    /* No characters that an address of D-Bus would have to escape. */
    if (runtime && !runtime[strspn(runtime, "/-_.0123456789abcdefghijklmnopqrstuvwxyz"
                                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ")]) {
        if (asprintf(&address, "unix:path=%s/systemd/private", runtime) < 0) {
            address = NULL;
            return -ENOMEM;
        }
        r = open_private(address, ret);
    }
    return r < 0 ? sd_bus_open_user(ret) : r;
}

int units_open(Units **ret, bool user)
{
    _cleanup_(units_closep) Units *units = calloc(1, sizeof(*units));
    int r = -ENOENT;

    if (!units)
        return -ENOMEM;
    if (user)
        r = open_user(&units->bus);
    else {
        if (geteuid() == 0)
            r = open_private(PRIVATE, &units->bus);
        if (r < 0)
            r = sd_bus_open_system(&units->bus);
    }
    if (r < 0)
        return r;
    r = sd_bus_set_method_call_timeout(units->bus, TIMEOUT_USEC);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(units);
    return 0;
}

Units *units_close(Units *units)
{
    if (units) {
        sd_bus_message_unref(units->answer);
        sd_bus_flush_close_unref(units->bus);
        free(units);
    }
    return NULL;
}

/* A longer text is cut. */
static int get_text(Units *units, const char *unit, const char *property, char *ret, size_t size)
{
    _cleanup_buffer_ Buffer b = {0};
    int r = units_read(units, unit, property, &b);

    if (r < 0)
        return r;
    snprintf(ret, size, "%.*s", (int)b.size, b.data ? b.data : "");
    return 0;
}

/* The addresses of Listen=, a line each with the kind before; those that no longer fit are left
 * out. */
static int get_listen(Units *units, const char *unit, char *ret, size_t size)
{
    _cleanup_buffer_ Buffer b = {0};
    size_t used = 0;
    int r = units_read(units, unit, "Listen", &b);

    if (r == 0)
        r = buffer_append(&b, "", 1);
    if (r < 0)
        return r;
    ret[0] = 0;
    for (char *state = NULL, *line = strtok_r(b.data, "\n", &state); line;
         line = strtok_r(NULL, "\n", &state)) {
        const char *blank = strchr(line, ' '), *address = blank ? blank + 1 : line;

        if (used + strlen(address) + 2 <= size)
            used += (size_t)sprintf(ret + used, "%s%s", used > 0 ? " " : "", address);
    }
    return 0;
}

int units_get(Units *units, const char *pool, const char *kind, UnitState *ret)
{
    UnitState state = {0};
    char name[256];
    int r;

    r = snprintf(name, sizeof(name), "fpmd@%s.%s", pool, kind);
    if (r < 0 || (size_t)r >= sizeof(name))
        return -ENAMETOOLONG;
    r = get_text(units, name, "ActiveState", state.active, sizeof(state.active));
    if (r >= 0)
        r = get_text(units, name, "UnitFileState", state.enabled, sizeof(state.enabled));
    if (r >= 0 && strcmp(kind, "service") == 0)
        r = get_text(units, name, "StatusText", state.text, sizeof(state.text));
    if (r >= 0 && strcmp(kind, "socket") == 0)
        r = get_listen(units, name, state.listen, sizeof(state.listen));
    if (r < 0)
        return r;
    *ret = state;
    return 0;
}
