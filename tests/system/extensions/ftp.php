<?php
require 'check.php';
refused('ftp', fn () => ftp_connect('127.0.0.1', REFUSED, 2), '/refused|^$/');
