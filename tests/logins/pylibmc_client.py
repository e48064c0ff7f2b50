"""pylibmc (libmemcached and Cyrus, which take the strongest mechanism that is offered) against the server on the port given
as argument; the second one says which mechanism that is."""

import sys

import pylibmc

from checks import Checks

port, mechanism = sys.argv[1:3]
check = Checks(f"pylibmc by {mechanism}")


def log_in(**login):
    client = pylibmc.Client([f"127.0.0.1:{port}"], binary=True, **login)
    try:
        return client.set("k", b"value") and client.get("k")
    except pylibmc.Error as error:
        return type(error).__name__


check.that("right password", log_in(username="app", password="se cret:x"), b"value")
check.that("wrong password", log_in(username="app", password="wrong") == b"value", False)
check.that("unknown user", log_in(username="nobody", password="se cret:x") == b"value", False)
check.that("no password", log_in() == b"value", False)
check.end()
