"""pylibmc, which is libmemcached, over the text protocol against the server on the port given."""

import sys

import pylibmc

client = pylibmc.Client([f"127.0.0.1:{sys.argv[1]}"], behaviors={"cas": True, "tcp_nodelay": True})

assert client.set("k", "value") and client.get("k") == "value"
assert client.get("none") is None
assert client.add("k", "other") is False and client.replace("k", "new") is True
assert client.set("s", b"b") and client.append("s", b"c") and client.prepend("s", b"a") and client.get("s") == b"abc"

value, token = client.gets("k")
assert client.cas("k", "swapped", token) is True
assert client.cas("k", "late", token) is False

many = {f"many-{n}": n * n for n in range(1000)}
assert client.set_multi(many) == []
assert client.get_multi(list(many)) == many
assert client.set("n", 41) and client.incr("n") == 42 and client.decr("n", 2) == 40
assert client.touch("n", 100) and not client.touch("none", 100)
assert client.delete("n") and not client.delete("n")

large = b"\xff" * 1_000_000
assert client.set("large", large) and client.get("large") == large
try:
    client.set("large", b"x" * (1 << 20))
    raise AssertionError("a value above the limit was stored")
except (pylibmc.TooBig, pylibmc.ServerError):
    pass
assert client.get("large") is None
assert client.get("k") == "swapped", "the connection is still in step"
stats = {str(key): value for key, value in client.get_stats()[0][1].items()}
assert any("version" in key for key in stats)
assert client.flush_all() and client.get("k") is None
print("pylibmc: set add replace append prepend cas multiget(1000) incr touch delete 1 MB stats flush")
