<?php
// Leaves a message that it ran; then takes ?ms= milliseconds, or waits for its ?gate= as gate.php does.
error_log("ran " . $_GET["id"]);
usleep((int)($_GET["ms"] ?? 0) * 1000);
if (isset($_GET["gate"])) {
    $gate = "/srv/www/gates/" . basename($_GET["gate"]);
    for ($end = microtime(true) + 120; !file_exists($gate) && microtime(true) < $end;) {
        usleep(5000);
    }
}
echo "done ", $_GET["id"];
