"""Writes keys for signed tokens into a directory: `keys.json` for the server, a PEM for each signer.

`stranger.pem` is a key that the server does not know.
"""

import json
import pathlib
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

directory = pathlib.Path(sys.argv[1])
keys = {
    "RS256": (rsa.generate_private_key(public_exponent=65537, key_size=2048), RSAAlgorithm),
    "ES256": (ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm),
}


def write_private(name, key):
    """Writes a private key for the client."""
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / f"{name}.pem").write_bytes(pem)


rows = []
for name, (key, algorithm) in keys.items():
    write_private(name, key)
    row = json.loads(algorithm.to_jwk(key.public_key()))
    row.pop("key_ops", None)
    rows.append(row | {"kid": name, "alg": name, "use": "sig"})
write_private("stranger", ec.generate_private_key(ec.SECP256R1()))
(directory / "keys.json").write_text(json.dumps({"keys": rows}))
