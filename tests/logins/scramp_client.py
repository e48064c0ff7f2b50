"""scramp's SCRAM, over the binary protocol's SASL and over the text `sasl`, against the server on the port given.

scramp verifies the server's signature before the last, empty step.
"""

import sys

from scramp import ScramClient, ScramException

from logins import PASSWORD, USER, BinarySasl, Checks, Refused, TextSasl, outcome

check = Checks("scramp")
port = int(sys.argv[1])


def log_in(connection, mechanism, user, password):
    """One SCRAM exchange; raises when either side is not content."""
    step = connection.login(mechanism)
    scram = ScramClient([mechanism], user, password)
    scram.set_server_first(step(scram.get_client_first().encode()).decode())
    scram.set_server_final(step(scram.get_client_final().encode()).decode())
    last = step(b"")
    if last is not None:
        raise AssertionError(f"more after the end: {last!r}")


def round_trip(connect, *login):
    connection = connect(port)
    log_in(connection, *login)
    return connection.round_trip()


for words, connect in [("binary", BinarySasl), ("text", TextSasl)]:
    listed = connect(port).mechanisms()
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]:
        title = f"{words}, {mechanism}:"
        check.that(f"{title} listed", mechanism in listed, True)
        got = outcome(round_trip, connect, mechanism, USER, PASSWORD)
        check.that(f"{title} right password", got, b"value")
        for name, login in [("wrong password", (USER, f"{PASSWORD}x")), ("unknown user", (f"{USER}x", PASSWORD))]:
            got = outcome(round_trip, connect, mechanism, *login)
            check.that(f"{title} {name} is refused", type(got), Refused)

    # A server that does not know the user's keys cannot sign: the client must see it, or all of this shows little.
    connection = connect(port)
    step = connection.login("SCRAM-SHA-256")
    scram = ScramClient(["SCRAM-SHA-256"], USER, PASSWORD)
    scram.set_server_first(step(scram.get_client_first().encode()).decode())
    final = step(scram.get_client_final().encode()).decode()
    changed = ("v=A" if final[2] != "A" else "v=B") + final[3:]
    check.that(f"{words}: a changed signature is noticed", type(outcome(scram.set_server_final, changed)), ScramException)

    # Logged in is only who has sent the last step.
    reply = connection.ask(0x00, b"k")[0] if connect is BinarySasl else connection.line(b"get k\r\n")
    unauthenticated = 0x20 if connect is BinarySasl else b"CLIENT_ERROR unauthenticated\r\n"
    check.that(f"{words}: no login without the last step", reply, unauthenticated)

    connection = connect(port)
    got = outcome(log_in, connection, "SCRAM-SHA-256", USER, "not it")
    check.that(f"{words}: a wrong password first", type(got), Refused)
    check.that(f"{words}: the right one then, same connection", outcome(log_in, connection, "SCRAM-SHA-512", USER, PASSWORD), None)
    check.that(f"{words}: a value afterwards", outcome(connection.round_trip), b"value")
check.end()
