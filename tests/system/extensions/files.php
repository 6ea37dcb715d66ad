<?php
require 'check.php';
$folder = scratch();
$a = "$folder/a";
is('write', file_put_contents($a, 'text', LOCK_EX), 4);
is('copy', copy($a, "$folder/b"));
is('rename', rename("$folder/b", "$folder/c"));
is('symlink', symlink($a, "$folder/s"));
is('readlink', readlink("$folder/s"), $a);
is('link', link($a, "$folder/l"));
is('mode', chmod($a, 0640) && (fileperms($a) & 0777) === 0640);
is('time', touch($a, 1000000000) && !clearstatcache() && filemtime($a) === 1000000000);
$f = fopen($a, 'r+');
is('lock', flock($f, LOCK_EX) && flock($f, LOCK_UN));
is('truncate', ftruncate($f, 2));
is('sync', fsync($f) && fdatasync($f));
fclose($f);
is('folder', mkdir("$folder/d/e", 0755, true) && rename("$folder/d/e", "$folder/f") && rmdir("$folder/f")
    && rmdir("$folder/d"));
is('temporary', is_resource(tmpfile()));
is('space', disk_free_space($folder) > 0);
is('list', count(scandir($folder)), 6);
is('pipe', posix_mkfifo("$folder/p", 0600) && unlink("$folder/p"));
is('upload folder', is_writable(sys_get_temp_dir()));
is('host', gethostbyname('localhost'), '127.0.0.1');
is('zone', (new DateTime('2026-07-01', new DateTimeZone('Europe/Berlin')))->format('P'), '+02:00');
is('load', count(sys_getloadavg()), 3);
