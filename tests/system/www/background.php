<?php
// Leaves a process behind, as careless scripts do; says its number.
echo trim(shell_exec("nohup sleep 300 >/dev/null 2>&1 </dev/null & echo \$!"));
