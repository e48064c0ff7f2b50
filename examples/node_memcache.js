#!/usr/bin/env node
// Lazy loading in Node, by npm's memcache over TLS with a login.
//
//     npm install memcache
//     LARDER_CA=ca.pem LARDER_USER=app LARDER_PASSWORD=secret node node_memcache.js
//
// LARDER_HOST and LARDER_PORT are localhost and 11211 without them.
//
// Login: PLAIN over the binary protocol, which Larder takes over TLS. With a login, use the node's `binary...` methods.
//
// Of the requests in one process that miss the same key, one loads and the others wait for it. Between processes each
// loads once; stampede.py has leases against that. Times to live are spread over a tenth, so that what was loaded
// together does not expire together. A cache that cannot be reached is a miss.
//
// Stale data: a change is seen when its writer deletes the key after the commit; a reader that had read the old row and
// stores it after that leaves it for a time to live.
'use strict';

const fs = require('node:fs');
const { Memcache } = require('memcache');

const TTL_SECS = 300;

async function connect() {
    const { LARDER_HOST = 'localhost', LARDER_PORT = '11211', LARDER_CA, LARDER_USER, LARDER_PASSWORD } = process.env;
    const cache = new Memcache({
        nodes: [`${LARDER_HOST}:${LARDER_PORT}`],
        sasl: { username: LARDER_USER, password: LARDER_PASSWORD },
        tls: LARDER_CA ? { ca: fs.readFileSync(LARDER_CA) } : undefined, // checks the name as well
        timeout: 5000,
    });
    cache.on('error', (error) => console.error(error.message));
    await cache.connect();
    return cache.nodes[0];
}

class Loader {
    #loading = new Map();

    constructor(node) {
        this.node = node;
    }

    // The value of a key, by `load()` if it has to be.
    get(key, load) {
        if (!this.#loading.has(key)) {
            const value = this.#find(key, load).finally(() => this.#loading.delete(key));
            this.#loading.set(key, value);
        }
        return this.#loading.get(key);
    }

    async #find(key, load) {
        const found = await this.node.binaryGet(key).catch(() => undefined);
        if (found !== undefined) return JSON.parse(found);
        const value = await load();
        const seconds = TTL_SECS + Math.floor((Math.random() * TTL_SECS) / 10);
        await this.node.binarySet(key, JSON.stringify(value), seconds).catch(() => false);
        return value;
    }

    forget(key) {
        return this.node.binaryDelete(key);
    }
}

module.exports = { Loader, connect };

async function main() {
    const loader = new Loader(await connect());
    const capital = () => {
        console.log('loading');
        return 'Paris';
    };
    await loader.forget('node:capital:fr');
    console.log(await Promise.all([1, 2, 3].map(() => loader.get('node:capital:fr', capital))));
    process.exit(0);
}

if (require.main === module) main();
