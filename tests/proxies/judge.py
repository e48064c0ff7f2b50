"""Does the load of losses.py notice wrong values? Some are planted in a node behind its back, one kind at a time."""

from checks import Checks  # of tests/clients
from load import Load, key_of, value_of
from nodes import Node, await_that

KEYS = 200


def main():
    check = Checks("judge")
    node = Node()
    last = value_of(7, 1)
    damaged = last[:30] + bytes([last[30] ^ 1]) + last[31:]
    planted = {
        "another key's value": (value_of(8, 1), "foreign"),
        "a damaged value": (damaged, "foreign"),
        "a version that nobody stored": (value_of(7, 1_000_000), "foreign"),
        "the version before": (value_of(7, 0), "stale"),
    }
    for name, (value, kind) in planted.items():
        load = Load(node.port, KEYS, tick=1000)
        load.fill()
        owner = next(client for client in load.clients if 7 in client.numbers)
        node.store(key_of(7), value)
        owner.read(load.ticks[0], [7])
        found = {"foreign": len(load.foreign), "stale": len(load.stale)}
        check.that(f"finds {name}", found, {"foreign": 0, "stale": 0, kind: 1})

    load = Load(node.port, KEYS, tick=1000)
    load.fill()
    load.start()
    load.await_requests(20_000)
    load.stop()
    found = (load.foreign, load.stale, load.broken, load.errors)
    check.that("finds nothing where nothing is wrong", found, ([], [], [], {}))
    load = Load(node.port, KEYS, tick=1000)
    load.fill()
    load.start()
    node.kill()
    await_that(lambda: len(load.broken) == len(load.clients), "every client to be cut off")
    check.that("tells of clients that are cut off", len(load.broken), len(load.clients))
    check.end()


main()
