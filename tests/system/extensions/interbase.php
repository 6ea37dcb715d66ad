<?php
require 'check.php';
refused('firebird', fn () => new PDO('firebird:dbname=127.0.0.1/' . REFUSED . ':/none', 'a', 'b'),
        '/network request|Unable to complete|Error while trying to open|connection/i');
