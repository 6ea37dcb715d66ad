"""Pool files: accepted or refused, and the values that become effective.

php-fpm says them with -tt, fpmd with "fpmctl check" and "fpmctl show". Values of [global] are compared
where a pool of fpmd takes them.
"""

import dataclasses
import json
import pathlib
import re

BASE = """[www]
user = www-data
listen = /run/x.sock
pm = static
pm.max_children = 3
"""

DYNAMIC = """[www]
user = www-data
listen = /run/x.sock
pm = dynamic
"""


@dataclasses.dataclass
class FileCase:
    name: str
    text: str
    differs: dict = dataclasses.field(default_factory=dict)  # pattern of fields → id
    others: dict = dataclasses.field(default_factory=dict)   # further files

    @property
    def slug(self):
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")


def lines(name, *text, **differs):
    """Lines of the section of a pool that is complete without them."""
    if "ping.response" in "".join(text) and "ping.path = /ping" not in text:
        text = ("ping.path = /p", *text)  # without it php-fpm drops the response
    return FileCase(name, BASE + "\n".join(text) + "\n", named(differs))


def whole(name, text, others=None, **differs):
    return FileCase(name, text, named(differs), others or {})


def named(differs):
    """accepted="id" or value__NAME="id", as keyword arguments can say them; value__any: all values."""
    return {k.replace("__any", ".*").replace("__", "."): v.replace("_", "-")
            for k, v in differs.items()}


NUMBERS = "numbers"

DEBIAN = pathlib.Path("/etc/php/8.2/fpm")

CASES = [
    # ---- Debian's own files ----
    whole("file of the package", (DEBIAN / "pool.d/www.conf").read_text()),
    whole("global file of the package", re.sub("^include", ";include", (DEBIAN / "php-fpm.conf").read_text(),
                                               flags=re.MULTILINE) + BASE),
    # ---- the dialect ----
    lines("nothing else"),
    lines("comment lines", "; text", "  ; text", ";pm = x"),
    lines("comment after a value", "pm.max_requests = 7 ; seven"),
    lines("hash is no comment", "# text"),
    lines("key without equal sign", "pm.max_requests"),
    lines("empty lines and blanks", "", "   ", "\t", "  pm.max_requests   =   7  "),
    lines("windows line ends", "pm.max_requests = 7\r", "ping.response = x\r"),
    whole("byte order mark", "\ufeff" + BASE),
    lines("keys in capitals", "PM.MAX_REQUESTS = 7"),
    lines("array name in capitals", "ENV[A] = 1", accepted="array-names"),
    lines("double quotes", 'ping.response = "a b"'),
    lines("single quotes", "ping.response = 'a b'"),
    lines("quotes in the middle", 'ping.response = a "b" c'),
    lines("quotes joined", "ping.response = \"a\"b'c'"),
    lines("quotes joined with blanks", "ping.response = \"a\" 'b' c"),
    lines("escaped quote", r'ping.response = "a\"b"'),
    lines("backslash n", r'ping.response = "a\nb"'),
    lines("double backslash", r'ping.response = "a\\b"'),
    lines("backslash unquoted", r"ping.response = a\b"),
    lines("open quote", 'ping.response = "a'),
    lines("semicolon in quotes", 'ping.response = "a;b"'),
    lines("semicolon unquoted", "ping.response = a;b"),
    lines("equal sign unquoted", "ping.response = a=b"),
    lines("equal sign quoted", 'ping.response = "a=b"'),
    lines("operators", "pm.max_requests = 1|6", accepted="operators"),
    lines("not operator", "pm.max_requests = !1", accepted="operators"),
    lines("brackets", "pm.max_requests = (4)", accepted="operators"),
    lines("brackets open", "pm.max_requests = a(b"),
    lines("constant", "pm.max_requests = PHP_MAJOR_VERSION", accepted="operators"),
    lines("constant quoted", 'pm.max_requests = "PHP_MAJOR_VERSION"'),
    lines("variable", "ping.response = ${GIVEN}"),
    lines("variable in text", 'ping.response = "a-${GIVEN}-b"'),
    lines("variable in single quotes", "ping.response = 'a-${GIVEN}'"),
    lines("variable not set", "ping.response = x${NOT_THERE}"),
    lines("variable of php.ini", "pm.max_requests = 1${precision}", value__pm__max_requests=
          "variables_in_values"),
    lines("variable not closed", "ping.response = ${GIVEN"),
    lines("pool name in a value", "ping.response = pool-$pool"),
    lines("pool name twice", "ping.response = $pool/$poolfoo"),
    lines("pool name in single quotes", "ping.response = '$pool'"),
    lines("value empty", "ping.response ="),
    lines("value of blanks", "ping.response = '  '"),
    lines("given twice", "pm.max_requests = 7", "pm.max_requests = 8"),
    lines("unknown directive", "pm.max_request = 7"),
    lines("unknown array", "php_valu[x] = 7"),
    lines("key where none belongs", "pm.max_requests[x] = 7"),
    lines("no key where one belongs", "php_value = 7"),
    lines("empty key", "php_value[] = 7"),
    lines("key in quotes", 'php_value["precision"] = 7'),
    lines("global directive in a pool", "daemonize = no"),
    whole("pool directive in global", "[global]\npm = static\n" + BASE),
    whole("pool directive before a section", "pm = static\n" + BASE),
    whole("global directive before a section", "log_limit = 2000\n" + BASE),
    whole("global section in capitals", "[GLOBAL]\nlog_limit = 2000\n" + BASE),
    whole("global section again", BASE + "[global]\nlog_limit = 2000\n"),
    whole("pool section again", BASE + "[global]\n[www]\npm.max_requests = 7\n"),
    whole("pool section in capitals again", BASE + "[WWW]\npm.max_requests = 7\n"),
    whole("section not closed", "[www\n" + BASE),
    whole("section empty", BASE + "[]\n"),
    whole("section with blanks", BASE.replace("[www]", "[ www ]"), value__any="pool_names"),
    whole("text after a section", BASE.replace("[www]", "[www] x")),
    whole("comment after a section", BASE.replace("[www]", "[www] ; x")),
    whole("two pools", BASE + BASE.replace("www]", "other]").replace("x.sock", "y.sock")),
    whole("error in another pool", BASE + "[other]\nuser = www-data\nlisten = /run/y\npm = nonsense\n",
          accepted="other_sections"),
    whole("another pool incomplete", BASE + "[other]\nuser = www-data\n", accepted="other_sections"),
    whole("pool in global", "[global]\nerror_log = /srv/$pool\n" + BASE),
    # ---- include ----
    whole("include", BASE + "include = {folder}/more.inc\n", {"more.inc": "pm.max_requests = 7\n"}),
    whole("include of a pattern", BASE + "include = {folder}/*.inc\n",
          {"a.inc": "pm.max_requests = 7\n", "b.inc": "pm.max_requests = 8\n"}),
    whole("include of nothing", BASE + "include = {folder}/*.none\n"),
    whole("include of a missing file", BASE + "include = {folder}/absent.inc\n"),
    whole("include of a missing folder", BASE + "include = {folder}/absent/*.inc\n"),
    whole("include of itself", BASE + "include = {folder}/loop.inc\n",
          {"loop.inc": "include = {folder}/loop.inc\n"}),
    whole("include four deep", BASE + "include = {folder}/1.inc\n",
          {f"{i}.inc": f"include = {{folder}}/{i + 1}.inc\n" for i in range(1, 3)}
          | {"3.inc": "pm.max_requests = 7\n"}),
    whole("include in capitals", BASE + "INCLUDE = {folder}/more.inc\n", {"more.inc": ""}),
    whole("include with a key", BASE + "include[x] = {folder}/more.inc\n", {"more.inc": ""}),
    whole("lines after an include with a section", BASE + "include = {folder}/more.inc\n"
          "pm.max_requests = 7\n", {"more.inc": BASE.replace("www]", "other]").replace("x.", "y.")},
          value__pm__max_requests="include_sections"),
    whole("include relative", BASE + "include = more.inc\n", {"more.inc": "pm.max_requests = 7\n"},
          value__pm__max_requests="include_relative"),
    # ---- values ----
    lines("number negative", "pm.max_requests = -1", accepted=NUMBERS),
    lines("number overflowing", "pm.max_requests = 99999999999999999999", accepted=NUMBERS),
    lines("number beyond 32 bits", "pm.max_requests = 99999999999",
          value__pm__max_requests=NUMBERS),
    lines("number with text", "pm.max_requests = 7x"),
    lines("number empty", "pm.max_requests =", accepted="empty_numbers"),
    lines("number with a point", "pm.max_requests = 7.5"),
    lines("number with plus", "pm.max_requests = +7"),
    lines("number with blanks inside", "pm.max_requests = 7 8"),
    lines("number quoted", 'pm.max_requests = "7"'),
    lines("number hexadecimal", "pm.max_requests = 0x7"),
    lines("number with leading zero", "pm.max_requests = 010"),
    lines("children zero", "pm.max_children = 0"),
    lines("children negative", "pm.max_children = -1"),
    lines("children many", "pm.max_children = 70000", accepted="children"),
    *(lines(f"time {text}", f"process_idle_timeout = {text}".replace("process", "pm.process"),
            **differs) for text, differs in {
        "10": {}, "10s": {}, "2m": {}, "1h": {}, "1d": {}, "10S": {"accepted": "time_values"},
        "10 s": {}, "1.5s": {"accepted": "time_values"},
        "x": {}, "s": {"accepted": "time_values"}, "-5": {"accepted": NUMBERS},
        "10w": {}, "10ms": {"value__pm__process_idle_timeout": "time_values"}}.items()),
    *(lines(f"boolean {text}", f"catch_workers_output = {text}", **differs) for text, differs in {
        "yes": {}, "no": {}, "on": {}, "off": {}, "true": {}, "false": {}, "1": {}, "0": {},
        "none": {}, "Yes": {}, "NO": {}, '"yes"': {}, '"no"': {}, '"On"': {"accepted": "booleans"},
        "2": {}, "maybe": {}, "null": {}, "": {}, "y": {}}.items()),
    *(lines(f"mode {text}", f"listen.mode = {text}", **differs) for text, differs in {
        "0660": {}, "0600": {}, "660": {}, "0": {}, "0999": {"accepted": "listen_mode"},
        "rw": {"accepted": "listen_mode"}, "07777": {},
        "-1": {"accepted": "listen_mode"}}.items()),
    *(whole(f"log level {text}", f"[global]\nlog_level = {text}\n" + BASE, **differs)
      for text, differs in {"debug": {}, "notice": {}, "warning": {}, "warn": {}, "error": {},
                            "alert": {}, "ERROR": {}, "info": {}, "crit": {}, "": {}}.items()),
    *(lines(f"core {text}", f"rlimit_core = {text}") for text in (
        "0", "1000", "unlimited", "-1", "x")),
    lines("files", "rlimit_files = 2048"),
    lines("files zero", "rlimit_files = 0"),
    *(lines(f"priority {text}", f"process.priority = {text}") for text in (
        "0", "5", "-5", "-19", "20", "21", "-20", "x")),
    # ---- process managers ----
    whole("pm missing", BASE.replace("pm = static\n", "")),
    whole("pm nonsense", BASE.replace("static", "sometimes")),
    whole("pm in capitals", BASE.replace("static", "STATIC")),
    whole("pm ondemand", BASE.replace("static", "ondemand")),
    whole("ondemand without idle time", BASE.replace("static", "ondemand")
          + "pm.process_idle_timeout = 0\n"),
    whole("children missing", BASE.replace("pm.max_children = 3\n", "")),
    whole("dynamic", DYNAMIC + "pm.max_children = 9\npm.min_spare_servers = 2\n"
          "pm.max_spare_servers = 6\n"),
    whole("dynamic start servers", DYNAMIC + "pm.max_children = 9\npm.min_spare_servers = 2\n"
          "pm.max_spare_servers = 6\npm.start_servers = 3\n"),
    whole("dynamic start servers too many", DYNAMIC + "pm.max_children = 9\npm.min_spare_servers = 2\n"
          "pm.max_spare_servers = 6\npm.start_servers = 7\n"),
    whole("dynamic start servers too few", DYNAMIC + "pm.max_children = 9\npm.min_spare_servers = 2\n"
          "pm.max_spare_servers = 6\npm.start_servers = 1\n"),
    whole("dynamic without spares", DYNAMIC + "pm.max_children = 9\n"),
    whole("dynamic without most spares", DYNAMIC + "pm.max_children = 9\npm.min_spare_servers = 2\n"),
    whole("dynamic more spares than children", DYNAMIC + "pm.max_children = 5\n"
          "pm.min_spare_servers = 2\npm.max_spare_servers = 6\n"),
    whole("dynamic spares the wrong way round", DYNAMIC + "pm.max_children = 9\n"
          "pm.min_spare_servers = 6\npm.max_spare_servers = 2\n"),
    whole("dynamic spawn rate zero", DYNAMIC + "pm.max_children = 9\npm.min_spare_servers = 2\n"
          "pm.max_spare_servers = 6\npm.max_spawn_rate = 0\n"),
    lines("static with numbers of dynamic", "pm.min_spare_servers = 7", "pm.max_spare_servers = 2"),
    # ---- users, addresses, pages ----
    whole("user missing", BASE.replace("user = www-data\n", "")),
    whole("user unknown", BASE.replace("user = www-data", "user = nobody-of-that-name")),
    whole("user by number", BASE.replace("user = www-data", "user = 33")),
    whole("user root", BASE.replace("user = www-data", "user = root"), accepted="root_user"),
    lines("group", "group = site-extra"),
    lines("group unknown", "group = no-such-group"),
    lines("group by number", "group = 33"),
    whole("listen missing", BASE.replace("listen = /run/x.sock\n", ""), accepted="listen_optional"),
    lines("listen port", "listen = 9000"),
    lines("listen host and port", "listen = 127.0.0.1:9000"),
    lines("listen ipv6", "listen = [::1]:9000"),
    lines("listen host without port", "listen = 127.0.0.1", accepted="listen_texts"),
    lines("backlog", "listen.backlog = 511"),
    lines("backlog minus one", "listen.backlog = -1"),
    lines("listen owner", "listen.owner = www-data", "listen.group = www-data"),
    lines("listen owner unknown", "listen.owner = nobody-of-that-name"),
    lines("allowed clients", "listen.allowed_clients = 127.0.0.1,192.0.2.1"),
    lines("allowed clients with blanks", "listen.allowed_clients = 127.0.0.1, 192.0.2.1"),
    lines("acl users", "listen.acl_users = www-data,site"),
    lines("setfib", "listen.setfib = 1", accepted="setfib"),
    *(lines(f"status path {text}", f"pm.status_path = {text}") for text in (
        "/status", "status", "/", "/a b", "/st_a-t.u~s/x", "/st?x")),
    *(lines(f"ping path {text}", f"ping.path = {text}") for text in ("/ping", "ping", "/", "/a%")),
    lines("ping response", "ping.path = /ping", "ping.response = 'hello you'"),
    lines("ping response empty", "ping.path = /ping", "ping.response = ''"),
    lines("ping path is the status path", "pm.status_path = /s", "ping.path = /s",
          accepted="ping_and_status_paths"),
    lines("error_log of scripts to syslog", "php_value[error_log] = syslog", value__any="ini_paths"),
    lines("status listen", "pm.status_path = /status", "pm.status_listen = 127.0.0.1:9001"),
    # ---- scripts ----
    lines("chdir", "chdir = /srv"),
    lines("chdir missing", "chdir = /no/such/folder"),
    lines("chdir relative", "chdir = srv"),
    lines("chroot missing", "chroot = /no/such/folder"),
    lines("extensions", "security.limit_extensions = .php .php5"),
    lines("extensions with tabs", "security.limit_extensions = .php\t.html"),
    lines("extensions empty", "security.limit_extensions ="),
    lines("extensions with a comma", "security.limit_extensions = .php,.html"),
    lines("clear env", "clear_env = no"),
    lines("env", "env[A] = 1", "env[B] = 'x y'"),
    lines("env empty", "env[A] ="),
    lines("env from the unit", "env[A] = $GIVEN"),
    lines("env from nothing", "env[A] = $NOT_THERE"),
    lines("env of a longer text", "env[A] = $GIVEN/x"),
    lines("env word", "env[A] = yes", "env[B] = Off2"),
    lines("php value", "php_value[memory_limit] = 32M"),
    lines("php value expression", "php_value[error_reporting] = E_ALL & ~E_NOTICE"),
    lines("php value number expression", "php_value[precision] = 1|6"),
    lines("php value quoted", "php_value[user_agent] = \"a b\""),
    lines("php value equal sign", "php_value[user_agent] = a=b"),
    lines("php value empty", "php_value[user_agent] ="),
    lines("php value unknown", "php_value[no.such] = 1"),
    lines("php value with pool", "php_value[user_agent] = $pool"),
    lines("php value twice", "php_value[precision] = 3", "php_value[precision] = 4"),
    lines("php flag", "php_flag[display_errors] = on", "php_flag[html_errors] = no"),
    lines("php flag nonsense", "php_flag[display_errors] = maybe"),
    lines("php flag number", "php_flag[display_errors] = 2"),
    lines("php admin value", "php_admin_value[memory_limit] = 32M"),
    lines("php admin flag", "php_admin_flag[log_errors] = on"),
    lines("php admin flag quoted", 'php_admin_flag[log_errors] = "off"'),
    # ---- logs and the rest ----
    lines("access log", "access.log = /srv/$pool.access.log"),
    lines("access format", 'access.format = "%R - %u %t \\"%m %r\\" %s"'),
    lines("access suppress path", "access.suppress_path[] = /ping"),
    lines("access suppress path with a key", "access.suppress_path[x] = /ping"),
    lines("access suppress path relative", "access.suppress_path[] = ping"),
    lines("slow log", "slowlog = /srv/$pool.slow.log", "request_slowlog_timeout = 5s"),
    lines("slow log timeout without file", "request_slowlog_timeout = 5s", accepted="slow_log"),
    lines("slow log longer than terminate", "slowlog = /srv/slow", "request_slowlog_timeout = 5s",
          "request_terminate_timeout = 3s"),
    lines("terminate timeout", "request_terminate_timeout = 30s"),
    lines("track finished", "request_terminate_timeout_track_finished = yes"),
    lines("workers output", "catch_workers_output = yes", "decorate_workers_output = no"),
    lines("dumpable", "process.dumpable = yes"),
    whole("global emergency", "[global]\nemergency_restart_threshold = 10\n"
          "emergency_restart_interval = 1m\nprocess_control_timeout = 10s\n" + BASE),
    whole("global pid and log", "[global]\npid = /run/x.pid\nerror_log = /srv/x.log\ndaemonize = yes\n"
          + BASE),
    whole("global syslog", "[global]\nerror_log = syslog\nsyslog.ident = x\nsyslog.facility = LOCAL3\n"
          + BASE),
    whole("global facility nonsense", "[global]\nsyslog.facility = nowhere\n" + BASE),
    whole("global log limit", "[global]\nlog_limit = 4096\n" + BASE),
    whole("global log limit too small", "[global]\nlog_limit = 100\n" + BASE),
    whole("global process max", "[global]\nprocess.max = 128\n" + BASE),
    whole("global limits", "[global]\nrlimit_files = 1024\nrlimit_core = 0\n" + BASE),
    whole("global priority", "[global]\nprocess.priority = 5\n" + BASE),
    whole("global events", "[global]\nevents.mechanism = epoll\n" + BASE),
    whole("global events nonsense", "[global]\nevents.mechanism = magic\n" + BASE,
          accepted="events_mechanism"),
    whole("global systemd interval", "[global]\nsystemd_interval = 20\n" + BASE),
]

FOLDER = "/srv/pools"

# Reads each file with both, in the guest; -n leaves out php.ini, which takes most of php-fpm's time.
READ_ALL = f"""
export GIVEN="given by the unit"
cd {FOLDER}
for folder in *; do
    cd {FOLDER}/$folder
    (php-fpm8.2 -n -d precision=14 -tt -y $PWD/main.conf >theirs 2>&1; echo $? >theirs.exit) &
    fpmctl check $PWD/www.conf >ours 2>&1
    echo $? >ours.exit
    fpmctl --output=json show $PWD/www.conf >ours.json 2>ours.error
    wait
done
"""

# What PHP makes of the value of a php_value line, which fpmd leaves to it.
PARSE = r"""
foreach (json_decode(stream_get_contents(STDIN)) as $text) {
    $all[] = parse_ini_string("x=$text", false, INI_SCANNER_NORMAL)["x"] ?? null;
}
echo json_encode($all);
"""

TIMES = ("timeout", "interval")
ENVIRONMENT = {"GIVEN": "given by the unit"}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
BOOLEANS = {"yes": True, "on": True, "true": True, "1": True, "no": False, "off": False,
            "false": False, "none": False, "null": False, "0": False, "": False}
FLAGS = ("catch_workers_output", "decorate_workers_output", "clear_env", "process.dumpable", "daemonize",
         "request_terminate_timeout_track_finished", "log_buffering")
# Names of the same thing in different spellings, in lower case.
SPELLED = {("syslog.facility", "152"): "local3", ("rlimit_core", "unlimited"): "-1"}
WORDS = ("pm", "log_level", "syslog.facility")


def read_all(guest):
    """For each case what (php-fpm, fpmd) made of it, as fields."""
    folders = []
    for number, case in enumerate(CASES):
        folder = f"{FOLDER}/{number:03}"
        folders.append(guest.path(folder))
        # Its last lines see to it that php-fpm's words reach stderr, whatever the file says.
        guest.write(f"{folder}/main.conf", f"[global]\ninclude = {folder}/www.conf\n"
                    "[global]\nerror_log = /srv/php-fpm.log\nlog_level = notice\n")
        for name, text in (case.others | {"www.conf": case.text}).items():
            guest.write(f"{folder}/{name}", text.replace("{folder}", folder))
    guest.run("bash", "-c", READ_ALL, timeout=120)
    pairs = [(read_theirs(folder), read_ours(folder)) for folder in folders]
    for case, pair in zip(CASES, pairs):
        keep_named(case, pair)
    evaluate(guest, pairs)
    return pairs


def put(fields, name, value):
    value = SPELLED.get((name, value), value)
    if value == "undefined":
        value = None
    elif name in FLAGS:
        value = BOOLEANS.get(value.lower(), value)
    elif name in WORDS:
        value = value.lower()
    elif name.endswith(TIMES) and re.fullmatch(r"\d+ ?[smhd]?", value):
        value = int(value.rstrip("smhd ")) * UNITS.get(value[-1], 1)
    elif re.fullmatch(r"-?\d+", value):
        value = int(value)
    fields[name] = value or None


def read_theirs(folder):
    text = (folder / "theirs").read_text(errors="replace")
    fields = {"accepted": (folder / "theirs.exit").read_text() == "0\n"}
    pool, section = {}, None
    for line in text.splitlines():
        line = re.sub(r"^\[[^]]*\] NOTICE: ", "", line)
        if re.fullmatch(r"\[.*\]", line):
            section = line[1:-1].lower()
        elif line.startswith("\t") and section in ("www", "global"):
            # Of a list the last line is applied last. A pool has the global value where it has none.
            name, _, value = line[1:].partition(" = ")
            if value.startswith("$"):
                value = ENVIRONMENT.get(value[1:], "")  # put in when workers start
            put(fields if section == "global" else pool, name.replace("[]", ""), value)
    fields.update((k, v) for k, v in pool.items() if v is not None or k not in fields)
    fields["said"] = text
    return fields


def read_ours(folder):
    fields = {"accepted": (folder / "ours.exit").read_text() == "0\n"}
    shown = (folder / "ours.json").read_text()
    for entry in json.loads(shown)["directives"] if shown else []:
        name = entry["directive"]
        if "key" in entry:
            name += f"[{entry['key']}]"
        if entry["value"] is not None:
            put(fields, name.replace("flag[", "value[").replace("[]", ""), entry["value"])
    fields["said"] = (folder / "ours").read_text() + (folder / "ours.error").read_text()
    return fields


def keep_named(case, pair):
    """Values of the directives that the case is about, where both took the file."""
    text = "\n".join([case.text, *case.others.values()])
    names = set(re.findall(r"^\s*([\w.]+)(?:\[.*\])?\s*=", text.lower(), re.MULTILINE))
    names |= {"pm.start_servers"} if "dynamic" in names else set()
    both = all(fields["accepted"] for fields in pair)
    for fields in pair:
        for name in list(fields):
            kept = name.split("[")[0].replace("php_admin_value", "php_admin_flag") in names or \
                name.split("[")[0] in names or name.replace("value[", "flag[").split("[")[0] in names
            if name in ("log_level", "error_log") or fields[name] is None or \
                    name not in ("accepted", "said") and not (both and kept):
                del fields[name]
            elif name not in ("accepted", "said"):
                fields["value." + name] = fields.pop(name)


def evaluate(guest, pairs):
    """Lets PHP read the values that fpmd leaves to it."""
    places = [(ours, name) for _, ours in pairs for name, value in ours.items()
              if re.match(r"value\.php_(admin_)?value\[", name) and isinstance(value, str)]
    out = guest.run("php8.2", "-n", "-r", PARSE, input=json.dumps([f[n] for f, n in places])).stdout
    for (fields, name), value in zip(places, json.loads(out)):
        fields.pop(name)
        if value not in (None, "", "0"):  # as keep_named() does for php-fpm's
            put(fields, name, value)
