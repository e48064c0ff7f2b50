#!/usr/bin/env python3
"""The meta commands (`mg`, `ms`, `md`, `ma`) in seventy lines, with login and TLS, for recipes that need what they add.

The clients for Python that speak meta log in nowhere. The environment is that of larder_client.py:

    LARDER_CA=ca.pem LARDER_USER=app LARDER_PASSWORD=secret ./meta_client.py mg some:key v t

docs/protocol.md has the commands and their flags.
"""

import contextlib
import os
import socket
import ssl
import sys

from larder_client import TIMEOUT_SECS, server, tls


class Meta:
    """One connection, made when it is needed and again after an error. It is for one thread at a time.

    A server that is out of reach is an OSError; a refusal, also of the login or by the certificate, a ValueError.
    """

    def __init__(self, user=os.environ.get("LARDER_USER"), password=os.environ.get("LARDER_PASSWORD")):
        self.user, self.password = user, password
        self.connection = self.stream = None

    def ask(self, line, value=None):
        """Sends a command; gives the reply's code, its flags (`{"t": "300", "W": ""}`) and the value or None."""
        code, *words = self.line(line, value).split()
        found = None
        if code == "VA":
            length = int(words.pop(0)) + 2
            with self._closing_on_error():
                found = self.stream.read(length)
                if len(found) < length:
                    raise ConnectionError("the server closed the connection")
            found = found[:-2]
        return code, {word[0]: word[1:] for word in words}, found

    def line(self, line, value=None):
        """The first line of the reply, for commands that have no other."""
        if "\r" in line or "\n" in line:
            raise ValueError("a command is one line")
        with self._closing_on_error():
            if self.stream is None:
                self._connect()
            reply = self._exchange(line.encode() + b"\r\n" + (b"" if value is None else value + b"\r\n"))
            if reply.split()[0].endswith("ERROR"):
                # A value that was not understood may be taken for a command, whose reply would come next.
                raise ValueError(reply.strip())
        return reply

    def close(self):
        if self.connection is not None:
            with contextlib.suppress(OSError):
                self.connection.close()
        self.connection = self.stream = None

    @contextlib.contextmanager
    def _closing_on_error(self):
        """After an error nobody knows which reply comes next."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _connect(self):
        address = server()
        if isinstance(address, str):
            self.connection = socket.socket(socket.AF_UNIX)
            self.connection.settimeout(TIMEOUT_SECS)
            self.connection.connect(address)
        else:
            self.connection = socket.create_connection(address, timeout=TIMEOUT_SECS)
            if context := tls():
                try:
                    self.connection = context.wrap_socket(self.connection, server_hostname=address[0])
                except ssl.SSLCertVerificationError as error:
                    raise ValueError(str(error)) from error
        self.stream = self.connection.makefile("rwb")
        if self.user is not None:
            login = f"{self.user} {self.password}".encode()
            reply = self._exchange(b"ms login %d\r\n%s\r\n" % (len(login), login))
            if not reply.startswith("HD"):
                raise ValueError(reply.strip())

    def _exchange(self, request):
        self.stream.write(request)
        self.stream.flush()
        reply = self.stream.readline().decode()
        if not reply.endswith("\r\n"):
            raise ConnectionError("the server closed the connection")
        return reply


if __name__ == "__main__":
    print(*Meta().ask(" ".join(sys.argv[1:])))
