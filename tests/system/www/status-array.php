<?php
// What fpm_get_status() gives, after so many seconds.
usleep((int) (($_GET['sleep'] ?? $_SERVER['HTTP_SLEEP'] ?? 0) * 1e6));
header('Content-Type: application/json');
echo json_encode(fpm_get_status(), JSON_PRESERVE_ZERO_FRACTION);
