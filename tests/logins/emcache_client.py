"""emcache (login by `set` in text) against the server on the port given as argument."""

import asyncio
import logging
import sys

import emcache
from emcache.client_errors import AuthenticationError, CommandError

from logins import PASSWORD, USER, Checks

logging.disable(logging.CRITICAL)  # its own log of refused logins
check = Checks("emcache")


async def round_trip(**login):
    """Sets and reads a value with one login; gives the value or the exception."""
    try:
        client = await emcache.create_client(
            [emcache.MemcachedHostAddress("127.0.0.1", int(sys.argv[1]))], timeout=5.0, **login
        )
        try:
            await client.set(b"emcache", b"value", exptime=60)
            return (await client.get(b"emcache")).value
        finally:
            await client.close()
    except Exception as error:  # any is an outcome
        return error


async def main():
    # A login that fails is its AuthenticationError; without one, the server's line is an answer that it does not know.
    check.that("right password", await round_trip(username=USER, password=PASSWORD), b"value")
    for name, login, error in [
        ("wrong password", {"username": USER, "password": f"{PASSWORD}x"}, AuthenticationError),
        ("unknown user", {"username": f"{USER}x", "password": PASSWORD}, AuthenticationError),
        ("no password", {}, CommandError),
    ]:
        got = await round_trip(**login)
        check.that(f"{name} is refused", error if isinstance(got, error) else got, error)


asyncio.run(main())
check.end()
