#!/usr/bin/env python3
"""Stampede protection by leases: of all who miss, one loads; what is about to expire is renewed by one while it lasts.

    pip install pymemcache
    LARDER_CA=ca.pem LARDER_USER=app LARDER_PASSWORD=secret ./stampede.py

Login and TLS: meta_client.py. Clients without meta commands can put `add` of a second key in the lease's place
(locks.py), at the price of another request.

`mg key v c N10 R30` asks for a value (v) and its CAS number (c), and for a lease:

    a miss                 an empty item that lives 10 seconds, and W for the first who asks: it loads. Others get Z
    less than 30 s left    the value; W for the first: it renews. Others go on with the value
    made stale (`md I`)    the old value with X; W for the first: it renews. Others get Z and may use the old value

The winner stores with `ms ... C<number>`. When somebody has deleted the key or made it stale meanwhile the number has
changed, nothing is stored, and the next reader gets a lease: an old row does not come back after a delete, which plain
lazy loading (lazy_loading.py) cannot promise.

Stale data: with `forget`, none beyond a load that began before it. With `outdate`, the old value for as long as the
renewal takes, GRACE_SECS at most. A winner that fails on a miss costs the others LEASE_SECS of waiting. While the cache
cannot be reached everybody loads; a change that cannot be told to it then (`forget`, `outdate`) is an error, and what it
has is served until its time is over.
"""

import contextlib
import json
import time

TTL_SECS = 300
RENEW_SECS = 30
LEASE_SECS = 10
GRACE_SECS = 30
PAUSE_SECS = 0.02


class Leases:
    """`connection` gives the calling thread's Meta. Loaders give what JSON can hold; an empty item is a lease."""

    def __init__(self, connection):
        self.connection = connection

    def get(self, key, load):
        """The value of the key, by `load()` if it has to be."""
        deadline = time.monotonic() + LEASE_SECS
        while True:
            try:
                _, flags, found = self.connection().ask(f"mg {key} v c N{LEASE_SECS} R{RENEW_SECS}")
            except OSError:
                return load()
            if "W" in flags:
                value = load()
                document = json.dumps(value).encode()
                with contextlib.suppress(OSError):
                    self.connection().ask(f"ms {key} {len(document)} T{TTL_SECS} C{flags['c']}", document)
                return value
            if found:
                return json.loads(found)
            if time.monotonic() > deadline:
                return load()  # the winner is in trouble; nobody waits for ever
            time.sleep(PAUSE_SECS)

    def forget(self, key):
        """After a change that everybody has to see: the next reader loads, others wait for it."""
        self.connection().ask(f"md {key}")

    def outdate(self, key):
        """After a change that may take its time: the next reader loads, others have the old value meanwhile."""
        self.connection().ask(f"md {key} I T{GRACE_SECS}")


def main():
    from meta_client import Meta

    meta = Meta()
    leases = Leases(lambda: meta)
    leases.forget("page:front")
    print("loaded:", leases.get("page:front", lambda: "made just now"))
    print("kept:", leases.get("page:front", lambda: "never called"))
    leases.outdate("page:front")
    print("renewed:", leases.get("page:front", lambda: "made anew"))


if __name__ == "__main__":
    main()
