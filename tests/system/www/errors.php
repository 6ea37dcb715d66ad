<?php
// Messages of every level that a script can raise, then perhaps an end.
error_log("by error_log");
if (isset($_GET["warn"])) {
    echo $undefined;                                   // warning
    trigger_error("a notice", E_USER_NOTICE);
    trigger_error("a deprecation", E_USER_DEPRECATED);
    trigger_error("of two\nlines", E_USER_WARNING);
}
switch ($_GET["end"] ?? "") {
case "fatal":
    trigger_error("an error", E_USER_ERROR);
    break;
case "exception":
    throw new RuntimeException("not caught");
case "memory":
    ini_set("memory_limit", "8M");
    str_repeat("x", 1 << 26);
    break;
case "recursion":
    $f = function ($f) { return $f($f) + 1; };
    ini_set("memory_limit", "32M");
    $f($f);
    break;
case "exit":
    exit(3);
}
echo "end\n";
