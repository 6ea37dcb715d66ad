<?php echo "index of ", $_SERVER["SERVER_NAME"], "\n";
