<?php
/* The listener, the porter's two sockets, and sockets of other pools. */

/* What counts is whether others can still connect. */
attempt('listener-shutdown', function ($t) {
    foreach (listeners() as $fd)
        foreach ([0, 2] as $how)
            call('shutdown', $fd, $how);
    outcome('the listener is shut', connect_unix("$t->sockets/$t->pool.sock") == -111 ? '' : 'no effect');
});

attempt('listener-close', function ($t) {
    foreach (listeners() as $fd)
        step('close of the listener', call('close', $fd));
    pause(300); // while it lives it takes the wake-up of every other connection
    call('exit_group', 0);
});

attempt('listener-swallow', function ($t) {
    $end = microtime(true) + 0.3;
    $listeners = listeners();
    while (microtime(true) < $end) {
        foreach ($listeners as $fd)
            if (call('poll', bytes(pack('lvv', $fd, 1, 0)), 1, 1) > 0)
                call('accept4', $fd, 0, 0, 0x800);
    }
    step('take connections and never answer', 0);
    call('exit_group', 0);
});

attempt('listener-blocking', function ($t) {
    foreach (listeners() as $fd)
        step('make the listener block', call('fcntl', $fd, 4, 2));
});

attempt('listener-signals', function ($t) {
    foreach (listeners() as $fd)
        foreach (['manager' => $t->manager, 'template' => $t->template, 'sibling' => $t->workers[0]] as $who => $pid) {
            call('fcntl', $fd, 10, 9); // F_SETSIG
            call('fcntl', $fd, 8, $pid);
            call('ioctl', $fd, 0x8901, bytes(pack('l', $pid))); // FIOSETOWN
            call('ioctl', $fd, 0x5452, bytes(pack('l', 1))); // FIOASYNC
            connect_unix("$t->sockets/$t->pool.sock");
            outcome("the $who is ended by a connection", ended($pid) ? '' : 'no signal');
            call('fcntl', $fd, 8, 0);
            call('ioctl', $fd, 0x5452, bytes(pack('l', 0)));
        }
});

attempt('listener-async', function ($t) {
    foreach (listeners() as $fd) {
        call('fcntl', $fd, 4, 0x2802);
        step('FIOASYNC', call('ioctl', $fd, 0x5452, bytes(pack('l', 1))));
    }
});

attempt('listener-options', function ($t) {
    foreach (listeners() as $fd)
        foreach ([[7, 1], [8, 1], [16, 1], [34, 1], [42, 5], [43, 1], [15, 1], [9, 1], [83, 0]] as [$option, $value])
            step("socket option $option", call('setsockopt', $fd, 1, $option, bytes(pack('VV', $value, 0)), 4));
});

/* A program of the kernel's packet filter that drops everything, and cannot be taken away. */
attempt('listener-filter', function ($t) {
    $program = bytes(pack('vxxxxxxP', 1, bytes(pack('vCCV', 6, 0, 0, 0))));
    foreach (listeners() as $fd) {
        step('SO_ATTACH_FILTER', call('setsockopt', $fd, 1, 26, $program, 16));
        step('SO_LOCK_FILTER', call('setsockopt', $fd, 1, 44, bytes(pack('V', 1)), 4));
        step('SO_ATTACH_REUSEPORT_CBPF', call('setsockopt', $fd, 1, 51, $program, 16));
    }
});

attempt('listener-epoll', function ($t) {
    foreach (listeners() as $fd)
        for ($i = 0; $i < 50; $i++) {
            $epoll = call('epoll_create1', 0);
            $r = call('epoll_ctl', $epoll, 1, $fd, bytes(pack('VP', 1 | 1 << 28, 0)));
        }
    step('wait for every connection in 50 epolls', $r ?? 0);
    pause(150);
    call('exit_group', 0);
});

attempt('listener-backlog', function ($t) {
    foreach (listeners() as $fd)
        step('a queue of length 0', call('listen', $fd, 0));
});

attempt('listener-path', function ($t) {
    $path = "$t->sockets/$t->pool.sock";
    step('unlink the path', call('unlinkat', HERE, $path, 0));
    step('rename another over it', call('renameat', HERE, '/srv/hostile/steps', HERE, $path));
    $fd = call('socket', 1, 1, 0);
    step('bind it', call('bind', $fd, ...unix($path)));
    step('chmod it', call('fchmodat', HERE, $path, 0777));
});

attempt('own-socket', function ($t) {
    $fd = step('connect to the own pool', connect_unix("$t->sockets/$t->pool.sock"));
});

/* The web server's user is often that of a pool, and may connect to all of them. */
attempt('other-socket', function ($t) {
    step('connect to another pool', connect_unix("$t->sockets/$t->other.sock"));
});

attempt('other-manager-socket', function ($t) {
    step('connect to the other product', connect_unix($t->rival));
});

attempt('status-socket', function ($t) {
    step('connect to the status socket of another pool', connect_unix("$t->sockets/$t->other.status.sock"));
});

attempt('abstract-sockets', function ($t) {
    $fd = connect_unix("\0hostile-abstract");
    step('connect to an abstract socket of root', $fd);
});

attempt('datagram-abstract', function ($t) {
    $fd = call('socket', 1, 2, 0);
    step('a datagram to an abstract socket', call('sendto', $fd, 'x', 1, 0x40, ...unix("\0hostile-datagram")));
});

// ---- the porter ----

attempt('porter-garbage', function ($t) {
    foreach (porter_lines() as $fd)
        foreach (['', 'x', str_repeat("\xff", 1040), message(255), message(PARK), message(SERVE), message(12, 100),
                  message(PARK, version: 7), str_repeat('x', 4096)] as $text)
            step('garbage', send($fd, $text));
});

attempt('porter-forge', function ($t) {
    [$a, $b] = pair();
    [$c, $d] = pair(2);
    $memory = call('memfd_create', 'x', 0);
    $epoll = call('epoll_create1', 0);
    foreach (porter_lines() as $fd)
        foreach ([PARK, SERVE] as $type)
            foreach ([[$a], [$c], [$memory], [$epoll], [$fd], listeners(), [$a, $b, $c], life_lines()] as $fds)
                step('what is no connection', send($fd, message($type, 0, 1), $fds));
});

attempt('porter-fill', function ($t) {
    [$a] = pair();
    foreach (porter_lines() as $fd)
        for ($i = 0; $i < 3000; $i++)
            if (($r = send($fd, message(PARK, 0, 1), [$a])) < 0)
                break;
    step('3,000 connections', $r ?? 0);
});

attempt('porter-fill-handover', function ($t) {
    foreach (porter_lines() as $fd)
        for ($i = 0; $i < 3000; $i++)
            if (($r = send($fd, message(SERVE))) < 0)
                break;
    step('3,000 messages', $r ?? 0);
});

attempt('porter-steal', function ($t) {
    $end = microtime(true) + 0.4;
    $lines = porter_lines();
    while (microtime(true) < $end) {
        foreach ($lines as $fd)
            receive($fd);
        pause(1);
    }
    step('take what is meant for siblings', 0);
    call('exit_group', 0);
});

attempt('porter-close', function ($t) {
    foreach (porter_lines() as $fd)
        step('shutdown', call('shutdown', $fd, 2));
});

// ---- networks ----

attempt('tcp', function ($t) {
    foreach ([80, 81, 82] as $port) {
        $fd = call('socket', 2, 1, 0);
        step("connect to port $port", call('connect', $fd, ...inet($port)));
    }
});

attempt('tcp-round', function ($t) {
    $fd = call('socket', 2, 1, 262);
    step('by MPTCP', $fd < 0 ? $fd : call('connect', $fd, ...inet(80)));
    $fd = call('socket', 2, 1, 132);
    step('by SCTP', $fd < 0 ? $fd : call('connect', $fd, ...inet(80)));
    $fd = call('socket', 2, 1, 0);
    step('by MSG_FASTOPEN', call('sendto', $fd, 'x', 1, 0x20000000, ...inet(80)));
    $fd = call('socket', 2, 1, 0);
    [$name, $n] = inet(80);
    $header = pack('PPPPPPP', $name, $n, bytes(pack('PP', bytes('x'), 1)), 1, 0, 0, 0);
    step('by MSG_FASTOPEN of sendmsg', call('sendmsg', $fd, bytes($header), 0x20000000));
    step('by MSG_FASTOPEN of sendmmsg', call('sendmmsg', $fd, bytes($header . pack('P', 0)), 1, 0x20000000));
    $fd = call('socket', 10, 1, 0);
    $name = bytes(pack('vnV', 10, 80, 0) . str_repeat("\0", 10) . "\xff\xff\x7f\0\0\1" . pack('V', 0));
    step('by IPv6', call('connect', $fd, $name, 28));
    $fd = call('socket', 2, 1, 0);
    call('setsockopt', $fd, 6, 30, bytes(pack('V', 1)), 4);
    $r = call('connect', $fd, ...inet(80));
    step('by TCP_FASTOPEN_CONNECT', $r < 0 ? $r : call('sendto', $fd, 'x', 1, 0, 0, 0));
});
