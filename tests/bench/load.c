/*
 * fpmd-load: many clients of FastCGI pools in one epoll loop, each request accounted for; one line
 * of JSON at the end.
 */

#include "address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "client.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define ADDRESSES_MAX 4096

typedef struct Load {
    ClientRules rules;
    Address addresses[ADDRESSES_MAX];
    size_t n_addresses;
    uint64_t n_clients, duration_usec, max_requests, window_usec;
    const char *samples_path;
    Client *clients; /* on the addresses in turn */
    Tally tally;
    uint64_t end_usec;
} Load;

/* SIGTERM: no new requests. */
static volatile sig_atomic_t is_told_to_end;

static void on_term(int number)
{
    (void)number;
    is_told_to_end = true;
}

static bool is_over(const Load *l, uint64_t now_usec)
{
    return is_told_to_end || now_usec >= l->end_usec ||
           (l->max_requests > 0 && l->tally.begun >= l->max_requests);
}

/* Starts what is due. Returns whether anything is left to do, and when to come again. */
static bool pump(Load *l, uint64_t *ret_next_usec)
{
    uint64_t now_usec = clock_monotonic_usec(), next_usec = now_usec + 100 * USEC_PER_MSEC;
    bool busy = !is_over(l, now_usec);

    for (uint64_t i = 0; i < l->n_clients; i++) {
        Client *c = &l->clients[i];
        uint64_t usec;

        if (!c->running && c->due_usec <= now_usec && !is_over(l, now_usec) &&
            client_start(c, now_usec) < 0) {
            fputs("fpmd-load: not enough memory\n", stderr);
            exit(1);
        }
        usec = client_tick(c, now_usec);
        busy |= c->running;
        if (usec < next_usec && (c->running || !is_over(l, now_usec)))
            next_usec = usec;
    }
    *ret_next_usec = next_usec;
    return busy;
}

static void run(Load *l)
{
    struct epoll_event events[256];
    uint64_t next_usec;

    l->tally.start_usec = clock_monotonic_usec();
    l->end_usec = l->duration_usec > 0 ? l->tally.start_usec + l->duration_usec : USEC_INFINITY;
    for (uint64_t i = 0; i < l->n_clients; i++)
        client_init(&l->clients[i], &l->rules, &l->tally, &l->addresses[i % l->n_addresses],
                    (unsigned)i, l->tally.start_usec);
    while (pump(l, &next_usec)) {
        uint64_t now_usec = clock_monotonic_usec();
        int wait_msec = next_usec > now_usec ? (int)((next_usec - now_usec + 999) / 1000) : 0;
        int n = epoll_wait(l->rules.epoll_fd, events, ARRAY_SIZE(events), wait_msec);

        for (int i = 0; i < n; i++)
            client_on_events(events[i].data.ptr, events[i].events);
    }
    l->tally.end_usec = clock_monotonic_usec();
}

static void usage(void)
{
    fputs("usage: fpmd-load [options] SOCKET-PATH|HOST:PORT…\n"
          "  -c N        clients at a time, on the addresses in turn (1)\n"
          "  -d TIME     duration: 5s, 500ms (2s, unless -n)\n"
          "  -n N        number of requests instead\n"
          "  -k          kept-alive connections\n"
          "  -S          strict: a kept connection that is closed is not opened again\n"
          "  -s PATH     SCRIPT_FILENAME\n"
          "  -u URI      REQUEST_URI and SCRIPT_NAME (/index.php)\n"
          "  -q QUERY    QUERY_STRING\n"
          "  -i          an id in each query, which the script has to say (load.php of the tests)\n"
          "  -b SIZE     bytes of the request body (0)\n"
          "  -a SIZE     with -i: bytes of the answer; the script is told so with size=SIZE\n"
          "  -z SIZE     without -i: bytes of the body of every answer, which is not kept\n"
          "  -P NAME=VALUE  a parameter, in place of ours of that name; up to 8\n"
          "  -e TEXT     without -i: the body that every answer must have\n"
          "  -t TIME     time limit of one request (30s)\n"
          "  -p MIN-MAX  pause of a client between two requests, evenly spread, 200ms-1s\n"
          "  -x N        N of 1000 requests are given up by the client\n"
          "  -r SEED     of -p and -x, and the first four digits of the ids (1)\n"
          "  -w TIME     counts and latencies of each such piece of the time, too\n"
          "  -o FILE     when each request ended and how long it took, in microseconds\n",
          stderr);
    exit(64);
}

static int parse_pause(ClientRules *rules, char *text)
{
    char *dash = strchr(text, '-');

    if (!dash)
        return -EINVAL;
    *dash = 0;
    if (parse_usec(text, &rules->pause_min_usec) < 0 ||
        parse_usec(dash + 1, &rules->pause_max_usec) < 0 ||
        rules->pause_max_usec < rules->pause_min_usec)
        return -EINVAL;
    return 0;
}

static int parse_number(Load *l, int option, const char *text)
{
    uint64_t n;
    int r;

    switch (option) {
    case 'c':
        return parse_u64(text, 1, 65535, &l->n_clients);
    case 'd':
        return parse_usec(text, &l->duration_usec);
    case 'n':
        return parse_u64(text, 1, UINT64_MAX, &l->max_requests);
    case 'b':
        return parse_size(text, &l->rules.form.body_size);
    case 'a':
        return parse_size(text, &l->rules.form.answer_size);
    case 'z':
        return parse_size(text, &l->rules.form.expect_size);
    case 't':
        return parse_usec(text, &l->rules.timeout_usec);
    case 'r':
        return parse_u64(text, 0, UINT64_MAX, &l->rules.seed);
    case 'w':
        return parse_usec(text, &l->window_usec);
    case 'x':
        r = parse_u64(text, 0, 1000, &n);
        if (r == 0)
            l->rules.abort_permille = (unsigned)n;
        return r;
    default:
        return -EINVAL;
    }
}

static int parse_option(Load *l, int option, char *text)
{
    RequestForm *form = &l->rules.form;

    switch (option) {
    case 'k':
        form->keep = true;
        return 0;
    case 'S':
        l->rules.strict = true;
        return 0;
    case 'i':
        form->with_ids = true;
        return 0;
    case 's':
        form->script = text;
        return 0;
    case 'u':
        form->uri = text;
        return 0;
    case 'q':
        form->query = text;
        return 0;
    case 'e':
        form->expect = text;
        return 0;
    case 'P':
        if (form->n_extras == EXTRAS_MAX || !strchr(text, '='))
            return -EINVAL;
        form->extras[form->n_extras++] = text;
        return 0;
    case 'o':
        l->samples_path = text;
        return 0;
    case 'p':
        return parse_pause(&l->rules, text);
    default:
        return parse_number(l, option, text);
    }
}

static void parse_options(Load *l, int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "c:d:n:kSs:u:q:ib:a:e:t:p:x:r:w:o:z:P:")) >= 0)
        if (parse_option(l, option, optarg) < 0)
            usage();
    for (; optind < argc; optind++)
        if (l->n_addresses == ADDRESSES_MAX ||
            address_parse(argv[optind], &l->addresses[l->n_addresses++]) < 0)
            usage();
    if (l->n_addresses == 0)
        usage();
    if (l->duration_usec == 0 && l->max_requests == 0)
        l->duration_usec = 2 * USEC_PER_SEC;
}

/* Tells the script how long an answer is wanted. */
static int complete_query(RequestForm *form, char *room, size_t size)
{
    int n;

    if (form->answer_size == 0)
        return 0;
    n = snprintf(room, size, "size=%llu%s%s", (unsigned long long)form->answer_size,
                 *form->query ? "&" : "", form->query);
    form->query = room;
    return n < (int)size ? 0 : -E2BIG;
}

int main(int argc, char **argv)
{
    static Load l = {
        .n_clients = 1,
        .rules = {.form = {.script = "/index.php", .uri = "/index.php", .query = ""},
                  .timeout_usec = 30 * USEC_PER_SEC,
                  .seed = 1},
    };
    char query[256];
    bool failed;

    parse_options(&l, argc, argv);
    signal(SIGTERM, on_term);
    l.rules.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l.clients = calloc(l.n_clients, sizeof(*l.clients));
    if (l.rules.epoll_fd < 0 || !l.clients ||
        complete_query(&l.rules.form, query, sizeof(query)) < 0) {
        fputs("fpmd-load: not enough memory\n", stderr);
        return 1;
    }
    run(&l);
    failed = tally_failed(&l.tally) > 0 || l.tally.stray > 0 ||
             (l.rules.strict && l.tally.closed_idle > 0);
    if (l.samples_path && tally_write_samples(&l.tally, l.samples_path) < 0) {
        fprintf(stderr, "fpmd-load: %s: %m\n", l.samples_path);
        failed = true;
    }
    tally_print(&l.tally, l.window_usec);
    for (uint64_t i = 0; i < l.n_clients; i++)
        client_done(&l.clients[i]);
    free(l.clients);
    tally_done(&l.tally);
    fd_close(l.rules.epoll_fd);
    return failed;
}
