<?php
require 'check.php';
refused('pgsql', fn () => pg_connect('host=127.0.0.1 port=' . REFUSED . ' dbname=a user=b'), '/refused/');
refused('socket', fn () => pg_connect('host=/run dbname=a user=b'), '/No such file/');
refused('pdo', fn () => new PDO('pgsql:host=localhost;port=' . REFUSED, 'a', 'b'), '/refused/');
