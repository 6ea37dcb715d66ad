#include "base/exit_status.h"
#include "base/fd.h"
#include "base/title.h"
#include "log/log.h"
#include "runtime/engine.h"
#include "runtime/template.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static int usage(const char *program, const Engine *engine)
{
    fprintf(stderr,
            "%s is the %s runtime of fpmd %s. It is started by the manager, see fpmd(8) and "
            "runtime-protocol.md.\n",
            program, engine->name, FPMD_VERSION);
    return EXIT_STATUS_USAGE;
}

/* The environment of PHP is exactly what the pool says; the manager's own (NOTIFY_SOCKET,
 * LISTEN_FDS, …) never reaches it. */
static int take_environment(const RuntimeSpec *spec)
{
    char **list = calloc(spec->n_env + 1, sizeof(char *));

    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < spec->n_env; i++)
        list[i] = (char *)(uintptr_t)spec->env[i];
    environ = list;
    return 0;
}

static void set_up_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

static void open_log(const RuntimeSpec *spec, const Engine *engine)
{
    static char identifier[32];

    snprintf(identifier, sizeof(identifier), "fpmd-%s", engine->name);
    log_open(&(LogOptions){
        .identifier = identifier,
        .pool = spec->pool,
        .max_priority = spec->log_level,
        .journal_fd = spec->journal_fd,
        .text_fd = MAX(spec->log_fd, 0),
    });
}

/* For fpmctl(1): as the user of the pool, without a manager. What the language complains of goes to
 * stderr, even where that is the journal. */
static int tell(const char *program, const char *option, const Engine *engine)
{
    /* None that PHP has, too: its command line, should it be there in our place, refuses them. */
    static const char *const options[] = {
        [ENGINE_TOPIC_VERSION] = "--tell=version",
        [ENGINE_TOPIC_MODULES] = "--tell=modules",
        [ENGINE_TOPIC_SETTINGS] = "--tell=settings",
    };
    RuntimeSpec spec;
    const char *error = NULL;
    EngineTopic topic = 0;
    int r;

    while (topic < _ENGINE_TOPIC_MAX && strcmp(option, options[topic]) != 0)
        topic++;
    if (topic == _ENGINE_TOPIC_MAX || !engine->tell)
        return usage(program, engine);
    r = spec_read_settings(SPEC_FD, &spec, &error);
    if (r < 0) {
        fprintf(stderr, "%s: %s: %s\n", program, error ? error : "spec", strerror(-r));
        return EXIT_STATUS_SPEC;
    }
    fd_close(SPEC_FD);
    unsetenv("JOURNAL_STREAM");
    open_log(&spec, engine);
    if (take_environment(&spec) < 0)
        return EXIT_STATUS_SPEC;
    if (chdir(spec.chdir ? spec.chdir : "/") < 0) {
        log_error("Cannot change to the directory %s: %s", spec.chdir ? spec.chdir : "/",
                  strerror(errno));
        return EXIT_STATUS_CHDIR;
    }
    return engine->tell(&spec, topic);
}

int runtime_main(int argc, char **argv, const Engine *engine)
{
    RuntimeSpec spec;
    const char *error = NULL;
    int r, status;

    if (argc < 1 || argc > 2 || fcntl(SPEC_FD, F_GETFD) < 0)
        return usage(argc > 0 ? argv[0] : engine->name, engine);
    /* Otherwise the second argument is room for titles: blanks. */
    if (argc == 2 && argv[1][0] == '-')
        return tell(argv[0], argv[1], engine);
    r = spec_read(SPEC_FD, &spec, &error);
    if (r < 0) {
        fprintf(stderr, "%s: %s: %s\n", argv[0], error ? error : "spec", strerror(-r));
        return EXIT_STATUS_SPEC;
    }
    fd_close(SPEC_FD);
    title_init(argc, argv);
    title_set("fpmd-template", "fpmd: template of pool %s (generation %u)", spec.pool,
              spec.generation);
    for (int fd = SPEC_FD + 1; fcntl(fd, F_GETFD) >= 0; fd++)
        fd_set_cloexec(fd, true);

    open_log(&spec, engine);
    set_up_signals();
    r = take_environment(&spec);
    if (r < 0)
        return EXIT_STATUS_SPEC;
    if (chdir(spec.chdir ? spec.chdir : "/") < 0) {
        log_error("Cannot change to the directory %s: %s", spec.chdir ? spec.chdir : "/",
                  strerror(errno));
        return EXIT_STATUS_CHDIR;
    }
    status = template_run(&spec, engine);
    log_close();
    return status;
}
