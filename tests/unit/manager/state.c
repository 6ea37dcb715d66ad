/* The state that one program hands to the next: what is written is read, what makes no sense is
 * refused. */
#include "base/fd.h"
#include "manager/attempts.h"
#include "manager/state.h"
#include "../run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static Manager *manager;
static char text[] = "fd3", address[] = "/run/fpmd/www.sock", control[] = "/run/control";

static PoolSetup *make_setup(unsigned children)
{
    PoolSetup *s = calloc(1, sizeof(*s));

    ck_assert_ptr_nonnull(s);
    s->n_refs = 1;
    s->config = pool_config_new("www");
    ck_assert_ptr_nonnull(s->config);
    s->config->pm = POOL_MODE_DYNAMIC;
    s->config->pm_max_children = children;
    s->config->rlimit_core = RLIMIT_UNLIMITED;
    s->config->process_priority = -5;
    s->config->chroot = strdup("/srv/with = and blanks");
    s->config->n_allowed_clients = 2;
    s->config->allowed_clients = calloc(2, sizeof(ClientRange));
    memset(s->config->allowed_clients[1].address, 255, 16);
    s->config->allowed_clients[1].n_bits = 128;
    s->config->sandbox_write.n = 2;
    s->config->sandbox_write.items = calloc(2, sizeof(char *));
    s->config->sandbox_write.items[0] = strdup("/srv/a");
    s->config->sandbox_write.items[1] = strdup("-/srv/b=c");
    s->config->sandbox_tcp_connect.n = 1;
    s->config->sandbox_tcp_connect.items = calloc(1, sizeof(char *));
    s->config->sandbox_tcp_connect.items[0] = strdup("none");
    s->ids.uid = 4000000000;
    s->ids.n_groups = 2;
    s->ids.groups = calloc(2, sizeof(gid_t));
    s->ids.groups[1] = 33;
    s->ids.user_name = strdup("site");
    ck_assert_int_eq(buffer_append(&s->spec, "env=A=b\nc\0php_value=x=y", 24), 0);
    return s;
}

static Generation *make_generation(PoolSetup *setup, unsigned number, GenerationState state, int fd)
{
    Generation *g = calloc(1, sizeof(*g));
    Generation **end = &manager->generations;

    ck_assert_ptr_nonnull(g);
    *g = (Generation){.manager = manager,
                      .number = number,
                      .state = state,
                      .setup = pool_setup_ref(setup),
                      .template_pid = 100 + (pid_t)number,
                      .link_fd = fd,
                      .denied = {.line_fd = -1, .listener_fd = -1, .seen = {[3] = 1 << 7}},
                      .out = {.fd = fd + 1},
                      .err = {.fd = -1},
                      .version = "PHP 8.2.36"};
    while (*end)
        end = &(*end)->next;
    *end = g;
    return g;
}

static Worker *make_worker(Generation *g, unsigned slot, WorkerPhase phase, pid_t pid, int fd)
{
    Worker *w = calloc(1, sizeof(*w));

    ck_assert_ptr_nonnull(w);
    *w = (Worker){.manager = manager,
                  .generation = g,
                  .prev = manager->workers_last,
                  .slot_number = slot,
                  .phase = phase,
                  .pid = pid,
                  .slot_fd = fd,
                  .life_line = phase == WORKER_RETIRED ? -1 : fd + 1,
                  .out = {.fd = -1},
                  .err = {.fd = -1},
                  .started_usec = UINT64_MAX};
    w->counted.requests = 77;
    if (manager->workers_last)
        manager->workers_last->next = w;
    else
        manager->workers = w;
    manager->workers_last = w;
    return w;
}

static void set_up(void)
{
    static Listener listener;
    static ControlPeer peer;
    static Orphan orphans[2];
    PoolSetup *a, *b;
    Generation *now, *old;

    manager = calloc(1, sizeof(*manager));
    ck_assert_ptr_nonnull(manager);
    manager->attempts = calloc(1, sizeof(Attempts));
    ck_assert_ptr_nonnull(manager->attempts);
    manager->attempts->replace_number = 9;
    manager->porter = PORTER_NONE;
    manager->porter.handover[0] = 10;
    manager->porter.handover[1] = 11;
    manager->porter.park[0] = 12;
    manager->porter.park[1] = 13;
    manager->last_number = 9;
    manager->requests = UINT64_MAX - 1;
    manager->reload_wanted = true;
    manager->control_fd = 14;
    manager->history_fd = 17;
    manager->control_path = control;
    manager->recovery.faults_usec[RECOVERY_FAULTS - 1] = 5;
    manager->queue_clock.samples[QUEUE_SAMPLES - 1].arrivals = 6;
    manager->queue_clock.first = QUEUE_SAMPLES - 1;
    manager->queue_clock.n = 1;
    manager->last_trace = 12;
    manager->latency[BOARD_LATENCY_BUCKETS - 1] = 13;
    snprintf(manager->note, sizeof(manager->note), "Reload refused (a=b); ");
    listener =
        (Listener){.kind = LISTENER_REQUESTS, .fd = 3, .text = text, .unlink = address, .inode = 1};
    manager->listeners = (Listeners){.items = &listener, .n = 1};
    peer = (ControlPeer){.fd = 15, .may_change = true, .waits_for = 3, .version = 2};
    manager->peers = &peer;
    orphans[0].pidfd = -1;
    orphans[1].pidfd = 16;
    manager->orphans.items = orphans;
    manager->orphans.n = 2;

    a = make_setup(5);
    b = make_setup(6);
    now = make_generation(b, 9, GENERATION_CURRENT, 20);
    old = make_generation(a, 7, GENERATION_LEAVING, 22);
    pool_setup_unref(a);
    pool_setup_unref(b);
    make_worker(now, 3, WORKER_READY, 1000, 30);
    make_worker(old, 0, WORKER_RETIRED, 1001, 32);
    make_worker(now, 1, WORKER_ORDERED, 0, 34);
    make_worker(now, 2, WORKER_DEAD, 1002, 36);
}

static void tear_down(void)
{
    for (Worker *w = manager->workers, *next; w; w = next) {
        next = w->next;
        free(w);
    }
    for (Generation *g = manager->generations, *next; g; g = next) {
        next = g->next;
        pool_setup_unref(g->setup);
        free(g);
    }
    free(manager->attempts);
    free(manager);
}

static void write_state(Buffer *b)
{
    static char notify[] = "@notify", version[] = "0.9";
    _cleanup_(state_done) State s = {0};

    ck_assert_int_eq(state_of(manager, &s), 0);
    s.notify_path = notify;
    s.version = version;
    s.orphans_until_usec = 12345;
    ck_assert_int_eq(state_write(b, &s), 0);
}

START_TEST(what_is_written_is_read)
{
    _cleanup_buffer_ Buffer written = {0}, again = {0};
    _cleanup_(state_done) State s = {0};
    const char *error;

    write_state(&written);
    ck_assert_int_eq(state_read(written.data, written.size, &s, &error), 0);
    ck_assert_str_eq(s.notify_path, "@notify");
    ck_assert_str_eq(s.version, "0.9");
    ck_assert_uint_eq(s.orphans_until_usec, 12345);
    ck_assert_uint_eq(s.manager->requests, UINT64_MAX - 1);
    ck_assert_int_eq(s.manager->reload_wanted, true);
    ck_assert_str_eq(s.manager->note, "Reload refused (a=b); ");
    ck_assert_str_eq(s.manager->control_path, control);
    ck_assert_uint_eq(s.manager->recovery.faults_usec[RECOVERY_FAULTS - 1], 5);
    ck_assert_uint_eq(s.manager->queue_clock.samples[QUEUE_SAMPLES - 1].arrivals, 6);
    ck_assert_uint_eq(s.manager->last_trace, 12);
    ck_assert_uint_eq(s.manager->latency[BOARD_LATENCY_BUCKETS - 1], 13);
    ck_assert_int_eq(s.manager->porter.park[1], 13);
    ck_assert_int_eq(s.manager->porter.link_fd, -1);
    ck_assert_uint_eq(s.manager->attempts->replace_number, 9);
    ck_assert_uint_eq(s.n_setups, 2);
    ck_assert_uint_eq(s.n_generations, 2);
    ck_assert_uint_eq(s.n_workers, 3);
    ck_assert_uint_eq(s.n_orphans, 1);
    ck_assert_int_eq(s.orphans[0]->pidfd, 16);
    ck_assert_int_eq(s.peers[0]->may_change, true);
    ck_assert_uint_eq(s.peers[0]->waits_for, 3);
    ck_assert_str_eq(s.listeners[0]->unlink, address);

    ck_assert_ptr_eq(s.workers[1]->generation, s.generations[1]);
    ck_assert_int_eq(s.workers[1]->phase, WORKER_RETIRED);
    ck_assert_int_eq(s.workers[1]->life_line, -1);
    ck_assert_uint_eq(s.workers[0]->slot_number, 3);
    ck_assert_uint_eq(s.workers[0]->counted.requests, 77);
    ck_assert_uint_eq(s.workers[0]->started_usec, UINT64_MAX);
    ck_assert_int_eq(s.generations[0]->out.fd, 21);
    ck_assert_int_eq(s.generations[0]->err.fd, -1);
    ck_assert_int_eq(s.generations[0]->denied.line_fd, -1);
    ck_assert_int_eq(s.generations[0]->denied.listener_fd, -1);
    ck_assert_uint_eq(s.generations[0]->denied.seen[3], 1 << 7);
    ck_assert_uint_eq(s.generations[0]->setup->config->pm_max_children, 6);
    ck_assert_int_eq(s.generations[1]->setup->config->process_priority, -5);
    ck_assert_uint_eq(s.generations[1]->setup->config->rlimit_core, RLIMIT_UNLIMITED);
    ck_assert_str_eq(s.generations[1]->setup->config->chroot, "/srv/with = and blanks");
    ck_assert_uint_eq(s.generations[1]->setup->ids.uid, 4000000000);
    ck_assert_uint_eq(s.generations[1]->setup->ids.groups[1], 33);
    ck_assert_uint_eq(s.generations[1]->setup->config->allowed_clients[1].n_bits, 128);
    ck_assert_uint_eq(s.generations[1]->setup->config->sandbox_write.n, 2);
    ck_assert_str_eq(s.generations[1]->setup->config->sandbox_write.items[1], "-/srv/b=c");
    ck_assert(config_list_is_none(&s.generations[1]->setup->config->sandbox_tcp_connect));
    ck_assert_uint_eq(s.generations[1]->setup->config->sandbox_read.n, 0);
    ck_assert_uint_eq(s.generations[1]->setup->spec.size, 24);
    ck_assert_int_eq(memcmp(s.generations[1]->setup->spec.data, "env=A=b\nc\0php_value=x=y", 24),
                     0);

    /* All that has a place in the text. */
    ck_assert_int_eq(state_write(&again, &s), 0);
    ck_assert_uint_eq(again.size, written.size);
    ck_assert_int_eq(memcmp(again.data, written.data, again.size), 0);
}
END_TEST

static int sum_fds(int fd, void *userdata)
{
    int *sum = userdata;

    *sum += fd;
    return 0;
}

START_TEST(every_descriptor_is_named)
{
    _cleanup_(state_done) State s = {0};
    int sum = 0;

    ck_assert_int_eq(state_of(manager, &s), 0);
    ck_assert_int_eq(state_each_fd(&s, sum_fds, &sum), 0);
    ck_assert_int_eq(sum, 3 + (10 + 11 + 12 + 13) + 14 + 15 + 16 + 17 + (20 + 21) + (22 + 23) +
                              (30 + 31) + 32 + (34 + 35));
}
END_TEST

/* A copy in which the first entry that begins with from is another; to NULL: it is not there. */
static void replace(Buffer *b, const Buffer *from, const char *entry, const char *to)
{
    bool done = false;

    for (size_t i = 0; i < from->size; i += strlen(from->data + i) + 1) {
        const char *now = from->data + i;

        if (!done && strncmp(now, entry, strlen(entry)) == 0) {
            done = true;
            now = to;
        }
        if (now)
            ck_assert_int_eq(buffer_append(b, now, strlen(now) + 1), 0);
    }
    ck_assert(done);
}

static const struct {
    const char *entry, *to;
} refused[] = {
    {"fpmd-state=1", "fpmd-state=2"},
    {"fpmd-state=1", NULL},
    {"manager.requests", "manager.requests=-1"},
    {"manager.requests", "manager.requests=18446744073709551616"},
    {"manager.requests", "manager.requests=x"},
    {"manager.requests", "manager.requests"},
    {"manager.reload_wanted", "manager.reload_wanted=2"},
    {"manager.queue_clock.first", "manager.queue_clock.first=128"},
    {"manager.wait_clock.n", "manager.wait_clock.n=129"},
    {"manager.last_number", "manager.last_number=8"},
    {"manager.control_path", NULL},
    {"porter.park[1]", NULL},
    {"porter.park[1]", "porter.park[1]=2"},
    {"porter.park[1]", "porter.park[1]=10"},
    {"listener.fd", NULL},
    {"listener.kind", "listener.kind=2"},
    {"listener=", NULL},
    {"config.pm=", "config.pm=3"},
    {"config.pm_max_children", "config.pm_max_children=0"},
    {"config.allowed_clients", "config.allowed_clients=1 2 3"},
    {"config.process_priority", "config.process_priority=--5"},
    {"ids.groups", "ids.groups=1 4294967296"},
    {"generation.state", "generation.state=4"},
    {"generation.state", "generation.state=0"},
    {"generation.setup", "generation.setup=2"},
    {"generation.setup", NULL},
    {"generation.number", "generation.number=7"},
    {"generation.template_pid", "generation.template_pid=-1"},
    {"worker=", NULL},
    {"worker.generation", "worker.generation=8"},
    {"worker.generation", NULL},
    {"worker.phase", "worker.phase=asleep"},
    {"worker.phase", "worker.phase=dead"},
    {"worker.slot_number", "worker.slot_number=0"},
    {"worker.slot_number", "worker.slot_number=4294967295"},
    {"worker.slot_fd", NULL},
    {"worker.slot_fd", "worker.slot_fd=20"},
    {"worker.pid", "worker.pid=1001"},
    {"worker.pid", "worker.pid=0"},
    {"peer.fd", NULL},
    {"orphan.pidfd", NULL},
};

START_TEST(what_makes_no_sense_is_refused)
{
    _cleanup_buffer_ Buffer written = {0}, changed = {0};
    _cleanup_(state_done) State s = {0};
    const char *error = NULL;

    write_state(&written);
    replace(&changed, &written, refused[_i].entry, refused[_i].to);
    ck_assert_int_eq(state_read(changed.data, changed.size, &s, &error), -EBADMSG);
    ck_assert_ptr_nonnull(error);
}
END_TEST

static const struct {
    const char *entry, *to;
} taken[] = {
    /* of a later version */
    {"manager.moot", "manager.mood=good"},
    {"manager.moot", "weather="},
    {"manager.moot", "weather.wind=strong"},
    {"manager.recovery.n_in_row", "manager.recovery.n_in_row=1 2 3 4 5 6 7 8 9 10"},
    /* of an earlier one */
    {"manager.queue_clock.samples", NULL},
    {"config.queue_timeout_usec", NULL},
    {"worker.ended", NULL},
    {"manager.history_fd", NULL},
    {"state.version", NULL},
    {"peer.version", NULL},
};

START_TEST(other_versions_are_understood)
{
    _cleanup_buffer_ Buffer written = {0}, changed = {0};
    _cleanup_(state_done) State s = {0};
    const char *error = NULL;

    write_state(&written);
    replace(&changed, &written, taken[_i].entry, taken[_i].to);
    ck_assert_msg(state_read(changed.data, changed.size, &s, &error) == 0, "%s", error);
}
END_TEST

START_TEST(every_end_is_survived)
{
    _cleanup_buffer_ Buffer written = {0};
    const char *error;

    write_state(&written);
    for (size_t n = 0; n < written.size; n++) {
        _cleanup_free_ char *exact = malloc(n ? n : 1);
        _cleanup_(state_done) State s = {0};

        ck_assert_ptr_nonnull(exact);
        memcpy(exact, written.data, n);
        state_read(exact, n, &s, &error);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("manager/state");
    TCase *c = tcase_create("state");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, what_is_written_is_read);
    tcase_add_test(c, every_descriptor_is_named);
    tcase_add_loop_test(c, what_makes_no_sense_is_refused, 0, (int)ARRAY_SIZE(refused));
    tcase_add_loop_test(c, other_versions_are_understood, 0, (int)ARRAY_SIZE(taken));
    tcase_add_test(c, every_end_is_survived);
    tcase_set_timeout(c, 60);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
