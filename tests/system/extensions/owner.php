<?php
require 'check.php';
$file = scratch() . '/a';
touch($file);
is('owner', chown($file, posix_geteuid()));
is('group', chgrp($file, posix_getegid()));
