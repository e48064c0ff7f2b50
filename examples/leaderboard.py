#!/usr/bin/env python3
"""A leaderboard of the best hundred: one item with all of it, changed by `gets` and `cas`.

    pip install pymemcache
    LARDER_CA=ca.pem LARDER_USER=app LARDER_PASSWORD=secret ./leaderboard.py

Login and TLS: larder_client.py.

There are no sorted sets here. Reading the board is one `get`. Who does not make it onto the board writes nothing, so on
a board that is full most submissions are one `gets`. Those that write at once see `EXISTS` and try again on what is
there by then: no score is lost. A change takes two round trips, and the changes of one board come one after another:
some hundred a second over a network. Beyond that, keep scores in the database and let one holder of a lease
(stampede.py) make the board anew each second.

Stale data: none is read. But a cache may forget: scores belong in the database, and `rebuild` makes a board that is
gone from there. A score that is submitted between the query of `rebuild` and its store is kept, as it stores by `add`.
"""

import json
import random
import time

LENGTH = 100
PAUSE_SECS = 0.005


class Leaderboard:
    """`scores` gives rows (player, points) of the database, for when the cache has lost the board."""

    def __init__(self, cache, name, scores=lambda: ()):
        self.cache, self.key, self.scores = cache, f"board:{name}", scores

    def top(self, count=LENGTH):
        """The best, as [player, points], best first; who was there first comes first."""
        found = self.cache.get(self.key)
        return (self.rebuild() if found is None else json.loads(found))[:count]

    def submit(self, player, points):
        """Notes a result; a player's best one counts. To be called after it is in the database."""
        while True:
            found, token = self.cache.gets(self.key)
            if token is None:
                self.rebuild()
                continue
            board = json.loads(found)
            changed = with_score(board, player, points)
            if changed == board or self.cache.cas(self.key, json.dumps(changed), token):
                return
            time.sleep(random.uniform(0, PAUSE_SECS))

    def rebuild(self):
        """Makes a board that is not there; gives it."""
        board = []
        for player, points in self.scores():
            board = with_score(board, player, points)
        self.cache.add(self.key, json.dumps(board))
        return board


def with_score(board, player, points):
    """The board with this result on it, if it belongs there."""
    if any(name == player and best >= points for name, best in board):
        return board
    others = [row for row in board if row[0] != player]
    return sorted(others + [[player, points]], key=lambda row: -row[1])[:LENGTH]


def main():
    from larder_client import pool

    board = Leaderboard(pool(), "example")
    for player, points in [("ann", 310), ("bob", 290), ("cid", 420), ("bob", 400)]:
        board.submit(player, points)
    for rank, (player, points) in enumerate(board.top(10), start=1):
        print(rank, player, points)


if __name__ == "__main__":
    main()
