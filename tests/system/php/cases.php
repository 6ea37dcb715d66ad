<?php
// One behaviour per ?case=…: headers, statuses, errors, output.
switch ($_GET['case'] ?? '') {
case 'status': http_response_code((int) $_GET['code']); echo 'x'; break;
case 'line': header($_GET['line']); echo 'x'; break;
case 'own-status': header('Status: 503 Busy'); header('Location: /x'); echo 'x'; break;
case 'redirect': header('Location: /elsewhere'); break;
case 'not-modified': header('Content-Type: text/plain'); header('HTTP/1.1 304 Not Modified'); break;
case 'cookies': setcookie('a', '1'); setcookie('b', '2'); header('X-A: 1'); header('X-A: 2', false); echo 'x'; break;
case 'long-line': header('HTTP/1.1 200 ' . str_repeat('x', 3000)); http_response_code(404); header('HTTP/1.1 404 ' . str_repeat('x', 3000)); break;
case 'no-output': break;
case 'warning': ini_set('display_errors', '0'); echo 'a', $undefined, 'b'; break;
case 'two-warnings': ini_set('display_errors', '0'); echo $one; echo $two; echo 'x'; break;
case 'error-log': error_log('from error_log'); error_log("two\nlines"); echo 'x'; break;
case 'fatal': ini_set('display_errors', '0'); undefined_function(); break;
case 'exception': ini_set('display_errors', '0'); throw new RuntimeException('thrown'); break;
case 'exit': echo 'x'; exit(3);
case 'memory': ini_set('display_errors', '0'); str_repeat('x', 1 << 30); break;
case 'recursion': ini_set('display_errors', '0'); ini_set('memory_limit', '16M'); function f($a) { return f([$a, $a]); } f(1); break;
case 'time-limit': ini_set('display_errors', '0'); set_time_limit(1); for (;;); break;
case 'time-limit-shutdown': ini_set('display_errors', '0'); register_shutdown_function(function () { echo 'shutdown'; }); set_time_limit(1); for (;;); break;
case 'flush': for ($i = 0; $i < 3; $i++) { echo "part $i\n"; flush(); usleep(100000); } break;
case 'ob': ob_start(); echo 'hidden'; ob_end_clean(); ob_start(fn ($s) => strtoupper($s)); echo 'shout'; break;
case 'finish': echo 'sent'; header('X-Finish: 1'); var_dump(fastcgi_finish_request()); file_put_contents($_GET['mark'], var_export(fastcgi_finish_request(), true)); echo 'never'; file_put_contents($_GET['mark'], ' after', FILE_APPEND); break;
case 'finish-ignore': ignore_user_abort(true); echo 'sent'; fastcgi_finish_request(); echo 'never'; file_put_contents($_GET['mark'], connection_aborted() . ' after'); break;
case 'shutdown': register_shutdown_function(function () { echo getcwd(), ' shutdown'; }); echo 'body '; break;
case 'ini': foreach (explode(',', $_GET['keys']) as $key) { echo $key, '=', var_export(ini_get($key), true), ' '; } break;
case 'ini-set': var_dump(ini_set($_GET['key'], $_GET['value'])); var_dump(ini_get($_GET['key'])); break;
case 'auth': echo json_encode([$_SERVER['PHP_AUTH_USER'] ?? null, $_SERVER['PHP_AUTH_PW'] ?? null, $_SERVER['PHP_AUTH_DIGEST'] ?? null]); break;
case 'ini-all': header('Content-Type: text/plain'); foreach (ini_get_all() as $k => $v) { echo $k, ' = ', json_encode([$v['global_value'], $v['local_value'], $v['access']]), "\n"; } break;
case 'opcache': var_dump(opcache_get_status(false)['opcache_enabled'] ?? null); echo ini_get('opcache.memory_consumption'); break;
case 'pid': echo getmypid(); break;
case 'random': echo mt_rand(), ' ', lcg_value(), ' ', uniqid('', true); break;
case 'call': echo function_exists($_GET['name']) ? 'exists' : 'missing'; break;
case 'chdir': chdir('/'); echo getcwd(); break;
default: http_response_code(400); echo 'unknown case';
}
