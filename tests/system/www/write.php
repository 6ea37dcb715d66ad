<?php
// Tries to write to each of ?paths=; says where it could.
header("Content-Type: application/json");
$done = [];
foreach (explode(",", $_GET["paths"]) as $path) {
    $done[$path] = @file_put_contents("$path/fpmd-test", "x") === 1;
    @unlink("$path/fpmd-test");
}
echo json_encode($done);
