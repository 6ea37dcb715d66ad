"""The pools of the suite: the same text for both servers, but for the listen path."""

from differential.compare import ROOT

HEAD = """[{name}]
listen = {listen}
user = site
listen.owner = www-data
listen.group = www-data
pm = static
pm.max_children = 1
"""

# name → what follows HEAD. One worker each, so that a request meets what the one before it left.
POOLS = {
    "plain": "",
    "once": "pm.max_requests = 1\n",
    "twice": "pm.max_requests = 2\n",
    "valuesonce": None,  # those of "values", with a worker for each request
    "nofix": "php_admin_value[cgi.fix_pathinfo] = 0\n",
    "discard": "php_admin_value[cgi.fix_pathinfo] = 0\nphp_admin_value[cgi.discard_path] = 1\n",
    "any": "security.limit_extensions =\n",
    "some": "security.limit_extensions = .html .php5 .inc.php\n",
    "values": """
; comments, quotes, operators and constants as php.ini has them
php_value[memory_limit] = 99M
php_value[error_reporting] = E_ALL & ~E_NOTICE
php_value[date.timezone] = "Europe/Berlin"
php_value[arg_separator.output] = '&amp;'
php_value[precision] = 7 ; a comment
php_value[precision] = 9
php_value[user_agent] = pool $pool
php_value[highlight.string] = "#DD0000"
php_value[assert.active] = Off
php_value[include_path] = ".:/srv/www/$pool"
php_flag[display_errors] = on
php_flag[html_errors] = Off
php_flag[short_open_tag] = yes
php_admin_value[upload_tmp_dir] = /tmp
php_admin_value[max_execution_time] = 77
php_admin_value[serialize_precision] = 5
php_value[serialize_precision] = 6
php_admin_value[disable_functions] = strrev,str_rot13
php_admin_value[disable_functions] = soundex
php_admin_value[disable_classes] = SplStack
php_admin_flag[log_errors] = on
php_admin_flag[ignore_user_abort] = yes
php_value[session.gc_maxlifetime] = 1234
php_value[max_input_time] = 33
php_value[output_buffering] = 8192
php_value[default_mimetype] = text/plain
php_value[default_charset] = ISO-8859-1
""",
    "env": """
clear_env = no
env[GREETING] = "hello world"
env[FROM] = $GIVEN
env[ABSENT] = $NOT_THERE
env[PATH] = /usr/local/bin:/usr/bin
env[POOL] = pool-$pool
env[QUOTED] = 'single $pool'
env[TWICE] = one
env[TWICE] = two
env[NUMBER] = 12
env[YES] = yes
env[EXPANDED] = ${GIVEN}
env[HTTP_PROXY] = http://proxy.example:3128
env[HTTP_X] = from-pool
env[HOSTNAME] = $HOSTNAME
""",
    "cleared": "env[TMP] = /tmp\nenv[ONE] = 1\n",
    "chdir": f"chdir = {ROOT}/folder\n",
    "group": "group = site-extra\n",
    "basedir": f"php_admin_value[open_basedir] = {ROOT}/folder:/tmp\n",
    "nolog": "php_admin_flag[fastcgi.logging] = off\n",
    "header": 'php_admin_value[fastcgi.error_header] = "HTTP/1.1 503 Broken Script"\n'
              "php_admin_flag[display_errors] = off\n",
    "nph": "php_admin_flag[cgi.nph] = on\n",
    "rfc": "php_admin_flag[cgi.rfc2616_headers] = on\n",
    "limits": """
php_admin_value[post_max_size] = 3000
php_admin_value[upload_max_filesize] = 1000
php_admin_value[max_file_uploads] = 2
php_admin_value[max_input_vars] = 5
php_admin_value[max_input_nesting_level] = 3
php_admin_value[max_multipart_body_parts] = 6
""",
    "noreading": "php_admin_flag[enable_post_data_reading] = off\n",
    "nouploads": "php_admin_flag[file_uploads] = off\n",
    "egpcs": "php_admin_value[variables_order] = EGPCS\nphp_admin_flag[register_argc_argv] = on\n"
             "php_admin_flag[auto_globals_jit] = off\n",
    "buffered": "php_admin_value[output_buffering] = 64\nphp_admin_flag[implicit_flush] = off\n",
    "unbuffered": "php_admin_value[output_buffering] = 0\nphp_admin_flag[implicit_flush] = on\n",
    "prepended": f"php_admin_value[auto_prepend_file] = {ROOT}/before.inc\n"
                 f"php_admin_value[auto_append_file] = {ROOT}/after.inc\n",
    "docroot": f"php_admin_value[doc_root] = {ROOT}\nphp_admin_value[user_dir] = public\n",
    "nouserini": "php_admin_value[user_ini.filename] =\n",
    "nofixpages": "pm.status_path = /fpm/status\nping.path = /fpm/ping\n"
                  "php_admin_value[cgi.fix_pathinfo] = 0\n",
    "jail": "chroot = /srv/jail\nchdir = /www\n",
    "core": "rlimit_core = 0\nrlimit_files = 512\n",
    "dumpable": "rlimit_core = unlimited\nprocess.dumpable = yes\n",
    "pages": "pm.status_path = /fpm/status\nping.path = /fpm/ping\nping.response = \"I am well\"\n",
}

POOLS["valuesonce"] = POOLS["values"] + "pm.max_requests = 1\n"

# Sections at the end of the php.ini that both read.
PHP_INI = f"""
[PATH={ROOT}/perdir]
memory_limit = 77M
user_agent = per folder

[PATH={ROOT}/perdir/deeper]
user_agent = per deeper folder

[HOST=host.example]
user_agent = per host
error_prepend_string = host
"""

# Below the root of the pool "jail".
JAIL = {
    "www/jailed.php": "<?php echo json_encode([getcwd(), scandir('/'), __FILE__, getenv('HOME')]);",
    "www/.user.ini": "user_agent = jailed\n",
    "tmp/.keep": "",
}

# Below ROOT, besides the scripts in tests/system/www/differential and those of the cases.
FILES = {
    "folder/index.php": "<?php echo 'index of folder';",
    "folder/page.php": "<?php include '../show.php';",
    "folder.php/inside.php": "<?php echo 'inside';",
    "with space.php": "<?php include 'show.php';",
    "caf\u00e9.php": "<?php include 'show.php';",
    "100%.php": "<?php include 'show.php';",
    "upper.PHP": "<?php echo 'upper';",
    "page.html": "<?php echo 'html';",
    "page.php5": "<?php echo 'php5';",
    "page.inc.php": "<?php echo 'inc.php';",
    "page.php.html": "<?php echo 'php.html';",
    "page.phar": "<?php echo 'phar';",
    "plain.txt": "text <?php echo 'run';",
    "noextension": "<?php echo 'no extension';",
    "folder/outside.php": "<?php echo json_encode([@file_get_contents('../plain.txt'), "
                          "error_get_last()['message'] ?? null]);",
    "unseen.php": "<?php echo 'never run before';",
    "shared.php": "<?php echo 'run in two pools';",
    "other.php": "<?php echo json_encode(['other' => true, 'server' => $_SERVER]);",
    "empty.php": "",
    "secret.php": "<?php echo 'never seen';",
    "hash.php": "#!/usr/bin/php\n<?php echo 'after the hash line';",
    "bom.php": "\ufeff<?php header('X-A: b'); echo 'bom';",
    "before.inc": "<?php echo 'before|';",
    "after.inc": "<?php echo '|after';",
    "perdir/show.php": "<?php include '../show.php';",
    "perdir/deeper/show.php": "<?php include '../../show.php';",
    "userini/show.php": "<?php include '../show.php';",
    "userini/.user.ini": "memory_limit = 55M\nuser_agent = user ini\nallow_url_fopen = 0\n"
                         "upload_max_filesize = 5\npost_max_size = 100\n"
                         f"auto_prepend_file = {ROOT}/userini/one.inc\n",
    "userini/one.inc": "<?php $GLOBALS['prepended'] = 1;",
    "userini/deeper/show.php": "<?php include '../../show.php';",
    "userini/deeper/.user.ini": "user_agent = deeper user ini\nprecision = 4\n",
    "userini/broken/show.php": "<?php include '../../show.php';",
    "userini/broken/.user.ini": "user_agent = (broken\nprecision = 3\n",
    "public/page.php": "<?php echo 'public';",
}
