"""meta-memcache, a client that speaks nothing but meta commands, against the server on the port given as argument."""

import sys

from meta_memcache import CacheClient, Key, SetMode
from meta_memcache.configuration import (
    LeasePolicy, RecachePolicy, ServerAddress, StalePolicy, connection_pool_factory_builder)
from meta_memcache.protocol import Miss, RequestFlags, Success, Value

from checks import Checks

port = int(sys.argv[1])


def connect():
    """A client with connections of its own."""
    return CacheClient.cache_client_from_servers(
        servers=[ServerAddress("127.0.0.1", port)],
        connection_pool_factory_fn=connection_pool_factory_builder(connection_timeout=20, recv_timeout=20))


client, other = connect(), connect()
check = Checks("meta-memcache")

check.that("set", client.set("k", "value", ttl=1000), True)
check.that("get", client.get("k"), "value")
check.that("get of a missing key", client.get("missing"), None)
check.that("get_typed", client.get_typed("k", str), "value")
check.that("set without a reply", client.set("quiet", 7, ttl=1000, no_reply=True), True)
check.that("a number", client.get("quiet"), 7)
check.that("an object", (client.set("o", {"a": [1, 2]}, ttl=1000), client.get("o")), (True, {"a": [1, 2]}))
check.that("bytes", (client.set("b", b"\x00\r\n\xff", ttl=1000), client.get("b")), (True, b"\x00\r\n\xff"))
check.that("add over an item", client.set("k", "other", ttl=1000, set_mode=SetMode.ADD), False)
check.that("refill", (client.refill("k", "x", ttl=1000), client.refill("fresh", "x", ttl=1000)), (False, True))
check.that("replace", client.set("k", "new", ttl=1000, set_mode=SetMode.REPLACE), True)
check.that("replace of a missing key", client.set("none", "new", ttl=1000, set_mode=SetMode.REPLACE), False)
check.that("append", client.set("k", ">", ttl=1000, set_mode=SetMode.APPEND), True)
check.that("prepend", client.set("k", "<", ttl=1000, set_mode=SetMode.PREPEND), True)
check.that("the joined value", client.get("k"), "<new>")
check.that("touch", (client.touch("k", ttl=500), client.touch("none", ttl=500)), (True, False))
check.that("get with a touch", client.get("k", touch_ttl=500), "<new>")

items = {f"key_{number}": f"value {number}" for number in range(1000)}
check.that("1,000 sets", [client.set(key, value, ttl=1000, no_reply=True) for key, value in items.items()],
           [True] * 1000)
found = client.multi_get([Key(key) for key in items] + [Key("missing")])
check.that("multi_get of 1,000 keys", {key.key: value for key, value in found.items()}, {**items, "missing": None})

value, token = client.get_cas("k")
check.that("set with the token that was read", client.set("k", "swapped", ttl=1000, cas_token=token), True)
check.that("set with an old token", client.set("k", "again", ttl=1000, cas_token=token), False)
token = client.set_cas("k", "told", ttl=1000)
check.that("the token of a write", client.get_cas("k"), ("told", token))
check.that("delete with an old token", client.delete("k", cas_token=token - 1), False)
check.that("delete with the token", client.delete("k", cas_token=token), True)
check.that("delete of a missing key", (client.delete("k"), client.invalidate("k")), (False, True))

check.that("delta of a missing counter", client.delta("n", 1), False)
check.that("a counter that creates itself", client.delta_initialize("n", 1, initial_value=10, initial_ttl=1000), True)
check.that("delta", client.delta("n", 5), True)
check.that("delta_and_get", client.delta_and_get("n", -3), 12)
check.that("delta_initialize_and_get",
           client.delta_initialize_and_get("m", 1, initial_value=5, initial_ttl=1000), 5)
check.that("a counter as a value", client.get("n"), "12")

stale = StalePolicy(mark_stale_on_deletion_ttl=30, mark_stale_on_cas_mismatch=True)
recache = RecachePolicy(ttl=30)
client.set("s", "old", ttl=1000)
_, token = client.get_cas("s")
check.that("delete that leaves a stale value", client.delete("s", stale_policy=stale), True)
check.that("the first reader renews", client.get("s", recache_policy=recache), None)
check.that("the others see the stale value", other.get("s", recache_policy=recache), "old")
check.that("a write with an older token is stale",
           client.set("s", "older", ttl=1000, cas_token=token, stale_policy=stale), True)
check.that("and is given out as such", other.get("s", recache_policy=recache), "older")
check.that("a fresh write", (client.set("s", "fresh", ttl=1000), other.get("s")), (True, "fresh"))

lease = LeasePolicy(ttl=30, miss_retries=1, miss_retry_wait=0.01, wait_backoff_factor=1, miss_max_retry_wait=0.01)
check.that("the first reader gets the lease", client.get_or_lease("l", lease_policy=lease), None)
check.that("the holder stores", client.set("l", "leased", ttl=1000), True)
check.that("then everybody reads", other.get_or_lease("l", lease_policy=lease), "leased")
client.set("r", "soon", ttl=20)
check.that("an item about to expire has one renewer", (client.get("r", recache_policy=recache),
                                                      other.get("r", recache_policy=recache)), (None, "soon"))

large = "v" * 900_000
check.that("a large value", (client.set("large", large, ttl=1000), client.get("large") == large), (True, True))
check.that("a key that is no text", (client.set("ключ", "value", ttl=1000), client.get("ключ")), (True, "value"))
check.that("a key with blanks", (client.set("a key", "value", ttl=1000), client.get("a key")), (True, "value"))

result = client.meta_get(Key("large"), flags=RequestFlags(
    return_value=False, return_ttl=True, return_size=True, return_client_flag=True, return_last_access=True,
    return_fetched=True, no_update_lru=True))
check.that("everything there is to know", (isinstance(result, Success), 900 < result.flags.ttl <= 1000,
                                          result.flags.fetched), (True, True, True))
check.that("a miss of meta_get", isinstance(client.meta_get(Key("missing")), Miss), True)
check.that("a value of meta_get",
           isinstance(client.meta_get(Key("l"), flags=RequestFlags(return_value=True)), Value), True)
check.end()
