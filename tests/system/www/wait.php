<?php
// Takes ?ms= milliseconds, then says which process did it and when.
$begin = microtime(true);
usleep((int)($_GET["ms"] ?? 20) * 1000);
header("Content-Type: application/json");
echo json_encode(["pid" => getmypid(), "begin" => $begin, "end" => microtime(true)]);
