#!/usr/bin/env python3
"""Flask-Caching with a login: by pymemcache over TLS or a Unix socket, or by pylibmc, which knows SASL but no TLS.

    larder-passwd users.toml add flask --prefix flask:
    pip install flask flask-caching pymemcache
    LARDER_CA=ca.pem LARDER_USER=flask LARDER_PASSWORD=secret flask --app flask_cache run

    apt-get install libmemcached-dev libsasl2-dev libsasl2-modules zlib1g-dev
    pip install --no-binary pylibmc pylibmc                   # its wheel has no SASL
    CACHE_CLIENT=pylibmc LARDER_HOST=127.0.0.1 LARDER_USER=flask LARDER_PASSWORD=secret flask --app flask_cache run

pylibmc is for the server's own machine, at a listener without TLS (`-l 10.0.0.5,notls:127.0.0.1`), or for a tunnel on
yours (stunnel.conf). Over a Unix socket libmemcached, which is behind it, cannot log in.

What is stored is pickled: whoever can write to the cache can run code in the application, so log in, and give the
prefix to this user alone. `cache.clear()` is `flush_all` and wants an administrator; `clear` below deletes the prefix.

While the cache cannot be reached, or refuses the login, Flask-Caching makes pages anew, and the log says so.

Stale data: a page or a result is given until its time is over or somebody deletes it.
"""

import os
import time

from cachelib import MemcachedCache
from flask import Flask
from flask_caching import Cache
from flask_caching.backends.base import BaseCache
from pymemcache import serde

from larder_client import pool, server

PREFIX = "flask:"


class LarderCache(BaseCache, MemcachedCache):
    """cachelib's backend on a client of our own. Give `flask_cache.LarderCache` as CACHE_TYPE."""

    @classmethod
    def factory(cls, app, config, args, kwargs):
        return cls(servers=pool(serde=serde.pickle_serde), key_prefix=config["CACHE_KEY_PREFIX"])

    def __init__(self, **options):
        MemcachedCache.__init__(self, **options)

    def clear(self):
        self._client.raw_command(f"larder delete_prefix {self.key_prefix}")
        return True


BY_PYMEMCACHE = {"CACHE_TYPE": "flask_cache.LarderCache", "CACHE_KEY_PREFIX": PREFIX, "CACHE_DEFAULT_TIMEOUT": 300}
BY_PYLIBMC = {
    "CACHE_TYPE": "SASLMemcachedCache",
    "CACHE_MEMCACHED_SERVERS": ["%s:%d" % server()] if isinstance(server(), tuple) else [],
    "CACHE_MEMCACHED_USERNAME": os.environ.get("LARDER_USER"),
    "CACHE_MEMCACHED_PASSWORD": os.environ.get("LARDER_PASSWORD"),
    "CACHE_KEY_PREFIX": PREFIX,
    "CACHE_DEFAULT_TIMEOUT": 300,
}

app = Flask(__name__)
cache = Cache(app, config=BY_PYLIBMC if os.environ.get("CACHE_CLIENT") == "pylibmc" else BY_PYMEMCACHE)


@app.get("/")
@cache.cached(timeout=60)
def front():
    return f"made at {time.time_ns()}\n"


@app.get("/square/<int:number>")
def square(number):
    return f"{slow_square(number)}\n"


@cache.memoize(timeout=60)
def slow_square(number):
    return number, number * number, time.time_ns()
