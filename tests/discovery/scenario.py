"""Nodes come, go and are lost while a client reads and writes; what the client may notice of it."""

import hashlib
import pathlib
import signal
import sys
import tempfile
import threading

from checks import Checks
from cluster import PATIENCE, Cluster, until

# Digests, as npm's memcache is fond of one node for keys that differ in their last letters only.
KEYS = [hashlib.sha256(b"%d" % number).hexdigest()[:16] for number in range(200)]


class Load:
    """Stores and reads all keys again and again, in a thread of its own. An adapter's `put` and `fetch` raise what a
    user of the client would take for an error. A miss is none. What the key had in an earlier round is a stray: it moved
    in between to another node or back to one, which happens only while the client changes over."""

    def __init__(self, adapter):
        self.adapter = adapter
        self.errors = []
        self.strays = []
        self.rounds = 0
        self.stopping = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping:
            for key in KEYS:
                value = f"{key} {self.rounds}"
                try:
                    self.adapter.put(key, value)
                    got = self.adapter.fetch(key)
                    if got is not None and got.split()[0] != key:
                        raise ValueError(f"got {got!r} for {value!r}")
                    if got not in (None, value):
                        self.strays.append((got, value))
                except Exception as error:
                    self.errors.append((key, f"{type(error).__name__}: {error}"))
            self.rounds += 1

    def rounds_pass(self, count=2):
        """Waits until every key was used a few times more."""
        goal = self.rounds + count + 1
        until("the load goes on", lambda: self.rounds >= goal or not self.thread.is_alive())

    def later_strays(self):
        """Those of some rounds that begin from now on."""
        self.rounds_pass(0)
        self.strays = []
        self.rounds_pass()
        return self.strays

    def take_errors(self):
        errors, self.errors = self.errors, []
        return errors

    def end(self):
        self.stopping = True
        self.thread.join(PATIENCE)


def run(name, make_adapter):
    """`make_adapter` is given the address of the first node, and gives the client."""
    check = Checks(name)
    with tempfile.TemporaryDirectory() as directory:
        cluster = Cluster(str(pathlib.Path(sys.argv[1]).resolve()), directory)
        try:
            follow(check, cluster, make_adapter)
        finally:
            cluster.end()
    check.end()


def follow(check, cluster, make_adapter):
    one, two, three = cluster.nodes
    cluster.list(one, two)
    adapter = make_adapter(*one.address)
    check.that("begins with the list", adapter.nodes(), {one.address, two.address})
    load = Load(adapter)
    load.rounds_pass()
    check.that("uses both nodes", bool(one.keys()) and bool(two.keys()), True)

    cluster.list(one, two, three)
    check.eventually("follows a node that joins", adapter.nodes, {one.address, two.address, three.address}, PATIENCE)
    load.rounds_pass()
    check.that("uses the new node", bool(three.keys()), True)
    check.that("has no error as a node joins", load.take_errors(), [])
    check.that("then reads what was stored last", load.later_strays(), [])

    cluster.list(one, two)
    check.eventually("follows a node that leaves", adapter.nodes, {one.address, two.address}, PATIENCE)
    load.rounds_pass(1)
    three.end()
    load.rounds_pass()
    check.that("has no error as a node leaves", load.take_errors(), [])
    check.that("reads what was stored last without it", load.later_strays(), [])

    # Where each key is now: what the nodes hold of former lists goes.
    for node in [one, two]:
        node.ask("flush_all", b"OK\r\n")
    load.rounds_pass()
    of_one, of_two = one.keys() - two.keys(), two.keys() - one.keys()
    check.that("has each key on one node", of_one | of_two, set(KEYS))
    two.end(signal.SIGKILL)
    # Some clients tell of an error, some go on with the nodes that are left.
    until("the loss is noticed", lambda: load.errors or one.keys() & of_two)
    cluster.list(one)
    check.eventually("follows the loss of a node", adapter.nodes, {one.address}, PATIENCE)
    load.rounds_pass(1)
    failed = {key for key, _ in load.take_errors()}
    check.that("has errors only with keys of the lost node", failed - of_two, set())
    load.rounds_pass()
    check.that("has no error once it has followed", load.take_errors(), [])
    check.that("reads what was stored last after the loss", load.later_strays(), [])

    two.start()
    cluster.list(one, two)
    check.eventually("follows a node that comes back", adapter.nodes, {one.address, two.address}, PATIENCE)
    load.rounds_pass()
    check.that("uses it again", bool(two.keys()), True)
    check.that("has no error as a node comes back", load.take_errors(), [])
    check.that("reads what was stored last when it is back", load.later_strays(), [])
    load.end()
    adapter.close()
