<?php
// A status, headers and cookies of all sorts.
http_response_code((int)($_GET["code"] ?? 418));
header("X-One: 1");
header("X-Two: a", false);
header("X-Two: b", false);
setcookie("first", "1 ä");
setcookie("second", "2", ["httponly" => true]);
echo "body of ", http_response_code(), "\n";
