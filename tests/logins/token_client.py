"""Tokens that PyJWT signs, against the server on the port given as argument; the private keys are in the directory that
is the second one. `token_client.py --keys DIRECTORY` makes them, and the key set for the server."""

import base64
import json
import os
import sys
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER, AUDIENCE = "https://issuer.example", "larder"
KEYS = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def make_keys(directory):
    rows = []
    for algorithm, generate in KEYS.items():
        key = generate()
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (directory / f"{algorithm}.pem").write_bytes(pem)
        row = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key()))
        rows.append(row | {"kid": algorithm, "use": "sig"})
    (directory / "keys.json").write_text(json.dumps({"keys": rows}))


if sys.argv[1] == "--keys":
    make_keys(Path(sys.argv[2]))
    sys.exit(0)

import wire  # noqa: E402
from checks import Checks  # noqa: E402

port, directory = int(sys.argv[1]), Path(sys.argv[2])
check = Checks("PyJWT")
pems = {algorithm: (directory / f"{algorithm}.pem").read_bytes() for algorithm in KEYS}


def token(algorithm="ES256", key=None, kid=None, **changes):
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "app", "iat": now, "exp": now + 60} | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key or pems[algorithm], algorithm, headers={"kid": kid or algorithm})


def bearer(connection, text, user=""):
    authzid = f"a={user}" if user else ""
    message = f"n,{authzid},\x01auth=Bearer {text}\x01\x01".encode()
    return connection.sasl("OAUTHBEARER", message, True)[0]


def plain(connection, text, user="app"):
    return connection.sasl("PLAIN", f"\0{user}\0{text}".encode(), True)[0]


for kind in (wire.Binary, wire.Text):
    way = kind.__name__.lower()
    for algorithm in KEYS:
        connection = kind(port)
        check.that(f"{algorithm} over {way}", bearer(connection, token(algorithm)), wire.DONE)
        check.that(f"{algorithm} over {way} works", connection.works(), True)
    check.that(f"as PLAIN's password over {way}", plain(kind(port), token()), wire.DONE)
    check.that(f"as another's password over {way}", plain(kind(port), token(), "admin"), wire.FAILED)
    check.that(f"with its user as authzid over {way}", bearer(kind(port), token(), "app"), wire.DONE)
    check.that(f"with another authzid over {way}", bearer(kind(port), token(), "admin"), wire.FAILED)
check.that("as the password of a set", wire.Text(port).token("app", token()), True)

now = int(time.time())
stranger = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
good = token()
signature = good.rsplit(".", 1)[1]
part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
unsigned = {"iss": ISSUER, "aud": AUDIENCE, "sub": "app", "exp": now + 60}
public = json.loads((directory / "keys.json").read_text())["keys"][1]
refused = {
    "expired": token(exp=now - 1),
    "without an end": token(exp=None),
    "not valid yet": token(nbf=now + 600),
    "wrong audience": token(aud="other"),
    "wrong issuer": token(iss="https://other.example"),
    "wrong key": token(key=stranger),
    "unknown key": token(kid="other"),
    "key of another algorithm": token("EdDSA", kid="ES256"),
    "changed signature": good[:-len(signature)] + ("A" if signature[0] != "A" else "B") + signature[1:],
    "alg none": f"{part({'alg': 'none'})}.{part(unsigned)}.",
    "alg none with a signature": f"{part({'alg': 'none', 'kid': 'ES256'})}.{part(unsigned)}.{signature}",
    "signed with a part of the public key": jwt.encode(unsigned, public["x"], "HS256", headers={"kid": "ES256"}),
    "without a subject": token(sub=None),
    "of a user without rights": token(sub="guest"),
    "nonsense": "eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
}
for name, text in refused.items():
    check.that(f"{name} is refused", bearer(wire.Binary(port), text), wire.FAILED)
    check.that(f"{name} is refused as a password", wire.Text(port).token("app", text), False)
guest = wire.Text(port)
check.that("a scope gives rights", bearer(guest, token(sub="guest", scope="larder:read larder:write larder:prefix=wire")), wire.DONE)
check.that("and they hold", guest.works(), True)
check.that("to its prefix", guest.say(b"get other\r\n"), b"CLIENT_ERROR unauthorized\r\n")
brief = wire.Text(port)
check.that("a token of two seconds", bearer(brief, token(exp=int(time.time()) + 2)), wire.DONE)
check.that("ends the connection with its life", brief.file.read(), b"")
check.end()
