<?php
require 'check.php';
is('type', (new finfo(FILEINFO_MIME_TYPE))->buffer("\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), 'image/png');
is('iconv', iconv('UTF-8', 'ISO-8859-15//TRANSLIT', '€'), "\xa4");
is('ctype', ctype_alpha('abc'));
is('tokens', count(PhpToken::tokenize('<?php 1 + 1;')), 7);
is('cache', opcache_get_status(false)['opcache_enabled']);
is('compiled', opcache_compile_file(__DIR__ . '/posted.php'));
ob_start(); phpinfo(); is('phpinfo', str_contains(ob_get_clean(), 'PHP Version'));
