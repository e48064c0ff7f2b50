#!/usr/bin/env python3
"""The meta commands (`mg`, `ms`, `md`, `ma`) in forty lines, with login and TLS, for recipes that need what they add.

The clients for Python that speak meta log in nowhere. The environment is that of larder_client.py:

    LARDER_CA=ca.pem LARDER_USER=app LARDER_PASSWORD=secret ./meta_client.py mg some:key v t

docs/protocol.md has the commands and their flags.
"""

import os
import socket
import sys

from larder_client import TIMEOUT_SECS, server, tls


class Meta:
    """One connection. It is for one thread at a time."""

    def __init__(self, user=os.environ.get("LARDER_USER"), password=os.environ.get("LARDER_PASSWORD")):
        address = server()
        if isinstance(address, str):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(TIMEOUT_SECS)
            connection.connect(address)
        else:
            connection = socket.create_connection(address, timeout=TIMEOUT_SECS)
            if context := tls():
                connection = context.wrap_socket(connection, server_hostname=address[0])
        self.stream = connection.makefile("rwb")
        if user is not None:
            login = f"{user} {password}".encode()
            code, *_ = self.ask(f"ms login {len(login)}", login)
            if code != "HD":
                raise PermissionError(code)

    def ask(self, line, value=None):
        """Sends a command; gives the reply's code, its flags (`{"t": "300", "W": ""}`) and the value or None."""
        code, *words = self.line(line, value).split()
        found = None
        if code == "VA":
            found = self.stream.read(int(words.pop(0)) + 2)[:-2]
        return code, {word[0]: word[1:] for word in words}, found

    def line(self, line, value=None):
        """The first line of the reply, for commands that have no other."""
        self.stream.write(line.encode() + b"\r\n" + (b"" if value is None else value + b"\r\n"))
        self.stream.flush()
        reply = self.stream.readline().decode()
        if not reply.endswith("\r\n"):
            raise ConnectionError("the server closed the connection")
        if reply.split()[0].endswith("ERROR"):
            raise ValueError(reply.strip())
        return reply


if __name__ == "__main__":
    print(*Meta().ask(" ".join(sys.argv[1:])))
