#!/usr/bin/env python3
"""pymemcache with a login and TLS. The recipes in Python connect through this module.

pymemcache knows TLS and no SASL. Larder also takes user and password in the value of a `set` that comes first on a
connection, so a subclass of its client is enough. Where to connect, and as whom, is read from the environment:

    pip install pymemcache
    LARDER_CA=ca.pem LARDER_USER=app LARDER_PASSWORD=secret ./larder_client.py      says the server's version

    LARDER_HOST, LARDER_PORT    localhost and 11211 without them
    LARDER_SOCKET               a Unix socket in their place
    LARDER_CA                   speak TLS; the file has the authorities that the server's certificate may come from
    LARDER_USER                 log in; with LARDER_PASSWORD

Without TLS the server takes this login from its own machine and over a Unix socket only.
"""

import os
import select
import ssl

from pymemcache.client.base import Client, PooledClient
from pymemcache.exceptions import MemcacheClientError, MemcacheServerError, MemcacheUnexpectedCloseError

TIMEOUT_SECS = 5
# What commands raise while the server is out of reach, or out of memory. A refused login and a certificate that is not
# believed are MemcacheClientError instead: they do not go away by themselves.
AWAY = (OSError, MemcacheServerError)


def login_client(user, password):
    """A class of clients that log in whenever they connect: the `client_class` of a PooledClient or HashClient.

    `password` is a string, or a function that gives one for each connection (token_login.py). Without a user nobody
    logs in.
    """

    class LoginClient(Client):
        def _connect(self):
            try:
                super()._connect()
            except ssl.SSLCertVerificationError as error:
                raise MemcacheClientError(str(error)) from error
            if user is None:
                return
            try:
                self._log_in(f"{user} {password() if callable(password) else password}".encode())
            except BaseException:
                self.close()  # else the next command would find a connection that belongs to nobody
                raise

        def _log_in(self, login):
            self.sock.sendall(b"set login 0 0 %d\r\n%s\r\n" % (len(login), login))
            reply = b""
            while not reply.endswith(b"\r\n"):
                received = self.sock.recv(1024)
                if not received:
                    raise MemcacheUnexpectedCloseError
                reply += received
            if reply != b"STORED\r\n":
                raise MemcacheClientError(reply.strip())

        def _drop_if_ended(self):
            """A connection at rest has something to read only when the server has ended it, as at a restart."""
            if self.sock is not None:
                at_rest = select.poll()
                at_rest.register(self.sock, select.POLLIN)
                if at_rest.poll(0):
                    self.close()

        def _fetch_cmd(self, *arguments, **options):
            self._drop_if_ended()
            return super()._fetch_cmd(*arguments, **options)

        def _store_cmd(self, *arguments, **options):
            self._drop_if_ended()
            return super()._store_cmd(*arguments, **options)

        def _misc_cmd(self, *arguments, **options):
            self._drop_if_ended()
            return super()._misc_cmd(*arguments, **options)

        def gats(self, key, expire):
            """Value and CAS token, or (None, None); gives the item a new time to live. pymemcache lacks this one."""
            return self._fetch_cmd(b"gats %d" % expire, [key], True).get(key, (None, None))

    return LoginClient


class Pool(PooledClient):
    """Connections for the threads of a process."""

    def gats(self, key, expire):
        with self.client_pool.get_and_release(destroy_on_fail=True) as client:
            return client.gats(key, expire)


def server():
    """What pymemcache takes for a server: the path of a socket, or host and port."""
    return os.environ.get("LARDER_SOCKET") or (
        os.environ.get("LARDER_HOST", "localhost"),
        int(os.environ.get("LARDER_PORT", "11211")),
    )


def tls():
    """A context that checks the server's certificate and name, or None where TLS is not asked for."""
    authorities = os.environ.get("LARDER_CA")
    return ssl.create_default_context(cafile=authorities) if authorities else None


def pool(user=os.environ.get("LARDER_USER"), password=os.environ.get("LARDER_PASSWORD"), **options):
    """A pool of connections that are logged in; the options are PooledClient's."""
    usual = {"timeout": TIMEOUT_SECS, "connect_timeout": TIMEOUT_SECS, "default_noreply": False, "tls_context": tls()}
    made = Pool(server(), **(usual | options))
    made.client_class = login_client(user, password)
    return made


if __name__ == "__main__":
    print(pool().version().decode())
