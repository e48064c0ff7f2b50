"""examples/stampede.py: one loads, others wait or have the old value, and what was deleted does not come back."""

import socket
import threading

import stampede
from recipes import WAIT_SECS, Checks, OwnMeta, outcome, run_example, seconds_left, together
from stampede import GRACE_SECS, LEASE_SECS, RENEW_SECS, TTL_SECS, Leases

check = Checks("leases")
lines = ["loaded: made just now", "kept: made just now", "renewed: made anew"]
check.that("runs", run_example("stampede.py"), (0, lines))

THREADS = 12
meta = OwnMeta()
leases = Leases(meta)
asked = threading.Condition()


class Loader:
    """Counts its calls; each waits until `others` threads have asked the cache without getting the lease."""

    def __init__(self, value, others=0):
        self.value, self.others, self.calls = value, others, 0

    def __call__(self):
        self.calls += 1
        with asked:
            assert asked.wait_for(lambda: Watching.waiting >= self.others, WAIT_SECS), "the others did not come"
        return self.value


class Watching:
    """A thread's connection that notes who was answered without a lease."""

    waiting = 0

    def __init__(self):
        self.told = False

    def ask(self, line, value=None):
        reply = meta().ask(line, value)
        if line.startswith("mg") and "W" not in reply[1] and not self.told:
            self.told = True
            with asked:
                Watching.waiting += 1
                asked.notify_all()
        return reply


def all_ask(key, load):
    """What each of the threads got."""
    Watching.waiting = 0
    own = threading.local()

    def connection():
        own.watching = getattr(own, "watching", None) or Watching()
        return own.watching

    return together(THREADS, lambda _: Leases(connection).get(key, load))


load = Loader("new", others=THREADS - 1)
check.that("all miss at once", all_ask("page:one", load), ["new"] * THREADS)
check.that("one loads", load.calls, 1)
check.that("for a time to live", seconds_left("page:one") > TTL_SECS - WAIT_SECS, True)

meta().ask(f"mg page:one T{RENEW_SECS - 5}")
load = Loader("newer", others=THREADS - 1)  # ends only when all others have been answered
check.that("shortly before its end", sorted(all_ask("page:one", load)), ["new"] * (THREADS - 1) + ["newer"])
check.that("one renews it while others have the old value", load.calls, 1)
check.that("and then it lives as long as a new one", seconds_left("page:one") > TTL_SECS - WAIT_SECS, True)

leases.outdate("page:one")
check.that("what is outdated is kept for a while", seconds_left("page:one") <= GRACE_SECS, True)
load = Loader("newest", others=THREADS - 1)
check.that("and given meanwhile", sorted(all_ask("page:one", load)), ["newer"] * (THREADS - 1) + ["newest"])
check.that("one renews it", (load.calls, leases.get("page:one", load)), (1, "newest"))


def loses(forget):
    """Loads an old row while somebody changes it."""
    return lambda: (forget("page:two"), "old")[1]


for title, forget in {"deleted": leases.forget, "outdated": leases.outdate}.items():
    leases.get("page:two", lambda: "old")
    leases.outdate("page:two")
    check.that(f"{title} while it is loaded", leases.get("page:two", loses(forget)), "old")
    check.that("is loaded again", leases.get("page:two", lambda: "new"), "new")
    check.that("and kept", leases.get("page:two", lambda: "never called"), "new")
leases.forget("page:two")
check.that("a miss that is deleted while it is loaded", leases.get("page:two", loses(leases.forget)), "old")
check.that("is loaded again", leases.get("page:two", lambda: "new"), "new")


def fails():
    raise KeyError("database")


check.that("a loader that fails", type(outcome(leases.get, "page:three", fails)), KeyError)
left = seconds_left("page:three")
check.that("keeps others waiting for the lease at most", left is not None and left <= LEASE_SECS, True)
meta().ask("mg page:three T-1")
check.that("then the next one loads", leases.get("page:three", lambda: "loaded"), "loaded")
meta().ask("mg page:four N1000")  # a winner that neither stores nor lets go
stampede.LEASE_SECS = 1
check.that("nobody waits for ever", leases.get("page:four", lambda: "own"), "own")
check.that("and who has waited stores nothing", meta().ask("mg page:four v")[2], b"")

meta().connection.shutdown(socket.SHUT_RDWR)  # as a server that is restarted does
check.that("a connection that has ended is a miss", leases.get("page:one", lambda: "loaded"), "loaded")
check.that("and made again", leases.get("page:one", lambda: "loaded"), "newest")


def cut():
    meta().connection.shutdown(socket.SHUT_RDWR)
    return "loaded"


check.that("a server that goes while one loads", leases.get("page:five", cut), "loaded")
check.that("a line holds one command", type(outcome(leases.forget, "page:one\r\nflush_all")), ValueError)
check.end()
