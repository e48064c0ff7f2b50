#!/usr/bin/env python3
"""Short-lived signed tokens instead of passwords: what IAM authentication is to ElastiCache.

    pip install pymemcache PyJWT[crypto]
    LARDER_CA=ca.pem LARDER_USER=app TOKEN_FILE=/run/app/token ./token_login.py

The users file says whose tokens are good (docs/authentication.md, "Tokens"); no password is in it:

    [tokens]
    keys = "keys.json"
    issuer = "https://issuer.example"
    audience = "larder"

A token goes where the password went, so any client that can log in can use one. Two things are to be done on the
client's side. Each new connection needs a token that is still good: the password is a function here, which reads the
file that an issuer's agent keeps fresh. And at the token's end the server closes the connection: a command that meets
this is asked again on a new one.

Over a network tokens are taken with TLS only, as who reads one along can use it until it ends. Stale rights: whose
token is out keeps its rights until its `exp`, so let tokens live minutes, or take the user or the key away, which
closes connections within a second.
"""

import os
import pathlib
import time

import jwt
from pymemcache.client.retrying import RetryingClient
from pymemcache.exceptions import MemcacheUnexpectedCloseError

from larder_client import pool

CONNECTIONS = 4


def issue(key, kid, user, seconds, **claims):
    """What an issuer does: a token for a user, signed by ES256. `scope="larder:read larder:prefix=a:"` narrows it."""
    now = int(time.time())
    usual = {"iss": "https://issuer.example", "aud": "larder", "sub": user, "iat": now, "exp": now + seconds}
    return jwt.encode(usual | claims, key, algorithm="ES256", headers={"kid": kid})


def client(user, token):
    """A pool whose connections log in with what `token()` gives, and that outlives them.

    All connections may have ended when a command comes, so there is one attempt more than connections. Commands that
    must not be done twice (incr, append) should not be asked again blindly: leave them out of a client like this.
    """
    connections = pool(user, token, max_pool_size=CONNECTIONS)
    ended = [MemcacheUnexpectedCloseError, ConnectionError]
    return RetryingClient(connections, attempts=CONNECTIONS + 1, retry_for=ended)


def main():
    file = pathlib.Path(os.environ["TOKEN_FILE"])
    cache = client(os.environ["LARDER_USER"], lambda: file.read_text().strip())
    cache.set("greeting", "hello", expire=60)
    print(cache.get("greeting").decode())


if __name__ == "__main__":
    main()
