<?php
// Ends the request, then works on for ?ms= and leaves a note; with ?echo= it writes in between.
$note = $_GET["note"];
@unlink($note);
echo "answered\n";
$ok = fastcgi_finish_request();
ignore_user_abort((bool)($_GET["ignore"] ?? 0));
if (isset($_GET["echo"])) {
    echo "nobody sees this\n";
}
usleep((int)($_GET["ms"] ?? 500) * 1000);
file_put_contents($note, json_encode([$ok, connection_status(), connection_aborted()]));
