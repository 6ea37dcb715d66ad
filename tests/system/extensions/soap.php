<?php
require 'check.php';
$at = ['location' => "http://127.0.0.1:{$_SERVER['SERVER_PORT']}/extensions/soap-server.php", 'uri' => 'urn:test'];
$client = new SoapClient(null, $at + ['trace' => true]);
is('call', $client->add(20, 22), 42);
is('text', $client->greet('Ünïcode <&>'), 'Hello Ünïcode <&>');
try {
    $client->fail();
} catch (SoapFault $fault) {
    is('fault', $fault->getMessage(), 'as asked');
}
refused('soap', fn () => (new SoapClient(null, ['location' => 'http://127.0.0.1:' . REFUSED, 'uri' => 'urn:x']))->a(),
        '/Could not connect/');
$wsdl = scratch() . '/a.wsdl';
file_put_contents($wsdl, '<?xml version="1.0"?><definitions xmlns="http://schemas.xmlsoap.org/wsdl/" '
    . 'xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="urn:test" targetNamespace="urn:test">'
    . '<message name="q"/><portType name="p"><operation name="greet"><input message="t:q"/></operation></portType>'
    . '<binding name="b" type="t:p"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/></binding>'
    . '<service name="s"><port name="p" binding="t:b"><soap:address location="http://127.0.0.1/"/></port></service>'
    . '</definitions>');
ini_set('soap.wsdl_cache_dir', dirname($wsdl));
is('wsdl', is_array((new SoapClient($wsdl))->__getFunctions() ?? []));
