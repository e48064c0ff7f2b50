"""A node is killed and started again under load: is any value wrong, who sees errors, how does the hit ratio recover?

    losses.py twemproxy|twemproxy-ejecting|memcached-proxy [REQUESTS] [FIGURES]

Of REQUESTS (100,000) a third is before the loss, a quarter without the node, the rest after it serves again; those in
between come on top. Hit shares are left in FIGURES as JSON, for picture.py.
"""

import json
import pathlib
import sys

from checks import Checks  # of tests/clients
from load import Load, key_of
from nodes import MemcachedProxy, Text, Twemproxy, await_that, three_nodes

HERE = pathlib.Path(__file__).parent
TICKS = 100
# Keys for so many requests, so that a short run recovers as far as a long one.
REQUESTS_PER_KEY = 20


def proxy_of(name, nodes):
    # A node that is killed refuses connections at once; the time-out is for a machine that is busy with other things.
    if name == "twemproxy":
        return Twemproxy(nodes, timeout=10_000, auto_eject_hosts=False)
    if name == "twemproxy-ejecting":
        settings = {"server_retry_timeout": 500, "server_failure_limit": 2}
        return Twemproxy(nodes, timeout=10_000, auto_eject_hosts=True, **settings)
    return MemcachedProxy(nodes, (HERE / "proxy.lua").read_text())


def owned(node, keys):
    """The numbers of the keys that this node holds, asked for directly."""
    with Text(node.port) as link:
        link.socket.sendall(b"".join(b"mg %s\r\n" % key_of(number) for number in range(keys)) + b"mn\r\n")
        return {number for number in range(keys) if link.stream.readline() == b"HD\r\n"}


def main():
    name, requests = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    keys, tick = requests // REQUESTS_PER_KEY, max(1, requests // TICKS)
    check = Checks(name)
    with three_nodes() as nodes:
        proxy = proxy_of(name, nodes)
        load = Load(proxy.port, keys, tick)
        load.fill()
        owners = [owned(node, keys) for node in nodes]
        check.that("each key is on one node", sum(map(len, owners)), keys)
        check.that("no node has less than a fifth", all(len(part) > keys / 5 for part in owners), True)
        lost, its_keys = nodes[1], owners[1]

        load.start()
        load.await_requests(requests // 3)
        killed_at, unread = load.requests, load.total("misses") + load.total("read_errors")
        lost.kill()
        load.await_requests(killed_at + requests // 4)
        started_at = load.requests
        lost.start()
        await_that(lambda: load.broken or owned(lost, keys) & its_keys, "the node to be given keys again")
        back_at = load.requests
        load.await_requests(back_at + requests - requests // 3 - requests // 4)
        load.stop()
        proxy.end()

    check.that("no client was cut off", load.broken, [])
    check.that("no damaged, foreign or unknown value", load.foreign[:5], [])
    check.that("no stale value", load.stale[:5], [])
    check.that("errors only for keys of the lost node", sorted(load.failed_keys - its_keys)[:5], [])
    check.that("errors there were", len(load.failed_keys) > 0, True)
    # What was counted before the kill, as a batch that the loss meets counts into the tick in which it began.
    check.that("every read hit before the loss", unread, 0)
    last = load.ticks[-2]
    if name == "twemproxy-ejecting":
        # The other two have taken the keys over.
        check.that("reads hit while it was ejected", load.ticks[started_at // tick - 1].hit_share() > 0.8, True)
    else:
        share = load.ticks[(killed_at + started_at) // 2 // tick]
        check.that("its keys stay errors while it is lost", share.read_errors > 0 and share.misses == 0, True)
    check.that("the hit ratio came back", last.hit_share() > 0.9 and last.read_errors == 0, True)

    dip = min(load.ticks[killed_at // tick + 1 : -1], key=lambda tally: tally.hit_share())
    print(
        f"{name}: requests={load.requests} hits={load.total('hits')} misses={load.total('misses')} "
        f"read_errors={load.total('read_errors')} store_errors={load.total('store_errors')} "
        f"foreign={len(load.foreign)} stale={len(load.stale)} keys={keys} of_lost_node={len(its_keys)} "
        f"lowest_hit_share={dip.hit_share():.3f} last_hit_share={last.hit_share():.3f}"
    )
    for line, count in sorted(load.errors.items()):
        print(f"  {count} x {line.decode().strip()}")
    if len(sys.argv) > 3:
        ticks = [tally for tally in load.ticks if tally.reads()]
        shares = [[tally.hits / tally.reads(), tally.read_errors / tally.reads()] for tally in ticks]
        marks = {"killed": killed_at, "started": started_at, "back": back_at}
        pathlib.Path(sys.argv[3]).write_text(json.dumps({"name": name, "tick": tick, "shares": shares, "marks": marks}))
    check.end()


main()
