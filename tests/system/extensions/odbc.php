<?php
require 'check.php';
refused('odbc', fn () => odbc_connect('none', 'a', 'b'), '/Data source name not found/');
refused('pdo', fn () => new PDO('odbc:none', 'a', 'b'), '/Data source name not found/');
