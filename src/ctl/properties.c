#include "ctl/units.h"
#include "ctl/units_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One value that holds no others. */
static int read_basic(sd_bus_message *m, char type, Buffer *b)
{
    union {
        const char *text;
        uint8_t byte;
        int32_t i32;
        uint32_t u32;
        int64_t i64;
        uint64_t u64;
        int boolean;
    } v;
    int r = sd_bus_message_read_basic(m, type, &v);

    if (r < 0)
        return r;
    switch (type) {
    case SD_BUS_TYPE_STRING:
    case SD_BUS_TYPE_OBJECT_PATH:
        return buffer_append(b, v.text, strlen(v.text));
    case SD_BUS_TYPE_BOOLEAN:
        return buffer_append(b, v.boolean ? "1" : "0", 1);
    case SD_BUS_TYPE_BYTE:
        return buffer_printf(b, "%u", v.byte);
    case SD_BUS_TYPE_INT32:
        return buffer_printf(b, "%" PRId32, v.i32);
    case SD_BUS_TYPE_UINT32:
        return buffer_printf(b, "%" PRIu32, v.u32);
    case SD_BUS_TYPE_INT64:
        return buffer_printf(b, "%" PRId64, v.i64);
    case SD_BUS_TYPE_UINT64:
        return buffer_printf(b, "%" PRIu64, v.u64);
    default:
        return -EBADMSG;
    }
}

/* Everything up to the end of the container. depth: the types of systemd's properties nest three
 * deep. */
static int read_values(sd_bus_message *m, char separator, unsigned depth, Buffer *b)
{
    const char *contents;
    bool first = true;
    char type;
    int r;

    while ((r = sd_bus_message_peek_type(m, &type, &contents)) > 0) {
        if (!first && buffer_append(b, &separator, 1) < 0)
            return -ENOMEM;
        first = false;
        if (!contents) {
            r = read_basic(m, type, b);
        } else if (depth == 0) {
            return -EBADMSG;
        } else {
            r = sd_bus_message_enter_container(m, type, contents);
            if (r >= 0)
                r = read_values(m, type == SD_BUS_TYPE_ARRAY ? '\n' : ' ', depth - 1, b);
            if (r >= 0)
                r = sd_bus_message_exit_container(m);
        }
        if (r < 0)
            return r;
    }
    return r;
}

/* All properties of all interfaces of a unit. systemd loads a unit that does not run for each
 * question and forgets it again, which takes milliseconds: so everything is asked for at once, and
 * kept while the questions are about the same unit. */
static int ask(Units *units, const char *unit)
{
    _cleanup_free_ char *path = NULL;
    sd_bus_error error = SD_BUS_ERROR_NULL;
    int r;

    if (units->answer && strcmp(units->answer_unit, unit) == 0)
        return sd_bus_message_rewind(units->answer, true);
    units->answer = sd_bus_message_unref(units->answer);
    r = sd_bus_path_encode(UNITS_PATH, unit, &path);
    if (r >= 0)
        r = sd_bus_call_method(units->bus, UNITS_MANAGER, path, "org.freedesktop.DBus.Properties",
                               "GetAll", &error, &units->answer, "s", "");
    sd_bus_error_free(&error);
    snprintf(units->answer_unit, sizeof(units->answer_unit), "%s", unit);
    return r;
}

int units_read(Units *units, const char *unit, const char *property, Buffer *b)
{
    const char *name, *contents;
    sd_bus_message *m;
    int r = ask(units, unit);

    m = units->answer;
    if (r >= 0)
        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
    while (r >= 0 && (r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
        r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &name);
        if (r >= 0 && strcmp(name, property) == 0) {
            r = sd_bus_message_peek_type(m, NULL, &contents);
            if (r >= 0)
                r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, contents);
            return r < 0 ? r : read_values(m, ' ', 4, b);
        }
        if (r >= 0)
            r = sd_bus_message_skip(m, "v");
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r < 0 ? r : -ENOENT;
}

static int list(Units *units, const char *const *states, size_t n_states, Buffer *b)
{
    sd_bus_message *call = NULL, *reply = NULL;
    const char *name, *active;
    int r = sd_bus_message_new_method_call(units->bus, &call, UNITS_MANAGER,
                                           "/org/freedesktop/systemd1", UNITS_MANAGER ".Manager",
                                           "ListUnitsByPatterns");

    if (r >= 0)
        r = sd_bus_message_append(call, "asas", 0, 2, "fpmd@*", "fpmd-status@*");
    if (r >= 0)
        r = sd_bus_call(units->bus, call, TIMEOUT_USEC, NULL, &reply);
    if (r >= 0)
        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "(ssssssouso)");
    if (r >= 0)
        r = buffer_append(b, "\n", 1);
    while (r >= 0 && (r = sd_bus_message_read(reply, "(ssssssouso)", &name, NULL, NULL, &active,
                                              NULL, NULL, NULL, NULL, NULL, NULL)) > 0)
        for (size_t i = 0; r >= 0 && i < n_states; i++)
            if (strcmp(active, states[i]) == 0)
                r = buffer_printf(b, "%s\n", name);
    sd_bus_message_unref(call);
    sd_bus_message_unref(reply);
    return r < 0 ? r : 0;
}

/* The last one is no running unit. */
static const char *const states[] = {"active", "activating", "reloading", "deactivating", "failed"};

int units_list_running(Units *units, Buffer *b)
{
    return list(units, states, ARRAY_SIZE(states) - 1, b);
}

int units_list_loaded(Units *units, Buffer *b)
{
    return list(units, states, ARRAY_SIZE(states), b);
}
