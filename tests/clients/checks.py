"""What the Python client scripts share: one line for each check, and waiting for an expiry."""

import sys
import time


class Checks:
    """Prints `ok` or `FAILED` for each check; the runner counts the lines."""

    def __init__(self, client):
        self.client = client
        self.failed = 0

    def that(self, name, got, expected):
        """Checks that a call gave what it should."""
        if got == expected:
            print(f"ok {self.client} {name}")
        else:
            self.failed += 1
            print(f"FAILED {self.client} {name}: expected {shown(expected)}, got {shown(got)}")

    def eventually(self, name, call, expected, seconds=10):
        """Checks that a call gives what it should before long."""
        deadline = time.monotonic() + seconds
        got = call()
        while got != expected and time.monotonic() < deadline:
            time.sleep(0.05)
            got = call()
        self.that(name, got, expected)

    def end(self):
        sys.exit(1 if self.failed else 0)


def shown(value):
    """A value for people, cut when long."""
    text = repr(value)
    return text if len(text) < 200 else f"{text[:200]}... ({len(text)} characters)"
