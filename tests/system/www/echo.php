<?php
// Sends the body back as it comes, piece by piece.
header("Content-Type: application/octet-stream");
$in = fopen("php://input", "rb");
while (!feof($in)) {
    echo fread($in, 65536);
    flush();
}
