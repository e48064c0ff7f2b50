#!/usr/bin/env python3
"""Logs in by SCRAM-SHA-256 over Larder's text protocol and asks for the version. Python's standard library is enough.

    scram_login.py HOST PORT USER            the password is read from standard input

It speaks no TLS, so it is for this machine, or for the tunnel of stunnel.conf. The password is never sent.

The words are those of docs/authentication.md, "SASL over text"; the messages those of RFC 5802 and RFC 7677.
"""

import base64
import getpass
import hashlib
import hmac
import os
import socket
import sys

TIMEOUT_SECS = 10


def digest(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def attributes(message):
    """`r=...,s=...,i=...` as a dictionary; values may hold `=`."""
    return dict(part.split("=", 1) for part in message.decode().split(","))


class Connection:
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=TIMEOUT_SECS)
        self.file = self.socket.makefile("rb")

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection; does it want TLS?")
        return line[:-2].decode()

    def sasl(self, message, mechanism=None):
        """Sends one message; the server's challenge, or None when the login is done."""
        words = ["sasl", "auth"] + ([mechanism] if mechanism else []) + [str(len(message))]
        self.socket.sendall(" ".join(words).encode() + b"\r\n" + message + b"\r\n")
        answer = self.line()
        if answer == "SASL_OK":
            return None
        if not answer.startswith("SASL_CONTINUE "):
            raise PermissionError(answer)
        data = self.file.read(int(answer.split()[1]))
        self.line()
        return data

    def log_in(self, user, password):
        name = user.replace("=", "=3D").replace(",", "=2C")
        nonce = base64.b64encode(os.urandom(18)).decode()
        first_bare = f"n={name},r={nonce}".encode()
        server_first = self.sasl(b"n,," + first_bare, "SCRAM-SHA-256")
        asked = attributes(server_first)
        if not asked["r"].startswith(nonce):
            raise PermissionError("the server has answered somebody else")
        salt, iterations = base64.b64decode(asked["s"]), int(asked["i"])
        if not 4096 <= iterations <= 1_000_000:
            # Few would help an impostor to guess the password from the proof, many would keep us busy.
            raise PermissionError(f"{iterations} iterations are asked for")
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
        without_proof = b"c=biws,r=" + asked["r"].encode()
        signed = b",".join([first_bare, server_first, without_proof])
        client_key = digest(salted, b"Client Key")
        signature = digest(hashlib.sha256(client_key).digest(), signed)
        proof = bytes(one ^ other for one, other in zip(client_key, signature))
        server_final = self.sasl(without_proof + b",p=" + base64.b64encode(proof))
        # Only a server that knows the user can have made this.
        expected = base64.b64encode(digest(digest(salted, b"Server Key"), signed))
        if not hmac.compare_digest(server_final, b"v=" + expected):
            raise PermissionError("the server does not know this user")
        if self.sasl(b"") is not None:
            raise PermissionError("the login does not end")


def main():
    host, port, user = sys.argv[1:4]
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    try:
        connection = Connection(host, int(port))
        connection.log_in(user, password)
        connection.socket.sendall(b"version\r\n")
        print(connection.line())
    except OSError as error:
        sys.exit(f"no login: {error}")


if __name__ == "__main__":
    main()
