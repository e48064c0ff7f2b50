"""examples/lazy_loading.py and write_through.py: what is served after a change, whoever comes late."""

import os
import socket
import ssl
import threading

import psycopg

import lazy_loading
import write_through
from larder_client import pool
from recipes import Checks, outcome, run_example, seconds_left, together

check = Checks("lazy loading")


def connect():
    return psycopg.connect(os.environ["DATABASE"], autocommit=True)


class Counting(lazy_loading.Products):
    """Counts what reaches the database; `meanwhile` happens between a reader's query and its store."""

    loads = 0
    meanwhile = staticmethod(lambda: None)

    def load(self, number):
        self.loads += 1
        row = super().load(number)
        self.meanwhile()
        return row


cache = pool()
expected = ["from the database: {'name': 'kettle', 'cents': 2500}", "from the cache: {'name': 'kettle', 'cents': 2500}"]
check.that("runs", run_example("lazy_loading.py"), (0, expected))
products = Counting(cache, connect())
products.put(2, "teapot", 1800)
check.that("a miss loads", products.get(2), {"name": "teapot", "cents": 1800})
check.that("a hit does not", (products.get(2), products.loads), ({"name": "teapot", "cents": 1800}, 1))
left = seconds_left("shop:product:2")
# Less what has gone by meanwhile.
check.that("its time is 300 seconds and a tenth at most", 270 <= left <= 330, True)
spreads = {lazy_loading.spread(300) for _ in range(1000)}
check.that("times are spread", min(spreads) >= 300 and max(spreads) <= 330 and len(spreads) > 20, True)

check.that("a row that is not there", [products.get(3), products.get(3), products.loads], [None, None, 2])
check.that("is remembered for a shorter time", seconds_left("shop:product:3") <= 33, True)
products.put(3, "cup", 400)
check.that("until it is there", products.get(3), {"name": "cup", "cents": 400})

writer = lazy_loading.Products(pool(), connect())
writer.put(2, "teapot", 1900)
check.that("a change is seen at once", products.get(2), {"name": "teapot", "cents": 1900})
# The race that the head tells of: the reader has the old row when the writer commits and deletes.
cache.delete("shop:product:2")
products.meanwhile = lambda: writer.put(2, "teapot", 2000)
products.get(2)
products.meanwhile = lambda: None
check.that("a slow reader brings the old row back", products.get(2)["cents"], 1900)
check.that("for a time to live at most", seconds_left("shop:product:2") <= 330, True)

away = Counting(pool(), connect())
away.cache.server = "/nowhere/socket"
check.that("without a cache the database answers", (away.get(2), away.loads), ({"name": "teapot", "cents": 2000}, 1))


def end_connections(cache):
    """What a server that is restarted does to the connections of a pool."""
    for client in cache.client_pool.free:
        client.sock.shutdown(socket.SHUT_RDWR)


end_connections(cache)
loads = products.loads
stored = {"name": "teapot", "cents": 1900}
check.that("a connection that has ended is made again", (products.get(2), products.loads), (stored, loads))
leaving = Counting(pool(), connect())


def leave():
    leaving.cache.server = "/nowhere/socket"
    leaving.cache.client_pool.clear()


cache.delete("shop:product:2")
leaving.meanwhile = leave
check.that("nor does a reader mind that it leaves", leaving.get(2), {"name": "teapot", "cents": 2000})
check.that("a delete that is not done is told", type(outcome(leaving.put, 2, "teapot", 2000)), FileNotFoundError)
refused = Counting(pool(password="wrong"), connect())
check.that("a refused login is an error", type(outcome(refused.get, 2)).__name__, "MemcacheClientError")
check.that("and no load", refused.loads, 0)
stranger = Counting(pool(tls_context=ssl.create_default_context()), connect())
check.that("so is a certificate", type(outcome(stranger.get, 2)).__name__, "MemcacheClientError")

check.client = "write-through"
lines = ["before: {'left_over': 100, 'version': 1}"]
lines.append("after: {'left_over': 97, 'version': 2} of the database: {'left_over': 97, 'version': 2}")
check.that("runs", run_example("write_through.py"), (0, lines))

database = connect()
database.execute("INSERT INTO stock (number, left_over) VALUES (2, 1000), (3, 1000)")
stock = write_through.Products(pool(), connect())
stock.take(2, 1)
check.that("the writer has stored the row", b'"left_over": 999' in cache.get("shop:stock:2"), True)


class SlowReader(write_through.Products):
    """Finds its row outdated when it stores it."""

    def load(self, number):
        row = super().load(number)
        stock.take(number, 1)
        return row


cache.delete("shop:stock:2")
slow = SlowReader(pool(), connect())
check.that("a slow reader gets the old row", slow.get(2), {"left_over": 999, "version": 2})
check.that("and does not bring it back", stock.get(2), {"left_over": 998, "version": 3})
stock.store(2, {"left_over": 1000, "version": 1})
check.that("nor does a slow writer", stock.get(2), {"left_over": 998, "version": 3})
check.that("a row that is not there is None", stock.get(99), None)

away = write_through.Products(pool(), connect())
away.cache.server = "/nowhere/socket"
away.take(2, 1)
check.that("without a cache rows are changed and read", away.get(2), {"left_over": 997, "version": 4})

WRITERS, CHANGES = 4, 25
done = threading.Event()


def read():
    """Versions as a reader sees them, until the writers are done."""
    reader, seen = write_through.Products(pool(), connect()), []
    while not done.is_set():
        seen.append(reader.get(3)["version"])
    return seen


def write():
    own = write_through.Products(pool(), connect())
    for _ in range(CHANGES):
        own.take(3, 1)


seen = []
readers = [threading.Thread(target=lambda: seen.append(read())) for _ in range(2)]
for reader in readers:
    reader.start()
check.that("writers at once", together(WRITERS, lambda _: write()), [None] * WRITERS)
done.set()
for reader in readers:
    reader.join()
final = {"left_over": 1000 - WRITERS * CHANGES, "version": 1 + WRITERS * CHANGES}
check.that("leave the newest row in the cache", (stock.get(3), stock.load(3)), (final, final))
check.that("and no reader saw it go back", [versions == sorted(versions) for versions in seen], [True, True])
check.end()
