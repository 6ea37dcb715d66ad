#pragma once

/*
 * fpmctl: what its verbs share. A verb gets the options and its operands and returns the exit
 * status; results go to stdout, everything else to stderr.
 */

#include "base/buffer.h"
#include "conf/config.h"

/* Statuses of verbs that ask a running pool, as LSB has them for init scripts. */
#define CTL_EXIT_NOT_RUNNING 3
#define CTL_EXIT_UNKNOWN     4

typedef struct Ctl {
    const char *config_dir; /* folders of pool files with ':' between, the most important first */
    const char *control_dir;
    const char *libexec_dir;
    const char *unit_dir; /* of the units that an administrator changes */
    bool user;            /* pools of a user's own, under "systemctl --user" */
    bool json;
    bool full;
    bool verbose;
    bool all;
    bool dry_run;
    bool restart;
    bool force;
    bool undo;
    bool keep_socket;
    bool quiet; /* quiet_usec was given */
    uint64_t quiet_usec;
    bool once;
    bool follow, slow, access;
    const char *lines, *since, *request; /* NULL: not given */
    bool timeout;                        /* timeout_usec was given */
    uint64_t timeout_usec;
    bool status;
    bool info, modules;
    bool calls;
} Ctl;

int verb_apply(const Ctl *ctl, int n, char **operands);
int verb_check(const Ctl *ctl, int n, char **operands);
int verb_drain(const Ctl *ctl, int n, char **operands);
int verb_import(const Ctl *ctl, int n, char **operands);
int verb_list(const Ctl *ctl, int n, char **operands);
int verb_log(const Ctl *ctl, int n, char **operands);
int verb_metrics(const Ctl *ctl, int n, char **operands);
int verb_opcache(const Ctl *ctl, int n, char **operands);
int verb_php(const Ctl *ctl, int n, char **operands);
int verb_ping(const Ctl *ctl, int n, char **operands);
int verb_reexec(const Ctl *ctl, int n, char **operands);
int verb_reload(const Ctl *ctl, int n, char **operands);
int verb_reopen(const Ctl *ctl, int n, char **operands);
int verb_sandbox(const Ctl *ctl, int n, char **operands);
int verb_show(const Ctl *ctl, int n, char **operands);
int verb_status(const Ctl *ctl, int n, char **operands);
int verb_top(const Ctl *ctl, int n, char **operands);
int verb_trace(const Ctl *ctl, int n, char **operands);

/** Writes the buffer to stdout. The exit status: EXIT_STATUS_OK, or EXIT_STATUS_FAILURE having said
 * why. */
int ctl_print(const Buffer *b);

/** Says "fpmctl: …" on stderr. */
void ctl_complain(const char *format, ...) _printf_(1, 2);

/** What ctl_complain() said last, without its prefix; "" when it has not said anything. */
const char *ctl_complaint(void);

/** From here on ctl_complain() only remembers: a live view has the terminal. */
void ctl_complain_quietly(bool quiet);

/** Explains why the control socket of a pool could not be used. */
void ctl_complain_control(const Ctl *ctl, const char *pool, int error);

/** Appends an issue as a line in the form of compilers' messages, which editors can jump by; as a
 * note whatever its severity says. 0 or -ENOMEM. */
int ctl_write_issue(Buffer *b, const ConfigIssue *issue, bool as_note);

/** Appends all of them. 0 or -ENOMEM. */
int ctl_write_issues(Buffer *b, const ConfigIssues *issues);

/** Runs systemctl (--user) with the words, which end with NULL, and waits. 0; -EIO when it failed,
 * having said why itself; -errno when it cannot be run. */
int ctl_systemctl(const Ctl *ctl, char *const *words);
