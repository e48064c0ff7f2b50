"""Makes the authorities and certificates of the TLS checks in a folder: `certificates.py FOLDER`.

    authority.pem       whom clients and servers trust
    server-ecdsa.pem    P-256, by an intermediate authority, which is in the file behind it
    server-rsa.pem      RSA 2048, by the authority itself
    next-1.pem ..       servers' certificates for a swap
    client.pem          a client's, for `app`
    expired.pem         the same, but over since yesterday
    stranger.pem        the same, by an authority that nobody here trusts, which is stranger-authority.pem

Each certificate has its key beside it, in `<name>.key`.
"""

import datetime
import ipaddress
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SWAPS = 4
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
          "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")


class Issuer:
    """A certificate with its key, which may sign others."""

    def __init__(self, certificate, key, chain=()):
        self.certificate, self.key, self.chain = certificate, key, chain


def ecdsa():
    return ec.generate_private_key(ec.SECP256R1())


def issue(name, key, by=None, until=NOW + DAY, authority=False, usage=None):
    """A certificate for this key, signed by another's or, without one, by its own."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    used = {"key_cert_sign", "crl_sign"} if authority else {"digital_signature"}
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - 30 * DAY)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{usage: usage in used for usage in USAGES}), critical=True)
    )
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if usage == ExtendedKeyUsageOID.SERVER_AUTH:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(by.key if by else key, hashes.SHA256())
    chain = (by.certificate, *by.chain) if by and by.certificate.issuer != by.certificate.subject else ()
    return Issuer(certificate, key, chain)


def write(folder, name, issued):
    """The certificate with those above it, and the key."""
    pem = serialization.Encoding.PEM
    blocks = [certificate.public_bytes(pem) for certificate in (issued.certificate, *issued.chain)]
    (folder / f"{name}.pem").write_bytes(b"".join(blocks))
    key = issued.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{name}.key"
    path.touch(mode=0o600)
    path.write_bytes(key)


def main(folder):
    server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    authority = issue("authority", ecdsa(), authority=True)
    intermediate = issue("intermediate", ecdsa(), authority, authority=True)
    stranger = issue("stranger's authority", ecdsa(), authority=True)
    certificates = {
        "authority": authority,
        "stranger-authority": stranger,
        "server-ecdsa": issue("localhost", ecdsa(), intermediate, usage=server),
        "server-rsa": issue("localhost", rsa.generate_private_key(65537, 2048), authority, usage=server),
        "client": issue("app", ecdsa(), authority, usage=client),
        "expired": issue("app", ecdsa(), authority, until=NOW - DAY, usage=client),
        "stranger": issue("app", ecdsa(), stranger, usage=client),
    }
    for number in range(1, SWAPS + 1):
        certificates[f"next-{number}"] = issue(f"next-{number}", ecdsa(), authority, usage=server)
    for name, issued in certificates.items():
        write(folder, name, issued)


main(pathlib.Path(sys.argv[1]))
