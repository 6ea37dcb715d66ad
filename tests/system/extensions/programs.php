<?php
require 'check.php';
is('exec', exec('echo text; echo more', $lines, $status), 'more');
is('lines', [$lines, $status], [['text', 'more'], 0]);
is('shell_exec', shell_exec('expr 6 \* 7'), "42\n");
is('backticks', `printf x`, 'x');
ob_start();
system('printf system');
passthru('printf passthru');
is('output', ob_get_clean(), 'systempassthru');
$p = popen('cat /etc/hostname | wc -l', 'r');
is('popen', trim(fgets($p)), '1');
is('pclose', pclose($p), 0);
$p = proc_open(['sort'], [['pipe', 'r'], ['pipe', 'w']], $pipes);
fwrite($pipes[0], "b\na\n");
fclose($pipes[0]);
is('proc_open', stream_get_contents($pipes[1]), "a\nb\n");
is('proc_close', proc_close($p), 0);
$folder = scratch();
is('archive', exec("cd $folder && cp -p /etc/passwd . && tar czf a.tar.gz passwd && gzip -t a.tar.gz"
                   . ' && ls -l | wc -l'), '3');
is('programs', exec('php8.2 -n -r "echo 1 + 1;"'), '2');
is('kill', exec('sleep 5 & kill $!; wait $! 2>/dev/null; echo $?'), '143');
is('mail', mail('a@b.example', 'Subject', "text\n"));
is('sent', str_contains(file_get_contents(sys_get_temp_dir() . '/mail'), 'Subject: Subject'));
unlink(sys_get_temp_dir() . '/mail');
