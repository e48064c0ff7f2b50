"""examples/token_login.py: tokens let in for their time, and clients outlive them. `token_login_checks.py DIRECTORY`,
with the keys of tests/logins/token_keys.py in it.
"""

import os
import pathlib
import sys

from pymemcache.exceptions import MemcacheClientError

from recipes import WAIT_SECS, Checks, outcome, run_example
from token_login import client, issue

directory = pathlib.Path(sys.argv[1])
key = (directory / "ES256.pem").read_bytes()
check = Checks("tokens")


def token(seconds=600, user="app", key=key, **claims):
    return issue(key, "ES256", user, seconds, **claims)


def reads(user, text):
    """What a client with this token gets for the key that is there."""
    return outcome(client(user, lambda: text).get, "shop:token")


file = directory / "token"
file.write_text(token())
os.environ["TOKEN_FILE"] = str(file)
check.that("runs", run_example("token_login.py"), (0, ["hello"]))

check.that("a good token", outcome(client("app", token).set, "shop:token", "there"), True)
check.that("lets in", reads("app", token()), b"there")
for title, login in {
    "one that is over": ("app", token(-5)),
    "one for another audience": ("app", token(aud="other")),
    "one of another issuer": ("app", token(iss="https://other.example")),
    "one of another key": ("app", token(key=(directory / "stranger.pem").read_bytes())),
    "somebody else's": ("web", token()),
    "a stranger's without a scope": ("stranger", token(user="stranger")),
}.items():
    check.that(f"{title} does not", type(reads(*login)), MemcacheClientError)

scope = "larder:read larder:prefix=shop:"
narrow = client("stranger", lambda: token(user="stranger", scope=scope))
check.that("a stranger's with a scope lets in", outcome(narrow.get, "shop:token"), b"there")
for title, call in {
    "writing": lambda: narrow.set("shop:token", "changed"),
    "other keys": lambda: narrow.get("lock:counter"),
}.items():
    check.that(f"but not to {title}", "unauthorized" in str(outcome(call)), True)

shown = []


def brief_first():
    """A token of a few seconds, and then one that lasts."""
    shown.append(token(600 if shown else seconds))
    return shown[-1]


# One that is over before it is of use is followed by a longer one.
for seconds in (3, 6, 12, 24):
    shown.clear()
    cache = client("app", brief_first)
    if (got := (outcome(cache.get, "shop:token"), len(shown))) == (b"there", 1):
        break
check.that("a token of a few seconds", got, (b"there", 1))
[connection] = cache._client.client_pool._free_objs
connection.sock.settimeout(WAIT_SECS)
check.that("ends the connection with its life", outcome(connection.sock.recv, 1), b"")
check.that("and the client comes back with a new one", (outcome(cache.get, "shop:token"), len(shown)), (b"there", 2))
check.end()
