<?php
require 'check.php';
refused('redis', fn () => (new Redis())->connect('127.0.0.1', REFUSED, 0.5), '/refused/');
refused('socket', fn () => (new Redis())->connect('/run/none.sock'), '/No such file/');
