<?php
require 'check.php';
is('text', imap_utf8('=?UTF-8?B?w5/igqw=?='), 'ß€');
is('addresses', imap_rfc822_parse_adrlist('A <a@b.example>', '')[0]->host, 'b.example');
refused('imap', fn () => imap_open('{127.0.0.1:' . REFUSED . '/imap/novalidate-cert}', 'a', 'b', 0, 1),
        '/refused|Couldn\'t open/');
is('errors', count(imap_errors() ?: []) > 0);
