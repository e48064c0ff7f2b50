"""examples/session_store.py, in Flask's own test client, as a user who reaches `sess:` alone."""

import logging

from flask import request
from larder_client import pool
from recipes import Checks, outcome, seconds_left, together
from session_store import SESSION_SECS, Sessions, app

check = Checks("sessions")
BASE = "https://localhost"  # the cookie is for HTTPS


def browser(cookie=None):
    made = app.test_client()
    if cookie:
        made.set_cookie("session", cookie)
    return made


def ask(client, path, method="GET", **form):
    return client.open(path, method=method, base_url=BASE, data=form).text.strip()


def name(client):
    cookie = client.get_cookie("session")
    return cookie and cookie.value


def item(client):
    return Sessions.key(name(client))


visitor = browser()
check.that("a visit without a login stores nothing", (ask(visitor, "/"), name(visitor)), ("hello stranger", None))
ask(visitor, "/basket/kettle", "POST")
before = name(visitor)
check.that("a login", ask(visitor, "/login", "POST", user="ann"), "welcome")
check.that("is remembered", ask(visitor, "/"), "hello ann")
check.that("with what was there before", ask(visitor, "/basket"), '{"kettle":1}')
check.that("gives a new name", name(visitor) not in (None, before), True)
check.that("and ends the old one", ask(browser(before), "/basket"), "{}")
cookie = visitor.get_cookie("session")
check.that("the cookie is for HTTPS and not for scripts", (cookie.secure, cookie.http_only), (True, True))
planted = browser("planted")
ask(planted, "/login", "POST", user="eve")
check.that("a name that a stranger chose is not taken", name(planted) != "planted", True)

pool().touch(item(visitor), 100)
check.that("time runs out", seconds_left(item(visitor)) <= 100, True)
ask(visitor, "/")
check.that("and starts anew at a visit", seconds_left(item(visitor)) > SESSION_SECS - 30, True)

ARTICLES = 12
together(ARTICLES, lambda number: ask(browser(name(visitor)), f"/basket/{number:02}", "POST"))
basket = browser(name(visitor)).get("/basket", base_url=BASE).json
check.that(
    "requests at once lose nothing of each other's", basket, {f"{n:02}": 1 for n in range(ARTICLES)} | {"kettle": 1}
)

stolen = browser(name(visitor))
with app.test_request_context("/", base_url=BASE, headers={"Cookie": f"session={name(visitor)}"}):
    late = app.session_interface.open_session(app, request)
check.that("logging out", ask(visitor, "/logout", "POST"), "bye")
check.that("ends the session, also of a copied cookie", ask(stolen, "/"), "hello stranger")
late["user"] = "ann once more"
app.session_interface.save_session(app, late, app.response_class())
check.that("and a request that was under way does not bring it back", ask(stolen, "/"), "hello stranger")

reachable, app.session_interface.cache.server = app.session_interface.cache.server, "/nowhere/socket"
app.session_interface.cache.client_pool.clear()
logging.disable(logging.ERROR)
away = planted.get("/", base_url=BASE)
logging.disable(logging.NOTSET)
app.session_interface.cache.server = reachable
check.that("without a cache nobody is taken for a stranger", away.status_code, 500)
check.that("and a session goes on", ask(planted, "/"), "hello eve")

web = pool()
key = item(planted)
for title, call in {
    "read": lambda: web.get("shop:product:1"),
    "write": lambda: web.set("shop:product:1", "x"),
    "empty the cache": lambda: web.flush_all(),
}.items():
    check.that(f"the user of the sessions cannot {title}", "unauthorized" in str(outcome(call)), True)
check.that("but its own", web.get(key) is not None, True)
check.end()
