<?php
// PHP leaves the folder of the script before it runs shutdown functions.
register_shutdown_function(function () {
    echo ", in its shutdown function ", getcwd(), "\n";
});
echo "in the script ", getcwd();
