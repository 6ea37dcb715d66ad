<?php
require 'check.php';
$folder = scratch();
$p = new PharData("$folder/a.tar");
$p['a.txt'] = 'text';
unset($p);
is('tar', file_get_contents("phar://$folder/a.tar/a.txt"), 'text');
$p = new PharData("$folder/b.zip");
$p->buildFromDirectory(__DIR__, '/plain/');
unset($p);
is('zip', file_get_contents("phar://$folder/b.zip/plain.txt"), "plain text\n");
is('extracted', (new PharData("$folder/b.zip"))->extractTo("$folder", null, true));
file_put_contents("compress.zlib://$folder/c.gz", 'text');
is('zlib', file_get_contents("compress.zlib://$folder/c.gz"), 'text');
