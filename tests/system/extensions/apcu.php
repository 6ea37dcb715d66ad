<?php
require 'check.php';
is('on', apcu_enabled());
is('stored', apcu_store('key', ['a' => 1], 60));
is('fetched', apcu_fetch('key'), ['a' => 1]);
is('counted', apcu_inc('counter' . getmypid(), 5), 5);
is('made', apcu_entry('entry' . getmypid(), fn () => 'value', 10), 'value');
apcu_delete(['counter' . getmypid(), 'entry' . getmypid()]);
is('gone', apcu_exists('entry' . getmypid()), false);
