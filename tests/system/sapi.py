"""The SAPI: what PHP says about itself, which script a request means, settings that come with one."""

import json
import os
import re
import time
import zlib

import fastcgi
from suite import GuestCase, inner_pid, main, wait_until, write_pool

PHP_FPM_SOCKET = "/run/php/php8.2-fpm.sock"
PHP_FPM_POOL = """[www]
user = www-data
group = www-data
listen = /run/php/php8.2-fpm.sock
pm = static
pm.max_children = 1
"""
FORM = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/x-www-form-urlencoded"}
ROOT = "/srv/www"


def differences(theirs, ours, at=""):
    """The places where two values differ, as a list of (place, of php-fpm, of fpmd)."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = []
        for name in list(theirs) + [n for n in ours if n not in theirs]:
            found += differences(theirs.get(name, "absent"), ours.get(name, "absent"), f"{at}/{name}")
        return found
    return [] if theirs == ours else [(at, theirs, ours)]


class AsPhpFpm(GuestCase):
    """What php-fpm with the same settings says is said by fpmd."""

    nginx = False

    @classmethod
    def prepare(cls, guest):
        guest.path("/etc/systemd/system/php8.2-fpm.service").unlink()
        guest.write("/etc/php/8.2/fpm/pool.d/www.conf", PHP_FPM_POOL)
        write_pool(guest, "www", user="www-data", children=1)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest.systemctl("start", "php8.2-fpm.service", "fpmd@www.socket")

    def both(self, script, **params):
        """(of php-fpm, of fpmd) for one request. fpmd would make the id that is not sent."""
        params = {"REQUEST_ID": "sent", **params}
        return (fastcgi.request(self.guest.path(PHP_FPM_SOCKET), script, **params),
                self.ask("www", script, **params))

    def test_what_php_says_about_itself(self):
        theirs, ours = (json.loads(reply.text) for reply in self.both("/itself.php"))
        self.assertEqual(differences(theirs, ours),
                         [("/constants/Core/PHP_BINARY", "/usr/sbin/php-fpm8.2", "")])

    def test_phpinfo(self):
        theirs, ours = (self.rows(reply.text) for reply in self.both("/phpinfo.php"))
        self.assertEqual([row for row in theirs if row not in ours], [])
        self.assertEqual([row[0] for row in ours if row not in theirs], ["fpmd"])
        self.assertIn(["Server API", "FPM/FastCGI"], ours)
        self.assertIn(["Configuration File (php.ini) Path", "/etc/php/8.2/fpm"], ours)
        self.assertIn(["cgi.fix_pathinfo", "On", "On"], ours)

    @staticmethod
    def rows(page):
        """The rows of all tables, without what differs from process to process."""
        found = []
        for row in re.findall(r"<tr>(.*?)</tr>", page, re.S):
            cells = [re.sub(r"<[^>]+>", "", c).strip() for c in re.findall(r"<td.*?>(.*?)</td>", row,
                                                                          re.S)]
            if cells and not re.search(r"memory|REQUEST_TIME|REMOTE_PORT|Cache |Cached |Free |"
                                       r"misses|hits|Start |Last ", cells[0], re.I):
                found.append(cells)
        return found

    def same(self, script, **params):
        theirs, ours = self.both(script, **params)
        self.assertEqual((ours.header_lines, ours.text, ours.stderr),
                         (theirs.header_lines, theirs.text, theirs.stderr), (script, params))
        return ours

    def test_which_script_a_request_means(self):
        """Every combination of what web servers send; the suite of differences has the odd ones."""
        count = 0
        self.guest.write(f"{ROOT}/sp ace.php", "<?php echo __FILE__, json_encode($_SERVER['PATH_INFO']);")
        for file in ("/variables.php", "/variables.php/a/b", "/variables.php/", "/none.php/x", "/",
                     "/sp ace.php/%20/\u00fc", "/../srv/www/variables.php", "/variables.php/x/.."):
            for prefix in ("", "proxy:fcgi://127.0.0.1:9000", "proxy:balancer://pool",
                           "PROXY:FCGI://localhost", "proxy:unix:/run/x.sock|fcgi://localhost"):
                for info in (None, "", "/a/b", "/variables.php/a/b"):
                    for more in ({}, {"DOCUMENT_ROOT": None}, {"SCRIPT_NAME": "/variables.php"},
                                 {"PATH_TRANSLATED": ROOT + "/hello.php"},
                                 {"PATH_TRANSLATED": ROOT + "/variables.php", "REDIRECT_URL": "/r"}):
                        params = {"SCRIPT_FILENAME": prefix + ROOT + file, "PATH_INFO": info,
                                  "SCRIPT_NAME": file, **more}
                        theirs, ours = (self.without_time(r) for r in self.both("/x", **params))
                        self.assertEqual(ours, theirs, params)
                        count += 1
        self.assertEqual(count, 800)

    @staticmethod
    def without_time(reply):
        return (reply.header_lines, re.sub(r'"REQUEST_TIME[^,}]*', "", reply.text), reply.stderr)

    def test_order_of_variables(self):
        seen = json.loads(self.same("/variables.php", HTTP_X_ONE="1", HTTP_X_TWO="2",
                                    PATH_INFO="/p").text)
        self.assertEqual(seen["names"][-2:], ["FCGI_ROLE", "PHP_SELF"])
        self.assertLess(seen["names"].index("HTTP_X_TWO"), seen["names"].index("HTTP_X_ONE"))

    def test_names_of_headers(self):
        for params in ({"HTTP_A__B": "1", "HTTP_": "2", "HTTP__X": "3", "HTTP_1": "4", "HTTP_x_Y": "5"},
                       {"HTTP_CONTENT_TYPE": "a", "CONTENT_TYPE": "b"},
                       {"HTTP_PROXY": "evil", "HTTP_" + "X" * 3000: "long"}):
            self.same("/variables.php", **params)
        seen = json.loads(self.same("/variables.php", HTTP_PROXY="evil").text)
        self.assertIs(seen["getenv"][7], False)

    def test_variables_that_meet(self):
        """Of the environment, of PHP, and of those that PHP gives one name."""
        seen = json.loads(self.same("/variables.php", USER="x", HOME="y", **{
            "HTTP_X.Y": "1", "HTTP_X Y": "2", "a[]": "3", "123": "4", "PHP_SELF": "5"}).text)
        self.assertEqual(seen["server"]["USER"], "x")

    def test_messages(self):
        for i, code in enumerate(("error_log('');error_log('x');", "trigger_error('a');error_log('b');", "nofn();",
                     "error_log(\"two\\nlines\");", "fwrite(fopen('php://stderr','w'),'x');")):
            self.guest.write(f"{ROOT}/message{i}.php", f"<?php {code}")
            self.same(f"/message{i}.php")

    def test_no_method_no_script(self):
        for params in ({"REQUEST_METHOD": None}, {"SCRIPT_FILENAME": None},
                       {"SCRIPT_FILENAME": None, "REQUEST_METHOD": None}, {"SCRIPT_FILENAME": ROOT}):
            self.same("/hello.php", **params)

    def test_directories(self):
        """Where a script, and what runs after it, is: also after scripts that have nothing to run."""
        scripts = {
            "plain": "echo getcwd();",
            "moves": "chdir('/tmp'); echo getcwd();",
            "moves_by_name": "$f = 'chdir'; $f('..'); array_map('chdir', ['tmp']); echo getcwd();",
            "after": "register_shutdown_function(function () { echo ' then ', getcwd(); }); echo getcwd();",
            "after_internal": "register_shutdown_function('readfile', 'what'); echo getcwd();",
            "object": "class Last { function __destruct() { echo ' then ', getcwd(); } }"
                      "$last = new Last; echo getcwd();",
            "generator": "function g() { try { yield 1; } finally { echo ' then ', getcwd(); } }"
                         "$g = g(); $g->current(); echo getcwd();",
            "buffer": "function last($text) { return $text . ' then ' . getcwd(); }"
                      "ob_start('last'); echo getcwd();",
            "header": "header_register_callback(function () { header('X-There: ' . getcwd()); });"
                      "echo getcwd();",
            "handler": "set_error_handler(function () { echo ' then ', getcwd(); return true; });"
                       "echo getcwd(), $none;",
            "prefix": "include 'what'; echo getcwd();",
            "ends": "echo getcwd(); exit(1);",
            "fails": "echo getcwd(); no_function();",
        }
        for folder in ("one", "one/two", "three"):
            self.guest.write(f"{ROOT}/{folder}/what", f"what is in {folder}")
            for name, code in scripts.items():
                self.guest.write(f"{ROOT}/{folder}/{name}.php", f"<?php {code}")
        self.guest.write("/what", "what is in the root")
        for name in scripts:
            for path in (f"/one/{name}.php", "/one/plain.php", f"/one/{name}.php", "/one/two/plain.php",
                         "/one/prefix.php", f"/three/{name}.php", "/none.php", "/three/prefix.php"):
                self.same(path)

    def test_what_comes_before_a_script_is_not_in_the_directory_of_another(self):
        """Of a worker that a script without anything to run has left in its own."""
        def leave_there():
            self.assertEqual(self.same("/first/plain.php").text, f"{ROOT}/first")
        self.guest.write(f"{ROOT}/first/plain.php", "<?php echo getcwd();")
        self.guest.write(f"{ROOT}/second/plain.php", "<?php echo getcwd();")
        for folder in ("first/keep", "second"):
            self.guest.run("install", "-d", "-o", "www-data", f"{ROOT}/{folder}")
        for script in ("plain.php", "./plain.php", "../first/plain.php", "first/plain.php"):
            leave_there()
            self.same("/x", SCRIPT_FILENAME=script)
        leave_there()
        self.same("/x", SCRIPT_FILENAME=None, PATH_TRANSLATED="plain.php")
        cookie = {"HTTP_COOKIE": "PHPSESSID=01234567890123456789abcdef"}
        for name, setting in (("session", "session.auto_start=1\nsession.save_path=keep"),
                              ("log", "error_log=keep/log")):
            self.guest.write(f"{ROOT}/{name}/.user.ini", setting)
            self.guest.write(f"{ROOT}/{name}/plain.php", "<?php echo getcwd();")
            leave_there()
            self.same(f"/{name}/plain.php", **cookie)
        leave_there()
        # PHP-FPM would keep such settings.
        self.assertIn(b"keep", self.ask("www", "/second/plain.php", **cookie,
                                        PHP_VALUE="session.auto_start=1\nsession.save_path=keep").stderr)
        self.assertEqual(os.listdir(self.guest.path(f"{ROOT}/first/keep")), [])

    def test_another_directory_behind_the_name(self):
        self.guest.write(f"{ROOT}/moving/where.php", "<?php echo getcwd(), file_get_contents('what');")
        self.guest.write(f"{ROOT}/moving/what", " first")
        for text in (" second", " third"):
            self.same("/moving/where.php")
            moving = self.guest.path(f"{ROOT}/moving")
            moving.rename(f"{moving}{text.strip()}")
            self.guest.write(f"{ROOT}/moving/where.php", "<?php echo getcwd(), file_get_contents('what');")
            self.guest.write(f"{ROOT}/moving/what", text)
            time.sleep(0.15)
            self.assertEqual(self.same("/moving/where.php").text, f"{ROOT}/moving{text}")

    def test_an_idle_worker_is_at_home(self):
        """It must not keep the file system of a site busy."""
        self.guest.write(f"{ROOT}/busy/plain.php", "<?php echo getcwd();")
        self.same("/busy/plain.php")
        _, _, workers = self.full("www", 1)
        cwd = self.guest.run("readlink", f"/proc/{inner_pid(workers[0])}/cwd").stdout.strip()
        self.assertIn(cwd, (f"{ROOT}/busy", "/"))
        wait_until(lambda: self.guest.run("readlink", f"/proc/{inner_pid(workers[0])}/cwd").stdout.strip()
                   == "/", 15, "the worker has left")

    def test_settings_with_a_request(self):
        """Only such as change nothing: with php-fpm they would stay."""
        for text in ("precision", "=3", "precision[]=4", "no.such=1", "; nothing", "date.timezone=UTC"):
            self.same("/hello.php", PHP_VALUE=text)


class Pools(GuestCase):
    """What needs a pool of its own, or has no counterpart in php-fpm."""

    nginx = False

    def settings(self, name, **params):
        reply = self.ask(name, "/itself.php", **params)
        return {k: v["local_value"] for k, v in json.loads(reply.text)["settings"].items()}

    def test_settings_that_name_files_from_where_the_worker_is(self):
        """It does not stay in the directory of a script then."""
        self.guest.write(f"{ROOT}/stays/plain.php", "<?php echo getcwd();")
        for i, (setting, value, stays) in enumerate((
                ("upload_tmp_dir", "up", False), ("upload_tmp_dir", "/tmp", True),
                ("sys_temp_dir", "tmp", False), ("error_log", "syslog", True),
                ("open_basedir", "/srv:.", False), ("session.auto_start", "1", False),
                ("precision", "10", True))):
            name = f"stays{i}"
            self.pool(name, children=1, **{f"php_admin_value__{setting}": value})
            self.ask(name, "/stays/plain.php")
            worker = inner_pid(self.full(name, 1)[2][0])
            self.ask(name, "/stays/plain.php")  # one that is idle for long does not stay
            cwd = self.guest.run("readlink", f"/proc/{worker}/cwd").stdout.strip()
            self.assertEqual(cwd, f"{ROOT}/stays" if stays else "/", setting)

    # ---- PHP_VALUE and PHP_ADMIN_VALUE ----

    def test_settings_of_a_request_never_leak(self):
        """Each setting of PHP, with values of several kinds, by both parameters."""
        self.pool("leak", user="www-data", children=1)
        self.guest.write(f"{ROOT}/state.php", """<?php echo json_encode([ini_get_all(),
            get_defined_functions()['internal'], get_declared_classes(), error_reporting(),
            date_default_timezone_get(), get_include_path(), setlocale(LC_ALL, 0), umask(),
            getcwd(), ob_get_level(), getenv('PATH'), opcache_get_configuration()]);""")
        before = self.ask("leak", "/state.php").text
        tried = 0
        for name, setting in json.loads(before)[0].items():
            # output_buffering: PHP ends the process when it cannot have that much, as under php-fpm.
            for value in ("1", "0", "x", "/srv", "9M", setting["global_value"] or ""):
                for kind in ("PHP_VALUE", "PHP_ADMIN_VALUE"):
                    self.ask("leak", "/hello.php", **{kind: f'{name}="{value}"'})
                    tried += 1
            self.assertEqual(self.ask("leak", "/state.php").text, before, name)
        self.assertGreater(tried, 2000)

    def test_lists_of_what_is_disabled(self):
        self.guest.write("/srv/site/lists.ini", "disable_functions = ucfirst\n")
        self.pool("lists", children=1, php_ini="/srv/site/lists.ini",
                  php_admin_value__disable_functions="strrev,lcfirst",
                  php_admin_value__disable_classes="ArrayObject")
        self.guest.write(f"{ROOT}/lists.php", """<?php echo json_encode([ini_get('disable_functions'),
            function_exists('strrev'), function_exists('lcfirst'), function_exists('ucfirst'),
            function_exists('nl2br'), class_exists('ArrayObject') && @new ArrayObject() &&
            count((new ReflectionClass('ArrayObject'))->getMethods()) > 0]);""")
        seen = ["strrev,lcfirst", False, False, False, True, False]
        self.assertEqual(json.loads(self.ask("lists", "/lists.php").text), seen)
        reply = self.ask("lists", "/lists.php", PHP_ADMIN_VALUE="disable_functions=nl2br")
        self.assertEqual((json.loads(reply.text)[4], reply.app_status), (False, 0))
        self.assertEqual(json.loads(self.ask("lists", "/lists.php").text), seen)

    def test_a_pool_may_refuse_settings_of_requests(self):
        self.pool("refuse", security_allow_php_value="no")
        for params in ({"PHP_VALUE": "precision=3"}, {"PHP_ADMIN_VALUE": "precision=3"},
                       {"PHP_VALUE": "precision=3", "PHP_ADMIN_VALUE": "auto_prepend_file=/etc/passwd"}):
            reply = self.ask("refuse", "/ini.php", query="name=precision", **params)
            self.assertEqual(json.loads(reply.text)["values"]["precision"], "14")
            self.assertEqual(reply.stderr.count(b"security.allow_php_value"), 1)
        self.assertEqual(self.ask("refuse", "/ini.php", query="name=precision").stderr, b"")

    def test_a_syntax_error_is_not_the_scripts(self):
        self.pool("syntax")
        self.guest.write(f"{ROOT}/last.php", "<?php echo json_encode(error_get_last());")
        self.assertEqual(self.ask("syntax", "/last.php", PHP_VALUE="precision = (3").text, "null")
        self.wait_record(POOL="syntax", where=lambda r: "syntax error" in r["MESSAGE"])

    # ---- REQUEST_BODY_FILE ----

    def test_a_body_from_a_file(self):
        self.guest.write("/srv/bodies/sub/body", "a=1&b=2")
        self.guest.write("/srv/secret", "a=secret")
        os.symlink("/srv/secret", self.guest.path("/srv/bodies/link"))
        self.pool("body", security_body_file_paths="/srv/elsewhere /srv/bodies", children=1)
        for path, post, length in (("/srv/bodies/sub/body", {"a": "1", "b": "2"}, 7),
                                   ("/srv/bodies/sub/body", {"a": "1"}, 3),
                                   ("/srv/bodies/sub/body", {"a": "1", "b": "2"}, None)):
            reply = self.ask("body", "/variables.php", REQUEST_BODY_FILE=path, CONTENT_LENGTH=length,
                             **FORM)
            seen = json.loads(reply.text)
            self.assertEqual((seen["post"], seen["input"], reply.stderr),
                             (post, "a=1&b=2"[:length], b""))
        self.guest.write("/srv/bodies/large", "0123456789" * 20000)
        for length, there in ((200000, 200000), (150001, 150001), (300000, 200000)):
            crc = zlib.crc32((b"0123456789" * 20000)[:there])
            reply = self.ask("body", "/sink.php", REQUEST_BODY_FILE="/srv/bodies/large",
                             CONTENT_LENGTH=length, REQUEST_METHOD="POST", CONTENT_TYPE="text/plain")
            seen = json.loads(reply.text)
            self.assertEqual((seen["length"], seen["crc"], reply.stderr),
                             (there, f"{crc:08x}", b""))
        reply = self.ask("body", "/sink.php", REQUEST_BODY_FILE="/srv/secret", CONTENT_LENGTH=200000,
                         REQUEST_METHOD="POST", CONTENT_TYPE="text/plain")
        self.assertEqual(json.loads(reply.text)["length"], 0)
        self.assertEqual(reply.stderr.count(b"security.body_file_paths"), 1)
        for path in ("/srv/secret", "/srv/bodies/../secret", "/srv/bodies/link", "/etc/passwd"):
            reply = self.ask("body", "/variables.php", REQUEST_BODY_FILE=path, CONTENT_LENGTH=8, **FORM)
            seen = json.loads(reply.text)
            self.assertEqual((seen["post"], seen["input"]), ({}, "") if seen["post"] else ([], ""))
            self.assertIn(b"security.body_file_paths", reply.stderr)

    # ---- files of settings ----

    def test_settings_of_folders_and_hosts(self):
        self.guest.write("/srv/site/sections.ini", "precision = 5\n[PATH=/srv/www/a]\nprecision = 6\n"
                         "open_basedir = /srv/www\n[HOST=one.example]\nprecision = 7\n")
        for folder, text in (("a", ""), ("a/b", "precision = 8\nallow_url_fopen = 0\ndefault_charset = y\n"),
                             ("c", "precision = 9\n"), ("c/d", "default_charset = x\n")):
            self.guest.write(f"{ROOT}/{folder}/.user.ini", text)
            self.guest.path(f"{ROOT}/{folder}/ini.php").write_bytes(
                self.guest.path(f"{ROOT}/ini.php").read_bytes())
        self.guest.write("/srv/out/.user.ini", "precision = 10\n")
        self.guest.path("/srv/out/ini.php").write_bytes(self.guest.path(f"{ROOT}/ini.php").read_bytes())
        self.pool("folders", php_ini="/srv/site/sections.ini",
                  php_admin_value__user_ini__cache_ttl="1")

        def seen(script, root=ROOT, host="two.example"):
            reply = self.ask("folders", script, root=root, SERVER_NAME=host,
                             DOCUMENT_ROOT=ROOT,
                             query="name=precision,open_basedir,allow_url_fopen,default_charset")
            return list(json.loads(reply.text)["values"].values())

        self.assertEqual(seen("/ini.php"), ["5", "", "1", "UTF-8"])
        self.assertEqual(seen("/ini.php", host="ONE.example"), ["7", "", "1", "UTF-8"])
        self.assertEqual(seen("/a/ini.php"), ["6", "/srv/www", "1", "UTF-8"])
        # What php.ini says of the folder is not for .user.ini, nor is allow_url_fopen.
        self.assertEqual(seen("/a/b/ini.php"), ["6", "/srv/www", "1", "y"])
        self.assertEqual(seen("/c/d/ini.php"), ["9", "", "1", "x"])
        self.assertEqual(seen("/ini.php", root="/srv/out")[0], "10")
        self.guest.write(f"{ROOT}/c/.user.ini", "precision = 11\n")
        time.sleep(2.1)
        self.assertEqual(seen("/c/ini.php")[0], "11")
        self.assertEqual(seen("/ini.php"), ["5", "", "1", "UTF-8"])

    def test_error_log_of_a_pool(self):
        self.guest.run("install", "-d", "-o", "site", "/srv/site/log")
        self.pool("logs", php_admin_value__error_log="/srv/site/log/php.log")
        self.guest.write(f"{ROOT}/log.php", "<?php error_log('to the file');")
        self.assertEqual(self.ask("logs", "/log.php").stderr, b"")
        self.assertIn("to the file", self.guest.read("/srv/site/log/php.log"))
        self.pool("syslog", php_admin_value__error_log="syslog")
        self.assertEqual(self.ask("syslog", "/log.php").stderr, b"")
        self.wait_record(SYSLOG_IDENTIFIER="php", where=lambda r: "to the file" in r["MESSAGE"])

    def test_extensions_and_cache_of_a_pool(self):
        self.guest.write("/srv/site/none/README", "")
        self.pool("own", php_ini_scan_dir="/srv/site/none", php_admin_value__extension="ctype",
                  php_admin_value__zend_extension="opcache.so",
                  php_admin_value__opcache__memory_consumption="17")
        seen = json.loads(self.ask("own", "/itself.php").text)
        self.assertIn("ctype", seen["modules"])
        self.assertIn("Zend OPcache", seen["zend_extensions"])
        self.assertNotIn("tokenizer", seen["modules"])
        self.assertEqual(json.loads(self.ask("own", "/opcache.php").text)["memory"], 17 << 20)

    def test_sessions_where_debian_keeps_them(self):
        self.pool("sessions")
        first = self.ask("sessions", "/session.php")
        cookie = first.headers["set-cookie"].split(";")[0]
        self.assertEqual((first.text, first.stderr), ("1\n", b""))
        self.assertEqual(self.ask("sessions", "/session.php", HTTP_COOKIE=cookie).text, "2\n")

    def test_putenv_ends_with_the_request(self):
        self.pool("putenv", children=1, env__KEPT="kept")
        self.guest.write(f"{ROOT}/putenv.php", """<?php
            if ($_GET) { putenv('LEFT=1'); putenv('KEPT=no'); putenv('PATH'); }
            echo json_encode([getenv('LEFT'), getenv('KEPT')]);""")
        self.assertEqual(self.ask("putenv", "/putenv.php", query="set=1").text, '["1","no"]')
        self.assertEqual(self.ask("putenv", "/putenv.php").text, '[false,"kept"]')

    def test_error_header(self):
        self.pool("oops", php_admin_value__fastcgi__error_header='"HTTP/1.0 550 Oops"',
                  php_admin_flag__fastcgi__logging="off")
        reply = self.ask("oops", "/errors.php", query="end=fatal")
        self.assertEqual((reply.header_lines[0], reply.stderr), ("Status: 550 Oops", b""))

    def test_doc_root(self):
        """The folder of the script that is opened, not of the one that was named."""
        self.pool("docroot", php_admin_value__doc_root="/srv/other")
        self.guest.write("/srv/other/where.php", "<?php echo __FILE__, ' ', getcwd();")
        self.guest.write(f"{ROOT}/where.php", "<?php echo 'not this';")
        self.assertEqual(self.ask("docroot", "/where.php").text, "/srv/other/where.php /srv/other")


class BodyFiles(GuestCase):
    """nginx hands over the file in which it has the body."""

    @classmethod
    def prepare(cls, guest):
        guest.write("/etc/nginx/tests.d/body.conf", """server {
            listen 127.0.0.1:83;
            root /srv/www;
            location ~ \\.php$ {
                client_body_in_file_only clean;
                include fastcgi.conf;
                fastcgi_pass_request_body off;
                fastcgi_param REQUEST_BODY_FILE $request_body_file;
                fastcgi_pass unix:/run/fpmd/www.sock;
            }
        }
        """)
        # nginx's files are readable by its own user only.
        write_pool(guest, "www", user="www-data", security_body_file_paths="/var/lib/nginx/body")

    def test_a_large_upload(self):
        self.guest.systemctl("start", "fpmd@www.socket")
        data = os.urandom(9 << 20)
        reply = self.http("/echo.php", "POST", data, {"Content-Type": "application/octet-stream"}, 83)
        self.assertEqual(reply.data, data)
        reply = self.http("/hello.php", port=83)
        self.assertEqual(reply.data, b"Hello World\n")


if __name__ == "__main__":
    main()
