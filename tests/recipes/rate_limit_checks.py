"""examples/rate_limit.py: exactly as many get through as the limit says, however many ask at once."""

from larder_client import pool
from rate_limit import allowed, allowed_by_meta
from recipes import Checks, OwnMeta, outcome, run_example, seconds_left, together

check = Checks("rate limit")
THREADS, EACH, LIMIT, SECONDS = 8, 25, 60, 100

lines = [f"incr and add: {said}" for said in (True, True, True, False)]
lines += [f"ma: {said}" for said in (True, True, True, False)]
status, printed = run_example("rate_limit.py")
check.that("runs", (status, [line.rstrip(" 0123456789") for line in printed]), (0, lines))

cache, meta = pool(), OwnMeta()


def by_meta(who):
    said, left = allowed_by_meta(meta(), who, LIMIT, SECONDS)
    return said and SECONDS - 30 <= left <= SECONDS


for way, ask in {"incr and add": lambda who: allowed(cache, who, LIMIT, SECONDS), "ma": by_meta}.items():
    who = way.replace(" ", "-")
    through = together(THREADS, lambda _: sum(ask(who) for _ in range(EACH)))
    check.that(f"{way}: {THREADS} threads, {THREADS * EACH} requests", sum(through), LIMIT)
    left = seconds_left(f"rate:{who}")
    check.that(f"{way}: the window ends", left is not None and 0 < left <= SECONDS, True)
    check.that(f"{way}: others are counted apart", ask(f"{who}-other"), True)
    # `incr` into a window whose first request is long ago must not make it longer.
    cache.touch(f"rate:{who}", 50)
    check.that(f"{way}: the limit holds", ask(who), False)
    check.that(f"{way}: asking does not prolong the window", seconds_left(f"rate:{who}") <= 50, True)
    cache.touch(f"rate:{who}", -1)
    check.that(f"{way}: the next window begins", ask(who), True)
for who in ["ann T0", "ann\r\nflush_all"]:
    check.that(f"ma: {who!r} is no name", type(outcome(by_meta, who)), ValueError)
check.end()
