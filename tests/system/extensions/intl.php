<?php
require 'check.php';
is('number', (new NumberFormatter('de_DE', NumberFormatter::DECIMAL))->format(1234567.891), '1.234.567,891');
is('date', (new IntlDateFormatter('fr_FR', IntlDateFormatter::LONG, IntlDateFormatter::NONE, 'UTC'))->format(0),
   '1 janvier 1970');
$words = ['z', 'ä', 'a'];
(new Collator('de_DE'))->sort($words);
is('order', $words, ['a', 'ä', 'z']);
is('domain', idn_to_ascii('bücher.example'), 'xn--bcher-kva.example');
is('normal', Normalizer::normalize("a\u{308}"), 'ä');
is('message', MessageFormatter::formatMessage('en_US', '{0, plural, one{# cat} other{# cats}}', [2]), '2 cats');
is('letters', transliterator_transliterate('Any-Latin; Latin-ASCII', 'Ωmega ß'), 'Omega ss');
