"""New certificates under 200 connections that never stop: `swaps.py PORT FOLDER PID`.

FOLDER holds the files that the server was started with: server.pem and server.key. They are replaced, and the server is
told by `refresh_certs`, by SIGHUP, or not at all.
"""

import asyncio
import os
import pathlib
import shutil
import signal
import ssl
import sys
import time

from stand import CERTIFICATES, PORT, Checks, Text, context

CONNECTIONS = 200
FOLDER, PID = pathlib.Path(sys.argv[2]), int(sys.argv[3])
check = Checks("swap")


class Traffic:
    """Connections that set and get without a pause; each counts what went right, and remembers what did not."""

    def __init__(self):
        self.right = [0] * CONNECTIONS
        self.failures = []
        self.over = False

    async def connection(self, number):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", PORT, ssl=context(), server_hostname="localhost")
            while not self.over:
                value = b"%d-%d" % (number, self.right[number])
                writer.write(b"set k%d 0 0 %d\r\n%s\r\nget k%d\r\n" % (number, len(value), value, number))
                expected = b"STORED\r\nVALUE k%d 0 %d\r\n%s\r\nEND\r\n" % (number, len(value), value)
                got = await asyncio.wait_for(reader.readexactly(len(expected)), 20)
                if got != expected:
                    raise ValueError(got)
                self.right[number] += 1
            writer.close()
        except Exception as error:  # any is a failed request
            self.failures.append(repr(error))

    async def all_went_on(self, since):
        """Waits until each connection was answered anew; false when one is not."""
        deadline = time.monotonic() + 20
        while any(now <= then for now, then in zip(self.right, since)):
            if self.failures or time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.01)
        return True


def replace(name, certificate=None):
    """Puts a certificate and its key in place, each by a rename."""
    for source, target in [(f"{certificate or name}.pem", "server.pem"), (f"{name}.key", "server.key")]:
        new = FOLDER / f"{target}.new"
        shutil.copyfile(CERTIFICATES / source, new)
        os.replace(new, FOLDER / target)


def shown():
    """The certificate that a new connection is shown."""
    made = context()
    made.check_hostname = False
    client = Text(made)
    der = client.socket.getpeercert(binary_form=True)
    client.socket.close()
    return der


def certificate(name):
    first = (CERTIFICATES / f"{name}.pem").read_text().partition("-----END")[0] + "-----END CERTIFICATE-----\n"
    return ssl.PEM_cert_to_DER_cert(first)


async def main():
    loop = asyncio.get_running_loop()
    traffic = Traffic()
    tasks = [asyncio.create_task(traffic.connection(number)) for number in range(CONNECTIONS)]
    check.that("200 connections", await traffic.all_went_on([0] * CONNECTIONS), True)
    operator = Text()

    async def in_thread(call, *arguments):
        return await loop.run_in_executor(None, call, *arguments)

    async def seen(name, seconds=20):
        """Waits until a new connection is shown a certificate."""
        deadline = time.monotonic() + seconds
        while await in_thread(shown) != certificate(name):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.05)
        return True

    async def went_on(title):
        check.that(f"{title}: all 200 connections go on", await traffic.all_went_on(list(traffic.right)), True)
        check.that(f"{title}: no failed request", traffic.failures, [])

    replace("next-1")
    check.that("refresh_certs", await in_thread(operator.ask, b"refresh_certs\r\n"), b"OK\r\n")
    check.that("refresh_certs: the next connection sees it", await in_thread(shown) == certificate("next-1"), True)
    await went_on("refresh_certs")

    replace("next-2")
    os.kill(PID, signal.SIGHUP)
    check.that("SIGHUP: new connections see it", await seen("next-2"), True)
    await went_on("SIGHUP")

    replace("next-3")
    check.that("nothing said: new connections see it", await seen("next-3"), True)
    await went_on("nothing said")
    before = await in_thread(shown)

    # A certificate with another's key.
    replace("next-1", certificate="next-4")
    answer = await in_thread(operator.ask, b"refresh_certs\r\n")
    check.that("a pair that does not fit is an error", (answer == b"OK\r\n", len(answer) > 2), (False, True))
    check.that("and changes nothing", await in_thread(shown) == before, True)
    await went_on("a pair that does not fit")
    replace("next-4")
    check.that("one that fits again", await in_thread(operator.ask, b"refresh_certs\r\n"), b"OK\r\n")
    check.that("is seen", await in_thread(shown) == certificate("next-4"), True)
    await went_on("in the end")

    traffic.over = True
    await asyncio.gather(*tasks)
    check.that("no failed request at all", traffic.failures, [])
    print(f"{sum(traffic.right)} round trips, at least {min(traffic.right)} each")


asyncio.run(main())
check.end()
