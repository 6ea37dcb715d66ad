#include "runtime/php/messages.h"

#include "base/fd.h"
#include "log/log.h"
#include "runtime/php/php.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <zend_observer.h>

#define TEXT_MAX    8192 /* of a message of our own */
#define CAPTURE_MAX (1024 * 1024)

/* The error that PHP is about to log: the log callback gets only its text. */
typedef struct LastError {
    int type; /* E_WARNING, …; 0: none */
    char file[1024];
    uint32_t line;
} LastError;

static struct {
    const RuntimeSpec *spec;
    LastError last;
    int captured_fd, saved_stdout, saved_stderr; /* while PHP starts */
    int reason_priority;
    char reason[1024];
    char syntax_error[1024];
    char unloaded[512]; /* the first of n_unloaded extensions */
    unsigned n_unloaded;
    char last_line[512];
    LogRecord held; /* a fatal message while PHP starts: probably the reason, else it is sent */
    char held_text[1024];
    void (*on_fatal_start)(void);
} self = {.captured_fd = -1, .saved_stdout = -1, .saved_stderr = -1};

static const struct {
    int type;
    const char *name;
} levels[] = {
    {E_ERROR, "E_ERROR"},
    {E_WARNING, "E_WARNING"},
    {E_PARSE, "E_PARSE"},
    {E_NOTICE, "E_NOTICE"},
    {E_CORE_ERROR, "E_CORE_ERROR"},
    {E_CORE_WARNING, "E_CORE_WARNING"},
    {E_COMPILE_ERROR, "E_COMPILE_ERROR"},
    {E_COMPILE_WARNING, "E_COMPILE_WARNING"},
    {E_USER_ERROR, "E_USER_ERROR"},
    {E_USER_WARNING, "E_USER_WARNING"},
    {E_USER_NOTICE, "E_USER_NOTICE"},
    {E_STRICT, "E_STRICT"},
    {E_RECOVERABLE_ERROR, "E_RECOVERABLE_ERROR"},
    {E_DEPRECATED, "E_DEPRECATED"},
    {E_USER_DEPRECATED, "E_USER_DEPRECATED"},
};

static const char *level_name(int type)
{
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
        if (levels[i].type == type)
            return levels[i].name;
    return "E_UNKNOWN";
}

static void remember_reason(int priority, const char *text)
{
    if (self.captured_fd < 0 || (self.reason[0] && priority > self.reason_priority))
        return;
    self.reason_priority = priority;
    snprintf(self.reason, sizeof(self.reason), "%s", text);
}

/* Extensions that php.ini or the pool asks for. PHP goes on without. */
static void note_unloaded(int type, const char *message)
{
    if (!(type & E_CORE_WARNING) || (!strstr(message, "Unable to load dynamic library") &&
                                     !strstr(message, "Failed loading Zend extension")))
        return;
    if (self.n_unloaded++ == 0)
        snprintf(self.unloaded, sizeof(self.unloaded), "%s", message);
}

static void on_error(int type, zend_string *file, uint32_t line, zend_string *message)
{
    self.last.type = type & E_ALL;
    self.last.line = line;
    snprintf(self.last.file, sizeof(self.last.file), "%s", file ? ZSTR_VAL(file) : "");
    if (self.captured_fd < 0)
        return;
    note_unloaded(type, ZSTR_VAL(message));
    if (type & E_CORE_ERROR && self.on_fatal_start) {
        messages_log(ZSTR_VAL(message), LOG_ERR);
        self.on_fatal_start();
    }
}

/* Whether a logged text is that of the last error, by its end: " in FILE on line N". */
static bool is_last_error(const char *message)
{
    char end[sizeof(self.last.file) + 32];
    size_t n_message = strlen(message), n;

    if (self.last.type == 0)
        return false;
    n = (size_t)snprintf(end, sizeof(end), " in %s on line %u",
                         self.last.file[0] ? self.last.file : "Unknown", self.last.line);
    return n_message >= n && strcmp(message + n_message - n, end) == 0;
}

static void add_request_fields(LogRecord *r)
{
    PhpRequest *request = php_request();
    const char *text;

    log_record_field(r, "WORKER_PID", "%d", (int)getpid());
    if (self.spec)
        log_record_field(r, "GENERATION", "%u", self.spec->generation);
    if (!request)
        return;
    if (SG(request_info).request_method)
        log_record_field(r, "REQUEST_METHOD", "%s", SG(request_info).request_method);
    text = request_param(request->request, "REQUEST_URI");
    if (text)
        log_record_field(r, "REQUEST_URI", "%s", text);
    text = request_param(request->request, "REQUEST_ID");
    if (text)
        log_record_field(r, "REQUEST_ID", "%s", text);
    text = request->script.path;
    if (text)
        log_record_field(r, "SCRIPT", "%s", text);
}

/* With stderr captured, records that go to stderr would come back as messages. */
static void send_record(LogRecord *r, const char *text)
{
    if (self.captured_fd >= 0)
        dup2(self.saved_stderr, STDERR_FILENO);
    log_record_send(r, "%s", text);
    if (self.captured_fd >= 0)
        dup2(self.captured_fd, STDERR_FILENO);
}

/* The form that PHP-FPM gives to STDERR and that nginx's error log shows. */
static void send_stderr(const char *prefix, const char *text)
{
    PhpRequest *r = php_request();
    _cleanup_free_ char *line = NULL;
    int n;

    if (!r || r->finished || !php_settings.logging || (!*prefix && !*text))
        return;
    n = asprintf(&line, "%s%s%s", r->messages++ > 0 ? "; " : "", prefix, text);
    if (n > 0)
        request_write_error(r->request, line, (size_t)n);
}

static void release_held(bool failed)
{
    if (self.held_text[0] && !(failed && strcmp(self.held_text, self.reason) == 0))
        send_record(&self.held, self.held_text);
    self.held_text[0] = 0;
}

void messages_log(const char *message, int severity)
{
    LogRecord r;

    remember_reason(severity, message);
    log_record_begin(&r, severity, LOG_MESSAGE_PHP_MESSAGE);
    add_request_fields(&r);
    if (is_last_error(message)) {
        log_record_field(&r, "PHP_LEVEL", "%s", level_name(self.last.type));
        log_record_field(&r, "CODE_FILE", "%s", self.last.file);
        log_record_field(&r, "CODE_LINE", "%u", self.last.line);
    }
    self.last.type = 0;
    if (self.captured_fd >= 0 && severity <= LOG_ERR && *message) {
        release_held(false);
        self.held = r;
        snprintf(self.held_text, sizeof(self.held_text), "%s", message);
        return;
    }
    send_record(&r, message);
    send_stderr("PHP message: ", message);
}

void messages_note(int priority, const char *format, ...)
{
    char text[TEXT_MAX];
    LogRecord r;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    log_record_begin(&r, priority, LOG_MESSAGE_PHP_MESSAGE);
    add_request_fields(&r);
    send_record(&r, text);
    send_stderr("", text);
}

void messages_init(const RuntimeSpec *spec)
{
    self.spec = spec;
}

void messages_watch(void)
{
    zend_observer_error_register(on_error);
}

int messages_capture(void)
{
    fflush(NULL);
    self.saved_stdout = dup(STDOUT_FILENO);
    self.saved_stderr = dup(STDERR_FILENO);
    self.captured_fd = memfd_create("php-start", MFD_CLOEXEC);
    if (self.captured_fd < 0 || self.saved_stdout < 0 || self.saved_stderr < 0)
        return -errno;
    fd_set_cloexec(self.saved_stdout, true);
    fd_set_cloexec(self.saved_stderr, true);
    if (dup2(self.captured_fd, STDOUT_FILENO) < 0 || dup2(self.captured_fd, STDERR_FILENO) < 0)
        return -errno;
    return 0;
}

/* PHP's parser writes this past its own logging. True for the first. */
static bool note_syntax_error(const char *line)
{
    static const char prefix[] = "PHP:  ";

    if (self.syntax_error[0] || strncmp(line, prefix, strlen(prefix)) != 0 ||
        !strstr(line, " on line "))
        return false;
    snprintf(self.syntax_error, sizeof(self.syntax_error), "%s", line + strlen(prefix));
    return true;
}

void messages_release(bool failed)
{
    _cleanup_fd_ int fd = self.captured_fd;
    _cleanup_free_ char *text = NULL;
    char *rest, *line;

    fflush(NULL);
    if (self.saved_stdout >= 0)
        dup2(self.saved_stdout, STDOUT_FILENO);
    if (self.saved_stderr >= 0)
        dup2(self.saved_stderr, STDERR_FILENO);
    self.saved_stdout = fd_close(self.saved_stdout);
    self.saved_stderr = fd_close(self.saved_stderr);
    if (fd < 0 || fd_read_all(fd, CAPTURE_MAX, &text, NULL) < 0)
        text = NULL;
    rest = text;
    while ((line = strsep(&rest, "\n"))) {
        if (!*line || note_syntax_error(line))
            continue;
        remember_reason(LOG_WARNING, line);
        if (failed && strcmp(line, self.reason) == 0)
            continue;
        log_text(LOG_WARNING, LOG_MESSAGE_PHP_MESSAGE, "%s", line);
    }
    self.captured_fd = -1;
    release_held(failed);
}

const char *messages_reason(void)
{
    return self.reason;
}

const char *messages_syntax_error(void)
{
    return self.syntax_error;
}

unsigned messages_count_unloaded(const char **ret_first)
{
    *ret_first = self.unloaded;
    return self.n_unloaded;
}

/* The last line of a text, if it has any. */
static void note_last_line(const char *text, size_t n)
{
    size_t begin;

    while (n > 0 && text[n - 1] == '\n')
        n--;
    begin = n;
    while (begin > 0 && text[begin - 1] != '\n')
        begin--;
    if (n == begin)
        return;
    n = MIN(n - begin, sizeof(self.last_line) - 1);
    memcpy(self.last_line, text + begin, n);
    self.last_line[n] = 0;
}

const char *messages_last_words(void)
{
    static char text[8192];
    off_t at = 0;
    ssize_t n;

    if (self.captured_fd < 0)
        return "";
    while ((n = pread(self.captured_fd, text, sizeof(text), at)) > 0) {
        note_last_line(text, (size_t)n);
        if (write(self.saved_stderr, text, (size_t)n) != n)
            break;
        at += n;
    }
    note_last_line(self.held_text, strlen(self.held_text));
    return self.last_line;
}

void messages_on_fatal_start(void (*handler)(void))
{
    self.on_fatal_start = handler;
}
