// npm's memcache with autoDiscover: `memcache_client.js HOST PORT`. Of each line of standard input, a JSON array of a method's
// name and its arguments, it prints what came of it: {"value": ...} or {"error": ...}. memcache_client.py writes them.
'use strict';

const readline = require('node:readline');
const { Memcache } = require('memcache');

const [host, port] = process.argv.slice(2);
const PATIENCE_MS = 10000;
const client = new Memcache({
    nodes: [`${host}:${port}`],
    timeout: PATIENCE_MS,
    // With the connection to a node that leaves the list what is on its way is cut off.
    retries: 1,
    retryOnlyIdempotent: false,
    autoDiscover: { enabled: true, pollingInterval: 200 },
});
client.on('error', () => {});

const methods = {
    connect: () => client.connect(),
    nodes: () => client.nodes.map((node) => [node.host, node.port]),
    set: (key, value) => client.set(key, value),
    get: (key) => client.get(key),
};

// A connection that is being made when its node leaves the list is dropped, and who waits for it never hears of that.
async function inTime(call) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(reject, PATIENCE_MS, new Error('no answer'));
    });
    try {
        return await Promise.race([call, late]);
    } finally {
        clearTimeout(timer);
    }
}

async function main() {
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const [name, ...words] = JSON.parse(line);
        let said;
        try {
            said = { value: (await inTime(methods[name](...words))) ?? null };
        } catch (error) {
            said = { error: String(error) };
        }
        console.log(JSON.stringify(said));
    }
    process.exit(0);
}

main();
