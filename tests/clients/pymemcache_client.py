"""pymemcache against the server on the port given as argument."""

import sys

from pymemcache import MemcacheClientError, MemcacheServerError
from pymemcache.client.base import Client
from pymemcache.client.base import PooledClient

from checks import Checks

# The largest value for a key of three bytes and no flags: 1 MiB less memcached's item header.
LARGEST = 1048514

port = int(sys.argv[1])
client = Client(("127.0.0.1", port), timeout=20, connect_timeout=20, default_noreply=False)
check = Checks("pymemcache")

check.that("version", client.version().startswith(b"1.6."), True)
check.that("set", client.set("k", b"value", flags=7), True)
check.that("get", client.get("k"), b"value")
check.that("get of a missing key", client.get("missing"), None)
check.that("add over an item", client.add("k", b"other"), False)
check.that("replace", client.replace("k", b"new"), True)
check.that("replace of a missing key", client.replace("missing", b"new"), False)
check.that("append", client.append("k", b">"), True)
check.that("prepend", client.prepend("k", b"<"), True)
check.that("the joined value", client.get("k"), b"<new>")

items = {f"key_{number}": b"value %d" % number for number in range(1000)}
check.that("set_many of 1,000 keys", client.set_many(items), [])
check.that("get_many of 1,000 keys", client.get_many(list(items)), items)
check.that("gets_many of 1,000 keys", {k: v for k, (v, _) in client.gets_many(list(items)).items()}, items)
check.that("get_many with misses", client.get_many(["key_1", "missing", "key_2"]),
           {"key_1": b"value 1", "key_2": b"value 2"})

value, unique = client.gets("k")
check.that("cas with the unique that was read", client.cas("k", b"swapped", unique), True)
check.that("cas with an old unique", client.cas("k", b"again", unique), False)
check.that("cas of a missing key", client.cas("missing", b"x", unique), None)
check.that("the swapped value", client.get("k"), b"swapped")

client.set("n", b"10")
check.that("incr", client.incr("n", 5), 15)
check.that("decr", client.decr("n", 20), 0)
check.that("incr of a missing key", client.incr("missing", 1), None)
try:
    client.incr("k", 1)
    check.that("incr of a word", "no error", "MemcacheClientError")
except MemcacheClientError as error:
    check.that("incr of a word", "non-numeric" in str(error), True)

check.that("touch", client.touch("k", expire=100), True)
check.that("touch of a missing key", client.touch("missing", expire=100), False)
check.that("delete", client.delete("k"), True)
check.that("delete of a missing key", client.delete("k"), False)

large = bytes(range(256)) * (LARGEST // 256) + b"x" * (LARGEST % 256)
check.that("set of the largest value", client.set("big", large), True)
check.that("get of the largest value", client.get("big") == large, True)
try:
    client.set("big", large + b"x")
    check.that("set of a value too large", "no error", "MemcacheServerError")
except MemcacheServerError as error:
    check.that("set of a value too large", str(error), "b'object too large for cache'")
check.that("the old value is gone then", client.get("big"), None)
check.that("the connection is in step then", client.set("k", b"v"), True)

client.set("short", b"lived", expire=1)
check.eventually("expiry", lambda: client.get("short"), None)
check.that("a negative expiry stores nothing", (client.set("gone", b"x", expire=-1), client.get("gone")), (True, None))

check.that("set with noreply", client.set("quiet", b"1", noreply=True), True)
check.that("incr with noreply", client.incr("quiet", 1, noreply=True), None)
check.that("touch with noreply", client.touch("quiet", 100, noreply=True), True)
check.that("append with noreply", client.append("quiet", b"0", noreply=True), True)
check.that("what noreply commands left", client.get("quiet"), b"20")
check.that("delete with noreply", client.delete("quiet", noreply=True), True)
check.that("the item is gone", client.get("quiet"), None)
client.set_many({f"quiet_{number}": b"x" for number in range(1000)}, noreply=True)
check.that("1,000 noreply sets are read back", len(client.get_many([f"quiet_{n}" for n in range(1000)])), 1000)

stats = client.stats()
check.that("stats", stats[b"curr_items"] > 2000 and stats[b"threads"] >= 1, True)
check.that("stats settings", client.stats("settings")[b"maxbytes"], 256 << 20)
check.that("flush_all", client.flush_all(), True)
check.that("quit", client.quit(), None)

pool = PooledClient(("127.0.0.1", port), max_pool_size=4, timeout=20)
check.that("a pooled client", (pool.set("p", b"1", noreply=False), pool.get("p")), (True, b"1"))
check.end()
