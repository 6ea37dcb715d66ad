<?php
// Writes past PHP, to the descriptors 1 and 2 of the worker.
fwrite(fopen("php://stdout", "w"), "to stdout " . $_GET["word"] . "\n");
fwrite(fopen("php://stderr", "w"), "to stderr " . $_GET["word"] . "\n");
echo "done\n";
