"""pylibmc (libmemcached and Cyrus SASL) against the server on a port: `pylibmc_client.py MECHANISMS PORT`.

The first word is only for the names of the checks.
"""

import sys

import pylibmc

from logins import PASSWORD, USER, Checks, outcome

mechanisms, port = sys.argv[1:]
check = Checks(f"pylibmc, {mechanisms}:")


def round_trip(**login):
    """Sets and reads a value with one login."""
    client = pylibmc.Client([f"127.0.0.1:{port}"], binary=True, **login)
    client.set("pylibmc", b"value", time=60)
    return client.get("pylibmc")


def refused(name, error, **login):
    """The login fails, with the client's own error."""
    got = outcome(round_trip, **login)
    check.that(f"{name} is refused", error if isinstance(got, error) else got, error)


check.that("right password", outcome(round_trip, username=USER, password=PASSWORD), b"value")
refused("wrong password", pylibmc.Error, username=USER, password=f"{PASSWORD}x")
refused("unknown user", pylibmc.Error, username=f"{USER}x", password=PASSWORD)
refused("no password", pylibmc.Error)
check.end()
