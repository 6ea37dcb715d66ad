<?php
header("Content-Type: application/json");
$status = opcache_get_status(true);
echo json_encode(["enabled" => $status["opcache_enabled"],
                  "memory" => opcache_get_configuration()["directives"]["opcache.memory_consumption"],
                  "scripts" => array_keys($status["scripts"] ?? [])]);
