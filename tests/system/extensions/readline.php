<?php
require 'check.php';
is('history', readline_add_history('a line'));
is('library', is_string(readline_info('library_version')));
$file = scratch() . '/history';
is('written', readline_write_history($file));
is('file', str_contains(file_get_contents($file), 'line'));
