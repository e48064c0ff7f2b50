"""The Debian package under the systemd of a container, as an operator has it: booted.py LEADER ROOT.

LEADER is the container's first process, ROOT its root directory seen from here. This runs in the container's network.
"""

import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request

from checks import Checks  # of tests/clients

PATIENCE_SECS = 30
PORT, TLS_PORT, ADMIN_PORT = 11211, 11212, 9150
ITEMS = 2000


class Container:
    """Runs programs inside, and writes files there."""

    def __init__(self, leader, root):
        self.enter = ["nsenter", "--target", leader, "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd=/"]
        self.root = pathlib.Path(root)
        self.leader = leader

    def inner(self, path):
        """The path of a file that may lie in a file system of the container's own."""
        return f"/proc/{self.leader}/root/{path}"

    def run(self, *words, **options):
        done = subprocess.run([*self.enter, *words], capture_output=True, text=True, timeout=PATIENCE_SECS * 2, **options)
        return done.returncode, (done.stdout + done.stderr).strip()

    def status(self, *words):
        """0, or what went wrong in words."""
        status, said = self.run(*words)
        return status and f"status {status}: {said[-1000:]}"

    def says(self, *words):
        return self.run(*words)[1]

    def unit(self, name, unit="larder.service"):
        return self.says("systemctl", "show", "--property", name, "--value", unit)

    def log(self):
        """What the service has logged since it was asked for the last time."""
        # What was said before is in the journal once journald has read and written it.
        self.run("journalctl", "--sync")
        return self.says("journalctl", "--unit=larder", "--output=cat", "--no-pager", "--cursor-file=/run/cursor")

    def await_log(self, text):
        said = ""
        deadline = time.monotonic() + PATIENCE_SECS
        while text not in said and time.monotonic() < deadline:
            said += self.log() + "\n"
            time.sleep(0.05)
        return text if text in said else f"not in: {said}"

    def write(self, path, text, mode=0o644):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode)
        file.chmod(mode)
        file.write_text(text)

    def drop_in(self, text, unit="larder.service"):
        """Replaces what is changed of a unit, as `systemctl edit` does."""
        self.write(f"etc/systemd/system/{unit}.d/override.conf", text)
        self.run("systemctl", "daemon-reload")

    def flags(self, text):
        self.write("etc/default/larder", f'LARDER_FLAGS="{text}"\n')


class Client:
    """One connection, of which requests are answered line by line."""

    def __init__(self, place=PORT, host="127.0.0.1", context=None):
        """`place` is a port of `host`, or the path of a Unix socket."""
        if isinstance(place, int):
            self.socket = socket.create_connection((host, place), PATIENCE_SECS)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE_SECS)
            self.socket.connect(place)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.replies = self.socket.makefile("rb")

    def ask(self, text, lines=1):
        self.socket.sendall(text.encode())
        return "".join(self.replies.readline().decode() for _ in range(lines)).replace("\r", "").strip()

    def set(self, key, value):
        return self.ask(f"set {key} 0 0 {len(value)}\r\n{value}\r\n")

    def get(self, key):
        first = self.ask(f"get {key}\r\n")
        if first != f"VALUE {key} 0 {first.split()[-1]}":
            return None if first == "END" else first
        value, end = self.replies.readline(), self.replies.readline()
        return value.decode().strip() if end == b"END\r\n" else end

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.replies.close()
        self.socket.close()


def held():
    """How many of the items that `fill` stored are there, with their values."""
    with Client() as client:
        return sum(client.get(f"item:{number}") == f"value {number}" for number in range(ITEMS))


def fill():
    with Client() as client:
        return sum(client.set(f"item:{number}", f"value {number}") == "STORED" for number in range(ITEMS))


class Visitors:
    """Clients that come, ask once and leave, without a pause, while something is done to the server."""

    def __init__(self):
        self.refused, self.wrong, self.served, self.cut = 0, [], 0, 0
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.visit, args=(number,)) for number in range(4)]

    def visit(self, visitor):
        turn = 0
        while not self.over.is_set():
            turn += 1
            outcome = self.once(turn % ITEMS)
            with self.lock:
                self.served += outcome is True
                # Taken by the server that ends, which closes what has not asked yet.
                self.cut += isinstance(outcome, (ConnectionResetError, BrokenPipeError, IndexError))
                self.refused += isinstance(outcome, (ConnectionRefusedError, TimeoutError))
                if isinstance(outcome, str) or outcome is None:
                    self.wrong.append(outcome)

    def once(self, number):
        try:
            with Client() as client:
                value = client.get(f"item:{number}")
                return True if value == f"value {number}" else value
        except (OSError, IndexError) as error:
            return error

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.await_more()
        return self

    def await_more(self):
        """Until each may have been served some times more."""
        seen = self.served
        deadline = time.monotonic() + PATIENCE_SECS
        while self.served < seen + 200 and time.monotonic() < deadline:
            time.sleep(0.01)

    def __exit__(self, *_):
        self.await_more()
        self.over.set()
        for thread in self.threads:
            thread.join()


def install(c, box):
    c.that("systemd is up", box.says("systemctl", "is-system-running", "--wait"), "running")
    c.that("the .deb installs", box.status("dpkg", "-i", "/larder-0.1.0-1.deb"), 0)
    c.that("the service is active", box.unit("ActiveState"), "active")
    c.that("the sockets are active", box.unit("ActiveState", "larder.socket"), "active")
    c.that("the admin port's is not", box.unit("ActiveState", "larder-admin.socket"), "inactive")
    c.that("both start at boot", box.says("systemctl", "is-enabled", "larder.socket", "larder.service"), "enabled\nenabled")
    c.that("systemd knows how it goes", box.unit("StatusText"), "items=0 connections=0")
    c.that("items are stored over IPv4", fill(), ITEMS)
    with Client(host="::1") as client:
        c.that("and read over IPv6", client.get("item:1"), "value 1")
    told = box.log()
    c.that("the log says where it serves", "msg=serving listen=127.0.0.1:11211,[::1]:11211" in told, True)
    c.that("and warns of nothing", warnings(told), [])


def warnings(log):
    return [line for line in log.splitlines() if "level=" in line and "level=info" not in line]


def confinement(c, box):
    exposure = box.says("systemd-analyze", "security", "--no-pager", "larder.service").splitlines()[-1]
    figure = float(exposure.split("larder.service:")[1].split()[0])
    c.that(f"its exposure is {figure}, at most 1.0", figure <= 1.0, True)
    process = box.unit("MainPID")
    status = dict(line.split(":\t", 1) for line in box.says("cat", f"/proc/{process}/status").splitlines())
    c.that("it has no capability", [status[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")], ["0" * 16] * 4)
    c.that("its system calls are filtered", (status["Seccomp"].strip(), status["NoNewPrivs"].strip()), ("2", "1"))
    c.that("its user is larder", box.says("stat", "--format=%U", f"/proc/{process}"), "larder")
    networks = [box.says("readlink", f"/proc/{which}/ns/net") for which in (process, "1")]
    c.that("it has a network of its own", networks[0] != networks[1] and all("net:" in name for name in networks), True)


def restarts(c, box):
    with Visitors() as visitors:
        for _ in range(3):
            c.that("it restarts", box.status("systemctl", "restart", "larder"), 0)
            visitors.await_more()
        box.write("etc/default/larder", (box.root / "etc/default/larder").read_text() + "# mine\n")
        c.that("it is upgraded", box.status("dpkg", "-i", "--force-confold", "/larder-0.2.0-1.deb"), 0)
    c.that("no visitor is refused meanwhile", (visitors.refused, visitors.wrong), (0, []))
    print(f"   {visitors.served} visits over three restarts and an upgrade, {visitors.cut} of them cut off by an end")
    c.that("all items outlive that", held(), ITEMS)
    restored = box.log().count(f"restored memory_fd items={ITEMS} ")
    c.that("by systemd's descriptor store", restored, 4)
    c.that("changed flags outlive an upgrade", "# mine" in (box.root / "etc/default/larder").read_text(), True)
    c.that("and a reload", box.status("systemctl", "reload", "larder"), 0)
    c.that("which is done", box.await_log("SIGHUP"), "SIGHUP")


def crashes(c, box):
    for name, harm in [("killed", "KILL"), ("stuck", "STOP")]:
        if name == "stuck":
            # Long enough that a machine busy with other things is not taken for a server that is stuck.
            box.drop_in(f"[Service]\nWatchdogSec={PATIENCE_SECS // 3}\n")
            box.run("systemctl", "restart", "larder")
        fill()
        process = box.unit("MainPID")
        c.that(f"{name}, it was harmed", box.status("systemctl", "kill", "--kill-who=main", f"--signal={harm}", "larder"), 0)
        c.eventually(f"{name}, it is started again", lambda: (
            box.unit("MainPID") not in (process, "0"), box.unit("ActiveState")), (True, "active"), PATIENCE_SECS)
        c.that(f"{name}, it starts empty and works", (held(), fill(), held()), (0, ITEMS, ITEMS))
        reason = "memory_fd was left by no graceful stop"
        c.that("and says why", box.await_log(reason), reason)
    box.drop_in("")


def secrets(c, box):
    """Users, key and certificate that root alone may read, and a listener for TLS."""
    folder = box.root / "etc/larder"
    folder.mkdir(exist_ok=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-keyout", folder / "key.pem", "-out", folder / "chain.pem", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    c.that("a user is made", box.status("sh", "-c", "echo secret | larder-passwd -c /etc/larder/users.toml add app"
                                        " --rights read,write && chmod 0600 /etc/larder/*"), 0)
    box.drop_in("""[Service]
LoadCredential=users:/etc/larder/users.toml
LoadCredential=chain:/etc/larder/chain.pem
LoadCredential=key:/etc/larder/key.pem
ExecStart=
ExecStart=/usr/bin/larder --memory-fd --users %d/users -Z -o ssl_chain_cert=%d/chain,ssl_key=%d/key $LARDER_FLAGS
""")
    box.write("etc/systemd/system/larder-tls.socket", f"""[Socket]
FileDescriptorName=larder-tls
Service=larder.service
ListenStream=127.0.0.1:{TLS_PORT}
""")
    box.drop_in("[Socket]\nFileDescriptorName=larder-notls\nListenStream=/run/larder.sock\nSocketMode=0666\n", "larder.socket")
    box.flags("-m 64 -v -o drop_privileges --admin passed")
    box.run("systemctl", "stop", "larder.service", "larder.socket")
    c.that("sockets for TLS and the admin port start", box.status(
        "systemctl", "start", "larder.socket", "larder-tls.socket", "larder-admin.socket"), 0)
    c.that("a client starts the service", asks(PORT), "CLIENT_ERROR unauthenticated")
    context = ssl.create_default_context(cafile=folder / "chain.pem")
    with Client(TLS_PORT, context=context) as client:
        c.that("a login over TLS", client.ask("set login 0 0 10\r\napp secret\r\n"), "STORED")
        c.that("stores", client.set("k", "v"), "STORED")
        c.that("and reads", client.get("k"), "v")
    with Client(TLS_PORT, context=context) as client:
        answer = client.ask("set login 0 0 9\r\napp wrong\r\n")
        c.that("a wrong password does not", answer, "CLIENT_ERROR authentication failure")
    with Client(box.inner("run/larder.sock")) as client:
        c.that("the Unix socket answers as well", client.ask("get k\r\n"), "CLIENT_ERROR unauthenticated")
    c.that("the admin port is ready", admin_port("/readyz"), "ready\n")
    c.that("and counts", "larder_auth_attempts_total 2" in admin_port("/metrics"), True)
    told = box.log()
    c.that("nothing is warned of but the login", [line for line in warnings(told) if "login failed" not in line], [])
    c.that("no secret is in the log", "secret" in told, False)


def admin_port(path):
    with urllib.request.urlopen(f"http://127.0.0.1:{ADMIN_PORT}{path}", timeout=PATIENCE_SECS) as answer:
        return answer.read().decode()


def asks(port):
    with Client(port) as client:
        return client.ask("get k\r\n")


def in_memcacheds_place(c, box):
    box.drop_in("")
    box.drop_in("", "larder.socket")
    box.flags("--config /etc/memcached.conf")
    box.run("systemctl", "stop", "larder-tls.socket", "larder-admin.socket", "larder.socket", "larder.service")
    c.that("memcached's configuration does", box.status("systemctl", "start", "larder"), 0)
    c.that("and serves", fill(), ITEMS)


def remove(c, box):
    c.that("it is removed", box.status("dpkg", "-r", "larder"), 0)
    c.that("its units are gone", (box.unit("LoadState"), box.unit("ActiveState", "larder.socket")), ("masked", "inactive"))
    try:
        asks(PORT)
        served = True
    except ConnectionRefusedError:
        served = False
    c.that("nobody serves", served, False)
    c.that("it is purged", box.status("dpkg", "-P", "larder"), 0)
    c.that("systemd lacks nothing", box.says("systemctl", "is-system-running"), "running")


def main(leader, root):
    c, box = Checks("systemd:"), Container(leader, root)
    deadline = time.monotonic() + PATIENCE_SECS
    while box.run("systemctl", "is-system-running")[1] in ("", "offline", "initializing") or \
            "Failed" in box.says("systemctl", "is-system-running"):
        if time.monotonic() > deadline:
            sys.exit("FAILED the container's systemd does not come up")
        time.sleep(0.1)
    for part in (install, confinement, restarts, crashes, secrets, in_memcacheds_place, remove):
        part(c, box)
    c.end()


main(*sys.argv[1:])
