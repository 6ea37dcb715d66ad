#pragma once

/*
 * The kinds of journal records, once: identifier, MESSAGE_ID=, subject. The catalogue
 * (units/fpmd.catalog) has a text for each; a test compares the two.
 */

#define LOG_MESSAGES(X)                                                                            \
    X(POOL_READY, "5461e330482241bbad5f3ef9e9fecb8a", "Pool is ready")                             \
    X(POOL_STOPPED, "30ca5ecef8674f3baa77a383bb95e661", "Pool has stopped")                        \
    X(POOL_RELOADED, "4f366e9115484b159733936b109e47d0", "Pool has a new generation")              \
    X(RELOAD_REFUSED, "1060408efcc2456eb86e53b37acd516a", "Reload was refused")                    \
    X(WORKER_EXITED, "9c46bc7e7740411182b32403ce3378a2", "Worker has exited")                      \
    X(TEMPLATE_EXITED, "2f324b3807c64828a38ccc38b38a6d4b", "Template has exited")                  \
    X(CHILDREN_LIMIT, "3b817c61e2534d138c9c9e0ccbcf59a3", "Limit of children reached")             \
    X(START_FAILED, "d4bb0307ae3b4973ab8cd0dd9c6d2909", "Pool could not be started")               \
    X(CONFIG_ERROR, "8490615bd92f4997972817de9a1e411e", "Error in a pool file")                    \
    X(PHP_MESSAGE, "70287f569fdb4c44bea2f85ba4f52fa7", "Message of PHP")                           \
    X(WORKER_OUTPUT, "3ae23a8d80504cb284576d02820a40fa", "Output of a worker")                     \
    X(TEMPLATE_OUTPUT, "d9a9d408c1084764b8380043422b8960", "Output of a template")                 \
    X(PROTOCOL_ERROR, "c6b7f4c98fc64a8b83177290ea76a4d5", "Broken FastCGI request")                \
    X(CLIENT_REFUSED, "0b3c06ae0ea04720b66bd996da55f025", "Client is not allowed")                 \
    X(UNIT_MISMATCH, "a56716c0cf6b4e389f668ccbb5e49383", "Socket unit and pool file differ")       \
    X(SANDBOX_REDUCED, "984a42ad74fc40cd94bcbffd0a891f35", "Sandbox is weaker than wanted")        \
    X(RECORDS_DROPPED, "01b4b9a1256949f7997c036f1ba3d06d", "Journal records were dropped")         \
    X(ORPHANS_FOUND, "556234617515439cb7089c7d06f32c8d", "Processes of an earlier manager found")  \
    X(DRAIN_LIMIT, "605de60d80cc4850bb9f5b2217140fa8", "Requests were ended at the drain limit")   \
    X(WORKER_STOPPED, "e86f9dd9c4154688a3a98c999dcb089c", "Request ran too long")                  \
    X(QUEUE_TIMEOUT, "7a97943e7b584a779c655fb80b31b6be", "Connections waited too long")            \
    X(EMERGENCY_RESTART, "3c0dc01521f041ac9e596ef26df8483b",                                       \
      "Workers crash, a new generation begins")                                                    \
    X(POOL_WAITING, "55b25ba8704145e48fb8cc109b7c09ea", "Pool waits before it tries again")        \
    X(POOL_IDLE, "7307d2568f9f4e98930f74ddd89093bd", "Pool leaves because it is idle")             \
    X(POOL_DRAINING, "ecf9e235b43943b5871153188915e7a8", "Pool is being drained")                  \
    X(MANAGER_REPLACED, "fdc1731c4c68426db3754e2f2954fb84", "Manager runs another program file")   \
    X(REEXEC_REFUSED, "3b64594fdbda4f13b6b9ff0bff1f8984", "Manager was not replaced")              \
    X(PORTER_EXITED, "fcbccec6f49244d09d1e056f217ca3e7", "Porter has exited")                      \
    X(CACHE_RENEWED, "30b1e7ac3a364c548e7ee18dc4a1fff0", "Opcode cache is begun anew")             \
    X(SLOW_REQUEST, "fe8066a3af3342ddb2c72e5ea2d2e07a", "Slow request")                            \
    X(ACCESS, "bd0cccaa2deb41858209c75039186bbf", "Request was answered")                          \
    X(LOG_FILE, "f51ae83c17734a66912ab0dba2dbcf58", "File of a log cannot be used")                \
    X(TRACE_FAILED, "b1e4f1f26ccc4203bf92a179db45f022", "Call stack could not be read")            \
    X(WORKER_ENDED_BY_ORDER, "abd9edd2bd2e41e591b56ae12ecef088",                                   \
      "Worker was ended by an administrator")                                                      \
    X(CALL_DENIED, "4eac8028898f48d78fe01d3489aa3498", "System call was denied")                   \
    X(WORKER_FILTERED, "bdc74091f28a4fe5921634604170331a",                                         \
      "Worker was ended for a forbidden system call")                                              \
    X(GENERATION_RETIRED, "5031a8789d19475c92a26cad483a114a",                                      \
      "A worker crashed, a new generation begins")                                                 \
    X(CGROUP_FAILED, "5546bb9349494f1fbb1a0254ef9bf0fa", "Worker could not get a cgroup")          \
    X(WORKERS_MISSING, "7d1f4a60c6a14b0f9c31e2b85a0d9e47", "Workers could not be started")         \
    X(PATH_REPLACED, "12839bcc6a7d4e4b9f5c80e9e0824068",                                           \
      "A path of the sandbox was replaced, a new generation begins")

typedef enum LogMessage {
    LOG_MESSAGE_NONE = 0,
#define X(name, id, subject) LOG_MESSAGE_##name,
    LOG_MESSAGES(X)
#undef X
        _LOG_MESSAGE_MAX,
} LogMessage;
