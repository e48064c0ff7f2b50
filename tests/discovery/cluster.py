"""A cluster of larder servers on this machine: each is started and ended by itself, and all are given one file of nodes.
"""

import os
import pathlib
import signal
import socket
import subprocess
import time

PATIENCE = 30


def until(what, holds):
    """Waits until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"FAILED {what}: not within {PATIENCE} s")
        time.sleep(0.02)


class Node:
    """One server, which keeps its address over a restart. Each has a host of its own: uhashring, which
    elasticache-pyclient chooses nodes with, knows one node of each."""

    def __init__(self, larder, directory, name, host, nodes_file):
        self.larder, self.directory, self.name, self.nodes_file = larder, pathlib.Path(directory), name, nodes_file
        self.host, self.port = host, -1
        self.process = None
        self.start()

    def start(self):
        ports = self.directory / f"{self.name}-ports"
        ports.unlink(missing_ok=True)
        command = [self.larder, "-l", self.host, "-p", str(self.port), "--cluster", self.nodes_file]
        if os.geteuid() == 0:
            command += ["-u", "root"]
        with open(self.directory / f"{self.name}-stderr", "ab") as stderr:
            environment = {**os.environ, "MEMCACHED_PORT_FILENAME": str(ports)}
            self.process = subprocess.Popen(command, stderr=stderr, env=environment)
        until(f"{self.name} starts", lambda: ports.exists() or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise SystemExit(f"FAILED {self.name} ended: {(self.directory / f'{self.name}-stderr').read_text()}")
        lines = [line.removeprefix("TCP INET: ") for line in ports.read_text().splitlines() if "TCP INET" in line]
        self.port = int(lines[0])

    @property
    def address(self):
        return self.host, self.port

    def end(self, by=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(by)
            self.process.wait(PATIENCE)
            self.process = None

    def ask(self, line, end):
        """The reply to a line, up to its end."""
        with socket.create_connection(self.address, timeout=PATIENCE) as connection:
            connection.sendall(line.encode() + b"\r\n")
            reply = b""
            while not reply.endswith(end):
                part = connection.recv(65536)
                if not part:
                    raise SystemExit(f"FAILED {self.name} hung up after {reply!r}")
                reply += part
        return reply.decode()

    def version(self):
        """The version of the list that it tells."""
        return int(self.ask("config get cluster", b"END\r\n").splitlines()[1])

    def keys(self):
        """The keys that it holds."""
        dump = self.ask("lru_crawler mgdump hash", b"EN\r\n")
        return {line.split()[1] for line in dump.splitlines() if line.startswith("mg ")}


class Cluster:
    """Three servers, and the list that they are given."""

    def __init__(self, larder, directory):
        self.file = pathlib.Path(directory) / "nodes"
        self.version = 0
        # Ports are known only later.
        self.write(["127.0.0.1 1"])
        self.nodes = []
        for last, name in enumerate(["one", "two", "three"], start=1):
            self.nodes.append(Node(larder, directory, name, f"127.0.0.{last}", str(self.file)))

    def write(self, lines):
        self.version += 1
        new = self.file.with_suffix(".new")
        new.write_text("\n".join([f"version {self.version}", *lines, ""]))
        new.replace(self.file)

    def list(self, *nodes):
        """Makes these the list, and waits until all that run tell it."""
        self.write([f"{node.host} {node.port}" for node in nodes])
        running = [node for node in self.nodes if node.process is not None]
        until("all nodes tell the list", lambda: all(node.version() == self.version for node in running))

    def end(self):
        for node in self.nodes:
            node.end()
