<?php
require 'check.php';
$m = new Memcached();
$m->setOption(Memcached::OPT_CONNECT_TIMEOUT, 500);
$m->addServer('127.0.0.1', REFUSED);
is('not stored', $m->set('a', 'b'), false);
is('why', in_array($m->getResultCode(), [Memcached::RES_ERRNO, Memcached::RES_CONNECTION_FAILURE, 47, 3, 35], true)
    ?: $m->getResultMessage());
