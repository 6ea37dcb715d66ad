<?php
// What a script sees of its request, without what differs from run to run.
header("Content-Type: application/json");
$server = $_SERVER;
foreach (["REQUEST_TIME", "REQUEST_TIME_FLOAT", "REMOTE_PORT", "SERVER_PORT", "REQUEST_ID"] as $name) {
    unset($server[$name]);
}
ksort($server);
echo json_encode([
    "server" => $server, "get" => $_GET, "post" => $_POST, "cookie" => $_COOKIE,
    "headers" => getallheaders(), "sapi" => PHP_SAPI, "input" => file_get_contents("php://input"),
    "argv" => $argv ?? null, "script" => get_included_files(), "cwd" => getcwd(),
    "time_is_now" => abs($_SERVER["REQUEST_TIME_FLOAT"] - microtime(true)) < 5,
], JSON_PRETTY_PRINT | JSON_INVALID_UTF8_SUBSTITUTE);
