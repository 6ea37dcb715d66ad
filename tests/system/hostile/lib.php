<?php
/*
 * What an attacker has who runs native code in a worker: any system call, any memory of his own.
 * Numbers and machine code are those of x86_64 Linux.
 */

require __DIR__ . '/numbers.php'; // SYSTEM_CALLS, ERRORS: made by the test from the kernel's headers

const DODGED = 3999; // what the handler below makes of a call that a filter answers with SIGSYS
const HERE = -100;   // AT_FDCWD
const FLAG_SETTLED = 0x40;

$steps = [];
$c = FFI::cdef('void *mmap(void *at, unsigned long size, int protection, int flags, int fd, long offset);');
$code = $c->mmap(null, 4096, 7, 0x22, -1, 0);
// A call with six arguments: rdi … -> rax, rdi …; the kernel's answer as it is.
poke(address($code), "\x48\x89\xf8\x48\x89\xf7\x48\x89\xd6\x48\x89\xca\x4d\x89\xc2\x4d\x89\xc8"
    . "\x4c\x8b\x4c\x24\x08\x0f\x05\xc3");
// A handler of SIGSYS that lives on: rax of the interrupted call = -DODGED; and its way back.
poke(address($code) + 64, "\x48\xc7\x82\x90\x00\x00\x00" . pack('l', -DODGED) . "\xc3");
poke(address($code) + 96, "\xb8\x0f\x00\x00\x00\x0f\x05");
// getpid and the like in the table of i386: mov eax, edi; int 0x80; ret.
poke(address($code) + 128, "\x89\xf8\xcd\x80\xc3");
$kernel = $c->cast('long (*)(long, long, long, long, long, long, long)', $code);
$arena = $c->new('char[25165824]', false);
$used = 0;

function address(FFI\CData $pointer): int
{
    return FFI::cast('unsigned long *', FFI::addr($pointer))[0];
}

function pointer(int $address): FFI\CData
{
    $number = FFI::new('unsigned long');
    $number->cdata = $address;
    return FFI::cast('char **', FFI::addr($number))[0];
}

function poke(int $address, string $bytes): void
{
    FFI::memcpy(pointer($address), $bytes, strlen($bytes));
}

function peek(int $address, int $n): string
{
    return FFI::string(pointer($address), $n);
}

/** The address of a copy of some bytes; it holds for the next megabytes of copies. */
function bytes(string $bytes): int
{
    global $arena, $used;
    if ($used + strlen($bytes) + 32 > FFI::sizeof($arena))
        $used = 0;
    $at = address(FFI::addr($arena[0])) + $used;
    $used += strlen($bytes) + 16 & ~15;
    poke($at, $bytes);
    return $at;
}

function room(int $n): int
{
    return bytes(str_repeat("\0", $n));
}

/** A system call: what it returns, or the negative number of the error. Texts become C strings. */
function call(string $name, int|string ...$arguments): int
{
    global $kernel;
    $given = array_map(fn($a) => is_string($a) ? bytes("$a\0") : $a, array_values($arguments));
    return $kernel(SYSTEM_CALLS[$name] ?? -1, ...array_pad($given, 6, 0));
}

function numbered(int $number, int ...$arguments): int
{
    global $kernel;
    return $kernel($number, ...array_pad(array_values($arguments), 6, 0));
}

function error_name(int $error): string
{
    return $error == DODGED ? 'SIGSYS' : ERRORS[$error] ?? "error $error";
}

/** Notes what came of a part of the attempt: a number as call() returns it. Returns that. */
function step(string $what, int $result): int
{
    global $steps;
    $steps[] = [$what, $result < 0 ? error_name(-$result) : 'ok'];
    @file_put_contents('/srv/hostile/steps', json_encode($steps));
    return $result;
}

/** A part that is no system call: error is the name of what refused it, '' when it went through. */
function outcome(string $what, string $error): void
{
    global $steps;
    $steps[] = [$what, $error === '' ? 'ok' : $error];
    @file_put_contents('/srv/hostile/steps', json_encode($steps));
}

/** try_calls($what, [name, arguments …], …): each a step. */
function try_calls(array ...$calls): void
{
    foreach ($calls as $call)
        step($call[0], call(...$call));
}

function try_open(int $flags, string ...$paths): void
{
    foreach ($paths as $path) {
        $fd = step("open $path", call('openat', HERE, $path, $flags, 0600));
        if ($fd >= 0)
            call('close', $fd);
    }
}

function install_dodge(): array
{
    global $code;
    $old = room(32);
    $action = pack('PPPP', address($code) + 64, 0x04000004 | 0x40000000, address($code) + 96, 0);
    call('rt_sigaction', 31, bytes($action), $old, 8);
    return [$old];
}

// ---- descriptors and sockets ----

function option(int $fd, int $level, int $name): int
{
    $value = room(8);
    $r = call('getsockopt', $fd, $level, $name, $value, bytes(pack('V', 4)));
    return $r < 0 ? $r : unpack('l', peek($value, 4))[1];
}

/** Descriptors that are sockets of a type: 1 stream, 2 datagram, 5 messages. */
function sockets(int $type): array
{
    return array_values(array_filter(range(3, 255), fn($fd) => option($fd, 1, 3) == $type));
}

function listeners(): array
{
    return array_values(array_filter(sockets(1), fn($fd) => option($fd, 1, 30) == 1));
}

/** The life line blocks; the two of the porter do not. */
function life_lines(): array
{
    return array_values(array_filter(sockets(5), fn($fd) => !(call('fcntl', $fd, 3) & 0x800)));
}

function porter_lines(): array
{
    return array_values(array_filter(sockets(5), fn($fd) => call('fcntl', $fd, 3) & 0x800));
}

/** [address, length] of a unix socket; a name that begins with NUL is abstract. */
function unix(string $name): array
{
    $text = pack('v', 1) . $name . ($name[0] == "\0" ? '' : "\0");
    return [bytes($text), strlen($text)];
}

function inet(int $port, int $host = 0x7f000001): array
{
    return [bytes(pack('vnN', 2, $port, $host) . str_repeat("\0", 8)), 16];
}

function connect_unix(string $name, int $type = 1): int
{
    $fd = call('socket', 1, $type | 0x800, 0);
    $r = $fd < 0 ? $fd : call('connect', $fd, ...unix($name));
    if ($r < 0 && $fd >= 0)
        call('close', $fd);
    return $r < 0 ? $r : $fd;
}

function pair(int $type = 1): array
{
    $fds = room(8);
    $r = call('socketpair', 1, $type, 0, $fds);
    return $r < 0 ? [$r, $r] : array_values(unpack('l2', peek($fds, 8)));
}

/** One message with descriptors, and with credentials [pid, uid, gid] when given. */
function send(int $fd, string $message, array $fds = [], ?array $credentials = null, int $flags = 0x40): int
{
    $control = '';
    if ($fds)
        $control .= str_pad(pack('PVV', 16 + 4 * count($fds), 1, 1) . pack('V*', ...$fds),
                            16 + (4 * count($fds) + 7 & ~7), "\0");
    if ($credentials)
        $control .= str_pad(pack('PVVVVV', 28, 1, 2, ...$credentials), 32, "\0");
    $vector = bytes(pack('PP', bytes($message), strlen($message)));
    $header = pack('PPPPPPP', 0, 0, $vector, 1, $control == '' ? 0 : bytes($control), strlen($control), 0);
    return call('sendmsg', $fd, bytes($header), $flags | 0x4000);
}

/** [message, descriptors] or a negative number. */
function receive(int $fd, int $size = 2048): array|int
{
    $data = room($size);
    $control = room(512);
    $header = bytes(pack('PPPPPPP', 0, 0, bytes(pack('PP', $data, $size)), 1, $control, 512, 0));
    $n = call('recvmsg', $fd, $header, 0x40);
    if ($n < 0)
        return $n;
    $length = unpack('P', peek($header + 40, 8))[1];
    $fds = $length >= 20 ? array_values(unpack('V*', peek($control + 16, unpack('P', peek($control, 8))[1] - 16))) : [];
    return [peek($data, $n), $fds];
}

const HELLO = 4, LEAVE = 6, LEAVING = 7, RENEW = 9, PARK = 10, SERVE = 11, STATUS = 13;

function message(int $type, int $count = 0, int $flags = 0, string $text = '', int $version = 1): string
{
    return pack('VVVV', $version, $type, $count, $flags) . str_pad($text, 1024, "\0");
}

// ---- processes ----

function fork(): int
{
    return call('clone', 17, 0, 0, 0, 0);
}

function wait_for(int $pid): int
{
    $status = room(8);
    $r = call('wait4', $pid, $status, 0, 0);
    return $r < 0 ? $r : unpack('V', peek($status, 4))[1];
}

function pause(int $milliseconds): void
{
    call('nanosleep', bytes(pack('PP', intdiv($milliseconds, 1000), $milliseconds % 1000 * 1000000)), 0);
}

/** Whether a process has ended, or does so soon. */
function ended(int $pid): bool
{
    $handle = call('pidfd_open', $pid, 0);
    $done = $handle == -3 || $handle >= 0 && call('poll', bytes(pack('lvv', $handle, 1, 0)), 1, 60) > 0;
    call('close', $handle);
    return $done;
}

/** Runs a program by PHP's own means; returns [output, exit status]. */
function program(string $command): array
{
    $status = 255;
    $lines = [];
    @exec("$command 2>&1", $lines, $status);
    return [implode("\n", $lines), $status];
}

/** [begin, end, line] of mappings of this process whose line fits. */
function mappings(string $pattern): array
{
    $found = [];
    foreach (@file('/proc/self/maps') ?: [] as $line)
        if (preg_match($pattern, $line)) {
            [$begin, $end] = explode('-', strtok($line, ' '));
            $found[] = [hexdec($begin), hexdec($end), $line];
        }
    return $found;
}

/** Where the own slot of the scoreboard is mapped: [address, size]. */
function slot(): array
{
    foreach (['memfd:fpmd-slot', 'zero'] as $name) // php-fpm's is anonymous, for the whole pool
        foreach (mappings("/ rw-s .*$name/") as [$begin, $end])
            if ($end - $begin <= 65536)
                return [$begin, $end - $begin];
    return [0, 0];
}
