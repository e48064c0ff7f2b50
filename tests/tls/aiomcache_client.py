"""aiomcache over TLS: twenty connections at once."""

import asyncio

import aiomcache

from stand import LARGEST, PORT, Checks, context

check = Checks("aiomcache")


async def main():
    client = aiomcache.Client("127.0.0.1", PORT, pool_size=20, conn_args={"ssl": context()})
    for size in [1, 1000, 16384, 100000, LARGEST]:
        value = b"x" * size
        check.that(f"set of {size} bytes", await client.set(b"k", value), True)
        check.that(f"get of {size} bytes", await client.get(b"k") == value, True)

    async def round_trips(number):
        key, right = b"task-%d" % number, 0
        for turn in range(100):
            value = b"%d" % turn * number
            await client.set(key, value)
            right += await client.get(key) == value
        return right

    check.that("20 tasks of 100 round trips", await asyncio.gather(*map(round_trips, range(1, 21))), [100] * 20)
    keys = [b"task-%d" % number for number in range(1, 21)]
    check.that("multi_get", await client.multi_get(*keys), tuple(b"99" * number for number in range(1, 21)))
    await client.close()


asyncio.run(main())
check.end()
