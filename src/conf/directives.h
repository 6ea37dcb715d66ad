#pragma once

/*
 * The table of directives: what a pool file may say. The parser, the checks and the tools loop over
 * it, and conf.d/www.conf and the directives of fpmd.conf(5) are made from it (generate.c).
 */

#include "conf/config.h"

typedef enum DirectiveFate {
    FATE_HONOURED,
    FATE_SYSTEMD, /* systemd does this; "instead" names the setting */
    FATE_REFUSED, /* not done, "instead" says why: an error where passing over it would weaken a
                     pool (is_vital), else a warning */
    _DIRECTIVE_FATE_MAX,
} DirectiveFate;

/** "honoured", … */
const char *directive_fate_to_string(DirectiveFate fate);

typedef enum DirectiveType {
    TYPE_TEXT,
    TYPE_NAME,      /* of a user or group, or its number */
    TYPE_PROGRAM,   /* a file name without folder */
    TYPE_PATH,      /* absolute */
    TYPE_PREFIXED,  /* a path; a relative one is completed with the prefix of the pool */
    TYPE_SCAN_DIRS, /* absolute paths with colons between */
    TYPE_NAMES,     /* WordList: names or numbers, with blanks or commas between */
    TYPE_PATHS,     /* WordList: absolute paths with blanks between */
    TYPE_CLIENTS,   /* allowed_clients: addresses with or without /bits, blanks or commas between */
    TYPE_LOG,       /* the name of a log file, relative to somewhere */
    TYPE_URI,       /* a path of the web */
    TYPE_ADDRESSES, /* listening addresses */
    TYPE_EXTENSIONS, /* words with blanks between */
    TYPE_SYSCALLS,   /* WordList: +@group -@group +name -name with blanks between */
    TYPE_GRANTS,     /* WordList: absolute paths with blanks between, "-" before one that may be
                        missing; or the word none */
    TYPE_PORTS,      /* WordList: numbers of TCP ports with blanks or commas between; or none */
    TYPE_UNSIGNED,   /* unsigned */
    TYPE_COUNT,      /* uint64_t */
    TYPE_SIGNED,     /* int */
    TYPE_TIME,       /* uint64_t, microseconds */
    TYPE_BOOL,
    TYPE_MODE,   /* unsigned, octal */
    TYPE_SIZE,   /* uint64_t, bytes; K, M, G */
    TYPE_RLIMIT, /* uint64_t: a number, or "unlimited" */
    TYPE_FILES,  /* uint64_t: a number, 0 is RLIMIT_KEEP */
    TYPE_PM,
    TYPE_SECCOMP,   /* SandboxSeccomp */
    TYPE_LANDLOCK,  /* bool: if-available */
    TYPE_SHARING,   /* bool: private */
    TYPE_LOG_LEVEL, /* int, syslog priority */
    TYPE_FACILITY,
    /* From here on arrays: name[key] = value. */
    TYPE_ENV,
    TYPE_INI,
    TYPE_URIS,
    _DIRECTIVE_TYPE_MAX,
} DirectiveType;

/* The headings of www.conf and fpmd.conf(5), in the order of the table. */
typedef enum DirectiveGroup {
    GROUP_WHO,
    GROUP_LISTENING,
    GROUP_PROCESSES,
    GROUP_SCRIPTS,
    GROUP_SANDBOX,
    GROUP_STATUS,
    GROUP_DAEMON,
    _DIRECTIVE_GROUP_MAX,
} DirectiveGroup;

/** "Who and where", … */
const char *directive_group_to_string(DirectiveGroup group);

/** What a value has to be, for messages and tools: "yes or no", … NULL: anything. */
const char *directive_type_to_string(DirectiveType type);

enum {
    SCOPE_GLOBAL = 1 << 0,
    SCOPE_POOL = 1 << 1,
    SCOPE_BOTH = SCOPE_GLOBAL | SCOPE_POOL, /* a pool's own comes before the global one */
};

#define DIRECTIVE_NO_FIELD SIZE_MAX

typedef struct Directive {
    const char *name;
    DirectiveType type;
    unsigned scope; /* SCOPE_… */
    DirectiveFate fate;
    DirectiveGroup group;
    int64_t min, max;     /* of numbers and times (times in microseconds) */
    size_t field;         /* offset in PoolConfig or DIRECTIVE_NO_FIELD */
    IniKind ini_kind;     /* TYPE_INI */
    const char *fallback; /* the default as one would write it; NULL: none */
    const char *instead;  /* FATE_SYSTEMD: what does it; FATE_REFUSED: why not */
    bool is_vital;        /* FATE_REFUSED: an error */
    const char *summary;  /* one sentence, at most 95 bytes */
} Directive;

/** The table and its length. */
const Directive *directives_get(size_t *ret_n);

size_t directives_count(void);

/** The directive of that name (any case), or NULL. The name need not end in NUL. */
const Directive *directive_find(const char *name, size_t n);

/** The name that comes nearest to a misspelt one, NULL: none is near. */
const char *directive_suggest(const char *name, size_t n);

/** The place in the table, an index of PoolConfig.origins. */
size_t directive_index(const Directive *d);

static inline bool directive_is_array(const Directive *d)
{
    return d->type >= TYPE_ENV;
}
