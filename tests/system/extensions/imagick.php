<?php
require 'check.php';
$i = new Imagick();
$i->newImage(300, 200, new ImagickPixel('white'));
$d = new ImagickDraw();
$d->setFillColor('red');
$d->circle(150, 100, 150, 150);
$d->setFont('/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf');
$d->setFontSize(24);
is('drawn', $i->drawImage($d));
is('text', $i->annotateImage($d, 10, 30, 0, 'Ünïcode'));
is('blurred', $i->gaussianBlurImage(3, 1));
is('made small', $i->resizeImage(150, 100, Imagick::FILTER_LANCZOS, 1));
foreach (['png', 'jpeg', 'gif', 'webp'] as $format) {
    $i->setImageFormat($format);
    $again = new Imagick();
    $again->readImageBlob($i->getImageBlob());
    is($format, [$again->getImageWidth(), $again->getImageHeight()], [150, 100]);
    is("$format red", $again->getImagePixelColor(75, 50)->getColor()['r'] > 200);
}
$file = scratch() . '/a.tiff';
is('file', $i->writeImage($file));
is('fonts', count(Imagick::queryFonts()) > 0);
