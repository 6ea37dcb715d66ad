"""What scripts answer: status, headers, output, errors, ends."""

from differential.compare import Ask, Case, Raw, params


def php(name, code, pool="plain", differs=None, method="GET", query="", keep=False, records=False,
        only=(), **more):
    """A case whose script is this code."""
    case = Case(name, [], pool, "<?php\n" + code, differs or {}, records=records, only=only)
    case.sends = [Ask(params(f"/{case.slug}.php", method, query, **more), keep=keep)]
    return case


# name → code; each becomes a case in the pools plain, nph and rfc.
STATUSES = {
    "status 200": "echo 'x';",
    "status 404": "http_response_code(404); echo 'x';",
    "status unknown": "http_response_code(299); echo 'x';",
    "status by header line": "header('HTTP/1.1 404 Gone Fishing'); echo 'x';",
    "status by header line 200": "header('HTTP/1.1 200 Fine'); echo 'x';",
    "status by header line 418": "header('HTTP/1.0 418 Teapot'); echo 'x';",
    "status by header line without reason": "header('HTTP/1.1 404'); echo 'x';",
    "status by header line without code": "header('HTTP/1.1 '); echo 'x';",
    "status by lower case line": "header('http/1.1 403 nope'); echo 'x';",
    "status by Status header": "header('Status: 503 Closed'); echo 'x';",
    "status by Status header 200": "header('Status: 200 Open'); echo 'x';",
    "status by Status header and code":
        "http_response_code(404); header('Status: 503 Closed'); echo 'x';",
    "status by Status header and line":
        "header('HTTP/1.1 404 Gone'); header('Status: 503 Closed'); echo 'x';",
    "status by Status header twice":
        "header('Status: 503 A', false); header('Status: 504 B', false); echo 'x';",
    "status by third argument": "header('X-A: b', true, 402); echo 'x';",
    "status 100": "http_response_code(100); echo 'x';",
    "status 999": "http_response_code(999); echo 'x';",
    "status 304 with type": "header('Content-Type: text/plain'); http_response_code(304);",
    "status 304 by line": "header('HTTP/1.1 304 Not Modified'); echo 'body of a 304';",
    "status 304 by Status header": "header('Status: 304 Not Modified'); echo 'body';",
    "status 204": "http_response_code(204);",
    "status 204 with body": "http_response_code(204); echo 'body';",
    "redirect": "header('Location: /there'); echo 'x';",
    "redirect 307": "header('Location: /there', true, 307);",
    "redirect after 201": "http_response_code(201); header('Location: /new');",
    "redirect and Status header": "header('Status: 301 Moved'); header('Location: /there');",
    "authenticate": "header('WWW-Authenticate: Basic realm=\"x\"'); echo 'who?';",
    "long status line": "header('HTTP/1.1 404 ' . str_repeat('x', 3000)); echo 'y';",
}

HEADERS = [
    php("headers in order", "header('X-B: 1'); header('X-A: 2'); header('x-b: 3', false); echo 1;"),
    php("header replaced", "header('X-A: 1'); header('X-A: 2'); echo 1;"),
    php("header removed", "header('X-A: 1'); header_remove('x-a'); echo 1;"),
    php("all headers removed", "header('X-A: 1'); header_remove(); echo 1;"),
    php("header without value", "header('X-A:'); header('X-B: '); echo 1;"),
    php("header without colon", "header('nonsense'); echo 1;"),
    php("header empty", "header(''); echo 1;"),
    php("header with newline", "header(\"X-A: 1\\r\\nX-B: 2\"); echo 1;"),
    php("header with folded line", "header(\"X-A: 1\\r\\n  2\"); echo 1;"),
    php("header with nul", "header(\"X-A: 1\\0 2\"); echo 1;"),
    php("header long", "header('X-A: ' . str_repeat('x', 200000)); echo 1;"),
    php("headers many", "for ($i = 0; $i < 2000; $i++) header(\"X-$i: $i\"); echo 1;"),
    php("header latin1", "header(\"X-A: caf\\xe9\"); echo 1;"),
    php("header after output", "echo 1; flush(); header('X-A: 1'); echo headers_sent() ? 'sent' : 'no';"),
    php("headers list", "header('X-A: 1'); echo json_encode(['list' => headers_list()]);"),
    php("header callback",
        "header_register_callback(function () { header('X-Late: 1'); }); echo 1;"),
    php("content type", "header('Content-Type: text/css'); echo 1;"),
    php("content type with charset", "header('Content-Type: text/plain; charset=latin1'); echo 1;"),
    php("content type empty", "header('Content-Type:'); echo 1;"),
    php("content type image", "header('Content-Type: image/png'); echo 1;"),
    php("content type removed", "ini_set('default_mimetype', ''); header_remove('Content-Type'); echo 1;"),
    php("content length", "header('Content-Length: 3'); echo 'abc';"),
    php("content length wrong", "header('Content-Length: 300'); echo 'abc';"),
    php("content length in lower case", "header('content-length: 3'); echo 'abc';"),
    php("content encoding gzip", "ini_set('zlib.output_compression', '1'); echo str_repeat('x', 999);",
        HTTP_ACCEPT_ENCODING="gzip"),
    php("cookies", "setcookie('a', 'b c'); setcookie('d', 'e', ['httponly' => true, 'path' => '/']); "
        "setrawcookie('f', 'g'); echo 1;"),
    php("cookie deleted", "setcookie('a', ''); echo 1;"),
    php("cookie with date", "setcookie('a', 'b', 2000000000); echo 1;"),
    php("session", "session_start(); $_SESSION['a'] = 1; echo session_status();"),
    php("session cookie given", "session_start(); echo session_id();",
        HTTP_COOKIE="PHPSESSID=abcdefghijklmnop"),
    php("session limiter public", "session_cache_limiter('private'); session_start(); echo 1;",
        only=("body", "stderr", "app_status")),
    php("session regenerated", "session_start(); session_regenerate_id(true); echo 1;"),
    php("output callback", "ob_start('strtoupper'); echo 'shout';"),
    php("output callback gzip", "ob_start('ob_gzhandler'); echo str_repeat('x', 500);",
        HTTP_ACCEPT_ENCODING="gzip"),
    php("virtual and getallheaders", "echo json_encode(['apache' => apache_request_headers()]);",
        HTTP_X_FOO_BAR="1"),
    php("mime of php info", "header('Content-Type: text/html'); echo php_sapi_name();"),
]

OUTPUT = [
    php("no output", ""),
    php("no output and header", "header('X-A: 1');"),
    php("text before the tag", "?>text<?php header('X-A: 1');"),
    php("big output", "echo str_repeat('0123456789', 50000);"),
    php("huge output", "for ($i = 0; $i < 60; $i++) echo str_repeat(chr(65 + $i % 26), 65536);"),
    php("output of 8192", "echo str_repeat('x', 8192);", records=False),
    php("output of 65535", "echo str_repeat('x', 65535);"),
    php("output with nul bytes", "echo \"a\\0b\\xff\";"),
    php("flush before output", "flush(); echo 'x';"),
    php("flush after each", "foreach ([1, 2, 3] as $i) { echo $i; flush(); }"),
    php("ob_flush and flush", "ob_start(); echo 1; ob_flush(); flush(); echo 2; ob_end_flush();"),
    php("implicit flush", "ob_implicit_flush(); echo 1; echo 2;"),
    php("buffered output", "echo str_repeat('x', 63); echo ob_get_level(), ob_get_length();",
        "buffered"),
    php("unbuffered output", "echo 1; echo ob_get_level(); header('X-Late: 1');", "unbuffered"),
    php("buffer cleaned", "ob_start(); echo 'gone'; ob_end_clean(); echo 'here';"),
    php("print after headers sent", "echo 1; flush(); http_response_code(500); echo 2;"),
    php("output in shutdown function",
        "register_shutdown_function(function () { echo 'end'; header('X-Late: 1'); }); echo 'start';"),
    php("shutdown function after exit",
        "register_shutdown_function(function () { echo 'end'; }); exit('bye');"),
    php("shutdown function in shutdown function",
        "register_shutdown_function(function () { echo 1; "
        "register_shutdown_function(function () { echo 2; }); });"),
    php("shutdown function folder",
        "register_shutdown_function(function () { echo getcwd(); }); echo getcwd(), '|';"),
    php("destructor output", "class A { function __destruct() { echo 'end'; } } $a = new A; echo 1;"),
    php("readfile", "readfile(__FILE__);"),
    php("passthru", "passthru('echo from a program');"),
    php("stdout stream", "fwrite(fopen('php://output', 'w'), 'by stream');"),
    php("head request", "header('X-A: 1'); echo 'body';", method="HEAD"),
    php("head request big", "for ($i = 0; $i < 9; $i++) { echo str_repeat('x', 9999); } "
        "header('X-Late: 1');", method="HEAD"),
    php("head request after output", "echo 'x'; file_put_contents('/srv/notes/head', 'ran');",
        method="HEAD"),
    php("finish request", "echo 1; echo json_encode(fastcgi_finish_request()); echo 2; "
        "fastcgi_finish_request();"),
    php("finish request and headers", "header('X-A: 1'); echo 1; fastcgi_finish_request(); "
        "header('X-B: 2'); http_response_code(500);"),
    php("finish request kept", "echo 1; fastcgi_finish_request(); echo 'not for the next';", keep=True),
    php("finish request in a buffer", "ob_start(); echo 'in'; fastcgi_finish_request(); echo 'out';"),
    php("finish request before output", "fastcgi_finish_request(); echo 'never';"),
    php("finish request then fatal", "echo 1; fastcgi_finish_request(); nothing();"),
    php("finish request then warning", "echo 1; fastcgi_finish_request(); trigger_error('late');"),
    php("records of a small answer", "echo 'x';", records=True,
        differs={"records": "stream-ends", "reserved": "end-request-zero"}),
    php("records of an answer with stderr", "error_log('said'); echo 'x';", records=True,
        differs={"records": "stream-ends", "reserved": "end-request-zero"}),
]

SHOW = "ini_set('display_errors', '1'); ini_set('html_errors', '0'); "

ERRORS = [
    php("warning", "echo $nothing; echo 'x';"),
    php("warning shown", SHOW + "echo $nothing; echo 'x';"),
    php("notice by trigger", "trigger_error('own notice'); echo 'x';"),
    php("two messages", "trigger_error('one'); trigger_error('two', E_USER_WARNING); echo 'x';"),
    php("error log", "error_log('said by the script'); echo 'x';"),
    php("error log twice", "error_log('first'); error_log('second'); echo 'x';"),
    php("error log with lines", "error_log(\"a\\nb\\nc\"); echo 'x';"),
    php("error log with strange bytes", "error_log(\"tab\\there\\x01\\xe9 end\"); echo 'x';"),
    php("error log empty", "error_log(''); echo 'x';"),
    php("error log long", "error_log(str_repeat('x', 3000)); echo 'y';",
        differs={"stderr": "long-messages"}),
    php("error log between output", "echo 1; flush(); error_log('between'); echo 2;"),
    php("error log to sapi", "error_log('to the server', 4); echo 'x';"),
    php("fatal before output", "nothing();"),
    php("fatal before output shown", SHOW + "nothing();"),
    php("fatal after output", "echo 'x'; nothing();"),
    php("fatal after flush", "echo 'x'; flush(); nothing();"),
    php("fatal in a function called by exit", "register_shutdown_function(fn() => nothing()); exit(3);"),
    php("exception", "throw new RuntimeException('thrown', 7);"),
    php("exception handler", "set_exception_handler(function ($e) { http_response_code(501); "
        "echo get_class($e); }); throw new RuntimeException('thrown');"),
    php("error handler", "set_error_handler(function ($n, $t) { echo \"$n $t\"; }); echo $nothing;"),
    php("parse error", "this is no php"),
    php("include missing", "include 'absent.inc'; echo 'x';"),
    php("require missing", "require 'absent.inc'; echo 'x';"),
    php("include parse error", "file_put_contents('/srv/notes/bad.inc', '<?php )'); "
        "include '/srv/notes/bad.inc';"),
    php("memory limit", "ini_set('memory_limit', '8M'); $a = str_repeat('x', 20000000);"),
    php("time limit", "set_time_limit(1); while (true);"),
    php("time limit and shutdown", "register_shutdown_function(function () { "
        "echo json_encode(error_get_last()['type']); }); set_time_limit(1); while (true);"),
    php("time limit sleep does not count", "set_time_limit(1); usleep(1200000); echo 'x';"),
    php("stack overflow guard", "ini_set('memory_limit', '20M'); function f() { f(); } f();"),
    php("user error", "trigger_error('stop', E_USER_ERROR); echo 'never';"),
    php("assert", "assert(false); echo 'x';"),
    php("deprecated", "strlen(null); echo 'x';"),
    php("log errors off", "ini_set('log_errors', '0'); echo $nothing; echo 'x';"),
    php("error reporting zero", "error_reporting(0); echo $nothing; echo 'x';"),
    php("error log file", "ini_set('error_log', '/srv/notes/log'); error_log('x'); "
        "echo filesize('/srv/notes/log') > 0 ? 'written' : 'not';"),
    php("logging off", "error_log('x'); echo $nothing; echo 'x';", "nolog"),
    php("logging off missing script", "", "nolog", SCRIPT_FILENAME="/absent.php"),
    php("error header on fatal", "nothing();", "header"),
    php("error header on fatal after output", "echo 'x'; flush(); nothing();", "header"),
    php("error header on exit 255", "exit(255);", "header", differs={"app_status": "app-status"}),
    php("error header on exception", "http_response_code(404); throw new Exception('x');", "header",
        differs={"app_status": "app-status"}),
    php("error header on parse error", "this is no php", "header"),
    php("exit 0", "echo 'x'; exit(0);"),
    php("exit 3", "echo 'x'; exit(3);", differs={"app_status": "app-status"}),
    php("exit 256", "exit(256);"),
    php("exit negative", "exit(-1);", differs={"app_status": "app-status"}),
    php("exit text", "exit('bye');"),
    php("exit 3 kept", "exit(3);", keep=True, differs={"app_status": "app-status"}),
    php("exit after finish", "fastcgi_finish_request(); exit(4);"),
]

for case in ERRORS:  # a fatal error is exit status 255 for both, and only fpmd says so
    first = case.code.split("\n", 1)[1]
    if case.name.startswith(("fatal", "exception", "parse", "require", "include parse", "memory",
                             "time limit", "stack", "user error", "error header on fatal",
                             "error header on parse")) \
            and case.name not in ("exception handler", "time limit sleep does not count"):
        case.differs.setdefault("app_status", "app-status")

NOTE = "/srv/notes/gone"
FINISHED = {"2.body": "output-after-finish"}

# A client that goes away while the script runs; then what the script has noted of it.
GONE = {
    "client gone": ("", {}),
    "client gone and ignored": ("ignore_user_abort(true);", {}),
    "client gone after finish request": ("echo 'x'; fastcgi_finish_request();", FINISHED),
}


def gone(name, code, differs):
    case = Case(name, [], code=f"""<?php
@unlink('{NOTE}');
{code}
register_shutdown_function(function () {{
    file_put_contents('{NOTE}', ' end ' . connection_status() . connection_aborted(), FILE_APPEND);
}});
usleep(250000);
for ($i = 0; $i < 3; $i++) {{ echo str_repeat('x', 100000); flush(); }}
file_put_contents('{NOTE}', 'went on ' . connection_status(), FILE_APPEND);
""", fresh=True, only=("2.*",), differs=differs)
    case.sends = [Raw(Ask(params(f"/{case.slug}.php")).bytes(), answers=0),
                  Ask(params("/note.php"))]
    return case


def afterwards(name, code, differs=None):
    """What a script notes that goes on after it has finished its request."""
    case = Case(name, [], code=f"""<?php
@unlink('{NOTE}');
register_shutdown_function(function () {{
    file_put_contents('{NOTE}', ' end ' . connection_status() . connection_aborted(), FILE_APPEND);
}});
echo 'x';
fastcgi_finish_request();
{code}
file_put_contents('{NOTE}', 'went on ' . connection_status(), FILE_APPEND);
""", fresh=True, only=("2.*",), differs=differs or {})
    case.sends = [Ask(params(f"/{case.slug}.php")), Ask(params("/note.php"))]
    return case


ABORTS = [
    afterwards("finished and silent", ""),
    afterwards("finished and little output", "echo 'y';"),
    afterwards("finished and much output", "echo str_repeat('y', 100000);",
               FINISHED),
    afterwards("finished and flush", "flush();", FINISHED),
    afterwards("finished and output and flush", "echo 'y'; flush();", FINISHED),
    afterwards("finished and output in a buffer", "ob_start(); echo 'y'; ob_end_flush();"),
    afterwards("finished and header", "header('X-A: 1');"),
    afterwards("finished and error log", "error_log('x');"),
    afterwards("finished and read input", "file_get_contents('php://input');"),
] + [gone(name, code, differs) for name, (code, differs) in GONE.items()] + [
    Case("note", [Ask(params("/note.php"))], code=f"<?php echo file_get_contents('{NOTE}');",
         only=("stderr", "headers")),
    php("records of flushes", "foreach ([1, 2, 3] as $i) { echo $i; flush(); }", records=True,
        differs={"records": "stream-ends", "reserved": "end-request-zero"}),
]

CASES = HEADERS + OUTPUT + ERRORS + ABORTS + [
    php(name + ("" if pool == "plain" else f" {pool}"), code, pool)
    for name, code in STATUSES.items() for pool in ("plain", "nph", "rfc")
]
