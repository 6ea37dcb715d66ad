<?php
require 'check.php';
$key = random_int(1, 1 << 30);
$memory = shm_attach($key, 10000, 0600);
is('stored', shm_put_var($memory, 1, ['a' => 'b']));
is('fetched', shm_get_var($memory, 1), ['a' => 'b']);
is('removed', shm_remove($memory));
$semaphore = sem_get($key, 1, 0600);
is('semaphore', sem_acquire($semaphore) && sem_release($semaphore) && sem_remove($semaphore));
$queue = msg_get_queue($key, 0600);
is('sent', msg_send($queue, 1, 'text'));
is('received', msg_receive($queue, 0, $kind, 100, $text) ? $text : null, 'text');
is('queue gone', msg_remove_queue($queue));
$block = shmop_open($key, 'c', 0600, 100);
is('block', shmop_write($block, 'text', 0) === 4 && shmop_read($block, 0, 4) === 'text');
is('block gone', shmop_delete($block));
