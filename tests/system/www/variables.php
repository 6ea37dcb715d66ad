<?php
// What a script sees of its request, in its order.
header("Content-Type: application/json");
$server = $_SERVER;
unset($server["REQUEST_TIME"], $server["REQUEST_TIME_FLOAT"]);
$names = ["SCRIPT_FILENAME", "SCRIPT_NAME", "PATH_INFO", "PATH_TRANSLATED", "ORIG_PATH_INFO",
          "DOCUMENT_ROOT", "FCGI_ROLE", "HTTP_PROXY", "USER"];
echo json_encode([
    "names" => array_keys($server), "server" => $server, "getenv" => array_map("getenv", $names),
    "all" => array_keys(getenv()), "headers" => array_map(null, array_keys(getallheaders()),
                                                          array_values(getallheaders())),
    "file" => __FILE__, "folder" => getcwd(), "get" => $_GET, "post" => $_POST, "cookie" => $_COOKIE,
    "request" => $_REQUEST, "env" => $_ENV, "input" => file_get_contents("php://input"),
    "again" => file_get_contents("php://input"), "argv" => $argv ?? null,
    "code" => http_response_code(),
], JSON_PARTIAL_OUTPUT_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE);
