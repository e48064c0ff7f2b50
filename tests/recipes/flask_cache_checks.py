"""examples/flask_cache.py, by the client that the environment chooses, as a user who reaches `flask:` alone."""

import logging

from flask_cache import LarderCache, app, cache, slow_square
from recipes import Checks, Meta, outcome, seconds_left

check = Checks(f"flask-caching, {type(cache.cache).__name__}")


def page(path="/"):
    return app.test_client().get(path).text


with app.app_context():
    first = page()
    check.that("a page is kept", (first.startswith("made at"), page()), (True, first))
    # It asks for a time of day, so that a clock's second may come on top.
    check.that("for a minute, under the prefix", 0 < (seconds_left("flask:view//") or 0) <= 61, True)
    check.that("a result is kept", page("/square/3"), page("/square/3"))
    check.that("of another argument it is another", page("/square/4").startswith("(4, 16"), True)
    before = page("/square/3")
    cache.delete_memoized(slow_square, 3)
    check.that("until it is deleted", page("/square/3") != before, True)
    kept = {"a": [1, None], "b": "text"}
    check.that("set and get", (cache.set("k", kept), cache.get("k")), (True, kept))
    check.that("its time is the default", (seconds_left("flask:k") or 0) > 270, True)
    check.that("many", (cache.set_many({"x": 1, "y": 2}), cache.get_many("x", "y", "z")), (["x", "y"], [1, 2, None]))
    check.that("add", (cache.add("k", 1), cache.get("k")), (False, kept))
    if isinstance(cache.cache, LarderCache):
        first = page()
        check.that("clear empties the prefix", (cache.clear(), page() != first, cache.get("x")), (True, True, None))
        client = cache.cache._client
        reachable, client.server = client.server, "/nowhere/socket"
        client.client_pool.clear()
        logging.disable(logging.ERROR)
        check.that("without a cache pages are made anew", (page()[:7], page() != page()), ("made at", True))
        logging.disable(logging.NOTSET)
        client.server = reachable
    check.that("delete", (cache.set("k", kept), cache.delete("k"), cache.get("k")), (True, True, None))
check.that("other keys are refused", "unauthorized" in str(outcome(Meta().ask, "mg sess:x v")), True)
check.end()
