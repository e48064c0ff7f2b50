"""Python clients that log in by themselves, against the server on the port given as argument."""

import asyncio
import sys

import bmemcached
import emcache

from checks import Checks

port = int(sys.argv[1])
RIGHT, WRONG = "se cret:x", "wrong"

check = Checks("bmemcached")


def bmemcached_login(user, password):
    client = bmemcached.Client((f"127.0.0.1:{port}",), user, password)
    try:
        return client.set("k", "value") and client.get("k")
    except Exception as error:
        return type(error).__name__
    finally:
        client.disconnect_all()


check.that("right password", bmemcached_login("app", RIGHT), "value")
# It has an exception for a wrong password, and a status that no server sends for it.
check.that("wrong password", bmemcached_login("app", WRONG), "MemcachedException")
check.that("unknown user", bmemcached_login("nobody", RIGHT), "MemcachedException")
check.that("no password", bmemcached_login(None, None) == "value", False)
failed = check.failed

check = Checks("emcache")


async def emcache_login(user, password):
    client = await emcache.create_client(
        [emcache.MemcachedHostAddress("127.0.0.1", port)], username=user, password=password, timeout=2.0,
        connection_timeout=2.0, min_connections=1, max_connections=1)
    try:
        await client.set(b"k", b"value")
        return (await client.get(b"k")).value
    except Exception as error:
        return type(error).__name__
    finally:
        await client.close()


check.that("right password", asyncio.run(emcache_login("app", RIGHT)), b"value")
check.that("wrong password", asyncio.run(emcache_login("app", WRONG)) != b"value", True)
check.that("no password", asyncio.run(emcache_login(None, None)) != b"value", True)
check.failed += failed
check.end()
