"""What the scripts share: Larder nodes that can be lost and come back, the proxies in front of them, a plain connection.

From the environment the scripts learn LARDER and, where they want it, MEMCACHED_PROXY, a memcached that was built with
its proxy.
"""

import atexit
import contextlib
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import tempfile
import time

__all__ = ["MemcachedProxy", "Node", "Text", "Twemproxy", "await_that", "free_port", "three_nodes"]


def await_that(condition, what, seconds=30):
    """Waits until the condition holds, and gives what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for: {what}")
        time.sleep(0.01)


def free_port():
    """A port that can be bound again after a loss. It lies below those that the kernel gives to outgoing connections:
    a proxy that tries again and again to reach a lost node could else be given the node's port, and reach itself."""
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def answers(where, encrypted):
    """Whether somebody there answers `version`; where TLS is spoken, whether somebody is there."""
    try:
        with Text(where) as link:
            return encrypted or link.ask(b"version\r\n").startswith(b"VERSION")
    except OSError:
        return False


class Process:
    """A program that listens on `port`, which may be a path; it ends with the script at the latest."""

    def __init__(self, words, port, name, encrypted=False):
        self.port, self.name, self.encrypted = port, name, encrypted
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(words, stdout=self.log, stderr=self.log)
        atexit.register(self.end)

    def ready(self):
        def is_ready():
            if self.process.poll() is not None:
                self.log.seek(0)
                raise AssertionError(f"{self.name} ended: {self.log.read().decode()}")
            return answers(self.port, self.encrypted)

        await_that(is_ready, f"{self.name} to serve")
        return self

    def end(self):
        self.process.kill()
        self.process.wait()


class Node:
    """One Larder on a port of its own, or on a Unix socket. It comes back empty unless its flags say else."""

    def __init__(self, *flags, path=None, encrypted=False):
        self.port, self.encrypted = path or free_port(), encrypted
        listen = ["-s", path, "-a", "0600"] if path else ["-l", "127.0.0.1", "-p", str(self.port), "-U", "0"]
        self.flags, self.server = [*listen, *flags], None
        self.start()

    def start(self):
        user = ["-u", "root"] if os.geteuid() == 0 else []
        words = [os.environ["LARDER"], "-m", "64", "-t", "1"]
        self.server = Process([*words, *user, *self.flags], self.port, "a node", self.encrypted).ready()

    def kill(self):
        """Ends it at once; whoever is connected finds the connection broken."""
        self.server.end()

    def stop(self):
        """Ends it as an operator would."""
        self.server.process.terminate()
        assert self.server.process.wait() == 0, "a node stops with status 0"

    def pause(self):
        """It keeps what it has and answers nobody, as a machine that the network lost."""
        self.server.process.send_signal(signal.SIGSTOP)
        threads = pathlib.Path(f"/proc/{self.server.process.pid}/task")
        state = lambda thread: (thread / "stat").read_text().rsplit(")", 1)[1].split()[0]
        await_that(lambda: {state(thread) for thread in threads.iterdir()} == {"T"}, "all threads to stand still")

    def resume(self):
        self.server.process.send_signal(signal.SIGCONT)

    def holds(self, key):
        """The value under a key in this very node, or None."""
        with Text(self.port) as link:
            return link.get(key)

    def store(self, key, value):
        with Text(self.port) as link:
            assert link.set(key, value) == b"STORED\r\n"

    def flush(self):
        with Text(self.port) as link:
            assert link.ask(b"flush_all\r\n") == b"OK\r\n"

    def statistics(self):
        with Text(self.port) as link:
            return link.statistics()


@contextlib.contextmanager
def three_nodes(*flags):
    nodes = [Node(*flags) for _ in range(3)]
    try:
        yield nodes
    finally:
        for node in nodes:
            node.server.end()


class Twemproxy(Process):
    """nutcracker in front of nodes, or of `servers_on` in its own notation. `settings` go into the pool."""

    def __init__(self, nodes, servers_on=None, **settings):
        port, self.statistics_port = settings.get("listen") or free_port(), free_port()
        self.folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(self.folder.name) / "nutcracker.yml"
        pool = {"listen": f"127.0.0.1:{port}", "hash": "murmur", "distribution": "ketama", "preconnect": "true"}
        lines = [f"  {name}: {str(value).lower()}" for name, value in {**pool, **settings}.items()]
        servers_on = servers_on or [f"127.0.0.1:{node.port}:1 node{number}" for number, node in enumerate(nodes)]
        path.write_text("\n".join(["larder:", *lines, "  servers:", *(f"   - {server}" for server in servers_on), ""]))
        words = ["nutcracker", "-c", path, "-s", str(self.statistics_port), "-a", "127.0.0.1", "-i", "100"]
        super().__init__(words, port, "nutcracker")
        self.ready()

    def statistics(self):
        """What it tells on its port for statistics; a tenth of a second old at most."""
        with socket.create_connection(("127.0.0.1", self.statistics_port), timeout=10) as link:
            return json.loads(link.makefile("rb").read())["larder"]


class MemcachedProxy(Process):
    """memcached's own proxy with a route library's configuration, in which NODE0, NODE1... are the nodes' addresses."""

    def __init__(self, nodes, configuration):
        port = free_port()
        self.folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(self.folder.name) / "proxy.lua"
        for number, node in enumerate(nodes):
            configuration = configuration.replace(f"NODE{number}", f"127.0.0.1:{node.port}")
        path.write_text(configuration)
        user = ["-u", "root"] if os.geteuid() == 0 else []
        words = [os.environ["MEMCACHED_PROXY"], "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "1", *user]
        super().__init__([*words, "-o", f"proxy_config=routelib,proxy_arg={path}"], port, "memcached's proxy")
        self.ready()


class Text:
    """One connection of the text protocol, to a port or to the path of a Unix socket."""

    def __init__(self, where):
        if isinstance(where, int):
            self.socket = socket.create_connection(("127.0.0.1", where), timeout=30)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(where)
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def ask(self, request):
        """Sends a request; gives the first line of the reply, which is empty when the connection was closed."""
        self.socket.sendall(request)
        return self.stream.readline()

    def set(self, key, value, seconds=0):
        return self.ask(b"set %s 0 %d %d\r\n%s\r\n" % (key, seconds, len(value), value))

    def get(self, key):
        """The value, None, or the line of an error."""
        line = self.ask(b"get %s\r\n" % key)
        if line == b"END\r\n":
            return None
        if not line.startswith(b"VALUE "):
            return line
        value = self.stream.read(int(line.split()[3]) + 2)[:-2]
        assert self.stream.readline() == b"END\r\n"
        return value

    def statistics(self):
        rows = {}
        line = self.ask(b"stats\r\n")
        while line != b"END\r\n":
            _, name, value = line.decode().rstrip("\r\n").split(" ", 2)
            rows[name] = value
            line = self.stream.readline()
        return rows
