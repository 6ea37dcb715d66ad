<?php
// Goes on writing until the client has gone; says in ?mark=FILE how it ended.
ignore_user_abort((bool) ($_GET['ignore'] ?? false));
register_shutdown_function(function () {
    file_put_contents($_GET['mark'], connection_status() . ' shutdown', FILE_APPEND);
});
for ($i = 0; $i < 100; $i++) {
    echo str_repeat('x', 100000);
    flush();
    usleep(10000);
}
file_put_contents($_GET['mark'], 'end ', FILE_APPEND);
