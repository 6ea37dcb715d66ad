<?php
require 'check.php';
function fetch(array $options): array
{
    $c = curl_init();
    curl_setopt_array($c, $options + [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 10]);
    $body = curl_exec($c);
    return [$body, curl_getinfo($c, CURLINFO_RESPONSE_CODE), curl_errno($c)];
}
$base = "http://127.0.0.1:{$_SERVER['SERVER_PORT']}";
is('get', fetch([CURLOPT_URL => "$base/extensions/plain.txt"]), ["plain text\n", 200, 0]);
is('name', fetch([CURLOPT_URL => "http://localhost:{$_SERVER['SERVER_PORT']}/extensions/plain.txt"]),
   ["plain text\n", 200, 0]);
is('missing', fetch([CURLOPT_URL => "$base/extensions/none.txt"])[1], 404);
$answer = fetch([CURLOPT_URL => "$base/extensions/posted.php", CURLOPT_POSTFIELDS =>
    ['a' => 'b', 'file' => new CURLStringFile('content', 'name.txt')]]);
is('post', $answer[0], '{"a":"b","file":"content"}');
is('file', fetch([CURLOPT_URL => 'file://' . __DIR__ . '/plain.txt'])[0], "plain text\n");
is('refused', fetch([CURLOPT_URL => 'http://127.0.0.1:' . REFUSED])[2], CURLE_COULDNT_CONNECT);
$multi = curl_multi_init();
$handles = [];
for ($i = 0; $i < 4; $i++) {
    $handles[$i] = curl_init("$base/extensions/plain.txt");
    curl_setopt($handles[$i], CURLOPT_RETURNTRANSFER, true);
    curl_multi_add_handle($multi, $handles[$i]);
}
do {
    curl_multi_exec($multi, $running);
    curl_multi_select($multi, 1);
} while ($running);
foreach ($handles as $i => $handle)
    is("together $i", curl_multi_getcontent($handle), "plain text\n");
is('user agent of streams', file_get_contents("$base/extensions/plain.txt"), "plain text\n");
