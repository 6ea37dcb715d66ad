<?php
require 'check.php';
foreach (['exec' => fn () => exec('echo text'), 'shell_exec' => fn () => shell_exec('echo text'),
          'system' => fn () => system('echo text'), 'passthru' => fn () => passthru('echo text'),
          'popen' => fn () => popen('echo text', 'r'), 'proc_open' => fn () => proc_open(['true'], [], $p),
          'mail' => fn () => mail('a@b.example', 'Subject', 'text')] as $name => $call) {
    error_clear_last();
    is("$name fails", (bool)@$call(), false);
    echo $name, ': ', error_get_last()['message'] ?? 'no warning', "\n";
    error_clear_last();
}
