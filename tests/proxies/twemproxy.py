"""What clients see through twemproxy: its commands, a lost node, and when values are old that a node brings back."""

import tempfile

from checks import Checks  # of tests/clients
from nodes import Node, Text, Twemproxy, await_that, three_nodes

KEYS = [b"user:%08d" % number for number in range(300)]
CLOSED = b""
# A request and the first line of its reply; the key is on one of the nodes.
COMMANDS = [
    (b"set k 0 0 1\r\n5\r\n", b"STORED\r\n"),
    (b"add k 0 0 1\r\n5\r\n", b"NOT_STORED\r\n"),
    (b"replace k 7 0 1\r\n5\r\n", b"STORED\r\n"),
    (b"append k 0 0 1\r\n5\r\n", b"STORED\r\n"),
    (b"prepend k 0 0 1\r\n5\r\n", b"STORED\r\n"),
    (b"get k\r\n", b"VALUE k 7 3\r\n"),
    (b"cas k 0 0 1 1\r\n5\r\n", b"EXISTS\r\n"),
    (b"incr k 1\r\n", b"556\r\n"),
    (b"decr k 1\r\n", b"555\r\n"),
    (b"touch k 100\r\n", b"TOUCHED\r\n"),
    (b"delete k\r\n", b"DELETED\r\n"),
    (b"version\r\n", b"VERSION 1.6.45\r\n"),
    (b"set k 0 0 2000000\r\n%s\r\n" % (b"v" * 2000000), b"SERVER_ERROR object too large for cache\r\n"),
    # What it does not know ends the connection.
    (b"gat 100 k\r\n", CLOSED),
    (b"mg k v\r\n", CLOSED),
    (b"ms k 1\r\n5\r\n", CLOSED),
    (b"mn\r\n", CLOSED),
    (b"stats\r\n", CLOSED),
    (b"flush_all\r\n", CLOSED),
    (b"config get cluster\r\n", CLOSED),
    (b"sasl mech\r\n", CLOSED),
    (b"get %s\r\n" % (b"k" * 251), CLOSED),
]


def first_line(port, request):
    with Text(port) as link:
        try:
            return link.ask(request)
        except ConnectionResetError:
            return CLOSED


def owners(nodes):
    return [[key for key in KEYS if node.holds(key) is not None] for node in nodes]


def store_all(proxy, version, keys=None, seconds=0):
    with Text(proxy.port) as link:
        return [link.set(key, b"%s/%d" % (key, version), seconds) for key in keys or KEYS]


def store_first(nodes):
    """Version 1 of all keys, by a proxy that waits for a node that is slow."""
    proxy = Twemproxy(nodes, timeout=10_000, auto_eject_hosts=False)
    store_all(proxy, 1)
    proxy.end()


def without_tries(act):
    """What the proxy answers but for errors: a try to reach an ejected node now and then costs the request that makes it."""

    def answer():
        got = act()
        return None if got and got.startswith(b"SERVER_ERROR ") else [got]

    return await_that(answer, "an answer that is no error")[0]


def read(proxy, keys, ask=lambda act: act()):
    """Versions, None for misses, or the line of an error; without repetition. `ask` may be `without_tries`."""
    with Text(proxy.port) as link:
        values = {ask(lambda: link.get(key)) for key in keys}
    return {int(value.split(b"/")[1]) if value and b"/" in value else value for value in values}


def commands(check):
    with three_nodes() as nodes:
        proxy = Twemproxy(nodes)
        for request, reply in COMMANDS:
            check.that(f"{request[:20]!r}", first_line(proxy.port, request), reply)
        proxy.end()


def shares(check):
    """Keys that differ in their last digits only, by each way of hashing that spreads them."""
    with three_nodes() as nodes:
        for hashing in ["murmur", "md5", "fnv1a_32", "one_at_a_time", "hsieh", "jenkins"]:
            proxy = Twemproxy(nodes, hash=hashing)
            store_all(proxy, 1)
            proxy.end()
            counts = [len(part) for part in owners(nodes)]
            check.that(f"hash {hashing}: each node has a fifth of the keys or more", min(counts) >= len(KEYS) / 5, True)
            for node in nodes:
                node.flush()
        proxy = Twemproxy(nodes, hash="crc32")
        store_all(proxy, 1)
        proxy.end()
        counts = sorted(len(part) for part in owners(nodes))
        check.that("hash crc32: one node has them all", counts, [0, 0, len(KEYS)])


def tags(check):
    with three_nodes() as nodes:
        proxy = Twemproxy(nodes, hash_tag='"{}"')
        with Text(proxy.port) as link:
            keys = [b"{user17}:%d" % number for number in range(100)]
            for key in keys:
                link.set(key, b"1")
        counts = sorted(int(node.statistics()["curr_items"]) for node in nodes)
        check.that("a hash tag keeps keys together", counts, [0, 0, len(keys)])
        proxy.end()


def loss_without_ejection(check):
    with three_nodes() as nodes:
        proxy = Twemproxy(nodes, timeout=10_000, auto_eject_hosts=False)
        store_all(proxy, 1)
        parts = owners(nodes)
        nodes[0].kill()
        with Text(proxy.port) as link:
            # The answer to what was on its way, or to the first thing that is sent.
            await_that(lambda: b"refused" in (link.get(parts[0][0]) or b""), "the proxy to see the loss")
            check.that("a set of its key", link.set(parts[0][0], b"5"), b"SERVER_ERROR Connection refused\r\n")
            deleted = link.ask(b"delete %s\r\n" % parts[0][0])
            check.that("a delete of its key", deleted, b"SERVER_ERROR Connection refused\r\n")
            check.that("the others go on, on the same connection", link.get(parts[1][0]), b"%s/1" % parts[1][0])
            others = parts[1] + parts[2]
            check.that("many keys at once, none of its own", sorted(many(link, others)), sorted(others))
        with Text(proxy.port) as link:
            check.that("many keys at once, one of its own", many(link, [parts[1][0], parts[0][0]]), None)
            check.that("ends the connection", closed(link), True)
        check.that("the others' keys", read(proxy, parts[1] + parts[2]), {1})
        nodes[0].start()
        await_that(lambda: read(proxy, parts[0]) == {None}, "the node's keys to be misses")
        check.that("it comes back empty", owners(nodes)[0], [])
        store_all(proxy, 2)
        check.that("all is stored where it was", owners(nodes), parts)
        check.that("and read", read(proxy, KEYS), {2})
        proxy.end()


def many(link, keys):
    """What one `get` of many keys finds, or None when an error is all."""
    line = link.ask(b"get %s\r\n" % b" ".join(keys))
    if line.startswith(b"SERVER_ERROR"):
        return None
    found = {}
    while line != b"END\r\n":
        found[line.split()[1]] = link.stream.read(int(line.split()[3]) + 2)[:-2]
        line = link.stream.readline()
    return found


def closed(link):
    try:
        return link.ask(b"version\r\n") == b""
    except (BrokenPipeError, ConnectionResetError):
        return True


EJECTING = {"auto_eject_hosts": True, "server_failure_limit": 1, "server_retry_timeout": 200}


def ejected(proxy, keys, version, seconds=0):
    """Stores these keys on the other nodes, once they take them."""
    with Text(proxy.port) as link:
        for key in keys:
            stored = without_tries(lambda: link.set(key, b"%s/%d" % (key, version), seconds))
            assert stored == b"STORED\r\n", stored


def back(proxy, node, keys, version):
    """Waits until the proxy gives the node its keys again."""

    def is_back():
        store_all(proxy, version, keys[:1])
        return node.holds(keys[0]) == b"%s/%d" % (keys[0], version)

    await_that(is_back, "the node to be back")


def second_loss_with_ejection(check):
    """Copies that the other nodes took during the first loss are read at the second one."""
    with three_nodes() as nodes:
        # Long enough that nothing but the second kill brings the copies out.
        proxy = Twemproxy(nodes, timeout=10_000, **EJECTING)
        store_all(proxy, 1)
        its_keys = owners(nodes)[0]
        nodes[0].kill()
        ejected(proxy, its_keys, 2)
        check.that("ejected: the other nodes have its keys", read(proxy, its_keys, without_tries), {2})
        nodes[0].start()
        back(proxy, nodes[0], its_keys, 3)
        store_all(proxy, 3)
        check.that("back: all is new", read(proxy, KEYS), {3})
        nodes[0].kill()
        # The first of the keys was stored again and again meanwhile, to see the node come back.
        check.that("lost again: its keys read as of the first loss", read(proxy, its_keys[1:], without_tries), {2})
        check.that("lost again: the others' are right", read(proxy, set(KEYS) - set(its_keys)), {3})
        proxy.end()


def second_loss_with_short_lives(check):
    """Where everything is stored for a second, the copies are gone before they are old."""
    with three_nodes() as nodes:
        proxy = Twemproxy(nodes, timeout=10_000, **EJECTING)
        store_all(proxy, 1)
        its_keys = owners(nodes)[0]
        nodes[0].kill()
        ejected(proxy, its_keys, 2, seconds=1)
        nodes[0].start()
        back(proxy, nodes[0], its_keys, 3)
        await_that(lambda: not any(node.holds(key) for node in nodes[1:] for key in its_keys[1:]), "the copies' end")
        nodes[0].kill()
        check.that("short lives: the second loss shows misses", read(proxy, its_keys[1:], without_tries), {None})
        proxy.end()


def pause_with_ejection(check):
    """A node that was not gone but out of reach comes back with all it had, but for what was on its way to it."""
    with three_nodes() as nodes:
        store_first(nodes)
        proxy = Twemproxy(nodes, timeout=300, **EJECTING)
        its_keys = owners(nodes)[0]
        nodes[0].pause()
        ejected(proxy, its_keys, 2)
        nodes[0].resume()
        check.eventually("out of reach, then back: old values are read", lambda: 1 in read(proxy, its_keys), True)
        nodes[0].flush()
        check.eventually("until it is flushed", lambda: read(proxy, its_keys), {None})
        proxy.end()


def pause_without_ejection(check):
    """What was on its way to a paused node is done when it goes on, although its client was told of an error."""
    with three_nodes() as nodes:
        store_first(nodes)
        proxy = Twemproxy(nodes, timeout=300, auto_eject_hosts=False)
        key = owners(nodes)[0][0]
        nodes[0].pause()
        check.that("out of reach: a set", store_all(proxy, 2, [key]), [b"SERVER_ERROR Connection timed out\r\n"])
        nodes[0].resume()
        check.eventually("out of reach: it was done all the same", lambda: nodes[0].holds(key), b"%s/2" % key)
        proxy.end()


def warm_restart(check):
    """With `-e` a node keeps its items over a stop: right for what could not be changed meanwhile, old for the rest."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, three_nodes() as nodes:
        warm = Node("-e", f"{folder}/memory")
        members = [warm, *nodes[:2]]
        try:
            proxy = Twemproxy(members, timeout=10_000, auto_eject_hosts=False)
            store_all(proxy, 1)
            its_keys = owners(members)[0]
            warm.stop()
            await_that(lambda: read(proxy, its_keys[:1]) == {b"SERVER_ERROR Connection refused\r\n"}, "the loss")
            with Text(proxy.port) as link:
                refused = link.ask(b"delete %s\r\n" % its_keys[0])
            check.that("warm restart: a delete meanwhile is an error", refused, b"SERVER_ERROR Connection refused\r\n")
            warm.start()
            check.eventually("warm restart: all is back, the deleted item too", lambda: read(proxy, its_keys), {1})
            proxy.end()
        finally:
            warm.server.end()


def unix_sockets(check):
    """A proxy and a node on one machine need no port at all."""
    with tempfile.TemporaryDirectory() as folder:
        node = Node(path=f"{folder}/node")
        try:
            proxy = Twemproxy([node], servers_on=[f"{folder}/node:1 node0"], listen=f"{folder}/proxy")
            store_all(proxy, 1)
            check.that("over Unix sockets", read(proxy, KEYS), {1})
            proxy.end()
        finally:
            node.server.end()


def main():
    check = Checks("twemproxy")
    commands(check)
    shares(check)
    tags(check)
    loss_without_ejection(check)
    second_loss_with_ejection(check)
    second_loss_with_short_lives(check)
    pause_with_ejection(check)
    pause_without_ejection(check)
    warm_restart(check)
    unix_sockets(check)
    check.end()


main()
