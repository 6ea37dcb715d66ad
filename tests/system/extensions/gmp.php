<?php
require 'check.php';
is('factorial', gmp_strval(gmp_fact(30)), '265252859812191058636308480000000');
is('prime', gmp_prob_prime(gmp_init('170141183460469231731687303715884105727')) > 0);
is('random', gmp_cmp(gmp_random_bits(100), 0) >= 0);
