<?php
// A second of arithmetic in little: no I/O, no memory to speak of.
$n = (int)($_GET["n"] ?? 20000);
$x = 1;
for ($i = 0; $i < $n; $i++) {
    $x = ($x * 1103515245 + 12345) & 0x7fffffff;
    if ($x % 3 === 0) {
        $x ^= strlen(md5((string)$x));
    }
}
echo $x, "\n";
