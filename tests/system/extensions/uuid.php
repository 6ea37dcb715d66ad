<?php
require 'check.php';
foreach ([UUID_TYPE_RANDOM, UUID_TYPE_TIME, UUID_TYPE_DEFAULT] as $type)
    is("valid $type", uuid_is_valid(uuid_create($type)));
is('kind', uuid_type(uuid_create(UUID_TYPE_TIME)), UUID_TYPE_TIME);
