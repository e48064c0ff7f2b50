"""pymemcache: every command of its classic client against the server on the port given."""

import sys
import time

from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheServerError

client = Client(("127.0.0.1", int(sys.argv[1])), timeout=10, default_noreply=False)


def until(condition, seconds=5):
    """Waits for something that the server's clock decides."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


assert client.version().startswith(b"1.6.")
assert client.set("k", b"value") and client.get("k") == b"value"
assert client.get("none") is None and client.get("none", default=7) == 7
assert client.add("k", b"other") is False and client.replace("k", b"new") is True
assert client.append("k", b">") and client.prepend("k", b"<") and client.get("k") == b"<new>"

value, token = client.gets("k")
assert client.cas("k", b"swapped", token) is True
assert client.cas("k", b"late", token) is False
assert client.cas("none", b"late", token) is None

many = {f"many-{n}": f"value {n}".encode() * (n % 50) for n in range(1000)}
assert client.set_many(many) == []
assert client.get_many(list(many)) == many
assert len(client.gets_many(list(many))) == 1000

assert client.set("n", b"41") and client.incr("n", 1) == 42 and client.decr("n", 50) == 0
assert client.incr("none", 1) is None
assert client.touch("k", 100) is True and client.touch("none", 100) is False
assert client.delete("k") is True and client.delete("k") is False

large = bytes(range(256)) * 4000  # 1,024,000 bytes: below the default limit of 1 MiB with its header
assert client.set("large", large) and client.get("large") == large
try:
    client.set("large", b"x" * (1 << 20))
    raise AssertionError("a value above the limit was stored")
except MemcacheServerError as error:
    assert "object too large for cache" in str(error)
assert client.get("large") is None, "what could not be replaced must be gone"

assert client.set("brief", b"x", expire=1)
until(lambda: client.get("brief") is None)
assert client.set("past", b"x", expire=-1) and client.get("past") is None

quiet = Client(("127.0.0.1", int(sys.argv[1])), timeout=10, default_noreply=True)
for n in range(1000):
    quiet.set(f"quiet-{n}", b"x")
assert len(quiet.get_many([f"quiet-{n}" for n in range(1000)])) == 1000
assert client.stats()[b"curr_items"] > 1000
assert client.flush_all() and client.get("quiet-1") is None
print("pymemcache: set add replace append prepend cas get gets multiget(1000) incr touch delete 1 MB expiry noreply")
