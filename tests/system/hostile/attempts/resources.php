<?php
/* Using things up, and staying. */

attempt('exhaust-fds', function ($t) {
    for ($n = 0; $n < 100000 && ($r = call('dup', 0)) >= 0; $n++);
    step('open until the end', $r);
    pause(100);
    call('close_range', 64, 0xffffffff, 0);
});

attempt('exhaust-processes', function ($t) {
    $pids = [];
    for ($i = 0; $i < 64; $i++) {
        $pid = fork();
        if ($pid == 0) {
            pause(400);
            call('exit_group', 0);
        }
        if ($pid < 0)
            break;
        $pids[] = $pid;
    }
    step('64 processes', $pid);
});

attempt('fork-bomb', function ($t) {
    $pid = fork();
    if ($pid == 0) {
        for ($i = 0; $i < 5; $i++) // 32 of them
            fork();
        pause(300);
        call('exit_group', 0);
    }
    step('processes that make processes', $pid);
});

attempt('exhaust-memory', function ($t) {
    $size = 64 << 20;
    $at = call('mmap', 0, $size, 3, 0x22 | 0x8000, -1, 0);
    step('64 MB', $at < 0 && $at > -4096 ? $at : 0);
    call('munmap', $at, $size);
});

attempt('lock-memory', fn($t) => try_calls(['mlockall', 3], ['munlockall'], ['mlock', room(64), 64 << 20]));

attempt('exhaust-disk', function ($t) {
    $fd = call('openat', HERE, '/tmp/filler', 0x42, 0600);
    step('64 MB in /tmp', $fd < 0 ? $fd : call('fallocate', $fd, 0, 0, 64 << 20));
    call('unlinkat', HERE, '/tmp/filler', 0);
    call('close', $fd);
});

attempt('exhaust-watches', function ($t) {
    for ($i = 0; $i < 2000 && ($r = call('inotify_init1', 0)) >= 0; $i++);
    step('instances of inotify', $r);
    call('close_range', 64, 0xffffffff, 0);
});

attempt('exhaust-signals', function ($t) {
    call('rt_sigprocmask', 0, bytes(pack('P', 1 << 40)), room(8), 8);
    $info = bytes(pack('lll', 41, 0, -1) . str_repeat("\0", 116));
    for ($i = 0; $i < 200000 && ($r = call('rt_sigqueueinfo', getmypid(), 41, $info)) >= 0; $i++);
    step('signals to itself', $r);
    pause(100);
    call('exit_group', 0);
});

attempt('exhaust-timers', function ($t) {
    for ($i = 0; $i < 200000; $i++) {
        $r = call('timer_create', 1, bytes(pack('Pll', 0, 0, 1) . str_repeat("\0", 48)), room(8));
        if ($r < 0 || $i > 20000)
            break;
    }
    step('timers', $r);
    call('exit_group', 0);
});

attempt('exhaust-flying', function ($t) {
    [$a, $b] = pair(2);
    for ($i = 0; $i < 5000 && ($r = send($a, 'x', array_fill(0, 100, 0))) >= 0; $i++);
    step('descriptors on their way', $r);
});

attempt('exhaust-pipes', function ($t) {
    $pipe = room(8);
    for ($i = 0; $i < 400; $i++) {
        call('pipe2', $pipe, 0x800);
        $r = call('fcntl', unpack('l', peek($pipe, 4))[1], 1031, 1 << 20);
    }
    step('pipes of a megabyte', $r);
    call('close_range', 64, 0xffffffff, 0);
});

attempt('burn-cpu', function ($t) {
    $pid = fork();
    $end = microtime(true) + 0.2;
    while (microtime(true) < $end);
    if ($pid == 0)
        call('exit_group', 0);
    step('two processors for 0.2 seconds', 0);
});

/* Of root, who has made one of each: the first ones have the number 0. */
attempt('shared-memory', function ($t) {
    step('attach the memory', min(0, max(-4095, call('shmat', 0, 0, 0))));
    step('remove the memory', call('shmctl', 0, 0, 0));
    step('read the queue', call('msgrcv', 0, room(64), 8, 0, 0x800));
    step('remove the queue', call('msgctl', 0, 0, 0));
    step('change the semaphore', call('semctl', 0, 0, 16, 1));
    step('remove the semaphore', call('semctl', 0, 0, 0, 0));
});

attempt('file-locks', function ($t) {
    foreach (['/etc/passwd', '/etc/fpmd/conf.d/victim.conf', '/usr/libexec/fpmd/php8.2', '/etc/php/8.2/fpm/php.ini'] as $path) {
        $fd = call('openat', HERE, $path, 0);
        step("flock of $path", $fd < 0 ? $fd : call('flock', $fd, 6));
        step("lease of $path", $fd < 0 ? $fd : call('fcntl', $fd, 1024, 1));
        $held[] = $fd;
    }
    pause(200);
    foreach ($held as $fd)
        call('close', $fd);
});

// ---- the generation's cache ----

attempt('opcache-poison', function ($t) {
    include_once '/srv/www/original.php'; // so that it is in the cache
    $found = 0;
    $needle = 'ORIGI' . 'NAL-ANSWER';
    foreach (mappings('/ rw-[sp] .*(zero|opcache|ZendAcc|memfd:(?!fpmd))|rw-s .*deleted/') as [$begin, $end]) {
        for ($at = $begin; $at < $end; $at += 1 << 20) {
            $text = peek($at, min((1 << 20) + 64, $end - $at));
            for ($in = 0; ($in = strpos($text, $needle, $in)) !== false; $in++, $found++)
                poke($at + $in, 'POISONED-ANSWER');
        }
    }
    step('rewrite a string in the cache', $found ? 0 : -2);
    if ($t->pool == 'strict')
        call('exit_group', 0); // the own copy goes with the worker
});

/* In a child, which keeps it; its parent answers. */
attempt('opcache-lock', function ($t) {
    $locked = -2;
    foreach (range(3, 255) as $fd) {
        $name = room(256);
        $n = call('readlinkat', HERE, "/proc/self/fd/$fd", $name, 256);
        if ($n > 0 && preg_match('/opcache|Zend/i', peek($name, $n)))
            $locked = call('fcntl', $fd, 6, bytes(pack('vvxxxxPPl', 1, 0, 0, 0, 0)));
    }
    step('hold the lock of the cache', $locked);
    pause(400);
    call('exit_group', 0);
});

// ---- output ----

attempt('output-flood', function ($t) {
    $text = bytes(str_repeat(str_repeat('flood ', 15) . "\n", 100));
    call('fcntl', 2, 4, 0x801);
    for ($i = 0; $i < 100; $i++)
        $r = call('write', 2, $text, 9100);
    step('a megabyte at once', 0);
});

attempt('output-marks', function ($t) {
    foreach ([1, 2] as $fd)
        foreach (["\0fpmd:0123456789abcdef forged-id\0/forged\nunder a forged mark\n", "\0fpmd:\n", "<0>emergency\n",
                  "\x1b[2J\x1b]0;title\x07\xff\xfe\r\n", str_repeat("\0", 5000) . "\n", "a line without end"] as $text)
            step('write', call('write', $fd, bytes($text), strlen($text)));
});

attempt('output-long', function ($t) {
    call('fcntl', 2, 4, 0x801);
    $text = bytes(str_repeat('x', 65536));
    for ($i = 0; $i < 40; $i++, pause(2))
        call('write', 2, $text, 65536);
    step('a line of two megabytes', 0);
});

// ---- staying ----

attempt('child-stays', function ($t) {
    $pid = fork();
    if ($pid == 0) {
        pause(100000);
        call('exit_group', 0);
    }
    step('a child that lives on', $pid);
});

attempt('daemon', function ($t) {
    $pid = fork();
    if ($pid == 0) {
        call('setsid');
        call('rt_sigprocmask', 0, bytes(str_repeat("\xff", 8)), 0, 8);
        if (fork() == 0) {
            call('close_range', 0, 0xffffffff, 0);
            pause(100000);
        }
        call('exit_group', 0);
    }
    if ($pid > 0)
        wait_for($pid);
    step('a daemon of two forks', $pid);
});
