"""examples/locks.py: one holder at a time, and late holders can do no harm."""

from larder_client import pool
from locks import Lock
from recipes import Checks, outcome, run_example, seconds_left, together

check = Checks("locks")
lines = ["held, a second one gets it: False", "prolonged: True", "released, a second one gets it: True"]
check.that("runs", run_example("locks.py"), (0, lines))

THREADS, EACH = 8, 6
cache = pool()
cache.set("lock-test:counter", "0")
fences, inside, most = [], [], []


def count(_):
    """Adds to a counter as only somebody alone may: reads it, and writes it in another request."""
    for _ in range(EACH):
        with Lock(cache, "counter", seconds=60, patience=60) as lock:
            inside.append(lock)
            most.append(len(inside))
            fences.append(lock.fence)
            cache.set("lock-test:counter", str(int(cache.get("lock-test:counter")) + 1))
            inside.remove(lock)


check.that("threads at once", together(THREADS, count), [None] * THREADS)
check.that("have counted one after another", cache.get("lock-test:counter"), b"%d" % (THREADS * EACH))
check.that("with one inside at any time", max(most), 1)
check.that("and fences that grow", fences == sorted(set(fences)), True)

late, other = Lock(cache, "late", seconds=60), Lock(cache, "late", seconds=60)
check.that("a lock is taken", late.acquire(), True)
check.that("once", other.acquire(), False)
cache.touch("lock:late", 10)
check.that("it is prolonged", (late.prolong(), seconds_left("lock:late") > 30), (True, True))
cache.touch("lock:late", -1)
check.that("when its time is over", other.acquire(), True)
check.that("the late holder cannot prolong it", late.prolong(), False)
check.that("nor release it", (late.release(), Lock(cache, "late", seconds=60).acquire()), (False, False))
check.that("and its fence is lower", late.fence < other.fence, True)
cache.delete("lock:late:fence")
check.that("released", (other.release(), late.acquire()), (True, True))
check.that("fences go up even after one was lost", late.fence > other.fence, True)


class Slow(Lock):
    """Its lock expires and is another's by the time that it goes on, before or after it has looked at it."""

    def __init__(self, other, step):
        super().__init__(cache, "slow", seconds=60)
        self.other, self.step = other, step
        self.cache = self

    def __getattr__(self, name):
        if name == self.step:
            cache.touch(self.key, -1)
            assert self.other.acquire()
        return getattr(cache, name)


for title, step in {"before it looks": "gets", "before it is its own": "cas"}.items():
    other = Lock(cache, "slow", seconds=60)
    check.that(f"a lock that expires {title} is not taken", Slow(other, step).acquire(), False)
    check.that("and stays the other's", (other.prolong(), other.release()), (True, True))


def fails():
    with Lock(cache, "failing", seconds=60):
        raise KeyError("work")


check.that("an error in the work", type(outcome(fails)), KeyError)
check.that("releases the lock", Lock(cache, "failing", seconds=60).acquire(), True)


def loses_the_server():
    away = pool()
    with Lock(away, "away", seconds=60):
        away.server = "/nowhere/socket"
        away.client_pool.clear()
    return "done"


check.that("work that is done is no error without the server", outcome(loses_the_server), "done")
impatient = outcome(Lock(cache, "failing", seconds=60, patience=0).__enter__)
check.that("who cannot wait is told", type(impatient), TimeoutError)
check.end()
