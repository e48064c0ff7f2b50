"""pymemcache over TLS."""

import ssl

from pymemcache.client.base import PooledClient

from stand import LARGEST, PORT, Checks, context, outcome

check = Checks("pymemcache")


def connect(made):
    return PooledClient(("127.0.0.1", PORT), timeout=20, connect_timeout=20, default_noreply=False, tls_context=made)


client = connect(context())
check.that("version", client.version().startswith(b"1.6."), True)
for size in [1, 1000, 16384, 100000, LARGEST]:
    value = b"x" * size
    check.that(f"set of {size} bytes", client.set("k", value), True)
    check.that(f"get of {size} bytes", client.get("k") == value, True)
items = {f"key_{number}": b"value %d" % number for number in range(1000)}
check.that("set_many of 1,000 keys", client.set_many(items), [])
check.that("get_many of 1,000 keys", client.get_many(list(items)), items)
client.set_many({f"quiet_{number}": b"x" for number in range(1000)}, noreply=True)
check.that("1,000 noreply sets are read back", len(client.get_many([f"quiet_{n}" for n in range(1000)])), 1000)
check.that("delete", client.delete("k"), True)
got = outcome(connect(context(trust="stranger-authority")).get, "k")
check.that("a client with another authority refuses the server", type(got), ssl.SSLCertVerificationError)
check.end()
