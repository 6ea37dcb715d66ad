<?php
require 'check.php';
$b = MongoDB\BSON\fromPHP(['a' => 1, 'b' => ['c' => 'ü']]);
is('round trip', json_decode(MongoDB\BSON\toJSON($b), true), ['a' => 1, 'b' => ['c' => 'ü']]);
$m = new MongoDB\Driver\Manager('mongodb://127.0.0.1:' . REFUSED
                                . '/?serverSelectionTimeoutMS=300&connectTimeoutMS=300');
refused('mongodb', fn () => $m->executeCommand('a', new MongoDB\Driver\Command(['ping' => 1])),
        '/No suitable servers|refused/');
