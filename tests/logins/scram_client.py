"""scramp, a SCRAM library of others, against the server on the port given as argument."""

import sys

from scramp import ScramClient

import wire
from checks import Checks

port = int(sys.argv[1])
check = Checks("scramp")


def log_in(connection, mechanism, user, password):
    """The last status; the server's proof was good if it is DONE."""
    client = ScramClient([mechanism], user, password)
    status, data = connection.sasl(mechanism, client.get_client_first().encode(), True)
    if status != wire.CONTINUE:
        return status
    client.set_server_first(data.decode())
    status, data = connection.sasl(mechanism, client.get_client_final().encode(), False)
    if status != wire.CONTINUE:
        return status
    client.set_server_final(data.decode())  # raises if the server's signature is wrong
    return connection.sasl(mechanism, b"", False)[0]


for kind in (wire.Binary, wire.Text):
    for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        name = f"{mechanism} over {kind.__name__.lower()}"
        connection = kind(port)
        check.that(f"{name}, right password", log_in(connection, mechanism, "app", "se cret:x"), wire.DONE)
        check.that(f"{name}, works", connection.works(), True)
        check.that(f"{name}, wrong password", log_in(kind(port), mechanism, "app", "wrong"), wire.FAILED)
        check.that(f"{name}, unknown user", log_in(kind(port), mechanism, "nobody", "se cret:x"), wire.FAILED)
        check.that(f"{name}, no login", kind(port).works(), False)
check.end()
