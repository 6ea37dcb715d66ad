"""The attempts of tests/system/hostile.py: a table of what is tried and what may come of it, and the
PHP files that try it."""
