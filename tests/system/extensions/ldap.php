<?php
require 'check.php';
is('escape', ldap_escape('a*b', '', LDAP_ESCAPE_FILTER), 'a\2ab');
$l = ldap_connect('ldap://127.0.0.1:' . REFUSED);
ldap_set_option($l, LDAP_OPT_NETWORK_TIMEOUT, 2);
refused('ldap', fn () => ldap_bind($l), '/contact LDAP server/');
$l = ldap_connect('ldaps://localhost:' . REFUSED);
refused('ldaps', fn () => ldap_bind($l), '/contact LDAP server/');
