#pragma once

/*
 * Document roots of sites, found in the configuration of nginx and Apache: by which address a site
 * reaches its pool, and where its files are. A modest reading of both languages, for advice: what
 * it does not understand it passes over.
 */

#include "ctl/import_texts.h"

#include <sys/types.h>

/* A server block, a VirtualHost, or what Apache has outside of those. */
typedef struct WebSite {
    char *file;
    unsigned line;
    Texts targets;   /* words that may name the address of a pool */
    Texts roots;     /* document roots and aliases, as written */
    bool everywhere; /* its targets serve all sites of the same server */
} WebSite;

/* A name that stands for addresses: nginx's upstream, Apache's balancer or <Proxy>. */
typedef struct WebName {
    char *name;
    Texts targets;
} WebName;

typedef struct WebSites {
    WebSite *items;
    size_t n;
    WebName *names;
    size_t n_names;
    size_t n_files;    /* that were read */
    size_t n_bytes;    /* in them */
    size_t n_includes; /* that were looked for */
} WebSites;

void web_sites_done(WebSites *w);

/** Reads DIR/nginx.conf and what it includes. 0, also when there is none, or -ENOMEM. */
int web_read_nginx(WebSites *w, const char *dir);

/** Reads DIR/apache2.conf and what it includes, with conf-enabled and sites-enabled. 0 or -ENOMEM.
 */
int web_read_apache(WebSites *w, const char *dir);

/** Whether one of the targets reaches the address: a path (or one of its aliases), or a port unless
 * 0. */
bool web_site_reaches(const WebSites *w, const WebSite *site, const char *path, unsigned port);

/** The path of a unix socket in a word: "unix:/run/a.sock|fcgi://localhost", "unix:/run/a.sock". To
 * free; NULL: none, or no memory. */
char *web_target_path(const char *word);

/* What the two readers share. */

/** The index of the site that begins there, a new one when the place was not seen before, or
 * -ENOMEM. Pointers to sites are no longer valid. */
ssize_t web_add_site(WebSites *w, const char *file, unsigned line);
WebName *web_add_name(WebSites *w, const char *name);

/** Counts an include. Whether it is looked for at all: files that include each other multiply. */
bool web_may_include(WebSites *w);

/** Reads a file of configuration. 0; -ENOENT for whatever keeps it from being read; -ENOMEM. */
int web_read_file(WebSites *w, const char *path, char **ret_text, size_t *ret_n);
