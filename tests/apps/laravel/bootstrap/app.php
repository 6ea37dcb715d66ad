<?php

/* Debian has the framework without its autoloader for a whole application. */
require '/usr/share/php/Illuminate/autoload.php';
spl_autoload_register(function (string $class) {
    $folders = ['App\\' => dirname(__DIR__) . '/app/',
                'Illuminate\\Foundation\\' => '/usr/share/php/Illuminate/Foundation/'];
    foreach ($folders as $prefix => $folder)
        if (str_starts_with($class, $prefix)
            && is_file($file = $folder . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php'))
            require $file;
});

$app = new Illuminate\Foundation\Application(dirname(__DIR__));
$app->singleton(Illuminate\Contracts\Http\Kernel::class, App\Http\Kernel::class);
$app->singleton(Illuminate\Contracts\Debug\ExceptionHandler::class, Illuminate\Foundation\Exceptions\Handler::class);
return $app;
