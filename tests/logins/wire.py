"""SASL by hand, for clients that know SCRAM or tokens and not memcached: over the binary opcodes and in words."""

import socket
import struct

LIST, AUTH, STEP = 0x20, 0x21, 0x22
DONE, FAILED, CONTINUE = 0x00, 0x20, 0x21


class Binary:
    """The binary opcodes."""

    def __init__(self, port):
        self.file = socket.create_connection(("127.0.0.1", port)).makefile("rwb")

    def ask(self, opcode, key=b"", value=b"", extras=b""):
        header = struct.pack(">BBHBBHIIQ", 0x80, opcode, len(key), len(extras), 0, 0, len(extras + key + value), 7, 0)
        self.file.write(header + extras + key + value)
        self.file.flush()
        head = self.file.read(24)
        if len(head) < 24:
            return None, b""
        key_len, extras_len, status, body_len = struct.unpack(">2xHBxHI", head[:12])
        return status, self.file.read(body_len)[extras_len + key_len:]

    def sasl(self, mechanism, message, first):
        """The status and the challenge, or why there is none."""
        return self.ask(AUTH if first else STEP, mechanism.encode(), message)

    def works(self):
        """Whether a value can be stored and read."""
        stored, _ = self.ask(0x01, b"wire", b"value", bytes(8))
        return stored == DONE and self.ask(0x00, b"wire") == (DONE, b"value")


class Text:
    """The words of the text protocol."""

    def __init__(self, port):
        self.file = socket.create_connection(("127.0.0.1", port)).makefile("rwb")

    def say(self, data):
        self.file.write(data)
        self.file.flush()
        return self.file.readline()

    def sasl(self, mechanism, message, first):
        name = mechanism.encode() + b" " if first else b""
        line = self.say(b"sasl auth %s%d\r\n%s\r\n" % (name, len(message), message))
        if line.startswith(b"SASL_CONTINUE "):
            data = self.file.read(int(line.split()[1]))
            self.file.readline()
            return CONTINUE, data
        return (DONE if line == b"SASL_OK\r\n" else FAILED), line

    def token(self, user, password):
        """memcached's login by set."""
        token = f"{user} {password}".encode()
        return self.say(b"set auth 0 0 %d\r\n%s\r\n" % (len(token), token)) == b"STORED\r\n"

    def works(self):
        if self.say(b"set wire 0 0 5\r\nvalue\r\n") != b"STORED\r\n" or self.say(b"get wire\r\n") != b"VALUE wire 0 5\r\n":
            return False
        return self.file.readline() + self.file.readline() == b"value\r\nEND\r\n"
