#include "ctl/verbs.h"
#include "ctl/capabilities.h"

#include <string.h>

static const Verb verbs[] = {
    {"apply", "POOL... | --all", "Give the units of pools what their files ask for", 0, -1,
     TAKES_ALL | TAKES_DRY_RUN | TAKES_RESTART, 0, verb_apply},
    {"check", "[POOL|FILE]...", "Print what is wrong in pool files, or between them and units", 0,
     -1, TAKES_VERBOSE | TAKES_JSON, 0, verb_check},
    {"drain", "POOL", "Tell load balancers by the ping, finish the requests and stop the pool", 1,
     1, TAKES_QUIET | TAKES_KEEP_SOCKET, 0, verb_drain},
    {"import", "PATH... | --undo", "Take over pool files of PHP-FPM", 0, -1,
     TAKES_DRY_RUN | TAKES_FORCE | TAKES_UNDO, CAPABILITIES_KEEP_CHOWN, verb_import},
    {"list", "", "List the pools and the state of their units", 0, 0, TAKES_JSON, 0, verb_list},
    {"log", "POOL [-- WORD...]", "Show what the journal has of a pool", 1, -1,
     TAKES_JSON | TAKES_ALL | TAKES_FOLLOW | TAKES_LINES | TAKES_SINCE | TAKES_SLOW | TAKES_ACCESS |
         TAKES_REQUEST,
     0, verb_log},
    {"metrics", "POOL", "Print the figures of a running pool for Prometheus", 1, 1, TAKES_FULL, 0,
     verb_metrics},
    {"opcache", "POOL status | POOL... reset", "Show opcode caches, or empty them", 1, -1,
     TAKES_ALL | TAKES_JSON, 0, verb_opcache},
    {"php", "POOL -i|-m|-v", "Show the PHP that a pool has, with its settings", 1, 1,
     TAKES_INFO | TAKES_MODULES | TAKES_VERBOSE, CAPABILITIES_KEEP_IDS, verb_php},
    {"ping", "POOL", "Ask a pool whether it answers, for health checks", 1, 1,
     TAKES_JSON | TAKES_TIMEOUT | TAKES_STATUS, 0, verb_ping},
    {"reexec", "POOL... | --all", "Make managers run the program file that is there now", 0, -1,
     TAKES_ALL | TAKES_JSON, 0, verb_reexec},
    {"reload", "POOL... | --all", "Make pools read their files again; waits for the outcome", 0, -1,
     TAKES_ALL | TAKES_JSON, 0, verb_reload},
    {"reopen", "POOL... | --all", "Open access.log and slowlog anew, after they were moved", 0, -1,
     TAKES_ALL | TAKES_JSON, 0, verb_reopen},
    {"sandbox", "POOL | --calls", "Explain what a worker of a pool may touch, and what is open", 0,
     1, TAKES_JSON | TAKES_VERBOSE | TAKES_CALLS, 0, verb_sandbox},
    {"show", "POOL|FILE", "Print what is in force, and where it was said", 1, 1, TAKES_JSON, 0,
     verb_show},
    {"status", "POOL", "Show what a running pool is doing", 1, 1, TAKES_JSON | TAKES_FULL, 0,
     verb_status},
    {"top", "[POOL]...", "Show pools and workers live; trace workers, or end them", 0, -1,
     TAKES_JSON | TAKES_ONCE, 0, verb_top},
    {"trace", "POOL PID", "Show where the script of a worker is, without stopping it", 2, 2,
     TAKES_JSON, 0, verb_trace},
};

const Verb *verbs_get(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(verbs);
    return verbs;
}

const Verb *verbs_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}
