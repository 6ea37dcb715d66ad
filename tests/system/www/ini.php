<?php
// ?name= is a list of settings; ?set= tries to change the first to that value.
header("Content-Type: application/json");
$names = explode(",", $_GET["name"]);
$changed = isset($_GET["set"]) ? ini_set($names[0], $_GET["set"]) : null;
$values = [];
foreach ($names as $name) {
    $values[$name] = ini_get($name);
}
echo json_encode(["values" => $values, "changed" => $changed !== false, "file" => php_ini_loaded_file(),
                  "scanned" => php_ini_scanned_files(), "extensions" => get_loaded_extensions()]);
