<?php
require 'check.php';
is('easter', easter_days(2026), 15);
is('days', cal_days_in_month(CAL_GREGORIAN, 2, 2028), 29);
