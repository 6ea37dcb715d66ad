<?php
// What came of the files and fields of a form.
foreach ($_FILES as $name => $f) {
    printf("%s %s %s %d %d %s\n", $name, $f['name'], $f['type'], $f['error'], $f['size'],
        $f['error'] ? '-' : md5_file($f['tmp_name']));
}
echo json_encode($_POST), "\n";
