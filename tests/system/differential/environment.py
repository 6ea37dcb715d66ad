"""The environment of scripts, settings by folder, host and request."""

from differential.answers import php
from differential.compare import ROOT, Ask, Case, params

INI = "ini=memory_limit,user_agent,precision,allow_url_fopen,upload_max_filesize,post_max_size," \
      "error_prepend_string,display_errors,open_basedir,include_path,default_charset"


def show(name, pool="plain", differs=None, query=INI, only=(), **given):
    return Case(name, [Ask(params(query=query, **given))], pool, differs=differs or {}, only=only)


def sequence(name, *given, pool="twice", differs=None):
    """Two requests of one worker, one after the other, of which the second is its last."""
    return Case(name, [Ask(params(query=INI, **g), keep=True) for g in given], pool,
                differs={"connection": "kept-connections", **(differs or {})})


# The variables that systemd gives to a service, which the two have in different units.
OF_SYSTEMD = "foreach (['INVOCATION_ID', 'JOURNAL_STREAM', 'SYSTEMD_EXEC_PID', 'NOTIFY_SOCKET', " \
    "'WATCHDOG_USEC', 'WATCHDOG_PID', 'MEMORY_PRESSURE_WATCH', 'MEMORY_PRESSURE_WRITE', 'LISTEN_FDS', " \
    "'LISTEN_PID', 'LISTEN_FDNAMES', 'FPM_SOCKETS', 'RUNTIME_DIRECTORY', 'LOGNAME', 'SHELL'] as $n) " \
    "unset($e[$n]); "

VALUES = "memory_limit=31M\nuser_agent=of the request\nprecision=5"

# What the pages of status have beyond PHP-FPM's.
MORE_FIELDS = {"body": "status-fields"}
MORE_MEMBERS = {"json.*": "status-fields"}
OTHER_PAGE = {"headers": "status-html", "body": "status-html"}
OTHER_METRICS = {"headers": "status-metrics", "body": "status-metrics"}

CASES = [
    php("environment cleared", "$e = getenv(null, true); ksort($e); echo json_encode(['e' => $e]);",
        "cleared", only=("json.e.[!A-Z]*", "json.e.HOME", "json.e.USER", "json.e.TMP", "json.e.ONE",
                         "json.e.P*", "json.e.L*", "json.e.G*")),
    php("environment of the pool", "$e = []; foreach (['GREETING', 'FROM', 'ABSENT', 'PATH', 'POOL', "
        "'QUOTED', 'TWICE', 'NUMBER', 'YES', 'EXPANDED', 'GIVEN', 'HTTP_X', 'HTTP_PROXY', 'HOSTNAME', "
        "'HOME', 'USER', 'LANG'] as $n) $e[$n] = [getenv($n, true), $_SERVER[$n] ?? null, $_ENV[$n] ?? null]; "
        "echo json_encode(['e' => $e]);", "env"),
    php("environment of the pool complete", "$e = getenv(null, true); " + OF_SYSTEMD + "ksort($e); "
        "echo json_encode(['e' => $e]);", "env"),
    php("environment and headers", "echo json_encode([getenv('HTTP_X'), getenv('HTTP_PROXY'), "
        "$_SERVER['HTTP_X'], $_SERVER['HTTP_PROXY'] ?? null, getallheaders()]);", "env",
        HTTP_X="from-client", HTTP_PROXY="http://evil"),
    show("request id without one", REQUEST_ID=None,
         differs={"json.server.REQUEST_ID": "request-id", "json.getenv.REQUEST_ID": "request-id"}),
    show("request id empty", REQUEST_ID="",
         differs={"json.server.REQUEST_ID": "request-id", "json.getenv.REQUEST_ID": "request-id"}),
    php("environment of child programs", "echo shell_exec('echo $GREETING $POOL $HOME $USER $PATH');", "env"),
    php("environment cleared for child programs", "echo shell_exec('echo $HOME $USER $TMP $GIVEN');",
        "cleared"),
    show("settings of php ini"),
    show("settings of the pool", "values"),
    show("per folder", script="/perdir/show.php"),
    show("per deeper folder", script="/perdir/deeper/show.php"),
    show("per host", SERVER_NAME="host.example"),
    show("per host upper case", SERVER_NAME="HOST.Example"),
    show("per host and folder", script="/perdir/show.php", SERVER_NAME="host.example"),
    sequence("per folder not for the next request", {"script": "/perdir/show.php"}, {}),
    sequence("per host not for the next request", {"SERVER_NAME": "host.example"}, {}),
    show("user ini", script="/userini/show.php"),
    show("user ini deeper", script="/userini/deeper/show.php"),
    show("user ini broken", script="/userini/broken/show.php"),
    show("user ini without document root", script="/userini/deeper/show.php", DOCUMENT_ROOT=None),
    show("user ini outside of the document root", script="/userini/deeper/show.php",
         DOCUMENT_ROOT="/srv/other"),
    show("user ini with slash after the root", script="/userini/deeper/show.php",
         DOCUMENT_ROOT=ROOT + "/"),
    show("user ini root is a prefix only", script="/userini/deeper/show.php",
         DOCUMENT_ROOT=ROOT + "/user"),
    show("user ini off", "nouserini", script="/userini/show.php"),
    show("user ini against the pool", "values", script="/userini/show.php"),
    sequence("user ini not for the next request", {"script": "/userini/show.php"}, {}),
    Case("user ini limits a form", [Ask(params("/userini/show.php", "POST", body=b"a=" + b"x" * 200,
                                               CONTENT_TYPE="application/x-www-form-urlencoded"),
                                        b"a=" + b"x" * 200)]),
    show("php value", "once", PHP_VALUE=VALUES),
    show("php admin value", "once", PHP_ADMIN_VALUE=VALUES),
    show("php value and admin value", "once", PHP_VALUE="precision=1", PHP_ADMIN_VALUE="precision=2"),
    show("php value empty", "once", PHP_VALUE=""),
    show("php value quoted", "once", PHP_VALUE='user_agent = "a b ; c"'),
    show("php value with comment", "once", PHP_VALUE="; nothing\nuser_agent = x ; comment\n"),
    show("php value with constants", "once", PHP_VALUE="error_reporting = E_ALL & ~E_NOTICE",
         query="ini=error_reporting"),
    show("php value semicolons", "once", PHP_VALUE="user_agent=a;precision=4"),
    show("php value windows lines", "once", PHP_VALUE="user_agent=a\r\nprecision=4\r\n"),
    show("php value flags", "once", PHP_VALUE="display_errors = On\nallow_url_fopen = off"),
    show("php value of a system setting", "once", PHP_VALUE="allow_url_fopen = 0"),
    show("php value of a per dir setting", "once", PHP_VALUE="upload_max_filesize = 7M\npost_max_size=9M"),
    show("php admin value of a system setting", "once", PHP_ADMIN_VALUE="allow_url_fopen = 0"),
    show("php value unknown", "once", PHP_VALUE="no.such.setting = 1"),
    show("php value with section", "once", PHP_VALUE="[x]\nprecision=3"),
    show("php value with array", "once", PHP_VALUE="a[b]=3"),
    show("php value without value", "once", PHP_VALUE="precision="),
    show("php value without equal sign", "once", PHP_VALUE="precision"),
    show("php value broken", "once", PHP_VALUE="precision = (3"),
    show("php value against an admin value", "valuesonce", PHP_VALUE="serialize_precision=3",
         query="ini=serialize_precision",
         differs={"json.ini.serialize_precision": "php-value-locked", "stderr": "php-value-locked"}),
    show("php value auto prepend", "once", script="/plain_answer.php",
         PHP_VALUE="auto_prepend_file=" + ROOT + "/before.inc"),
    show("php value open_basedir", "once", PHP_VALUE="open_basedir=" + ROOT),
    show("php value in a missing script", "once", PHP_VALUE="precision=3", script="/absent.php"),
    show("php value output buffering", "once", PHP_VALUE="output_buffering=0"),
    show("php value include path", "once", PHP_VALUE="include_path=/tmp:."),
    show("php admin value error header", "once", PHP_ADMIN_VALUE="fastcgi.error_header=X-Broken: 1",
         script="/fatal_before_output.php", differs={"app_status": "app-status"}),
    show("php admin value logging", "once", PHP_ADMIN_VALUE="fastcgi.logging=0",
         script="/error_log.php"),
    show("php admin value nofix", "once", PHP_ADMIN_VALUE="cgi.fix_pathinfo=0",
         script="/show.php", PATH_INFO="/show.php/x"),
    show("php value nph", "once", PHP_VALUE="cgi.nph=1"),
    show("php admin value disable functions", "once", PHP_ADMIN_VALUE="disable_functions=nl2br",
         script="/plain_answer.php"),
    show("php admin value disable functions of the pool", "valuesonce",
         PHP_ADMIN_VALUE="disable_functions=nl2br", query="ini=disable_functions"),
    show("php admin value extension", "once", PHP_ADMIN_VALUE="extension=calendar",
         differs={"stderr": "php-value-extension", "json.error*": "php-value-extension"}),
    sequence("php value and the next request", {"PHP_VALUE": VALUES}, {},
             differs={"2.json.ini.*": "php-value-persists"}),
    sequence("php admin value and the next request", {"PHP_ADMIN_VALUE": "memory_limit=31M"}, {},
             differs={"2.json.ini.*": "php-value-persists"}),
    sequence("php value and a changed next value", {"PHP_VALUE": "memory_limit=40M"},
             {"PHP_VALUE": "memory_limit=41M"}),
    php("plain answer", "$n = $_GET['n'] ?? 'nl2br'; $i = $_GET['i'] ?? 'disable_functions'; "
        "echo json_encode([function_exists($n), ini_get($i)]);"),
    php("php value is changeable", "echo json_encode([ini_get('precision'), ini_set('precision', '9'), "
        "ini_get('precision')]);", "once", PHP_VALUE="precision=3"),
    php("php admin value is not changeable", "echo json_encode([ini_get('precision'), "
        "ini_set('precision', '9'), ini_get('precision')]);", "once", PHP_ADMIN_VALUE="precision=3"),
    Case("ping", [Ask(params(SCRIPT_NAME="/fpm/ping"))], "pages"),
    Case("ping head", [Ask(params(method="HEAD", SCRIPT_NAME="/fpm/ping"))], "pages"),
    Case("ping post", [Ask(params(method="POST", SCRIPT_NAME="/fpm/ping", body=b"x"), b"x")], "pages"),
    Case("ping kept", [Ask(params(SCRIPT_NAME="/fpm/ping"), keep=True), Ask(params(), keep=True)], "pages"),
    Case("ping without script", [Ask(params(SCRIPT_NAME="/fpm/ping", SCRIPT_FILENAME=None))], "pages"),
    Case("ping with any script", [Ask(params(SCRIPT_NAME="/fpm/ping", SCRIPT_FILENAME="x"))], "pages"),
    Case("ping longer", [Ask(params(SCRIPT_NAME="/fpm/ping/x"))], "pages"),
    Case("ping without method", [Ask(params(SCRIPT_NAME="/fpm/ping", REQUEST_METHOD=None))], "pages"),
    Case("ping of an existing script path", [Ask(params("/fpm/ping"))], "pages"),
    *(Case(f"status {query or 'plain'}", [Ask(params(SCRIPT_NAME="/fpm/status", query=query))], "pages",
           digits=False, differs=differs)
      for differs, queries in ((MORE_FIELDS, ("", "full", "xml", "xml&full", "nonsense")),
                               (MORE_MEMBERS, ("json", "json&full")),
                               (OTHER_PAGE, ("html", "html&full", "html&json")),
                               (OTHER_METRICS, ("openmetrics", "openmetrics&full")))
      for query in queries),
    Case("status by the first letters", [Ask(params(SCRIPT_NAME="/fpm/status", query="j&f"))], "pages",
         digits=False, differs={"headers": "status-keys", "body": "status-keys",
                                "json.*": "status-keys"}),
    Case("status head", [Ask(params(method="HEAD", SCRIPT_NAME="/fpm/status"))], "pages"),
    Case("status post", [Ask(params(method="POST", SCRIPT_NAME="/fpm/status", query="json", body=b"x"),
                             b"x")], "pages", digits=False, differs=MORE_MEMBERS),
    Case("status kept", [Ask(params(SCRIPT_NAME="/fpm/status"), keep=True), Ask(params(), keep=True)],
         "pages", digits=False, differs={"1.body": "status-fields"}),
    Case("status with fix_pathinfo off", [Ask(params(PATH_INFO="/fpm/status"))], "nofixpages",
         digits=False, differs=MORE_FIELDS),
    Case("ping with fix_pathinfo off", [Ask(params(PATH_INFO="/fpm/ping"))], "nofixpages"),
    Case("ping by name with fix_pathinfo off", [Ask(params(SCRIPT_NAME="/fpm/ping"))], "nofixpages"),
    Case("chroot", [Ask(params(SCRIPT_FILENAME="/www/show.php", DOCUMENT_ROOT="/www"))], "jail"),
    Case("chroot folder", [Ask(params(SCRIPT_FILENAME="/www/jailed.php", DOCUMENT_ROOT="/www"))], "jail"),
    Case("chroot missing", [Ask(params())], "jail"),
    Case("chroot proxy prefix", [Ask(params(SCRIPT_FILENAME="proxy:fcgi://localhost/www/jailed.php",
                                            DOCUMENT_ROOT="/www"))], "jail"),
    Case("chroot user ini", [Ask(params(SCRIPT_FILENAME="/www/show.php", DOCUMENT_ROOT="/www",
                                        query="ini=user_agent"))], "jail"),
]
