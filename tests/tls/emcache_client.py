"""emcache over TLS, which knows no client certificates; with TLS_LOGIN it logs in (`set` in text)."""

import asyncio
import logging
import os

import emcache
from emcache.client_errors import AuthenticationError, CommandError

from logins import PASSWORD, USER
from stand import CERTIFICATES, PORT, Checks

logging.disable(logging.CRITICAL)  # its own log of refused logins
check = Checks("emcache")


async def round_trip(**choices):
    """Sets and reads values; gives how many were right, or the exception."""
    choices = {"ssl": True, "ssl_extra_ca": str(CERTIFICATES / "authority.pem"), "timeout": 30.0} | choices
    try:
        client = await emcache.create_client([emcache.MemcachedHostAddress("localhost", PORT)], **choices)
        try:
            for length in [1, 1000, 100000]:
                await client.set(b"emcache", b"x" * length)
                assert (await client.get(b"emcache")).value == b"x" * length
            items = {b"emcache-%d" % number: b"%d" % number for number in range(1000)}
            await asyncio.gather(*(client.set(key, value) for key, value in items.items()))
            found = await client.get_many(list(items))
            return sum(found[key].value == value for key, value in items.items())
        finally:
            await client.close()
    except Exception as error:  # any is an outcome
        return error


async def main():
    async def refused(name, error, **choices):
        got = await round_trip(**choices)
        check.that(f"{name} is refused", error if isinstance(got, error) else got, error)

    if os.environ.get("TLS_LOGIN"):
        check.that("right password", await round_trip(username=USER, password=PASSWORD), 1000)
        await refused("wrong password", AuthenticationError, username=USER, password=f"{PASSWORD}x")
        await refused("no password", CommandError)
    else:
        check.that("1,000 values", await round_trip(), 1000)
    # It makes connections until its time is over.
    stranger = {"ssl_extra_ca": str(CERTIFICATES / "stranger-authority.pem"), "timeout": 5.0}
    await refused("a server of another authority", Exception, **stranger)


asyncio.run(main())
check.end()
