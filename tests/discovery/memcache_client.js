// npm's memcache with autoDiscover: `memcache_client.js HOST PORT`. Of each line of standard input, a JSON array of a method's
// name and its arguments, it prints what came of it: {"value": ...} or {"error": ...}. memcache_client.py writes them.
'use strict';

const readline = require('node:readline');
const { Memcache } = require('memcache');

const [host, port] = process.argv.slice(2);
const client = new Memcache({
    nodes: [`${host}:${port}`],
    timeout: 1000,
    retries: 0,
    autoDiscover: { enabled: true, pollingInterval: 200 },
});
client.on('error', () => {});

const methods = {
    connect: () => client.connect(),
    nodes: () => client.nodes.map((node) => [node.host, node.port]),
    set: (key, value) => client.set(key, value),
    get: (key) => client.get(key),
};

async function main() {
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const [name, ...words] = JSON.parse(line);
        let said;
        try {
            said = { value: (await methods[name](...words)) ?? null };
        } catch (error) {
            said = { error: String(error) };
        }
        console.log(JSON.stringify(said));
    }
    process.exit(0);
}

main();
