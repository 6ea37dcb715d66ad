<?php

namespace App;

/* What the container makes for a route. */
class Greeter
{
    private $log;

    public function __construct(\Psr\Log\LoggerInterface $log)
    {
        $this->log = $log;
    }

    public function greet(string $name): string
    {
        $this->log->info("greeting $name");
        return "Hello $name";
    }
}
