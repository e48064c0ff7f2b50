#!/usr/bin/env node
// Lazy loading in Node, by npm's memcache over TLS with a login.
//
//     npm install memcache@1.10.0          # wants Node 22.19; npm takes an older one, without TLS, for older Nodes
//     LARDER_CA=ca.pem LARDER_USER=app LARDER_PASSWORD=secret node node_memcache.js
//
// LARDER_HOST and LARDER_PORT are localhost and 11211 without them.
//
// Login: user and password in the value of a `set` that comes first on a connection, which Larder takes over TLS. The
// client's own login (`sasl`) is not used: with it only the `binary...` methods of a node work, and of two requests that
// are under way together both get the first one's reply.
//
// Of the requests in one process that miss the same key, one loads and the others wait for it. Between processes each
// loads once; stampede.py has leases against that. Times to live are spread over a tenth, so that what was loaded
// together does not expire together. At the start a server that cannot be reached, or refuses the login, is an error;
// later it is a miss and a line on stderr, and the next request tries again.
//
// Stale data: a change is seen when its writer deletes the key after the commit; a reader that had read the old row and
// stores it after that leaves it for a time to live. So does a delete that is an error, as the cache was out of reach.
'use strict';

const fs = require('node:fs');
const { createNode } = require('memcache');

const TTL_SECS = 300;
const TIMEOUT_MS = 5000;

// A connection that is made again when it has ended; the client ends one that says nothing for TIMEOUT_MS.
class Connection {
    #opening;
    #login;

    constructor() {
        const { LARDER_HOST = 'localhost', LARDER_PORT = '11211', LARDER_CA, LARDER_USER, LARDER_PASSWORD } = process.env;
        const tls = LARDER_CA ? { ca: fs.readFileSync(LARDER_CA) } : undefined; // checks the name as well
        this.#login = LARDER_USER === undefined ? undefined : `${LARDER_USER} ${LARDER_PASSWORD}`;
        this.node = createNode(LARDER_HOST, Number(LARDER_PORT), { timeout: TIMEOUT_MS, tls });
        this.node.on('error', () => {}); // whoever has asked is told
        if (tls && !this.node.uri.startsWith('memcaches:')) {
            throw new Error('this memcache knows no TLS and would send the password in the clear: take 1.10.0 or newer');
        }
    }

    // All who find it closed wait for one to open it.
    async open() {
        if (this.#opening || !this.node.isConnected()) {
            this.#opening ??= this.#connect().finally(() => (this.#opening = undefined));
            await this.#opening;
        }
    }

    async #connect() {
        await this.node.reconnect();
        if (this.#login === undefined) return;
        try {
            await this.node.command(`set login 0 0 ${Buffer.byteLength(this.#login)}\r\n${this.#login}`);
        } catch (error) {
            await this.node.disconnect(); // else the next command would find a connection that belongs to nobody
            throw error;
        }
    }

    async #command(line, options) {
        await this.open();
        return this.node.command(line, options);
    }

    async get(key) {
        return (await this.#command(`get ${key}`, { isMultiline: true }))?.[0];
    }

    set(key, text, seconds) {
        return this.#command(`set ${key} 0 ${seconds} ${Buffer.byteLength(text)}\r\n${text}`);
    }

    delete(key) {
        return this.#command(`delete ${key}`);
    }
}

async function connect() {
    const connection = new Connection();
    await connection.open();
    return connection;
}

// What a line of text can hold as a key: not what would end it and begin another command.
function checked(key) {
    if (!/^[!-~]{1,250}$/.test(key)) throw new Error('a key has 1 to 250 printable characters and no blank');
    return key;
}

class Loader {
    #loading = new Map();

    constructor(cache) {
        this.cache = cache;
    }

    // The value of a key, by `load()` if it has to be.
    async get(key, load) {
        checked(key);
        if (!this.#loading.has(key)) {
            const value = this.#find(key, load).finally(() => this.#loading.delete(key));
            this.#loading.set(key, value);
        }
        return this.#loading.get(key);
    }

    async #find(key, load) {
        const found = await this.cache.get(key).catch(tell);
        if (found !== undefined) return JSON.parse(found);
        const value = (await load()) ?? null;
        const seconds = TTL_SECS + Math.floor((Math.random() * TTL_SECS) / 10);
        await this.cache.set(key, JSON.stringify(value), seconds).catch(tell);
        return value;
    }

    async forget(key) {
        return this.cache.delete(checked(key));
    }
}

function tell(error) {
    console.error(`larder: ${error.message}`);
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
