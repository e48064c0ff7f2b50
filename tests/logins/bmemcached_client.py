"""python-binary-memcached (PLAIN) against the server on the port given as argument."""

import sys

import bmemcached
from bmemcached.exceptions import MemcachedException

from logins import PASSWORD, USER, Checks, outcome

check = Checks("bmemcached")


def round_trip(*login):
    """Sets and reads a value with one login."""
    client = bmemcached.Client((f"127.0.0.1:{sys.argv[1]}",), *login)
    client.set("bmemcached", "value", time=60)
    return client.get("bmemcached")


check.that("right password", outcome(round_trip, USER, PASSWORD), "value")
# It has an InvalidCredentials, but for status 8, which no memcached sends.
for name, login in [
    ("wrong password", (USER, f"{PASSWORD}x")),
    ("unknown user", (f"{USER}x", PASSWORD)),
    ("no password", ()),
]:
    got = outcome(round_trip, *login)
    check.that(f"{name} is refused", (type(got), getattr(got, "code", got)), (MemcachedException, 0x20))
check.end()
