"""examples/django_cache.py: Django's own cache, pages and sessions, as a user who reaches `django:` alone."""

import django
from django.core.cache import cache
from django.test import Client
from django.test.utils import setup_test_environment

import django_cache
from recipes import Checks, Meta, outcome, run_example, seconds_left, together

check = Checks("django")
django.setup()
setup_test_environment()
lines = ["System check identified no issues (0 silenced)."]
check.that("Django's own check", run_example("django_cache.py", arguments=["check"]), (0, lines))

check.that("set and get", (cache.set("k", {"a": [1, None]}, 60), cache.get("k")), (None, {"a": [1, None]}))
check.that("stands under the prefix", 0 < (seconds_left("django:1:k") or 0) <= 60, True)
check.that("a miss", cache.get("missing", "default"), "default")
check.that("many", (cache.set_many({"a": 1, "b": 2}), cache.get_many(["a", "b", "c"])), ([], {"a": 1, "b": 2}))
check.that("add", (cache.add("k", 1), cache.add("new", 1)), (False, True))
check.that("touch", (cache.touch("k", 100), seconds_left("django:1:k") > 60), (True, True))
check.that("timeout 0 deletes", (cache.set("k", 1, timeout=0), cache.get("k")), (None, None))
cache.set("count", 0)
check.that("incr at once", sorted(together(8, lambda _: cache.incr("count"))), list(range(1, 9)))

first = Client().get("/").content
check.that("a page is kept", (b"made at" in first, Client().get("/").content), (True, first))
visitor = Client()
said = [visitor.get("/visits").content for _ in range(3)]
check.that("a session counts", said, [b"1 visits\n", b"2 visits\n", b"3 visits\n"])
session = "django:1:django.contrib.sessions.cache" + visitor.cookies["sessionid"].value
check.that("and has half an hour", (seconds_left(session) or 0) > 1770, True)
Meta().ask(f"mg {session} T100")
visitor.get("/visits")
check.that("anew at each visit", (seconds_left(session) or 0) > 1770, True)
check.that("somebody else has a session of their own", Client().get("/visits").content, b"1 visits\n")

cache.clear()
check.that("clear empties it", (cache.get("a"), Client().get("/").content != first), (None, True))
client = next(iter(cache._cache.clients.values()))
check.that("the user cannot read other keys", "unauthorized" in str(outcome(client.get, "sess:x")), True)
check.that("nor empty the cache of all", "unauthorized" in str(outcome(client.flush_all)), True)

wrong = {**django_cache.SETTINGS["CACHES"]["default"]["OPTIONS"], "password": "wrong"}
location = django_cache.SETTINGS["CACHES"]["default"]["LOCATION"]
refused = django_cache.LarderCache(location, {"OPTIONS": wrong})
away = django_cache.LarderCache("/nowhere/socket", {"OPTIONS": wrong})
check.that("a server that is away is an error", type(outcome(away.get, "k")), FileNotFoundError)
going_on = django_cache.LarderCache("/nowhere/socket", {"OPTIONS": wrong | {"ignore_exc": True}})
check.that("or a miss", going_on.get("k", "default"), "default")
check.that("a wrong password is an error", "authentication failure" in str(outcome(refused.get, "k")), True)
check.end()
