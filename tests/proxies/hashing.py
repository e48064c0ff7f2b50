"""Clients that spread keys over three nodes themselves, while one node is lost and comes back empty, twice.

    hashing.py pylibmc|php|pymemcache

Each is tried as it is told to stay with a lost node, and as it is told to leave it. What a client that leaves sees at the
second loss is asserted as well: the values of the first one, as old as they are.
"""

import json
import pathlib
import subprocess
import sys

import pylibmc
from pymemcache.client.hash import HashClient

from checks import Checks  # of tests/clients
from nodes import await_that, three_nodes

HERE = pathlib.Path(__file__).parent
KEYS = [f"user:{number:08d}" for number in range(1000)]
ERROR = "error"
# A client that left a node tries it again each second, which costs the request that tries.
TRIES = 10


class Pylibmc:
    """libmemcached, with the points of libketama on its circle."""

    def __init__(self, ports, leaves):
        behaviors = {"ketama": True, "ketama_weighted": True, "hash": "md5", "tcp_nodelay": True, "retry_timeout": 1}
        if leaves:
            behaviors |= {"remove_failed": 1, "dead_timeout": 1}
        self.client = pylibmc.Client([f"127.0.0.1:{port}" for port in ports], behaviors=behaviors)

    def get(self, key):
        try:
            return self.client.get(key)
        except pylibmc.Error:
            return ERROR

    def set(self, key, value):
        try:
            return self.client.set(key, value)
        except pylibmc.Error:
            return False

    def get_many(self, keys):
        return self.client.get_multi(keys)


class Php:
    """php-memcached, in a process of its own that takes one call a line."""

    def __init__(self, ports, leaves):
        words = ["php", HERE / "hashing_client.php", "leaves" if leaves else "stays", *map(str, ports)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, *words):
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def get(self, key):
        return self.call("get", key)

    def set(self, key, value):
        return self.call("set", key, value)

    def get_many(self, keys):
        return dict(self.call("get_many", keys))


class Pymemcache:
    """HashClient: rendezvous hashing over murmur3."""

    def __init__(self, ports, leaves):
        # Attempts are counted a retry_timeout apart; a client that stays has more of them than it will need.
        settings = {"retry_attempts": 0, "dead_timeout": 1} if leaves else {"retry_attempts": 1 << 30, "retry_timeout": 1}
        servers = [("127.0.0.1", port) for port in ports]
        self.client = HashClient(servers, ignore_exc=True, default_noreply=False, no_delay=True, timeout=10, **settings)

    def get(self, key):
        value = self.client.get(key)
        return value.decode() if value is not None else None

    def set(self, key, value):
        return self.client.set(key, value)

    def get_many(self, keys):
        return {key: value.decode() for key, value in self.client.get_many(keys).items()}


CLIENTS = {"pylibmc": Pylibmc, "php": Php, "pymemcache": Pymemcache}


def owned(node):
    return {key for key in KEYS if node.holds(key.encode()) is not None}


def store_all(client, version, tries=1):
    """Stores a version of each key; gives the keys that it took."""
    return {key for key in KEYS if any(client.set(key, f"{key}/{version}") for _ in range(tries))}


def read_all(client, tries=1):
    """What each key reads as. A miss stays one, however often it is asked for."""
    read = {}
    for key in KEYS:
        for _ in range(tries):
            read[key] = client.get(key)
            if read[key] not in (None, ERROR):
                break
    return read


def only(read, keys, *allowed):
    """Those of the keys that read as something else; `allowed` are versions, None or ERROR."""
    values = lambda key: {word if word in (None, ERROR) else f"{key}/{word}" for word in allowed}
    return sorted((key, read[key]) for key in keys if read[key] not in values(key))[:5]


def stays(check, make, nodes):
    client = make([node.port for node in nodes], leaves=False)
    check.that("stores all", len(store_all(client, 1)), len(KEYS))
    owners = [owned(node) for node in nodes]
    check.that("each key is on one node", sum(map(len, owners)), len(KEYS))
    check.that("no node has less than a fifth", min(map(len, owners)) > len(KEYS) / 5, True)
    check.that("reads all", only(read_all(client), KEYS, 1), [])
    lost, its_keys = nodes[1], owners[1]
    others = set(KEYS) - its_keys

    lost.kill()
    client.get(min(its_keys))  # finds out
    check.that("stays: other nodes' keys read well during the loss", only(read_all(client), others, 1), [])
    check.that("stays: its keys are misses or errors", only(read_all(client), its_keys, None, ERROR), [])
    found = client.get_many(KEYS)
    check.that("stays: many keys at once are the others", only({**dict.fromkeys(KEYS), **found}, others, 1), [])
    check.that("stays: and none of its own", sorted(set(found) & its_keys)[:5], [])
    check.that("stays: only the others' keys are stored", store_all(client, 2), others)
    lost.start()
    await_that(lambda: client.set(min(its_keys), "again"), "the client to come back to the node")
    read = read_all(client)
    check.that("stays: nothing old after the return", only(read, its_keys - {min(its_keys)}, None), [])
    check.that("stays: the others' keys are new", only(read, others, 2), [])
    store_all(client, 3)
    check.that("stays: all reads well", only(read_all(client), KEYS, 3), [])
    check.that("stays: each key is where it was", [owned(node) for node in nodes], owners)


def leaves(check, make, nodes):
    client = make([node.port for node in nodes], leaves=True)
    store_all(client, 1)
    lost = nodes[1]
    its_keys = owned(lost)
    others = set(KEYS) - its_keys

    def leave():
        lost.kill()
        await_that(lambda: client.set(min(its_keys), f"{min(its_keys)}/2"), "the client to leave the node")

    leave()
    check.that("leaves: the other nodes take its keys", store_all(client, 2, TRIES), set(KEYS))
    check.that("leaves: all reads well", only(read_all(client, TRIES), KEYS, 2), [])
    lost.start()

    def is_back():
        client.set(min(its_keys), f"{min(its_keys)}/3")
        return lost.holds(min(its_keys).encode())

    await_that(is_back, "the client to come back to the node")
    read = read_all(client)
    check.that("leaves: nothing old after the first return", only(read, its_keys - {min(its_keys)}, None), [])
    check.that("leaves: the others' keys are right", only(read, others, 2), [])
    check.that("leaves: stores all again", store_all(client, 3), set(KEYS))
    check.that("leaves: all reads well again", only(read_all(client), KEYS, 3), [])

    # Only one key is stored during the second loss. The others' values are those of the first.
    leave()
    read = read_all(client, TRIES)
    old = {key for key in its_keys if read[key] == f"{key}/2"}
    check.that("leaves: the second loss shows old values", old, its_keys)
    check.that("leaves: and none of other nodes' keys", only(read, others, 3), [])


def main():
    name = sys.argv[1]
    check = Checks(name)
    with three_nodes() as nodes:
        stays(check, CLIENTS[name], nodes)
    with three_nodes() as nodes:
        leaves(check, CLIENTS[name], nodes)
    if name == "php":
        # The values' flags differ, the places must not.
        with three_nodes() as nodes:
            ports, places = [node.port for node in nodes], []
            for make in (Pylibmc, Php):
                store_all(make(ports, leaves=False), 1)
                places.append([owned(node) for node in nodes])
                for node in nodes:
                    node.flush()
            check.that("puts each key where pylibmc does", places[0] == places[1], True)
    check.end()


main()
