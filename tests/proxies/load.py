"""Load by clients that know what may be read: a cache in front of data that changes, in the text protocol.

Each client owns a part of the keys and counts the versions of each, so it knows what was acknowledged last. A value
names its key and its version and carries a checksum. Read back it may be the last acknowledged version, or a later one
whose `set` ended in an error; anything else is a wrong value. What is missing is stored anew, as an application does
that reads from its database.
"""

import itertools
import random
import socket
import threading
import zlib

__all__ = ["Load", "key_of"]

BATCH = 64
CLIENTS = 4
# One request in so many overwrites, the others read.
CHANGES = 10
# Popularity of the keys by Zipf's law.
EXPONENT = 0.99
VALUE_BYTES = 100


def key_of(number):
    return b"user:%08d" % number


def value_of(number, version):
    head = b"%s/%d/" % (key_of(number), version)
    body = head + b"v" * (VALUE_BYTES - len(head) - 9)
    return b"%s/%08x" % (body, zlib.crc32(body))


def version_of(number, value):
    """The version that a value names, or None when it is damaged or another key's."""
    if b"%08x" % zlib.crc32(value[:-9]) != value[-8:]:
        return None
    key, version, _ = value.split(b"/", 2)
    return int(version) if key == key_of(number) else None


class Tally:
    """Answers to the reads of a while, and to the `set`s; wrong values are told apart from the rest."""

    def __init__(self):
        self.hits = self.misses = self.read_errors = self.stored = self.store_errors = 0

    def reads(self):
        return self.hits + self.misses + self.read_errors

    def hit_share(self):
        return self.hits / max(1, self.reads())


class Load:
    """Clients that run until they are told to stop; `ticks` has a Tally for every `tick` requests."""

    def __init__(self, port, keys, tick, seed=17):
        self.port, self.keys, self.tick = port, keys, tick
        self.ticks, self.requests = [Tally()], 0
        self.stale, self.foreign, self.broken = [], [], []
        # Numbers of the keys that an error was the answer for.
        self.failed_keys = set()
        self.errors = {}
        self.acknowledged, self.attempted = [0] * keys, [0] * keys
        self.changed = threading.Condition()
        self.stopping = False
        order = list(range(keys))
        random.Random(seed).shuffle(order)
        self.clients = [Client(self, order[part::CLIENTS], seed + part) for part in range(CLIENTS)]

    def fill(self):
        """Stores each key once, before anything is counted."""
        for client in self.clients:
            for start in range(0, len(client.numbers), BATCH):
                client.store(Tally(), client.numbers[start : start + BATCH])
        assert all(self.acknowledged), "every key could be stored"

    def start(self):
        for client in self.clients:
            client.start()

    def await_requests(self, count):
        """Waits until so many requests were answered in all."""
        with self.changed:
            self.changed.wait_for(lambda: self.requests >= count or self.broken)

    def stop(self):
        self.stopping = True
        for client in self.clients:
            client.join()

    def account(self, requests):
        """The tally that the next batch counts into."""
        with self.changed:
            self.requests += requests
            while len(self.ticks) <= self.requests // self.tick:
                self.ticks.append(Tally())
            self.changed.notify_all()
            return self.ticks[-1]

    def total(self, name):
        return sum(getattr(tick, name) for tick in self.ticks)


class Client(threading.Thread):
    """One connection. Sends a batch of reads, then stores what is missing and what has changed."""

    def __init__(self, load, numbers, seed):
        super().__init__(daemon=True)
        self.load, self.numbers, self.dice = load, numbers, random.Random(seed)
        self.weights = list(itertools.accumulate((rank + 1) ** -EXPONENT for rank in range(len(numbers))))
        self.socket = socket.create_connection(("127.0.0.1", load.port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb", buffering=1 << 16)

    def run(self):
        try:
            tally = self.load.account(0)
            while not self.load.stopping:
                asked = self.dice.choices(self.numbers, cum_weights=self.weights, k=BATCH)
                # A batch reads each key once, so that every answer can be judged alone.
                missing = self.read(tally, list(dict.fromkeys(asked)))
                changes = self.dice.choices(self.numbers, cum_weights=self.weights, k=BATCH // CHANGES)
                stores = list(dict.fromkeys(missing + changes))
                self.store(tally, stores)
                tally = self.load.account(len(set(asked)) + len(stores))
        except Exception as error:  # a client that cannot go on is a finding, whatever stopped it
            self.load.broken.append(repr(error))
            self.load.account(0)

    def line(self):
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the connection was closed")
        return line

    def error(self, number, line):
        if not line.startswith(b"SERVER_ERROR "):
            raise AssertionError(f"an answer out of step: {line!r}")
        self.load.failed_keys.add(number)
        self.load.errors[line] = self.load.errors.get(line, 0) + 1

    def read(self, tally, numbers):
        """Reads these keys, judges what comes, and gives those that are not there."""
        self.socket.sendall(b"".join([b"get %s\r\n" % key_of(number) for number in numbers]))
        missing = []
        for number in numbers:
            line = self.line()
            if line == b"END\r\n":
                tally.misses += 1
                missing.append(number)
            elif line.startswith(b"VALUE "):
                value = self.stream.read(int(line.split()[3]) + 7)[:-7]
                self.judge(number, line.split()[1], value)
                tally.hits += 1
            else:
                tally.read_errors += 1
                self.error(number, line)
        return missing

    def judge(self, number, key, value):
        load, version = self.load, version_of(number, value)
        if key != key_of(number) or version is None or version > load.attempted[number]:
            load.foreign.append((number, value))
        elif version < load.acknowledged[number]:
            load.stale.append((number, version, load.acknowledged[number]))
        else:
            load.acknowledged[number] = version

    def store(self, tally, numbers):
        """Stores a new version of each of these keys."""
        parts = []
        for number in numbers:
            self.load.attempted[number] += 1
            value = value_of(number, self.load.attempted[number])
            parts.append(b"set %s 0 0 %d\r\n%s\r\n" % (key_of(number), len(value), value))
        self.socket.sendall(b"".join(parts))
        for number in numbers:
            line = self.line()
            if line == b"STORED\r\n":
                self.load.acknowledged[number] = self.load.attempted[number]
                tally.stored += 1
            else:
                tally.store_errors += 1
                self.error(number, line)
