<?php
// Everything that a script sees of its request; ?ini= names settings whose values are wanted too.
$input = file_get_contents("php://input");
$files = $_FILES;
array_walk_recursive($files, function (&$value, $key) {
    if ($key === "tmp_name" && $value !== "") {
        $value = [is_uploaded_file($value), md5_file($value)];
    }
});
$ini = [];
foreach (array_filter(explode(",", $_GET["ini"] ?? "")) as $name) {
    $ini[$name] = ini_get($name);
}
header("Content-Type: application/json");
echo json_encode([
    "server" => $_SERVER, "getenv" => getenv(), "get" => $_GET, "post" => $_POST,
    "cookie" => $_COOKIE, "files" => $files, "headers" => getallheaders(),
    "input" => strlen($input) > 500 ? [strlen($input), md5($input)] : $input,
    "argv" => $argv ?? null, "argc" => $argc ?? null, "file" => __FILE__, "cwd" => getcwd(),
    "included" => get_included_files(), "sapi" => php_sapi_name(), "ini" => $ini ?: null,
    "user" => posix_geteuid(), "group" => posix_getegid(), "error" => error_get_last(),
], JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR);
