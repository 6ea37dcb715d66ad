/*
 * Facts about files, and what the service unit adds to the rest.
 */

#include "ctl/sandbox.h"

#include "sandbox/needs.h"
#include "sandbox/ruleset.h"
#include "status/human.h"

#include <stdio.h>
#include <string.h>

const char *unit_property_name(UnitProperty property)
{
    static const char *const names[_UNIT_PROPERTY_MAX] = {
        [PROPERTY_NONE] = "",
        [PROPERTY_BIND_PATHS] = "BindPaths",
        [PROPERTY_BIND_READ_ONLY_PATHS] = "BindReadOnlyPaths",
        [PROPERTY_FAMILIES] = "RestrictAddressFamilies",
        [PROPERTY_INACCESSIBLE_PATHS] = "InaccessiblePaths",
        [PROPERTY_IP_ALLOW] = "IPAddressAllow",
        [PROPERTY_IP_DENY] = "IPAddressDeny",
        [PROPERTY_MEMORY_DENY_WRITE_EXECUTE] = "MemoryDenyWriteExecute",
        [PROPERTY_MEMORY_MAX] = "MemoryMax",
        [PROPERTY_NAMESPACES] = "RestrictNamespaces",
        [PROPERTY_NO_NEW_PRIVILEGES] = "NoNewPrivileges",
        [PROPERTY_PRIVATE_DEVICES] = "PrivateDevices",
        [PROPERTY_PRIVATE_IPC] = "PrivateIPC",
        [PROPERTY_PRIVATE_NETWORK] = "PrivateNetwork",
        [PROPERTY_PRIVATE_TMP] = "PrivateTmp",
        [PROPERTY_PROTECT_CONTROL_GROUPS] = "ProtectControlGroups",
        [PROPERTY_PROTECT_HOME] = "ProtectHome",
        [PROPERTY_PROTECT_KERNEL_LOGS] = "ProtectKernelLogs",
        [PROPERTY_PROTECT_PROC] = "ProtectProc",
        [PROPERTY_PROTECT_SYSTEM] = "ProtectSystem",
        [PROPERTY_READ_ONLY_PATHS] = "ReadOnlyPaths",
        [PROPERTY_READ_WRITE_PATHS] = "ReadWritePaths",
        [PROPERTY_SYSTEM_CALL_FILTER] = "SystemCallFilter",
        [PROPERTY_TASKS_MAX] = "TasksMax",
        [PROPERTY_TEMPORARY_FILE_SYSTEM] = "TemporaryFileSystem",
        [PROPERTY_USER] = "User",
    };

    return names[property];
}

/* ---- Landlock and chroot ---- */

static void tell_chroot(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    if (v->config->chroot)
        report_put(r, b, "%s is its root directory: it sees nothing above it", v->config->chroot);
}

static void put_paths(const SandboxView *v, SandboxReport *r, Buffer *b, const WordList *list,
                      const char *what)
{
    if (config_list_is_none(list))
        report_put(r, b, "only what every pool needs (-v lists it)");
    else if (list->n > 0) {
        report_put(r, b, "only ");
        report_put_list(r, b, list->items, list->n);
        report_put(r, b, ", and what every pool needs (-v lists it)");
    } else
        report_put(r, b, "%s", what);
    if (list->n > 0 && v->landlock_abi < ABI_WITH_FILES)
        report_put(r, b,
                   v->config->sandbox_landlock_optional
                       ? ": passed over, since this kernel has no Landlock"
                       : ": this kernel has no Landlock, so the pool does not start");
}

static void tell_read(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    const PoolConfig *c = v->config;

    put_paths(v, r, b, &c->sandbox_read,
              "all that its user may read and the unit shows: of other sites too, where "
              "permissions let everybody read");
    if (c->sandbox_read.n > 0 && c->sandbox_write.n > 0 && !config_list_is_none(&c->sandbox_write))
        report_put(r, b, "; sandbox.write implies it");
}

static void tell_write(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    put_paths(v, r, b, &v->config->sandbox_write,
              "all that its user may write and the unit leaves writable, scripts too");
}

static const FactRow file_rows[] = {
    {TOPIC_FILES, "root", "chroot", 0, tell_chroot},
    {TOPIC_FILES, "reading", "sandbox.read", 0, tell_read},
    {TOPIC_FILES, "writing", "sandbox.write", 0, tell_write},
};

void sandbox_tell_files(const SandboxView *v, SandboxReport *r)
{
    report_rows(r, v, file_rows, ARRAY_SIZE(file_rows));
}

/* ---- the unit ---- */

/* The paths of a property that is a list, without marks of systemd's; of a bind mount the place
 * where it appears. */
static void put_lines(SandboxReport *r, Buffer *b, const char *lines, bool is_bind)
{
    const char *p = lines;
    bool first = true;

    while (p && *p) {
        size_t line = strcspn(p, "\n"), size = line;
        const char *start = p, *next = p + line + (p[line] == '\n');

        if (is_bind) { /* "SOURCE DESTINATION ignore flags" */
            size_t source = strcspn(start, " \n");

            start += source + (start[source] == ' ');
            size = strcspn(start, " \n");
        } else
            size = strcspn(start, " \n");
        if (*start == '-') {
            start++;
            size--;
        }
        report_put(r, b, "%s%.*s", first ? "" : ", ", (int)size, start);
        first = false;
        p = next;
    }
}

static const struct {
    UnitProperty property;
    const char *value, *text;
} words[] = {
    {PROPERTY_PROTECT_SYSTEM, "strict",
     "everything is read-only but what is writable below, whatever permissions say"},
    {PROPERTY_PROTECT_SYSTEM, "full",
     "/usr, /boot and /etc are read-only, the rest as permissions say"},
    {PROPERTY_PROTECT_SYSTEM, "yes", "/usr and /boot are read-only, the rest as permissions say"},
    {PROPERTY_PROTECT_SYSTEM, "no", "nothing is read-only: permissions alone decide"},
    {PROPERTY_PROTECT_HOME, "yes", "/home, /root and /run/user are out of reach"},
    {PROPERTY_PROTECT_HOME, "tmpfs",
     "/home, /root and /run/user look empty but for what is shown below"},
    {PROPERTY_PROTECT_HOME, "read-only",
     "/home, /root and /run/user can be read as permissions say, not written"},
    {PROPERTY_PROTECT_HOME, "no", "/home, /root and /run/user are as permissions say"},
    {PROPERTY_PRIVATE_TMP, "1", "/tmp and /var/tmp are the pool's own; they go when it stops"},
    {PROPERTY_PRIVATE_TMP, "0", "/tmp and /var/tmp are those of everybody"},
    {PROPERTY_PRIVATE_DEVICES, "1",
     "/dev has null, zero, full, random, urandom and tty, and no hardware"},
    {PROPERTY_PRIVATE_DEVICES, "0", "all that permissions allow"},
    {PROPERTY_PRIVATE_IPC, "1",
     "segments, semaphores and queues (System V and POSIX) are the pool's own; they go when it "
     "stops"},
    {PROPERTY_PRIVATE_IPC, "0",
     "segments, semaphores and queues (System V and POSIX) are those of the machine, where "
     "permissions admit the user"},
};

static void put_words(const SandboxView *v, SandboxReport *r, Buffer *b, UnitProperty property)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (words[i].property == property && view_property_is(v, property, words[i].value))
            report_put(r, b, "%s", words[i].text);
}

static void tell_system(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    put_words(v, r, b, PROPERTY_PROTECT_SYSTEM);
}

static void tell_writable(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    if (!view_property_is(v, PROPERTY_PROTECT_SYSTEM, "strict"))
        return;
    put_lines(r, b, v->properties[PROPERTY_READ_WRITE_PATHS], false);
    if (view_property_is(v, PROPERTY_PRIVATE_TMP, "1"))
        report_put(r, b, "%s/tmp, /var/tmp", b->size > 0 ? ", " : "");
    if (view_property_given(v, PROPERTY_BIND_PATHS)) {
        report_put(r, b, "%s", b->size > 0 ? ", " : "");
        put_lines(r, b, v->properties[PROPERTY_BIND_PATHS], true);
    }
    if (b->size > 0)
        report_put(r, b, ": there permissions decide");
    else
        report_put(r, b, "nothing");
}

static void tell_home(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    put_words(v, r, b, PROPERTY_PROTECT_HOME);
}

static void tell_shown(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    if (view_property_given(v, PROPERTY_BIND_READ_ONLY_PATHS))
        put_lines(r, b, v->properties[PROPERTY_BIND_READ_ONLY_PATHS], true);
}

static void tell_empty(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    if (!view_property_given(v, PROPERTY_TEMPORARY_FILE_SYSTEM))
        return;
    put_lines(r, b, v->properties[PROPERTY_TEMPORARY_FILE_SYSTEM], false);
    report_put(
        r, b,
        ": what others have there, sockets of other pools above all, is out of reach but for "
        "what is shown");
}

static void tell_inaccessible(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    if (view_property_given(v, PROPERTY_INACCESSIBLE_PATHS))
        put_lines(r, b, v->properties[PROPERTY_INACCESSIBLE_PATHS], false);
}

static void tell_read_only(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    if (view_property_given(v, PROPERTY_READ_ONLY_PATHS))
        put_lines(r, b, v->properties[PROPERTY_READ_ONLY_PATHS], false);
}

static void tell_tmp(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    put_words(v, r, b, PROPERTY_PRIVATE_TMP);
}

static void tell_devices(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    put_words(v, r, b, PROPERTY_PRIVATE_DEVICES);
}

static void tell_ipc(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    put_words(v, r, b, PROPERTY_PRIVATE_IPC);
}

static void tell_addresses(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    if (view_property_is(v, PROPERTY_PRIVATE_NETWORK, "1"))
        report_put(r, b, "a network of its own without any interface but lo");
    else if (view_property_given(v, PROPERTY_IP_DENY))
        report_put(r, b, "the unit denies some%s",
                   view_property_given(v, PROPERTY_IP_ALLOW) ? ", and allows others" : "");
    else if (v->unit_known)
        report_put(r, b, "all: the unit denies none");
}

static void tell_unit_calls(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    size_t n = 0;

    for (size_t i = 0; v->unit_known && i < n_syscall_groups; i++)
        for (size_t k = 0; k < syscall_groups[i].n_calls; k++)
            n += view_unit_refuses(v, syscall_groups[i].calls[k]);
    if (n > 0)
        report_put(r, b, "refuses %zu besides, to the manager too", n);
    else if (v->unit_known)
        report_put(r, b, "refuses none besides");
}

static void put_pool_limit(const SandboxView *v, SandboxReport *r, Buffer *b, UnitProperty p,
                           bool bytes)
{
    const char *value = v->properties[p];
    uint64_t limit = value ? strtoull(value, NULL, 10) : 0;
    char text[HUMAN_SIZE];

    if (!value)
        return;
    if (limit == UINT64_MAX) {
        report_put(r, b, "no limit");
        return;
    }
    if (bytes)
        human_bytes(limit, text);
    else
        human_count(limit, text);
    report_put(r, b, "%s", text);
}

static void tell_pool_memory(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    put_pool_limit(v, r, b, PROPERTY_MEMORY_MAX, true);
}

static void tell_pool_tasks(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    put_pool_limit(v, r, b, PROPERTY_TASKS_MAX, false);
}

static const FactRow unit_rows[] = {
    {TOPIC_FILES, "the system", NULL, PROPERTY_PROTECT_SYSTEM, tell_system},
    {TOPIC_FILES, "writable", NULL, PROPERTY_READ_WRITE_PATHS, tell_writable},
    {TOPIC_FILES, "read-only", NULL, PROPERTY_READ_ONLY_PATHS, tell_read_only},
    {TOPIC_FILES, "homes", NULL, PROPERTY_PROTECT_HOME, tell_home},
    {TOPIC_FILES, "shown", NULL, PROPERTY_BIND_READ_ONLY_PATHS, tell_shown},
    {TOPIC_FILES, "empty", NULL, PROPERTY_TEMPORARY_FILE_SYSTEM, tell_empty},
    {TOPIC_FILES, "out of reach", NULL, PROPERTY_INACCESSIBLE_PATHS, tell_inaccessible},
    {TOPIC_FILES, "temporary", NULL, PROPERTY_PRIVATE_TMP, tell_tmp},
    {TOPIC_FILES, "devices", NULL, PROPERTY_PRIVATE_DEVICES, tell_devices},
    {TOPIC_NETWORK, "addresses", NULL, PROPERTY_IP_DENY, tell_addresses},
    {TOPIC_CALLS, "the unit", NULL, PROPERTY_SYSTEM_CALL_FILTER, tell_unit_calls},
    {TOPIC_PROCESSES, "shared memory", NULL, PROPERTY_PRIVATE_IPC, tell_ipc},
    {TOPIC_LIMITS, "memory of the pool", NULL, PROPERTY_MEMORY_MAX, tell_pool_memory},
    {TOPIC_LIMITS, "tasks of the pool", NULL, PROPERTY_TASKS_MAX, tell_pool_tasks},
};

void sandbox_tell_unit(const SandboxView *v, SandboxReport *r)
{
    if (v->unit_known)
        report_rows(r, v, unit_rows, ARRAY_SIZE(unit_rows));
    else if (v->unit_reason)
        report_fact(r, TOPIC_FILES, "the unit", NULL, "%s", v->unit_reason);
}
