<?php
/* Each script says what it finds, line by line, and stops at what is wrong. */

error_reporting(E_ALL);
ini_set('display_errors', '1');
ini_set('html_errors', '0');

function is(string $what, $got, $expected = true): void
{
    if ($got !== $expected) {
        echo "WRONG: $what: ", var_export($got, true), ', expected ', var_export($expected, true), "\n";
        $GLOBALS['wrong'] = true;
        exit;
    }
    echo "$what\n";
}

/* A folder of this request alone, gone with it. */
function scratch(): string
{
    $path = sys_get_temp_dir() . '/check-' . bin2hex(random_bytes(8));
    mkdir($path);
    register_shutdown_function(function () use ($path) {
        array_map('unlink', array_map(fn ($name) => "$path/$name", array_diff(scandir($path), ['.', '..'])));
        rmdir($path);
    });
    return $path;
}

/* What nobody listens on. */
const REFUSED = 9;

function refused(string $what, callable $connect, string $pattern): void
{
    error_clear_last();
    try {
        $result = @$connect();
        $text = $result ? 'connected' : (error_get_last()['message'] ?? '');
    } catch (Throwable $e) {
        $text = $e->getMessage();
    }
    is("$what is refused", preg_match($pattern, $text) ? true : $text);
}

$wrong = false;
register_shutdown_function(function () {
    if (!$GLOBALS['wrong'] && !((error_get_last()['type'] ?? 0) & (E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR)))
        echo "passed\n";
});
