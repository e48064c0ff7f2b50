"""pylibmc (libmemcached) in its text protocol against the server on the port given as argument."""

import sys

import pylibmc

from checks import Checks

LARGEST = 1048514  # see pymemcache_client.py; libmemcached's flags for bytes are 0

client = pylibmc.Client([f"127.0.0.1:{sys.argv[1]}"], binary=False, behaviors={"cas": True, "tcp_nodelay": True})
check = Checks("pylibmc")

check.that("set", client.set("k", b"value"), True)
check.that("get", client.get("k"), b"value")
check.that("set of a number", (client.set("int", 42), client.get("int")), (True, 42))
check.that("set of an object", (client.set("object", {"a": [1, 2]}), client.get("object")), (True, {"a": [1, 2]}))
check.that("add over an item", client.add("k", b"other"), False)
check.that("replace", client.replace("k", b"new"), True)
check.that("replace of a missing key", client.replace("missing", b"new"), False)
check.that("append", client.append("k", b">"), True)
check.that("prepend", client.prepend("k", b"<"), True)
check.that("the joined value", client.get("k"), b"<new>")

items = {f"key_{number}": b"value %d" % number for number in range(1000)}
check.that("set_multi of 1,000 keys", client.set_multi(items), [])
check.that("get_multi of 1,000 keys", client.get_multi(list(items)), items)
check.that("delete_multi", client.delete_multi(["key_1", "key_2"]), True)
check.that("get_multi with misses", client.get_multi(["key_1", "key_3"]), {"key_3": b"value 3"})

value, unique = client.gets("k")
check.that("cas with the unique that was read", client.cas("k", b"swapped", unique), True)
check.that("cas with an old unique", client.cas("k", b"again", unique), False)
check.that("the swapped value", client.get("k"), b"swapped")

client.set("n", 10)
check.that("incr", client.incr("n", 5), 15)
check.that("decr", client.decr("n", 20), 0)
check.that("touch", client.touch("k", 100), True)
check.that("touch of a missing key", client.touch("missing", 100), False)
check.that("delete", client.delete("k"), True)
check.that("delete of a missing key", client.delete("k"), False)

large = b"y" * LARGEST
check.that("set of the largest value", client.set("big", large), True)
check.that("get of the largest value", client.get("big") == large, True)
try:
    client.set("big", large + b"x")
    check.that("set of a value too large", "no error", "pylibmc.TooBig")
except pylibmc.TooBig:
    check.that("set of a value too large", True, True)
check.that("the old value is gone then", client.get("big"), None)

client.set("short", b"lived", time=1)
check.eventually("expiry", lambda: client.get("short"), None)

quiet = pylibmc.Client([f"127.0.0.1:{sys.argv[1]}"], binary=False, behaviors={"no_block": True})
check.that("set without blocking", quiet.set("quiet", b"1"), True)
check.that("the value is read back", quiet.get("quiet"), b"1")

(_, stats), = client.get_stats()
check.that("stats", int(stats["curr_items"]) > 900, True)
check.that("flush_all", client.flush_all(), True)
check.end()
