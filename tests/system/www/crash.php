<?php
// The process that runs this ends by the signal ?signal=, while a request is in flight.
posix_kill(getmypid(), (int)$_GET["signal"]);
usleep(1000000);
echo "still here\n";
