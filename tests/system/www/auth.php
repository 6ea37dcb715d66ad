<?php
if (($_SERVER["PHP_AUTH_USER"] ?? "") !== "user" || ($_SERVER["PHP_AUTH_PW"] ?? "") !== "pass:word") {
    header("WWW-Authenticate: Basic realm=\"test\"");
    http_response_code(401);
    exit("no\n");
}
echo "welcome ", $_SERVER["PHP_AUTH_USER"], "\n";
