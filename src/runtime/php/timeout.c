#include "runtime/php/timeout.h"

#include "base/clock.h"
#include "runtime/php/php.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#define NSEC_PER_SEC  UINT64_C(1000000000)
#define CHECK_SECONDS 1
#define LEFT_NONE     (-1)      /* the limit is reached when the timer fires */
#define LIMIT_MAX     999999999 /* more is no limit for PHP, and less than none neither */

/* The part of a set that there are signals for; the C library leaves the rest as it was. */
#define SIGSET_SIZE ((_NSIG - 1) / 8)

#define EXPORT      __attribute__((visibility("default")))

typedef int SetTimer(__itimer_which_t, const struct itimerval *, struct itimerval *);
typedef int SetHandler(int, const struct sigaction *, struct sigaction *);
typedef int SetMask(int, const sigset_t *, sigset_t *);

static struct {
    SetTimer *set_timer; /* the C library's */
    SetHandler *set_handler;
    SetMask *set_mask;
    struct sigaction zend;          /* the handler that PHP has set */
    bool installed;                 /* ours is the kernel's in its place */
    bool unblocked;                 /* PHP has let the signal through */
    volatile sig_atomic_t checking; /* the timer runs and fires within CHECK_SECONDS */
    volatile time_t left;           /* of the limit, when the timer fires; 0: no limit */
    volatile uint64_t due_nsec; /* of processor time: not before that; 0: when the timer fires */
} self;

/* Libraries that start before us may call these functions: there is no moment to do it in. */
static void find_functions(void)
{
    *(void **)&self.set_timer = dlsym(RTLD_NEXT, "setitimer");
    *(void **)&self.set_handler = dlsym(RTLD_NEXT, "sigaction");
    *(void **)&self.set_mask = dlsym(RTLD_NEXT, "sigprocmask");
    if (!self.set_timer || !self.set_handler || !self.set_mask)
        abort();
}

static bool arm(time_t seconds, suseconds_t usec)
{
    struct itimerval timer = {.it_value = {.tv_sec = seconds, .tv_usec = usec}};

    return self.set_timer(ITIMER_PROF, &timer, NULL) == 0;
}

static uint64_t used_nsec(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* The limit itself. */
static bool arm_limit(time_t seconds)
{
    self.left = LEFT_NONE;
    self.due_nsec = used_nsec() + (uint64_t)seconds * NSEC_PER_SEC;
    self.checking = false;
    return arm(seconds, 0);
}

/* The timer counts the ticks of the clock that find this process running, which on a machine with
 * more to do than it can are too many by a quarter. */
static bool is_early(void)
{
    uint64_t now_nsec = used_nsec(), left_usec;

    if (now_nsec >= self.due_nsec)
        return false;
    left_usec = (self.due_nsec - now_nsec) / 1000 + 1;
    return arm((time_t)(left_usec / USEC_PER_SEC), (suseconds_t)(left_usec % USEC_PER_SEC));
}

/* PHP sets a limit that is none without touching the timer of the one before. */
static bool is_lifted(void)
{
    return self.due_nsec > 0 && (EG(timeout_seconds) <= 0 || EG(timeout_seconds) > LIMIT_MAX);
}

static void on_timer(int number, siginfo_t *info, void *context)
{
    time_t left = self.left;
    int error = errno;

    self.checking = false;
    if (left > 0)
        arm_limit(left);
    else if (left < 0 && !is_lifted() && !is_early()) {
        self.left = 0;
        self.zend.sa_sigaction(number, info, context);
    }
    errno = error;
}

/* What PHP sets: a limit in whole seconds, or none. */
static bool is_limit(const struct itimerval *timer)
{
    return timer->it_value.tv_usec == 0 && !timerisset(&timer->it_interval);
}

static int set_limit(time_t seconds)
{
    self.due_nsec = 0;
    /* set_time_limit() of a running script is rare and means what it says; so does the second
     * limit, which PHP sets when the first has been reached. */
    if (seconds > 0 && (EG(current_execute_data) || (seconds <= CHECK_SECONDS && !self.checking)))
        return arm_limit(seconds) ? 0 : -1;
    self.left = seconds;
    /* A check that is under way starts the timer on the whole limit; the limit of an earlier
     * request is replaced. */
    if (seconds > 0 && !self.checking) {
        self.left = seconds - CHECK_SECONDS;
        self.checking = arm(CHECK_SECONDS, 0);
    }
    return 0;
}

EXPORT int setitimer(__itimer_which_t which, const struct itimerval *timer, struct itimerval *ret)
{
    if (!self.set_timer)
        find_functions();
    if (which != ITIMER_PROF || !self.installed || !timer)
        return self.set_timer(which, timer, ret);
    if (!ret && is_limit(timer))
        return set_limit(timer->it_value.tv_sec);
    self.checking = false;
    self.left = LEFT_NONE;
    self.due_nsec = 0;
    return self.set_timer(which, timer, ret);
}

/* Nothing to do: it is there already; or it is ours, as somebody found it who asked the kernel. */
static bool is_there(const struct sigaction *action)
{
    return action->sa_sigaction == on_timer ||
           (self.installed && action->sa_sigaction == self.zend.sa_sigaction &&
            action->sa_flags == self.zend.sa_flags &&
            memcmp(&action->sa_mask, &self.zend.sa_mask, SIGSET_SIZE) == 0);
}

/* In a process PHP sets its first timer before its handler: that one went to the kernel. */
static void adopt_timer(void)
{
    struct itimerval timer;

    if (getitimer(ITIMER_PROF, &timer) < 0 || !timerisset(&timer.it_value))
        return;
    self.checking = false;
    self.left = LEFT_NONE;
    self.due_nsec = used_nsec() + (uint64_t)timer.it_value.tv_sec * NSEC_PER_SEC +
                    (uint64_t)timer.it_value.tv_usec * 1000;
}

/* Puts our handler in front of PHP's. */
static int install(const struct sigaction *action)
{
    struct sigaction ours = *action;

    if (!self.installed)
        adopt_timer();
    ours.sa_sigaction = on_timer;
    if (self.set_handler(SIGPROF, &ours, NULL) < 0)
        return -1;
    self.zend = *action;
    self.installed = true;
    return 0;
}

EXPORT int sigaction(int number, const struct sigaction *action, struct sigaction *ret)
{
    struct sigaction earlier = self.zend;
    bool was_installed = self.installed;
    int r = 0;

    if (!self.set_handler)
        find_functions();
    if (number != SIGPROF)
        return self.set_handler(number, action, ret);
    if (ret && !was_installed && self.set_handler(number, NULL, &earlier) < 0)
        return -1;
    if (action && (action->sa_flags & SA_SIGINFO)) {
        if (!is_there(action))
            r = install(action);
    } else if (action) {
        self.installed = false;
        r = self.set_handler(number, action, NULL);
    }
    if (r == 0 && ret)
        *ret = earlier;
    return r;
}

/* Whether it is the set that PHP lets through with each limit. */
static bool is_profile_signal(const sigset_t *set)
{
    sigset_t only;

    sigemptyset(&only);
    sigaddset(&only, SIGPROF);
    return memcmp(set, &only, SIGSET_SIZE) == 0;
}

EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *ret)
{
    bool usual = how == SIG_UNBLOCK && set && !ret && is_profile_signal(set);
    int r;

    if (usual && self.unblocked)
        return 0;
    if (!self.set_mask)
        find_functions();
    r = self.set_mask(how, set, ret);
    if (r == 0 && set)
        self.unblocked = usual;
    return r;
}

void timeout_worker_start(void)
{
    self.checking = false;
    self.left = 0;
}
