#!/usr/bin/env python3
"""Write-through in front of PostgreSQL: who writes a row stores it in the cache, too; a version says which is newer.

    pip install pymemcache psycopg[binary]
    DATABASE="dbname=shop" LARDER_CA=ca.pem LARDER_USER=app LARDER_PASSWORD=secret ./write_through.py

Login and TLS: larder_client.py.

The row counts its changes. What goes into the cache, a reader's row or a writer's, goes there by `gets` and `cas`, and
only over an older version. So two writers, or a writer and a slow reader, may store in any order: the cache never goes
back while it has the row.

A cache that cannot be reached fails neither readers nor writers: what is committed is done.

Stale data: between a commit and the store behind it, milliseconds; for a time to live when the writer dies or loses the
cache in between, or when a reader has been so slow that the newer row has left the cache meanwhile.
"""

import contextlib
import json
import os

import psycopg

from larder_client import AWAY, pool
from lazy_loading import spread

TTL_SECS = 300


class Products:
    def __init__(self, cache, database):
        self.cache, self.database = cache, database

    def get(self, number):
        """The row with its version, or None. Absent rows are not remembered here; lazy_loading.py does that."""
        found = None
        with contextlib.suppress(*AWAY):
            found = self.cache.get(f"shop:stock:{number}")
        if found is not None:
            return json.loads(found)
        row = self.load(number)
        if row is not None:
            self.store(number, row)
        return row

    def load(self, number):
        query = "SELECT left_over, version FROM stock WHERE number = %s"
        row = self.database.execute(query, (number,)).fetchone()
        return None if row is None else {"left_over": row[0], "version": row[1]}

    def take(self, number, pieces):
        """Changes the row, then the cache. The database alone decides what is left."""
        with self.database.transaction():
            left_over, version = self.database.execute(
                "UPDATE stock SET left_over = left_over - %s, version = version + 1 WHERE number = %s "
                "RETURNING left_over, version",
                (pieces, number),
            ).fetchone()
        self.store(number, {"left_over": left_over, "version": version})

    def store(self, number, row):
        """Puts a row into the cache unless a newer one is there."""
        with contextlib.suppress(*AWAY):
            self.store_newer(f"shop:stock:{number}", row)

    def store_newer(self, key, row):
        value, stored = json.dumps(row), False
        while not stored:
            found, token = self.cache.gets(key)
            if token is None:
                stored = self.cache.add(key, value, expire=spread(TTL_SECS))
            elif json.loads(found)["version"] >= row["version"]:
                return
            else:
                stored = self.cache.cas(key, value, token, expire=spread(TTL_SECS))


def main():
    database = psycopg.connect(os.environ["DATABASE"], autocommit=True)
    database.execute("CREATE TABLE IF NOT EXISTS stock (number int PRIMARY KEY, left_over int, version int DEFAULT 1)")
    database.execute("INSERT INTO stock (number, left_over) VALUES (1, 100) ON CONFLICT DO NOTHING")
    products = Products(pool(), database)
    print("before:", products.get(1))
    products.take(1, 3)
    print("after:", products.get(1), "of the database:", products.load(1))


if __name__ == "__main__":
    main()
