"""Values, multigets and pipelines of all sizes over one connection of TLS 1.2 and one of 1.3."""

import select
import ssl

from stand import LARGEST, Checks, Text, context, outcome

# At the edges of records (16 KiB), of the server's read buffer (96 KiB) and of an item (1 MiB).
SIZES = [1, 2, 100, 4096, 16383, 16384, 16385, 65536, 98304, 98305, 300000, LARGEST]
check = Checks("TLS")


def pattern(length):
    return (bytes(range(251)) * (length // 251 + 1))[:length]


def burst(client, requests, reply_bytes):
    """Writes as fast as the server takes it, and reads what comes meanwhile; the replies."""
    rest, replies = memoryview(requests), bytearray()
    client.socket.setblocking(False)
    while len(replies) < reply_bytes:
        waits = True
        try:
            rest = rest[client.socket.send(rest[:1000000]) :] if rest else rest
            waits = not rest
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            replies += client.socket.recv(1000000)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if waits and not any(select.select([client.socket], [client.socket] if rest else [], [], 20)):
                break
    client.socket.settimeout(20)
    return bytes(replies)


for name, version in [("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)]:
    client = Text(context(version=version))
    check.that(f"{name}: spoken", client.socket.version(), f"TLSv{name}")
    check.that(f"{name}: version", client.ask(b"version\r\n").startswith(b"VERSION 1."), True)
    for size in SIZES:
        check.that(f"{name}: set of {size} bytes", client.set(b"k", pattern(size)), b"STORED\r\n")
        check.that(f"{name}: get of {size} bytes", client.get(b"k") == pattern(size), True)

    keys = [b"key-%d" % number for number in range(1000)]
    sets = b"".join(b"set %s 0 0 %d\r\n%s\r\n" % (key, n, pattern(n)) for n, key in enumerate(keys))
    stored = b"STORED\r\n" * len(keys)
    check.that(f"{name}: {len(sets)} bytes of sets in one burst", burst(client, sets, len(stored)) == stored, True)
    values = b"".join(b"VALUE %s 0 %d\r\n%s\r\n" % (key, n, pattern(n)) for n, key in enumerate(keys)) + b"END\r\n"
    line = b"get " + b" ".join(keys) + b"\r\n"
    check.that(f"{name}: multiget of 1,000 keys", burst(client, line, len(values)) == values, True)
    gets = b"get key-1\r\n" * 20000
    one = b"VALUE key-1 0 1\r\n\0\r\nEND\r\n"
    check.that(f"{name}: {len(gets)} bytes of gets in one burst", burst(client, gets, 20000 * len(one)) == 20000 * one, True)
    large = b"get k\r\n" * 40
    value = b"VALUE k 0 %d\r\n%s\r\nEND\r\n" % (LARGEST, pattern(LARGEST))
    check.that(f"{name}: 40 times 1 MB in one burst", burst(client, large, 40 * len(value)) == 40 * value, True)
    written = b"set big 0 0 %d\r\n%s\r\n" % (LARGEST, pattern(LARGEST)) * 20
    check.that(f"{name}: 20 MB of sets in one burst", burst(client, written, 20 * 8) == b"STORED\r\n" * 20, True)

    # A ragged end would raise: the server says that it closes.
    check.that(f"{name}: quit ends with close_notify", outcome(client.ask, b"quit\r\n"), b"")
check.end()
