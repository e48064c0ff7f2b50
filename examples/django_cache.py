#!/usr/bin/env python3
"""Django's cache and sessions over TLS with a login: the settings, the backend that logs in, and two pages to try them.

    larder-passwd users.toml add django --prefix django:     # what KEY_PREFIX puts before each key
    pip install django pymemcache
    LARDER_CA=ca.pem LARDER_USER=django LARDER_PASSWORD=secret ./django_cache.py runserver

In a project SETTINGS go into settings.py, and LarderCache into a module that BACKEND names. Without a login the stock
backend does, for TLS with the option `tls_context`. The environment is that of larder_client.py.

Django pickles what it stores: whoever can write to the cache can run code in the application. So log in, and give the
prefix to this user alone.

While the cache cannot be reached, what uses it is an error. The option `"ignore_exc": True` makes misses of that, and of
a refused login as well: pages go on, and everybody is logged out without a word.

Stale data: `cache_page` and `cache.set` give what they have until its time is over or somebody deletes it. Sessions of
`backends.cache` end early when the cache forgets; `backends.cached_db` writes them to the database as well.
"""

import os
import sys

from django.conf import settings
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.cache import cache_page
from pymemcache.client.hash import HashClient

from larder_client import login_client, server, tls


class LarderCache(PyMemcacheCache):
    """PyMemcacheCache with the options `user` and `password`."""

    def __init__(self, server, params):
        options = dict(params["OPTIONS"])
        clients = login_client(options.pop("user"), options.pop("password"))
        super().__init__(server, params | {"OPTIONS": options})
        self._class = type("LoginHashClient", (HashClient,), {"client_class": clients})

    def clear(self):
        """Deletes what begins with our prefix. The stock backend's `flush_all` would ask for an administrator."""
        for client in self._cache.clients.values():
            client.raw_command(f"larder delete_prefix {self.key_prefix}:")


SETTINGS = {
    "CACHES": {
        "default": {
            "BACKEND": "django_cache.LarderCache",
            "LOCATION": server() if isinstance(server(), str) else "%s:%d" % server(),
            "KEY_PREFIX": "django",
            "TIMEOUT": 300,
            "OPTIONS": {
                "user": os.environ.get("LARDER_USER"),
                "password": os.environ.get("LARDER_PASSWORD"),
                "tls_context": tls(),
                "use_pooling": True,
                "timeout": 5,
                "connect_timeout": 5,
            },
        }
    },
    "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
    "SESSION_COOKIE_AGE": 1800,
    "SESSION_COOKIE_SECURE": True,  # for HTTPS; browsers take it from http://localhost, too
    "SESSION_SAVE_EVERY_REQUEST": True,  # the half hour starts anew at each visit
    # What any project has:
    "SECRET_KEY": os.environ.get("DJANGO_SECRET_KEY", "only for trying this out"),
    "DEBUG": True,
    "ROOT_URLCONF": "django_cache",
    "MIDDLEWARE": ["django.contrib.sessions.middleware.SessionMiddleware"],
    "USE_TZ": True,
}


if not settings.configured:  # a project does this by its settings.py
    settings.configure(**SETTINGS)


@cache_page(60)
def front(request):
    return HttpResponse(f"made at {timezone.now().isoformat()}\n")


def visits(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(f"{request.session['visits']} visits\n")


urlpatterns = [path("", front), path("visits", visits)]


if __name__ == "__main__":
    execute_from_command_line(sys.argv)
