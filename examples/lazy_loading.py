#!/usr/bin/env python3
"""Lazy loading (cache-aside) in front of PostgreSQL: who misses reads the row and stores it; who writes deletes it.

    pip install pymemcache psycopg[binary]
    DATABASE="dbname=shop" LARDER_CA=ca.pem LARDER_USER=app LARDER_PASSWORD=secret ./lazy_loading.py

Login and TLS: larder_client.py.

Stale data: a change is seen at once, but for one race. A reader that has read the old row and stores it after the
writer's delete leaves it there for a time to live. The same goes for a writer that dies between commit and delete, and
for the cache being out of reach then. Where that is too long, take write_through.py, or the leases of stampede.py.

- Times to live are spread over a tenth, so that what was loaded together does not expire together.
- Rows that do not exist are remembered as well, for a shorter time: nobody can load the database by asking for them.
- A cache that cannot be reached is a miss. A refused login or certificate is an error: it does not go away by itself.
"""

import contextlib
import json
import os
import random

import psycopg

from larder_client import AWAY, pool

TTL_SECS = 300
ABSENT_TTL_SECS = 30
ABSENT = b""


def spread(seconds):
    """Up to a tenth more."""
    return seconds + random.randint(0, seconds // 10)


class Products:
    def __init__(self, cache, database):
        self.cache, self.database = cache, database

    def get(self, number):
        """The row as a dictionary, or None."""
        key = f"shop:product:{number}"
        try:
            found = self.cache.get(key)
        except AWAY:
            return self.load(number)
        if found is not None:
            return None if found == ABSENT else json.loads(found)
        row = self.load(number)
        with contextlib.suppress(*AWAY):
            if row is None:
                self.cache.set(key, ABSENT, expire=spread(ABSENT_TTL_SECS))
            else:
                self.cache.set(key, json.dumps(row), expire=spread(TTL_SECS))
        return row

    def load(self, number):
        query = "SELECT name, cents FROM products WHERE number = %s"
        row = self.database.execute(query, (number,)).fetchone()
        return None if row is None else {"name": row[0], "cents": row[1]}

    def put(self, number, name, cents):
        """Writes the row. The delete comes after the commit: before it, a reader would store the old row again.

        An error of the cache then says that the row is written and the old one may be served for a time to live.
        """
        with self.database.transaction():
            self.database.execute(
                "INSERT INTO products (number, name, cents) VALUES (%s, %s, %s) "
                "ON CONFLICT (number) DO UPDATE SET name = excluded.name, cents = excluded.cents",
                (number, name, cents),
            )
        self.cache.delete(f"shop:product:{number}")


def main():
    database = psycopg.connect(os.environ["DATABASE"], autocommit=True)
    database.execute("CREATE TABLE IF NOT EXISTS products (number int PRIMARY KEY, name text, cents int)")
    products = Products(pool(), database)
    products.put(1, "kettle", 2500)
    print("from the database:", products.get(1))
    print("from the cache:", products.get(1))


if __name__ == "__main__":
    main()
