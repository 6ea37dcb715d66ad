<?php
require 'check.php';
refused('dblib', fn () => new PDO('dblib:host=127.0.0.1:' . REFUSED, 'a', 'b'),
        '/Unable to connect|server is unavailable|Connection refused/i');
