// examples/node_memcache.js, with the connection that the environment names.
'use strict';

const { execFileSync } = require('node:child_process');
const net = require('node:net');
const { isDeepStrictEqual } = require('node:util');
const { check, end, outcome } = require('../logins/checks.js');
const example = require.resolve('../../examples/node_memcache.js');
const { Loader, connect } = require(example);

const same = (name, got, expected) => check(`npm memcache ${name}`, isDeepStrictEqual(got, expected), JSON.stringify(got));

// A way to the server that can be cut and opened again.
class Relay {
    #sockets = new Set();
    #server;

    constructor(host, port) {
        this.#server = net.createServer((from) => {
            const to = net.connect(port, host);
            for (const socket of [from, to]) this.#sockets.add(socket.on('error', () => {}));
            from.pipe(to).pipe(from);
        });
    }

    // Gives its port.
    async open(port = 0) {
        await new Promise((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
        return this.#server.address().port;
    }

    async cut() {
        const closed = new Promise((resolve) => this.#server.close(resolve));
        for (const socket of this.#sockets) socket.destroy();
        await closed;
    }
}

async function main() {
    const printed = execFileSync('node', [example], { encoding: 'utf8' });
    same('runs', printed, "loading\n[ 'Paris', 'Paris', 'Paris' ]\n");

    const relay = new Relay(process.env.LARDER_HOST, Number(process.env.LARDER_PORT));
    const port = await relay.open();
    process.env.LARDER_PORT = String(port);
    const cache = await connect();
    const loader = new Loader(cache);
    let loads = 0;
    let answer;
    const load = () => {
        loads += 1;
        return new Promise((resolve) => (answer = resolve));
    };
    await loader.forget('node:shop');
    const all = Array.from({ length: 20 }, () => loader.get('node:shop', load));
    while (answer === undefined) await new Promise(setImmediate);
    answer({ cents: 2500 });
    same('twenty misses at once', await Promise.all(all), Array(20).fill({ cents: 2500 }));
    same('load once', loads, 1);
    same('a hit does not load', await loader.get('node:shop', load), { cents: 2500 });
    same('nor does another process', await new Loader(await connect()).get('node:shop', load), { cents: 2500 });
    await loader.forget('node:shop');
    same('a delete is seen at once', await loader.get('node:shop', async () => 'new'), 'new');
    const failing = await outcome(loader.get('node:other', () => Promise.reject(new Error('database'))));
    same('a loader that fails is told', failing.message, 'database');
    same('and asked again', await loader.get('node:other', async () => 'there'), 'there');

    const keys = Array.from({ length: 50 }, (_, number) => `node:many:${number}`);
    for (const key of keys) await loader.get(key, async () => `of ${key}`);
    const never = async () => 'loaded again';
    const many = await Promise.all(keys.map((key) => loader.get(key, never)));
    same('fifty keys at once each have their own value', many, keys.map((key) => `of ${key}`));
    same('a key cannot hold a command', (await outcome(loader.get('a\r\nflush_all', never))) instanceof Error, true);

    cache.node.socket.destroy(); // as the client itself does after a rest
    while (cache.node.isConnected()) await new Promise(setImmediate);
    const after = await Promise.all(keys.map((key) => loader.get(key, never)));
    same('a connection that has ended is made again', after, many);
    await relay.cut();
    same('a server that is away is a miss', await loader.get('node:shop', async () => 'loaded'), 'loaded');
    same('but no delete', (await outcome(loader.forget('node:shop'))) instanceof Error, true);
    await relay.open(port);
    same('and read again when it is back', await loader.get('node:shop', never), 'new');

    process.env.LARDER_PASSWORD += 'x';
    const refusal = await outcome(connect());
    check('npm memcache wrong password is refused', /authentication failure/.test(String(refusal)), refusal);
    end();
}

main();
