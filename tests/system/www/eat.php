<?php
// Takes ?mb= MiB of memory that PHP does not give back to the system: PHP's own code has to keep it,
// as a library with caches of its own would. Says which process did it.
ini_set("memory_limit", "-1");
$mb = (int)($_GET["mb"] ?? 0);
if ($mb) {
    $libc = FFI::cdef("void *malloc(size_t); void *memset(void *, int, size_t);", "libc.so.6");
    $libc->memset($libc->malloc($mb << 20), 1, $mb << 20);
}
echo getmypid();
