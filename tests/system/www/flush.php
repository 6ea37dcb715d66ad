<?php
// Three pieces, 300 ms apart.
header("Content-Type: text/plain");
header("X-Accel-Buffering: no");
foreach (["one\n", "two\n", "three\n"] as $i => $piece) {
    if ($i) {
        usleep(300000);
    }
    echo $piece;
    if (ob_get_level()) {
        ob_flush();
    }
    flush();
}
