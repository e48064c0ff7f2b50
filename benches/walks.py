#!/usr/bin/env python3
"""How long do others wait, and how much memory does it take, while the server dumps all keys or deletes them all?

    benches/walks.py LARDER [ITEMS]

Starts LARDER with one worker on 127.0.0.1, stores ITEMS items (2,000,000) of 100 bytes, and has four clients read one
key after another, first alone, then during `lru_crawler metadump all`, then during `larder delete_prefix`.
"""

import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

BATCH = 20_000
READERS = 4


def main():
    larder, items = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2_000_000
    with tempfile.TemporaryDirectory() as directory:
        ports = pathlib.Path(directory) / "ports"
        arguments = [larder, "-l", "127.0.0.1", "-p", "-1", "-t", "1", "-m", str(64 + items // 4096)]
        server = subprocess.Popen(arguments, env={"MEMCACHED_PORT_FILENAME": str(ports)})
        try:
            while not ports.exists():
                time.sleep(0.01)
            port = int(ports.read_text().split("TCP INET: ")[1].split()[0])
            fill(port, items)
            measure("reads alone", server.pid, port, items, lambda: time.sleep(2))
            measure("metadump", server.pid, port, items, lambda: dump(port, items))
            measure("delete_prefix", server.pid, port, items, lambda: delete(port, items))
        finally:
            server.kill()
            server.wait()


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def key(n):
    return b"user:%08d" % n


def fill(port, items):
    client = connect(port)
    for start in range(0, items, BATCH):
        numbers = range(start, min(start + BATCH, items))
        client.sendall(b"".join(b"set %s 0 0 100 noreply\r\n%s\r\n" % (key(n), b"v" * 100) for n in numbers))
    client.sendall(b"mn\r\n")
    assert client.recv(100) == b"MN\r\n"


def dump(port, items):
    client = connect(port)
    client.sendall(b"lru_crawler metadump all\r\n")
    lines, tail = 0, b""
    while tail != b"END\r\n":
        part = client.recv(1 << 20)
        lines += part.count(b"\n")
        tail = (tail + part)[-5:]
    assert lines == items + 2, f"{lines} lines for {items} items"


def delete(port, items):
    client = connect(port)
    client.sendall(b"larder delete_prefix user:\r\n")
    assert client.recv(100) == b"DELETED %d\r\n" % items


def resident_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def measure(name, pid, port, items, work):
    waits, over = [], threading.Event()

    def read(n):
        client = connect(port)
        while not over.is_set():
            since = time.perf_counter()
            client.sendall(b"get %s\r\n" % key(n % items))
            assert client.recv(4096).endswith(b"END\r\n")
            waits.append(time.perf_counter() - since)
            n += 7919

    readers = [threading.Thread(target=read, args=(n,)) for n in range(READERS)]
    for reader in readers:
        reader.start()
    before, since = resident_mib(pid), time.perf_counter()
    work()
    seconds, grown = time.perf_counter() - since, resident_mib(pid) - before
    over.set()
    for reader in readers:
        reader.join()
    waits.sort()
    at = lambda share: waits[int(len(waits) * share)] * 1e3
    print(
        f"{name:14} seconds={seconds:.2f} gets={len(waits)} wait_ms_median={at(0.5):.2f} p99={at(0.99):.2f} "
        f"longest={waits[-1] * 1e3:.1f} memory_grown_mib={grown:.1f}"
    )


if __name__ == "__main__":
    main()
