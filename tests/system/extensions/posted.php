<?php
echo json_encode($_POST + array_map(fn ($f) => file_get_contents($f['tmp_name']), $_FILES));
