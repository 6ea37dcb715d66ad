<?php
require 'check.php';
is('folder', bindtextdomain('check', '/usr/share/locale'), '/usr/share/locale');
textdomain('check');
is('text', _('as it is'), 'as it is');
is('locale', setlocale(LC_ALL, 'C.UTF-8'), 'C.UTF-8');
