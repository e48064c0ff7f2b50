"""What the Python scripts share: who logs in, the checks' lines, and SASL over both protocols by hand."""

import os
import socket
import struct

from checks import Checks  # of tests/clients

__all__ = ["PASSWORD", "USER", "BinarySasl", "Checks", "Refused", "TextSasl", "outcome"]

USER = os.environ["LOGIN_USER"]
PASSWORD = os.environ["LOGIN_PASSWORD"]

TIMEOUT_SECS = 30
HEADER = struct.Struct("!BBHBBHIIQ")
LIST, AUTH, STEP = 0x20, 0x21, 0x22
CONTINUE, AUTH_ERROR = 0x21, 0x20
GET, SET = 0x00, 0x01


def outcome(call, *args, **named):
    """What a call gives, or the exception that it raised."""
    try:
        return call(*args, **named)
    except Exception as error:  # any is an outcome
        return error


class Refused(Exception):
    """The server ended a login."""


class BinarySasl:
    """SASL in the binary protocol's opcodes: the mechanism is the key of each message, the data its value."""

    def __init__(self, port):
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECS).makefile("rwb")

    def ask(self, opcode, key=b"", value=b"", extras=b""):
        """Sends one request; gives status and value of the reply."""
        body = extras + key + value
        self.stream.write(HEADER.pack(0x80, opcode, len(key), len(extras), 0, 0, len(body), 7, 0) + body)
        self.stream.flush()
        _, _, key_bytes, extra_bytes, _, status, total, _, _ = HEADER.unpack(self.stream.read(HEADER.size))
        return status, self.stream.read(total)[extra_bytes + key_bytes :]

    def mechanisms(self):
        return self.ask(LIST)[1].decode().split()

    def login(self, mechanism):
        """A function that sends the next message: gives the challenge, or None once logged in."""
        opcodes = iter([AUTH])

        def step(data):
            status, value = self.ask(next(opcodes, STEP), mechanism.encode(), data)
            if status == CONTINUE:
                return value
            if (status, value) == (0, b"Authenticated"):
                return None
            if (status, value) == (AUTH_ERROR, b"Auth failure."):
                raise Refused(value)
            raise AssertionError(f"status {status:#x} {value!r}")

        return step

    def round_trip(self):
        """Sets and reads a value."""
        self.ask(SET, b"binary", b"value", struct.pack("!II", 0, 60))
        return self.ask(GET, b"binary")[1]


class TextSasl:
    """SASL in the text protocol's `sasl` command."""

    def __init__(self, port):
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECS).makefile("rwb")

    def line(self, request):
        self.stream.write(request)
        self.stream.flush()
        return self.stream.readline()

    def mechanisms(self):
        word, *names = self.line(b"sasl mech\r\n").decode().split()
        assert word == "SASL_MECH", word
        return names

    def login(self, mechanism):
        """As BinarySasl.login."""
        names = iter([f"{mechanism} "])

        def step(data):
            reply = self.line(b"sasl auth %s%d\r\n%s\r\n" % (next(names, "").encode(), len(data), data))
            if reply == b"SASL_OK\r\n":
                return None
            if reply.startswith(b"SASL_CONTINUE "):
                challenge = self.stream.read(int(reply.split()[1]))
                assert self.stream.read(2) == b"\r\n"
                return challenge
            if reply.startswith(b"AUTH_ERROR"):
                raise Refused(reply)
            raise AssertionError(repr(reply))

        return step

    def round_trip(self):
        """As BinarySasl.round_trip."""
        assert self.line(b"set text 0 60 5\r\nvalue\r\n") == b"STORED\r\n"
        assert self.line(b"get text\r\n") == b"VALUE text 0 5\r\n"
        value = self.stream.readline().rstrip(b"\r\n")
        assert self.stream.readline() == b"END\r\n"
        return value
