"""Faults that only root can bring about: a full file system, links that are cut, that delay and lose, a clock that jumps.

Each case prints one line. The network is two namespaces and this process between them, which hands packets from one to
the other as a bad line would: kernels without netem have no other.
"""

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

LARDER, FAKETIME = sys.argv[1:3]
DEADLINE = 20
WORKER = "worker"
SUFFIX = str(os.getpid())
SERVER_SIDE, CLIENT_SIDE = "larder-s" + SUFFIX, "larder-c" + SUFFIX
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def run(*words):
    subprocess.run(words, check=True)


def await_that(what, condition):
    until = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > until:
            raise AssertionError("never happened: " + what)
        time.sleep(0.02)


class Server:
    all = []

    def __init__(self, *words, prefix=(), address="127.0.0.1", env=None):
        self.place = tempfile.mkdtemp(dir=work)
        ports = os.path.join(self.place, "ports")
        self.log = os.path.join(self.place, "log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [*prefix, LARDER, "-u", "root", "-l", address, "-p", "-1", "-U", "0", "-v", *words],
                env={**os.environ, "MEMCACHED_PORT_FILENAME": ports, **(env or {})}, stderr=log)
        Server.all.append(self.process)
        await_that("the server serves", lambda: os.path.exists(ports) or self.process.poll() is not None)
        assert self.process.poll() is None, open(self.log).read()
        self.port = int(open(ports).read().split("TCP INET: ")[1].split()[0])

    def end(self, *, stop=True):
        if stop:
            self.process.terminate()
            assert self.process.wait(DEADLINE) == 0, open(self.log).read()
        else:
            self.process.kill()
            self.process.wait()
        return open(self.log).read()


class Client:
    def __init__(self, port, address="127.0.0.1"):
        self.socket = socket.create_connection((address, port), DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def ask(self, request):
        self.socket.sendall(request)
        return self.file.readline().rstrip(b"\r\n")

    def set(self, key, value, ttl=0):
        return self.ask(b"set %s 0 %d %d\r\n%s\r\n" % (key, ttl, len(value), value))

    def get(self, key):
        line = self.ask(b"get %s\r\n" % key)
        if line == b"END":
            return None
        value = self.file.read(int(line.split()[3]) + 2)[:-2]
        assert self.file.readline() == b"END\r\n"
        return value

    def stat(self, name):
        self.socket.sendall(b"stats\r\n")
        found = None
        while (line := self.file.readline().split()) != [b"END"]:
            if line[1] == name:
                found = int(line[2])
        return found


def inside(namespace, act):
    """What `act` returns, called where sockets belong to this network namespace."""
    outcome = []

    def work():
        try:
            with open("/run/netns/" + namespace) as file:
                if libc.setns(file.fileno(), 0x40000000):
                    raise OSError(ctypes.get_errno(), "setns")
            outcome.append((act(), None))
        except BaseException as error:  # told to the caller below
            outcome.append((None, error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    value, error = outcome[0]
    if error:
        raise error
    return value


@contextlib.contextmanager
def kernel_settings(namespace, **values):
    """These settings of TCP in a network namespace, and afterwards those that were."""
    within = ("ip", "netns", "exec", namespace, "sysctl")
    names = ["net.ipv4." + name for name in values]
    before = subprocess.run([*within, "-n", *names], check=True, capture_output=True, text=True).stdout.split()
    run(*within, "-qw", *("%s=%d" % pair for pair in zip(names, values.values())))
    try:
        yield
    finally:
        run(*within, "-qw", *("%s=%s" % pair for pair in zip(names, before)))


class Line:
    """Carries packets between the namespaces, some of them late, some never."""

    ADDRESSES = {SERVER_SIDE: "10.231.7.1", CLIENT_SIDE: "10.231.7.2"}

    def __init__(self):
        self.loss, self.delay, self.cut = 0.0, 0.0, False
        self.lost = self.carried = 0
        self.ends = [self.make(name) for name in self.ADDRESSES]
        threading.Thread(target=self.carry, daemon=True).start()

    def make(self, namespace):
        run("ip", "netns", "add", namespace)
        device = "lt%d%s" % (len(os.listdir("/run/netns")), SUFFIX)
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        # TUNSETIFF with IFF_TUN and IFF_NO_PI.
        fcntl.ioctl(end, 0x400454CA, struct.pack("16sH22x", device.encode(), 0x1001))
        run("ip", "link", "set", device, "netns", namespace)
        run("ip", "-n", namespace, "addr", "add", self.ADDRESSES[namespace] + "/24", "dev", device)
        run("ip", "-n", namespace, "link", "set", device, "up")
        run("ip", "-n", namespace, "link", "set", "lo", "up")
        return end

    def carry(self):
        dice, waiting, number = random.Random(1), [], 0
        while True:
            patience = max(0, waiting[0][0] - time.monotonic()) if waiting else None
            for end in select.select(self.ends, [], [], patience)[0]:
                try:
                    packet = os.read(end, 70000)
                except OSError:
                    return  # its namespace is gone, and so is the run
                if self.cut or dice.random() < self.loss:
                    self.lost += 1
                    continue
                number += 1
                heapq.heappush(waiting, (time.monotonic() + self.delay, number, end, packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, end, packet = heapq.heappop(waiting)
                self.carried += 1
                os.write(self.ends[1 - self.ends.index(end)], packet)


def a_full_file_system_refuses_and_serves():
    place = os.path.join(work, "small")
    os.mkdir(place)
    run("mount", "-t", "tmpfs", "-o", "size=24m", "larder-test", place)
    try:
        words = ("-m", "64", "-t", "1", "-e", place + "/memory")
        server = Server(*words)
        client = Client(server.port)
        value = lambda n: (b"%d " % n * 20000)[:20000]
        stored = [n for n in range(3000) if client.set(b"k%d" % n, value(n)) == b"STORED"]
        there = [n for n in stored if client.get(b"k%d" % n) == value(n)]
        wrong = [n for n in stored if client.get(b"k%d" % n) not in (None, value(n))]
        assert not wrong and there, (wrong, len(there))
        server.end()
        server = Server(*words)
        client = Client(server.port)
        assert all(client.get(b"k%d" % n) in (None, value(n)) for n in stored)
        assert client.set(b"later", b"x") == b"STORED" and client.get(b"later") == b"x"
        server.end(stop=False)
        return "%d of %d there, the rest evicted or refused" % (len(there), 3000)
    finally:
        run("umount", "-l", place)


def wall_clock_jumps_expire_nothing():
    offset = os.path.join(work, "offset")
    open(offset, "w").write("+0")
    env = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": offset, "FAKETIME_NO_CACHE": "1",
           "DONT_FAKE_MONOTONIC": "1"}
    server = Server("-m", "64", env=env)
    client = Client(server.port)
    since, real = time.monotonic(), client.stat(b"time")
    assert client.set(b"hour", b"v", 3600) == b"STORED" and client.set(b"ever", b"v") == b"STORED"
    for jump in ("+400d", "-400d", "+0"):
        open(offset, "w").write(jump)
        before = client.stat(b"uptime")
        await_that("its clock goes on", lambda: client.stat(b"uptime") > before + 1)
        assert client.get(b"hour") == client.get(b"ever") == b"v", jump
        left = int(client.ask(b"mg hour t\r\n").removeprefix(b"HD t"))
        told, gone = client.stat(b"time") - real, time.monotonic() - since
        assert 3600 - gone - DEADLINE < left <= 3600, (jump, left, gone)
        assert abs(told - gone) < DEADLINE, ("it goes on from the time that it started with", jump, told, gone)
        assert client.set(b"brief", b"v", 1) == b"STORED"
        await_that("an item expires in its time", lambda: client.get(b"brief") is None)
    # The preload is proved to work: a server started under it tells another time.
    open(offset, "w").write("+400d")
    other = Server("-m", "64", env=env)
    assert Client(other.port).stat(b"time") - real > 300 * 86400, "libfaketime is without effect"
    other.end(stop=False)
    server.end(stop=False)
    return "400 days forward and back"


def peers_that_vanish_are_let_go():
    settings = {"tcp_keepalive_time": 1, "tcp_keepalive_intvl": 1, "tcp_keepalive_probes": 2, "tcp_retries2": 3}
    try:
        with kernel_settings(SERVER_SIDE, **settings):
            return peers_vanish()
    finally:
        line.cut = False


def peers_vanish():
    server = Server("-m", "64", prefix=("ip", "netns", "exec", SERVER_SIDE), address="0.0.0.0")
    near = inside(SERVER_SIDE, lambda: Client(server.port))
    far = [inside(CLIENT_SIDE, lambda: Client(server.port, "10.231.7.1")) for _ in range(20)]
    assert near.set(b"large", b"v" * 900_000) == b"STORED"
    # Connected is not accepted yet.
    assert all(client.ask(b"mn\r\n") == b"MN" for client in far)
    for client in far[10:]:
        client.socket.sendall(b"get" + b" large" * 50 + b"\r\n")
    connections = lambda: near.stat(b"curr_connections")
    assert connections() >= 21
    beside = connections() - 21
    line.cut = True
    await_that("idle peers and readers are let go", lambda: connections() - beside == 1)
    assert near.set(b"after", b"v") == b"STORED"
    line.cut = False
    assert inside(CLIENT_SIDE, lambda: Client(server.port, "10.231.7.1")).get(b"after") == b"v"
    server.end()
    return "10 idle, 10 in mid reply"


def loss_and_delay_change_no_value():
    server = Server("-m", "64", prefix=("ip", "netns", "exec", SERVER_SIDE), address="0.0.0.0")
    near = inside(SERVER_SIDE, lambda: Client(server.port))
    far = [inside(CLIENT_SIDE, lambda: Client(server.port, "10.231.7.1")) for _ in range(8)]
    line.loss, line.delay, line.lost, line.carried = 0.03, 0.02, 0, 0
    failures = []
    value = lambda n, turn: (b"%d.%d " % (n, turn) * 8000)[:n * 4000 + 1]

    def work(n):
        try:
            for turn in range(10):
                assert far[n].set(b"far%d" % n, value(n, turn)) == b"STORED"
                assert far[n].get(b"far%d" % n) == value(n, turn)
        except Exception as error:
            failures.append("client %d: %r" % (n, error))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    slowest = 0.0
    while any(thread.is_alive() for thread in threads):
        since = time.monotonic()
        assert near.set(b"near", b"v") == b"STORED"
        slowest = max(slowest, time.monotonic() - since)
        time.sleep(0.002)
    line.loss = line.delay = 0.0
    assert not failures, failures
    assert line.lost > 0
    server.end()
    return "%d packets carried, %d lost; a client beside them waited %.1f ms at most" % (
        line.carried, line.lost, slowest * 1000)


def a_worker_that_stands_still_stops_its_own_clients_only():
    server = Server("-m", "64", "-t", "2")
    clients = [Client(server.port) for _ in range(6)]
    for n, client in enumerate(clients):
        assert client.set(b"own%d" % n, b"v") == b"STORED"
    tasks = "/proc/%d/task/" % server.process.pid
    tid = min(int(task) for task in os.listdir(tasks) if open(tasks + task + "/comm").read().startswith(WORKER))

    def trace(request):
        if libc.ptrace(request, tid, None, None):
            raise OSError(ctypes.get_errno(), "ptrace %#x" % request)

    trace(0x4206)  # PTRACE_SEIZE
    trace(0x4207)  # PTRACE_INTERRUPT: this thread stands still, the others go on
    os.waitpid(tid, 0x40000000)
    answered, silent = [], list(clients)
    for client in clients:
        client.socket.sendall(b"mn\r\n")

    def three_are_answered():
        for client in [client for client in silent if select.select([client.socket], [], [], 0)[0]]:
            assert client.file.readline() == b"MN\r\n"
            silent.remove(client)
            answered.append(client)
        return len(answered) >= 3

    await_that("clients of the other worker are answered", three_are_answered)
    for turn in range(1000):
        client = answered[turn % 3]
        assert client.set(b"k%d" % turn, b"v") == b"STORED" and client.get(b"k%d" % turn) == b"v"
    three_are_answered()
    assert len(answered) == 3, len(answered)
    trace(17)  # PTRACE_DETACH
    for client in silent:
        assert client.file.readline() == b"MN\r\n"
    server.end()
    return "3 of 6 clients served meanwhile, all of them afterwards"


passed = failed = 0
with tempfile.TemporaryDirectory() as work:
    try:
        line = Line()
        for case in (a_full_file_system_refuses_and_serves, wall_clock_jumps_expire_nothing,
                     a_worker_that_stands_still_stops_its_own_clients_only,
                     peers_that_vanish_are_let_go, loss_and_delay_change_no_value):
            try:
                print("ok %s: %s" % (case.__name__, case()), flush=True)
                passed += 1
            except Exception as error:
                print("FAILED %s: %r" % (case.__name__, error), flush=True)
                failed += 1
    finally:
        for process in Server.all:
            process.kill()
            process.wait()
        for name in Line.ADDRESSES:
            subprocess.run(["ip", "netns", "del", name], check=False)
print("%d passed, %d failed" % (passed, failed))
sys.stdout.flush()
os._exit(1 if failed else 0)
