<?php
require 'check.php';
$d = new DOMDocument();
is('dom', $d->loadXML('<a><b n="1">x</b><b n="2">y</b></a>'));
is('path', (new DOMXPath($d))->evaluate('string(//b[@n=2])'), 'y');
is('simple', (string)simplexml_load_string('<a><b>x</b></a>')->b, 'x');
$sheet = new DOMDocument();
$sheet->loadXML('<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
    . '<xsl:output method="text"/><xsl:template match="b"><xsl:value-of select="@n"/>=<xsl:value-of select="."/>;'
    . '</xsl:template></xsl:stylesheet>');
$x = new XSLTProcessor();
$x->importStylesheet($sheet);
is('xsl', $x->transformToXml($d), '1=x;2=y;');
$r = XMLReader::XML('<a><b/><b/></a>');
$n = 0;
while ($r->read())
    $n += $r->name === 'b';
is('reader', $n, 2);
$w = new XMLWriter();
$w->openMemory();
$w->writeElement('a', '<&>');
is('writer', $w->outputMemory(), '<a>&lt;&amp;&gt;</a>');
$names = [];
$p = xml_parser_create();
xml_set_element_handler($p, function ($p, $name) use (&$names) { $names[] = $name; }, fn () => null);
xml_parse($p, '<a><b/></a>', true);
is('parser', $names, ['A', 'B']);
