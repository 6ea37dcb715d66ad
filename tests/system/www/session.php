<?php
session_start();
$_SESSION["count"] = ($_SESSION["count"] ?? 0) + 1;
session_write_close();
echo $_SESSION["count"], "\n";
