#pragma once

/*
 * The listening sockets: taken from systemd, or bound by ourselves in the foreground. The manager
 * never accepts; it watches for a connection that found no idle worker, and asks how many wait.
 */

#include "conf/config.h"

#define LISTENERS_MAX 64 /* of one pool */

typedef enum ListenerKind {
    LISTENER_REQUESTS,
    LISTENER_STATUS, /* of pm.status_listen: only the status page and the ping, by the porter */
    _LISTENER_KIND_MAX,
} ListenerKind;

/** FileDescriptorName= of the socket unit: "fastcgi" or "status". */
const char *listener_kind_name(ListenerKind kind);

typedef struct Listener {
    ListenerKind kind;
    int fd;
    char *text;   /* for people: path or address */
    char *unlink; /* path that we made and remove at the end; NULL: not ours */
    bool is_unix;
    uint64_t inode; /* of the socket, not of its file */
    int backlog;    /* how many connections it may keep waiting; -1: not known */
} Listener;

typedef struct Listeners {
    Listener *items;
    size_t n;
    int growth_fd; /* an epoll of its own: sd_event refuses EPOLLEXCLUSIVE */
    int diag_fd;   /* NETLINK_SOCK_DIAG; -1: not available */
    bool watching;
} Listeners;

/**
 * Takes of LISTEN_FDS those called "status", and those called "fastcgi", or all others when none
 * is. Every such fd must be a listening stream socket; others are an error that names them
 * (*ret_reason, to be freed). Returns how many, 0 when none were passed, or -errno.
 */
int listeners_take(Listeners *l, char **ret_reason);

/** Adds a listening socket, which then belongs to l, and the path that is removed in the end. 0 or
 * -errno. */
int listeners_add(Listeners *l, ListenerKind kind, int fd, const char *text,
                  const char *unlink_path);

/** Binds the addresses of listen and pm.status_listen. 0 or -errno with *ret_reason. */
int listeners_bind(Listeners *l, const PoolConfig *c, char **ret_reason);

/** Makes the growth epoll and the queue query. 0 or -errno. */
int listeners_set_up(Listeners *l);

/** Whether there is one of pm.status_listen. */
bool listeners_have_status(const Listeners *l);

void listeners_done(Listeners *l);

/**
 * A worker that was taken over can shorten the queue of a socket that it shares with all
 * (listen(2)), and have a TCP socket listen no more (connect(2) with AF_UNSPEC): undoes both
 * (logged). How many were mended.
 */
unsigned listeners_mend(Listeners *l);

/**
 * Watches the listeners of requests for connections that find no idle worker: EPOLLEXCLUSIVE wakes
 * in order of registration (Linux 4.5), and we are the last in each listener's line. Adding reports
 * a connection that waits already.
 */
void listeners_watch(Listeners *l, bool on);

/** Goes to the end of the lines again; to be called after each worker that registered. */
void listeners_rearm(Listeners *l);

/** Takes the events of growth_fd. */
void listeners_drain(Listeners *l);

/**
 * Connections that wait to be accepted, over all listeners of requests. Where the kernel does not
 * tell, guess when at least one waits.
 */
unsigned listeners_queued(const Listeners *l, unsigned guess);

/** How many connections a listener may keep waiting; -1: the kernel does not tell. */
int listener_backlog(const Listeners *l, const Listener *item);
