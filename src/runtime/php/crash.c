#include "runtime/php/crash.h"

#include "link/message.h"
#include "runtime/access.h"
#include "runtime/canned.h"
#include "runtime/php/backtrace.h"
#include "runtime/php/messages.h"
#include "runtime/php/php.h"
#include "syscall/numbers.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Deep recursion ends where there is no stack left. */
#define STACK_BYTES (128 * 1024)

/* SYS_SECCOMP of sigaction(2), which libc does not name. */
#define CODE_FILTERED 1

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};

static struct {
    pid_t pid;
    BoardSlot *slot; /* NULL: in the template */
    int link_fd;     /* of the template */
    unsigned taken;  /* bits: which of the signals are ours */
    volatile sig_atomic_t dying;
} self = {.link_fd = -1};

bool crash_is_own_process(void)
{
    return self.pid == getpid();
}

void crash_leave_trace(void)
{
    if (!self.slot)
        return;
    access_flush_dying();
    backtrace_write(board_trace(self.slot), BOARD_TRACE_SIZE);
}

/* The system call that the filter ended us for, plus one; 0: it is another death. */
static uint32_t fatal_call(int number, const siginfo_t *info)
{
    return number == SIGSYS && info->si_code == CODE_FILTERED ? (uint32_t)info->si_syscall + 1 : 0;
}

/* The manager learns of it by the link, before it learns of the death. */
static void leave_words(int number, uint32_t call)
{
    LinkMessage m = {.type = LINK_FAILED};
    const char *parts[] = {"PHP died of signal SIG", sigabbrev_np(number), " while it started", "",
                           ""};
    size_t used = 0;

    if (call > 0) {
        parts[0] = "PHP was ended while it started, for a forbidden system call: ";
        parts[1] = syscall_to_name(call - 1);
        parts[2] = "";
    }
    parts[4] = messages_last_words();
    if (*parts[4])
        parts[3] = "; its last words: ";
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        for (const char *p = parts[i] ? parts[i] : "?"; *p && used < sizeof(m.text) - 1; p++)
            m.text[used++] = *p;
    link_send(self.link_fd, &m, NULL, 0);
}

static void on_fatal_signal(int number, siginfo_t *info, void *context)
{
    backtrace_on_fault();
    if (!self.dying && crash_is_own_process()) {
        self.dying = true;
        if (self.slot) {
            self.slot->fatal_call = fatal_call(number, info);
            canned_send(500);
            crash_leave_trace();
        } else
            leave_words(number, fatal_call(number, info));
    }
    signal(number, SIG_DFL);
    raise(number);
}

/* Some extensions, and PHP without memory, end the process instead of the request. */
static void on_exit_of_process(void)
{
    if (self.dying || !self.slot || !crash_is_own_process() || !php_request())
        return;
    self.dying = true;
    canned_send(500);
    crash_leave_trace();
}

static int set_up_stack(void)
{
    stack_t stack = {0};

    if (sigaltstack(NULL, &stack) < 0)
        return -errno;
    if (!(stack.ss_flags & SS_DISABLE))
        return 0;
    stack.ss_sp = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack.ss_sp == MAP_FAILED)
        return -errno;
    stack.ss_size = STACK_BYTES;
    stack.ss_flags = 0;
    return sigaltstack(&stack, NULL) < 0 ? -errno : 0;
}

static int take_signals(void)
{
    struct sigaction ours = {.sa_sigaction = on_fatal_signal,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    int r = set_up_stack();

    if (r < 0)
        return r;
    sigemptyset(&ours.sa_mask);
    self.taken = 0;
    for (size_t i = 0; i < ARRAY_SIZE(fatal_signals); i++) {
        struct sigaction before;

        if (sigaction(fatal_signals[i], NULL, &before) < 0)
            return -errno;
        if (before.sa_flags & SA_SIGINFO || before.sa_handler != SIG_DFL)
            continue;
        if (sigaction(fatal_signals[i], &ours, NULL) < 0)
            return -errno;
        self.taken |= 1U << i;
    }
    return 0;
}

int crash_worker_start(BoardSlot *slot)
{
    self.pid = getpid();
    self.slot = slot;
    if (atexit(on_exit_of_process) != 0)
        return -ENOMEM;
    return take_signals();
}

int crash_template_start(const RuntimeSpec *spec)
{
    self.pid = getpid();
    self.link_fd = spec->link_fd;
    return take_signals();
}

void crash_template_started(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(fatal_signals); i++)
        if (self.taken & 1U << i)
            signal(fatal_signals[i], SIG_DFL);
    self.taken = 0;
}
