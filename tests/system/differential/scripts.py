"""What PHP itself looks like from inside: settings, functions, phpinfo(), folders."""

from differential.answers import php
from differential.compare import Ask, Case, params

# The rows and headings of phpinfo(), without those that name the build of the binary or count something.
PHPINFO = r"""
ob_start(); phpinfo(INFO_ALL & ~INFO_VARIABLES & ~INFO_ENVIRONMENT); $text = ob_get_clean();
preg_match_all('~<tr><td class="e">(.*?)</td>(.*?)</tr>~s', $text, $rows, PREG_SET_ORDER);
preg_match_all('~<h2>(.*?)</h2>~s', $text, $heads);
$left_out = "~Cache hits|Cache misses|(Used|Free|Wasted) (memory|Strings memory)|Interned Strings|"
    . "Cached (scripts|keys)|REQUEST_TIME|Build|Configure Command|Additional .ini~";
$all = [];
foreach ($rows as $row) {
    if (!preg_match($left_out, $row[1])) {
        $values = strip_tags(str_replace('</td>', '|', $row[2]));
        $all[trim(strip_tags($row[1]))] = trim(preg_replace('~\s+~', ' ', $values));
    }
}
header("Content-Type: application/json");
echo json_encode(["rows" => $all, "heads" => array_map('strip_tags', $heads[1]),
                  "title" => substr_count($text, 'phpinfo()')]);
"""

INI_ALL = """
$all = [];
foreach (ini_get_all() as $name => $entry) {
    $all[$name] = json_encode($entry);
}
echo json_encode(["all" => $all]);
"""

CASES = [
    php("ini_get_all", INI_ALL),
    php("ini_get_all of values", INI_ALL, "values", differs={
        "json.all.disable_functions": "disable-lists"}),
    php("ini_get_all by extension", "echo json_encode(['cgi' => ini_get_all('cgi-fcgi')]);"),
    php("phpinfo rows", PHPINFO, differs={"json.rows.fpmd": "phpinfo"}),
    php("phpinfo variables", PHPINFO.replace("INFO_ALL & ~INFO_VARIABLES & ~INFO_ENVIRONMENT",
        "INFO_VARIABLES | INFO_ENVIRONMENT")),
    php("loaded extensions", "echo json_encode(['e' => get_loaded_extensions(), "
        "'z' => get_loaded_extensions(true)]);"),
    php("constants", "$c = get_defined_constants(true); unset($c['Core']['PHP_BINARY']); $o = []; "
        "foreach ($c as $g => $l) foreach ($l as $n => $v) $o[\"$g.$n\"] = serialize($v); "
        "echo json_encode(['c' => $o]);"),
    php("functions", "$f = get_defined_functions()['internal']; sort($f); $o = []; "
        "foreach ($f as $n) { $o[$n] = 1; } echo json_encode(['f' => $o]);"),
    php("classes", "$f = get_declared_classes(); sort($f); echo json_encode(['c' => $f]);"),
    php("signatures of the sapi", "foreach (['fastcgi_finish_request', 'apache_request_headers', "
        "'getallheaders', 'fpm_get_status'] as $n) { echo new ReflectionFunction($n); }"),
    php("module name", "$r = new ReflectionFunction('fastcgi_finish_request'); "
        "echo $r->getExtensionName(), ' ', phpversion('cgi-fcgi'), ' ', "
        "json_encode(extension_loaded('cgi-fcgi'));"),
    php("sapi constants", "echo PHP_SAPI, ' ', PHP_VERSION, ' ', PHP_OS, ' ', PHP_BINARY === '' ? "
        "'none' : 'one', ' ', PHP_EXTENSION_DIR, ' ', DEFAULT_INCLUDE_PATH;",
        differs={"body": "php-binary"}),
    php("ini files", "echo json_encode(['i' => php_ini_loaded_file(), 's' => php_ini_scanned_files()]);"),
    php("include path", "echo get_include_path(), ' ', getcwd();"),
    php("opcache is on", "$s = opcache_get_status(false); echo json_encode([$s['opcache_enabled'], "
        "$s['memory_usage']['wasted_memory']]);"),
    php("memory limit in force", "echo ini_get('memory_limit');"),
    php("user ids", "echo json_encode([posix_getuid(), posix_geteuid(), posix_getgid(), posix_getegid(), "
        "array_values(array_diff(posix_getgroups(), [posix_getgid()])), get_current_user(), getmyuid(), umask()]);"),
    php("user ids of a group", "echo json_encode([posix_getuid(), posix_getgid(), getmygid()]);", "group"),
    php("resource limits", "$l = posix_getrlimit(); unset($l['soft openfiles'], $l['hard openfiles'], "
        "$l['soft core'], $l['hard core'], $l['soft maxproc'], $l['hard maxproc']); ksort($l); "
        "echo json_encode(['l' => $l]);"),
    php("core limit", "$l = posix_getrlimit(); echo json_encode([$l['soft core'], $l['hard core']]);",
        differs={"body": "core-dumps"}),
    php("core limit zero", "$l = posix_getrlimit(); echo json_encode([$l['soft core'], $l['hard core']]);",
        "core", differs={"body": "core-dumps"}),
    php("core limit unlimited", "$l = posix_getrlimit(); echo json_encode([$l['soft core'], $l['hard core']]);",
        "dumpable"),
    php("files limit", "$l = posix_getrlimit(); echo json_encode([$l['soft openfiles'], $l['hard openfiles']]);",
        "core"),
    php("priority", "preg_match('~\\) (.*)~', file_get_contents('/proc/self/stat'), $m); "
        "echo explode(' ', $m[1])[16];", "core"),
    php("process title", "echo rtrim(strtr(file_get_contents('/proc/self/cmdline'), \"\\0\", ' '));",
        differs={"body": "process-title"}),
    php("no new privileges", "preg_match('~NoNewPrivs:\\s(\\d)~', "
        "file_get_contents('/proc/self/status'), $m); echo $m[1];", differs={"body": "no-new-privs"}),
    php("setuid programs", "exec('/usr/bin/su --version 2>&1', $o, $s); "
        "echo $s, ' ', substr(decoct(fileperms('/usr/bin/su')), -4);"),
    php("programs with nice", "exec('nice -n 5 nice 2>&1', $o, $s); echo join($o);",
        differs={"body": "worker-filter"}),
    *(php(f"program {name}", f"exec('{command} 2>&1', $o, $s); echo json_encode([$s, $o]);",
          differs={"body": "worker-filter"}) for name, command in {
              "renice": "renice -n 5 -p $$", "taskset": "taskset -c 0 true",
              "ionice": "ionice -c 3 true", "chrt": "chrt --idle 0 true",
              "mount": "mount -t tmpfs x /mnt",
              "kill of everything": "kill -0 -1"}.items()),
    *(php(f"program {name}", f"exec('{command} 2>&1', $o, $s); echo json_encode([$s, $o]);")
      for name, command in {"ulimit": "ulimit -n 100 && ulimit -n", "env": "env -i env",
                            "timeout": "timeout 5 echo a", "setsid": "setsid -w echo a",
                            "kill of a child": "sleep 9 & kill $! && echo a",
                            "pipe": "seq 3 | sort -r",
                            "ln": "ln -sf a /srv/notes/link && readlink /srv/notes/link",
                            "date": "TZ=UTC date -d @0 +%c"}.items()),
    php("kill of the own group", "echo json_encode(posix_kill(0, 0)), posix_get_last_error();",
        differs={"body": "worker-filter"}),
    php("kill of the parent", "echo json_encode(posix_kill(posix_getppid(), 0));"),
    php("exec", "exec('echo a; exit 3', $o, $s); echo json_encode([$o, $s]);"),
    php("shell_exec stderr", "echo shell_exec('echo b >&2; echo a');"),
    php("proc_open", "$p = proc_open(['cat'], [['pipe', 'r'], ['pipe', 'w']], $f); fwrite($f[0], 'through'); "
        "fclose($f[0]); echo stream_get_contents($f[1]), proc_close($p);"),
    php("environment of programs", "putenv('MINE=1'); echo shell_exec('env | sort');"),
    php("descriptors of programs", "echo shell_exec('ls /proc/self/fd | wc -l');",
        differs={"body": "inherited-descriptors"}),
    php("dl", "ini_set('display_errors', '1'); echo json_encode(dl('calendar'));",
        differs={"app_status": "app-status"}),
    php("temporary folder", "echo sys_get_temp_dir();"),
    php("write to var", "echo json_encode(file_put_contents('/srv/notes/by', 'x'));"),
    php("write to usr", "echo json_encode(@file_put_contents('/usr/by', 'x'));"),
    php("write to run", "echo json_encode(@file_put_contents('/run/by', 'x'));"),
    php("read home folders", "echo json_encode(is_dir('/root') ), json_encode(@scandir('/home'));",
        differs={"body": "protect-home"}),
    php("devices", "echo json_encode([file_exists('/dev/null'), file_exists('/dev/urandom'), "
        "file_exists('/dev/kmsg')]);"),
    php("stdin stdout", "fwrite(fopen('php://stdout', 'w'), 'x'); fwrite(fopen('php://stderr', 'w'), 'y'); "
        "echo json_encode(defined('STDIN'));"),
    php("ini_set of a value", "echo json_encode([ini_set('precision', '3'), ini_get('precision')]);",
        "values"),
    php("ini_set of an admin value", "echo json_encode([ini_set('serialize_precision', '3'), "
        "ini_get('serialize_precision')]);", "values"),
    php("ini_set of an admin flag", "echo json_encode([ini_set('log_errors', '0'), "
        "ini_get('log_errors')]);", "values"),
    php("ini_restore of a value", "ini_set('precision', '3'); ini_restore('precision'); "
        "echo ini_get('precision');", "values"),
    php("ini access of values", "$a = ini_get_all(null); foreach (['precision', 'log_errors', "
        "'serialize_precision', 'memory_limit', 'upload_tmp_dir', 'disable_classes'] as $n) "
        "$o[$n] = $a[$n]; echo json_encode($o);", "values"),
    php("disabled functions", "echo json_encode([function_exists('strrev'), function_exists('str_rot13'), "
        "function_exists('soundex'), function_exists('nl2br')]);", "values"),
    Case("disabled functions as a setting", [Ask(params(query="ini=disable_functions"))], "values",
         differs={"json.ini.disable_functions": "disable-lists"}),
    php("disabled function called", "ini_set('html_errors', '0'); strrev('x');", "values",
        differs={"app_status": "app-status"}),
    php("disabled class", "ini_set('html_errors', '0'); var_dump(new SplStack);", "values"),
    php("type of the pool", "echo 'x';", "values"),
    Case("open_basedir of a file", [Ask(params("/folder/outside.php"))], "basedir"),
    Case("open_basedir of the script", [Ask(params("/unseen.php"))], "basedir"),
    Case("open_basedir of a script that another pool has run", [Ask(params("/shared.php"))], "basedir",
         warm="plain", differs={"headers": "opcache-per-pool", "body": "opcache-per-pool",
                                "stderr": "opcache-per-pool"}),
    Case("open_basedir of a script inside", [Ask(params("/folder/index.php"))], "basedir"),
    Case("open_basedir of a missing script", [Ask(params("/absent.php"))], "basedir"),
    php("prepend and append", "echo 'middle';", "prepended"),
    php("prepend and exit", "echo 'middle'; exit;", "prepended"),
    Case("prepend and missing script", [Ask(params("/absent.php"))], "prepended"),
    php("chdir of the pool", "echo getcwd();", "chdir"),
    php("shutdown folder with chdir", "register_shutdown_function(function () { echo getcwd(); });",
        "chdir"),
    php("ignore_user_abort of the pool", "echo ignore_user_abort(), connection_status();", "values"),
    php("set_time_limit", "echo json_encode([ini_get('max_execution_time'), set_time_limit(5), "
        "ini_get('max_execution_time')]);"),
    php("set_time_limit of an admin value", "echo json_encode([@set_time_limit(5), "
        "ini_get('max_execution_time')]);", "values"),
    php("request time", "echo json_encode([abs(time() - $_SERVER['REQUEST_TIME']) < 3, "
        "is_float($_SERVER['REQUEST_TIME_FLOAT'])]);"),
    php("order of server variables", "unset($_SERVER['x']); echo json_encode(['order' => array_keys($_SERVER)]);"),
    php("filter input server", "echo json_encode([filter_input(INPUT_SERVER, 'REQUEST_METHOD'), "
        "filter_input(INPUT_ENV, 'HOME'), filter_input(INPUT_GET, 'a')]);", query="a=1"),
    php("getenv functions", "echo json_encode([getenv('HTTP_HOST'), getenv('HTTP_PROXY'), getenv('NONE'), "
        "getenv('HOME', true), getenv('HTTP_HOST', true), putenv('HTTP_HOST=x'), getenv('HTTP_HOST')]);",
        HTTP_PROXY="http://evil"),
    Case("putenv not for the next request", [
        Ask(params("/putenv_once.php"), keep=True), Ask(params("/putenv_once.php"), keep=True)]),
    php("putenv once", "echo json_encode(getenv('LEFT')); putenv('LEFT=1');"),
    Case("static state not for the next request", [
        Ask(params("/set_state.php"), keep=True), Ask(params("/set_state.php"), keep=True)]),
    php("set state", "echo json_encode([ini_get('precision'), date_default_timezone_get(), "
        "setlocale(LC_ALL, 0), umask(), error_reporting(), getcwd()]); ini_set('precision', '2'); "
        "date_default_timezone_set('Asia/Tokyo'); setlocale(LC_ALL, 'C.UTF-8'); error_reporting(1); "
        "chdir('/');"),
    php("fpm_get_status keys", "$s = fpm_get_status(); $k = array_keys($s); "
        "echo json_encode(['k' => $k, 'p' => array_keys($s['procs'][0]), 'pool' => $s['pool'], "
        "'pm' => $s['process-manager'], 'total' => $s['total-processes']]);", "pages"),
]
