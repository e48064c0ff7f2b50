"""npm's memcache with autoDiscover: `memcache_client.py LARDER`. It runs in a process of its own (memcache_client.js)."""

import json
import pathlib
import subprocess
import threading

import scenario


class Adapter:
    def __init__(self, host, port):
        command = ["node", pathlib.Path(__file__).with_suffix(".js"), host, str(port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()
        self.ask("connect")

    def ask(self, *words):
        with self.lock:
            self.process.stdin.write(json.dumps(words) + "\n")
            self.process.stdin.flush()
            said = json.loads(self.process.stdout.readline())
        if "error" in said:
            raise ConnectionError(said["error"])
        return said["value"]

    def nodes(self):
        return {(host, port) for host, port in self.ask("nodes")}

    def put(self, key, value):
        if not self.ask("set", key, value):
            raise ConnectionError("set has failed")

    def fetch(self, key):
        return self.ask("get", key)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


scenario.run("npm memcache", Adapter)
