<?php
require 'check.php';
is('user', posix_getpwuid(posix_geteuid())['name'], 'www-data');
is('group', posix_getgrgid(posix_getegid())['name'], 'www-data');
is('pid', posix_getpid(), getmypid());
is('alive', posix_kill(getmypid(), 0));
is('limits', is_array(posix_getrlimit()));
is('machine', posix_uname()['sysname'], 'Linux');
is('times', is_array(posix_times()));
is('terminal', posix_isatty(0), false);
is('no pcntl', function_exists('pcntl_fork'), false);
is('usage', getrusage()['ru_nvcsw'] >= 0);
