<?php
// Runs until the file of its name in ?gate= is there: it ends when a test says so, not after a time.
$gate = "/srv/www/gates/" . basename($_GET["gate"]);
for ($end = microtime(true) + 120; !file_exists($gate) && microtime(true) < $end;) {
    usleep(5000);
}
echo "through";
