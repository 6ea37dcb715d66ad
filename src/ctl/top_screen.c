#include "ctl/top.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/fd.h"
#include "ctl/ask.h"
#include "ctl/colour.h"
#include "ctl/stack.h"
#include "ctl/top_pager.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <curses.h>

#define ROUND_USEC USEC_PER_SEC

/* What the view has besides the figures. */
typedef struct Screen {
    Top *top;
    size_t selected, first; /* of the rows; the first that is drawn */
    char pool[65];          /* of the selected row: it stays with its worker, not with its place */
    uint32_t pid;
    int from_column;
    char message[512]; /* in the last line, until the next key; "" */
} Screen;

static const char help[] =
    "Arrows, PgUp, PgDn, Home, End   move between workers; left and right: long lines\n"
    "s, S                            sort by the next key, by the one before\n"
    "T C M R A P                     sort by time of the request, CPU, memory, requests, age, pid\n"
    "r                               the other way round\n"
    "i                               without idle workers, or with them\n"
    "t, Enter                        call stack of the worker, which goes on undisturbed\n"
    "k                               end the worker: its client gets 503; asks first\n"
    "Space                           look again now\n"
    "h, ?                            this page\n"
    "q                               leave\n";

static const struct {
    int key;
    TopSort sort;
} sort_keys[] = {
    {'T', TOP_SORT_TIME},     {'C', TOP_SORT_CPU}, {'M', TOP_SORT_MEMORY},
    {'R', TOP_SORT_REQUESTS}, {'A', TOP_SORT_AGE}, {'P', TOP_SORT_PID},
};

static const TopRow *selected_row(const Screen *s)
{
    return s->selected < s->top->n_rows ? &s->top->rows[s->selected] : NULL;
}

static void remember_selected(Screen *s)
{
    const TopRow *row = selected_row(s);

    s->pid = row ? row->worker->pid : 0;
    snprintf(s->pool, sizeof(s->pool), "%s", row ? row->pool->name : "");
}

/* After the rows have changed: where its worker is now. */
static void follow_selected(Screen *s)
{
    for (size_t i = 0; s->pid && i < s->top->n_rows; i++)
        if (s->top->rows[i].worker->pid == s->pid &&
            strcmp(s->top->rows[i].pool->name, s->pool) == 0)
            s->selected = i;
    if (s->selected >= s->top->n_rows)
        s->selected = s->top->n_rows > 0 ? s->top->n_rows - 1 : 0;
    remember_selected(s);
}

/* ---- drawing ---- */

static int colour_of(const TopRow *row)
{
    if (!has_colors() || !colour_wanted(STDOUT_FILENO))
        return 0;
    return row->worker->request_age_usec > 10 * USEC_PER_SEC ? COLOR_PAIR(1)
           : row->worker->request_age_usec > 0               ? COLOR_PAIR(2)
                                                             : 0;
}

/* One line made by f for an object. */
static int draw_object(const Screen *s, int line, int attributes,
                       int (*f)(Buffer *b, const void *object), const void *object)
{
    _cleanup_buffer_ Buffer b = {0};
    int r = f(&b, object);

    if (r == 0 && line < LINES)
        pager_draw(line, b.data, b.size, s->from_column, attributes);
    return r;
}

static int write_pool(Buffer *b, const void *pool)
{
    return top_write_pool(b, pool);
}

static int write_row(Buffer *b, const void *row)
{
    return top_write_row(b, row);
}

static int draw_summary(const Screen *s)
{
    _cleanup_buffer_ Buffer b = {0};
    time_t now = time(NULL);
    struct tm tm;
    char clock[16];
    int r = buffer_printf(&b, "fpmctl top  ");

    if (r == 0 && localtime_r(&now, &tm) && strftime(clock, sizeof(clock), "%H:%M:%S", &tm) > 0)
        r = buffer_printf(&b, "%s  ", clock);
    if (r == 0)
        r = top_write_summary(&b, s->top);
    if (r == 0)
        pager_draw(0, b.data, b.size, 0, A_BOLD);
    return r;
}

static void draw_bottom(const Screen *s)
{
    char text[640];

    if (*s->message)
        snprintf(text, sizeof(text), "%s", s->message);
    else
        snprintf(text, sizeof(text),
                 "q: quit  s: sort (%s%s)  r: reverse  i: %s idle  t: trace  k: end  h: help",
                 top_sort_to_string(s->top->sort), s->top->reverse ? ", reverse" : "",
                 s->top->hide_idle ? "show" : "hide");
    pager_draw(LINES - 1, text, strlen(text), 0, *s->message ? A_BOLD : A_DIM);
}

/* The pools, in the upper half at most. Returns the next line, or -ENOMEM. */
static int draw_pools(const Screen *s, int line)
{
    size_t room = (size_t)MAX((LINES - 6) / 2, 1), n = MIN(s->top->n_pools, room);
    int r = draw_object(s, line++, A_REVERSE, write_pool, NULL);

    for (size_t i = 0; r == 0 && i < n; i++)
        r = draw_object(s, line++, A_NORMAL, write_pool, &s->top->pools[i]);
    if (r == 0 && n < s->top->n_pools) {
        char text[64];

        snprintf(text, sizeof(text), "(and %zu more)", s->top->n_pools - n);
        pager_draw(line++, text, strlen(text), 0, A_DIM);
    }
    return r < 0 ? r : line;
}

static int draw_rows(Screen *s, int line)
{
    size_t room = (size_t)MAX(LINES - 2 - line, 1);
    int r = draw_object(s, line++, A_REVERSE, write_row, NULL);

    if (s->first + room > s->top->n_rows) /* the screen has grown, or workers have gone */
        s->first = s->top->n_rows > room ? s->top->n_rows - room : 0;
    if (s->selected < s->first)
        s->first = s->selected;
    if (s->selected >= s->first + room)
        s->first = s->selected - room + 1;
    for (size_t i = s->first; r == 0 && i < s->top->n_rows && line < LINES - 1; i++)
        r = draw_object(s, line++, i == s->selected ? (int)A_STANDOUT : colour_of(&s->top->rows[i]),
                        write_row, &s->top->rows[i]);
    return r;
}

static int draw(Screen *s)
{
    int r, line;

    erase();
    r = draw_summary(s);
    line = r < 0 ? r : draw_pools(s, 2);
    r = line < 0 ? line : draw_rows(s, line + 1);
    draw_bottom(s);
    refresh();
    return r;
}

/* ---- what is done to a worker ---- */

static int show_stack(const char *pool, const Stack *stack)
{
    _cleanup_buffer_ Buffer b = {0};
    char title[256];
    int r = stack_write_text(&b, stack);

    if (r < 0)
        return r;
    snprintf(title, sizeof(title), "worker %" PRId32 " of pool %s, %s", stack->area.pid, pool,
             stack->area.method == TRACE_METHOD_INTERRUPT ? "told by itself" : "read from outside");
    pager_run(title, &b);
    return 0;
}

static void show_trace(Screen *s)
{
    _cleanup_stack_ Stack stack = {0};
    _cleanup_fd_ int fd = -1;

    if (!selected_row(s))
        return;
    fd = ask_connect(s->top->ctl, s->pool);
    if (fd == -ENOENT)
        ask_complain_nobody(s->top->ctl, s->pool);
    if (fd < 0 || stack_ask(s->top->ctl, s->pool, fd, s->pid, &stack) < 0 ||
        show_stack(s->pool, &stack) < 0)
        snprintf(s->message, sizeof(s->message), "%s", ctl_complaint());
}

static bool confirm(Screen *s)
{
    int key;

    snprintf(s->message, sizeof(s->message),
             "End worker %" PRIu32 " of pool %s? The client of its request gets 503. y/n", s->pid,
             s->pool);
    draw_bottom(s);
    refresh();
    timeout(-1);
    do
        key = getch();
    while (key == KEY_RESIZE);
    s->message[0] = 0;
    return key == 'y' || key == 'Y';
}

static void end_worker(Screen *s)
{
    _cleanup_answer_ Answer answer = ANSWER_NONE;
    _cleanup_fd_ int fd = -1;
    uint32_t pid = s->pid;

    if (!selected_row(s) || !confirm(s))
        return;
    fd = ask_connect(s->top->ctl, s->pool);
    if (fd == -ENOENT)
        ask_complain_nobody(s->top->ctl, s->pool);
    if (fd < 0 || ask(s->top->ctl, s->pool, fd, CONTROL_END, pid, &answer) < 0)
        snprintf(s->message, sizeof(s->message), "%s", ctl_complaint());
    else
        snprintf(s->message, sizeof(s->message), "worker %" PRIu32 " of pool %s: %s", pid, s->pool,
                 *answer.text ? answer.text : "ended");
}

static void show_help(void)
{
    _cleanup_buffer_ Buffer b = {0};

    if (buffer_append(&b, help, strlen(help)) == 0)
        pager_run("fpmctl top", &b);
}

/* ---- keys ---- */

static void move_by(Screen *s, int key)
{
    size_t n = s->top->n_rows, page = (size_t)MAX(LINES / 2, 1), last = n > 0 ? n - 1 : 0;

    if (key == KEY_UP)
        s->selected -= s->selected > 0;
    else if (key == KEY_DOWN)
        s->selected += s->selected < last;
    else if (key == KEY_PPAGE)
        s->selected -= MIN(s->selected, page);
    else if (key == KEY_NPAGE)
        s->selected = MIN(s->selected + page, last);
    else
        s->selected = key == KEY_HOME ? 0 : last;
    remember_selected(s);
}

/* The rows in the order that the key asks for. 0 or -ENOMEM. */
static int arrange(Screen *s, int key)
{
    Top *top = s->top;
    int r;

    for (size_t i = 0; i < ARRAY_SIZE(sort_keys); i++)
        if (sort_keys[i].key == key)
            top->sort = sort_keys[i].sort;
    if (key == 's')
        top->sort = (TopSort)((top->sort + 1) % _TOP_SORT_MAX);
    else if (key == 'S')
        top->sort = (TopSort)((top->sort + _TOP_SORT_MAX - 1) % _TOP_SORT_MAX);
    else if (key == 'r')
        top->reverse = !top->reverse;
    else if (key == 'i')
        top->hide_idle = !top->hide_idle;
    r = top_arrange(top);
    follow_selected(s);
    return r;
}

/* 1: leave; 2: look again at once; 0; -ENOMEM. */
static int take_key(Screen *s, int key)
{
    s->message[0] = 0;
    switch (key) {
    case 'q':
        return 1;
    case ' ':
        return 2;
    case KEY_UP:
    case KEY_DOWN:
    case KEY_PPAGE:
    case KEY_NPAGE:
    case KEY_HOME:
    case KEY_END:
        move_by(s, key);
        return 0;
    case KEY_LEFT:
        s->from_column = MAX(s->from_column - 16, 0);
        return 0;
    case KEY_RIGHT:
        s->from_column = MIN(s->from_column + 16, 4096);
        return 0;
    case 't':
    case '\r':
    case '\n':
    case KEY_ENTER:
        show_trace(s);
        return 2;
    case 'k':
        end_worker(s);
        return 2;
    case 'h':
    case '?':
        show_help();
        return 0;
    default:
        return arrange(s, key);
    }
}

/* Keys until the next round is due. As take_key(); 2 when it is. */
static int take_keys(Screen *s, uint64_t next_usec)
{
    int r = 0;

    while (r == 0) {
        uint64_t now = clock_monotonic_usec();
        int key;

        if (now >= next_usec)
            return 2;
        timeout((int)((next_usec - now + 999) / 1000));
        key = getch();
        /* Without a terminal it returns at once. */
        if (key == ERR && (isatty(STDIN_FILENO) == 0 || feof(stdin)))
            return 1;
        if (key != ERR && key != KEY_RESIZE)
            r = take_key(s, key);
        if (r == 0)
            r = draw(s);
    }
    return r;
}

static int loop(Screen *s)
{
    for (;;) {
        uint64_t now = clock_monotonic_usec();
        int r = top_refresh(s->top, now);

        follow_selected(s);
        if (r == 0)
            r = draw(s);
        if (r == 0)
            r = take_keys(s, now + ROUND_USEC);
        if (r != 2)
            return MIN(r, 0);
    }
}

int top_run(Top *top)
{
    Screen s = {.top = top};
    SCREEN *terminal;
    int r;

    setlocale(LC_ALL, "");
    terminal = newterm(NULL, stdout, stdin);
    if (!terminal) {
        ctl_complain("top: the terminal %s is not known; --once prints one picture",
                     getenv("TERM") ? getenv("TERM") : "");
        return EXIT_STATUS_FAILURE;
    }
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    set_escdelay(50);
    curs_set(0);
    if (has_colors() && colour_wanted(STDOUT_FILENO)) {
        start_color();
        use_default_colors();
        init_pair(1, COLOR_RED, -1);
        init_pair(2, COLOR_GREEN, -1);
    }
    ctl_complain_quietly(true);
    r = loop(&s);
    endwin();
    delscreen(terminal);
    ctl_complain_quietly(false);
    if (r < 0)
        ctl_complain("top: %s", strerror(-r));
    return r < 0 ? EXIT_STATUS_FAILURE : EXIT_STATUS_OK;
}
