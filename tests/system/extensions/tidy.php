<?php
require 'check.php';
$t = tidy_parse_string('<p>one<p><b>two', ['show-body-only' => true, 'wrap' => 0], 'utf8');
is('repaired', $t->cleanRepair());
is('html', str_replace("\n", '', (string)$t), '<p>one</p><p><b>two</b></p>');
