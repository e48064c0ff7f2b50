#!/usr/bin/env node
// A counter of visits in Node, by memjs with a login, through a TLS tunnel.
//
//     npm install memjs
//     stunnel stunnel.conf &
//     LARDER_USER=app LARDER_PASSWORD=secret node node_memjs.js
//
// LARDER_HOST and LARDER_PORT are 127.0.0.1 and 11211 without them.
//
// Login: PLAIN over the binary protocol. memjs knows neither TLS nor Unix sockets, and Larder takes PLAIN in the clear
// from its own machine only. So on the server's machine connect as it is, and elsewhere through a tunnel on your own
// machine: examples/stunnel.conf. With TLS in the client: node_memcache.js.
//
// Stale data: none; `incr` is done by the server, however many count at once. But a cache may forget: where the counter
// is lost (memory short, a crash), it starts from 1. While the cache cannot be reached a count is an error, at once.
'use strict';

const memjs = require('memjs');

const TTL_SECS = 86400;

function connect() {
    const { LARDER_HOST = '127.0.0.1', LARDER_PORT = '11211', LARDER_USER, LARDER_PASSWORD } = process.env;
    const options = { username: LARDER_USER, password: LARDER_PASSWORD, timeout: 5 };
    return memjs.Client.create(`${LARDER_HOST}:${LARDER_PORT}`, options);
}

// Adds 1; gives the number. One that is not there begins as 1.
async function count(cache, key) {
    const { value } = await cache.increment(key, 1, { initial: 1, expires: TTL_SECS });
    return value;
}

module.exports = { connect, count };

async function main() {
    const cache = connect();
    const key = `visits:${new Date().toISOString().slice(0, 10)}`;
    console.log('visits today:', await count(cache, key));
    cache.close();
}

if (require.main === module) main();
