/*
 * The spec of a runtime program. Lines stand for its entries, as people can read them.
 */

#include "fuzz.h"

#include "link/spec.h"

#include <errno.h>

/* Every text and list can be walked through. */
static size_t walk(const char *const *list, size_t n)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += strlen(list[i]);
    return total;
}

static void check_spec(const RuntimeSpec *s)
{
    const char *const texts[] = {
        s->pool,      s->runtime,       s->chdir,         s->php_ini, s->status_path,
        s->ping_path, s->ping_response, s->access_format, s->chroot,  s->php_ini_scan_dir};
    size_t total = 0;

    check_that(s->pool != NULL);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        total += texts[i] ? strlen(texts[i]) : 0;
    total += walk(s->limit_extensions, s->n_limit_extensions);
    total += walk(s->access_suppress, s->n_access_suppress);
    total += walk(s->body_file_paths, s->n_body_file_paths);
    total += walk(s->syscalls, s->n_syscalls);
    total += walk(s->read_paths, s->n_read_paths) + walk(s->write_paths, s->n_write_paths);
    total += walk(s->exec_paths, s->n_exec_paths) + walk(s->tcp_ports, s->n_tcp_ports);
    total += walk(s->env, s->n_env) + walk(s->ini_keys, s->n_ini) + walk(s->ini_texts, s->n_ini);
    check_that(total <= SPEC_MAX_BYTES);
    check_that(s->seccomp < _SANDBOX_SECCOMP_MAX && s->log_level <= 7);
    check_that(s->max_params <= UINT32_MAX && s->max_params_bytes <= UINT32_MAX);
    for (size_t i = 0; i < s->n_ini; i++)
        check_that(s->ini_kinds[i] < _INI_KIND_MAX);
    for (size_t i = 0; i < s->n_allowed_clients; i++)
        check_that(s->allowed_clients[i].n_bits <= 128);
}

/* The descriptors that the entries name have to be there. */
static void open_descriptors(void)
{
    for (int fd = SPEC_FD + 1; fd < SPEC_FD + 16; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            check_that(dup2(STDIN_FILENO, fd) == fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    _cleanup_free_ char *text = malloc(size + 1);
    RuntimeSpec settings, spec;
    const char *error = NULL;
    int fd, r;

    check_that(text);
    if (!ready)
        open_descriptors();
    ready = true;
    for (size_t i = 0; i < size; i++)
        text[i] = data[i] == '\n' ? 0 : (char)data[i];
    fd = sealed_memory(text, size, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    check_that(lseek(fd, 0, SEEK_SET) == 0);
    r = spec_read_settings(fd, &settings, &error);
    check_that(r == 0 ? !error : r == -EBADMSG && error);
    if (r == 0) {
        check_spec(&settings);
        spec_done(&settings);
    }
    check_that(lseek(fd, 0, SEEK_SET) == 0);
    /* It asks for some descriptors besides. */
    if (spec_read(fd, &spec, &error) == 0) {
        check_that(r == 0 && spec.link_fd >= 0 && spec.handover_fd >= 0 && spec.n_listen_fds > 0);
        spec_done(&spec);
    }
    close(fd);
    return 0;
}
