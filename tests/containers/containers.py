"""The image and the compose file as their users have them: containers.py FOLDER DEBIAN.

FOLDER has the binaries in `stand-in`, DEBIAN is the archive of a Debian with nutcracker in it. This runs in a network of its
own.
"""

import contextlib
import json
import pathlib
import re
import socket
import ssl
import subprocess
import sys

from checks import Checks  # of tests/clients

HOME = pathlib.Path(__file__).parents[2]
COMPOSE = HOME / "packaging" / "compose"
CONTAINERFILE = HOME / "packaging" / "container" / "Containerfile"
NODES = ["node1", "node2", "node3"]
PATIENCE_SECS = 60
KEYS = 300

# What the image is built on, without a compiler.
STAND_IN = """
FROM docker.io/library/debian:bookworm-slim
COPY larder larder-passwd larder-top /prebuilt/
RUN printf '#!/bin/sh\\nmkdir -p target/release && cp /prebuilt/* target/release/\\n' >/usr/local/bin/cargo \\
    && chmod 0755 /usr/local/bin/cargo
"""


def run(*words, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=240, **options)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def status(*words, **options):
    """0, or what went wrong in words."""
    code, said, complaint = run(*words, **options)
    return code and f"status {code}: {said[-500:]} {complaint[-1500:]}"


def says(*words):
    return run(*words)[1]


def ask(text, port, lines, context=None):
    """What is answered to `text`, over TLS if there is a context for it, or why nothing is."""
    try:
        with contextlib.ExitStack() as open_now:
            stream = open_now.enter_context(socket.create_connection(("127.0.0.1", port), 5))
            if context:
                stream = open_now.enter_context(context.wrap_socket(stream, server_hostname="localhost"))
            replies = open_now.enter_context(stream.makefile("rb"))
            stream.sendall(text.encode())
            return "".join(replies.readline().decode() for _ in range(lines)).replace("\r", "")
    except OSError as error:
        return str(error)


def images(c, folder, debian):
    """In the place of Docker's, where no registry is asked."""
    # apt-get has nothing to do: what would be installed is there.
    changes = ["--change", "ENV PATH=/stand-in:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    c.that("a bare Debian is an image", status("podman", "import", "--quiet", *changes, debian, "bare"), 0)
    base = "FROM bare\nRUN mkdir /stand-in && ln -s /bin/true /stand-in/apt-get\n"
    for text, name in [(base, "debian:bookworm-slim"), (STAND_IN, "rust:1.95-bookworm")]:
        (folder / "stand-in" / "Containerfile").write_text(text)
        c.that(f"{name} has a stand-in", status(
            "podman", "build", "--quiet", "--tag", f"docker.io/library/{name}", folder / "stand-in"), 0)


def image(c, folder):
    c.that("the image is built", status(
        "podman", "build", "--quiet", "--pull-never", "--file", CONTAINERFILE, "--tag", "larder", HOME), 0)
    c.that("it says its version", says("podman", "run", "--rm", "larder", "-V").startswith("memcached 1.6.45 (larder "), True)
    c.that("it holds no shell", run("podman", "run", "--rm", "--entrypoint=/bin/sh", "larder", "-c", "true")[0], 127)
    files = folder / "larder"
    files.mkdir()
    made = run("podman", "run", "--rm", "--interactive", "--entrypoint=/usr/bin/larder-passwd", "--user=0",
               "--volume", f"{files}:/etc/larder", "larder",
               "-c", "/etc/larder/users.toml", "add", "app", "--rights", "read,write", input="secret\n")
    c.that("it makes a users file", made[0], 0)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout",
        files / "key.pem", "-out", files / "chain.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    run("chown", "-R", "65532:65532", files)
    [words] = re.findall(r"podman run (.*?)\n#\n", CONTAINERFILE.read_text(), re.DOTALL)
    words = words.replace("\\\n#", "").replace("'", "").replace("./larder:", f"{files}:").split()
    c.that("it runs as its head says", status("podman", "run", "--detach", "--name=alone", *words), 0)
    context = ssl.create_default_context(cafile=files / "chain.pem")
    stored = "set login 0 0 10\r\napp secret\r\nset k 0 0 1\r\nv\r\nget k\r\n"
    c.eventually("it serves who logs in", lambda: ask(stored, 11211, 5, context), "STORED\nSTORED\nVALUE k 0 1\nv\nEND\n",
                 PATIENCE_SECS)
    c.that("and nobody else", ask("get k\r\n", 11211, 1, context), "CLIENT_ERROR unauthenticated\n")
    c.that("larder-top is in it", "larder-top" in says("podman", "exec", "alone", "/usr/bin/larder-top", "--help"), True)
    run("podman", "stop", "alone")
    c.that("it stops with status 0", says("podman", "inspect", "--format={{.State.ExitCode}}", "alone"), "0")
    run("podman", "rm", "alone")


def container(name):
    return says("podman", "ps", "--all", "--format={{.Names}}", f"--filter=name=larder_{name}_")


def healthy():
    return run("podman", "healthcheck", "run", container("proxy"))[0] == 0


def is_served_by_all():
    return all(ask(f"set key:{number} 0 0 3\r\nnew\r\n", 22121, 1) == "STORED\n" for number in range(KEYS // 10))


def items(name):
    """How many items the node holds: it is asked by the proxy's container, which alone is let in."""
    address = says("podman", "inspect", "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container(name))
    script = f"exec 3<>/dev/tcp/{address}/11211; printf 'stats\\r\\nquit\\r\\n' >&3; cat <&3"
    for line in says("podman", "exec", container("proxy"), "bash", "-c", script).splitlines():
        if line.startswith("STAT curr_items "):
            return int(line.split()[2])


def compose(c):
    def up(*words):
        return status("podman-compose", *words, cwd=COMPOSE)

    c.that("the specification's schema", status(
        "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE / "compose.yaml"), 0)
    c.that("three nodes and a proxy start", up("up", "--build", "--detach"), 0)
    c.eventually("all are healthy", healthy, True, PATIENCE_SECS)
    stored = "".join(f"set key:{number} 0 0 3\r\n{number:03}\r\n" for number in range(KEYS))
    # Of a node that does not answer in time the proxy tells an error.
    c.eventually("the proxy stores", lambda: ask(stored, 22121, KEYS), "STORED\n" * KEYS, PATIENCE_SECS)
    values = [f"VALUE key:{number} 0 3\n{number:03}\nEND\n" for number in range(KEYS)]
    c.eventually("and reads", lambda: [ask(f"get key:{number}\r\n", 22121, 3) for number in range(KEYS)], values,
                 PATIENCE_SECS)
    held = [items(name) for name in NODES]
    c.that("each node has its share", (sum(held), min(held) > KEYS // 10), (KEYS, True))
    for name in NODES:
        facts = json.loads(says("podman", "inspect", container(name)))[0]
        host = facts["HostConfig"]
        c.that(f"{name} has nothing but what it needs", (
            host["ReadonlyRootfs"], facts["EffectiveCaps"] or [], facts["Config"]["User"], host["Memory"]),
            (True, [], "65532:65532", 320 << 20))
        command = facts["Config"]["Cmd"]
        c.that(f"{name} has memory for -m and 64 MiB", int(command[command.index("-m") + 1]) + 64 << 20, host["Memory"])
        address = next(iter(facts["NetworkSettings"]["Networks"].values()))["IPAddress"]
        c.that(f"{name} lets nobody in but the proxy", is_refused(address), True)
    run("podman", "kill", container("node2"))
    c.that("a lost node is seen", healthy(), False)
    reads = {ask(f"get key:{number}\r\n", 22121, 1).partition(" ")[0] for number in range(KEYS // 10)}
    c.that("the others serve on", reads, {"VALUE", "SERVER_ERROR"})
    run("podman", "start", container("node2"))
    # Its network card is another one now, which podman, unlike Docker, tells nobody: the proxy would find out by itself, but
    # only after half a minute.
    proxy = says("podman", "inspect", "--format={{.State.Pid}}", container("proxy"))
    c.that("its new network card is looked up", status("nsenter", "--target", proxy, "--net", "ip", "neigh", "flush", "all"), 0)
    c.eventually("it is back", healthy, True, PATIENCE_SECS)
    c.eventually("and used again", is_served_by_all, True, PATIENCE_SECS)
    c.that("all are stopped", up("down"), 0)


def is_refused(address):
    try:
        with socket.create_connection((address, 11211), 5) as stream:
            stream.sendall(b"version\r\n")
            return stream.recv(100) == b""
    except ConnectionError:
        return True


def main(folder, debian):
    c, folder = Checks("containers:"), pathlib.Path(folder)
    images(c, folder, debian)
    image(c, folder)
    compose(c)
    c.end()


main(*sys.argv[1:])
