<?php
require 'check.php';
is('round trip', yaml_parse(yaml_emit(['a' => ['b', 'ü'], 'n' => 1.5])), ['a' => ['b', 'ü'], 'n' => 1.5]);
