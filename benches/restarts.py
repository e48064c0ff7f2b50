#!/usr/bin/env python3
"""Does a warm restart bring back what was there, and a crash nothing that is wrong?

    benches/restarts.py target/release/larder --items 5000000 --rounds 50

Keeps a server on a memory file (`-e`), filled with items whose value, flags and CAS number are known, and stops it again
and again: by SIGUSR1 and by SIGKILL in turn, while one client overwrites and another reads. After a graceful stop every
item has to be there with the last value that was acknowledged; after a crash what is there has to be right, if anything
is. Now and then a byte of the file is changed, or the file cut, between a graceful stop and the next start. Exit status 1
means that something was wrong.
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


def fill(port, items):
    link = connect(port)
    for start in range(0, items, BATCH):
        batch = [(n, value(n)) for n in range(start, min(start + BATCH, items))]
        link.sendall(b"".join(b"set item:%d %d 0 %d noreply\r\n%s\r\n" % (n, n % 7, len(v), v) for n, v in batch))
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


def cas_numbers(port, numbers):
    link = connect(port)
    file = link.makefile("rb")
    answers = []
    for n in numbers:
        link.sendall(b"mg item:%d c t f\r\n" % n)
        answers.append(file.readline())
    return answers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="the larder to try")
    parser.add_argument("--items", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--folder", default="/dev/shm", help="where the memory file lies")
    arguments = parser.parse_args()
    items, dice = arguments.items, random.Random(5)
    memory_mb = max(256, items * 200 >> 20)
    figures = {"graceful": 0, "crashes": 0, "damaged": 0, "harmless": 0, "kept_after_crash": 0}
    stops, restores = [], []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path, log = os.path.join(folder, "memory"), os.path.join(folder, "log")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        words = [arguments.server, "-l", "127.0.0.1", "-p", str(port), "-t", "2", "-m", str(memory_mb), "-e", path]
        words += ["-u", "root"] if os.geteuid() == 0 else []

        def start():
            begun = time.monotonic()
            server = subprocess.Popen(words, stderr=open(log, "wb"), env={**os.environ, "RUST_LOG": "info"})
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
                    marks = cas_numbers(port, probes)
                writer = Writer(port, known)
                writer.start()
                time.sleep(dice.random() * 0.5)
                graceful = number % 2 == 0
                begun = time.monotonic()
                server.send_signal(signal.SIGUSR1 if graceful else signal.SIGKILL)
                server.wait()
                stops.append(time.monotonic() - begun) if graceful else None
                writer.join()
                damage = graceful and number % 10 == 4
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
                server, took = start()
                words_of_start = open(log).read()
                if graceful and not damage:
                    figures["graceful"] += 1
                    restored = re.search(r"items_per_second=(\d+)", words_of_start)
                    if not restored:
                        raise Wrong(f"nothing was restored: {words_of_start}")
                    restores.append(int(restored[1]))
                    numbers = range(items) if number % 10 == 0 else range(dice.randrange(10), items, 10)
                    check_all(port, items, numbers)
                    check_writer(port, known, True)
                    if cas_numbers(port, probes) != marks:
                        raise Wrong("CAS numbers, flags or times have changed")
                elif damage and "empty" not in words_of_start:
                    # The byte was one that no item uses.
                    figures["harmless"] += 1
                    check_all(port, items, range(dice.randrange(10), items, 10))
                    check_writer(port, known, True)
                else:
                    figures["damaged" if damage else "crashes"] += 1
                    kept = check_any(port, range(dice.randrange(1000), items, 1000)) + check_writer(port, known, False)
                    figures["kept_after_crash"] += kept
                    if "empty" not in words_of_start:
                        raise Wrong(f"an empty start does not say why: {words_of_start}")
                    is_full = False
                print(f"round {number}: {'SIGUSR1' if graceful else 'SIGKILL'}{' and damage' if damage else ''} start {took:.2f} s", flush=True)
        except Wrong as wrong:
            print(f"WRONG: {wrong}")
            return 1
        finally:
            server.kill()
            server.wait()
    print(" ".join(f"{name}={count}" for name, count in figures.items()), "wrong=0")
    print(f"stop: {min(stops):.2f} to {max(stops):.2f} s; restore: {min(restores):,} to {max(restores):,} items a second")
    return 0


if __name__ == "__main__":
    sys.exit(main())
