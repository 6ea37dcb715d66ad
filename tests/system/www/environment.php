<?php
header("Content-Type: application/json");
$server = getenv();
ksort($server);
echo json_encode(["getenv" => $server, "cwd" => getcwd(), "home" => getenv("HOME"),
                  "server" => $_SERVER["GREETING"] ?? null, "env" => $_ENV["GREETING"] ?? null]);
