<?php
require 'check.php';
is('length', mb_strlen('Ünïcode'), 7);
is('upper', mb_strtoupper('straße'), 'STRASSE');
is('convert', bin2hex(mb_convert_encoding('ä', 'ISO-8859-1', 'UTF-8')), 'e4');
is('match', mb_ereg('(\w+)ï', 'Ünïcode', $m) ? $m[1] : null, 'Ün');
