#include "ctl/stack.h"

#include "ctl/ask.h"
#include "status/escape.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* A line of the text, cut at its tabs; the last field of a short line is "". */
typedef struct Frame {
    char *address, *function, *place;
} Frame;

void stack_done(Stack *stack)
{
    free(stack->text);
    *stack = (Stack){0};
}

/* What the template found instead of a stack. */
static void complain(const char *pool, uint64_t pid, int error)
{
    static const struct {
        int error;
        const char *text;
    } reasons[] = {
        {-ESRCH, "it is gone, or runs no script"},
        {-ESTALE, "it has another request by now"},
        {-EPERM, "this kernel does not let its template read its memory"},
        {-EIO, "what was read of its memory made no sense; another try may succeed"},
    };
    const char *text = strerror(-error);

    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].error == error)
            text = reasons[i].text;
    ctl_complain("%s: worker %" PRIu64 ": %s", pool, pid, text);
}

int stack_ask(const Ctl *ctl, const char *pool, int fd, uint64_t pid, Stack *ret)
{
    _cleanup_answer_ Answer answer = ANSWER_NONE;
    _cleanup_stack_ Stack stack = {0};
    int r = ask(ctl, pool, fd, CONTROL_TRACE, pid, &answer);

    if (r < 0)
        return r;
    r = answer.fd < 0 ? -EBADMSG : trace_read(answer.fd, &stack.area, &stack.text);
    if (r < 0) {
        ctl_complain("%s: worker %" PRIu64 ": the call stack that came made no sense: %s", pool,
                     pid, strerror(-r));
        return r;
    }
    if (stack.area.result < 0) {
        complain(pool, pid, stack.area.result);
        return stack.area.result;
    }
    *ret = stack;
    stack = (Stack){0};
    return 0;
}

/* Takes the next line from *p. False at the end. */
static bool next_frame(char **p, Frame *ret)
{
    char *line = strsep(p, "\n");

    if (!line || !*line)
        return false;
    ret->address = strsep(&line, "\t");
    ret->function = line ? strsep(&line, "\t") : line;
    ret->place = line;
    if (!ret->function)
        ret->function = strchr(ret->address, 0);
    if (!ret->place)
        ret->place = strchr(ret->function, 0);
    return true;
}

static int write_frame(Buffer *b, const Frame *frame, unsigned number)
{
    int r = buffer_printf(b, "#%-3u ", number);

    if (r == 0)
        r = escape_text(b, frame->function);
    if (r == 0 && *frame->place) {
        r = buffer_printf(b, "  ");
        if (r == 0)
            r = escape_text(b, frame->place);
    }
    return r < 0 ? r : buffer_append(b, "\n", 1);
}

int stack_write_text(Buffer *b, const Stack *stack)
{
    _cleanup_free_ char *copy = strdup(stack->text);
    char *p = copy;
    Frame frame;
    unsigned n = 0;
    int r = copy ? 0 : -ENOMEM;

    while (r == 0 && next_frame(&p, &frame))
        r = write_frame(b, &frame, n++);
    if (r == 0 && stack->area.more > 0)
        r = buffer_printf(b, "(and %" PRIu32 " more)\n", stack->area.more);
    return r;
}

/* The line number behind the last colon; 0: there is none, and place is left whole. */
static unsigned cut_line(char *place)
{
    char *colon = strrchr(place, ':');

    if (!colon || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")])
        return 0;
    *colon = 0;
    return (unsigned)strtoul(colon + 1, NULL, 10);
}

static int write_json_frame(Buffer *b, Frame *frame, bool first)
{
    unsigned line = cut_line(frame->place);
    int r = buffer_printf(b, "%s\n    {\"function\": ", first ? "" : ",");

    if (r == 0)
        r = escape_json(b, frame->function);
    if (r == 0)
        r = buffer_printf(b, ", \"file\": ");
    if (r == 0)
        r = *frame->place ? escape_json(b, frame->place) : buffer_append(b, "null", 4);
    if (r == 0)
        r = buffer_printf(b, ", \"line\": ");
    if (r == 0)
        r = line > 0 ? buffer_printf(b, "%u", line) : buffer_append(b, "null", 4);
    return r < 0 ? r : buffer_append(b, "}", 1);
}

int stack_write_json(Buffer *b, const char *pool, const Stack *stack)
{
    static const char *const methods[] = {
        [TRACE_METHOD_NONE] = "none",
        [TRACE_METHOD_INTERRUPT] = "interrupt",
        [TRACE_METHOD_READ] = "read",
    };
    _cleanup_free_ char *copy = strdup(stack->text);
    const TraceArea *a = &stack->area;
    bool first = true;
    char *p = copy;
    Frame frame;
    int r = copy ? 0 : -ENOMEM;

    if (r == 0)
        r = buffer_printf(b, "{\n  \"pool\": ");
    if (r == 0)
        r = escape_json(b, pool);
    if (r == 0)
        r = buffer_printf(b,
                          ",\n  \"pid\": %" PRId32 ",\n  \"method\": \"%s\",\n  \"cost_usec\": "
                          "%" PRIu64 ",\n  \"more\": %" PRIu32 ",\n  \"frames\": [",
                          a->pid, a->method < _TRACE_METHOD_MAX ? methods[a->method] : "none",
                          a->cost_usec, a->more);
    for (; r == 0 && next_frame(&p, &frame); first = false)
        r = write_json_frame(b, &frame, first);
    return r < 0 ? r : buffer_printf(b, first ? "]\n}\n" : "\n  ]\n}\n");
}
