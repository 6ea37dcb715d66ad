<?php
/* The same attempts against the manager, the template, a sibling, a worker of another pool of the
 * same user, and the porter, and a process
 * of another service of that user. */

const PROC_FILES = ['mem', 'maps', 'environ', 'auxv', 'syscall', 'stack', 'personality'];
const PROC_LINKS = ['exe', 'cwd', 'root', 'fd/0', 'fd/3', 'ns/mnt', 'map_files'];

function try_memory(int $pid): void
{
    try_open(2, "/proc/$pid/mem");
    $fd = call('openat', HERE, "/proc/$pid/mem", 0);
    if ($fd >= 0)
        step('read it', call('pread64', $fd, room(64), 64, 0x400000));
}

function try_look(int $pid): void
{
    foreach (PROC_FILES as $name) {
        $fd = call('openat', HERE, "/proc/$pid/$name", 0);
        step("read /proc/PID/$name", $fd < 0 ? $fd : call('read', $fd, room(64), 64));
    }
    foreach (PROC_LINKS as $name)
        step("read the link $name", call('readlinkat', HERE, "/proc/$pid/$name", room(256), 256));
}

function try_write(int $pid): void
{
    try_open(1, "/proc/$pid/oom_score_adj", "/proc/$pid/coredump_filter", "/proc/$pid/clear_refs", "/proc/$pid/comm");
}

function try_vm(int $pid): void
{
    $own = bytes(pack('PP', room(64), 64));
    preg_match('/^(\w+)-\w+ rw/m', (string)@file_get_contents("/proc/$pid/maps"), $found);
    $other = bytes(pack('PP', hexdec($found[1] ?? '400000'), 64));
    step('process_vm_readv', call('process_vm_readv', $pid, $own, 1, $other, 1, 0));
    step('process_vm_writev', call('process_vm_writev', $pid, $own, 1, $other, 1, 0));
}

function try_ptrace(int $pid): void
{
    $attached = step('PTRACE_ATTACH', call('ptrace', 16, $pid, 0, 0));
    $seized = step('PTRACE_SEIZE', call('ptrace', 0x4206, $pid, 0, 0));
    if ($attached >= 0 || $seized >= 0)
        call('exit_group', 0); // lets it go
}

function try_descriptors(int $pid): void
{
    step('list /proc/PID/fd', call('openat', HERE, "/proc/$pid/fd", 0x10000));
    foreach ([0, 3, 4, 5, 6, 7] as $fd)
        step("open /proc/PID/fd/$fd", call('openat', HERE, "/proc/$pid/fd/$fd", 2));
    $handle = call('pidfd_open', $pid, 0);
    if ($handle < 0) {
        step('pidfd_open', $handle);
        $handle = call('openat', HERE, "/proc/$pid", 0x10000);
    }
    foreach ([0, 3, 4, 5] as $fd)
        step("pidfd_getfd of $fd", call('pidfd_getfd', $handle, $fd, 0));
}

/* Signals that end a process, by every way. */
function try_signals(int $pid): void
{
    $info = bytes(pack('lll', 9, 0, -1) . str_repeat("\0", 116));
    step('kill', call('kill', $pid, 9));
    step('tkill', call('tkill', $pid, 9));
    step('tgkill', call('tgkill', $pid, $pid, 9));
    step('rt_sigqueueinfo', call('rt_sigqueueinfo', $pid, 9, $info));
    step('rt_tgsigqueueinfo', call('rt_tgsigqueueinfo', $pid, $pid, 9, $info));
    $handle = call('pidfd_open', $pid, 0);
    step('pidfd_send_signal', $handle < 0 ? $handle : call('pidfd_send_signal', $handle, 9, 0, 0));
    $handle = call('openat', HERE, "/proc/$pid", 0x10000);
    step('pidfd_send_signal to /proc/PID', $handle < 0 ? $handle : call('pidfd_send_signal', $handle, 9, 0, 0));
    step('kill with no signal', call('kill', $pid, 0));
}

/* The kernel sends the signal of F_SETSIG, SIGKILL as well, when the socket becomes readable. */
function try_async(int $pid): void
{
    [$a, $b] = pair();
    call('fcntl', $a, 10, 9); // F_SETSIG
    call('fcntl', $a, 8, $pid);
    call('fcntl', $a, 15, bytes(pack('ll', 1, $pid))); // F_SETOWN_EX
    call('ioctl', $a, 0x8901, bytes(pack('l', $pid))); // FIOSETOWN
    call('ioctl', $a, 0x8902, bytes(pack('l', $pid))); // SIOCSPGRP
    call('fcntl', $a, 4, 0x2802);
    call('ioctl', $a, 0x5452, bytes(pack('l', 1)));
    call('write', $b, 'x', 1);
    outcome('the process is ended', ended($pid) ? '' : 'no signal');
}

function try_pace(int $pid): void
{
    $mask = bytes(pack('P', 1));
    step('setpriority', call('setpriority', 0, $pid, 19));
    step('sched_setscheduler', call('sched_setscheduler', $pid, 5, bytes(pack('l', 0))));
    step('sched_setparam', call('sched_setparam', $pid, bytes(pack('l', 0))));
    step('sched_setattr', call('sched_setattr', $pid, bytes(pack('VVPlVPPP', 48, 5, 0, 19, 0, 0, 0, 0)), 0));
    step('sched_setaffinity', call('sched_setaffinity', $pid, 8, $mask));
    step('ioprio_set', call('ioprio_set', 1, $pid, 3 << 13));
}

function try_limits(int $pid): void
{
    step('set RLIMIT_NOFILE', call('prlimit64', $pid, 7, bytes(pack('PP', 3, 3)), 0));
    step('set RLIMIT_CPU', call('prlimit64', $pid, 0, bytes(pack('PP', 1, 1)), 0));
    step('read RLIMIT_AS', call('prlimit64', $pid, 9, 0, room(16)));
}

function try_insides(int $pid): void
{
    step('kcmp', call('kcmp', getmypid(), $pid, 0, 0, 0));
    $handle = call('pidfd_open', $pid, 0);
    $range = bytes(pack('PP', 0x400000, 4096));
    step('process_madvise', call('process_madvise', $handle, $range, 1, 4, 0));
    step('process_mrelease', call('process_mrelease', $handle, 0));
    step('move_pages', call('move_pages', $pid, 1, bytes(pack('P', 0x400000)), 0, room(8), 0));
    step('migrate_pages', call('migrate_pages', $pid, 64, bytes(pack('P', 1)), bytes(pack('P', 1))));
    step('perf_event_open', call('perf_event_open', bytes(pack('VVP', 1, 128, 0) . str_repeat("\0", 112)),
                                 $pid, -1, -1, 0));
    step('get_robust_list', call('get_robust_list', $pid, room(8), room(8)));
    step('timer that signals it', call('timer_create', 1, bytes(pack('Plll', 0, 9, 4, $pid) . str_repeat("\0", 44)),
                                       room(8)));
    step('setpgid', call('setpgid', $pid, 0));
}

$ways = [
    'memory' => 'try_memory', 'look' => 'try_look', 'write' => 'try_write', 'vm' => 'try_vm',
    'ptrace' => 'try_ptrace', 'descriptors' => 'try_descriptors', 'signals' => 'try_signals',
    'async' => 'try_async', 'pace' => 'try_pace', 'limits' => 'try_limits', 'insides' => 'try_insides',
];
$whom = [
    'manager' => fn($t) => $t->manager, 'own-manager' => fn($t) => $t->manager, 'template' => fn($t) => $t->template,
    'sibling' => fn($t) => $t->workers[0], 'neighbour' => fn($t) => $t->neighbours[0],
    'porter' => fn($t) => $t->porter, 'bystander' => fn($t) => $t->bystander,
];
foreach ($whom as $who => $find)
    foreach ($ways as $way => $run)
        attempt("$who-$way", fn($t) => $run($find($t)));

/* Without a signal: it is about the right to. */
attempt('kill-all', function ($t) {
    step('kill of everybody', call('kill', -1, 0));
    step('kill of the own group', call('kill', 0, 0));
    foreach ([$t->manager, $t->template] as $pid)
        step("kill of the group of $pid", call('kill', -$pid, 0));
});

attempt('cgroup', function ($t) {
    $group = trim(explode('::', (string)@file_get_contents('/proc/self/cgroup'), 2)[1] ?? '');
    try_open(1, "/sys/fs/cgroup$group/cgroup.procs", "/sys/fs/cgroup$group/cgroup.kill",
             "/sys/fs/cgroup$group/cgroup.freeze", "/sys/fs/cgroup/cgroup.procs");
    step('make a group', call('mkdirat', HERE, "/sys/fs/cgroup$group/mine", 0700));
});
