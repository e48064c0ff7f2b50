"""What the checks of the recipes share: the checks' lines, many threads at once, an item's time to live, a whole run.

Where the server is, and as whom to log in, is in the environment, as examples/larder_client.py reads it.
"""

import pathlib
import re
import subprocess
import sys
import threading

from checks import Checks  # of tests/clients
from logins import outcome  # of tests/logins
from meta_client import Meta

__all__ = ["EXAMPLES", "WAIT_SECS", "Checks", "Meta", "OwnMeta", "outcome", "run_example", "seconds_left", "together"]

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
# What is waited for has failed when it takes as long.
WAIT_SECS = 30


def together(count, work):
    """What `work(number)` gave in each of so many threads that began at once; an exception is a result."""
    barrier = threading.Barrier(count)
    results = [None] * count

    def run(number):
        barrier.wait(WAIT_SECS)
        results[number] = outcome(work, number)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECS)
    return ["still at work" if thread.is_alive() else result for thread, result in zip(threads, results)]


class OwnMeta(threading.local):
    """A connection for each thread."""

    def __init__(self):
        self.meta = Meta()

    def __call__(self):
        return self.meta


def seconds_left(key):
    """The time to live of an item, None when there is none. `me` leaves no trace; an `mg` would take a lease."""
    reply = Meta().line(f"me {key}")
    found = re.search(r"\bexp=(-?[0-9]+)", reply)
    return int(found[1]) if found else None


def run_example(name, arguments=()):
    """Exit status and lines of output of an example that is run as its head says; of a failure, what it wrote."""
    command = [sys.executable, EXAMPLES / name, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECS)
    return ended.returncode, ended.stdout.splitlines() if ended.returncode == 0 else ended.stderr
