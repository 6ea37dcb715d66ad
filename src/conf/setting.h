#pragma once

/*
 * One entry of a file put into a PoolConfig: values are parsed by the type of the directive.
 * Inside of conf/ only.
 */

#include "conf/directives.h"
#include "conf/lexer.h"

/* Where issues go while one section is read. */
typedef struct Reporter {
    ConfigIssues *issues;
    const char *file;
    unsigned line;
    unsigned layer;         /* 0: the pool file and what it includes, then each drop-in */
    const char *other_pool; /* not the pool asked for: its errors are only warnings; else NULL */
} Reporter;

void report(const Reporter *r, ConfigSeverity severity, const char *directive, const char *format,
            ...) _printf_(4, 5);

/** As r, at the place where the directive was given; at that of r when it was not. */
Reporter reporter_at(const Reporter *r, const PoolConfig *c, const char *directive);

/** "name[key]" for messages; the caller frees; NULL: no memory. */
char *setting_label(const char *name, Slice key);

/** Stores the value that the directive has when it is not given. 0 or -ENOMEM. */
int setting_apply_default(PoolConfig *c, const Directive *d);

/**
 * Applies an entry whose directive is d. pool replaces $pool, NULL: there is none, as in the global
 * section. What is wrong with it is reported. 0 or -ENOMEM.
 */
int setting_apply(PoolConfig *c, const Directive *d, const LexItem *item, const char *pool,
                  const Reporter *r);

/** As setting_apply() for directives whose type is an array. */
int setting_apply_array(PoolConfig *c, const Directive *d, const LexItem *item, const char *pool,
                        const Reporter *r);

/** Adds the error of an entry whose name is no directive. */
void setting_report_unknown(const LexItem *item, const Reporter *r);

/** Puts settings of php.ini in their order, when all have been applied. 0 or -ENOMEM. */
int setting_sort_arrays(PoolConfig *c);

/** Takes the values of the global section that the pool did not give itself. 0 or -ENOMEM. */
int setting_inherit(PoolConfig *c, const PoolConfig *global);

/** Remembers a file name for origins. NULL: no memory. */
const char *setting_intern(PoolConfig *c, const char *file);

/**
 * Parses a text by the type of the directive. 0, and *ret_number for types that are numbers (words
 * count as numbers); -EINVAL not of the type, -ERANGE outside of the directive's range, -ENOMEM.
 */
int setting_check(const Directive *d, const char *text, uint64_t *ret_number);

/** The addresses in text, with blanks or commas between. 0, -EINVAL, -ENOMEM. */
int listen_parse(const char *text, ListenAddress **ret, size_t *ret_n);

/** Whether only one of both can be bound. Paths have been simplified. */
bool listen_conflicts(const ListenAddress *a, const ListenAddress *b);

/** Takes what means nothing out of an absolute path: double slashes, "." and a slash at the end. */
void listen_simplify_path(char *path);

ListenAddress *listen_free(ListenAddress *addresses, size_t n);

/** The addresses and networks in text, with blanks or commas between, at least one. 0, -EINVAL,
 * -EDOM: a v4-mapped address with fewer than 96 bits, -ENOMEM. */
int clients_parse(const char *text, ClientRange **ret, size_t *ret_n);

/** The first network in text that is as with -EDOM, and the one of IPv4 that was meant. false:
 * there is none. */
bool clients_find_mapped(const char *text, char ret_word[static 64], char ret_meant[static 32]);

/** Whether a range has bits behind its prefix: then ret is the network without them. */
bool client_masked(const ClientRange *range, char ret[static 52]);

/** Checks between directives; computes what was left out. Issues about a directive that is missing
 * have the place of r. 0 or -ENOMEM. */
int check_pool(PoolConfig *c, const Reporter *r);

/** The part of check_pool() about the sandbox (check_sandbox.c). */
void check_sandbox(const PoolConfig *c, const Reporter *r);
