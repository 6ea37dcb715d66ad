"""The applications of tests/apps in a guest: Notes, once with Laravel and once with Symfony, both
from Debian's packages."""

import shutil

from guest import REPOSITORY

EXTENSIONS = ("intl", "mbstring", "sqlite3", "pdo_sqlite")

# What they write to, below the folder of the application.
WRITABLE = {
    "laravel": ("bootstrap/cache", "storage/app", "storage/logs", "storage/framework/cache",
                "storage/framework/sessions", "storage/framework/views"),
    "symfony": ("var/sessions",),
}

SERVER = """
server {
    listen 127.0.0.1:%d;
    server_name www.example;
    root %s/public;
    location / {
        try_files $uri /index.php;
    }
    location ~ ^/index\\.php$ {
        fastcgi_pass unix:%s;
    }
}
"""


def install(guest, name, user="www-data", folder=None):
    """Copies one into a guest that has not booted yet; returns its folder. The first request to
    /install makes its database."""
    folder = folder or f"/srv/{name}"
    shutil.copytree(REPOSITORY / "tests" / "apps" / name, guest.path(folder), dirs_exist_ok=True)
    for path in WRITABLE[name]:
        guest.path(f"{folder}/{path}").mkdir(parents=True)
    guest.chroot("chown", "-R", f"{user}:{user}", folder)
    guest.enable_extensions(*EXTENSIONS)
    return folder


def server(port, folder, socket):
    """A server of nginx for one."""
    return SERVER % (port, folder, socket)
