<?php
/* In a pool with sandbox.seccomp = strict, sandbox.exec = no and sandbox.opcache = private. */

foreach (['exhaust-processes', 'fork-bomb', 'child-stays', 'daemon', 'landlock-exec', 'memfd-exec', 'opcache-poison']
         as $name)
    attempt("strict-$name", $attempts[$name]);
