<?php
require 'check.php';
$p = pspell_new('en');
is('dictionary', $p !== false);
is('right', pspell_check($p, 'hello'));
is('wrong', pspell_check($p, 'helllo'), false);
is('suggestion', in_array('hello', pspell_suggest($p, 'helllo'), true));
