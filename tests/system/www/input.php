<?php
// What a script can do with a body: each way of reading it, again and again.
$in = fopen("php://input", "rb");
$seen = ["all" => md5(file_get_contents("php://input"))];
$seen["again"] = md5(file_get_contents("php://input"));
$seen["begin"] = bin2hex(fread($in, 10));
$seen["tell"] = ftell($in);
foreach ([[0, SEEK_SET], [5000, SEEK_SET], [70000, SEEK_SET], [100, SEEK_CUR], [-7, SEEK_END], [0, SEEK_END],
          [50, SEEK_END], [-1, SEEK_SET], [65530, SEEK_SET]] as [$offset, $whence]) {
    $sought = fseek($in, $offset, $whence);
    $part = fread($in, 12);
    $seen["seek"][] = [$offset, $whence, $sought, bin2hex((string)$part), ftell($in), feof($in)];
}
$seen["part"] = md5(file_get_contents("php://input", false, null, 4000, 200000));
$seen["rest"] = md5(stream_get_contents($in, -1, 8191));
$seen["end"] = [feof($in), fgetc($in)];
rewind($in);
$seen["line"] = md5(fgets($in));
$seen["pieces"] = 0;
while (!feof($in)) {
    $seen["pieces"] += strlen(fread($in, 4099));
}
$seen["write"] = @fwrite($in, "x");
$seen["stat"] = @fstat($in);
$seen["meta"] = stream_get_meta_data($in);
$copy = fopen("php://memory", "w+b");
rewind($in);
$seen["copied"] = stream_copy_to_stream($in, $copy);
$seen["filtered"] = md5(file_get_contents("php://filter/read=string.rot13/resource=php://input"));
header("Content-Type: application/json");
echo json_encode($seen);
