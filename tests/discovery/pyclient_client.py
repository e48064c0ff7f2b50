"""elasticache-pyclient (python-memcached with a list that it asks for): `pyclient_client.py LARDER`."""

from elasticache_pyclient import MemcacheClient

import scenario


class Adapter:
    def __init__(self, host, port):
        # A node that does not answer in time is given up for half a minute.
        self.client = MemcacheClient(f"{host}:{port}", ad_interval=0.2, socket_timeout=20)

    def nodes(self):
        with self.client.cluster.lock:
            nodes = [server.rsplit(":", 1) for server in self.client.cluster.servers]
        return {(host, int(port)) for host, port in nodes}

    def put(self, key, value):
        # python-memcached tells of an error by its result.
        if not self.client.set(key, value):
            raise ConnectionError("set has failed")

    def fetch(self, key):
        return self.client.get(key)

    def close(self):
        self.client.stop_timer()


scenario.run("elasticache-pyclient", Adapter)
