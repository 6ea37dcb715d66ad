<?php
// Sends the uploaded file "file" back byte for byte; with ?list=1 tells what arrived instead.
if (isset($_GET["list"])) {
    header("Content-Type: application/json");
    $seen = $_FILES;
    foreach ($seen as &$file) {
        $file["sha1"] = $file["error"] === 0 ? sha1_file($file["tmp_name"]) : null;
        unset($file["tmp_name"]);
    }
    echo json_encode(["files" => $seen, "post" => $_POST]);
    exit;
}
header("Content-Type: application/octet-stream");
readfile($_FILES["file"]["tmp_name"]);
