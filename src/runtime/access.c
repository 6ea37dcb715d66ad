#include "runtime/access.h"

#include "access/format.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES_SIZE   (32 * 1024)
#define AGE_MAX_USEC (1 * USEC_PER_SEC)
#define TELL_USEC    (60 * USEC_PER_SEC) /* between two complaints about the file */

/* Handlers of fatal signals write the lines, too: "used" counts whole ones, and grows after they
 * are in place. */
static struct {
    const RuntimeSpec *spec;
    AccessFormat *format; /* NULL: nothing is recorded */
    pid_t pid, manager_pid;
    bool wants_cpu, wants_remote;
    size_t write_max; /* bytes of one write(2): a pipe takes so many without a pause between */
    struct rusage own_before, children_before;
    Buffer line;
    uint64_t oldest_usec; /* of lines */
    uint64_t dropped;
    uint64_t told_usec;
    int error;   /* of the last write that dropped lines, until it was told */
    bool broken; /* the file ends in the middle of a line */
    volatile size_t used;
    char lines[LINES_SIZE];
} self;

static void learn_file(void)
{
    struct stat st;

    self.write_max = SIZE_MAX;
    if (fstat(self.spec->access_fd, &st) == 0 && !S_ISREG(st.st_mode))
        self.write_max = PIPE_BUF;
    self.broken = false;
}

int access_init(const RuntimeSpec *spec, pid_t manager_pid, ConnectionShared *shared)
{
    char error[256];
    int r;

    if (!spec->access_format || (!spec->access_journal && spec->access_fd < 0))
        return 0;
    r = access_format_new(spec->access_format, &self.format, error, sizeof(error));
    if (r < 0)
        return r;
    self.spec = spec;
    self.pid = getpid();
    self.manager_pid = manager_pid;
    self.wants_cpu = access_format_wants(self.format, 'C');
    self.wants_remote = spec->access_journal || access_format_wants(self.format, 'R');
    connection_shared_keep_notes(shared, access_format_wants(self.format, 'o'));
    if (!spec->access_journal)
        learn_file();
    return 0;
}

/* ---- the file ---- */

static size_t count_lines(const char *p, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += p[i] == '\n';
    return count;
}

/* As many whole lines as one write(2) may have; a longer line alone. */
static size_t take_lines(const char *p, size_t n)
{
    const char *end;

    if (n <= self.write_max)
        return n;
    end = memrchr(p, '\n', self.write_max);
    if (!end)
        end = memchr(p, '\n', n);
    return end ? (size_t)(end + 1 - p) : n;
}

static ssize_t write_once(const char *p, size_t n)
{
    ssize_t done;

    do
        done = write(self.spec->access_fd, p, n);
    while (done < 0 && errno == EINTR);
    return done;
}

/* What cannot be written now is dropped: no request waits for a log. Async-signal-safe. */
static void write_lines(const char *p, size_t n)
{
    while (n > 0) {
        size_t due = take_lines(p, n);
        ssize_t done;

        if (self.broken && write_once("\n", 1) == 1)
            self.broken = false;
        done = self.broken ? -1 : write_once(p, due);
        if (done < 0) {
            self.error = errno;
            self.dropped += count_lines(p, n);
            return;
        }
        p += done;
        n -= (size_t)done;
        if ((size_t)done == due)
            continue;
        /* The rest of a line that was cut is no line: the next ones begin behind a new end. */
        self.broken = done > 0 && p[-1] != '\n';
        if (self.broken) {
            const char *end = memchr(p, '\n', n);

            self.dropped++;
            n -= end ? (size_t)(end + 1 - p) : n;
            p = end ? end + 1 : p;
        }
    }
}

static void complain(uint64_t now_usec)
{
    LogRecord record;

    if (self.told_usec > 0 && now_usec - self.told_usec < TELL_USEC)
        return;
    self.told_usec = now_usec;
    log_record_begin(&record, LOG_WARNING, LOG_MESSAGE_LOG_FILE);
    log_record_field(&record, "REASON", "%s", strerror(self.error));
    log_record_send(&record,
                    "%" PRIu64 " lines of access.log were dropped, it cannot be written: %s",
                    self.dropped, strerror(self.error));
    self.error = 0;
}

void access_flush_dying(void)
{
    size_t n = self.used;

    self.used = 0; /* first: a signal may end the process in the middle of this */
    if (n > 0)
        write_lines(self.lines, n);
}

void access_flush(void)
{
    access_flush_dying();
    if (self.error != 0)
        complain(clock_monotonic_usec());
}

void access_disown(void)
{
    self.used = 0;
    self.format = access_format_free(self.format);
}

bool access_is_pending(void)
{
    return self.used > 0;
}

void access_look(bool idle)
{
    if (idle || clock_monotonic_usec() - self.oldest_usec >= AGE_MAX_USEC)
        access_flush();
}

uint64_t access_dropped(void)
{
    return self.dropped;
}

void access_replace(const RuntimeSpec *spec, int fd)
{
    if (spec->access_fd >= 0)
        dup3(fd, spec->access_fd, O_CLOEXEC);
    fd_close(fd);
}

void access_reopen(int fd)
{
    if (!self.format) {
        fd_close(fd);
        return;
    }
    access_replace(self.spec, fd);
    learn_file();
}

static void add_line(uint64_t now_usec)
{
    const Buffer *line = &self.line;

    if (self.used > 0 &&
        (line->size > LINES_SIZE - self.used || now_usec - self.oldest_usec >= AGE_MAX_USEC))
        access_flush();
    if (line->size > LINES_SIZE) {
        write_lines(line->data, line->size);
        return; /* the next flush complains if need be */
    }
    if (self.used == 0)
        self.oldest_usec = now_usec;
    memcpy(self.lines + self.used, line->data, line->size);
    self.used += line->size;
}

/* ---- what a record says ---- */

static const char *find_param(void *r, const char *name)
{
    return request_param(r, name);
}

static const char *find_header(void *r, const char *name)
{
    return request_header(r, name);
}

static uint64_t elapsed_usec(const struct timeval *from, const struct timeval *to)
{
    return (uint64_t)(to->tv_sec - from->tv_sec) * USEC_PER_SEC + (uint64_t)to->tv_usec -
           (uint64_t)from->tv_usec;
}

/* Of the worker and of the children that it has waited for. */
static void measure_cpu(AccessValues *v)
{
    struct rusage own, children;

    if (!self.wants_cpu || getrusage(RUSAGE_SELF, &own) < 0 ||
        getrusage(RUSAGE_CHILDREN, &children) < 0)
        return;
    v->cpu_user_usec = elapsed_usec(&self.own_before.ru_utime, &own.ru_utime) +
                       elapsed_usec(&self.children_before.ru_utime, &children.ru_utime);
    v->cpu_system_usec = elapsed_usec(&self.own_before.ru_stime, &own.ru_stime) +
                         elapsed_usec(&self.children_before.ru_stime, &children.ru_stime);
}

static void fill_values(const Request *r, const RequestFacts *facts, uint64_t now_usec,
                        AccessValues *v)
{
    const char *length = request_param(r, "CONTENT_LENGTH");

    *v = (AccessValues){
        .pool = self.spec->pool,
        .pid = self.pid,
        .manager_pid = self.manager_pid,
        .method = request_param(r, "REQUEST_METHOD"),
        .uri = facts->name,
        .query = request_param(r, "QUERY_STRING"),
        .script = facts->script,
        .user = facts->user,
        .remote = facts->remote,
        .status = facts->status,
        .ended_realtime_usec = clock_realtime_usec(),
        .duration_usec = now_usec - facts->begun_usec,
        .memory_peak_bytes = facts->memory_peak_bytes,
        .param = find_param,
        .header = find_header,
        .userdata = (void *)(uintptr_t)r,
    };
    v->begun_realtime_usec = v->ended_realtime_usec - v->duration_usec;
    if (length)
        parse_u64(length, 0, INT64_MAX, &v->content_length);
    measure_cpu(v);
}

/* A record of the journal has what a line may have in fields of their own. */
static void send_record(const Request *r, const RequestFacts *facts, const AccessValues *v)
{
    const struct {
        const char *field, *text;
    } texts[] = {
        {"REQUEST_ID", request_param(r, "REQUEST_ID")},
        {"REQUEST_METHOD", v->method},
        {"REQUEST_URI", request_param(r, "REQUEST_URI")},
        {"QUERY", v->query},
        {"SCRIPT", v->script},
        {"REQUEST_USER", v->user},
        {"WEB_SERVER", v->remote},
        {"REMOTE_ADDR", request_param(r, "REMOTE_ADDR")},
    };
    LogRecord record;

    /* Who asks for records of requests gets them at whatever log_level. */
    log_set_max_priority(MAX(self.spec->log_level, LOG_INFO));
    log_record_begin(&record, LOG_INFO, LOG_MESSAGE_ACCESS);
    log_record_field(&record, "WORKER_PID", "%d", (int)self.pid);
    log_record_field(&record, "GENERATION", "%u", self.spec->generation);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (texts[i].text && *texts[i].text)
            log_record_field(&record, texts[i].field, "%s", texts[i].text);
    log_record_field(&record, "HTTP_STATUS", "%u", v->status);
    log_record_field(&record, "DURATION_USEC", "%" PRIu64, v->duration_usec);
    log_record_field(&record, "CONTENT_LENGTH", "%" PRIu64, v->content_length);
    log_record_field(&record, "RESPONSE_BYTES", "%" PRIu64, facts->bytes_out);
    log_record_field(&record, "MEMORY_PEAK", "%" PRIu64, v->memory_peak_bytes);
    log_record_send(&record, "%.*s", (int)MIN(self.line.size, (size_t)INT_MAX), self.line.data);
    log_set_max_priority(self.spec->log_level);
}

/* As PHP-FPM has it: successful requests that had nothing but their URI. */
static bool is_suppressed(const AccessValues *v)
{
    if (self.spec->n_access_suppress == 0 || (v->query && *v->query) || v->content_length > 0 ||
        v->status < 200 || v->status > 299 || !v->uri || !v->method ||
        (strcmp(v->method, "GET") != 0 && strcmp(v->method, "HEAD") != 0))
        return false;
    for (size_t i = 0; i < self.spec->n_access_suppress; i++)
        if (strcmp(v->uri, self.spec->access_suppress[i]) == 0)
            return true;
    return false;
}

void access_begin(void)
{
    if (!self.format || !self.wants_cpu)
        return;
    getrusage(RUSAGE_SELF, &self.own_before);
    getrusage(RUSAGE_CHILDREN, &self.children_before);
}

void access_record(const Request *r, uint64_t now_usec)
{
    RequestFacts facts;
    AccessValues values;

    if (!self.format)
        return;
    request_facts(r, self.wants_remote, &facts);
    fill_values(r, &facts, now_usec, &values);
    if (is_suppressed(&values))
        return;
    self.line.size = 0;
    if (access_format_write(self.format, &values, &self.line) < 0) {
        self.dropped++;
        return;
    }
    if (self.spec->access_journal)
        send_record(r, &facts, &values);
    else
        add_line(now_usec);
}
