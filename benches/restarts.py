#!/usr/bin/env python3
"""Does a warm restart bring back what was there, and a crash nothing that is wrong?

    benches/restarts.py target/release/larder --items 5000000 --rounds 50

Keeps a server on a memory file (`-e`), filled with items whose value, flags, CAS number and time to live are known, and
stops it again and again: by SIGUSR1 or by SIGKILL, while one client overwrites and another reads. After a graceful stop
every item has to be there with the last value that was acknowledged, unless its time is over; after a crash what is there
has to be right, if anything is. Now and then a byte of the file is changed, the file cut, or another setting given,
between a graceful stop and the next start. Exit status 1 means that something was wrong.
"""

import argparse
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

BATCH = 5000
WRITER_KEYS = 20_000


class Wrong(Exception):
    """An answer that must not be."""


def connect(port):
    return socket.create_connection(("127.0.0.1", port))


def value(n):
    return b"%d:%d:%s" % (n, n * 2654435761 % 4294967296, b"v" * (n % 90))


def life(n):
    """Seconds; 0 is for ever."""
    return 1_000_000 if n % 11 == 0 else 0


def fill(port, items):
    link = connect(port)
    for start in range(0, items, BATCH):
        batch = [(n, value(n)) for n in range(start, min(start + BATCH, items))]
        link.sendall(b"".join(b"set item:%d %d %d %d noreply\r\n%s\r\n" % (n, n % 7, life(n), len(v), v) for n, v in batch))
    link.sendall(b"mn\r\n")
    assert link.recv(100) == b"MN\r\n"


def read_exactly(link, length):
    parts = []
    while length > 0:
        part = link.recv(min(length, 1 << 20))
        if not part:
            raise Wrong("the connection was closed")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def check_all(port, items, numbers):
    """All of these items are there and right."""
    link = connect(port)
    for start in range(0, len(numbers), BATCH):
        batch = numbers[start : start + BATCH]
        asking = threading.Thread(target=link.sendall, args=(b"".join(b"get item:%d\r\n" % n for n in batch),))
        asking.start()
        values = [(n, value(n)) for n in batch]
        expected = b"".join(b"VALUE item:%d %d %d\r\n%s\r\nEND\r\n" % (n, n % 7, len(v), v) for n, v in values)
        got = read_exactly(link, len(expected))
        asking.join()
        if got != expected:
            raise Wrong(f"items {batch[0]} to {batch[-1]} are not what they were")


def check_any(port, numbers):
    """What is there of these items is right. How many are."""
    link = connect(port)
    file = link.makefile("rb")
    found = 0
    for n in numbers:
        link.sendall(b"get item:%d\r\n" % n)
        line = file.readline()
        if line == b"END\r\n":
            continue
        v = value(n)
        rest = file.read(len(v) + 7)
        if line + rest != b"VALUE item:%d %d %d\r\n%s\r\nEND\r\n" % (n, n % 7, len(v), v):
            raise Wrong(f"item {n} is not what it was")
        found += 1
    return found


class Writer(threading.Thread):
    """Overwrites keys of its own until the server is gone; knows of each what may be there."""

    def __init__(self, port, known):
        super().__init__(daemon=True)
        self.port, self.known, self.version = port, known, random.getrandbits(40)

    def run(self):
        dice = random.Random()
        try:
            link = connect(self.port)
            file = link.makefile("rb")
            while True:
                key = dice.randrange(WRITER_KEYS)
                self.version += 1
                new = b"%d/%d/%s" % (key, self.version, b"w" * dice.choice([1, 50, 500, 5000, 60000]))
                # Until it is acknowledged the old one or the new one may be there.
                self.known[key] = self.known.get(key, [None])[-1:] + [new]
                link.sendall(b"set writer:%d 5 0 %d\r\n%s\r\n" % (key, len(new), new))
                if file.readline() != b"STORED\r\n":
                    return
                self.known[key] = [new]
        except OSError:
            return


class Reader(threading.Thread):
    """Reads items that nobody overwrites until the server is gone."""

    def __init__(self, port, items):
        super().__init__(daemon=True)
        self.port, self.items, self.wrong, self.read = port, items, None, 0

    def run(self):
        dice = random.Random()
        try:
            while not self.wrong:
                check_all(self.port, self.items, [dice.randrange(self.items) for _ in range(100)])
                self.read += 100
        except OSError:
            return
        except Wrong as wrong:
            # A connection that ends in the middle of a reply is the server's end.
            self.wrong = None if "closed" in str(wrong) else wrong


BRIEF_KEYS = 200
BRIEF_SECS = 2


def store_brief(port, number):
    """Items that are over soon. When they are, for sure."""
    link = connect(port)
    for n in range(BRIEF_KEYS):
        link.sendall(b"set brief:%d:%d 0 %d 5 noreply\r\nbrief\r\n" % (number, n, BRIEF_SECS))
    link.sendall(b"mn\r\n")
    assert link.recv(100) == b"MN\r\n"
    return time.monotonic() + BRIEF_SECS + 1


def check_brief(port, number, over):
    time.sleep(max(0, over - time.monotonic()))
    link = connect(port)
    for n in range(BRIEF_KEYS):
        link.sendall(b"get brief:%d:%d\r\n" % (number, n))
        if read_exactly(link, 5) != b"END\r\n":
            raise Wrong(f"brief:{number}:{n} outlived its time")


def check_writer(port, known, must):
    link = connect(port)
    file = link.makefile("rb")
    found = 0
    for key, allowed in known.items():
        link.sendall(b"get writer:%d\r\n" % key)
        line = file.readline()
        if line == b"END\r\n":
            if must and None not in allowed:
                raise Wrong(f"writer:{key} is lost")
            continue
        got = file.read(int(line.split()[3]) + 7)[:-7]
        if got not in allowed:
            raise Wrong(f"writer:{key} is {got[:40]}, not one of {[a and a[:40] for a in allowed]}")
        found += 1
    return found


def marks_of(port, numbers):
    """CAS number and flags of these items, and when their time is over."""
    link = connect(port)
    file = link.makefile("rb")
    answers = []
    for n in numbers:
        link.sendall(b"mg item:%d c f t\r\n" % n)
        head, cas, flags, left = file.readline().split()
        left = int(left[1:])
        answers.append((head, cas, flags, None if left == -1 else time.monotonic() + left))
    return answers


def check_marks(port, numbers, marks):
    for n, was, now in zip(numbers, marks, marks_of(port, numbers)):
        same_end = was[3] == now[3] or None not in (was[3], now[3]) and abs(was[3] - now[3]) <= 2
        if was[:3] != now[:3] or not same_end or (now[3] is None) != (life(n) == 0):
            raise Wrong(f"item {n} was {was} and is {now}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="the larder to try")
    parser.add_argument("--items", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--folder", default="/dev/shm", help="where the memory file lies")
    arguments = parser.parse_args()
    items, dice = arguments.items, random.Random(5)
    memory_mb = max(256, items * 200 >> 20)
    figures = {"graceful": 0, "crashes": 0, "damaged": 0, "harmless": 0, "other_settings": 0, "kept_after_crash": 0, "read_meanwhile": 0}
    stops, restores = [], []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path, log = os.path.join(folder, "memory"), os.path.join(folder, "log")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        words = [arguments.server, "-l", "127.0.0.1", "-p", str(port), "-t", "2", "-m", str(memory_mb), "-e", path]
        words += ["-u", "root"] if os.geteuid() == 0 else []

        def start(more=()):
            begun = time.monotonic()
            server = subprocess.Popen([*words, *more], stderr=open(log, "wb"), env={**os.environ, "RUST_LOG": "info"})
            while True:
                try:
                    # It takes connections at once, and serves them when the cache is restored.
                    link = connect(port)
                    link.sendall(b"version\r\n")
                    if link.recv(100):
                        return server, time.monotonic() - begun
                except OSError:
                    if server.poll() is not None:
                        raise Wrong(f"the server ended: {open(log).read()}")
                    time.sleep(0.01)

        server, _ = start()
        try:
            is_full, known, marks, probes = False, {}, None, []
            for number in range(arguments.rounds):
                if not is_full:
                    fill(port, items)
                    is_full, known = True, {}
                    probes = [dice.randrange(items) for _ in range(1000)]
                    marks = marks_of(port, probes)
                writer = Writer(port, known)
                reader = Reader(port, items)
                over = store_brief(port, number)
                writer.start()
                reader.start()
                time.sleep(dice.random() * 0.5)
                graceful = dice.random() < 0.6
                begun = time.monotonic()
                server.send_signal(signal.SIGUSR1 if graceful else signal.SIGKILL)
                server.wait()
                stops.append(time.monotonic() - begun) if graceful else None
                writer.join()
                reader.join()
                if reader.wrong:
                    raise reader.wrong
                figures["read_meanwhile"] += reader.read
                what = dice.random() if graceful else 1
                damage, other_settings = what < 0.25, 0.25 <= what < 0.35
                if damage:
                    target = dice.choice([path, path + ".meta"])
                    with open(target, "r+b") as file:
                        if dice.random() < 0.3:
                            file.truncate(os.path.getsize(target) // 2)
                        else:
                            # Of the memory a byte that is in use; of the state any.
                            at = (2 << 20) + dice.randrange(items * 50) if target == path else 60
                            file.seek(at)
                            byte = file.read(1)
                            file.seek(at)
                            file.write(bytes([byte[0] ^ 0x10]))
                server, took = start(["-C"] if other_settings else [])
                words_of_start = open(log).read()
                check_brief(port, number, over)
                if graceful and not damage and not other_settings:
                    figures["graceful"] += 1
                    restored = re.search(r"items_per_second=(\d+)", words_of_start)
                    if not restored:
                        raise Wrong(f"nothing was restored: {words_of_start}")
                    restores.append(int(restored[1]))
                    numbers = range(items) if number % 10 == 0 else range(dice.randrange(10), items, 10)
                    check_all(port, items, numbers)
                    check_writer(port, known, True)
                    check_marks(port, probes, marks)
                elif damage and "empty" not in words_of_start:
                    # The byte was one that no item uses.
                    figures["harmless"] += 1
                    check_all(port, items, range(items))
                    check_writer(port, known, True)
                    check_marks(port, probes, marks)
                else:
                    figures["damaged" if damage else "other_settings" if other_settings else "crashes"] += 1
                    kept = check_any(port, range(dice.randrange(1000), items, 1000)) + check_writer(port, known, False)
                    figures["kept_after_crash"] += kept
                    if "empty" not in words_of_start:
                        raise Wrong(f"an empty start does not say why: {words_of_start}")
                    is_full = False
                if other_settings:
                    # And back: what lies in the file now is of another kind.
                    server.send_signal(signal.SIGUSR1)
                    server.wait()
                    server, _ = start()
                    if "empty" not in open(log).read():
                        raise Wrong("items of another kind were taken over")
                extra = " and damage" if damage else " and -C" if other_settings else ""
                print(f"round {number}: {'SIGUSR1' if graceful else 'SIGKILL'}{extra} start {took:.2f} s", flush=True)
        except Wrong as wrong:
            print(f"WRONG in round {number}: {wrong}")
            return 1
        finally:
            server.kill()
            server.wait()
    print(" ".join(f"{name}={count}" for name, count in figures.items()), "wrong=0")
    print(f"stop: {min(stops):.2f} to {max(stops):.2f} s; restore: {min(restores):,} to {max(restores):,} items a second")
    return 0


if __name__ == "__main__":
    sys.exit(main())
