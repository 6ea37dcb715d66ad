<?php
// Writes until the client is gone, and leaves a note about how it ended.
ignore_user_abort((bool)($_GET["ignore"] ?? 0));
$note = $_GET["note"];
register_shutdown_function(function () use ($note) {
    file_put_contents($note, json_encode([connection_status(), connection_aborted()]));
});
for ($i = 0; $i < 200; $i++) {
    echo str_repeat("x", 65536);
    flush();
    usleep(10000);
}
