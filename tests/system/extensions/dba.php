<?php
require 'check.php';
$folder = scratch();
foreach (['db4', 'qdbm', 'lmdb', 'inifile', 'flatfile', 'cdb_make'] as $handler) {
    if ($handler !== 'cdb_make')
        is("$handler is there", in_array($handler, dba_handlers(), true));
    $db = dba_open("$folder/$handler", 'n', $handler);
    is("$handler opens", $db !== false);
    is("$handler writes", dba_insert('key', 'value', $db));
    dba_close($db);
    $db = dba_open("$folder/$handler", 'r', $handler === 'cdb_make' ? 'cdb' : $handler);
    is("$handler reads", dba_fetch('key', $db), 'value');
    dba_close($db);
}
