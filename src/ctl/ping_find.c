#include "ctl/ping.h"

#include "ctl/units.h"
#include "unit/wants.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The addresses of the loaded unit: "Stream /run/a.sock", a line each. 1: it has some. */
static int find_in_unit(const Ctl *ctl, const char *pool, UnitKind kind, ListenAddress **ret,
                        size_t *ret_n)
{
    static const char stream[] = "Stream ";
    _cleanup_(units_closep) Units *units = NULL;
    _cleanup_buffer_ Buffer b = {0}, state = {0};
    char name[256], *line;

    unit_name(kind, pool, name);
    if (units_open(&units, ctl->user) < 0 || units_read(units, name, "ActiveState", &state) < 0 ||
        state.size != strlen("active") || memcmp(state.data, "active", state.size) != 0 ||
        units_read(units, name, "Listen", &b) < 0)
        return 0;
    if (buffer_append(&b, "", 1) < 0)
        return -ENOMEM;
    line = b.data;
    if (strncmp(line, stream, strlen(stream)) != 0)
        return 0;
    line += strlen(stream);
    line[strcspn(line, "\n")] = 0;
    return listen_parse(line, ret, ret_n) == 0 && *ret_n > 0;
}

static int find_in_file(const PoolConfig *c, bool status, ListenAddress **ret, size_t *ret_n)
{
    const ListenAddress *first = status ? c->status_listen : c->listen;
    size_t n = status ? c->n_status_listen : c->n_listen;
    int r;

    if (n == 0)
        return 0;
    r = listen_parse(first->path ? first->path : first->text, ret, ret_n);
    return r < 0 ? r : 1;
}

/* ListenStream= of the units as they come. */
static int find_default(const char *pool, bool status, ListenAddress **ret, size_t *ret_n)
{
    char path[128];

    snprintf(path, sizeof(path), "/run/fpmd/%s%s.sock", pool, status ? ".status" : "");
    return listen_parse(path, ret, ret_n);
}

int ping_find(const Ctl *ctl, const PoolConfig *c, ListenAddress **ret, size_t *ret_n)
{
    int r = find_in_unit(ctl, c->name, ctl->status ? UNIT_STATUS_SOCKET : UNIT_SOCKET, ret, ret_n);

    if (r == 0)
        r = find_in_file(c, ctl->status, ret, ret_n);
    if (r == 0)
        r = find_default(c->name, ctl->status, ret, ret_n);
    return MIN(r, 0);
}
