<?php
require 'check.php';
$file = scratch() . '/a.sqlite';
$db = new SQLite3($file);
is('wal', $db->querySingle('PRAGMA journal_mode = WAL'), 'wal');
$db->exec('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)');
$insert = $db->prepare('INSERT INTO t (name) VALUES (?)');
$db->exec('BEGIN');
for ($i = 0; $i < 100; $i++) {
    $insert->bindValue(1, "name $i");
    $insert->execute();
}
$db->exec('COMMIT');
$db->createFunction('twice', fn ($n) => 2 * $n);
is('rows', $db->querySingle('SELECT sum(twice(id)) FROM t'), 10100);
$db->close();
$pdo = new PDO("sqlite:$file");
is('pdo', $pdo->query('SELECT name FROM t WHERE id = 50')->fetchColumn(), 'name 49');
$pdo->beginTransaction();
$pdo->exec('DELETE FROM t');
$pdo->rollBack();
is('undone', (int)$pdo->query('SELECT count(*) FROM t')->fetchColumn(), 100);
$pdo->exec('VACUUM');
is('search', (new PDO('sqlite::memory:'))->exec('CREATE VIRTUAL TABLE f USING fts5(a)') !== false);
