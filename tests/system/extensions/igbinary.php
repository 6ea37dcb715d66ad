<?php
require 'check.php';
$value = ['a' => [1, 2.5, null], 'o' => (object)['x' => 'ü']];
is('round trip', igbinary_unserialize(igbinary_serialize($value)) == $value);
