<?php
require 'check.php';
$c = FFI::cdef('size_t strlen(const char *); int qsort(void *, size_t, size_t, int (*)(const int *, const int *));');
is('call', $c->strlen('four'), 4);
$numbers = FFI::new('int[3]');
foreach ([3, 1, 2] as $i => $n)
    $numbers[$i] = $n;
$c->qsort($numbers, 3, 4, fn ($a, $b) => $a[0] - $b[0]);
is('called back', [$numbers[0], $numbers[1], $numbers[2]], [1, 2, 3]);
