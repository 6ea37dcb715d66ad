<?php
require 'check.php';
is('round trip', msgpack_unpack(msgpack_pack(['a' => [1, 2.5, null]])), ['a' => [1, 2.5, null]]);
