"""Which clients a server with `-o ssl_verify_mode=MODE` refuses, and by which alert: `refusals.py PORT MODE`."""

import ssl
import sys

from stand import Checks, Text, context, outcome

mode = int(sys.argv[2])
check = Checks(f"ssl_verify_mode={mode}")
SERVED = b"VERSION"


def heard(show, version, expected):
    """What a client hears: the first word of a reply, or the reason of an alert."""
    try:
        client = Text(context(show=show, version=version))
        # In TLS 1.3 the server speaks of the certificate after the handshake. Who sends meanwhile may miss it.
        line = client.ask(b"version\r\n") if expected == SERVED else client.stream.readline()
        return line.split(b" ")[0]
    except ssl.SSLError as error:
        return error.reason
    except OSError as error:
        return type(error).__name__


for name, version in [("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)]:
    # In TLS 1.2 OpenSSL would say that the handshake failed.
    missing = SERVED if mode < 2 else "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    for show, expected in [
        (None, missing),
        ("client", SERVED),
        ("stranger", SERVED if mode == 0 else "TLSV1_ALERT_UNKNOWN_CA"),
        ("expired", SERVED if mode == 0 else "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
    ]:
        check.that(f"TLS {name}, certificate {show}", heard(show, version, expected), expected)
got = outcome(Text, context(trust="stranger-authority"))
check.that("a client with another authority refuses the server", getattr(got, "verify_code", got), 20)
check.end()
