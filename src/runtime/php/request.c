#include "runtime/mark.h"
#include "runtime/php/folder.h"
#include "runtime/php/messages.h"
#include "runtime/php/pages.h"
#include "runtime/php/php.h"
#include "runtime/php/renew.h"
#include "runtime/php/settings.h"
#include "runtime/php/stop.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <php_main.h>
#include <zend_stream.h>
#include <fopen_wrappers.h>

static const RuntimeSpec *spec;

/* Through PHP's realpath cache: no system call for a script that ran before. tsrm_realpath() begins
 * with the same look for an absolute path, after it has copied it. */
static bool path_exists(const char *path)
{
    char real[MAXPATHLEN];

    folder_settle(path);
    if (path[0] == '/' && realpath_cache_lookup(path, strlen(path), time(NULL)))
        return true;
    return tsrm_realpath(path, real);
}

static bool path_is_file(const char *path)
{
    struct stat st;

    folder_settle(path);
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int find_script(PhpRequest *r)
{
    const char *given[_SCRIPT_VARIABLE_MAX];
    ScriptRules rules = {
        .fix_pathinfo = php_settings.fix_pathinfo,
        .discard_path = php_settings.discard_path,
        .doc_root = PG(doc_root),
        .exists = path_exists,
        .is_file = path_is_file,
    };

    for (int v = 0; v < _SCRIPT_VARIABLE_MAX; v++)
        given[v] = request_param(r->request, script_variable_to_string((ScriptVariable)v));
    return script_resolve(&r->script, given, &rules);
}

/* Whether a script was named and looked for, and is not there. */
static bool is_missing(const PhpRequest *r)
{
    return !r->script.path && php_settings.fix_pathinfo &&
           (request_param(r->request, "SCRIPT_FILENAME") ||
            request_param(r->request, "PATH_TRANSLATED"));
}

/* Fills SG(request_info), before PHP's own start-up of the request. */
static void describe_request(PhpRequest *r)
{
    sapi_request_info *info = &SG(request_info);
    const char *length = request_param(r->request, "CONTENT_LENGTH");
    const char *type = request_param(r->request, "CONTENT_TYPE");

    r->has_length = length && *length;
    info->request_method = request_param(r->request, "REQUEST_METHOD");
    info->proto_num = 1000; /* HTTP/1.0: what CGI programs answer */
    info->query_string = (char *)(uintptr_t)request_param(r->request, "QUERY_STRING");
    info->request_uri = (char *)(uintptr_t)r->script.uri;
    info->path_translated = r->script.path ? estrdup(r->script.path) : NULL;
    info->content_type = type ? type : "";
    info->content_length = length ? MAX(0, atol(length)) : 0;
    SG(sapi_headers).http_response_code = is_missing(r) ? 404 : 200;
    php_handle_auth_data(request_param(r->request, "HTTP_AUTHORIZATION"));
    request_note_script(r->request, r->script.path);
    request_note_name(r->request, r->script.uri, info->auth_user);
}

/* The answers that need no script. PHP may bail out of any output. */
static void answer(int code, const char *text)
{
    zend_try
    {
        SG(sapi_headers).http_response_code = code;
        PUTS(text);
    }
    zend_end_try();
}

/* A fatal error that left the headers unsent is announced as the administrator says. */
static void set_error_header(void)
{
    sapi_header_line header = {.line = php_settings.error_header};

    if (EG(exit_status) != 255 || SG(headers_sent) || !header.line || !*header.line)
        return;
    header.line_len = strlen(header.line);
    zend_try
    {
        sapi_header_op(SAPI_HEADER_REPLACE, &header);
    }
    zend_end_try();
}

static void run_script(const PhpRequest *r)
{
    zend_file_handle file;
    int error;

    errno = 0;
    if (php_fopen_primary_script(&file) == FAILURE) {
        error = errno;
        messages_note(LOG_ERR, "Unable to open primary script: %s (%s)", r->script.path,
                      strerror(error));
        if (error == EACCES)
            answer(403, "Access denied.\n");
        else
            answer(404, "No input file specified.\n");
        return;
    }
    folder_enter(file.filename ? ZSTR_VAL(file.filename) : r->script.path);
    EG(exit_status) = 0;
    php_execute_script(&file);
    folder_leave();
    zend_destroy_file_handle(&file);
    set_error_header();
}

static void respond(PhpRequest *r)
{
    const char *path = r->script.path;

    /* The client is not there any more, or has an answer because it stalled in its body: what it
     * wanted is not done by halves. */
    if (request_aborted(r->request))
        return;
    if (!SG(request_info).request_method || pages_answer(r))
        return;
    if (!path) {
        messages_note(LOG_DEBUG, "Primary script unknown");
        answer(404, "File not found.\n");
        return;
    }
    if (!script_extension_allowed(path, spec->limit_extensions, spec->n_limit_extensions)) {
        messages_note(LOG_NOTICE,
                      "Access to the script '%s' has been denied (see security.limit_extensions)",
                      path);
        answer(403, "Access denied.\n");
        return;
    }
    run_script(r);
}

/* What PHP keeps pointers to after its shutdown would be read by the next request. */
static void forget_request(PhpRequest *r)
{
    SG(server_context) = NULL;
    SG(request_info).request_method = NULL;
    SG(request_info).query_string = NULL;
    SG(request_info).request_uri = NULL;
    SG(request_info).content_type = NULL;
    SG(request_info).path_translated = NULL;
    script_done(&r->script);
    r->body_fd = fd_close(r->body_fd);
}

int php_request_run(const RuntimeSpec *pool, Request *request)
{
    PhpRequest r = {.request = request, .spec = pool, .body_fd = -1};
    size_t memory_peak;
    int status;

    spec = pool;
    SG(server_context) = &r;
    EG(exit_status) = 0;
    stop_begin();
    if (find_script(&r) < 0) {
        forget_request(&r);
        return -ENOMEM;
    }
    describe_request(&r);
    pages_measure(&r);
    settings_apply_request();
    folder_settle(r.script.path);
    if (php_request_startup() == FAILURE) {
        forget_request(&r);
        return -EIO;
    }
    respond(&r);
    if (r.stopped)
        request_note_stopped(request);
    status = EG(exit_status);
    if (SG(request_info).path_translated) {
        efree(SG(request_info).path_translated);
        SG(request_info).path_translated = NULL;
    }
    memory_peak = zend_memory_peak_usage(true);
    renew_look();
    php_request_shutdown(NULL);
    mark_end();
    pages_note_use(&r, memory_peak);
    forget_request(&r);
    if (r.retire)
        request_finish(request, (uint32_t)(status & 0xff));
    return r.retire ? -ESTALE : status & 0xff;
}
