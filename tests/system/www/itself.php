<?php
// What PHP says about itself.
header("Content-Type: application/json");
$constants = get_defined_constants(true);
unset($constants["user"]);
$modules = [];
foreach (get_loaded_extensions() as $name) {
    $extension = new ReflectionExtension($name);
    $functions = array_filter(array_keys($extension->getFunctions()), "function_exists");
    sort($functions);
    $modules[$name] = [$extension->getVersion(), $functions, array_keys($extension->getClasses()),
                       array_keys($extension->getINIEntries())];
}
echo json_encode([
    "settings" => ini_get_all(), "constants" => $constants, "modules" => $modules,
    "zend_extensions" => get_loaded_extensions(true), "functions" => get_defined_functions()["internal"],
    "classes" => get_declared_classes(), "interfaces" => get_declared_interfaces(),
    "wrappers" => stream_get_wrappers(), "transports" => stream_get_transports(),
    "filters" => stream_get_filters(), "ini_file" => php_ini_loaded_file(),
    "ini_scanned" => php_ini_scanned_files(), "cfg_file_path" => get_cfg_var("cfg_file_path"),
    "sapi" => php_sapi_name(), "locale" => setlocale(LC_ALL, 0), "umask" => umask(),
    "time_zone" => date_default_timezone_get(), "include_path" => get_include_path(),
    "temp" => sys_get_temp_dir(), "buffers" => ob_list_handlers(), "headers" => headers_list(),
    "stdin" => defined("STDIN"), "code" => http_response_code(),
], JSON_PARTIAL_OUTPUT_ON_ERROR);
