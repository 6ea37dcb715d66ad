<?php
require 'check.php';
ini_set('session.save_path', $folder = scratch());
ini_set('session.use_cookies', '0');
session_cache_limiter('');
session_id('abcdef');
is('begun', session_start());
$_SESSION['n'] = 1;
session_write_close();
is('file', file_get_contents("$folder/sess_abcdef"), 'n|i:1;');
session_start();
is('again', $_SESSION['n'], 1);
is('destroyed', session_destroy());
