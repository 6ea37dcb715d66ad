<?php
/* Calls that open the kernel, ids, capabilities. */

attempt('mount', function ($t) {
    try_calls(['mount', 'none', '/tmp', 'tmpfs', 0, 0], ['umount2', '/tmp', 0], ['fsopen', 'tmpfs', 0],
              ['fsmount', 0, 0, 0], ['move_mount', HERE, '/tmp', HERE, '/srv', 0],
              ['mount_setattr', HERE, '/srv', 0x8000, bytes(pack('PPPP', 0, 1, 0, 0)), 32],
              ['fspick', HERE, '/', 0], ['open_tree', HERE, '/', 1]);
});

attempt('namespaces', function ($t) {
    foreach (['user' => 0x10000000, 'mount' => 0x20000, 'pid' => 0x20000000, 'net' => 0x40000000, 'ipc' => 0x8000000,
              'uts' => 0x4000000, 'cgroup' => 0x2000000, 'time' => 0x80] as $name => $flag)
        step("unshare $name", start_flag('unshare', $flag));
});

/* In a child, so that what succeeds stays there. */
function start_flag(string $name, int $flag): int
{
    $pid = fork();
    if ($pid < 0)
        return $pid == -1 ? call($name, $flag) : $pid;
    if ($pid == 0)
        call('exit_group', -call($name, $flag) & 255);
    $status = wait_for($pid);
    return $status & 127 ? -DODGED : -($status >> 8 == DODGED % 256 ? DODGED : $status >> 8);
}

attempt('clone-namespaces', function ($t) {
    foreach ([0x10000000, 0x20000, 0x20000000] as $flag) {
        $pid = call('clone', 17 | $flag, 0, 0, 0, 0);
        if ($pid == 0)
            call('exit_group', 0);
        step(sprintf('clone with %x', $flag), $pid);
    }
    $pid = call('clone3', bytes(pack('PPPPPPPP', 0x10000000, 0, 0, 0, 17, 0, 0, 0)), 64);
    if ($pid == 0)
        call('exit_group', 0);
    step('clone3', $pid);
});

attempt('setns', function ($t) {
    foreach (["/proc/1/ns/mnt", "/proc/$t->manager/ns/mnt", '/proc/self/ns/net', '/proc/self/ns/user'] as $path) {
        $fd = call('openat', HERE, $path, 0);
        step("setns to $path", $fd < 0 ? $fd : call('setns', $fd, 0));
    }
    step('setns', call('setns', 0, 0));
});

attempt('bpf', fn($t) => try_calls(['bpf', 0, bytes(pack('VVVV', 2, 4, 8, 1) . str_repeat("\0", 112)), 72],
                                   ['bpf', 5, room(128), 72]));

attempt('perf', function ($t) {
    $event = bytes(pack('VVP', 1, 128, 0) . str_repeat("\0", 24) . pack('P', 1) . str_repeat("\0", 80));
    step('count in the own process', call('perf_event_open', $event, 0, -1, -1, 0));
});

attempt('userfaultfd', fn($t) => try_calls(['userfaultfd', 1], ['userfaultfd', 0]));
attempt('io-uring', fn($t) => try_calls(['io_uring_setup', 8, room(120)], ['io_uring_enter', 0, 1, 0, 0, 0],
                                        ['io_uring_register', -1, 0, 0, 0]));
attempt('keyrings', fn($t) => try_calls(['add_key', 'user', 'hostile', 'x', 1, -4], ['keyctl', 0, -4, 1],
                                        ['request_key', 'user', 'hostile', 0, -4], ['keyctl', 1, 0]));

attempt('raw-sockets', function ($t) {
    foreach (['raw ICMP' => [2, 3, 1], 'raw IP' => [2, 3, 255], 'raw IPv6' => [10, 3, 58], 'packets' => [17, 3, 768],
              'packets, cooked' => [17, 2, 768]] as $name => $arguments)
        step($name, call('socket', ...$arguments));
});

attempt('odd-sockets', function ($t) {
    foreach ([3, 4, 5, 6, 9, 15, 21, 24, 26, 28, 29, 30, 31, 37, 38, 39, 40, 41, 42, 43, 44] as $family)
        step("family $family", call('socket', $family, 2, 0));
});

attempt('netlink', function ($t) {
    foreach ([4, 6, 9, 12, 15, 16] as $protocol) // sock_diag, xfrm, audit, netfilter, uevents, generic
        step("netlink $protocol", call('socket', 16, 3, $protocol));
    $fd = call('socket', 16, 3, 0);
    // RTM_NEWADDR on the loopback
    $body = pack('CCCCV', 2, 8, 0, 0, 1) . pack('vvN', 8, 2, 0x7f000009);
    $text = pack('VvvVV', 16 + strlen($body), 20, 5, 1, 0) . $body;
    $r = $fd < 0 ? $fd : call('sendto', $fd, bytes($text), strlen($text), 0, 0, 0);
    $answer = room(256);
    if ($r >= 0 && call('recvfrom', $fd, $answer, 256, 0x40, 0, 0) >= 20)
        $r = unpack('l', peek($answer + 16, 4))[1];
    step('add an address', $r);
});

attempt('modules', fn($t) => try_calls(['init_module', room(64), 64, ''], ['finit_module', 0, '', 0],
                                       ['delete_module', 'loop', 0x800]));
attempt('kexec', fn($t) => try_calls(['kexec_load', 0, 0, 0, 0], ['kexec_file_load', 0, 0, 0, '', 0]));
attempt('reboot', fn($t) => try_calls(['reboot', 0xfee1dead, 672274793, 0, 0]));
attempt('clocks', fn($t) => try_calls(['settimeofday', bytes(pack('PP', 0, 0)), 0],
                                      ['clock_settime', 0, bytes(pack('PP', 0, 0))],
                                      ['adjtimex', bytes(pack('V', 1) . str_repeat("\0", 252))],
                                      ['clock_adjtime', 0, bytes(pack('V', 1) . str_repeat("\0", 252))]));
attempt('swap', fn($t) => try_calls(['swapon', '/srv/hostile/steps', 0], ['swapoff', '/srv/hostile/steps']));
attempt('machine', fn($t) => try_calls(['sethostname', 'hacked', 6], ['setdomainname', 'hacked', 6], ['acct', '/tmp/a'],
                                       ['quotactl', 0x800002 << 8, '/dev/sda', 0, 0], ['iopl', 3], ['ioperm', 0, 8, 1],
                                       ['vhangup'], ['syslog', 5, 0, 0], ['modify_ldt', 1, room(16), 16],
                                       ['lookup_dcookie', 0, 0, 0]));
attempt('fanotify', fn($t) => try_calls(['fanotify_init', 0, 0], ['fanotify_init', 0x200, 0]));
attempt('traceme', function ($t) {
    step('PTRACE_TRACEME', call('ptrace', 0, 0, 0, 0));
});
attempt('unknown-calls', function ($t) {
    foreach ([337, 400, 423, 480, 500, 546, 600, 1000, 99999] as $number)
        step("call $number", numbered($number));
});

attempt('i386', function ($t) {
    global $c, $code;
    $old = $c->cast('int (*)(int)', pointer(address($code) + 128));
    step('getpid of i386', $old(20));
});

attempt('x32', function ($t) {
    step('getpid of x32', numbered(0x40000000 | SYSTEM_CALLS['getpid']));
    step('ptrace of x32', numbered(0x40000000 | 521, 16, $t->workers[0]));
});

/* What a filter of the own allows does not count against the others. */
attempt('own-filter', function ($t) {
    $program = bytes(pack('vxxxxxxP', 1, bytes(pack('vCCV', 6, 0, 0, 0x7fff0000))));
    call('seccomp', 1, 0, $program);
    call('prctl', 22, 2, $program, 0, 0);
    call('prctl', 38, 0, 0, 0, 0);
    try_calls(['ptrace', 16, $t->workers[0], 0, 0], ['unshare', 0x10000000], ['bpf', 5, room(128), 72]);
    call('exit_group', 0); // in another namespace perhaps
});

attempt('personality', fn($t) => try_calls(['personality', 0x0040000], ['personality', 0x0400000], ['personality', 8]));
attempt('terminal', function ($t) {
    step('TIOCSTI', call('ioctl', 0, 0x5412, 'x'));
    step('TIOCLINUX', call('ioctl', 0, 0x541c, "\x02"));
    step('TIOCSCTTY', call('ioctl', 0, 0x540e, 1));
});

// ---- ids and capabilities ----

attempt('become-root', function ($t) {
    try_calls(['setuid', 0], ['setreuid', 0, 0], ['setresuid', 0, 0, 0]);
    $r = call('setfsuid', 0);
    step('setfsuid', $r < 0 ? $r : (call('setfsuid', -1) == 0 ? 0 : -1));
});
attempt('groups', fn($t) => try_calls(['setgroups', 1, bytes(pack('V', 0))], ['setgid', 0], ['setresgid', 0, 0, 0],
                                      ['setregid', 0, 0], ['setgroups', 0, 0]));
attempt('capabilities', function ($t) {
    $header = bytes(pack('Vl', 0x20080522, 0));
    step('capset', call('capset', $header, bytes(str_repeat("\xff", 24))));
    step('ambient', call('prctl', 47, 2, 21, 0, 0));
    step('securebits', call('prctl', 28, 0x10, 0, 0, 0));
    step('bounding set', call('prctl', 24, 21, 0, 0, 0));
});
attempt('new-privileges', function ($t) {
    step('no_new_privs off', call('prctl', 38, 0, 0, 0, 0));
    step('seccomp off', call('prctl', 22, 0, 0, 0, 0));
    $state = (string)@file_get_contents('/proc/self/status');
    outcome('no_new_privs is off', preg_match('/NoNewPrivs:\s+0/', $state) ? '' : 'on');
});
attempt('map-files', fn($t) => try_calls(['prctl', 35, 13, 0, 0, 0], ['prctl', 35, 8, 0x1000, 0, 0]));
