"""What the Python scripts share: the server, contexts of TLS, the checks' lines.

A script is called with the server's port. From the environment it learns TLS_CERTIFICATES, the folder that certificates.py
filled, and TLS_SHOW, the name of the certificate that it shows, if any.
"""

import os
import pathlib
import socket
import ssl
import sys

from checks import Checks  # of tests/clients
from logins import outcome  # of tests/logins

__all__ = ["CERTIFICATES", "LARGEST", "PORT", "SHOW", "Checks", "Text", "context", "outcome"]

PORT = int(sys.argv[1])
CERTIFICATES = pathlib.Path(os.environ["TLS_CERTIFICATES"])
SHOW = os.environ.get("TLS_SHOW")
# The largest value for a short key: 1 MiB less memcached's item header.
LARGEST = 1048500


def context(show=SHOW, version=None, trust="authority"):
    """A client's context, which checks the server's name."""
    made = ssl.create_default_context(cafile=CERTIFICATES / f"{trust}.pem")
    if version:
        made.minimum_version = made.maximum_version = version
    if show:
        made.load_cert_chain(CERTIFICATES / f"{show}.pem", CERTIFICATES / f"{show}.key")
    return made


class Text:
    """One connection of the text protocol."""

    def __init__(self, made=None, port=PORT):
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket = (made or context()).wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)
        self.stream = self.socket.makefile("rwb")

    def ask(self, request):
        """Sends a request; gives the first line of the reply."""
        self.stream.write(request)
        self.stream.flush()
        return self.stream.readline()

    def set(self, key, value):
        return self.ask(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value))

    def get(self, key):
        """The value, or None."""
        line = self.ask(b"get %s\r\n" % key)
        return self.value(line) if line != b"END\r\n" else None

    def value(self, line):
        """What follows a line `VALUE key flags length`, up to END."""
        value = self.stream.read(int(line.split()[3]) + 2)[:-2]
        assert self.stream.readline() == b"END\r\n"
        return value

    def statistics(self, group=b""):
        rows = {}
        line = self.ask(b"stats %s\r\n" % group)
        while line != b"END\r\n":
            _, name, value = line.decode().rstrip("\r\n").split(" ", 2)
            rows[name] = value
            line = self.stream.readline()
        return rows
