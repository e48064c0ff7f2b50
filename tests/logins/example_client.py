"""Runs examples/scram_login.py as a reader of it would: `example_client.py PORT`."""

import pathlib
import subprocess
import sys

from logins import PASSWORD, USER, Checks

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "scram_login.py"
check = Checks("examples/scram_login.py")


def run(user, password):
    """Exit status and lines of output; of a failure, the last line that it wrote."""
    command = [sys.executable, EXAMPLE, "127.0.0.1", sys.argv[1], user]
    ended = subprocess.run(command, input=f"{password}\n", capture_output=True, text=True, timeout=20)
    return ended.returncode, ended.stdout.splitlines() or ended.stderr.splitlines()[-1]


check.that("right password", run(USER, PASSWORD), (0, ["STORED", "VALUE greeting 0 5", "hello", "END"]))
for name, login in [("wrong password", (USER, f"{PASSWORD}x")), ("unknown user", (f"{USER}x", PASSWORD))]:
    check.that(f"{name} is refused", run(*login), (1, "PermissionError: AUTH_ERROR authentication failure"))
check.end()
