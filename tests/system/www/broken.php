<?php echo "before"; this is no PHP
