<?php
// Leaves a message that it ran; then takes ?ms= milliseconds.
error_log("ran " . $_GET["id"]);
usleep((int)($_GET["ms"] ?? 0) * 1000);
echo "done ", $_GET["id"];
