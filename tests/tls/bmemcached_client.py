"""python-binary-memcached over TLS: the binary protocol; with TLS_LOGIN it logs in (PLAIN)."""

import os

import bmemcached
from bmemcached.exceptions import MemcachedException

from logins import PASSWORD, USER
from stand import PORT, Checks, context, outcome

check = Checks("bmemcached")
right = (USER, PASSWORD) if os.environ.get("TLS_LOGIN") else ()


def round_trip(*login):
    """Sets and reads values with one login; gives how many were right."""
    client = bmemcached.Client((f"localhost:{PORT}",), *login, tls_context=context(), socket_timeout=20)
    items = {f"bmemcached-{number}": "x" * number * 10 for number in range(1000)}
    client.set_multi(items)
    found = client.get_multi(list(items))
    large = "y" * 1000000
    client.set("bmemcached", large, compress_level=0)
    return sum(found[key] == value for key, value in items.items()) + (client.get("bmemcached") == large)


def one_read(*login):
    """Reads one value. Of more requests the later ones may meet a connection that is closed, before the refusal of the
    first is read."""
    client = bmemcached.Client((f"localhost:{PORT}",), *login, tls_context=context(), socket_timeout=20)
    return client.get("bmemcached")


check.that("1,001 values", outcome(round_trip, *right), 1001)
if right:
    for name, login in [("wrong password", (USER, f"{PASSWORD}x")), ("no password", ())]:
        got = outcome(one_read, *login)
        check.that(f"{name} is refused", (type(got), getattr(got, "code", got)), (MemcachedException, 0x20))
check.end()
