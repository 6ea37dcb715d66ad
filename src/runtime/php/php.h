#pragma once

/*
 * What the files of the PHP engine share: the one request that runs, and the settings of the SAPI.
 * One thread, one request at a time.
 */

#include "link/spec.h"
#include "runtime/php/script.h"
#include "runtime/request.h"

#include <php.h>
#include <SAPI.h>

/* SG(server_context) points to it while a request runs. */
typedef struct PhpRequest {
    Request *request;
    const RuntimeSpec *spec;
    Script script;
    int body_fd;       /* REQUEST_BODY_FILE, or -1 */
    bool has_length;   /* CONTENT_LENGTH was sent: no more than that is read */
    bool input_over;   /* nothing more is read for PHP */
    bool finished;     /* fastcgi_finish_request() */
    bool stopped;      /* it ran for too long, and was told so */
    int status;        /* HTTP status that the answer has whatever the script says, or 0 */
    bool retire;       /* it changed something that cannot be undone */
    unsigned messages; /* sent on STDERR */
} PhpRequest;

static inline PhpRequest *php_request(void)
{
    return SG(server_context);
}

/* The settings of the cgi-fcgi module. */
typedef struct PhpSettings {
    bool fix_pathinfo;
    bool discard_path;
    bool rfc2616_headers;
    bool nph;
    bool force_redirect;
    char *redirect_status_env;
    bool logging;
    char *error_header;
    char *fpm_config; /* only shown */
} PhpSettings;

extern PhpSettings php_settings;

/* The SAPI and its module; both live as long as the process. */
extern sapi_module_struct php_sapi;
extern zend_module_entry php_sapi_module;

/** Puts our import of variables in place of PHP's; after start-up. */
void variables_init(void);

/** Fills $_SERVER: environment, parameters, PHP_SELF. */
void variables_register(zval *array);

/** The value of a parameter as the script sees it, or NULL. */
const char *variables_get(const PhpRequest *r, const char *name);

/** Runs one request; see Engine.run. */
int php_request_run(const RuntimeSpec *spec, Request *request);

/** The functions of the module. */
extern const zend_function_entry php_sapi_functions[];
