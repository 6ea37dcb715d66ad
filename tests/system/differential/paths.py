"""Which script is run and what becomes of the variables about it."""

import itertools

from differential.compare import ROOT, Ask, Case, params

# ---- a matrix of the variables, as each kind of web server sends them ----

FILENAMES = ["/show.php", "/show.php/tail/a", "/show.php/", "/folder/", "/folder", "/absent.php",
             "/absent/show.php/x", "/folder.php/inside.php", "/folder.php", "/", "/show.php/../x.php",
             "/folder/../show.php", "//show.php", "/link.php", "/plain.txt/show.php"]
INFOS = [None, "", "/tail/a", "/show.php/tail/a", "/a", "/"]
TRANSLATED = [None, ROOT + "/other.php", ROOT + "/show.php"]
ROOTS = [ROOT, None, ROOT + "/"]
REDIRECTS = [None, "/pretty/url"]


def combination(kind, number, **changed):
    label = f"{kind} {number}: " + " ".join(f"{k}={v}" for k, v in changed.items() if v is not None)
    given = params(**changed)
    return label, given


def matrix_cases(kind, pool, prefix="", **fixed):
    """A web server is the prefix of its SCRIPT_FILENAME, and the variables that are always there."""
    cases = []
    number = 0
    roots = ROOTS if not prefix else ROOTS[:2]
    for filename, info, translated, root, redirect in itertools.product(
            FILENAMES, INFOS, TRANSLATED, roots, REDIRECTS):
        number += 1
        # A tenth of what does not concern the script itself: all pairs still meet.
        if (translated or root != ROOT or redirect) and number % 4:
            continue
        label, given = combination(kind, number, SCRIPT_FILENAME=prefix + ROOT + filename,
                                   SCRIPT_NAME=filename, PATH_INFO=info, PATH_TRANSLATED=translated,
                                   DOCUMENT_ROOT=root, REDIRECT_URL=redirect, **fixed)
        cases.append(Case(label, [Ask(given)], pool))
    return cases


IIS = {"SERVER_SOFTWARE": "Microsoft-IIS/10.0"}
APACHE = {"SERVER_SOFTWARE": "Apache/2.4.57 (Debian)", "CONTEXT_DOCUMENT_ROOT": ROOT}

# php-fpm shortens the value of SCRIPT_FILENAME and leaves its length as it was.
TAIL = {"json.getenv.SCRIPT_FILENAME": "proxy-prefix"}

# name → its cases, and what differs in some of them
MATRIX = {
    f"{kind}_{pool}": (matrix_cases(kind, pool, prefix, **fixed), TAIL if prefix else {})
    for kind, prefix, fixed in [
        ("nginx", "", {}),
        ("iis", "", IIS),
        ("apache_sethandler", "proxy:fcgi://localhost", APACHE),
        ("apache_balancer", "proxy:balancer://php", APACHE),
    ]
    for pool in ("plain", "nofix", "discard")
    # With fix_pathinfo off IIS and the balancer take no other way than those before them.
    if pool == "plain" or kind in ("nginx", "apache_sethandler")
}


def one(name, pool="plain", differs=None, **given):
    return Case(name, [Ask(params(**given))], pool, differs=differs or {})


def script(name, path, pool="plain", **more):
    """nginx without PATH_INFO."""
    return one(name, pool, script=path, **more)


# Apache's forms of SCRIPT_FILENAME, with what it sends beside them.
def apache(name, filename, script_name="/show.php", pool="plain", differs=None, **more):
    return one(name, pool, differs, SCRIPT_FILENAME=filename, SCRIPT_NAME=script_name,
               **{**APACHE, **more})


CASES = [
    script("plain script", "/show.php"),
    script("missing script", "/absent.php"),
    script("missing folder", "/absent/folder/x.php"),
    script("folder as script", "/folder"),
    script("folder with slash", "/folder/"),
    script("folder that ends in php", "/folder.php"),
    script("script in a folder that ends in php", "/folder.php/inside.php"),
    script("trailing slash", "/show.php/"),
    script("two trailing slashes", "/show.php//"),
    script("leading double slash", "//show.php"),
    script("parent component inside", "/folder/../show.php"),
    script("parent component above the root", "/../../../etc/passwd.php"),
    script("dot component", "/./show.php"),
    script("dots in a name", "/folder/..show.php"),
    script("parent at the end", "/folder/.."),
    script("symbolic link", "/link.php"),
    script("name with a space", "/with space.php"),
    script("name with umlaut", "/caf\u00e9.php"),
    script("name with percent", "/100%.php"),
    script("unreadable script", "/secret.php"),
    script("empty script", "/empty.php"),
    script("script with a hash line", "/hash.php"),
    script("script with a byte order mark", "/bom.php"),
    script("very long name", "/" + "x" * 300 + ".php"),
    script("very long path", "/" + "x/" * 3000 + "y.php"),
    script("text file is refused", "/plain.txt"),
    script("capital extension is refused", "/upper.PHP"),
    script("html is refused", "/page.html"),
    script("php5 is refused", "/page.php5"),
    script("phar extension", "/page.phar"),
    script("no extension", "/noextension"),
    script("text with php tail", "/plain.txt/x.php"),
    script("two extensions", "/page.php.html"),
    script("any extension text", "/plain.txt", "any"),
    script("any extension none", "/noextension", "any"),
    script("any extension capital", "/upper.PHP", "any"),
    script("any extension missing", "/absent.txt", "any"),
    script("some extensions html", "/page.html", "some"),
    script("some extensions php", "/show.php", "some"),
    script("some extensions longer", "/page.inc.php", "some"),
    script("some extensions php5", "/page.php5", "some"),
    one("no SCRIPT_FILENAME", SCRIPT_FILENAME=None),
    one("no SCRIPT_FILENAME but PATH_TRANSLATED", SCRIPT_FILENAME=None,
        PATH_TRANSLATED=ROOT + "/show.php"),
    one("neither SCRIPT_FILENAME nor SCRIPT_NAME", SCRIPT_FILENAME=None, SCRIPT_NAME=None),
    one("no SCRIPT_NAME", SCRIPT_NAME=None),
    one("no SCRIPT_NAME with tail", SCRIPT_NAME=None, SCRIPT_FILENAME=ROOT + "/show.php/a",
        PATH_INFO="/show.php/a"),
    one("empty SCRIPT_FILENAME", SCRIPT_FILENAME=""),
    one("SCRIPT_FILENAME is a slash", SCRIPT_FILENAME="/"),
    one("relative SCRIPT_FILENAME", SCRIPT_FILENAME="show.php"),
    one("relative SCRIPT_FILENAME with folder", SCRIPT_FILENAME="srv/www/differential/show.php"),
    one("no method", REQUEST_METHOD=None),
    one("empty method", REQUEST_METHOD=""),
    one("no method and missing script", script="/absent.php", REQUEST_METHOD=None),
    one("no method and refused extension", script="/plain.txt", REQUEST_METHOD=None),
    one("no variables but the script", SCRIPT_NAME=None, REQUEST_URI=None, DOCUMENT_URI=None,
        DOCUMENT_ROOT=None, QUERY_STRING=None, SERVER_NAME=None, HTTP_HOST=None),
    one("nginx path info", script="/show.php", PATH_INFO="/some/path"),
    one("nginx path info with script in it", script="/show.php", PATH_INFO="/show.php/x"),
    one("nginx tail in the script and path info", script="/show.php/some/path",
        PATH_INFO="/show.php/some/path"),
    one("nginx tail and shorter path info", script="/show.php/some/path", PATH_INFO="/path"),
    one("nginx tail and equal path info", script="/show.php/some/path", PATH_INFO="/some/path"),
    one("nginx newline in path info", script="/show.php", PATH_INFO="\n"),
    one("nginx tail and empty path info", script="/show.php/PHP\nis_the_shittiest_lang.php",
        PATH_INFO=""),
    one("query in SCRIPT_FILENAME", SCRIPT_FILENAME=ROOT + "/show.php?a=1"),
    one("nofix path info", "nofix", script="/show.php", PATH_INFO="/some/path"),
    one("nofix tail in the script", "nofix", script="/show.php/some/path", PATH_INFO="/some/path"),
    one("nofix path translated", "nofix", script="/show.php", PATH_TRANSLATED=ROOT + "/other.php"),
    one("discard path translated", "discard", script="/show.php",
        PATH_TRANSLATED=ROOT + "/other.php"),
    one("doc_root without DOCUMENT_ROOT", "docroot", script="/show.php", DOCUMENT_ROOT=None),
    one("doc_root with tail", "docroot", script="/show.php/tail", DOCUMENT_ROOT=None,
        PATH_INFO="/show.php/tail"),
    one("doc_root user dir", "docroot", script="/page.php", SCRIPT_NAME="/~site/page.php"),
    one("doc_root relative script", "docroot", SCRIPT_FILENAME="show.php"),
    one("doc_root other script", "docroot", SCRIPT_FILENAME="/srv/www/hello.php"),
    apache("apache sethandler", "proxy:fcgi://localhost" + ROOT + "/show.php", differs=TAIL),
    apache("apache sethandler with tail", "proxy:fcgi://localhost" + ROOT + "/show.php/tail",
           "/show.php/tail"),
    apache("apache sethandler with path info", "proxy:fcgi://localhost" + ROOT + "/show.php/tail",
           PATH_INFO="/tail", PATH_TRANSLATED=ROOT + "/tail"),
    apache("apache sethandler and unix prefix",
           "proxy:unix:/run/php/plain.sock|fcgi://localhost" + ROOT + "/show.php"),
    apache("apache proxypassmatch", "proxy:fcgi://127.0.0.1:9000" + ROOT + "/show.php", differs=TAIL),
    apache("apache proxypassmatch with query",
           "proxy:fcgi://127.0.0.1:9000" + ROOT + "/show.php?a=1&b=/x", QUERY_STRING="a=1&b=/x", differs=TAIL),
    apache("apache proxypassmatch encoded tail",
           "proxy:fcgi://127.0.0.1:9000" + ROOT + "/show.php/a b%20c/caf\u00e9",
           "/show.php/a b c/caf\u00e9"),
    apache("apache proxypassmatch encoded script",
           "proxy:fcgi://127.0.0.1:9000" + ROOT + "/with%20space.php", "/with space.php"),
    apache("apache percent in script", "proxy:fcgi://127.0.0.1:9000" + ROOT + "/100%.php", "/100%.php", differs=TAIL),
    apache("apache capital prefix", "PROXY:FCGI://localhost" + ROOT + "/show.php", differs=TAIL),
    apache("apache balancer", "proxy:balancer://cluster" + ROOT + "/show.php", differs=TAIL),
    apache("apache balancer with tail", "proxy:balancer://cluster" + ROOT + "/show.php/tail",
           "/show.php/tail"),
    apache("apache prefix without path", "proxy:fcgi://localhost"),
    apache("apache prefix and nothing", "proxy:fcgi://"),
    apache("apache other proxy prefix", "proxy:http://localhost" + ROOT + "/show.php"),
    apache("apache missing script", "proxy:fcgi://localhost" + ROOT + "/absent.php", "/absent.php"),
    apache("apache folder", "proxy:fcgi://localhost" + ROOT + "/folder/", "/folder/"),
    apache("apache extension", "proxy:fcgi://localhost" + ROOT + "/plain.txt", "/plain.txt"),
    apache("apache errordocument", "proxy:fcgi://localhost" + ROOT + "/show.php",
           REDIRECT_URL="/wanted", REDIRECT_STATUS="404", differs=TAIL),
    apache("apache rewritten", "proxy:fcgi://localhost" + ROOT + "/show.php/page/7",
           "/show.php/page/7", REDIRECT_URL="/page/7", PATH_INFO="/page/7"),
    apache("apache nofix", "proxy:fcgi://localhost" + ROOT + "/show.php", pool="nofix", differs=TAIL),
    apache("apache nofix with path info", "proxy:fcgi://localhost" + ROOT + "/show.php",
           pool="nofix", PATH_INFO="/tail", differs=TAIL),
    apache("apache action handler", ROOT + "/other.php", "/other.php",
           PATH_TRANSLATED=ROOT + "/show.php", REDIRECT_URL="/show.php", PATH_INFO="/show.php"),
    one("lighttpd", SERVER_SOFTWARE="lighttpd/1.4.69", FCGI_ROLE="RESPONDER",
        PATH_INFO="/tail", PATH_TRANSLATED=ROOT + "/tail", REDIRECT_URI="/show.php/tail"),
    one("lighttpd without path info", SERVER_SOFTWARE="lighttpd/1.4.69", PATH_INFO=""),
    one("lighttpd broken scriptfilename", SCRIPT_NAME="", PATH_INFO="/show.php/tail",
        SCRIPT_FILENAME=ROOT + "/show.php/tail", PATH_TRANSLATED=ROOT + "/show.php/tail"),
    one("iis", SERVER_SOFTWARE="Microsoft-IIS/10.0", PATH_INFO="/show.php",
        PATH_TRANSLATED=ROOT + "/show.php"),
    one("iis with tail", SERVER_SOFTWARE="Microsoft-IIS/10.0", PATH_INFO="/show.php/tail",
        PATH_TRANSLATED=ROOT + "/show.php/tail"),
    one("iis nofix", "nofix", SERVER_SOFTWARE="Microsoft-IIS/10.0", PATH_INFO="/show.php/tail",
        PATH_TRANSLATED=ROOT + "/show.php"),
    one("caddy", SERVER_SOFTWARE="Caddy/v2.6.2", PATH_INFO="/tail", PATH_TRANSLATED=ROOT + "/tail",
        REQUEST_URI="/show.php/tail"),
    one("chdir and relative script", "chdir", SCRIPT_FILENAME="page.php"),
]
