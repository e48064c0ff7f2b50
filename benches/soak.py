#!/usr/bin/env python3
"""Does a server keep every promise for as long as one likes? `benches/soak.py target/release/larder --minutes 10`

Clients of the text, meta and binary protocols store, overwrite, delete, append, count, touch and compare values of 1
byte to 2 MB with lives of seconds or for ever, each under keys of its own, and know what each key may hold. Another one
flushes, moves the memory limit up and down, moves pages, sweeps and dumps. A miss is always allowed, for the cache is too
small for all; a value, flag, number or CAS answer that is not the one that was stored is wrong, and so is an item that
outlived its time, its deletion or a flush. Resident memory is compared with its bound all the time. Exit status 1 means
that something was wrong.
"""

import argparse
import multiprocessing
import os
import random
import socket
import struct
import subprocess
import sys
import time

POOL = random.Random(7).randbytes(5 << 20)
KEYS = 4000
LIMITS_MB = [32, 48, 64, 96, 128]
START_MB = 128
# What the process may have beside the limit: twentieth of it, code, buffers, and large values that are under way.
OTHER_BYTES_MAX = 48 << 20
SHRINK_SECS = 20


# A large value that could neither be sent from where it is nor be copied: the item is still there.
REFUSED = object()


class Wrong(Exception):
    """An answer that must not be."""


def piece(key, version, length):
    """The bytes that follow from key and version."""
    at = hash((key, version, "value")) % (len(POOL) - length)
    return POOL[at : at + length]


def some_length(dice):
    return dice.choices(
        [dice.randint(1, 64), dice.randint(64, 1000), dice.randint(1000, 16000), dice.randint(16000, 200000),
         dice.randint(200000, 2 << 20)],
        [30, 45, 20, 4.5, 0.5],
    )[0]


class Item:
    """What a key holds, if it holds anything."""

    def __init__(self, value, flags, dies):
        self.value, self.flags, self.dies = value, flags, dies
        self.cas = None

    def must_be_gone(self):
        return self.dies is not None and time.monotonic() > self.dies + 2.1


class Text:
    """The classic protocol with some of meta."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb", buffering=1 << 20)

    def line(self, request):
        self.socket.sendall(request)
        return self.read_line()

    def read_line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise Wrong("the connection was closed")
        return line[:-2]

    def value(self, length):
        value = self.file.read(length + 2)
        if len(value) != length + 2 or not value.endswith(b"\r\n"):
            raise Wrong("a value that does not end where it should")
        return value[:-2]

    def store(self, verb, key, value, flags, ttl, cas=None):
        tail = b"" if cas is None else b" %d" % cas
        return self.line(b"%s %s %d %d %d%s\r\n%s\r\n" % (verb, key, flags, ttl, len(value), tail, value))

    def get(self, key):
        words = self.line(b"gets %s\r\n" % key).split(b" ")
        if words == [b"END"]:
            return None
        if words[0] == b"SERVER_ERROR":
            return REFUSED
        if words[:2] != [b"VALUE", key]:
            raise Wrong(f"answer to gets: {words}")
        value = self.value(int(words[3]))
        if self.read_line() != b"END":
            raise Wrong("no END")
        return value, int(words[2]), int(words[4])

    def meta_get(self, key):
        words = self.line(b"mg %s v f c\r\n" % key).split(b" ")
        if words == [b"EN"]:
            return None
        if words[0] == b"SERVER_ERROR":
            return REFUSED
        if words[0] != b"VA" or words[2][:1] != b"f" or words[3][:1] != b"c":
            raise Wrong(f"answer to mg: {words}")
        return self.value(int(words[1])), int(words[2][1:]), int(words[3][1:])


class Binary:
    """The binary protocol with the same methods."""

    VERBS = {b"set": 1, b"add": 2, b"replace": 3, b"append": 0x0E, b"prepend": 0x0F, b"cas": 1}
    ANSWERS = {0: b"STORED", 1: b"NOT_FOUND", 2: b"EXISTS", 5: b"NOT_STORED", 0x82: b"SERVER_ERROR out of memory"}

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb", buffering=1 << 20)

    def call(self, opcode, extras=b"", key=b"", value=b"", cas=0):
        body = len(extras) + len(key) + len(value)
        header = struct.pack(">BBHBBHIIQ", 0x80, opcode, len(key), len(extras), 0, 0, body, 77, cas)
        self.socket.sendall(header + extras + key + value)
        head = self.file.read(24)
        if len(head) != 24:
            raise Wrong("the connection was closed")
        magic, op, _, extras_len, _, status, body, opaque, cas = struct.unpack(">BBHBBHIIQ", head)
        if (magic, op, opaque) != (0x81, opcode, 77):
            raise Wrong(f"a reply of another request: {head}")
        return status, self.file.read(body)[extras_len:], cas, head

    def store(self, verb, key, value, flags, ttl, cas=None):
        extras = b"" if verb in (b"append", b"prepend") else struct.pack(">II", flags, ttl)
        status, _, _, _ = self.call(self.VERBS[verb], extras, key, value, cas or 0)
        # Where there is nothing to add to or something in the way, binary says so in words of its own.
        if verb == b"add" and status == 2 or verb == b"replace" and status == 1:
            status = 5
        return self.ANSWERS.get(status, b"status %d" % status)

    def get(self, key):
        self.socket.sendall(struct.pack(">BBHBBHIIQ", 0x80, 0, len(key), 0, 0, 0, len(key), 77, 0) + key)
        head = self.file.read(24)
        _, _, _, extras_len, _, status, body, _, cas = struct.unpack(">BBHBBHIIQ", head)
        body = self.file.read(body)
        if status == 1:
            return None
        if status == 0x82:
            return REFUSED
        if status != 0:
            raise Wrong(f"status of get: {status}")
        return body[extras_len:], struct.unpack(">I", body[:4])[0], cas

    meta_get = get

    def delete(self, key):
        return self.call(4, key=key)[0]


def client(port, number, kind, until, counts):
    dice = random.Random(number)
    link = kind(port)
    model, version = {}, 0
    tally = {"requests": 0, "hits": 0, "misses": 0, "refused": 0}

    def expect(answer, allowed, what):
        if answer not in allowed and not answer.startswith(b"SERVER_ERROR out of memory"):
            raise Wrong(f"{what}: {answer}")

    def look(key, item, fetch):
        found = fetch(key)
        if found is REFUSED:
            tally["refused"] += 1
            return None
        if found is None:
            tally["misses"] += 1
            model.pop(key, None)
            return None
        tally["hits"] += 1
        value, flags, cas = found
        if item is None:
            raise Wrong(f"{key}: there is an item of {len(value)} bytes where none can be")
        if item.must_be_gone():
            raise Wrong(f"{key}: outlived its time by {time.monotonic() - item.dies:.1f} s")
        if value != item.value or flags != item.flags:
            raise Wrong(f"{key}: {len(value)} bytes with flags {flags} instead of {len(item.value)} with {item.flags}")
        item.cas = cas
        return item

    while time.monotonic() < until:
        tally["requests"] += 1
        key = b"client%d:%d" % (number, min(int(dice.expovariate(8 / KEYS)), KEYS - 1))
        item = model.get(key)
        act = dice.random()
        if act < 0.45:
            look(key, item, link.meta_get if dice.random() < 0.5 else link.get)
            continue
        version += 1
        value = piece(key, version, some_length(dice))
        flags = dice.choice([0, 0, 1, 0xFFFFFFFF])
        ttl = dice.choice([0, 0, 0, 1, 2, 5, 30])
        dies = time.monotonic() + ttl if ttl else None
        new = Item(value, flags, dies)
        if act < 0.75:
            answer = link.store(b"set", key, value, flags, ttl)
            expect(answer, [b"STORED"], "set")
            # What finds no memory leaves nothing behind.
            if answer == b"STORED":
                model[key] = new
            else:
                model.pop(key, None)
        elif act < 0.80:
            answer = link.store(b"add", key, value, flags, ttl)
            expect(answer, [b"STORED", b"NOT_STORED"], "add")
            if answer == b"STORED":
                model[key] = new
            elif answer == b"NOT_STORED" and (item is None or item.must_be_gone()):
                raise Wrong(f"{key}: add found something where nothing can be")
        elif act < 0.84:
            answer = link.store(b"replace", key, value, flags, ttl)
            expect(answer, [b"STORED", b"NOT_STORED"], "replace")
            if answer == b"STORED":
                if item is None or item.must_be_gone():
                    raise Wrong(f"{key}: replace found something where nothing can be")
                model[key] = new
            elif answer == b"NOT_STORED":
                model.pop(key, None)
        elif act < 0.90:
            verb = dice.choice([b"append", b"prepend"])
            more = value[: dice.randint(1, 3000)]
            if item is not None and len(item.value) + len(more) > 3 << 20:
                continue
            answer = link.store(verb, key, more, 0, 0)
            expect(answer, [b"STORED", b"NOT_STORED"], "append")
            if answer == b"STORED":
                if item is None or item.must_be_gone():
                    raise Wrong(f"{key}: append found something where nothing can be")
                item.value = item.value + more if verb == b"append" else more + item.value
            elif answer == b"NOT_STORED":
                # Gone, or no memory for the longer one: in both cases the old value is all that may be there.
                pass
        elif act < 0.94 and item is not None:
            current = look(key, item, link.get)
            if current is None:
                continue
            right = dice.random() < 0.7
            answer = link.store(b"cas", key, value, flags, ttl, current.cas if right else current.cas + 1_000_000_007)
            expect(answer, [b"STORED", b"NOT_FOUND"] if right else [b"EXISTS", b"NOT_FOUND"], "cas")
            if answer == b"STORED":
                model[key] = new
            elif answer == b"NOT_FOUND" or answer.startswith(b"SERVER_ERROR"):
                model.pop(key, None)
        elif kind is Text:
            if act < 0.97:
                expect(link.line(b"delete %s\r\n" % key), [b"DELETED", b"NOT_FOUND"], "delete")
                model.pop(key, None)
            elif act < 0.985:
                life = dice.choice([1, 3, 60])
                dies = time.monotonic() + life
                answer = link.line(b"touch %s %d\r\n" % (key, life))
                expect(answer, [b"TOUCHED", b"NOT_FOUND"], "touch")
                if answer == b"TOUCHED" and item is not None:
                    item.dies = dies
                elif answer == b"TOUCHED":
                    raise Wrong(f"{key}: touch found something where nothing can be")
            else:
                number_key = key + b":n"
                count = dice.randint(0, 1 << 62)
                expect(link.store(b"set", number_key, b"%d" % count, 0, 0), [b"STORED"], "set of a number")
                answer = link.line(b"incr %s 5\r\n" % number_key)
                expect(answer, [b"%d" % (count + 5), b"NOT_FOUND"], "incr")
        else:
            if link.delete(key) not in (0, 1):
                raise Wrong("delete")
            model.pop(key, None)
    counts.put(tally)


def chaos(port, until, limit, counts):
    """Flushes, limits, page moves, sweeps and dumps."""
    dice = random.Random(99)
    link = Text(port)
    tally = {"flushes": 0, "limits": 0, "dumps": 0, "moves": 0}

    def fill(tag):
        for n in range(300):
            if link.store(b"set", b"chaos:%s:%d" % (tag, n), b"x" * 50, 0, 0) != b"STORED":
                raise Wrong("set before a flush")

    def all_gone(tag):
        for n in range(300):
            if link.get(b"chaos:%s:%d" % (tag, n)) is not None:
                raise Wrong("an item outlived a flush")

    while time.monotonic() < until:
        act = dice.random()
        if act < 0.15:
            fill(b"now")
            if link.line(b"flush_all\r\n") != b"OK":
                raise Wrong("flush_all")
            all_gone(b"now")
            tally["flushes"] += 1
        elif act < 0.25:
            fill(b"later")
            if link.line(b"flush_all 1\r\n") != b"OK":
                raise Wrong("flush_all 1")
            time.sleep(2.2)
            all_gone(b"later")
            tally["flushes"] += 1
        elif act < 0.5:
            megabytes = dice.choice(LIMITS_MB)
            # The bound falls later than the limit: memory goes back in small steps.
            now = time.monotonic()
            with limit.get_lock():
                limit[0], limit[1], limit[2] = max(limit[0] if limit[2] > now else limit[1], megabytes), megabytes, now + SHRINK_SECS
            if link.line(b"cache_memlimit %d\r\n" % megabytes) != b"OK":
                raise Wrong("cache_memlimit")
            tally["limits"] += 1
        elif act < 0.7:
            answer = link.line(b"slabs reassign %d %d\r\n" % (dice.randint(-1, 61), dice.randint(1, 61)))
            if answer.split(b" ")[0] not in (b"OK", b"BUSY", b"NOSPARE", b"BADCLASS", b"SAME", b"NOTFULL", b"UNSAFE"):
                raise Wrong(f"slabs reassign: {answer}")
            tally["moves"] += 1
        elif act < 0.85:
            link.socket.sendall(b"lru_crawler metadump all\r\n")
            # Lines of a dump end in LF alone.
            while not (line := link.file.readline()).startswith((b"END", b"BUSY")):
                if line != b"OK\r\n" and not line.startswith(b"key="):
                    raise Wrong(f"metadump: {line}")
            tally["dumps"] += 1
        else:
            link.line(b"lru_crawler crawl all\r\n")
        time.sleep(0.3)
    counts.put(tally)


def guarded(act, failed, *arguments):
    try:
        act(*arguments)
    except Exception as error:  # Whatever it is, the run is no good.
        print(f"{act.__name__}: {type(error).__name__}: {error}", flush=True)
        failed.value += 1


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="the larder to try")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [arguments.server, "-l", "127.0.0.1", "-p", str(port), "-t", str(arguments.threads), "-m", str(START_MB)]
    words += ["-I", "4m"] + (["-u", "root"] if os.geteuid() == 0 else [])
    server = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        until = time.monotonic() + arguments.minutes * 60
        counts, failed = multiprocessing.Queue(), multiprocessing.Value("i", 0)
        limit = multiprocessing.Array("d", [START_MB, START_MB, 0])
        crowd = [(client, port, n, kind, until, counts) for n, kind in enumerate([Text, Text, Binary])]
        crowd.append((chaos, port, until, limit, counts))
        crowd = [multiprocessing.Process(target=guarded, args=(act, failed, *rest)) for act, *rest in crowd]
        for process in crowd:
            process.start()
        peak, nearest, over = 0, -(1 << 60), 0
        while any(process.is_alive() for process in crowd) and failed.value == 0:
            with limit.get_lock():
                bound_mb = max(limit[0], limit[1]) if limit[2] > time.monotonic() else limit[1]
            bytes_now = resident(server.pid)
            bound = int(bound_mb * 1.05) * (1 << 20) + OTHER_BYTES_MAX
            peak, nearest = max(peak, bytes_now), max(nearest, bytes_now - bound)
            over += bytes_now > bound
            time.sleep(0.2)
        for process in crowd:
            if failed.value:
                process.terminate()
            process.join()
        totals = {}
        while not counts.empty():
            for name, count in counts.get().items():
                totals[name] = totals.get(name, 0) + count
        print(" ".join(f"{name}={count}" for name, count in totals.items()))
        print(f"wrong={failed.value} peak_mib={peak >> 20} over_bound={over} nearest_to_bound_mib={nearest / (1 << 20):.0f}")
        alive = server.poll() is None
        if not alive:
            print(f"the server ended: {server.returncode}")
        return 1 if failed.value or over or not alive else 0
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
