#include "runtime/php/timeout.h"

#include "runtime/php/php.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include <zend_atomic.h>
#include <zend_signal.h>

#define CHECK_SECONDS 1
#define SECONDS_MAX   999999999 /* beyond it setitimer(2) fails; PHP takes it as no limit */
#define LEFT_NONE     (-1)      /* the limit is reached when the timer fires */

static struct {
    void (*set)(zend_long seconds, bool reset_signals); /* libphp's */
    void (*unset)(void);
    struct sigaction zend;          /* its signal handler in the kernel */
    zend_signal_entry_t entry;      /* and what that one calls */
    bool installed;                 /* our handler is the kernel's */
    volatile sig_atomic_t checking; /* the timer runs and fires within CHECK_SECONDS */
    volatile zend_long left;        /* of the limit, when the timer fires; 0: no limit */
} self;

static bool arm(zend_long seconds)
{
    struct itimerval timer = {.it_value.tv_sec = seconds};

    return setitimer(ITIMER_PROF, &timer, NULL) == 0;
}

static void on_timer(int number, siginfo_t *info, void *context)
{
    zend_long left = self.left;
    int error = errno;

    self.checking = false;
    if (left > 0) {
        self.left = LEFT_NONE;
        arm(left);
    } else if (left < 0) {
        /* Zend's code sets timer and handler as it needs them from here on. */
        self.left = 0;
        self.installed = false;
        sigaction(SIGPROF, &self.zend, NULL);
        self.zend.sa_sigaction(number, info, context);
    }
    errno = error;
}

/* Lets libphp install its handler, then puts ours in front of it. */
static void install(void)
{
    struct sigaction ours = {.sa_sigaction = on_timer,
                             .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};

    if (!self.set) {
        *(void **)&self.set = dlsym(RTLD_NEXT, "zend_set_timeout");
        *(void **)&self.unset = dlsym(RTLD_NEXT, "zend_unset_timeout");
    }
    self.set(0, true);
    self.entry = SIGG(handlers)[SIGPROF - 1];
    sigaction(SIGPROF, NULL, &self.zend);
    ours.sa_mask = self.zend.sa_mask;
    self.installed = sigaction(SIGPROF, &ours, NULL) == 0;
    self.checking = false;
}

__attribute__((visibility("default"))) void zend_set_timeout(zend_long seconds, bool reset_signals)
{
    if (!self.installed)
        install();
    else if (reset_signals)
        SIGG(handlers)[SIGPROF - 1] = self.entry; /* a request's start forgets it */
    EG(timeout_seconds) = seconds;
    zend_atomic_bool_store_ex(&EG(timed_out), false);
    self.left = seconds > 0 && seconds <= SECONDS_MAX ? seconds : 0;
    /* set_time_limit() of a running script is rare and means what it says. */
    if (self.left > 0 && EG(current_execute_data)) {
        self.left = LEFT_NONE;
        self.checking = false;
        arm(seconds);
        return;
    }
    /* A check that is under way starts the timer on the whole limit; the limit of an earlier
     * request is replaced. */
    if (self.left > 0 && !self.checking) {
        self.left = seconds > CHECK_SECONDS ? seconds - CHECK_SECONDS : LEFT_NONE;
        self.checking = arm(MIN(seconds, CHECK_SECONDS));
    }
}

__attribute__((visibility("default"))) void zend_unset_timeout(void)
{
    if (!self.installed && self.unset)
        self.unset();
    self.left = 0;
    zend_atomic_bool_store_ex(&EG(timed_out), false);
}

void timeout_worker_start(void)
{
    self.checking = false;
    self.left = 0;
}
