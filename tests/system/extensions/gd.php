<?php
require 'check.php';
$image = imagecreatetruecolor(200, 100);
imageantialias($image, true);
imagefilledellipse($image, 100, 50, 80, 60, imagecolorallocate($image, 255, 0, 0));
imagettftext($image, 20, 0, 10, 30, imagecolorallocate($image, 0, 255, 0),
             '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf', 'Ünïcode');
is('filter', imagefilter($image, IMG_FILTER_GAUSSIAN_BLUR));
foreach (['png', 'jpeg', 'gif', 'webp', 'bmp', 'avif'] as $format) {
    ob_start();
    is("$format written", ("image$format")($image));
    $bytes = ob_get_clean();
    $again = imagecreatefromstring($bytes);
    is("$format read", [imagesx($again), imagesy($again)], [200, 100]);
    is("$format red", (imagecolorsforindex($again, imagecolorat($again, 100, 50))['red']) > 200);
}
$small = imagescale($image, 50);
is('scaled', imagesx($small), 50);
