<?php
/* The manager's and systemd's sockets, the journal, the links, the scoreboard. */

attempt('control-socket', function ($t) {
    foreach ([$t->pool, $t->other] as $pool)
        step("connect to the control socket of $pool", connect_unix("/run/fpmd-control/$pool/control"));
    step('list /run/fpmd-control/' . $t->pool, call('openat', HERE, "/run/fpmd-control/$t->pool", 0x10000));
});

attempt('control-folder', function ($t) {
    try_open(0x41, "/run/fpmd-control/$t->pool/attempts", '/run/fpmd-control/file',
             "/run/fpmd-control/$t->pool/control");
    step('unlink the socket', call('unlinkat', HERE, "/run/fpmd-control/$t->pool/control", 0));
    step('rename the folder', call('renameat', HERE, "/run/fpmd-control/$t->pool", HERE, '/run/fpmd-control/x'));
});

attempt('control-program', function ($t) {
    foreach (['reload', 'drain', 'stop'] as $verb) {
        [$text, $status] = program("/usr/bin/fpmctl $verb $t->pool");
        outcome("fpmctl $verb", $status ? 'refused' : '');
    }
});

/* Where the manager has the pool's user. */
attempt('own-control-program', $attempts['control-program']);

attempt('notify', function ($t) {
    foreach (['/run/systemd/notify', "\0/org/freedesktop/systemd1/notify"] as $name) {
        $fd = connect_unix($name, 2);
        foreach (["MAINPID=" . getmypid(), 'STOPPING=1', 'RELOADING=1', "STATUS=hacked", 'WATCHDOG=trigger',
                  'WATCHDOG_USEC=1', 'ERRNO=5', "NOTIFYACCESS=all\nSTATUS=hacked"] as $text)
            step("say $text", $fd < 0 ? $fd : send($fd, $text));
        step('store a descriptor', $fd < 0 ? $fd : send($fd, "FDSTORE=1\nFDNAME=mine", [0]));
    }
});

attempt('systemd-private', function ($t) {
    foreach (['/run/systemd/private', '/run/systemd/journal/io.systemd.journal', '/run/udev/control'] as $name)
        step("connect to $name", connect_unix($name));
});

/* The bus answers everybody; what is asked is for root. */
attempt('system-bus', function ($t) {
    foreach (["systemctl stop fpmd@$t->other.service", "systemctl kill $t->unit", 'systemctl poweroff',
              'systemctl start --no-block getty@tty9', 'systemd-run --wait true', 'loginctl enable-linger',
              "busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 "
              . "org.freedesktop.systemd1.Manager Reload"] as $command)
        outcome($command, program("timeout 3 $command --no-ask-password </dev/null")[1] ? 'refused' : '');
});

attempt('journal-forge', function ($t) {
    $fields = "MESSAGE=forged by a worker\nPRIORITY=0\nPOOL=$t->pool\nSYSLOG_IDENTIFIER=fpmd\n_UID=0\n_PID=1\n"
        . "_EXE=/usr/sbin/fpmd\n_SYSTEMD_UNIT=$t->unit\nMESSAGE_ID=$t->message\nUNIT=$t->unit\n"
        . "OBJECT_PID=$t->manager\nHOSTILE=1\n";
    foreach (sockets(2) as $fd)
        step("by the worker's own socket", send($fd, $fields));
    $fd = connect_unix('/run/systemd/journal/socket', 2);
    step('by the journal', $fd < 0 ? $fd : send($fd, $fields));
    step('with the credentials of the manager', $fd < 0 ? $fd : send($fd, $fields, [], [$t->manager, 0, 0]));
});

attempt('journal-stream', function ($t) {
    $fd = connect_unix('/run/systemd/journal/stdout');
    $text = "fpmd\n$t->unit\n6\n1\n1\n0\n0\nforged by a stream\n";
    step('a stream in the name of fpmd', $fd < 0 ? $fd : call('write', $fd, $text, strlen($text)));
    $fd = connect_unix('/dev/log', 2);
    step('syslog', $fd < 0 ? $fd : send($fd, "<0>fpmd[$t->manager]: forged by syslog"));
});

attempt('journal-odd', function ($t) {
    $fd = connect_unix('/run/systemd/journal/socket', 2);
    if (step('connect', $fd) < 0)
        return;
    $memory = call('memfd_create', 'x', 3);
    call('write', $memory, str_repeat("A\n", 50000), 100000);
    foreach (['', "\n", "A", "=\n", "MESSAGE\n" . pack('P', -1) . 'x', "_\0=1\n", str_repeat('A', 100000)] as $text)
        step('odd bytes', send($fd, $text));
    step('a file', send($fd, '', [$memory]));
    for ($i = 0; $i < 500; $i++)
        send($fd, "MESSAGE=flood $i\nPOOL=$t->pool\n");
});

attempt('journal-read', function ($t) {
    foreach (['/run/log/journal', '/var/log/journal'] as $folder)
        foreach (glob("$folder/*/*") ?: ["$folder/x/system.journal"] as $path)
            try_open(0, $path);
});

// ---- links ----

attempt('link-foreign', function ($t) {
    foreach (life_lines() as $fd)
        foreach ([HELLO, 2, LEAVING] as $type)
            step("as worker {$t->workers[0]}", send($fd, message($type), [], [$t->workers[0], getmyuid(), getmygid()]));
});

attempt('link-garbage', function ($t) {
    foreach (life_lines() as $fd)
        foreach (['', 'x', str_repeat("\xff", 1040), str_repeat("\0", 1040), message(255), message(-1),
                  message(STATUS, -1, -1, str_repeat('A', 1024)), message(STATUS, version: 2),
                  str_repeat('x', 1039), str_repeat('x', 1041), str_repeat('x', 65536)] as $text)
            step('garbage of ' . strlen($text), send($fd, $text));
});

attempt('link-too-long', function ($t) {
    foreach (life_lines() as $fd)
        step('16 MB', send($fd, str_repeat('x', 1 << 24)));
});

attempt('link-flood', function ($t) {
    foreach (life_lines() as $fd)
        for ($i = 0; $i < 5000; $i++)
            $r = send($fd, message(STATUS));
    step('5,000 questions', $r);
});

attempt('link-flood-renew', function ($t) {
    foreach (life_lines() as $fd)
        for ($i = 0; $i < 2000; $i++)
            $r = send($fd, message(RENEW));
    step('2,000 wishes for another generation', $r);
});

attempt('link-unread', function ($t) {
    foreach (life_lines() as $fd)
        for ($i = 0; $i < 20; $i++, pause(5))
            step('a question whose answer is not read', send($fd, message(STATUS)));
});

attempt('link-twice', function ($t) {
    foreach (life_lines() as $fd)
        foreach ([HELLO, HELLO, 2, 2, LEAVING, LEAVING] as $type)
            step("message $type once more", send($fd, message($type, 1, 1)));
});

attempt('link-as-template', function ($t) {
    foreach (life_lines() as $fd)
        foreach ([1, 3, 5, 6, 8, 12, 14, 15, 16, 17] as $type)
            step("message $type of others", send($fd, message($type, 32, 7, 'PHP 9.9')));
});

attempt('link-descriptors', function ($t) {
    foreach (life_lines() as $fd)
        for ($i = 0; $i < 3; $i++)
            step('100 descriptors', send($fd, message(STATUS), array_fill(0, 100, 0)));
});

attempt('link-linger', function ($t) {
    $listener = call('socket', 2, 1, 0);
    call('bind', $listener, ...inet(0));
    call('listen', $listener, 5);
    $name = room(16);
    call('getsockname', $listener, $name, bytes(pack('V', 16)));
    $s = call('socket', 2, 1, 0);
    call('connect', $s, $name, 16);
    for ($i = 0; $i < 1000 && call('sendto', $s, str_repeat('x', 65536), 65536, 0x40, 0, 0) > 0; $i++);
    $set = call('setsockopt', $s, 1, 13, bytes(pack('VV', 1, 3600)), 8);
    foreach (sockets(5) as $line)
        step('a socket that lingers for an hour', $set < 0 ? $set : send($line, message(LEAVE), [$s]));
    call('setsockopt', $s, 1, 13, bytes(pack('VV', 0, 0)), 8);
});

attempt('link-shutdown', function ($t) {
    foreach (life_lines() as $fd)
        step('shutdown of the life line', call('shutdown', $fd, 2));
});

attempt('link-close', function ($t) {
    foreach (life_lines() as $fd)
        step('close of the life line', call('close', $fd));
    pause(300);
});

/* Native code that blocks every signal and never looks at its line. */
attempt('link-deaf', function ($t) {
    call('rt_sigprocmask', 0, bytes(str_repeat("\xff", 8)), 0, 8);
    step('no signal and no message is heard', 0);
    pause(900);
    call('exit_group', 0);
});

// ---- scoreboard ----

function scribble(string $bytes): int
{
    [$slot, $size] = slot();
    if (!$slot)
        return -2;
    poke($slot, str_repeat($bytes, intdiv($size, strlen($bytes))));
    return 0;
}

foreach (['nan' => pack('e', NAN), 'huge' => pack('P', PHP_INT_MAX), 'negative' => pack('q', -5), 'ones' => "\xff",
          'zero' => "\0", 'text' => "\x1b[31m\"',}\n<\xc3\x28>\r\0"] as $name => $value)
    attempt("board-$name", function ($t) use ($value) {
        step('fill the slot', scribble($value));
        pause(400);
        call('exit_group', 0);
    });

/* Good version, state and sequence, absurd figures. */
attempt('board-lies', function ($t) {
    [$slot] = slot();
    if (!$slot) {
        step('find the slot', -2);
        return;
    }
    poke($slot + 16, str_repeat(pack('P', PHP_INT_MAX), 8));
    poke($slot + 88, str_repeat("\x1b]0;x\x07\"", 2));
    poke($slot + 104, str_repeat("\xff\x1b[2J\",:{}", 200));
    poke($slot + 3072, str_repeat(pack('P', -1), 38));
    step('absurd figures', 0);
    pause(400);
    call('exit_group', 0);
});

attempt('board-odd', function ($t) {
    [$slot] = slot();
    if ($slot)
        poke($slot + 4, pack('V', 1));
    step('a sequence that stays odd', $slot ? 0 : -2);
    pause(400);
    call('exit_group', 0);
});

attempt('board-neighbours', function ($t) {
    [$slot] = slot();
    $pipe = room(8);
    call('pipe2', $pipe, 0);
    $write = unpack('l2', peek($pipe, 8))[2];
    $old = call('mremap', $slot, 8192, 1 << 20, 1, 0);
    if ($old < 0 && $old > -4096) {
        step('mremap over the neighbours', $old);
        return;
    }
    foreach ([8192, 16384, 65536] as $at) // the kernel says EFAULT where the process would get SIGBUS
        step("the page at $at", call('write', $write, $old + $at, 8));
    call('exit_group', 0); // its slot is elsewhere now
});

attempt('board-reopen', function ($t) {
    [$slot, $size] = slot();
    step('open it by map_files', call('openat', HERE, sprintf('/proc/self/map_files/%x-%x', $slot, $slot + $size), 2));
    $inode = preg_match('/ (\d+) +\/memfd/', mappings(sprintf('/^%x-/', $slot))[0][2] ?? '', $found) ? $found[1] : 0;
    foreach (range(3, 255) as $fd)
        if (@fileinode("/proc/self/fd/$fd") == $inode)
            outcome("it is descriptor $fd", '');
});

attempt('board-resize', function ($t) {
    foreach ([0, 1 << 30] as $size)
        foreach (range(3, 63) as $fd) {
            $name = room(256);
            $n = call('readlinkat', HERE, "/proc/self/fd/$fd", $name, 256);
            if ($n > 0 && str_contains(peek($name, $n), 'memfd:fpmd'))
                step('ftruncate', call('ftruncate', $fd, $size));
        }
    step('cut the slot by its mapping', call('madvise', slot()[0], 8192, 9));
});

attempt('snapshot', function ($t) {
    foreach (life_lines() as $line) {
        send($line, message(STATUS));
        for ($i = 0; $i < 100 && !is_array($got = receive($line)); $i++)
            pause(5);
        foreach (is_array($got) ? $got[1] : [] as $fd) {
            $at = call('mmap', 0, 4096, 3, 1, $fd, 0);
            step('map it writable', $at < 0 && $at > -4096 ? $at : 0);
            step('write to it', call('pwrite64', $fd, 'x', 1, 0));
            step('cut it', call('ftruncate', $fd, 0));
            step('make it longer', call('ftruncate', $fd, 1 << 20));
            $again = call('openat', HERE, "/proc/self/fd/$fd", 2);
            step('write to it by /proc/self/fd', $again < 0 ? $again : call('pwrite64', $again, 'x', 1, 0));
        }
    }
});

attempt('trace-lies', function ($t) {
    [$slot] = slot();
    if ($slot)
        poke($slot + 4096, str_repeat("\x1b[2J\xff\"}\n<0>#0 root()\n", 200));
    step('a false call stack', $slot ? 0 : -2);
    call('rt_sigaction', 11, bytes(str_repeat("\0", 32)), 0, 8);
    poke(16, 'x');
});
