<?php

return ['default' => 'sqlite', 'migrations' => 'migrations', 'connections' => ['sqlite' => [
    'driver' => 'sqlite', 'database' => storage_path('notes.sqlite'), 'prefix' => '',
    'foreign_key_constraints' => true]]];
