<?php
// What fpmd-load -i expects: which request this was and what its body was; ?ms= takes so long
// (exactly: a sleep that was cut short shows), ?size= makes the answer so long, ?children= waits for a
// child process, ?die= ends by that signal, ?gate= waits after that as gate.php does.
$begin = hrtime(true);
$id = $_GET["id"];
$body = file_get_contents("php://input");
if (isset($_GET["die"])) {
    posix_kill(getmypid(), (int)$_GET["die"]);
}
$wait = (int)($_GET["ms"] ?? 0);
usleep($wait * 1000);
if (hrtime(true) - $begin < $wait * 1000000) {
    echo "cut short ";
}
if (isset($_GET["gate"])) {
    $gate = "/srv/www/gates/" . basename($_GET["gate"]);
    for ($end = microtime(true) + 120; !file_exists($gate) && microtime(true) < $end;) {
        usleep(5000);
    }
}
$head = sprintf("%s %d %s\n", $id, strlen($body), hash("fnv1a64", $body));
$rest = max(0, (int)($_GET["size"] ?? 0) - strlen($head));
echo $head, substr(str_repeat($id, intdiv($rest, 16) + 1), 0, $rest);
