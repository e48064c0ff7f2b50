"""examples/leaderboard.py: no score is lost, whoever submits at once and whenever the cache forgets."""

import random

from larder_client import pool
from leaderboard import LENGTH, Leaderboard, with_score
from recipes import Checks, run_example, together

check = Checks("leaderboard")
check.that("runs", run_example("leaderboard.py"), (0, ["1 cid 420", "2 bob 400", "3 ann 310"]))

THREADS, EACH = 8, 25
cache = pool()
chance = random.Random(7)
results = [
    [(f"player-{chance.randrange(150)}", chance.randrange(100_000)) for _ in range(EACH)] for _ in range(THREADS)
]


def best(rows):
    """What a board of these results has to show."""
    points = {}
    for player, result in rows:
        points[player] = max(result, points.get(player, 0))
    return sorted(points.values(), reverse=True)[:LENGTH]


def submit_all(board):
    def submit(number):
        for player, points in results[number]:
            board.submit(player, points)

    return submit


every = [row for rows in results for row in rows]
board = Leaderboard(cache, "first")
check.that("threads at once", together(THREADS, submit_all(board)), [None] * THREADS)
check.that("have lost no score", [points for _, points in board.top()], best(every))
check.that("a player stands there once", len({player for player, _ in board.top()}), len(board.top()))

token = cache.gets("board:first")[1]
board.submit("nobody", -1)
board.submit(*board.top(1)[0])
if len(board.top()) == LENGTH:
    check.that("who does not make it writes nothing", cache.gets("board:first")[1], token)

cache.delete("board:first")
stored = Leaderboard(cache, "first", scores=lambda: every)
check.that("a board that was lost is made anew", [points for _, points in stored.top()], best(every))
cache.delete("board:first")
stored.submit("newcomer", 1_000_000)
check.that("also by who submits", stored.top(1), [["newcomer", 1_000_000]])
check.that("with all others", [points for _, points in stored.top()][1:], best(every)[: LENGTH - 1])


class Overtaken(Leaderboard):
    """Somebody submits between its query and its store."""

    def __init__(self):
        super().__init__(cache, "first", scores=self.query)

    def query(self):
        stored.submit("quick", 2_000_000)
        return every


cache.delete("board:first")
Overtaken().rebuild()
check.that("a score that comes while it is made is kept", stored.top(1), [["quick", 2_000_000]])

full = [[f"p{number}", 100] for number in range(LENGTH)]
check.that("a tie does not push anybody off", with_score(full, "late", 100), full)
check.that("a better one pushes the last one off", with_score(full, "good", 101), [["good", 101], *full[:-1]])
check.that("a worse result of the same player changes nothing", with_score([["a", 5]], "a", 4), [["a", 5]])
check.end()
