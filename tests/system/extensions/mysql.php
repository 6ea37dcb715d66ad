<?php
require 'check.php';
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
refused('mysqli', fn () => new mysqli('127.0.0.1', 'a', 'b', 'c', REFUSED), '/Connection refused/');
refused('name', fn () => new mysqli('localhost', 'a', 'b', 'c', 0, '/run/none.sock'), '/No such file/');
refused('pdo', fn () => new PDO('mysql:host=127.0.0.1;port=' . REFUSED, 'a', 'b'), '/Connection refused/');
is('client', str_starts_with(mysqli_get_client_info(), 'mysqlnd'));
