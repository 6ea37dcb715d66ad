<?php
require 'check.php';
refused('ssh2', fn () => ssh2_connect('127.0.0.1', REFUSED), '/refused|Unable to connect/');
