<?php
require 'check.php';
$broker = enchant_broker_init();
is('dictionary', enchant_broker_dict_exists($broker, 'en_US'));
$dictionary = enchant_broker_request_dict($broker, 'en_US');
is('right', enchant_dict_check($dictionary, 'hello'));
is('wrong', enchant_dict_check($dictionary, 'helllo'), false);
is('suggestion', in_array('hello', enchant_dict_suggest($dictionary, 'helllo'), true));
