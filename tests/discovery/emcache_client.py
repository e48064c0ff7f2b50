"""emcache with autodiscovery: `emcache_client.py LARDER`. Its event loop has a thread of its own."""

import asyncio
import threading

import emcache

import scenario
from cluster import PATIENCE


class Adapter:
    def __init__(self, host, port):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.client = self.run(
            emcache.create_client(
                [emcache.MemcachedHostAddress(host, port)],
                timeout=5.0,
                autodiscovery=True,
                autodiscovery_poll_interval=0.2,
            )
        )

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def nodes(self):
        return {(node.address, node.port) for node in self.client.cluster_managment().nodes()}

    def put(self, key, value):
        self.run(self.client.set(key.encode(), value.encode()))

    def fetch(self, key):
        item = self.run(self.client.get(key.encode()))
        return item and item.value.decode()

    def close(self):
        self.run(self.client.close())


scenario.run("emcache", Adapter)
