#include "ctl/units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define MANAGER   "org.freedesktop.systemd1"
#define UNIT      MANAGER ".Unit"
#define SOCKET    MANAGER ".Socket"
#define UNIT_PATH "/org/freedesktop/systemd1/unit"
/* systemd's own socket, where root needs no message bus (systemctl goes the same way). */
#define PRIVATE      "unix:path=/run/systemd/private"

#define TIMEOUT_USEC (5 * USEC_PER_SEC)

struct Units {
    sd_bus *bus;
};

static int open_private(sd_bus **ret)
{
    sd_bus *bus = NULL;
    int r = sd_bus_new(&bus);

    if (r >= 0)
        r = sd_bus_set_address(bus, PRIVATE);
    if (r >= 0)
        r = sd_bus_start(bus);
    if (r < 0) {
        sd_bus_unref(bus);
        return r;
    }
    *ret = bus;
    return 0;
}

int units_open(Units **ret)
{
    _cleanup_(units_closep) Units *units = calloc(1, sizeof(*units));
    int r = -ENOENT;

    if (!units)
        return -ENOMEM;
    if (geteuid() == 0)
        r = open_private(&units->bus);
    if (r < 0)
        r = sd_bus_open_system(&units->bus);
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
        sd_bus_flush_close_unref(units->bus);
        free(units);
    }
    return NULL;
}

/* A longer text is cut. */
static int get_text(sd_bus *bus, const char *path, const char *property, char *ret, size_t size)
{
    _cleanup_free_ char *text = NULL;
    int r = sd_bus_get_property_string(bus, MANAGER, path, UNIT, property, NULL, &text);

    if (r < 0)
        return r;
    snprintf(ret, size, "%s", text);
    return 0;
}

/* The addresses of Listen=, an array of kind and address; those that no longer fit are left out. */
static int get_listen(sd_bus *bus, const char *path, char *ret, size_t size)
{
    sd_bus_message *reply = NULL;
    const char *kind, *address;
    size_t used = 0;
    int r = sd_bus_get_property(bus, MANAGER, path, SOCKET, "Listen", NULL, &reply, "a(ss)");

    if (r >= 0)
        r = sd_bus_message_enter_container(reply, 'a', "(ss)");
    ret[0] = 0;
    while (r >= 0 && (r = sd_bus_message_read(reply, "(ss)", &kind, &address)) > 0) {
        if (used + strlen(address) + 2 > size)
            continue;
        used += (size_t)sprintf(ret + used, "%s%s", used > 0 ? " " : "", address);
    }
    sd_bus_message_unref(reply);
    return r < 0 ? r : 0;
}

int units_get(Units *units, const char *pool, const char *kind, UnitState *ret)
{
    _cleanup_free_ char *path = NULL;
    UnitState state = {0};
    char name[256];
    int r;

    r = snprintf(name, sizeof(name), "fpmd@%s.%s", pool, kind);
    if (r < 0 || (size_t)r >= sizeof(name))
        return -ENAMETOOLONG;
    r = sd_bus_path_encode(UNIT_PATH, name, &path);
    if (r >= 0)
        r = get_text(units->bus, path, "ActiveState", state.active, sizeof(state.active));
    if (r >= 0)
        r = get_text(units->bus, path, "UnitFileState", state.enabled, sizeof(state.enabled));
    if (r >= 0 && strcmp(kind, "socket") == 0)
        r = get_listen(units->bus, path, state.listen, sizeof(state.listen));
    if (r < 0)
        return r;
    *ret = state;
    return 0;
}
