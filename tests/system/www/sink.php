<?php
// Reads the whole body without keeping it, and says what it was.
$hash = hash_init("crc32b");
$in = fopen("php://input", "rb");
$length = 0;
while (($part = fread($in, 65536)) !== false && $part !== "") {
    hash_update($hash, $part);
    $length += strlen($part);
}
header("Content-Type: application/json");
echo json_encode(["length" => $length, "crc" => hash_final($hash), "pid" => getmypid(),
                  "peak" => memory_get_peak_usage(true)]);
