"""What clients see through memcached's own proxy: its commands, a lost node, a node that stands in, TLS to the nodes."""

import pathlib
import subprocess
import tempfile

from checks import Checks  # of tests/clients
from nodes import MemcachedProxy, Node, Text, await_that, three_nodes

HERE = pathlib.Path(__file__).parent
KEYS = [b"user:%08d" % number for number in range(300)]
FAILURE = b"SERVER_ERROR backend failure\r\n"
# A request and the first line of its reply.
COMMANDS = [
    (b"set k 0 0 1\r\n5\r\n", b"STORED\r\n"),
    (b"add k 0 0 1\r\n5\r\n", b"NOT_STORED\r\n"),
    (b"append k 0 0 1\r\n5\r\n", b"STORED\r\n"),
    (b"get k\r\n", b"VALUE k 0 2\r\n"),
    (b"gat 100 k\r\n", b"VALUE k 0 2\r\n"),
    (b"cas k 0 0 1 1\r\n5\r\n", b"EXISTS\r\n"),
    (b"incr k 1\r\n", b"56\r\n"),
    (b"touch k 100\r\n", b"TOUCHED\r\n"),
    (b"mg k v\r\n", b"VA 2\r\n"),
    (b"ma k\r\n", b"HD\r\n"),
    (b"md k\r\n", b"HD\r\n"),
    (b"ms k 1\r\n5\r\n", b"HD\r\n"),
    (b"delete k\r\n", b"DELETED\r\n"),
    (b"mn\r\n", b"MN\r\n"),
    (b"set k 0 0 2000000\r\n%s\r\n" % (b"v" * 2000000), b"SERVER_ERROR object too large for cache\r\n"),
]


def owners(nodes):
    return [[key for key in KEYS if node.holds(key) is not None] for node in nodes]


def commands(check):
    with three_nodes() as nodes:
        proxy = MemcachedProxy(nodes, (HERE / "proxy.lua").read_text())
        for request, reply in COMMANDS:
            with Text(proxy.port) as link:
                check.that(f"{request[:20]!r}", link.ask(request), reply)
        proxy.end()


def loss(check):
    with three_nodes() as nodes:
        proxy = MemcachedProxy(nodes, (HERE / "proxy.lua").read_text())
        with Text(proxy.port) as link:
            for key in KEYS:
                link.set(key, b"1")
            parts = owners(nodes)
            check.that("each node has a fifth of the keys or more", min(map(len, parts)) >= len(KEYS) / 5, True)
            nodes[0].kill()
            check.that("its keys are errors", {link.get(key) for key in parts[0]}, {FAILURE})
            check.that("also to change", link.set(parts[0][0], b"2"), FAILURE)
            check.that("the others' keys are read", {link.get(key) for key in parts[1] + parts[2]}, {b"1"})
            # The error stands where its item would, and END follows: clients that take the error for the end of the
            # reply are one line behind from then on.
            found, missing = parts[1][0], parts[0][0]
            lines = [b"VALUE %s 0 1\r\n" % found, b"1\r\n", FAILURE, b"END\r\n"]
            check.that("many keys at once, one of its own", reply(link, b"get %s %s\r\n" % (found, missing)), lines)
            nodes[0].start()
            check.eventually("it comes back empty", lambda: {link.get(key) for key in parts[0]}, {None})
            for key in KEYS:
                link.set(key, b"3")
            check.that("and takes its keys", owners(nodes), parts)
        proxy.end()


def reply(link, request):
    """All lines of a reply."""
    line, lines = link.ask(request + b"mn\r\n"), []
    while line != b"MN\r\n":
        lines.append(line)
        line = link.stream.readline()
    return lines


def gutter(check):
    """A stand-in takes a lost node's keys for seconds, so there is nothing old to read at the next loss."""
    with three_nodes() as nodes:
        proxy = MemcachedProxy(nodes, (HERE / "gutter.lua").read_text())
        with Text(proxy.port) as link:
            for key in KEYS:
                link.set(key, b"1")
            check.that("the stand-in is empty", owners(nodes)[2], [])
            its_keys = owners(nodes)[0]
            nodes[0].kill()
            check.that("gutter: its keys are misses", {link.get(key) for key in its_keys}, {None})
            check.that("gutter: and can be stored", {link.set(key, b"2") for key in its_keys}, {b"STORED\r\n"})
            check.that("gutter: and read", {link.get(key) for key in its_keys}, {b"2"})
            check.that("gutter: on the stand-in", owners(nodes[2:])[0], its_keys)
            with Text(nodes[2].port) as direct:
                told = [direct.ask(b"mg %s t\r\n" % key).split() for key in its_keys]
            lives = [int(words[1][1:]) for words in told if words[0] == b"HD"]
            check.that("gutter: for ten seconds at most", all(0 <= life <= 10 for life in lives), True)
            nodes[0].start()

            def stored_on_the_node():
                for key in its_keys:
                    link.set(key, b"3")
                return all(nodes[0].holds(key) == b"3" for key in its_keys)

            await_that(stored_on_the_node, "the node to be back")
            await_that(lambda: not owners(nodes[2:])[0], "the copies' end")
            nodes[0].kill()
            check.that("gutter: misses at the second loss", {link.get(key) for key in its_keys}, {None})
        proxy.end()


def encrypted(check):
    """It speaks TLS to nodes, and takes any certificate."""
    with tempfile.TemporaryDirectory() as folder:
        names = {"key": f"{folder}/key.pem", "certificate": f"{folder}/certificate.pem"}
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        words += ["-subj", "/CN=larder", "-days", "2", "-keyout", names["key"], "-out", names["certificate"]]
        subprocess.run(words, check=True, capture_output=True)
        flags = ["-o", f"ssl_chain_cert={names['certificate']},ssl_key={names['key']}", "-Z"]
        node = Node(*flags, encrypted=True)
        try:
            configuration = 'pools{ main = { backends = { "NODE0" }, backend_options = { tls = true } } }\n'
            proxy = MemcachedProxy([node], configuration + 'routes{ default = route_direct{ child = "main" } }\n')
            with Text(proxy.port) as link:
                check.that("over TLS to the node: set", link.set(b"k", b"value"), b"STORED\r\n")
                check.that("over TLS to the node: get", link.get(b"k"), b"value")
            proxy.end()
        finally:
            node.server.end()


def main():
    check = Checks("memcached-proxy")
    commands(check)
    loss(check)
    gutter(check)
    encrypted(check)
    check.end()


main()
