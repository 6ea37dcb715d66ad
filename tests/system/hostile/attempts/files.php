<?php
/* Roots, Landlock, files of others. */

attempt('chroot', function ($t) {
    step('chroot', call('chroot', '/srv'));
    step('chroot to the own folder', call('chroot', '.'));
    step('pivot_root', call('pivot_root', '/srv', '/srv'));
});

/* In a pool with chroot. */
attempt('jail-escape', function ($t) {
    step('chroot once more', call('chroot', 'tmp'));
    $up = str_repeat('../', 32);
    foreach (["{$up}etc/hostname", '/proc/1/root/etc/hostname', "/proc/self/root/{$up}etc/hostname",
              "/proc/$t->manager/root/etc/hostname", "/proc/$t->template/cwd/etc/hostname"] as $path)
        try_open(0, $path);
    foreach (range(0, 255) as $fd) {
        $r = call('openat', $fd, "{$up}etc/hostname", 0);
        if ($r != -9 && $r != -20)
            step("a folder that is open as $fd", $r);
    }
    step('mount proc', call('mount', 'proc', '/tmp', 'proc', 0, 0));
    step('a user namespace', call('unshare', 0x10000000));
    step('open by handle', call('open_by_handle_at', HERE, bytes(pack('Vl', 8, 1) . pack('P', 2)), 0));
    step('make a device', call('mknodat', HERE, '/tmp/device', 0x6000 | 0600, 0x801));
});

attempt('landlock-read', function ($t) {
    try_open(0, '/etc/hostname', '/srv/forbidden/secret', '/var/lib/hostile/secret', '/root/secret');
    step('list a folder', call('openat', HERE, '/srv/forbidden', 0x10000));
});

attempt('landlock-write', function ($t) {
    try_open(0x41, '/srv/forbidden/mine', '/srv/hostile/mine', '/srv/www/mine.php', '/var/lib/hostile/mine');
    step('cut', call('truncate', '/srv/forbidden/secret', 0));
    step('unlink', call('unlinkat', HERE, '/srv/forbidden/secret', 0));
    step('make a folder', call('mkdirat', HERE, '/srv/forbidden/folder', 0700));
});

attempt('landlock-symlink', function ($t) {
    call('unlinkat', HERE, '/srv/writable/link', 0);
    call('unlinkat', HERE, '/srv/writable/folder', 0);
    call('symlinkat', '/srv/forbidden/secret', HERE, '/srv/writable/link');
    call('symlinkat', '/srv/forbidden', HERE, '/srv/writable/folder');
    try_open(0, '/srv/writable/link', '/srv/writable/folder/secret', '/srv/writable/../forbidden/secret');
    try_open(0x41, '/srv/writable/folder/mine');
});

attempt('landlock-hard-link', function ($t) {
    step('link', call('linkat', HERE, '/srv/forbidden/secret', HERE, '/srv/writable/hard', 0));
    $fd = call('openat', HERE, '/srv/forbidden/secret', 0x200000);
    step('link of what is open as a path',
         $fd < 0 ? $fd : call('linkat', HERE, "/proc/self/fd/$fd", HERE, '/srv/writable/hard', 0x400));
    step('link by its descriptor', $fd < 0 ? $fd : call('linkat', $fd, '', HERE, '/srv/writable/hard', 0x1000));
});

attempt('landlock-rename', function ($t) {
    step('rename a file', call('renameat2', HERE, '/srv/forbidden/secret', HERE, '/srv/writable/moved', 0));
    step('exchange folders', call('renameat2', HERE, '/srv/forbidden', HERE, '/srv/writable', 2));
    @mkdir('/srv/writable/inside');
    step('rename out of it', call('renameat2', HERE, '/srv/writable/inside', HERE, '/srv/forbidden/inside', 0));
});

attempt('landlock-proc', function ($t) {
    $fd = call('openat', HERE, '/srv/forbidden/secret', 0x200000);
    try_open(0, "/proc/self/fd/$fd", '/proc/self/root/srv/forbidden/secret', '/proc/1/root/srv/forbidden/secret',
             '/proc/self/cwd/../../forbidden/secret', "/proc/$t->template/root/srv/forbidden/secret");
    $folder = call('openat', HERE, '/srv/forbidden', 0x200000 | 0x10000);
    step('below a folder that is open as a path', call('openat', $folder, 'secret', 0));
    $how = bytes(pack('PPP', 0, 0, 0));
    step('openat2', call('openat2', $folder, 'secret', $how, 24));
    step('execve of what is open', call('execveat', $fd, '', bytes(pack('P', 0)), bytes(pack('P', 0)), 0x1000));
});

attempt('landlock-mount', function ($t) {
    step('bind', call('mount', '/srv/forbidden', '/srv/writable', '', 4096, 0));
    step('overmount', call('mount', 'tmpfs', '/srv/forbidden', 'tmpfs', 0, 0));
    step('umount', call('umount2', '/srv', 2));
    step('open_tree', call('open_tree', HERE, '/srv/forbidden', 1));
});

attempt('landlock-relax', function ($t) {
    $fd = call('landlock_create_ruleset', bytes(pack('PPP', 8191, 0, 0)), 8, 0);
    if ($fd >= 0) {
        $root = call('openat', HERE, '/', 0x200000);
        call('landlock_add_rule', $fd, 1, bytes(pack('Pl', 8191, $root)), 0);
        call('landlock_restrict_self', $fd, 0);
    }
    try_open(0, '/srv/forbidden/secret', '/etc/hostname');
});

attempt('landlock-exec', function ($t) {
    foreach (['/bin/sh', '/srv/writable/program', '/srv/www/program'] as $path)
        step("execve $path", start([$path, '-c', 'true']));
    step('the dynamic loader as program', start(['/lib64/ld-linux-x86-64.so.2', '/bin/true']));
    step('a script', start(['/srv/www/script.sh']));
});

/* Landlock does not see files in memory; the program has the sandbox of who started it. */
attempt('memfd-exec', function ($t) {
    $fd = call('memfd_create', 'program', 0);
    $text = (string)@file_get_contents('/bin/true');
    if ($text === '')
        $text = "\x7fELF";
    call('write', $fd, bytes($text), strlen($text));
    step('execve of a memory', start_fd($fd));
});

/** 0 when a program could be executed in a child, else the error of it. */
function start(array $words): int
{
    $pointers = implode('', array_map(fn($w) => pack('P', bytes("$w\0")), $words)) . pack('P', 0);
    return start_by('execve', bytes("$words[0]\0"), bytes($pointers), bytes(pack('P', 0)));
}

function start_fd(int $fd): int
{
    return start_by('execveat', $fd, bytes("\0"), bytes(pack('PP', bytes("x\0"), 0)), bytes(pack('P', 0)), 0x1000);
}

function start_by(string $name, int ...$arguments): int
{
    $pipe = room(8);
    call('pipe2', $pipe, 0x80000);
    [1 => $read, 2 => $write] = unpack('l2', peek($pipe, 8));
    $pid = fork();
    if ($pid < 0)
        return $pid;
    if ($pid == 0) {
        $r = call($name, ...$arguments);
        call('write', $write, bytes(pack('l', $r)), 4);
        call('exit_group', 1);
    }
    call('close', $write);
    $answer = room(8);
    $n = call('read', $read, $answer, 4);
    wait_for($pid);
    return $n == 4 ? unpack('l', peek($answer, 4))[1] : 0;
}

attempt('setuid-program', function ($t) {
    [$text] = program('/srv/programs/whoami-root');
    outcome('a setuid program is root', preg_match('/euid=0\b/', $text) ? '' : 'no privilege');
    [$text] = program('/srv/programs/whoami-group');
    outcome('a setgid program has the group', preg_match('/egid=42\b/', $text) ? '' : 'no privilege');
});

attempt('make-setuid', function ($t) {
    $path = '/srv/writable/mine';
    @file_put_contents($path, 'x');
    step('chmod 4755', call('fchmodat', HERE, $path, 04755));
    step('chmod 2755', call('fchmodat', HERE, $path, 02755));
    $fd = step('open with mode 4755', call('openat', HERE, "$path-4755", 0x42, 04755));
    @unlink($path);
    @unlink("$path-4755");
});

attempt('devices', function ($t) {
    step('make a disk', call('mknodat', HERE, '/tmp/disk', 0x6000 | 0600, 0x801));
    step('make /dev/mem', call('mknodat', HERE, '/tmp/mem', 0x2000 | 0600, 0x101));
    try_open(2, '/dev/mem', '/dev/kmsg', '/dev/sda', '/dev/vda', '/dev/net/tun', '/dev/fuse', '/dev/kvm',
             '/dev/loop-control', '/dev/console', '/dev/uinput');
});

attempt('kernel-files', function ($t) {
    try_open(1, '/proc/sys/kernel/core_pattern', '/proc/sys/kernel/modprobe', '/proc/sys/vm/overcommit_memory',
             '/proc/sys/net/ipv4/ip_forward', '/proc/sysrq-trigger', '/sys/kernel/mm/transparent_hugepage/enabled',
             '/sys/power/state', '/sys/fs/cgroup/cgroup.subtree_control', '/proc/kcore');
});

attempt('unit-files', function ($t) {
    try_open(0x41, '/etc/systemd/system/hostile.service', '/run/systemd/system/hostile.service',
             "/run/systemd/system/$t->unit.d/x.conf", '/etc/fpmd/conf.d/hostile.conf', '/usr/lib/systemd/system/x.service',
             '/run/systemd/transient/x.service', '/etc/tmpfiles.d/x.conf', '/etc/udev/rules.d/x.rules');
});

attempt('pool-files', function ($t) {
    try_open(0x1, '/etc/fpmd/conf.d/victim.conf', '/etc/php/8.2/fpm/php.ini', '/etc/php/8.2/fpm/pool.d/victim.conf',
             '/usr/libexec/fpmd/php8.2', '/usr/sbin/fpmd', '/usr/sbin/php-fpm8.2');
});

attempt('system-files', function ($t) {
    try_open(0x1, '/etc/passwd', '/etc/shadow', '/etc/ld.so.preload', '/etc/crontab', '/bin/sh', '/etc/hosts');
    try_open(0, '/etc/shadow', '/etc/gshadow');
});

attempt('runtime-folders', function ($t) {
    try_open(0x41, '/run/fpmd/x', '/run/fpmd-control/x', '/run/php/x', '/run/x', '/run/systemd/x');
});

attempt('sessions', function ($t) {
    step('list the sessions', call('openat', HERE, '/var/lib/php/sessions', 0x10000));
    try_open(0, '/var/lib/php/sessions/sess_ofanotheruser');
    try_open(1, '/var/lib/php/sessions/sess_ofanotheruser');
});

attempt('homes', function ($t) {
    try_open(0, '/home/alice/notes', '/root/.profile');
});

attempt('tmp-of-others', function ($t) {
    try_open(0, '/tmp/of-others', '/var/tmp/of-others');
});

attempt('processes-of-others', function ($t) {
    foreach (['cmdline', 'stat', 'status', 'cgroup'] as $name)
        try_open(0, "/proc/$t->bystander/$name", "/proc/1/$name");
    $count = count(array_filter(scandir('/proc') ?: [], fn($n) => ctype_digit($n)
        && @fileowner("/proc/$n") === 0));
    outcome('processes of root are listed', $count ? '' : 'none');
});

attempt('root-of-others', function ($t) {
    try_open(0, '/proc/1/root/etc/shadow', "/proc/$t->manager/root/etc/hostname",
             "/proc/$t->manager/cwd");
});

/* Its own memory, also where it is not writable. */
attempt('own-memory', function ($t) {
    $fd = step('open /proc/self/mem', call('openat', HERE, '/proc/self/mem', 2));
    $text = mappings('/ r-xp .*libc\.so/')[0][0] ?? 0;
    if ($fd >= 0 && $text)
        step('write over read-only code', call('pwrite64', $fd, bytes(peek($text, 8)), 8, $text));
});

attempt('handles', function ($t) {
    $handle = room(160);
    poke($handle, pack('V', 128));
    step('name_to_handle_at', call('name_to_handle_at', HERE, '/srv', $handle, room(8), 0));
    step('open_by_handle_at', call('open_by_handle_at', HERE, bytes(pack('Vl', 8, 1) . pack('P', 2)), 0));
});

attempt('cron', function ($t) {
    try_open(0x41, '/var/spool/cron/crontabs/site', '/etc/cron.d/site', '/var/spool/cron/atjobs/x');
    outcome('crontab', is_executable('/usr/bin/crontab')
        ? (program('echo "* * * * * true" | /usr/bin/crontab -')[1] ? 'refused' : '') : 'ENOENT');
    outcome('at', is_executable('/usr/bin/at')
        ? (program('echo true | /usr/bin/at now + 1 hour')[1] ? 'refused' : '') : 'ENOENT');
});
