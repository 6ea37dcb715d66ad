<?php
class Calls
{
    function add($a, $b) { return $a + $b; }
    function greet($name) { return "Hello $name"; }
    function fail() { throw new SoapFault('Server', 'as asked'); }
}
$server = new SoapServer(null, ['uri' => 'urn:test']);
$server->setClass('Calls');
$server->handle();
