"""Tokens of PyJWT: `token_client.py DIRECTORY PORT`, with the keys of token_keys.py in the directory.

Each token goes in by OAUTHBEARER (RFC 7628) over both protocols, as bmemcached's password (PLAIN) and as emcache's
(a `set` in text).
"""

import asyncio
import json
import logging
import pathlib
import sys
import time

import bmemcached
import emcache
import jwt
from bmemcached.exceptions import MemcachedException
from emcache.client_errors import AuthenticationError

from logins import USER, BinarySasl, Checks, Refused, TextSasl, outcome

logging.disable(logging.CRITICAL)  # emcache's own log of refused logins
directory, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
check = Checks("token")
now = int(time.time())


def claims(**changes):
    usual = {"iss": "https://issuer.example", "aud": "larder", "sub": USER, "iat": now, "exp": now + 600}
    return {name: value for name, value in (usual | changes).items() if value is not None}


def signed(algorithm="ES256", key=None, kid=None, **changes):
    pem = (directory / f"{key or algorithm}.pem").read_bytes()
    return jwt.encode(claims(**changes), pem, algorithm=algorithm, headers={"kid": kid or key or algorithm})


def bearer_on(connection, user, token):
    """OAUTHBEARER, with the client's 0x01 after the server's error."""
    step = connection.login("OAUTHBEARER")
    challenge = step(f"n,a={user},\x01auth=Bearer {token}\x01\x01".encode())
    if challenge is not None:
        assert json.loads(challenge)["status"] == "invalid_token", challenge
        step(b"\x01")
        raise AssertionError("the login went on after an error")


def bearer(connect, user, token):
    connection = connect(port)
    bearer_on(connection, user, token)
    return connection.round_trip()


def by_plain(user, token):
    client = bmemcached.Client((f"127.0.0.1:{port}",), user, token)
    client.set("token", "value", time=60)
    return client.get("token")


def by_set(user, token):
    async def round_trip():
        client = await emcache.create_client(
            [emcache.MemcachedHostAddress("127.0.0.1", port)], timeout=5.0, username=user, password=token
        )
        try:
            await client.set(b"token", b"value", exptime=60)
            return (await client.get(b"token")).value
        finally:
            await client.close()

    return asyncio.run(round_trip())


WAYS = {
    "OAUTHBEARER, binary": (lambda *login: bearer(BinarySasl, *login), b"value"),
    "OAUTHBEARER, text": (lambda *login: bearer(TextSasl, *login), b"value"),
    "PLAIN, bmemcached": (by_plain, "value"),
    "set, emcache": (by_set, b"value"),
}


def is_refusal(got):
    """The client's own error for a refused login."""
    return isinstance(got, (Refused, AuthenticationError)) or (isinstance(got, MemcachedException) and got.code == 0x20)



good = signed()
head, body, signature = good.split(".")
other_body = signed(sub="somebody").split(".")[1]
public = json.loads((directory / "keys.json").read_text())["keys"][1]

ACCEPTED = {
    "RS256": (USER, signed("RS256")),
    "ES256": (USER, good),
    "EdDSA": (USER, signed("EdDSA")),
    "of several audiences": (USER, signed(aud=["other", "larder"])),
    "of a user not listed, with rights in its scope": ("guest", signed(sub="guest", scope="larder:read larder:write")),
}
REFUSED = {
    "expired": (USER, signed(exp=now - 5)),
    "without an expiry": (USER, signed(exp=None)),
    "not yet valid": (USER, signed(nbf=now + 300)),
    "for another audience": (USER, signed(aud="other")),
    "of another issuer": (USER, signed(iss="https://other.example")),
    "of an unknown key": (USER, signed("ES256", key="stranger")),
    "of a key for another algorithm": (USER, signed("EdDSA", kid="ES256")),
    "of an unknown key under a known name": (USER, signed("ES256", key="stranger", kid="ES256")),
    "with a changed signature": (USER, f"{head}.{body}.{('B' if signature[0] == 'A' else 'A') + signature[1:]}"),
    "with changed claims": (USER, f"{head}.{other_body}.{signature}"),
    "with alg none": (USER, jwt.encode(claims(), None, algorithm="none", headers={"kid": "ES256"})),
    "with a part of the public key as HMAC secret": (
        USER,
        jwt.encode(claims(), public["x"], algorithm="HS256", headers={"kid": "ES256"}),
    ),
    "without a subject": (USER, signed(sub=None)),
    "of another user": (USER, signed(sub="guest", scope="larder:read larder:write")),
    "of a user not listed, without rights": ("guest", signed(sub="guest")),
}

for way, (log_in, value) in WAYS.items():
    for name, login in ACCEPTED.items():
        check.that(f"{name}: {way}", outcome(log_in, *login), value)
    for name, login in REFUSED.items():
        got = outcome(log_in, *login)
        check.that(f"{name} is refused: {way}", "refused" if is_refusal(got) else got, "refused")

guest = TextSasl(port)
scope = "larder:read larder:write larder:prefix=text"
check.that("a scope with a prefix", outcome(bearer_on, guest, "guest", signed(sub="guest", scope=scope)), None)
check.that("its keys", outcome(guest.round_trip), b"value")
check.that("no others", guest.line(b"get other\r\n"), b"CLIENT_ERROR unauthorized\r\n")
# One that is over before it is shown is followed by a longer one.
for seconds in (2, 4, 8):
    brief = TextSasl(port)
    if (got := outcome(bearer_on, brief, USER, signed(exp=int(time.time()) + seconds))) is None:
        break
check.that("a token of a few seconds", got, None)
check.that("ends the connection with its life", outcome(brief.stream.read), b"")
check.end()
