<?php
require 'check.php';
$text = str_repeat('all work and no play ', 1000);
is('round trip', bzdecompress(bzcompress($text)), $text);
$file = scratch() . '/a.bz2';
$f = bzopen($file, 'w');
bzwrite($f, $text);
bzclose($f);
is('stream', file_get_contents("compress.bzip2://$file"), $text);
