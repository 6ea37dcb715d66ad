<?php
// The process that runs this, as it sees itself.
header("Content-Type: application/json");
echo json_encode(["pid" => getmypid(), "uid" => posix_getuid(), "euid" => posix_geteuid(),
                  "gid" => posix_getgid(), "groups" => posix_getgroups(),
                  "status" => file_get_contents("/proc/self/status"),
                  "children" => (int)shell_exec("echo \$PPID"),
                  "limits" => posix_getrlimit()]);
