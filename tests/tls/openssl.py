"""`openssl s_client`: versions, resumption; and what is no TLS at all.

    openssl.py PORT cached|uncached      whether the server has `-o ssl_session_cache`
"""

import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile

from stand import CERTIFICATES, PORT, Checks, Text

cached = sys.argv[2] == "cached"
check = Checks("openssl")
# OpenSSL 3 speaks 1.0 and 1.1 at this level only, and it is the server that shall refuse them.
OLD = ["-cipher", "DEFAULT:@SECLEVEL=0"]


def s_client(*words, say=b"version\r\nquit\r\n"):
    """All that it says."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{PORT}", "-CAfile", CERTIFICATES / "authority.pem",
               "-verify_return_error", "-verify_ip", "127.0.0.1", "-ign_eof", *words]
    done = subprocess.run(command, input=say, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
    return done.stdout.decode("utf-8", "replace")


def first(pattern, text):
    """What a pattern finds first; of a text without it, its end."""
    found = re.search(pattern, text, re.M)
    return found.group(1) if found else text[-200:]


for name, option in [("1.2", "-tls1_2"), ("1.3", "-tls1_3")]:
    said = s_client(option)
    check.that(f"{name}: certificate", first(r"Verify return code: (\d+)", said), "0")
    check.that(f"{name}: reply", first(r"(VERSION 1\.)", said), "VERSION 1.")
    check.that(f"{name}: session", first(r"^(New|Reused), TLSv" + re.escape(name), said), "New")
    with tempfile.TemporaryDirectory() as folder:
        session = os.path.join(folder, "session")
        first_time = s_client(option, "-sess_out", session)
        again = s_client(option, "-sess_in", session) if os.path.exists(session) else "New, as there was no ticket"
        check.that(f"{name}: second connection", first(r"^(New|Reused), ", again), "Reused" if cached else "New")
for name, option in [("1.0", "-tls1"), ("1.1", "-tls1_1")]:
    # rustls misses an extension first; OpenSSL says `protocol version`.
    said = first(r"(alert (?:protocol version|handshake failure))", s_client(option, *OLD))
    check.that(f"{name} is refused", said.startswith("alert "), True)
if cached:
    said = s_client("-tls1_2", "-reconnect")
    check.that("-reconnect", len(re.findall(r"^Reused, TLSv1.2", said, re.M)), 5)


def heard(sent):
    """What comes back until the connection ends."""
    with socket.create_connection(("127.0.0.1", PORT), timeout=20) as plain:
        plain.sendall(sent)
        got = b""
        try:
            while more := plain.recv(4096):
                got += more
        except ConnectionResetError:
            pass
        return got


served = Text()
for name, sent in [
    ("a text command", b"set k 0 0 1\r\nx\r\nget k\r\n" * 100),
    ("a binary request", b"\x80" + b"\0" * 23 + b"\x80\x0b" + b"\0" * 22),
    ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("a record of rubbish", b"\x16\x03\x01\x40\x00" + b"\xff" * 16384),
    ("a record too long", b"\x17\x03\x03\xff\xff" + b"\0" * 65535),
    ("random bytes", os.urandom(100000)),
]:
    got = heard(sent)
    # Nothing, or an alert of TLS: never a reply.
    check.that(f"{name} gets no reply", got == b"" or got[:1] == b"\x15", True)
    check.that(f"others are served after {name}", served.ask(b"version\r\n").startswith(b"VERSION"), True)
check.end()
