<?php
// ?out=BYTES sends so many; a body is counted and hashed as it comes; ?slow=USEC waits between reads.
if (isset($_GET['out'])) {
    header('Content-Type: application/octet-stream');
    $chunk = str_repeat("0123456789abcdef", 4096);
    for ($left = (int) $_GET['out']; $left > 0; $left -= strlen($chunk)) {
        echo $left < strlen($chunk) ? substr($chunk, 0, $left) : $chunk;
    }
    exit;
}
$hash = hash_init('crc32b');
$n = 0;
$in = fopen('php://input', 'rb');
while (($data = fread($in, 65536)) !== false && $data !== '') {
    $n += strlen($data);
    hash_update($hash, $data);
    usleep((int) ($_GET['slow'] ?? 0));
}
printf("%d %s %d\n", $n, hash_final($hash), memory_get_peak_usage(true));
