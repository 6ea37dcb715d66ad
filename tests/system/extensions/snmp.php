<?php
require 'check.php';
$s = new SNMP(SNMP::VERSION_2c, '127.0.0.1:' . REFUSED, 'public', 100000, 0);
refused('snmp', fn () => $s->get('1.3.6.1.2.1.1.1.0'), '/No response|Timeout/');
$s = new SNMP(SNMP::VERSION_3, '127.0.0.1:' . REFUSED, 'user', 100000, 0);
is('version 3', $s->setSecurity('authPriv', 'SHA', 'long password', 'AES', 'long password'));
refused('snmp 3', fn () => $s->get('1.3.6.1.2.1.1.1.0'), '/No response|Timeout/');
