"""Runs examples/scram_login.py as a reader of it would: `example_client.py PORT`."""

import pathlib
import re
import socket
import subprocess
import sys
import threading

from logins import PASSWORD, USER, Checks

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "scram_login.py"
check = Checks("examples/scram_login.py")


def run(user, password, port=sys.argv[1]):
    """Exit status and lines of output; of a failure, the last line that it wrote."""
    command = [sys.executable, EXAMPLE, "127.0.0.1", str(port), user]
    ended = subprocess.run(command, input=f"{password}\n", capture_output=True, text=True, timeout=20)
    return ended.returncode, ended.stdout.splitlines() or ended.stderr.splitlines()[-1]


check.that("right password", run(USER, PASSWORD), (0, ["VERSION 1.6.45"]))
for name, login in [("wrong password", (USER, f"{PASSWORD}x")), ("unknown user", (f"{USER}x", PASSWORD))]:
    check.that(f"{name} is refused", run(*login), (1, "no login: AUTH_ERROR authentication failure"))


def pose(listener, iterations):
    """Answers a first message as a server that asks for so many iterations."""
    connection, _ = listener.accept()
    with connection:
        nonce = re.search(rb"r=([^\r,]+)", connection.recv(4096))[1]
        challenge = b"r=%sx,s=c2FsdA==,i=%d" % (nonce, iterations)
        connection.sendall(b"SASL_CONTINUE %d\r\n%s\r\n" % (len(challenge), challenge))
        connection.recv(4096)


for iterations in [1, 2_000_000_000]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=pose, args=(listener, iterations), daemon=True).start()
        said = (1, f"no login: {iterations} iterations are asked for")
        check.that(f"an impostor who asks for {iterations} iterations", run(USER, PASSWORD, listener.getsockname()[1]), said)
check.end()
