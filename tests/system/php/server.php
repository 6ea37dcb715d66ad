<?php
// Everything a script sees of its request, as JSON in a stable order.
header('Content-Type: application/json');
ksort($_SERVER);
foreach (['REQUEST_TIME', 'REQUEST_TIME_FLOAT', 'REQUEST_ID'] as $name) {
    unset($_SERVER[$name]);
}
echo json_encode([
    'server' => $_SERVER,
    'get' => $_GET,
    'post' => $_POST,
    'cookie' => $_COOKIE,
    'files' => array_map(fn ($f) => array_diff_key($f, ['tmp_name' => 0]), $_FILES),
    'input' => strlen(file_get_contents('php://input')),
    'headers' => getallheaders(),
    'cwd' => getcwd(),
    'sapi' => php_sapi_name(),
    'getenv' => [getenv('QUERY_STRING'), getenv('HTTP_PROXY'), getenv('SCRIPT_NAME'), getenv('PATH')],
], JSON_PRETTY_PRINT | JSON_PARTIAL_OUTPUT_ON_ERROR | JSON_UNESCAPED_SLASHES), "\n";
