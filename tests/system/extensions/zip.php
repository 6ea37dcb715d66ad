<?php
require 'check.php';
$file = scratch() . '/a.zip';
$z = new ZipArchive();
is('made', $z->open($file, ZipArchive::CREATE));
is('added', $z->addFromString('a.txt', str_repeat('text ', 1000)));
is('file', $z->addFile(__DIR__ . '/plain.txt', 'plain.txt'));
is('password', $z->setEncryptionName('a.txt', ZipArchive::EM_AES_256, 'secret'));
is('closed', $z->close());
is('opened', $z->open($file));
$z->setPassword('secret');
is('content', $z->getFromName('a.txt'), str_repeat('text ', 1000));
is('stream', file_get_contents("zip://$file#plain.txt"), "plain text\n");
