#!/usr/bin/env python3
"""Rate limits: so many requests in so many seconds, counted from the first one. With `incr` and `add`, and with `ma`.

    pip install pymemcache
    LARDER_CA=ca.pem LARDER_USER=app LARDER_PASSWORD=secret ./rate_limit.py

Login and TLS: larder_client.py, meta_client.py.

Both count exactly, however many ask at once. `ma` does it in one request and tells when the window ends. Windows should
have 2 seconds or more: time goes in whole seconds, so one of 1 second may be over at once.

Stale data: none, but two windows that follow each other may let twice the limit through within one window's length, and
where the counter is lost (memory short, a crash) a new window begins. It protects a service from load. Where it guards
a password, count in a database, or give the cache `-M`. While the server cannot be reached both are an error: what to do
with a request then is the application's to say.
"""


def allowed(cache, who, limit, seconds):
    """Whether one more request may go on; for any client that has `incr` and `add`."""
    key = f"rate:{who}"
    while True:
        count = cache.incr(key, 1)
        if count is None and cache.add(key, "1", expire=seconds):
            count = 1
        if count is not None:  # else somebody was faster with the `add`: there is a number now
            return count <= limit


def allowed_by_meta(meta, who, limit, seconds):
    """The same, and the seconds until the window ends: `N` and `J` create the number 1, later calls add 1."""
    if not who.isprintable() or " " in who:
        raise ValueError("a key has no blanks; what stands behind one would be taken for flags")
    _, flags, count = meta.ask(f"ma rate:{who} N{seconds} J1 D1 v t")
    return int(count) <= limit, int(flags["t"])


def main():
    from larder_client import pool
    from meta_client import Meta

    cache, meta = pool(), Meta()
    for _ in range(4):
        print("incr and add:", allowed(cache, "10.0.0.7", limit=3, seconds=10))
    for _ in range(4):
        print("ma:", *allowed_by_meta(meta, "10.0.0.8", limit=3, seconds=10))


if __name__ == "__main__":
    main()
