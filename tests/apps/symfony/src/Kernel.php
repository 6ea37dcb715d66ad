<?php

namespace App;

use Symfony\Bundle\FrameworkBundle\FrameworkBundle;
use Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait;
use Symfony\Bundle\TwigBundle\TwigBundle;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;

class Kernel extends \Symfony\Component\HttpKernel\Kernel
{
    use MicroKernelTrait;

    public function registerBundles(): iterable
    {
        return [new FrameworkBundle(), new TwigBundle()];
    }

    public function getProjectDir(): string
    {
        return dirname(__DIR__);
    }

    private function configureContainer(ContainerConfigurator $container): void
    {
        $container->extension('framework', [
            'secret' => str_repeat('s', 32),
            'http_method_override' => false,
            'session' => ['storage_factory_id' => 'session.storage.factory.native',
                          'handler_id' => 'session.handler.native_file', 'save_path' => '%kernel.project_dir%/var/sessions',
                          'cookie_samesite' => 'lax', 'cookie_secure' => false],
            'cache' => ['app' => 'cache.adapter.filesystem'],
            'php_errors' => ['log' => true],
        ]);
        $container->extension('twig', ['default_path' => '%kernel.project_dir%/templates',
                                       'strict_variables' => true]);
        $services = $container->services()->defaults()->autowire()->autoconfigure();
        $services->set(Notes::class)->arg('$file', '%kernel.project_dir%/var/notes.sqlite');
        $services->set(Controller::class)->tag('controller.service_arguments')->public();
        $services->set(Listener::class);
    }

    private function configureRoutes(RoutingConfigurator $routes): void
    {
        $routes->add('notes', '/')->controller([Controller::class, 'notes'])->methods(['GET']);
        $routes->add('add', '/notes')->controller([Controller::class, 'add'])->methods(['POST']);
        $routes->add('install', '/install')->controller([Controller::class, 'install']);
        $routes->add('hello', '/hello/{name}')->controller([Controller::class, 'hello'])
            ->requirements(['name' => '\w+']);
        $routes->add('cached', '/cached')->controller([Controller::class, 'cached']);
        $routes->add('error', '/error')->controller([Controller::class, 'error']);
    }
}
