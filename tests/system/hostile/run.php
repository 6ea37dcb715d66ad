<?php
/* One attempt by its name; targets are the pids that an attacker would find by trying. */

require __DIR__ . '/lib.php';

$attempts = [];

function attempt(string $name, callable $run): void
{
    global $attempts;
    $attempts[$name] = $run;
}

foreach (glob(__DIR__ . '/attempts/*.php') as $file)
    require $file;

$order = json_decode(file_get_contents('php://input'));
if ($order->name === 'list') {
    echo json_encode(['steps' => array_keys($attempts)]);
    exit;
}
$t = $order->targets;
$t->workers = array_values(array_diff($t->workers, [getmypid()]));
[$old] = install_dodge();
@file_put_contents('/srv/hostile/steps', '[]');
$attempts[$order->name]($t);
call('rt_sigaction', 31, $old, 0, 8);
echo json_encode(['steps' => $steps, 'pid' => getmypid()]);
