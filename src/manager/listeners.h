#pragma once

/*
 * The listening sockets: taken from systemd, or bound by ourselves in the foreground. The manager
 * never accepts; it watches for a connection that found no idle worker, and asks how many wait.
 */

#include "conf/config.h"

#define LISTENERS_MAX 64        /* of one pool */
#define LISTENER_NAME "fastcgi" /* FileDescriptorName= of the socket unit */

typedef struct Listener {
    int fd;
    char *text;   /* for people: path or address */
    char *unlink; /* path that we made and remove at the end; NULL: not ours */
    bool is_unix;
    uint64_t inode;
} Listener;

typedef struct Listeners {
    Listener *items;
    size_t n;
    int growth_fd; /* an epoll of its own: sd_event refuses EPOLLEXCLUSIVE */
    int diag_fd;   /* NETLINK_SOCK_DIAG; -1: not available */
    bool watching;
} Listeners;

/**
 * Takes of LISTEN_FDS those called LISTENER_NAME, or all when none is. Every such fd must be a
 * listening stream socket; others are an error that names them
 * (*ret_reason, to be freed). Returns how many, 0 when none were passed, or -errno.
 */
int listeners_take(Listeners *l, char **ret_reason);

/** Adds a listening socket, which then belongs to l, and the path that is removed in the end. 0 or
 * -errno. */
int listeners_add(Listeners *l, int fd, const char *text, const char *unlink_path);

/** Binds the addresses of "listen =". 0 or -errno with *ret_reason. */
int listeners_bind(Listeners *l, const PoolConfig *c, char **ret_reason);

/** Makes the growth epoll and the queue query. 0 or -errno. */
int listeners_set_up(Listeners *l);

void listeners_done(Listeners *l);

/**
 * Watches for connections that find no idle worker: EPOLLEXCLUSIVE wakes in order of registration
 * (Linux 4.5), and we are the last in each listener's line. Adding reports a connection that waits
 * already.
 */
void listeners_watch(Listeners *l, bool on);

/** Goes to the end of the lines again; to be called after each worker that registered. */
void listeners_rearm(Listeners *l);

/** Takes the events of growth_fd. */
void listeners_drain(Listeners *l);

/**
 * Connections that wait to be accepted, over all listeners. Where the kernel does not tell, guess
 * when at least one waits.
 */
unsigned listeners_queued(Listeners *l, unsigned guess);
