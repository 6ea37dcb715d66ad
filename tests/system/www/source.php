<?php
// Writes ?mb= megabytes.
header("Content-Type: application/octet-stream");
header("X-Pid: " . getmypid());
$megabyte = str_repeat("0123456789abcdef", 65536);
for ($i = 0; $i < (int)$_GET["mb"]; $i++) {
    echo $megabyte;
}
