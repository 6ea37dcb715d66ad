<?php

require '/usr/share/php/Symfony/autoload.php';
require '/usr/share/php/Symfony/Bundle/FrameworkBundle/autoload.php';
require '/usr/share/php/Symfony/Bundle/TwigBundle/autoload.php';
require '/usr/share/php/Twig/autoload.php';
spl_autoload_register(function (string $class) {
    if (str_starts_with($class, 'App\\')
        && is_file($file = dirname(__DIR__) . '/src/' . strtr(substr($class, 4), '\\', '/') . '.php'))
        require $file;
});

$kernel = new App\Kernel('prod', false);
$response = $kernel->handle($request = Symfony\Component\HttpFoundation\Request::createFromGlobals());
$response->send();
$kernel->terminate($request, $response);
