#!/usr/bin/env python3
"""A lock for many machines: taken by `add`, prolonged and released by `cas`, with a fence against late holders.

    pip install pymemcache
    LARDER_CA=ca.pem LARDER_USER=app LARDER_PASSWORD=secret ./locks.py

Login and TLS: larder_client.py.

A holder that dies lets go after the time to live. One that is only slow loses the lock as well and does not notice, so
it releases by `cas`, which does nothing to somebody else's lock, and shows its fence, a number that grows with each
holder, to whatever it changes: that refuses a number below the last one it has seen (`UPDATE ... WHERE fence <= %s`).

Stale data: a cache may forget. After a crash, or when memory is so short that the lock is evicted, two may hold it. So
it saves work that should not be done twice; where work must not be done twice, let the fence decide or take a lock of
the database. Times to live should be 2 seconds or more.
"""

import contextlib
import random
import time

from larder_client import AWAY, pool

PAUSE_SECS = 0.02


class Lock:
    """`with Lock(cache, "report", seconds=30) as lock:` does the work, with `lock.fence` at hand."""

    def __init__(self, cache, name, seconds, patience=10):
        self.cache, self.seconds, self.patience = cache, seconds, patience
        self.key, self.fences = f"lock:{name}", f"lock:{name}:fence"
        self.fence = None

    def acquire(self):
        """Tries once; True when the lock is ours."""
        if not self.cache.add(self.key, b"", expire=self.seconds):
            return False
        found, token = self.cache.gets(self.key)
        # Drawn before the `cas` that makes the lock ours, so the next holder, who comes after that, draws a higher one.
        fence = self.next_fence()
        if found != b"" or not self.cache.cas(self.key, str(fence), token, expire=self.seconds):
            return False  # it took longer than the time to live
        self.fence = fence
        return True

    def next_fence(self):
        """A number above all before. One that the cache has lost starts at the clock, so it still goes up."""
        while True:
            fence = self.cache.incr(self.fences, 1)
            if fence is None and self.cache.add(self.fences, str(time.time_ns())):
                continue
            if fence is not None:
                return fence

    def token(self):
        """The CAS token of our lock, None when it is ours no more."""
        found, token = self.cache.gets(self.key)
        return token if self.fence is not None and found == str(self.fence).encode() else None

    def prolong(self):
        """Another time to live; False when the lock is lost."""
        token = self.token()
        return token is not None and bool(self.cache.cas(self.key, str(self.fence), token, expire=self.seconds))

    def release(self):
        """False when it was somebody else's by then. A `cas` with a time that is over removes what it stores."""
        token = self.token()
        return token is not None and bool(self.cache.cas(self.key, b"", token, expire=-1))

    def __enter__(self):
        deadline = time.monotonic() + self.patience
        while not self.acquire():
            if time.monotonic() > deadline:
                raise TimeoutError(self.key)
            time.sleep(random.uniform(0, PAUSE_SECS))
        return self

    def __exit__(self, *_):
        with contextlib.suppress(*AWAY):  # the work is done all the same, and the lock goes when its time is over
            self.release()


def main():
    cache = pool()
    with Lock(cache, "report", seconds=30) as lock:
        print("held, a second one gets it:", Lock(cache, "report", seconds=30).acquire())
        print("prolonged:", lock.prolong())
    print("released, a second one gets it:", (second := Lock(cache, "report", seconds=30)).acquire())
    second.release()


if __name__ == "__main__":
    main()
